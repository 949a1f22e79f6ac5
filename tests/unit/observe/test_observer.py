"""One tick's look: what is asked of whom, and how the work grows with the fleet."""

import asyncio
import cProfile
from collections.abc import Mapping
from typing import Any

from plimsoll.api import Engine
from plimsoll.domain import DemandState, LatencyMetric, ObjectKey, Snapshot
from plimsoll.observe import ClusterCache, MetricsReader, Observer, PrometheusSettings, ScaleReader
from plimsoll.observe.demand import DemandMemory, observe_demand
from plimsoll.observe.observer import wanted
from plimsoll.observe.reading import EngineReading, MetricsReading
from plimsoll.observe.resolve import resolve, with_demand
from plimsoll.observe.targets import targets_to_look_up
from unit.builders import NOW_S
from unit.observe.answers import pod_samples
from unit.observe.manifests import (
    a_cache,
    a_cluster,
    a_deployment_manifest,
    a_node_manifest,
    a_pod_manifest,
    a_pool_manifest,
    a_profile_manifest,
    a_variant_spec,
    a_workload,
)

WORKLOAD = ("Deployment", a_workload())


class Prometheus:
    """One pod with 5 requests per second; records what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def custom_query(self, query: str, params: dict[str, str] | None = None, timeout: float | None = None) -> Any:
        self.asked.append(query)
        shown = {"request_rate": "5", "requests": "100", "age_s": "3", "running": "2", "running_before": "2"}
        return [
            {
                "metric": {"namespace": "team-a", "pod": "chat-h100-0", "model_name": "m", "plimsoll_signal": signal},
                "value": [1.0, value],
            }
            for signal, value in shown.items()
            if "vllm" in query and "ttft" not in query
        ]

    def custom_query_range(self, *asked: Any) -> Any:
        return []


def refuse(path: str) -> Mapping[str, Any]:
    raise AssertionError(f"nobody asked for {path}")


def test_a_snapshot_puts_cluster_and_metrics_together() -> None:
    cache, prometheus = a_cache(("InferenceDeployment", a_deployment_manifest()), WORKLOAD), Prometheus()
    cache.apply("Pod", None, a_pod_manifest())
    observer = Observer(cache, MetricsReader(PrometheusSettings("http://test"), prometheus), ScaleReader(refuse))
    snapshot = asyncio.run(observer.snapshot(NOW_S))
    observer.close()
    (deployment,) = snapshot.deployments
    assert snapshot.now_s == NOW_S
    assert deployment.demand.state is DemandState.KNOWN
    assert deployment.demand.arrival_rate_rps == 5.0
    assert len(prometheus.asked) == 2


def test_a_snapshot_of_an_empty_cluster_asks_nobody() -> None:
    prometheus = Prometheus()
    metrics = MetricsReader(PrometheusSettings("http://test"), prometheus)
    observer = Observer(ClusterCache(), metrics, ScaleReader(refuse))
    assert asyncio.run(observer.snapshot(NOW_S)) == Snapshot(NOW_S, (), ())
    observer.close()
    assert prometheus.asked == []


def test_engines_of_all_variants_are_asked_for_the_quantiles_of_the_slos() -> None:
    xeon = a_variant_spec("xeon", target="chat-xeon", pool="cpu-amx", profile="llama-xeon")
    cluster = a_cluster(
        ("ComputePool", a_pool_manifest("cpu-amx", hardware="xeon")),
        ("ServingProfile", a_profile_manifest("llama-xeon", hardware="xeon", engine="OpenVINO")),
        ("InferenceDeployment", a_deployment_manifest(variants=[a_variant_spec(), xeon])),
        WORKLOAD,
        ("Deployment", a_workload("chat-xeon")),
    )
    ttft_p95 = frozenset({(LatencyMetric.TTFT, 0.95)})
    assert wanted(cluster.asked).engines == {Engine.VLLM: ttft_p95, Engine.OPENVINO: ttft_p95}


def test_a_gateway_is_asked_beside_the_engines_behind_it() -> None:
    cluster = a_cluster(("InferenceDeployment", a_deployment_manifest(demand={"engine": "Gateway"})), WORKLOAD)
    assert set(wanted(cluster.asked).engines) == {Engine.GATEWAY, Engine.VLLM}


def test_custom_queries_are_asked_for_their_object() -> None:
    demand = {"engine": "Custom", "queries": {"arrivalRate": "sum(rate(x[1m]))"}}
    cluster = a_cluster(("InferenceDeployment", a_deployment_manifest(demand=demand)), WORKLOAD)
    queries = wanted(cluster.asked).custom
    assert queries == {ObjectKey("team-a", "chat"): {"arrival_rate": "sum(rate(x[1m]))"}}


def test_only_kinds_that_are_not_watched_are_looked_up() -> None:
    reference = {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet", "name": "group"}
    variants = [a_variant_spec(), a_variant_spec("group", targetRef=reference)]
    cache = a_cache(("InferenceDeployment", a_deployment_manifest(variants=variants)))
    assert [str(target) for target in targets_to_look_up(cache.contents())] == ["LeaderWorkerSet/group"]


def _a_fleet(deployments: int) -> ClusterCache:
    cache = a_cache()
    for i in range(deployments):
        cache.apply("InferenceDeployment", None, a_deployment_manifest(f"m{i}"))
        cache.apply("Deployment", None, a_workload(f"m{i}-h100"))
        cache.apply("Pod", None, a_pod_manifest(f"m{i}-h100-0", app=f"m{i}-h100", node=f"n{i // 4}"))
    for i in range(deployments // 4):
        cache.apply("Node", None, a_node_manifest(f"n{i}"))
    return cache


def _calls_of_a_tick(deployments: int) -> int:
    contents = _a_fleet(deployments).contents()
    samples = tuple(pod_samples(f"m{i}-h100-0") for i in range(deployments))
    reading = MetricsReading(60.0, {Engine.VLLM: EngineReading(samples)})
    with cProfile.Profile() as profile:
        cluster = resolve(contents, {})
        observed, _ = observe_demand(cluster.asked, reading, DemandMemory(), NOW_S)
        snapshot = with_demand(cluster, observed, NOW_S)
    assert [one.demand.state for one in snapshot.deployments] == [DemandState.KNOWN] * deployments
    return sum(entry.callcount for entry in profile.getstats())


def test_the_pure_work_grows_no_faster_than_the_fleet() -> None:
    # Calls instead of seconds: a busy machine does not change them. Sorting is what makes it a little more than four.
    assert _calls_of_a_tick(400) < 4.4 * _calls_of_a_tick(100)
