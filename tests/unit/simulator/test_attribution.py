"""The excess over the bound by station: steps that sum up to the bill."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plimsoll.decide import decide
from plimsoll.domain import Memory, Plan, PriceKind, Snapshot
from plimsoll.simulator.attribution import STEPS, Noting, attribution
from plimsoll.simulator.bound import Bound
from plimsoll.simulator.episode import START_S, Episode
from plimsoll.simulator.policies import make
from plimsoll.simulator.result import PoolSeries, RunResult
from unit.builders import a_demand
from unit.simulator.folders import an_episode

NODE_USD_PER_MINUTE = 12.0 / 60.0


@pytest.fixture(scope="module")
def episode(tmp_path_factory: pytest.TempPathFactory) -> Episode:
    folder: Path = tmp_path_factory.mktemp("attributed")
    return an_episode(folder, hours=0.05)


def a_plan(episode: Episode) -> Plan:
    """For two requests a second."""
    asked = tuple(replace(one, demand=a_demand(2.0)) for one in episode.deployments)
    return decide(Snapshot(START_S + 60.0, asked, episode.pools), Memory()).plan


def billed(episode: Episode, nodes: float) -> RunResult:
    pool = PoolSeries(episode.pools[0].name, PriceKind.ON_DEMAND, 12.0, np.full(episode.minutes, nodes))
    return RunResult("s", "plimsoll", 1, 0.05, 0.0, 0.0, 1, 0, 1.0, 1.0, pools=(pool,))


def test_steps_and_bound_sum_up_to_the_bill(episode: Episode) -> None:
    bound = Bound(0.3, np.full(3, 0.1), 0.0)
    found = attribution(episode, {}, billed(episode, 2.0), bound)
    assert tuple(found.usd) == STEPS
    assert found.bound_usd + sum(found.usd.values()) == pytest.approx(3 * 2 * NODE_USD_PER_MINUTE)
    # Without a plan nobody knows whose it is: what is over the cheapest minute counts as sizing.
    assert found.usd["forecast"] == found.usd["planning"] == found.usd["rollout"] == 0.0


def test_nodes_beyond_the_plan_are_the_rollouts(episode: Episode) -> None:
    plan = a_plan(episode)
    assert [pool.target_nodes for pool in plan.pools] == [1]
    found = attribution(episode, dict.fromkeys(range(3), plan), billed(episode, 2.0), Bound(0.3, np.full(3, 0.1), 0.0))
    assert found.usd_m["rollout"] == pytest.approx([NODE_USD_PER_MINUTE] * 3)
    # One replica on one node carries it by anybody's figures.
    assert found.usd_m["chance"] == pytest.approx([NODE_USD_PER_MINUTE - 0.1] * 3)
    assert found.usd["sizing"] == found.usd["forecast"] == found.usd["planning"] == pytest.approx(0.0)


def test_only_plimsoll_has_stations(episode: Episode) -> None:
    with pytest.raises(AssertionError, match="only Plimsoll"):
        Noting(make("static", episode.setup()))
