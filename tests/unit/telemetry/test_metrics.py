"""Metrics describe the plan of the last tick, wholly, and nothing that is gone."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, ClassVar

from prometheus_client.parser import text_string_to_metric_families

from plimsoll import __version__
from plimsoll.domain import (
    Demand,
    DemandState,
    DeploymentPlan,
    ForecastScore,
    ForecastWay,
    LatencyComparison,
    LatencyMetric,
    LatencyObservation,
    Reason,
    SizedBy,
    VariantPlan,
)
from plimsoll.telemetry import Metrics
from unit.builders import NOW_S
from unit.explain.plans import a_deployment_plan, a_plan, a_pool_plan, a_variant_plan

CHAT = {"namespace": "team-a", "deployment": "chat"}
CHAT_H100 = {**CHAT, "variant": "h100", "pool": "gpu-h100"}


def value(metrics: Metrics, name: str, **labels: str) -> float | None:
    """The value of one series; None where the page does not have it."""
    for family in text_string_to_metric_families(metrics.page().decode()):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return float(sample.value)
    return None


def shown(*variants: VariantPlan, **overrides: Any) -> Metrics:
    metrics = Metrics()
    if variants:
        overrides["variants"] = variants
    metrics.show(a_plan(a_deployment_plan(**overrides), pools=(a_pool_plan(),)))
    return metrics


def test_the_version_is_told() -> None:
    assert value(Metrics(), "plimsoll_build_info", version=__version__) == 1.0


def test_solves_are_counted_by_outcome() -> None:
    metrics = Metrics()
    solved = a_plan(a_deployment_plan(), pools=(a_pool_plan(),))
    timed_out = replace(solved, solver=replace(solved.solver, outcome=Reason.SOLVE_TIMED_OUT))
    for plan in (solved, timed_out, timed_out):
        metrics.show(plan)
    assert value(metrics, "plimsoll_solves_total", outcome="Solved") == 1.0
    assert value(metrics, "plimsoll_solves_total", outcome="SolveTimedOut") == 2.0


def test_replicas_are_told_as_planned_as_asked_for_and_as_ready() -> None:
    metrics = shown(a_variant_plan(target=4, current=3, ready=2, safe_rate_rps=5.5))
    told = [value(metrics, f"plimsoll_{name}_replicas", **CHAT_H100) for name in ("desired", "current", "ready")]
    assert told == [4.0, 3.0, 2.0]
    assert value(metrics, "plimsoll_safe_rate_requests_per_second", **CHAT_H100) == 5.5


def test_latencies_are_told_in_seconds_with_their_source() -> None:
    metrics = shown(
        a_variant_plan(
            predicted=(LatencyObservation(LatencyMetric.TTFT, 0.95, 250.0),),
            observed=(LatencyObservation(LatencyMetric.TTFT, 0.95, 400.0),),
        )
    )
    labels = {**CHAT_H100, "latency": "ttft", "quantile": "0.95"}
    assert value(metrics, "plimsoll_latency_seconds", **labels, source="predicted") == 0.25
    assert value(metrics, "plimsoll_latency_seconds", **labels, source="observed") == 0.4


def test_what_requests_see_is_told_against_what_was_predicted_for_their_load() -> None:
    metrics = shown(a_variant_plan(compared=(LatencyComparison(LatencyMetric.TPOT, 0.95, 20.0, 25.0, 4.0),)))
    labels = {**CHAT, "variant": "h100", "metric": "tpot", "quantile": "0.95"}
    name = "plimsoll_latency_observed_over_predicted_ratio"
    assert value(metrics, name, **labels) == 1.25
    metrics.show(a_plan(a_deployment_plan()))
    assert value(metrics, name, **labels) is None


def test_the_correction_of_a_profile_is_told_while_it_is_in_use() -> None:
    metrics = Metrics()
    metrics.show(a_plan(corrections={"llama-8b-h100": 1.05}))
    assert value(metrics, "plimsoll_profile_correction_ratio", profile="llama-8b-h100") == 1.05
    metrics.show(a_plan())
    assert value(metrics, "plimsoll_profile_correction_ratio", profile="llama-8b-h100") is None


def test_the_loss_of_the_way_in_use_is_told_beside_that_of_the_recent_quantile() -> None:
    told = a_deployment_plan()
    scores = (
        ForecastScore(600.0, ForecastWay.DAILY_SHAPE, 12.0, 0.25, 0.5),
        ForecastScore(1800.0, ForecastWay.RECENT_QUANTILE, 12.0, None, None),
    )
    metrics = Metrics()
    metrics.show(a_plan(replace(told, forecast=replace(told.forecast, scores=scores))))
    name = "plimsoll_forecast_loss_requests_per_second"
    assert value(metrics, name, **CHAT, lead_seconds="600", way="DailyShape") == 0.25
    assert value(metrics, name, **CHAT, lead_seconds="600", way="RecentQuantile") == 0.5
    assert value(metrics, name, **CHAT, lead_seconds="1800", way="RecentQuantile") is None
    metrics.show(a_plan(told))
    assert value(metrics, name, **CHAT, lead_seconds="600", way="DailyShape") is None


def test_unknown_demand_is_no_arrival_rate_rather_than_zero() -> None:
    metrics = shown(demand=Demand(DemandState.STALE, "no scrape", sees_zero_replicas=False))
    assert value(metrics, "plimsoll_demand_known", **CHAT) == 0.0
    assert value(metrics, "plimsoll_arrival_rate_requests_per_second", **CHAT) is None
    assert value(metrics, "plimsoll_desired_replicas", **CHAT_H100) is not None


def test_a_deployment_that_is_gone_takes_its_series_with_it() -> None:
    metrics = shown()
    assert value(metrics, "plimsoll_cost_usd_per_hour", **CHAT) is not None
    metrics.show(a_plan(pools=()))
    page = metrics.page().decode()
    assert 'deployment="chat"' not in page
    assert 'pool="gpu-h100"' not in page


def test_a_stock_out_is_told_until_it_ends() -> None:
    metrics = Metrics()
    metrics.show(a_plan(pools=(a_pool_plan(stocked_out_until_s=NOW_S + 60.0),)))
    assert value(metrics, "plimsoll_pool_stocked_out", pool="gpu-h100") == 1.0
    metrics.show(a_plan(pools=(a_pool_plan(),)))
    assert value(metrics, "plimsoll_pool_stocked_out", pool="gpu-h100") == 0.0


def test_writes_are_counted_by_kind_and_verb() -> None:
    metrics = Metrics()
    metrics.count_write("Deployment/scale", "patch")
    metrics.count_write("Deployment/scale", "patch")
    assert value(metrics, "plimsoll_api_writes_total", kind="Deployment/scale", verb="patch") == 2.0


def test_it_is_told_what_safe_rates_stand_on() -> None:
    metrics = shown(a_variant_plan("h100", sized_by=SizedBy.ESTIMATE), a_variant_plan("xeon"), a_variant_plan("l4"))
    assert value(metrics, "plimsoll_sizing_options", sized_by="Estimate") == 1.0
    assert value(metrics, "plimsoll_sizing_options", sized_by="Simulation") == 2.0
    metrics.show(a_plan())
    assert value(metrics, "plimsoll_sizing_options", sized_by="Simulation") == 0.0


def test_simulations_are_counted_by_outcome_and_the_queue_is_read_when_scraped() -> None:
    metrics, waiting = Metrics(), 0
    metrics.simulations_waiting.set_function(lambda: waiting)
    metrics.count_simulation("ok")
    metrics.count_simulation("failed")
    metrics.count_simulation("ok")
    waiting = 7
    assert value(metrics, "plimsoll_sizing_simulations_total", outcome="ok") == 2.0
    assert value(metrics, "plimsoll_sizing_simulations_total", outcome="failed") == 1.0
    assert value(metrics, "plimsoll_sizing_waiting") == 7.0


class _Scraped(tuple[DeploymentPlan, ...]):
    """Deployments in the middle of whose listing somebody scrapes."""

    __slots__ = ()
    scrape: ClassVar[threading.Thread]

    def __iter__(self) -> Iterator[DeploymentPlan]:
        self.scrape.start()
        # Long enough for a scrape that nothing holds back: it takes about a millisecond.
        self.scrape.join(timeout=0.2)
        return super().__iter__()


def test_a_scrape_in_the_middle_of_a_change_waits_for_the_whole_plan() -> None:
    metrics, seen = shown(), list[float | None]()
    _Scraped.scrape = threading.Thread(
        target=lambda: seen.append(value(metrics, "plimsoll_desired_replicas", **CHAT_H100))
    )
    deployments = _Scraped((a_deployment_plan(variants=(a_variant_plan(target=7),)),))
    metrics.show(replace(a_plan(), deployments=deployments))
    _Scraped.scrape.join(timeout=1.0)
    assert seen == [7.0]
