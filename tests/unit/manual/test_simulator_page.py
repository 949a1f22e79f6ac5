"""Does the simulator's page list the policies as they are?"""

import re
from pathlib import Path

import pytest

from plimsoll.simulator.policies import POLICIES, PolicyKind

PAGE = Path(__file__).resolve().parents[3] / "docs/simulator.md"
ROWS = {
    cells[0]: cells[1:]
    for line in PAGE.read_text().splitlines()
    if (cells := [cell.strip(" `") for cell in line.strip("|").split("|")])[0] in POLICIES
}


def test_no_policy_is_missing() -> None:
    assert list(ROWS) == list(POLICIES)


@pytest.mark.parametrize("kind", POLICIES.values(), ids=lambda kind: kind.name)
def test_a_policy_has_the_targets_that_it_is_said_to_have(kind: PolicyKind) -> None:
    _, what, default, tried = ROWS[kind.name]
    assert (what == "none") == (not kind.default_target)
    assert default == (f"{kind.default_target:g}" if kind.default_target else "")
    assert [float(text) for text in re.findall(r"[0-9.]+", tried)] == list(kind.targets)
