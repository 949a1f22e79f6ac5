"""Does the manual name every command and everything that can be asked, and does what it shows run?"""

import shlex
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from plimsoll.cli import app, explain_page
from plimsoll.errors import InvalidObject
from plimsoll.what_if import assume
from plimsoll_testkit.reference import all_commands
from unit.what_if.situations import CHAT, a_situation

ROOT = Path(__file__).resolve().parents[3]
MANUAL = ROOT / "docs/cli.md"
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
EXAMPLES = "-f examples/"
"""What such a command needs is in the repository."""


def shown() -> list[list[str]]:
    """Every command of a code block, split as a shell does it; into which file it writes is the shell's affair."""
    found = []
    for page in PAGES:
        blocks = page.read_text().split("```")[1::2]
        for block in blocks:
            lines = block.replace("\\\n", " ").splitlines()
            found += [shlex.split(line.split(" > ")[0]) for line in lines if line.startswith("plimsoll ")]
    return found


@pytest.mark.parametrize("command", [path for path, _ in all_commands(typer.main.get_command(app), "plimsoll")])
def test_the_manual_lists_the_command(command: str) -> None:
    rows = [line for line in MANUAL.read_text().splitlines() if line.startswith("| `plimsoll ")]
    assert any(row.startswith((f"| `{command} ", f"| `{command}`")) for row in rows)


@pytest.mark.parametrize("command", shown(), ids=" ".join)
def test_every_command_that_is_shown_is_one_that_can_be_typed(command: list[str]) -> None:
    """With its options as written; those on the examples run, the others are only read."""
    group, arguments = typer.main.get_command(app), command[1:]
    while hasattr(group, "commands"):
        group, arguments = group.commands[arguments[0]], arguments[1:]
    group.make_context(command[1], list(arguments))


@pytest.mark.parametrize("command", [one for one in shown() if EXAMPLES in " ".join(one)], ids=" ".join)
def test_every_command_on_the_examples_runs(command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(app, [*command[1:], "--quick"])
    assert (result.exit_code, result.exception) == (0, None)
    assert result.stdout.strip()


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
