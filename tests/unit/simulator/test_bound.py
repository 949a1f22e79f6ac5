"""The clairvoyant bound: by hand, and against every policy."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plimsoll.domain import CapacityTable, ObjectKey, PriceKind, VariantKey
from plimsoll.simulator.bound import least_cost
from plimsoll.simulator.bound.capacity import most_of_one_rps, true_table
from plimsoll.simulator.bound.demand import engine_ms_i, least_rps_m, lowest_around
from plimsoll.simulator.bound.programme import Asked, Way, solve
from plimsoll.simulator.traffic import Traffic
from plimsoll.simulator.world import run
from unit.builders import a_pool, a_profile, a_variant
from unit.simulator.folders import STEADY, an_episode

CHAT = ObjectKey("team-a", "chat")
POOLS = {"gpu-h100": a_pool("gpu-h100"), "cpu-amx": a_pool("cpu-amx")}
NEVER = 1e3


def asked(*shares: float, requests: float = 600.0, pools: tuple[str, ...] = ("gpu-h100", "cpu-amx")) -> Asked:
    ways = [Way(a_variant(pool, pool=pool), share) for share, pool in zip(shares, pools, strict=False)]
    return Asked(CHAT, requests, ways)


def test_a_minute_pays_for_whole_nodes() -> None:
    # Five replicas, four GPUs a node of 12 USD an hour: two nodes, 24/60.
    assert solve([asked(0.2)], POOLS, NEVER).usd == pytest.approx(0.4)
    assert solve([asked(0.25)], POOLS, NEVER).usd == pytest.approx(0.2)


def test_a_minute_takes_the_cheapest_hardware() -> None:
    # One H100 node at 12, or eight Xeon replicas of 16 cores, four a node: two nodes at 3.
    assert solve([asked(1.0, 0.125)], POOLS, NEVER).usd == pytest.approx(0.1)


def test_nodes_are_shared_by_models() -> None:
    other = replace(asked(0.5), key=ObjectKey("team-a", "mail"))
    other = replace(other, ways=[Way(a_variant("gpu-h100", key=VariantKey("team-a", "mail", "x")), 0.5)])
    assert solve([asked(0.5), other], POOLS, NEVER).usd == pytest.approx(0.2)


def test_requests_are_left_out_where_that_saves_a_node() -> None:
    # A fifth replica for the last 1/9: a node of 0.20 USD for 67 of 600 requests, 0.003 each.
    assert solve([asked(2.0 / 9.0)], POOLS, 0.004).usd == pytest.approx(0.4)
    cheap = solve([asked(2.0 / 9.0)], POOLS, 0.002)
    assert cheap.usd == pytest.approx(0.2)
    assert cheap.left_out == pytest.approx(600.0 / 9.0)
    assert cheap.bound == pytest.approx(0.2 + 0.002 * 600.0 / 9.0)


def test_nodes_that_are_paid_for_cost_nothing() -> None:
    paid = {"gpu-h100": a_pool("gpu-h100", price_kind=PriceKind.PAID, max_nodes=1)}
    assert solve([asked(0.25)], paid, NEVER).usd == 0.0


def test_a_model_that_nothing_serves_is_left_out() -> None:
    assert solve([asked(requests=60.0)], POOLS, 0.5).bound == 30.0


def test_a_minute_counts_with_the_calmest_span_around_it() -> None:
    found = lowest_around(np.array([1.0, 9.0, 1.0, 1.0, 5.0, 5.0, 5.0, 5.0]), 3)
    assert list(found) == pytest.approx([11 / 3, 11 / 3, 7 / 3, 7 / 3, 7 / 3, 11 / 3, 5.0, 5.0])


def test_demand_is_engine_time_in_requests_of_mean_size() -> None:
    profile = a_profile()
    traffic = Traffic(np.array([10.0, 70.0]), np.array([1000, 3000]), np.array([1, 1]))
    # One output token is the prefill's own: 0.0196 ms a prompt token and nothing else.
    assert list(engine_ms_i(profile, traffic)) == pytest.approx([19.6, 58.8])
    # In two minutes 0.5 and 1.5 requests of mean size; both minutes share their only span.
    assert list(least_rps_m(profile, traffic, 2)) == pytest.approx([1 / 60, 1 / 60])


def test_nothing_is_asked_where_nothing_comes() -> None:
    nobody = Traffic.merged([])
    assert list(least_rps_m(a_profile(), nobody, 3)) == [0.0, 0.0, 0.0]
    assert true_table(a_profile(), (), nobody).per_replica_rps == 0.0


def test_a_replica_carries_more_beside_others() -> None:
    table = CapacityTable((1, 2, 4, 8), (1.0, 2.4, 5.2, 11.2))
    assert most_of_one_rps(table, 0.5) == 1.0
    assert most_of_one_rps(table, 2.0) == pytest.approx(1.2)
    # 22.4 is what sixteen carry at the rate of eight; the doubling adds 4%.
    assert most_of_one_rps(table, 22.4) == pytest.approx(1.4 * 1.04)


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("busy")


def test_no_policy_that_keeps_the_slo_is_cheaper(busy: Path) -> None:
    rush = {**STEADY, "meanRps": 6.0, "bursts": [{"begin": "4m", "lasts": "4m", "factor": 3.0}]}
    episode = an_episode(
        busy, hours=0.2, demand=[{"deployment": "team-a/chat", "generated": rush}], startReplicas={"chat/h100": 2}
    )
    bound = least_cost(episode, may_miss=0.01)
    assert bound.usd > 0.0
    kept = 0
    for label in ("static", "static=0.5", "static=2", "hpa", "melange", "skyserve"):
        found = run(episode, label)
        if found.slo_attainment >= 0.99:
            kept += 1
            assert found.usd >= bound.usd, label
    assert kept >= 3


def test_who_may_miss_more_pays_no_more(busy: Path) -> None:
    episode = an_episode(busy, hours=0.1)
    costs = [least_cost(episode, share).usd for share in (0.0, 0.05, 0.5, 1.0)]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] == pytest.approx(0.0, abs=1e-6)
