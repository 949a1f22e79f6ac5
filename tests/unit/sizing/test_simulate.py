"""The answer by play: what one, two, four and eight replicas carry, and what requests see there."""

from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest

from plimsoll.domain import SizedBy
from plimsoll.engine.case import Case
from plimsoll.engine.search import Trial
from plimsoll.engine.serving import Router
from plimsoll.engine.workload import Lengths
from plimsoll.sizing import Capacity, simulate
from plimsoll.sizing.estimate import estimate
from unit.engine.cases import E2E, H100, TPOT, TTFT, XEON, a_case, a_target

CHAT_ON_L4 = a_case(a_target(TTFT, 900.0), a_target(TPOT, 70.0))
CHAT_ON_XEON = a_case(a_target(TTFT, 4_000.0), a_target(E2E, 50_000.0), replica=XEON)
BOTH = pytest.mark.parametrize("case", [CHAT_ON_L4, CHAT_ON_XEON], ids=["L4", "Xeon"])

played = cache(simulate)
"""A second or so each: several tests look at the same answer."""


@BOTH
def test_replicas_behind_a_router_help_each_other(case: Case) -> None:
    found = played(case)
    assert found.replicas == (1, 2, 4, 8)
    each = [rate / replicas for rate, replicas in zip(found.rate_rps, found.replicas, strict=True)]
    # Every number of replicas draws its own chance: 40,000 requests know a rate to a percent or two.
    assert all(more >= 0.97 * fewer for fewer, more in pairwise(each))
    assert each[-1] > 1.02 * each[0]


@BOTH
def test_who_says_so_is_told(case: Case) -> None:
    assert played(case).sized_by is SizedBy.SIMULATION
    assert not played(case).doubtful


@BOTH
@pytest.mark.parametrize("replicas", [1, 2, 3, 8])
def test_latencies_at_the_safe_rate_are_within_the_slo(case: Case, replicas: int) -> None:
    found = played(case)
    rate_rps = _each_rps(found, replicas)
    for told_ms, target in zip(found.latencies_ms(rate_rps, replicas), case.slo, strict=True):
        assert told_ms <= 1.03 * target.limit_ms


@BOTH
@pytest.mark.parametrize("replicas", [1, 4])
def test_other_requests_of_the_same_kind_keep_the_slo_at_the_safe_rate(case: Case, replicas: int) -> None:
    found = played(case)
    trial = Trial(case, replicas, 40_000, seed=7)
    seen = trial.observations(_each_rps(found, replicas) * replicas / 1000.0)
    # What one sample of requests sees another sees within some percent: near the limit latencies are steep.
    for one, target in zip(seen, case.slo, strict=True):
        assert one.value_ms <= 1.05 * target.limit_ms


@BOTH
def test_latencies_rise_from_those_of_a_lone_request(case: Case) -> None:
    found, estimated = played(case), estimate([case])[case]
    for curve_ms, lone_ms in zip(found.latency_ms, estimated.unloaded_ms, strict=True):
        assert curve_ms[0] == pytest.approx(lone_ms, rel=0.03)
        assert list(curve_ms) == sorted(curve_ms)
        assert curve_ms[-1] > 1.1 * curve_ms[0]


def test_where_requests_are_drawn_by_chance_a_lone_replica_says_it_all() -> None:
    alone, among = simulate(replace(CHAT_ON_L4, router=Router.RANDOM)), played(CHAT_ON_L4)
    assert (alone.replicas, alone.rate_rps) == ((1,), among.rate_rps[:1])
    assert alone.latency_ms == among.latency_ms


def test_so_many_replicas_keep_the_slo_at_their_part_of_what_is_drawn_by_chance() -> None:
    case = replace(CHAT_ON_L4, router=Router.RANDOM)
    trial = Trial(case, 4, 40_000, seed=7)
    seen = trial.observations(4.0 * simulate(case).rate_rps[0] / 1000.0)
    for one, target in zip(seen, case.slo, strict=True):
        assert one.value_ms <= 1.05 * target.limit_ms


def test_an_slo_far_out_of_reach_is_not_played() -> None:
    case = a_case(a_target(TPOT, 20.0))
    found = simulate(case)
    assert found.rate_rps == (0.0,)
    assert found.sized_by is SizedBy.SIMULATION
    assert found.unloaded_ms[0] > 20.0


def test_an_slo_that_fails_with_hardly_any_load_has_no_safe_rate_and_says_what_requests_need() -> None:
    # The estimate takes it for just within reach; the lengths that are drawn need 0.6% more.
    prompts, outputs = Lengths(100.0, 200.0), Lengths(1_000.0, 2_500.0)
    any_limit = a_case(a_target(TTFT, 1_000.0), replica=H100, prompts=prompts, outputs=outputs)
    limit_ms = estimate([any_limit])[any_limit].unloaded_ms[0]
    found = simulate(replace(any_limit, slo=(a_target(TTFT, limit_ms),)))
    assert found.rate_rps == (0.0, 0.0, 0.0, 0.0)
    assert found.unloaded_ms[0] > limit_ms


def _each_rps(found: Capacity, replicas: int) -> float:
    table = {count: rate for count, rate in zip(found.replicas, found.rate_rps, strict=True)} | {
        3: (found.rate_rps[1] + found.rate_rps[2]) / 2.0
    }
    return table[replicas] / replicas
