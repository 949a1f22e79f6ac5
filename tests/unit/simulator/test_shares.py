"""Runs in other processes are seen while they go."""

from dataclasses import replace
from pathlib import Path

import joblib
import pytest

from plimsoll.simulator.runs import do, jobs
from plimsoll.simulator.shares import Shares
from unit.simulator.folders import a_scenario


def _half(shares: Shares, place: int) -> None:
    shares.watcher(place)(0.5)


def test_the_shares_of_runs_in_other_processes_add_up(tmp_path: Path) -> None:
    shares = Shares.of(tmp_path / "shares", 3)
    assert shares.total == 0.0
    joblib.Parallel(n_jobs=2)(joblib.delayed(_half)(shares, place) for place in (0, 2))
    shares.watcher(1)(1.0)
    assert shares.total == 2.0


def test_where_there_is_no_such_file_nobody_is_told(tmp_path: Path) -> None:
    Shares(tmp_path / "elsewhere").watcher(0)(0.5)


@pytest.mark.parametrize("may_miss", [None, 0.01])
def test_a_run_tells_how_far_it_is_from_nothing_to_all(tmp_path: Path, may_miss: float | None) -> None:
    (job,) = jobs([a_scenario(tmp_path, hours=0.05, seeds=[1])])
    told: list[float] = []
    do(replace(job, may_miss=may_miss), watch=told.append)
    assert told == sorted(told)
    assert 0.0 <= told[0] < 0.1
    assert told[-1] == 1.0
    assert any(0.3 < share < 0.7 for share in told)
