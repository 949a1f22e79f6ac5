"""When the solver has no answer, the plan does not get worse than the last one, and says what happened."""

from dataclasses import replace

import pytest

from plimsoll.domain import CapacityTable, Reason, VariantKey
from plimsoll.planning import SolveLimits
from unit.builders import a_deployment, a_forecast, a_pool, a_variant, an_option
from unit.planning.case import counts, plan

CHAT = a_deployment(variants=[a_variant("h100"), a_variant("xeon", pool="cpu-amx")], rps=12.0)
POOLS = [a_pool("gpu-h100"), a_pool("cpu-amx")]
RPS = {"h100": 6.0, "xeon": 1.5}
AT_ONCE = SolveLimits(time_limit_s=0.0)
H100, XEON = VariantKey("team-a", "chat", "h100"), VariantKey("team-a", "chat", "xeon")


def test_a_solve_without_time_says_so_and_still_covers_demand() -> None:
    allocation = plan([CHAT], POOLS, RPS, limits=AT_ONCE)
    assert allocation.solver.outcome is Reason.SOLVE_TIMED_OUT
    assert "Time limit" in allocation.solver.message
    assert allocation.shortfall_rps == {}
    # Nothing is proven without a bound.
    assert (allocation.solver.bound_usd_per_hour, allocation.solver.gap_ratio) == (0.0, 1.0)


def test_without_an_answer_a_cheaper_last_plan_stands() -> None:
    # By price per request the h100 (3 / 6) and the xeon (0.75 / 1.5) are alike; for 12 req/s 2 h100 open a node for
    # 12 USD/h, 8 xeons two nodes for 6 USD/h.
    assert counts(plan([CHAT], POOLS, RPS, limits=AT_ONCE, last={XEON: 8})) == {"chat/xeon": 8}


def test_without_an_answer_a_last_plan_that_is_too_small_is_filled_up() -> None:
    allocation = plan([CHAT], POOLS, RPS, limits=AT_ONCE, last={XEON: 2})
    assert 6.0 * allocation.replicas[H100] + 1.5 * allocation.replicas[XEON] >= 12.0


def test_without_an_answer_a_last_plan_that_is_too_large_is_trimmed() -> None:
    assert counts(plan([CHAT], POOLS, RPS, limits=AT_ONCE, last={XEON: 20})) == {"chat/xeon": 8}


def test_a_last_plan_of_variants_that_are_gone_is_ignored() -> None:
    gone = {VariantKey("team-a", "gone", "h100"): 5, VariantKey("team-a", "chat", "gone"): 5}
    assert plan([CHAT], POOLS, RPS, last=gone).replicas.keys() == {H100, XEON}


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_price_that_is_no_number_fails_the_solve_and_not_the_tick(bad: float) -> None:
    pools = [a_pool("gpu-h100"), replace(a_pool("cpu-amx"), price_usd_per_hour=bad)]
    allocation = plan([CHAT], pools, RPS)
    assert allocation.solver.outcome is Reason.SOLVE_FAILED
    assert "not a finite number" in allocation.solver.message


def test_a_rate_that_is_no_number_counts_as_none() -> None:
    options = {
        H100: an_option(CHAT.variants[0], 6.0),
        XEON: an_option(CHAT.variants[1], capacity=CapacityTable((1,), (float("nan"),))),
    }
    assert counts(plan([CHAT], POOLS, RPS, options=options)) == {"chat/h100": 2}


def test_a_branch_limit_ends_the_search_with_a_plan() -> None:
    fleet = [replace(a_deployment(f"d{i}", variants=CHAT.variants, rps=1.0 + i)) for i in range(12)]
    allocation = plan(fleet, POOLS, RPS, limits=SolveLimits(max_branch_nodes=0))
    assert allocation.shortfall_rps == {}
    assert allocation.solver.bound_usd_per_hour <= allocation.solver.cost_usd_per_hour


def test_many_priorities_share_the_last_place_in_a_shortage() -> None:
    fleet = [a_deployment(f"d{i}", variants=[a_variant("h100")], rps=6.0, priority=i) for i in range(6)]
    limits = SolveLimits(max_tiers=2)
    allocation = plan(fleet, [a_pool("gpu-h100", max_nodes=1)], RPS, limits=limits)
    assert allocation.replicas[fleet[5].variants[0].key] == 1
    assert sum(allocation.replicas.values()) == 4


LARGE = SolveLimits(programme_up_to_needs=0)
"""Every fleet is one for the decomposition."""


def test_a_mistake_inside_a_solver_becomes_an_answer_with_its_text_and_place() -> None:
    def broken() -> float:
        raise ValueError("the watch fell into the sea")

    allocation = plan([CHAT], POOLS, RPS, limits=replace(LARGE, stopwatch_s=broken), last={XEON: 2})
    assert allocation.solver.outcome is Reason.SOLVE_FAILED
    assert "ValueError: the watch fell into the sea at test_failure.py" in allocation.solver.message
    assert allocation.shortfall_rps == {}
    assert [(one.deployment, one.reason) for one in allocation.findings] == [(CHAT.key, Reason.SOLVE_FAILED)]


def test_without_an_answer_a_greedy_plan_stands_where_the_last_one_is_dearer() -> None:
    # 8 xeons take two nodes for 6 USD/h; 2 h100, of a last plan that was made for them, open a node for 12 USD/h. The
    # greedy plan takes the h100 first, both being as cheap by price per request, so the last one has to win.
    pools = [a_pool("gpu-h100", price_usd_per_hour=40.0), a_pool("cpu-amx")]
    assert counts(plan([CHAT], pools, RPS, limits=AT_ONCE, last={H100: 2})) == {"chat/xeon": 8}


def test_a_decomposed_plan_covers_and_is_bounded_like_one_by_the_programme() -> None:
    whole, decomposed = plan([CHAT], POOLS, RPS), plan([CHAT], POOLS, RPS, limits=LARGE)
    assert decomposed.replicas == whole.replicas
    assert decomposed.solver.outcome is Reason.SOLVED
    assert decomposed.solver.bound_usd_per_hour <= whole.solver.cost_usd_per_hour + 1e-6


def test_a_fleet_of_nothing_is_decomposed_into_nothing() -> None:
    assert plan([], POOLS, RPS, limits=replace(LARGE, programme_up_to_needs=-1)).replicas == {}


def test_no_forecast_of_demand_needs_no_replica() -> None:
    nothing = {CHAT.key: a_forecast(CHAT, 0.0, at_lead_rps={})}
    assert counts(plan([CHAT], POOLS, RPS, forecasts=nothing)) == {}
