"""What are the figures of this very tick? The operator's metrics have them; a status is written only where it matters.

In: InferenceDeployments and ComputePools as the API server has them, the operator's metrics page. Out: the same objects
with replicas, nodes, rates, prices and latencies as of the last tick. A status keeps figures for half a minute, to
spare the API server; a picture that changes every second, and a bill by the second, must not.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

_FIGURES = {
    "plimsoll_arrival_rate_requests_per_second": ("demand", "arrivalRate"),
    "plimsoll_forecast_requests_per_second": ("forecast", "requiredRate"),
    "plimsoll_cost_usd_per_million_tokens": ("cost", "perMillionTokens"),
}
_COUNTS = {
    "plimsoll_desired_replicas": "target",
    "plimsoll_current_replicas": "current",
    "plimsoll_ready_replicas": "ready",
}
_POOL_COUNTS = {"plimsoll_pool_nodes": "nodes", "plimsoll_pool_target_nodes": "target"}
_POOL_COST = "plimsoll_pool_cost_usd_per_hour"
_LATENCY = "plimsoll_latency_seconds"
_SAFE_RATE = "plimsoll_safe_rate_requests_per_second"
Key = tuple[str, str]


def with_live_figures(deployments: Sequence[Mapping[str, Any]], page: str) -> list[dict[str, Any]]:
    """Copies of the deployments with the figures of the last tick; what the page does not tell stays as it is."""
    figures: dict[Key, dict[str, dict[str, str]]] = {}
    variants: dict[Key, dict[str, dict[str, Any]]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            labels = sample.labels
            if sample.name in _FIGURES:
                group, name = _FIGURES[sample.name]
                told = figures.setdefault((labels["namespace"], labels["deployment"]), {})
                told[group] = {name: f"{sample.value:.3f}" if group == "cost" else f"{sample.value:.4g}"}
            elif sample.name in {_LATENCY, _SAFE_RATE, *_COUNTS}:
                of_deployment = variants.setdefault((labels["namespace"], labels["deployment"]), {})
                variant = of_deployment.setdefault(labels["variant"], {"predicted": {}, "observed": {}})
                _take(variant, sample.name, labels, sample.value)
    return [_renewed(one, figures, variants) for one in deployments]


def pools_with_live_figures(pools: Sequence[Mapping[str, Any]], page: str) -> list[dict[str, Any]]:
    """Copies of the pools with the nodes and the price of the last tick."""
    told: dict[str, dict[str, Any]] = {}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name in _POOL_COUNTS:
                told.setdefault(sample.labels["pool"], {})[_POOL_COUNTS[sample.name]] = int(sample.value)
            elif sample.name == _POOL_COST:
                told.setdefault(sample.labels["pool"], {})["costPerHour"] = f"{sample.value:.2f}"
    return [{**one, "status": {**(one.get("status") or {}), **told.get(one["metadata"]["name"], {})}} for one in pools]


def _take(variant: dict[str, Any], name: str, labels: Mapping[str, str], value: float) -> None:
    if name == _SAFE_RATE:
        variant["safeRate"] = f"{value:.6g}"
        return
    if name in _COUNTS:
        variant[_COUNTS[name]] = int(value)
        return
    quantile = f"p{float(labels['quantile']) * 100:g}"
    variant[labels["source"]].setdefault(labels["latency"], {})[quantile] = f"{value * 1000.0:.1f}ms"


def _renewed(
    deployment: Mapping[str, Any],
    figures: Mapping[Key, Mapping[str, Mapping[str, str]]],
    variants: Mapping[Key, Mapping[str, Mapping[str, Any]]],
) -> dict[str, Any]:
    key = (deployment["metadata"]["namespace"], deployment["metadata"]["name"])
    status = dict(deployment.get("status") or {})
    for group, told in figures.get(key, {}).items():
        status[group] = {**(status.get(group) or {}), **told}
    of_deployment = variants.get(key, {})
    status["variants"] = [{**one, **of_deployment.get(one["name"], {})} for one in status.get("variants") or ()]
    return {**deployment, "status": status}
