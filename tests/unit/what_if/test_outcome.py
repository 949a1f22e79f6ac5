"""Two plans side by side say what moves, what it costs, whether the SLO is kept, and one reason."""

from dataclasses import replace
from typing import Any

import pytest

from plimsoll.domain import Alternative, DeploymentPlan, LatencyMetric, LatencyObservation, Reason
from plimsoll.what_if import Outcome, assume, counts_text, outcomes, reason, slo_verdict, total_usd_per_hour
from unit.builders import a_deployment
from unit.explain.plans import TTFT, a_deployment_plan, a_finding, a_variant_plan
from unit.what_if.situations import CHAT, a_chat, a_situation


def asked(*texts: str) -> Outcome:
    """Of the small world, decided by the real planner."""
    before = a_situation(a_chat(), a_deployment("tags", rps=1.0))
    after, _ = assume(before, texts, CHAT)
    (chat, _) = outcomes(before.decided(), after.decided())
    return chat


def predicted(value_ms: float) -> tuple[LatencyObservation, ...]:
    return (LatencyObservation(LatencyMetric.TTFT, 0.95, value_ms),)


def only(name: str, count: int, **overrides: Any) -> DeploymentPlan:
    return a_deployment_plan(variants=(a_variant_plan(name, target=count),), **overrides)


def test_a_price_that_turns_the_plan_says_what_the_other_would_cost() -> None:
    one = asked("pool.gpu-l4.price=60")
    assert (counts_text(one.before), counts_text(one.after), one.changes) == ("1 x l4", "1 x h100", True)
    assert (one.before.usd_per_hour, one.after.usd_per_hour) == (1.0, 12.0)
    assert reason(one) == "1 x l4 would lose: $60.00/h, 48.00 USD/h more (Dearer)"


def test_a_price_that_turns_nothing_says_what_is_next() -> None:
    one = asked("pool.gpu-l4.price=2")
    assert not one.changes
    assert reason(one) == "the plan stays: 1 x h100 is next, $12.00/h, 10.00 USD/h more (Dearer)"


def test_more_demand_on_the_same_variants_says_how_much_more() -> None:
    one = asked("rate=60")
    assert counts_text(one.after).endswith(" x l4")
    assert reason(one) == "60.0 req/s are planned for instead of 10.0"


def test_a_tighter_slo_says_what_a_replica_still_carries() -> None:
    one = asked("slo.tpot.p95=10ms", "rate=40")
    assert "40.0 req/s are planned for instead of 10.0; a replica of l4 carries " in reason(one)


def test_demand_without_room_says_what_binds() -> None:
    one = asked("rate=100000")
    assert slo_verdict(one.after).kept is False
    assert "find no room" in slo_verdict(one.after).message
    assert "have none: h100 is at 9 replicas, pool gpu-h100 has 10 of at most 10 nodes" in reason(one)


def test_the_total_is_that_of_all_deployments() -> None:
    plan = a_situation(a_chat(), a_deployment("tags", rps=1.0)).decided()
    assert total_usd_per_hour(plan) == pytest.approx(sum(one.usd_per_hour for one in plan.deployments))
    assert total_usd_per_hour(plan) == 13.0  # one L4 node for chat, one H100 node for tags


def test_a_predicted_latency_beyond_its_limit_misses_the_slo() -> None:
    kept = slo_verdict(a_deployment_plan(variants=(a_variant_plan(predicted=predicted(420.0)),)))
    assert (kept.kept, kept.message) == (True, "ttft p95 420 of 800ms")
    assert slo_verdict(a_deployment_plan(variants=(a_variant_plan(predicted=predicted(900.0)),))).kept is False


def test_the_worst_of_the_variants_that_run_counts() -> None:
    variants = (
        a_variant_plan("a", predicted=predicted(100.0)),
        a_variant_plan("b", predicted=predicted(300.0)),
        a_variant_plan("c", target=0, predicted=predicted(900.0)),
    )
    assert slo_verdict(a_deployment_plan(variants=variants)).message == "ttft p95 300 of 800ms"


def test_where_nothing_is_predicted_the_slo_is_not_known() -> None:
    assert slo_verdict(a_deployment_plan()).kept is None
    assert slo_verdict(a_deployment_plan(slo=(replace(TTFT, quantile=0.99),))).kept is None


def test_what_cannot_run_at_all_says_why() -> None:
    lost = Alternative("l4", {"l4": 0}, None, Reason.SLO_UNREACHABLE, "l4 needs 120ms")
    assert reason(Outcome(only("l4", 2), only("h100", 1, alternatives=(lost,)))) == (
        "l4 would lose: l4 needs 120ms (SLOUnreachable)"
    )


def test_what_comes_in_says_why_it_is_out_now() -> None:
    lost = Alternative("h100", {"h100": 1}, 14.0, Reason.SPOT_RISK, "4.0 req/s must survive")
    before = replace(only("l4", 2, alternatives=(lost,)))
    assert reason(Outcome(before, only("h100", 1))) == (
        "1 x h100 wins; now it loses: $14.00/h, 4.0 req/s must survive (SpotRisk)"
    )


def test_a_turn_that_nothing_explains_is_told_by_what_it_carries() -> None:
    assert reason(Outcome(only("l4", 2), only("h100", 1))) == (
        "1 x h100 is the cheapest that carries 10.0 req/s within the SLO"
    )


def test_other_numbers_for_no_reason_of_their_own_are_cheaper() -> None:
    assert reason(Outcome(only("l4", 2), only("l4", 3))) == "the same variants in other numbers are cheaper now"


def test_a_plan_without_any_alternative_stays_for_lack_of_one() -> None:
    assert reason(Outcome(only("l4", 2), only("l4", 2))) == "the plan stays: nothing else could carry the demand"


def test_a_shortfall_without_a_finding_says_how_much_is_missing() -> None:
    short = only("l4", 2, shortfall_rps=4.0)
    assert reason(Outcome(short, short)) == "4.0 of 10.0 req/s find no room"
    told = only("l4", 2, shortfall_rps=4.0, findings=(a_finding(Reason.POOL_FULL, "the pool is full"),))
    assert reason(Outcome(short, told)) == "the pool is full"


def test_only_deployments_of_both_plans_are_compared() -> None:
    one, two = a_situation(a_chat()), a_situation(a_chat(), a_deployment("tags"))
    assert [each.key for each in outcomes(one.decided(), two.decided())] == [CHAT]


def test_nothing_planned_reads_nothing() -> None:
    assert counts_text(only("l4", 0)) == "nothing"
