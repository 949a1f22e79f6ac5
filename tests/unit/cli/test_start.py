"""A command loads what it needs: whoever prints a help text does not wait for a compiler."""

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = ("numba", "scipy", "kopf", "aiohttp")
"""Half a second to a second each."""


def test_a_command_that_plays_nothing_loads_no_compiler() -> None:
    code = f"import sys, plimsoll.cli; print([one for one in {HEAVY} if one in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


@pytest.mark.parametrize(("entry_point", "typed"), [("plimsoll", "plimsoll"), ("kubectl-plimsoll", "kubectl plimsoll")])
def test_help_names_the_command_as_it_is_typed(entry_point: str, typed: str) -> None:
    command: list[str | Path] = [Path(sys.executable).with_name(entry_point), "status", "--help"]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert told.stdout.split("\n")[0].strip() == f"Usage: {typed} status [OPTIONS]"
