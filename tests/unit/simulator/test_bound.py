"""The clairvoyant bound: by hand, and against every policy with every setting on small fleets."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plimsoll.domain import CapacityTable, LatencyMetric, LatencyTarget, ObjectKey, PriceKind, StepTime, VariantKey
from plimsoll.simulator.bound import least_cost
from plimsoll.simulator.bound.capacity import most_of_one_rps, true_table
from plimsoll.simulator.bound.demand import engine_ms_i, least_rps_m, lowest_around
from plimsoll.simulator.bound.misses import Load, corners, evenness, loads, sharing
from plimsoll.simulator.bound.programme import Asked, Way, solve
from plimsoll.simulator.policies import POLICIES
from plimsoll.simulator.sweep import settings
from plimsoll.simulator.traffic import Traffic
from plimsoll.simulator.world import run
from unit.builders import a_pool, a_profile, a_variant
from unit.simulator.folders import an_episode
from unit.simulator.small_fleets import SMALL_FLEETS

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
    assert cheap.missed == pytest.approx(600.0 / 9.0)
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


# --- Misses ----------------------------------------------------------------------------------------------------------


def test_a_replica_may_be_loaded_past_its_percentile_where_the_misses_are_paid_for() -> None:
    # Five replicas without a miss are two nodes of 0.20 USD; four on one node take it all and miss 5%, 30 requests.
    variant = a_variant()
    ways = [Way(variant, 0.2), Way(variant, 0.25, missed_share=0.0125)]
    minute = [Asked(CHAT, 600.0, ways)]
    cheap = solve(minute, POOLS, 0.004)
    assert cheap.usd == pytest.approx(0.2)
    assert cheap.missed == pytest.approx(30.0)
    assert cheap.bound == pytest.approx(0.2 + 0.004 * 30.0)
    dear = solve(minute, POOLS, 0.01)
    assert dear.usd == pytest.approx(0.4)
    assert dear.missed == pytest.approx(0.0)


def test_a_rate_is_credited_with_the_misses_of_the_next_lower_one() -> None:
    # 3/s miss half; between 2/s and 3/s it may still be the tenth of 2/s, and between 1/s and 2/s nothing.
    none, some = corners(np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.1, 0.5]))
    assert none == Load(2.0, 0.0)
    assert (some.rate_rps, some.missed_share) == pytest.approx((3.0, 0.1))


def test_a_higher_rate_that_chance_makes_look_better_shows_what_the_lower_one_can_do() -> None:
    (found,) = corners(np.array([1.0, 2.0, 3.0]), np.array([0.3, 0.2, 1.0]))
    assert (found.rate_rps, found.missed_share) == pytest.approx((3.0, 0.2))


def test_a_load_at_which_each_request_more_is_a_miss_is_none() -> None:
    assert corners(np.array([1.0, 2.0, 3.0]), np.array([0.0, 1.0, 1.0])) == (Load(2.0, 0.0),)


def test_fewer_corners_never_miss_more() -> None:
    rates_k = np.arange(1, 101) / 100.0
    found = corners(rates_k, rates_k**3)
    assert len(found) <= 8
    told = [0.0, *(one.rate_rps for one in found)], [0.0, *(one.rate_rps * one.missed_share for one in found)]
    true_k = rates_k**4
    below_k = np.interp(rates_k, *told)
    inside_k = rates_k <= told[0][-1]
    assert (below_k[inside_k] <= true_k[inside_k] + 1e-12).all()
    assert np.abs(below_k - true_k)[inside_k].max() < 0.05


def test_arrivals_are_as_even_as_the_runs_own() -> None:
    rng = np.random.default_rng(3)
    assert evenness(np.arange(100.0)) > 1000.0
    assert evenness(np.cumsum(rng.gamma(4.0, 1.0, 20_000))) == pytest.approx(4.0, rel=0.1)
    # By chance at a rate that wanders is no burstier than by chance, and bursts count as chance.
    wandering = np.cumsum(rng.exponential(1.0, 20_000) / (1.5 + np.sin(np.arange(20_000) / 500.0)))
    assert evenness(wandering) == pytest.approx(1.0, abs=0.05)
    assert evenness(np.cumsum(rng.gamma(0.3, 1.0, 20_000))) == 1.0
    assert evenness(np.array([5.0, 5.0, 5.0])) == 1.0


def test_a_slow_replica_misses_some_however_few_come() -> None:
    rng = np.random.default_rng(1)
    traffic = Traffic(np.sort(rng.uniform(0.0, 600.0, 1000)), rng.choice([100, 4000], 1000, p=[0.95, 0.05]),
                      np.full(1000, 10))  # fmt: skip
    slo = (LatencyTarget(LatencyMetric.TTFT, 0.99, 500.0),)
    # 0.2 ms a prompt token: 4000 tokens take 0.8 s, and a twentieth of all are so long.
    slow = a_profile(step_time=StepTime(10.0, 0.1, 0.2, 0.0))
    found = loads(slow, slo, traffic, replicas=1)
    assert found[0].missed_share == pytest.approx(0.05, abs=0.01)
    assert [one.missed_share for one in found] == sorted(one.missed_share for one in found)
    # One that shares its arrivals with others behind a router of least load does at least as well.
    shared = loads(slow, slo, traffic, replicas=8)
    assert shared[-1].rate_rps >= found[-1].rate_rps * 0.98
    assert loads(slow, (LatencyTarget(LatencyMetric.TTFT, 0.99, 1.0),), traffic, replicas=1) == ()
    assert loads(slow, slo, Traffic.merged([]), replicas=1) == ()


@pytest.mark.parametrize(("count", "played"), [(0.2, 1), (1.0, 1), (1.1, 2), (5.0, 8), (8.0, 8), (5000.0, 128)])
def test_so_many_replicas_are_played_as_the_next_power_of_two(count: float, played: int) -> None:
    assert sharing(count) == played


# --- Against policies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fleet", SMALL_FLEETS)
def test_no_policy_that_keeps_the_slo_is_cheaper(fleet: str, tmp_path: Path) -> None:
    episode = SMALL_FLEETS[fleet](tmp_path, 1)
    bound = least_cost(episode, may_miss=0.01)
    found = [run(episode, label) for policy in POLICIES for label in settings(policy)]
    keeping = [one for one in found if one.slo_attainment >= 0.99]
    assert len({one.policy.partition("=")[0] for one in keeping}) >= 6
    assert [(one.policy, one.usd) for one in keeping if one.usd < bound.usd] == []
    # Where all misses fit on what is paid for already the bound is nothing, elsewhere it says something.
    cheapest = min(one.usd for one in keeping)
    assert bound.usd == 0.0 if fleet == "misses" else bound.usd > 0.4 * cheapest


def test_who_may_miss_more_pays_no_more(tmp_path: Path) -> None:
    episode = an_episode(tmp_path, hours=0.1)
    costs = [least_cost(episode, share).usd for share in (0.0, 0.05, 0.5, 1.0)]
    assert costs == sorted(costs, reverse=True)
    assert costs[-1] == pytest.approx(0.0, abs=1e-6)
