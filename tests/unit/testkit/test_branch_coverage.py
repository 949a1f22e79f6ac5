"""Is each pure station held to its share of branches, and is the one that falls short named?"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from plimsoll_testkit.branch_coverage import ROOT, NotMeasured, Station, pure_stations, stations, verdict


def a_file(taken: int, branches: int, missing: Sequence[tuple[int, int]] = ()) -> dict[str, Any]:
    return {
        "summary": {"covered_branches": taken, "num_branches": branches},
        "missing_branches": [list(one) for one in missing],
    }


def a_report(**files: dict[str, Any]) -> dict[str, Any]:
    return {"files": {f"operator/plimsoll/{name.replace('__', '/')}.py": file for name, file in files.items()}}


def test_a_station_is_the_sum_of_its_files_and_of_no_others() -> None:
    report = a_report(
        rollout__steps=a_file(7, 8, [(30, 42)]), rollout__inner__a=a_file(2, 2), rollout_plan=a_file(0, 9)
    )
    (found,) = stations(["rollout"], report)
    assert found == Station("rollout", 9, 10, ("operator/plimsoll/rollout/steps.py:30 -> 42",))


def test_a_station_of_one_file_counts_as_well() -> None:
    assert stations(["decide"], a_report(decide=a_file(3, 4)))[0].percent == 75.0


@pytest.mark.parametrize(("taken", "branches", "short_by"), [(9, 10, 1), (10, 10, 0), (91, 100, 0), (50, 100, 41)])
def test_ninety_percent_are_not_enough(taken: int, branches: int, short_by: int) -> None:
    assert Station("x", taken, branches, ()).short_by == short_by


def test_a_station_without_branches_lacks_none() -> None:
    assert Station("domain", 0, 0, ()).short_by == 0
    assert Station("domain", 0, 0, ()).percent == 100.0


def test_the_station_that_falls_short_is_named_with_what_is_missing() -> None:
    told, passes = verdict([Station("sizing", 20, 20, ()), Station("rollout", 8, 10, ("a.py:3 -> 5", "a.py:9 -> -7"))])
    assert not passes
    good, bad, *rest = told.splitlines()
    assert "TOO FEW" not in good
    assert bad.startswith("rollout")
    assert "80.0%  TOO FEW: 2 more must be taken to be above 90%" in bad
    assert rest == ["No unit test takes these branches:", "  a.py:3 -> 5", "  a.py:9 -> -7"]


def test_what_was_not_measured_does_not_pass() -> None:
    with pytest.raises(NotMeasured, match="operator/plimsoll/rollout: nothing was measured"):
        stations(["rollout"], a_report(sizing__options=a_file(1, 1)))


def test_the_stations_are_those_of_the_contract(tmp_path: Path) -> None:
    contracts = tmp_path / "contracts"
    contracts.write_text("[importlinter:contract:pure]\nsource_modules =\n    plimsoll.domain\n    plimsoll.engine\n")
    assert pure_stations(contracts) == ["domain", "engine"]
    ours = set(pure_stations(ROOT / ".importlinter"))
    assert ours >= {"domain", "forecast", "sizing", "planning", "rollout", "decide", "explain"}
