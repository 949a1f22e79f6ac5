"""What does a change of manifests cost? Against a folder and against a commit, as a table, as Markdown, as JSON."""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from plimsoll.cli import app
from plimsoll.errors import InvalidObject

QUICKSTART = Path(__file__).resolve().parents[3] / "examples/quickstart"
EXAMPLES = QUICKSTART.parent / "pull-request-price"
DEMAND = ("--demand", "chat=6:600/200", "--quick")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A Git repository with the quickstart's manifests, changed since the first commit: a tighter SLO."""
    folder = tmp_path / "repository"
    shutil.copytree(QUICKSTART, folder / "manifests")
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", "first")
    chat = folder / "manifests/chat.yaml"
    text = chat.read_text()
    assert "p95: 100ms" in text
    chat.write_text(text.replace("p95: 100ms", "p95: 45ms").replace("max: 10", "max: 20"))
    return folder


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", "-C", str(folder), *arguments], check=True, capture_output=True)


def price(repository: Path, against: str, *more: str) -> Result:
    return CliRunner().invoke(app, ["plan", "-f", str(repository / "manifests"), "--against", against, *DEMAND, *more])


def test_a_tighter_slo_is_told_with_its_price_per_hour_and_month_and_what_margin_is_left(repository: Path) -> None:
    told = price(repository, "HEAD", "-o", "json")
    assert told.exit_code == 0, told.output
    answer = json.loads(told.stdout)
    [chat] = answer["deployments"]
    assert chat["after"]["usdPerHour"] > chat["before"]["usdPerHour"]
    assert answer["usdPerHour"] == pytest.approx(chat["after"]["usdPerHour"] - chat["before"]["usdPerHour"], abs=1e-3)
    assert answer["usdPerMonth"] == pytest.approx(730.0 * answer["usdPerHour"], abs=0.1)
    assert 0.0 <= chat["after"]["sloMargin"] < chat["before"]["sloMargin"]
    assert answer["served"] is True


def test_a_folder_and_a_commit_give_the_same_answer(repository: Path) -> None:
    assert price(repository, str(QUICKSTART), "-o", "json").stdout == price(repository, "HEAD", "-o", "json").stdout


def test_markdown_begins_with_the_price_in_one_sentence(repository: Path) -> None:
    first, _, header, *_ = price(repository, "HEAD", "--markdown").stdout.splitlines()
    assert first.startswith("**This change costs ")
    assert first.count("USD a month") == 1
    assert header.startswith("| deployment | runs before | runs after |")


def test_the_other_way_round_it_saves(repository: Path) -> None:
    told = CliRunner().invoke(
        app,
        ["plan", "-f", str(QUICKSTART), "--against", str(repository / "manifests"), *DEMAND, "--markdown"],
    )
    assert told.stdout.startswith("**This change saves ")


def test_what_cannot_be_served_any_more_is_named_and_ends_with_1(repository: Path) -> None:
    chat = repository / "manifests/chat.yaml"
    chat.write_text(chat.read_text().replace("max: 20", "max: 1"))
    told = price(repository, "HEAD", "--markdown")
    assert told.exit_code == 1
    assert "Not served after it: default/chat." in told.stdout


@pytest.mark.parametrize(
    ("against", "demand", "message"),
    [
        ("no-such-commit", DEMAND, "neither a file or folder, nor a commit"),
        ("HEAD", ("--quick",), "add --demand"),
        ("HEAD", ("--demand", "cat=6", "--quick"), "default/cat, which neither side has"),
    ],
)
def test_a_question_that_cannot_be_answered_says_what_to_write(
    repository: Path, against: str, demand: tuple[str, ...], message: str
) -> None:
    told = CliRunner().invoke(app, ["plan", "-f", str(repository / "manifests"), "--against", against, *demand])
    assert isinstance(told.exception, InvalidObject)
    assert message in str(told.exception)


@pytest.mark.parametrize("before", ["a folder without a model", "a commit without the folder"])
def test_the_first_model_is_priced_against_nothing(repository: Path, before: str) -> None:
    later = repository / "later"
    shutil.copytree(QUICKSTART, later)
    empty = repository / "empty"
    empty.mkdir()
    shutil.copy(QUICKSTART / "pools.yaml", empty)
    against = str(empty) if before == "a folder without a model" else "HEAD"
    told = CliRunner().invoke(app, ["plan", "-f", str(later), "--against", against, *DEMAND, "-o", "json"])
    assert told.exit_code == 0, told.output
    answer = json.loads(told.stdout)
    [chat] = answer["deployments"]
    assert chat["before"] is None
    assert answer["usdPerHour"] == chat["after"]["usdPerHour"] > 0.0


def test_the_last_model_that_goes_saves_all_that_it_cost(repository: Path) -> None:
    (repository / "manifests/chat.yaml").unlink()
    told = price(repository, "HEAD", "-o", "json")
    assert told.exit_code == 0, told.output
    [chat] = json.loads(told.stdout)["deployments"]
    assert chat["after"] is None
    assert json.loads(told.stdout)["usdPerHour"] == -chat["before"]["usdPerHour"] < 0.0


def example_command(file: str) -> list[str]:
    """The one command of plimsoll in a job of the examples, its variables put in as the job's runner does."""
    text = (EXAMPLES / file).read_text()
    demand = re.search(r'DEMAND: "(.*)"', text)
    assert demand is not None
    [command] = re.findall(r"(plimsoll plan .*? --markdown)", text)
    for variable in ('"$BASE"', '"$CI_MERGE_REQUEST_DIFF_BASE_SHA"'):
        command = command.replace(variable, "HEAD")
    return shlex.split(command.replace("$DEMAND", demand[1]))


@pytest.mark.parametrize("file", ["github.yaml", "gitlab.yaml"])
def test_the_jobs_in_the_examples_price_a_change(file: str, repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The jobs' second model, which the change adds: the first one under another name.
    for name in ("chat.yaml", "engine.yaml"):
        text = (repository / "manifests" / name).read_text()
        other = text.replace("name: chat\n", "name: tags\n").replace("chat-l4", "tags-l4")
        (repository / "manifests" / f"tags-{name}").write_text(other)
    monkeypatch.chdir(repository)
    told = CliRunner().invoke(app, [*example_command(file)[1:], "--quick"])
    assert told.exit_code in (0, 1), told.output
    assert told.stdout.startswith("**This change costs ")
    assert "default/tags | (new)" in told.stdout


def test_the_example_for_github_has_its_actions_pinned_as_our_own_workflows_have() -> None:
    own = "".join(path.read_text() for path in (EXAMPLES.parents[1] / ".github/workflows").glob("*.yaml"))
    used = re.findall(r"uses: (.*)", (EXAMPLES / "github.yaml").read_text())
    assert used
    assert all(f"uses: {one}" in own for one in used)
