"""Does the manual name every command and everything that can be asked, and does what it shows run?"""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from plimsoll.api import KINDS, parse
from plimsoll.cli import app, explain_page
from plimsoll.errors import InvalidObject
from plimsoll.manifests import manifests_of
from plimsoll.what_if import assume
from plimsoll_testkit.manual import ELSEWHERE, RunBy, Shown, block_after, pieces_of_manifests, shown
from plimsoll_testkit.reference import all_commands
from unit.what_if.situations import CHAT, a_situation

ROOT = Path(__file__).resolve().parents[3]
MANUAL = ROOT / "docs/cli.md"
COMMANDS = shown()
ON_FILES = sorted({one.text for one in COMMANDS if one.run_by is RunBy.FILES})
QUICK = (["plimsoll", "plan"], ["plimsoll", "explain"])
"""These simulate what they stand on, which other tests are for."""
LOAD_POINTS = """rps,in_tokens,out_tokens,ttft_ms,itl_ms
1,512,128,24.5,7.5
4,512,128,27.1,8.4
8,512,128,31.8,9.9
2,2048,64,62.0,8.7
4,2048,64,71.5,10.3
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where a reader would be: the repository's examples, and a Git repository with manifests of their own."""
    here = tmp_path_factory.mktemp("reader")
    for name in ("examples", "charts", "policies"):
        shutil.copytree(ROOT / name, here / name)
    shutil.copytree(here / "examples/quickstart", here / "manifests")
    (here / "pools").mkdir()
    shutil.copy(here / "manifests/pools.yaml", here / "pools")
    shutil.copy(here / "charts/plimsoll/catalog/profiles/llama-3.1-8b-fp8-vllm-h100-sxm.yaml", here / "profile.yaml")
    (here / "prices.csv").write_text(block_after("docs/cli.md", "`prices.csv` has a header and one line a price:"))
    for name in ("points.csv", "loads.csv"):
        (here / name).write_text(LOAD_POINTS)
    author = ("-c", "user.name=a", "-c", "user.email=a@example.com")
    for arguments in (
        ("init", "--quiet", "--initial-branch=main"),
        ("add", "manifests"),
        (*author, "commit", "--quiet", "--message=manifests"),
        ("update-ref", "refs/remotes/origin/main", "HEAD"),
    ):
        subprocess.run(["git", "-C", here, *arguments], check=True, capture_output=True)
    return here


@pytest.mark.parametrize("command", [path for path, _ in all_commands(typer.main.get_command(app), "plimsoll")])
def test_the_manual_lists_the_command(command: str) -> None:
    rows = [line for line in MANUAL.read_text().splitlines() if line.startswith("| `plimsoll ")]
    assert any(row.startswith((f"| `{command} ", f"| `{command}`")) for row in rows)


@pytest.mark.parametrize("command", sorted({one.text for one in COMMANDS if one.words[0] == "plimsoll"}))
def test_every_command_that_is_shown_is_one_that_can_be_typed(command: str) -> None:
    group, arguments = typer.main.get_command(app), Shown("", command).words[1:]
    while hasattr(group, "commands") and not arguments[0].startswith("-"):
        group, arguments = group.commands[arguments[0]], arguments[1:]
    if "--help" not in arguments:
        group.make_context(command, list(arguments))


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: f"{one.page}: {one.text[:80]}")
def test_every_command_that_is_shown_is_run_by_a_test(command: Shown) -> None:
    """A new one of a kind that no rule knows needs a rule, and a test that runs it, in plimsoll_testkit/manual.py."""
    place = command.run_by
    assert place is not None
    assert (ROOT / (place.value if isinstance(place, RunBy) else place)).is_file()


@pytest.mark.parametrize("beginning", ELSEWHERE)
def test_no_rule_is_left_over_for_a_command_that_is_shown_nowhere(beginning: str) -> None:
    assert any(f"{one.text} ".startswith(f"{beginning} ") for one in COMMANDS)


@pytest.mark.parametrize("command", ON_FILES)
def test_every_command_on_files_runs(command: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    words = Shown("", command).words
    result = CliRunner().invoke(app, [*words[1:], *(("--quick",) if words[:2] in QUICK else ())])
    assert (result.exit_code, result.exception) == (0, None), result.output
    assert result.stdout.strip()


@pytest.mark.parametrize(("page", "piece"), list(pieces_of_manifests()))
def test_what_a_reader_is_told_to_write_is_valid_on_the_quickstart(page: str, piece: dict[str, Any]) -> None:
    """Fields of a piece take the place of those of the quickstart's first object of its kind."""
    if piece["kind"] not in KINDS:
        assert {"apiVersion", "metadata", "spec"} <= piece.keys(), f"{page}: a whole {piece['kind']}, please"
        return
    [whole, *_] = manifests_of(piece["kind"], [ROOT / "examples/quickstart", ROOT / "policies/balanced.yaml"])
    parse(KINDS[piece["kind"]], {**whole, "spec": {**whole["spec"], **piece["spec"]}})


def test_the_manual_lists_everything_that_can_be_assumed() -> None:
    situation = a_situation()
    told = MANUAL.read_text()
    for about in (CHAT, None):
        with pytest.raises(InvalidObject) as error:
            assume(situation, ["weather=fine"], about)
        patterns = str(error.value).partition("What can be: ")[2].split(", ")
        for pattern in patterns:
            if not pattern.startswith("and "):
                assert f"`{pattern.removeprefix('deployment.NAME.')}`" in told


def test_the_manual_has_every_line_of_the_page() -> None:
    labels = {"well", "NOT WELL", "trouble", "not known", "now", "runs", "why", "latency", "cost", "not taken"}
    labels |= {"would turn", "ask", "demand", "forecast", "bound"}
    told = MANUAL.read_text()
    source = Path(explain_page.__file__).read_text()
    for label in labels:
        assert f"`{label}`" in told
        assert f'"{label}"' in source
