"""Does the manual name every command that there is?"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from plimsoll.cli import app

MANUAL = Path(__file__).resolve().parents[3] / "docs/cli.md"


def commands(command: Any, path: str) -> Iterator[str]:
    """Of typer's own kind of commands, whose types it keeps to itself."""
    if not hasattr(command, "commands"):
        yield path
        return
    for name, one in command.commands.items():
        yield from commands(one, f"{path} {name}")


@pytest.mark.parametrize("command", [*commands(typer.main.get_command(app), "plimsoll")])
def test_the_manual_lists_the_command(command: str) -> None:
    rows = [line for line in MANUAL.read_text().splitlines() if line.startswith("| `plimsoll ")]
    assert any(row.startswith((f"| `{command} ", f"| `{command}`")) for row in rows)
