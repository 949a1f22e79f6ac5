"""What a plan decided becomes conditions, figures and a sentence that a tired person understands."""

from dataclasses import replace

import pytest

from plimsoll.domain import (
    DemandState,
    DeploymentPlan,
    Finding,
    Forecast,
    ForecastBasis,
    LatencyMetric,
    LatencyObservation,
    Mode,
    ObjectKey,
    Overflow,
    Phase,
    PoolPlan,
    Reason,
    SolverReport,
)
from plimsoll.explain import (
    ConditionType,
    Verdict,
    cost,
    gap_text,
    group_by_deployment,
    latencies_text,
    proven_gap_ratio,
    ready_capacity_rps,
    summary,
    verdicts,
    verdicts_without_plan,
)
from unit.builders import a_demand
from unit.explain.plans import (
    CHAT,
    a_deployment_plan,
    a_finding,
    a_pool_plan,
    a_step,
    a_variant_plan,
    an_alternative,
)

TTFT_P95 = (LatencyMetric.TTFT, 0.95)


def verdict(kind: ConditionType, plan: DeploymentPlan, *findings: Finding, pools: tuple[PoolPlan, ...] = ()) -> Verdict:
    return next(one for one in verdicts(plan, findings, pools) if one.type is kind)


def types(plan: DeploymentPlan, *findings: Finding) -> list[str]:
    return [one.type.value for one in verdicts(plan, findings, ())]


def test_a_plan_that_no_solver_made_is_told_while_it_is_so() -> None:
    failed = Finding(CHAT, Reason.SOLVE_FAILED, "no plan from the solver (ValueError: sea)")
    told = verdict(ConditionType.PLAN_PROVISIONAL, a_deployment_plan(findings=(failed,)))
    assert (told.holds, told.reason, told.message) == (True, Reason.SOLVE_FAILED, failed.message)
    assert "PlanProvisional" not in types(a_deployment_plan())


# --- Ready -----------------------------------------------------------------------------------------------------------


def test_a_plan_that_is_reached_is_ready_and_steady() -> None:
    ready = verdict(ConditionType.READY, a_deployment_plan())
    assert (ready.holds, ready.reason) == (True, Reason.STEADY)
    assert ready.message == "2 x h100 on gpu-h100 at $12.00/h"


def test_a_steady_deployment_is_neither_reconciling_nor_stalled() -> None:
    assert types(a_deployment_plan()) == ["Ready", "DemandKnown", "CapacityAvailable", "LatencyMet", "ProfileValid"]


def test_what_goes_to_the_external_api_is_told_and_is_no_shortfall() -> None:
    plan = a_deployment_plan(overflow=Overflow(4.0, 1.25))
    available = verdict(ConditionType.CAPACITY_AVAILABLE, plan)
    assert available.holds is True
    assert available.reason is Reason.CAPACITY_SUFFICIENT
    assert "4.0 of 10.0 req/s go to the external API ($1.25/h)" in available.message
    assert "4.0 of 10.0 req/s go to the external API ($1.25/h)" in summary(plan)


def test_too_few_ready_replicas_are_well_where_requests_overflow() -> None:
    nothing_ready = a_deployment_plan(variants=(a_variant_plan(ready=0, ready_rps=0.0),))
    assert verdict(ConditionType.READY, nothing_ready).holds is False
    assert verdict(ConditionType.READY, replace(nothing_ready, overflow=Overflow(0.0, 0.0))).holds is True
    paused = replace(nothing_ready, mode=Mode.PAUSED)
    assert verdict(ConditionType.READY, paused).holds is False
    assert verdict(ConditionType.READY, replace(paused, overflow=Overflow(10.0, 3.0))).holds is True


@pytest.mark.parametrize("reason", [Reason.ROUTE_MISSING, Reason.BACKEND_MISSING])
def test_a_route_that_does_not_reach_its_variants_needs_an_edit(reason: Reason) -> None:
    plan = a_deployment_plan(findings=(a_finding(reason, "create the route"),))
    assert verdict(ConditionType.READY, plan).holds is False
    assert verdict(ConditionType.STALLED, plan).reason is reason


def test_a_shortfall_is_not_ready_and_says_how_much_is_missing() -> None:
    ready = verdict(ConditionType.READY, a_deployment_plan(shortfall_rps=4.0))
    assert (ready.holds, ready.reason) == (False, Reason.CAPACITY_SHORT)
    assert "4.0 of 10.0 req/s find no room: raise replicas.max, the pool's nodes.max" in ready.message


def test_ready_replicas_that_carry_too_little_are_waited_for() -> None:
    plan = a_deployment_plan(variants=(a_variant_plan(ready=1),))
    ready = verdict(ConditionType.READY, plan)
    assert (ready.holds, ready.reason) == (False, Reason.WAITS_FOR_READY)
    assert ready.message == "ready replicas carry 8.0 of 10.0 req/s within the SLO: waiting for 1 h100"


def test_a_move_with_enough_capacity_stays_ready_and_is_reconciling() -> None:
    plan = a_deployment_plan(phase=Phase.MOVING, steps=(a_step(),), variants=(a_variant_plan(target=3),))
    ready, reconciling = verdict(ConditionType.READY, plan), verdict(ConditionType.RECONCILING, plan)
    assert (ready.holds, ready.reason) == (True, Reason.SCALE_UP)
    assert (reconciling.holds, reconciling.reason) == (True, Reason.SCALE_UP)
    assert reconciling.message == "3 x h100 on gpu-h100 at $12.00/h; h100 2 -> 3"


def test_a_move_without_a_step_waits_for_what_was_started() -> None:
    plan = a_deployment_plan(1.0, phase=Phase.MOVING, variants=(a_variant_plan(ready=1),))
    reconciling = verdict(ConditionType.RECONCILING, plan)
    assert reconciling.reason is Reason.WAITS_FOR_READY
    assert reconciling.message.endswith("; waiting for 1 h100")


def test_a_plan_that_is_held_back_is_ready_and_says_held() -> None:
    assert verdict(ConditionType.READY, a_deployment_plan(phase=Phase.HELD)).reason is Reason.HELD


@pytest.mark.parametrize(("rps", "carried"), [(10.0, True), (20.0, False)])
def test_a_paused_deployment_is_ready_while_what_runs_carries_its_demand(rps: float, carried: bool) -> None:
    plan = a_deployment_plan(rps, mode=Mode.PAUSED, phase=Phase.PAUSED)
    ready = verdict(ConditionType.READY, plan)
    assert (ready.holds, ready.reason) == (carried, Reason.PAUSED)
    assert ready.message == (
        f"ready replicas carry 16.0 of {rps:.1f} req/s within the SLO; replicas stay as they are: mode is Paused; "
        "set mode: Auto to scale"
    )


@pytest.mark.parametrize(("rps", "carried"), [(10.0, True), (20.0, False)])
def test_a_recommendation_leaves_ready_to_what_runs(rps: float, carried: bool) -> None:
    plan = a_deployment_plan(
        rps, mode=Mode.RECOMMEND, phase=Phase.RECOMMENDED, steps=(a_step(),), variants=(a_variant_plan(target=3),)
    )
    ready = verdict(ConditionType.READY, plan)
    assert (ready.holds, ready.reason) == (carried, Reason.RECOMMEND_ONLY)
    assert ready.message == (
        f"ready replicas carry 16.0 of {rps:.1f} req/s within the SLO; recommended: 3 x h100 on gpu-h100 at $12.00/h; "
        "not applied: mode is Recommend; set mode: Auto to apply"
    )


@pytest.mark.parametrize(("mode", "phase"), [(Mode.RECOMMEND, Phase.RECOMMENDED), (Mode.PAUSED, Phase.PAUSED)])
def test_nothing_reconciles_where_nothing_is_scaled(mode: Mode, phase: Phase) -> None:
    plan = a_deployment_plan(mode=mode, phase=phase, variants=(a_variant_plan(current=3, target=5),))
    assert ConditionType.RECONCILING.value not in types(plan)


def test_a_recommendation_that_is_followed_already_says_so() -> None:
    ready = verdict(ConditionType.READY, a_deployment_plan(mode=Mode.RECOMMEND))
    assert (ready.holds, ready.reason) == (True, Reason.RECOMMEND_ONLY)
    assert ready.message == (
        "ready replicas carry 16.0 of 10.0 req/s within the SLO; what runs is what is recommended: "
        "2 x h100 on gpu-h100 at $12.00/h; mode is Recommend: set mode: Auto to keep it so"
    )


def test_a_recommendation_for_which_there_is_no_room_says_so_beside_ready() -> None:
    plan = a_deployment_plan(mode=Mode.RECOMMEND, shortfall_rps=4.0)
    assert verdict(ConditionType.READY, plan).holds is True
    assert verdict(ConditionType.CAPACITY_AVAILABLE, plan).reason is Reason.CAPACITY_SHORT


# --- Stalled ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "reason",
    [
        Reason.INVALID_SPEC,
        Reason.POLICY_MISSING,
        Reason.POOL_MISSING,
        Reason.PROFILE_MISSING,
        Reason.PROFILE_MISMATCH,
        Reason.TARGET_MISSING,
        Reason.TARGET_NOT_SCALABLE,
        Reason.TARGET_CONTESTED,
        Reason.TARGET_FOREIGN,
        Reason.RIVAL_AUTOSCALER,
        Reason.REPLICA_DOES_NOT_FIT,
    ],
)
def test_what_only_an_edit_can_mend_stalls_the_deployment(reason: Reason) -> None:
    finding = a_finding(reason, "mend it", "h100")
    for kind, holds in ((ConditionType.READY, False), (ConditionType.STALLED, True)):
        told = verdict(kind, a_deployment_plan(), finding)
        assert (told.holds, told.reason, told.message) == (holds, reason, "variant h100: mend it")


def test_the_worst_finding_gives_the_reason_and_all_of_them_the_words() -> None:
    plan = a_deployment_plan(findings=(a_finding(Reason.REPLICA_DOES_NOT_FIT, "h100 needs 9 GPUs", "h100"),))
    told = verdict(ConditionType.STALLED, plan, a_finding(Reason.POOL_MISSING, "pool a is missing"))
    assert told.reason is Reason.POOL_MISSING
    assert told.message == "pool a is missing; h100 needs 9 GPUs"


def test_one_variant_that_cannot_meet_the_slo_is_normal_among_others() -> None:
    plan = a_deployment_plan(findings=(a_finding(Reason.SLO_UNREACHABLE, "too slow", "xeon"),))
    assert "Stalled" not in types(plan)
    assert verdict(ConditionType.READY, plan).holds is True


def test_no_variant_that_can_meet_the_slo_stalls() -> None:
    plan = a_deployment_plan(
        variants=(a_variant_plan(safe_rate_rps=0.0),),
        findings=(a_finding(Reason.SLO_UNREACHABLE, "the fastest needs 120ms", "h100"),),
    )
    told = verdict(ConditionType.STALLED, plan)
    assert (told.reason, told.message) == (Reason.SLO_UNREACHABLE, "variant h100: the fastest needs 120ms")


def test_what_is_wrong_with_another_deployment_is_passed_over() -> None:
    other = Finding(ObjectKey("team-a", "talk"), Reason.POOL_MISSING, "not ours")
    assert "Stalled" not in types(a_deployment_plan(), other)


def test_a_deployment_without_a_plan_is_stalled_with_everything_that_was_found() -> None:
    told = verdicts_without_plan(
        [a_finding(Reason.NO_USABLE_VARIANT, "no variant is left"), a_finding(Reason.PROFILE_MISSING, "no profile p")]
    )
    assert [(one.type, one.holds, one.reason) for one in told] == [
        (ConditionType.READY, False, Reason.PROFILE_MISSING),
        (ConditionType.STALLED, True, Reason.PROFILE_MISSING),
    ]
    assert told[0].message == "no variant is left; no profile p"


def test_a_finding_of_an_unlisted_reason_is_still_told() -> None:
    assert verdicts_without_plan([a_finding(Reason.PINNED, "pinned")])[0].reason is Reason.PINNED


def test_the_same_words_are_told_once() -> None:
    twice = [a_finding(Reason.POOL_MISSING, "pool a is missing")] * 2
    assert verdicts_without_plan(twice)[0].message == "pool a is missing"


def test_a_variant_is_named_unless_its_message_names_it_as_a_word() -> None:
    (told, _) = verdicts_without_plan([a_finding(Reason.POOL_MISSING, "a pool is missing", "poo")])
    assert told.message == "variant poo: a pool is missing"


# --- DemandKnown -----------------------------------------------------------------------------------------------------


def test_known_demand_says_where_it_is_from() -> None:
    told = verdict(ConditionType.DEMAND_KNOWN, a_deployment_plan())
    assert (told.holds, told.reason, told.message) == (True, Reason.DEMAND_KNOWN, "fresh")


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (DemandState.ABSENT, Reason.DEMAND_ABSENT),
        (DemandState.STALE, Reason.DEMAND_STALE),
        (DemandState.INVALID, Reason.DEMAND_INVALID),
        (DemandState.UNREACHABLE, Reason.METRICS_UNREACHABLE),
    ],
)
def test_unknown_demand_says_what_is_done_meanwhile(state: DemandState, reason: Reason) -> None:
    forecast = Forecast(CHAT, ForecastBasis.HELD, 10.0, {}, None, "no series for 60 s: holding 10 req/s")
    plan = a_deployment_plan(demand=a_demand(None, state=state), forecast=forecast)
    told = verdict(ConditionType.DEMAND_KNOWN, plan)
    assert (told.holds, told.reason, told.message) == (False, reason, "no series for 60 s: holding 10 req/s")


# --- CapacityAvailable -----------------------------------------------------------------------------------------------


def test_enough_room_is_available_capacity() -> None:
    told = verdict(ConditionType.CAPACITY_AVAILABLE, a_deployment_plan(), pools=(a_pool_plan(),))
    assert (told.holds, told.reason) == (True, Reason.CAPACITY_SUFFICIENT)


@pytest.mark.parametrize("reason", [Reason.STOCK_OUT, Reason.POOL_FULL, Reason.REPLICA_LIMIT, Reason.OVER_BUDGET])
def test_a_shortfall_names_its_cause(reason: Reason) -> None:
    plan = a_deployment_plan(shortfall_rps=4.0, findings=(a_finding(reason, "4 req/s find no room, raise it"),))
    told = verdict(ConditionType.CAPACITY_AVAILABLE, plan)
    assert (told.holds, told.reason, told.message) == (False, reason, "4 req/s find no room, raise it")


def test_a_sold_out_pool_that_is_not_needed_is_told_without_alarm() -> None:
    pools = (a_pool_plan(stocked_out_until_s=5.0), a_pool_plan("other", stocked_out_until_s=5.0))
    told = verdict(ConditionType.CAPACITY_AVAILABLE, a_deployment_plan(), pools=pools)
    assert (told.holds, told.reason) == (True, Reason.STOCK_OUT)
    assert told.message.startswith("pool gpu-h100 did not deliver nodes lately")


# --- LatencyMet ------------------------------------------------------------------------------------------------------


def seen(value_ms: float, name: str = "h100") -> DeploymentPlan:
    return a_deployment_plan(variants=(a_variant_plan(name, observed=(LatencyObservation(*TTFT_P95, value_ms),)),))


def test_latency_at_the_limit_is_met() -> None:
    told = verdict(ConditionType.LATENCY_MET, seen(800.0))
    assert (told.holds, told.reason) == (True, Reason.SLO_MET)


def test_latency_above_the_limit_names_variant_target_and_value() -> None:
    told = verdict(ConditionType.LATENCY_MET, seen(912.4))
    assert (told.holds, told.reason) == (False, Reason.SLO_MISSED)
    assert told.message == "h100: ttft p95 <= 800ms was 912.4ms"


def test_latency_just_above_the_limit_does_not_read_as_if_it_were_met() -> None:
    assert verdict(ConditionType.LATENCY_MET, seen(800.3)).message == "h100: ttft p95 <= 800ms was 800.3ms"


def test_latency_that_nobody_saw_is_unknown_not_met() -> None:
    told = verdict(ConditionType.LATENCY_MET, a_deployment_plan())
    assert told.holds is None
    stale = verdict(ConditionType.LATENCY_MET, a_deployment_plan(demand=a_demand(None, state=DemandState.STALE)))
    assert (stale.holds, stale.reason) == (None, Reason.DEMAND_STALE)


def test_a_quantile_without_a_target_is_not_judged() -> None:
    slow = LatencyObservation(LatencyMetric.TTFT, 0.99, 9000.0)
    plan = a_deployment_plan(variants=(a_variant_plan(observed=(slow,)),))
    assert verdict(ConditionType.LATENCY_MET, plan).holds is None


# --- ProfileValid ----------------------------------------------------------------------------------------------------


def test_profiles_that_fit_are_valid() -> None:
    told = verdict(ConditionType.PROFILE_VALID, a_deployment_plan())
    assert (told.holds, told.reason) == (True, Reason.PROFILE_ACCEPTED)


@pytest.mark.parametrize("reason", [Reason.PROFILE_MISSING, Reason.PROFILE_MISMATCH, Reason.OUTSIDE_PROFILE_RANGE])
def test_a_profile_that_does_not_fit_says_why(reason: Reason) -> None:
    told = verdict(ConditionType.PROFILE_VALID, a_deployment_plan(findings=(a_finding(reason, "prompts too long"),)))
    assert (told.holds, told.reason, told.message) == (False, reason, "prompts too long")


def test_a_profile_that_drifted_is_not_valid_but_goes_on_serving() -> None:
    plan = a_deployment_plan(findings=(a_finding(Reason.PROFILE_DRIFTED, "h100: requests see more", "h100"),))
    told = verdict(ConditionType.PROFILE_VALID, plan)
    assert (told.holds, told.reason, told.message) == (False, Reason.PROFILE_DRIFTED, "h100: requests see more")
    assert verdict(ConditionType.READY, plan).holds
    assert ConditionType.STALLED.value not in types(plan)


# --- Figures and sentences -------------------------------------------------------------------------------------------


def test_only_ready_replicas_count_as_capacity() -> None:
    plan = a_deployment_plan(variants=(a_variant_plan(current=3, ready=1), a_variant_plan("xeon", safe_rate_rps=0.5)))
    # 1 x 8.0 + 2 x 0.5.
    assert ready_capacity_rps(plan) == 9.0


def test_cost_per_million_tokens_is_the_hour_s_price_over_the_hour_s_tokens() -> None:
    told = cost(a_deployment_plan())
    # 10 req/s x 3600 s x 128 = 4.608 million output tokens and 18.432 million prompt tokens an hour, for $12.00.
    assert told.usd_per_million_output_tokens == pytest.approx(12.0 / 4.608)
    assert told.usd_per_million_tokens == pytest.approx(12.0 / 23.04)


def test_without_demand_there_is_a_price_per_hour_and_none_per_token() -> None:
    for idle in (a_deployment_plan(0.0), a_deployment_plan(demand=a_demand(None))):
        told = cost(idle)
        assert told.usd_per_hour == 12.0
        assert told.usd_per_million_tokens is None
        assert told.usd_per_million_output_tokens is None


def test_the_next_best_is_the_cheapest_that_is_possible_at_all() -> None:
    plan = a_deployment_plan(
        alternatives=(an_alternative("impossible", None), an_alternative("b", 20.0), an_alternative("a", 18.0))
    )
    best = cost(plan).next_best
    assert best is not None
    assert best.label == "a"
    assert summary(plan) == "2 x h100 on gpu-h100 at $12.00/h (next best: a at $18.00/h)"


def test_a_plan_for_nothing_says_so() -> None:
    assert summary(a_deployment_plan(variants=(a_variant_plan(target=0),), usd_per_hour=0.0)).startswith(
        "nothing runs at $0.00/h"
    )


def test_findings_are_grouped_in_their_order() -> None:
    other = Finding(ObjectKey("team-a", "talk"), Reason.POOL_MISSING, "x")
    first, last = a_finding(Reason.POOL_MISSING), a_finding(Reason.PINNED)
    assert group_by_deployment([first, other, last]) == {CHAT: [first, last], other.deployment: [other]}


def test_latencies_read_short() -> None:
    told = latencies_text((LatencyObservation(*TTFT_P95, 419.6), LatencyObservation(LatencyMetric.TPOT, 0.5, 38.0)))
    assert told == "ttft p95 420ms, tpot p50 38ms"


# --- How close to the lowest cost ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("report", "told"),
    [
        (SolverReport(Reason.SOLVED, 10.0, 9.96, 0.004, 0.1), "cost within 0.4% of the proven lower bound"),
        # Rounded up: a bound may be weaker than told, never stronger.
        (SolverReport(Reason.SOLVED, 10.0, 9.959, 0.0041, 0.1), "cost within 0.5% of the proven lower bound"),
        (SolverReport(Reason.SOLVED, 10.0, 9.99999, 1e-6, 0.1), "cost equals the proven lower bound"),
        (SolverReport(Reason.SOLVED, 0.0, 0.0, 0.0, 0.1), "cost equals the proven lower bound"),
        # Where not everything fits and the last solve was stopped, there are values and no bound.
        (SolverReport(Reason.SOLVED, 10.0, 0.0, 1.0, 0.1), "no lower bound on the cost is known"),
        (SolverReport(Reason.SOLVED, 0.0, 0.0, 1.0, 0.1), "no lower bound on the cost is known"),
        (SolverReport(Reason.SOLVE_TIMED_OUT, 0.0, 0.0, 0.0, 5.0), "no lower bound on the cost is known"),
    ],
)
def test_the_gap_to_the_lower_bound_is_told_in_one_line(report: SolverReport, told: str) -> None:
    assert gap_text(proven_gap_ratio(report)).startswith(told)
