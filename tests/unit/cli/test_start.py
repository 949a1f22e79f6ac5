"""A command loads what it needs: whoever prints a help text does not wait for a compiler."""

import subprocess
import sys

HEAVY = ("numba", "scipy", "kopf", "aiohttp")
"""Half a second to a second each."""


def test_a_command_that_plays_nothing_loads_no_compiler() -> None:
    code = f"import sys, plimsoll.cli; print([one for one in {HEAVY} if one in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
