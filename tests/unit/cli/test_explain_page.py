"""A status read back becomes a page: the verdict first, then what runs, why, what it costs and what else there is."""

import io
import math
from dataclasses import replace
from typing import Any

from rich.console import Console

from plimsoll.apply.status import deployment_status
from plimsoll.cli.explain_page import tell_status
from plimsoll.cli.page import Page
from plimsoll.domain import (
    Alternative,
    DemandState,
    DeploymentPlan,
    Forecast,
    ForecastBasis,
    ForecastScore,
    ForecastWay,
    LatencyMetric,
    LatencyObservation,
    Phase,
    Reason,
)
from plimsoll.explain import verdicts
from unit.builders import NOW_S, a_demand
from unit.explain.plans import CHAT, a_deployment_plan, a_plan, a_pool_plan, a_step, a_variant_plan
from unit.observe.manifests import a_deployment_manifest

POOLS = {"gpu-h100": a_pool_plan(), "gpu-l4": a_pool_plan("gpu-l4", price_usd_per_hour=4.0)}


def page(plan: DeploymentPlan, **spec: Any) -> list[str]:
    raw = a_deployment_manifest(**spec)
    status = deployment_status(plan, verdicts(plan, (), ()), None, NOW_S, a_plan().solver, POOLS)
    out = Console(file=io.StringIO(), width=160)
    tell_status(Page(out), raw, status)
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue().splitlines()


def lost(label: str, reason: Reason, usd_per_hour: float | None = None, count: int = 3, **nodes: int) -> Alternative:
    return Alternative(label, {label: count}, usd_per_hour, reason, "it lost", nodes)


def test_the_first_line_names_it_and_the_second_says_whether_it_is_well() -> None:
    first, second, *_ = page(a_deployment_plan())
    assert first == "team-a/chat  meta-llama/Llama-3.1-8B-Instruct  mode Auto  Steady"
    assert second == "well       Ready True (Steady): 2 x h100 on gpu-h100 at $12.00/h"


def test_trouble_and_what_is_being_done_come_before_all_else() -> None:
    seen = (LatencyObservation(LatencyMetric.TTFT, 0.95, 900.0),)
    plan = a_deployment_plan(
        20.0, phase=Phase.MOVING, steps=(a_step(),), variants=(a_variant_plan(target=3, observed=seen),)
    )
    _, well, trouble, now, *_ = page(plan)
    assert well.startswith("NOT WELL   Ready False (WaitsForReady): ready replicas carry 16.0 of 20.0 req/s")
    assert trouble == "trouble    LatencyMet False (SLOMissed): h100: ttft p95 <= 800ms was 900.0ms"
    assert now == "now        h100 2 -> 3 (ScaleUp)"


def test_a_latency_is_told_as_seen_as_predicted_and_as_allowed() -> None:
    variant = a_variant_plan(
        observed=(LatencyObservation(LatencyMetric.TTFT, 0.95, 420.0),),
        predicted=(LatencyObservation(LatencyMetric.TTFT, 0.95, 400.0),),
        correction=1.2,
    )
    lines = page(a_deployment_plan(variants=(variant,)))
    assert "latency    h100: ttft p95 420ms seen, 400ms predicted of 800ms" in lines
    assert any("takes 1.2 times the step times of profile llama-h100" in line for line in lines)


def test_what_lost_by_price_says_which_price_would_turn_it() -> None:
    plan = a_deployment_plan(
        alternatives=(Alternative("l4", {"l4": 6}, 24.0, Reason.DEARER, "dearer", {"gpu-l4": 6, "gpu-h100": -1}),)
    )
    lines = page(plan)
    assert "would turn l4 costs no more if a node of gpu-h100 rises from $12.000/h to $24.000/h" in lines
    assert "           l4 costs no more once a node of gpu-l4 falls from $4.000/h to $2.000/h" in lines


def test_what_lost_by_a_limit_says_how_to_ask_for_more() -> None:
    variants = tuple(a_variant_plan(name, pool=f"pool-{name}") for name in ("h100", "a", "b", "c", "d"))
    alternatives = (
        lost("a", Reason.POOL_FULL),
        lost("b", Reason.REPLICA_LIMIT),
        lost("c", Reason.STOCK_OUT),
        lost("d", Reason.OVER_BUDGET, 30.0),
        lost("gone", Reason.POOL_FULL),
    )
    text = "\n".join(page(a_deployment_plan(variants=variants, alternatives=alternatives)))
    assert "ask        plimsoll explain chat --if pool.pool-a.nodes.max=3" in text
    assert "plimsoll explain chat --if variant.b.replicas.max=3" in text
    assert "plimsoll explain chat --if pool.pool-c.stockedOut=no" in text
    assert "plimsoll explain chat --if budget.perHour=30.00" in text
    assert "gone --if" not in text


def test_the_forecast_says_how_far_off_it_has_been() -> None:
    scores = (
        ForecastScore(60.0, ForecastWay.RECENT_QUANTILE, 11.0, 0.4, 0.4, 0.4, 0.88),
        ForecastScore(600.0, ForecastWay.DAILY_SHAPE, 14.5, 0.3, 0.5, 0.4, 0.91),
        ForecastScore(1800.0, ForecastWay.RECENT_QUANTILE, 12.0, None, None),
        ForecastScore(3600.0, ForecastWay.RECENT_QUANTILE, math.nan, None, None),
    )
    plan = a_deployment_plan()
    lines = page(replace(plan, forecast=replace(plan.forecast, scores=scores)))
    text = "\n".join(lines)
    assert "forecast   in 60 s: at most 11 req/s by RecentQuantile; off by 1 of what taking the last rate" in text
    assert (
        "in 600 s: at most 14.5 req/s by DailyShape; off by 0.75 of what taking the last rate for it would be" in text
    )
    assert "91% of what came lay below" in text
    assert "in 1800 s: at most 12 req/s by RecentQuantile\n" in text
    assert "in 3600 s" not in text


def test_a_forecast_that_nothing_was_held_against_yet_says_so_once() -> None:
    plan = a_deployment_plan()
    scores = (ForecastScore(60.0, ForecastWay.RECENT_QUANTILE, 11.0, None, None),)
    lines = page(replace(plan, forecast=replace(plan.forecast, scores=scores)))
    assert "forecast   too early to say how good it is: a lead time has to pass first" in lines


def test_unknown_demand_says_what_is_planned_for_instead() -> None:
    held = Forecast(CHAT, ForecastBasis.HELD, 10.0, {}, None, "holding 10 req/s")
    lines = page(a_deployment_plan(demand=a_demand(None, state=DemandState.STALE), forecast=held))
    assert "demand     Stale: no series" in lines
    assert "           planned for 10 req/s (Held): holding 10 req/s" in lines


def test_the_external_price_stands_beside_the_own_one() -> None:
    lines = page(a_deployment_plan(external_usd_per_hour=40.0))
    assert any(line.startswith("cost       $12.00/h") and "external API would take $40.00/h" in line for line in lines)
