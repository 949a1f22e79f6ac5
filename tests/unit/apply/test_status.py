"""A status is written when something people act on changed, and left alone while only figures tremble."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from plimsoll.api.values import Duration, Timestamp
from plimsoll.apply.pool_status import pool_status, pool_status_differs, unplanned_pool_status
from plimsoll.apply.status import deployment_status, differs, unplanned_status
from plimsoll.domain import (
    Alternative,
    Burstiness,
    DemandState,
    DeploymentPlan,
    Dwell,
    Forecast,
    ForecastBasis,
    ForecastScore,
    ForecastWay,
    LeadTime,
    Overflow,
    Phase,
    Reason,
    SizedBy,
    SolverReport,
    TokenMix,
)
from plimsoll.explain import verdicts, verdicts_without_plan
from unit.builders import MIX, NOW_S, a_demand
from unit.explain.plans import (
    CHAT,
    a_deployment_plan,
    a_finding,
    a_pool_plan,
    a_step,
    a_variant_plan,
    an_alternative,
)

FIRST = "1970-01-12T13:46:40Z"
"""NOW_S as the wire has it: a million seconds are 11 days and 13:46:40."""


PROVEN = SolverReport(Reason.SOLVED, 12.0, 12.0, 0.0, 0.01)


def a_status(
    plan: DeploymentPlan, old: Mapping[str, Any] | None = None, now_s: float = NOW_S, solver: SolverReport = PROVEN
) -> dict[str, Any]:
    return deployment_status(plan, verdicts(plan, (), ()), old, now_s, solver)


def condition(status: Mapping[str, Any], kind: str) -> dict[str, Any]:
    found: dict[str, Any] = next(one for one in status["conditions"] if one["type"] == kind)
    return found


def at(rps: float, **overrides: Any) -> DeploymentPlan:
    return a_deployment_plan(rps, **overrides)


def test_the_status_tells_what_runs_what_it_costs_and_what_comes_next() -> None:
    plan = at(
        10.0,
        phase=Phase.MOVING,
        steps=(a_step(),),
        variants=(a_variant_plan(ready=1, target=3),),
        alternatives=(an_alternative(),),
        external_usd_per_hour=40.0,
    )
    status = a_status(plan)
    assert (status["observedGeneration"], status["readyReplicas"], status["targetReplicas"]) == (1, 1, 3)
    # 10 req/s x 3600 s x (512 + 128) tokens = 23.04 million tokens an hour; $12.00 / 23.04 = $0.521.
    assert status["cost"] == {
        "perHour": "12.00",
        "perMillionTokens": "0.521",
        "perMillionOutputTokens": "2.604",
        "externalAPIPerHour": "40.00",
        "nextBest": {"label": "3 x a100", "perHour": "18.00"},
    }
    assert status["plan"]["steps"][0] == {
        "variant": "h100",
        "from": 2,
        "to": 3,
        "reason": "ScaleUp",
        "message": "demand rose",
    }
    assert condition(status, "Ready")["lastTransitionTime"] == FIRST


@pytest.mark.parametrize(("correction", "told"), [(1.0, None), (1.05, "1.05"), (1.125, "1.125")])
def test_a_correction_of_the_profile_is_told_where_there_is_one(correction: float, told: str | None) -> None:
    (variant,) = a_status(at(10.0, variants=(a_variant_plan(correction=correction),)))["variants"]
    assert variant.get("correction") == told


def test_unknown_demand_leaves_its_figures_out_instead_of_telling_zero() -> None:
    demand = a_demand(None, state=DemandState.STALE)
    status = a_status(at(10.0, demand=demand))
    assert status["demand"]["state"] == "Stale"
    assert "arrivalRate" not in status["demand"]
    assert "perMillionTokens" not in status["cost"]


def test_the_transition_time_stays_while_a_condition_does_not_turn() -> None:
    old = a_status(at(10.0))
    new = a_status(at(11.0), old, NOW_S + 60.0)
    assert condition(new, "Ready")["lastTransitionTime"] == FIRST


def test_another_reason_alone_keeps_the_transition_time() -> None:
    old = a_status(at(10.0))
    new = a_status(at(10.0, phase=Phase.HELD), old, NOW_S + 60.0)
    assert condition(new, "Ready")["reason"] == "Held"
    assert condition(new, "Ready")["lastTransitionTime"] == FIRST


def test_a_condition_that_turns_gets_the_time_of_now() -> None:
    old = a_status(at(10.0))
    new = a_status(at(10.0, shortfall_rps=4.0), old, NOW_S + 60.0)
    assert condition(new, "Ready")["lastTransitionTime"] == "1970-01-12T13:47:40Z"
    assert condition(new, "DemandKnown")["lastTransitionTime"] == FIRST


SCORES = (
    ForecastScore(600.0, ForecastWay.DAILY_SHAPE, 12.0, 0.25, 0.5, 0.5, 0.91),
    ForecastScore(1800.0, ForecastWay.RECENT_QUANTILE, 14.0, None, None),
)


def test_how_each_time_ahead_is_forecast_and_how_good_that_has_been_is_told() -> None:
    told = replace(at(10.0).forecast, scores=SCORES, known_since_s=NOW_S - 7200.0)
    forecast = a_status(at(10.0, forecast=told))["forecast"]
    assert forecast["leads"] == [
        {"seconds": 600, "way": "DailyShape", "rate": "12", "lossOverLastValue": "0.5", "covered": "0.91"},
        {"seconds": 1800, "way": "RecentQuantile", "rate": "14"},
    ]
    assert forecast["knownSince"] == Timestamp.of(NOW_S - 7200.0)


def test_another_way_to_forecast_is_told_before_long_and_its_figures_are_no_news() -> None:
    forecast = replace(at(10.0).forecast, scores=SCORES)
    old = a_status(at(10.0, forecast=forecast))
    better = (replace(SCORES[0], loss_rps=0.2, covered_ratio=0.9), SCORES[1])
    other = (replace(SCORES[0], way=ForecastWay.LAST_VALUE), SCORES[1])
    assert not differs(a_status(at(10.0, forecast=replace(forecast, scores=better)), old), old, age_s=3600.0)
    assert not differs(a_status(at(10.0, forecast=replace(forecast, scores=other)), old), old, age_s=1.0)
    assert differs(a_status(at(10.0, forecast=replace(forecast, scores=other)), old), old, age_s=3600.0)


def test_a_first_status_is_always_written() -> None:
    assert differs(a_status(at(10.0)), None, age_s=0.0)


def test_the_same_plan_is_never_written_again() -> None:
    old = a_status(at(10.0))
    assert not differs(a_status(at(10.0), old, NOW_S + 3600.0), old, age_s=3600.0)


ESTIMATED, SIMULATED = (
    a_variant_plan(sized_by=SizedBy.ESTIMATE, safe_rate_rps=8.0),
    a_variant_plan(sized_by=SizedBy.SIMULATION, safe_rate_rps=8.3),
)


def test_it_is_told_what_a_safe_rate_stands_on() -> None:
    told = [a_status(at(10.0, variants=(variant,)))["variants"][0] for variant in (ESTIMATED, SIMULATED)]
    assert [one["sizedBy"] for one in told] == ["Estimate", "Simulation"]


def test_an_estimate_that_became_a_simulation_is_written_once() -> None:
    estimated = a_status(at(10.0, variants=(ESTIMATED,)))
    simulated = a_status(at(10.0, variants=(SIMULATED,)), estimated)
    assert differs(simulated, estimated, age_s=0.0)
    assert not differs(a_status(at(10.0, variants=(SIMULATED,)), simulated), simulated, age_s=3600.0)


def test_a_mix_that_drifts_and_is_estimated_for_a_moment_is_not_written() -> None:
    simulated = a_status(at(10.0, variants=(SIMULATED,)))
    assert not differs(a_status(at(10.0, variants=(ESTIMATED,)), simulated), simulated, age_s=3600.0)


def test_a_status_of_an_older_version_that_says_nothing_of_it_is_written_with_the_first_simulation() -> None:
    old = a_status(at(10.0, variants=(SIMULATED,)))
    del old["variants"][0]["sizedBy"]
    assert not differs(a_status(at(10.0, variants=(ESTIMATED,)), old), old, age_s=3600.0)
    assert differs(a_status(at(10.0, variants=(SIMULATED,)), old), old, age_s=0.0)


def test_noise_is_never_written() -> None:
    old = a_status(at(10.0))
    assert not differs(a_status(at(11.5), old), old, age_s=3600.0)


def test_drift_is_written_but_not_within_half_a_minute() -> None:
    old = a_status(at(10.0))
    new = a_status(at(14.0), old)
    assert not differs(new, old, age_s=29.9)
    assert differs(new, old, age_s=30.0)


def test_small_rates_tremble_without_a_write() -> None:
    old = a_status(at(0.010))
    assert not differs(a_status(at(0.020), old), old, age_s=3600.0)


def test_longer_prompts_are_news_even_at_the_same_rate() -> None:
    old = a_status(at(10.0))
    longer = a_demand(
        10.0,
        tokens=TokenMix(
            prompt_tokens_mean=900.0, prompt_tokens_p95=1024.0, output_tokens_mean=128.0, output_tokens_p95=384.0
        ),
    )
    assert differs(a_status(at(10.0, demand=longer), old), old, age_s=30.0)


def test_the_largest_lengths_are_told_where_they_are_known() -> None:
    ending = replace(MIX, prompt_tokens_most=5000.0)
    told = a_status(at(10.0, demand=a_demand(10.0, tokens=ending)))["demand"]
    assert told["promptTokensMost"] == "5000"
    assert "outputTokensMost" not in told


@pytest.mark.parametrize(("rate_cv2", "told"), [(0.05, "0.05"), (1.6, "1.6"), (0.0, None)])
def test_burstiness_is_told_where_there_is_any(rate_cv2: float, told: str | None) -> None:
    bursty = replace(at(10.0).forecast, burstiness=Burstiness(rate_cv2, 60.0))
    assert a_status(at(10.0, forecast=bursty))["forecast"].get("burstiness") == told


def test_what_start_ups_took_is_told_by_sort_where_any_was_seen() -> None:
    lead = LeadTime(95.0, observed=4, seen_on_node_s=95.0, seen_with_node_s=412.0)
    (seen,) = a_status(at(10.0, variants=(a_variant_plan(lead=lead),)))["variants"]
    (unseen,) = a_status(at(10.0, variants=(a_variant_plan(lead=LeadTime(60.0)),)))["variants"]
    assert seen["startUps"] == {"onNode": "95s", "withNode": "7m"}
    assert "startUps" not in unseen


def test_for_how_long_plans_have_stood_is_told() -> None:
    first = Dwell(frozenset({"h100"}), NOW_S)
    assert a_status(at(10.0, dwell=first))["plan"]["dwell"] == {"since": FIRST, "earlierPlans": 0}
    third = replace(first, lasted_s=(3000.0, 4210.0))
    # The mean is 3605 s, which two digits tell as 3700.
    assert a_status(at(10.0, dwell=third))["plan"]["dwell"] == {
        "since": FIRST,
        "earlierPlans": 2,
        "earlierMean": "3700s",
    }


@pytest.mark.parametrize("seconds", [0.04, 0.3, 1.0, 3.4, 9.99, 10.0, 99.5, 101.0, 999.0, 1000.0, 86400.0, 1.234e7])
def test_what_is_read_back_is_told_again_in_the_same_words(seconds: float) -> None:
    def told(seconds: float) -> str:
        lead = LeadTime(seconds, observed=1, seen_on_node_s=seconds)
        (variant,) = a_status(at(10.0, variants=(a_variant_plan(lead=lead),)))["variants"]
        text: str = variant["startUps"]["onNode"]
        return text

    again_s = Duration(told(seconds)).seconds
    assert told(again_s) == told(seconds)
    assert seconds <= again_s <= max(1.1 * seconds, 0.1)


def test_start_ups_and_dwell_alone_are_never_written() -> None:
    """Whatever teaches them changes what is ready or wanted, and that is written."""
    old = a_status(at(10.0, dwell=Dwell(frozenset({"h100"}), NOW_S)))
    lead = LeadTime(95.0, observed=4, seen_on_node_s=95.0)
    later = Dwell(frozenset({"h100"}), NOW_S + 60.0, (60.0,))
    new = a_status(at(10.0, dwell=later, variants=(a_variant_plan(lead=lead),)), old)
    assert new != old
    assert not differs(new, old, age_s=3600.0)


@pytest.mark.parametrize(
    "changed",
    [
        {"generation": 2},
        {"phase": Phase.HELD},
        {"shortfall_rps": 3.0},
        {"variants": (a_variant_plan(target=3),)},
        {"variants": (a_variant_plan(ready=1),)},
        {"variants": (a_variant_plan(reason=Reason.KEEPS_ONE_REPLICA),)},
        {"variants": (a_variant_plan(correction=1.05),)},
        {"steps": (a_step(),)},
        {"demand": a_demand(None, state=DemandState.STALE)},
        {"forecast": Forecast(CHAT, ForecastBasis.HELD, 10.0, {}, None, "held")},
        {"forecast": replace(at(10.0).forecast, burstiness=Burstiness(0.4, 60.0))},
        {"findings": (a_finding(Reason.PROFILE_MISSING),)},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_change_of_shape_is_written_at_once(changed: dict[str, Any]) -> None:
    old = a_status(at(10.0))
    assert differs(a_status(at(10.0, **changed), old), old, age_s=0.0)


def test_another_missing_object_under_the_same_reason_is_told_within_half_a_minute() -> None:
    old = unplanned_status(1, verdicts_without_plan([a_finding(Reason.POOL_MISSING, "pool a is missing")]), None, NOW_S)
    new = unplanned_status(1, verdicts_without_plan([a_finding(Reason.POOL_MISSING, "pool b is missing")]), old, NOW_S)
    assert not differs(new, old, age_s=0.0)
    assert differs(new, old, age_s=30.0)


def test_what_could_not_be_planned_shows_conditions_and_no_plan() -> None:
    told = verdicts_without_plan([a_finding(Reason.POOL_MISSING)])
    status = unplanned_status(3, told, None, NOW_S)
    assert set(status) == {"observedGeneration", "conditions"}


def test_an_oversized_plan_is_cut_to_a_status_the_api_server_takes() -> None:
    status = a_status(
        at(
            10.0,
            variants=tuple(a_variant_plan(f"v{i}", message="m" * 5000) for i in range(40)),
            steps=tuple(a_step(f"v{i}") for i in range(40)),
            alternatives=tuple(an_alternative(f"{i} x a100") for i in range(40)),
            findings=(a_finding(Reason.PROFILE_MISSING, "x" * 5000),),
        )
    )
    assert [len(status["variants"]), len(status["plan"]["steps"]), len(status["plan"]["alternatives"])] == [16, 16, 8]
    assert len(status["variants"][0]["message"]) == 1024
    assert len(condition(status, "Stalled")["message"]) == 1024


def test_a_pool_tells_what_is_there_what_is_free_and_how_full_it_is() -> None:
    status = pool_status(a_pool_plan(), 7, None, NOW_S)
    assert status["observedGeneration"] == 7
    assert (status["nodes"], status["ready"], status["target"]) == (1, 1, 1)
    assert status["free"] == {"cpu": "48", "nvidia.com/gpu": "2"}
    # The fuller of 16/64 cores and 2/4 GPUs.
    assert status["packing"] == "0.5"
    assert condition(status, "Ready")["status"] == "True"


def test_a_pool_that_is_overcommitted_shows_nothing_free_and_a_packing_of_one() -> None:
    status = pool_status(a_pool_plan(requested={"cpu": 80.0}), 1, None, NOW_S)
    assert status["free"]["cpu"] == "0"
    assert status["packing"] == "1"


def test_a_pool_without_nodes_has_no_packing() -> None:
    assert "packing" not in pool_status(a_pool_plan(nodes=0, allocatable={}, requested={}), 1, None, NOW_S)


def test_a_sold_out_pool_says_until_when_and_what_happens_then() -> None:
    status = pool_status(a_pool_plan(stocked_out_until_s=NOW_S), 1, None, NOW_S)
    assert status["stockedOutUntil"] == FIRST
    ready = condition(status, "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "StockOut")
    assert f"capped to 1 nodes until {FIRST}, then tried again" in ready["message"]


def test_a_pool_that_did_not_change_is_not_written() -> None:
    old = pool_status(a_pool_plan(), 1, None, NOW_S)
    assert not pool_status_differs(pool_status(a_pool_plan(), 1, old, NOW_S + 60.0), old)


@pytest.mark.parametrize("changed", [{"nodes": 2}, {"requested": {"cpu": 20.0}}, {"stocked_out_until_s": NOW_S}])
def test_a_pool_whose_counts_change_is_written(changed: dict[str, Any]) -> None:
    old = pool_status(a_pool_plan(), 1, None, NOW_S)
    assert pool_status_differs(pool_status(a_pool_plan(**changed), 1, old, NOW_S), old)


def test_a_pool_that_cannot_be_planned_for_another_cause_says_so() -> None:
    old = unplanned_pool_status("no node and no spec.resources", 1, None, NOW_S)
    new = unplanned_pool_status("spec.price is wrong", 1, old, NOW_S + 60.0)
    assert pool_status_differs(new, old)
    assert condition(new, "Ready")["lastTransitionTime"] == FIRST


# --- How close to the lowest cost ------------------------------------------------------------------------------------


def test_the_proven_gap_is_told_but_is_no_reason_to_write() -> None:
    loose = replace(PROVEN, bound_usd_per_hour=11.8, gap_ratio=0.2 / 12.0)
    old, new = a_status(at(10.0)), a_status(at(10.0), solver=loose)
    # 0.2 of 12.0 are 1.67%, told as the next tenth of a percent above.
    assert (old["plan"]["costGap"], new["plan"]["costGap"]) == ("0", "0.017")
    assert not differs(new, old, age_s=3600.0)


def test_without_a_bound_there_is_no_gap() -> None:
    failed = SolverReport(Reason.SOLVE_TIMED_OUT, 12.0, 0.0, 1.0, 5.0)
    assert "costGap" not in a_status(at(10.0), solver=failed)["plan"]


def test_the_status_tells_at_which_price_the_next_best_would_win() -> None:
    # 1.5 USD/h more for two L4 nodes: at 0.75 USD/h less each both cost the same.
    dearer = Alternative("l4", {"l4": 2}, 13.5, Reason.DEARER, "dearer", {"gpu-l4": 2})
    pools = {"gpu-l4": a_pool_plan("gpu-l4", price_usd_per_hour=1.0)}
    status = deployment_status(at(10.0, alternatives=(dearer,)), (), None, NOW_S, PROVEN, pools)
    assert status["cost"]["nextBest"]["breakEven"] == [{"pool": "gpu-l4", "nowPerHour": "1.000", "perHour": "0.250"}]


def test_what_overflows_to_the_external_api_is_told_apart() -> None:
    status = a_status(at(10.0, overflow=Overflow(4.0, 1.25)))
    assert status["plan"]["overflowRate"] == "4"
    assert status["cost"]["overflowPerHour"] == "1.25"
    nothing = a_status(at(10.0, overflow=Overflow(0.0, 0.0)))
    assert "overflowRate" not in nothing["plan"]
    assert "overflowPerHour" not in nothing["cost"]
