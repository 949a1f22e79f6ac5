"""The cache follows the watches, keeps little, and parses once."""

import pytest

from plimsoll.api import ComputePool, InferenceDeployment
from plimsoll.domain import ObjectKey
from plimsoll.errors import InvalidObject
from plimsoll.observe import ClusterCache
from unit.observe.manifests import (
    a_deployment_manifest,
    a_node_manifest,
    a_pod_manifest,
    a_pool_manifest,
    a_workload,
    an_autoscaler,
)

KEY = ObjectKey("team-a", "chat")


def test_objects_come_change_and_go() -> None:
    cache = ClusterCache()
    cache.apply("Deployment", None, a_workload(replicas=1))
    cache.apply("Deployment", "MODIFIED", a_workload(replicas=3))
    assert cache.contents().workloads["Deployment", ObjectKey("team-a", "chat-h100")].replicas == 3
    cache.apply("Deployment", "DELETED", a_workload())
    assert cache.contents().workloads == {}


def test_deleting_what_was_never_seen_is_no_error() -> None:
    cache = ClusterCache()
    cache.apply("Pod", "DELETED", a_pod_manifest())
    cache.apply("InferenceDeployment", "DELETED", a_deployment_manifest())
    assert cache.contents().pods == {}


def test_a_pod_that_ends_leaves_the_cache() -> None:
    cache = ClusterCache()
    cache.apply("Pod", "ADDED", a_pod_manifest())
    over = a_pod_manifest()
    over["status"]["phase"] = "Succeeded"
    cache.apply("Pod", "MODIFIED", over)
    assert cache.contents().pods == {}


def test_an_invalid_object_is_kept_as_its_mistake() -> None:
    cache = ClusterCache()
    cache.apply("InferenceDeployment", "ADDED", a_deployment_manifest(slo={"ttft": {"p95": "80"}}))
    mistake = cache.contents().deployments[KEY]
    assert isinstance(mistake, InvalidObject)
    assert "spec.slo.ttft.p95" in str(mistake)


def test_a_status_write_does_not_parse_again() -> None:
    cache = ClusterCache()
    cache.apply("InferenceDeployment", "ADDED", a_deployment_manifest())
    before = cache.deployments.parsed[KEY]
    cache.apply("InferenceDeployment", "MODIFIED", {**a_deployment_manifest(), "status": {"observedGeneration": 1}})
    assert cache.deployments.parsed[KEY] is before
    assert cache.deployments.raw[KEY]["status"] == {"observedGeneration": 1}


def test_a_mended_object_is_parsed_anew() -> None:
    cache = ClusterCache()
    cache.apply("InferenceDeployment", "ADDED", a_deployment_manifest(slo={}))
    cache.apply("InferenceDeployment", "MODIFIED", a_deployment_manifest())
    assert isinstance(cache.deployments.parsed[KEY], InferenceDeployment)


def test_the_stock_out_in_a_pools_status_is_read_back() -> None:
    cache, raw = ClusterCache(), a_pool_manifest()
    cache.apply("ComputePool", "ADDED", raw)
    cache.apply("ComputePool", "MODIFIED", {**raw, "status": {"stockedOutUntil": "2026-11-01T12:00:00Z", "nodes": 3}})
    pool = cache.contents().pools[ObjectKey("", "gpu-h100")]
    assert isinstance(pool, ComputePool)
    assert pool.to_domain((), {}).stocked_out_until_s == 1_793_534_400.0


def test_managed_fields_and_annotations_are_not_kept() -> None:
    cache, raw = ClusterCache(), a_deployment_manifest()
    raw["metadata"] |= {"managedFields": [{"manager": "kubectl"}], "annotations": {"a": "b"}}
    cache.apply("InferenceDeployment", "ADDED", raw)
    assert set(cache.deployments.raw[KEY]["metadata"]) == {
        "name",
        "namespace",
        "uid",
        "generation",
        "creationTimestamp",
    }


def test_what_was_handed_out_does_not_change_with_later_events() -> None:
    cache = ClusterCache()
    cache.apply("Node", "ADDED", a_node_manifest())
    contents = cache.contents()
    cache.apply("Node", "DELETED", a_node_manifest())
    assert len(contents.nodes) == 1


def test_both_kinds_of_autoscalers_are_rivals() -> None:
    cache = ClusterCache()
    cache.apply("HorizontalPodAutoscaler", None, an_autoscaler("hpa", "chat-h100"))
    cache.apply("ScaledObject", None, an_autoscaler("so", "chat-l4"))
    assert [rival.description for rival in cache.contents().rivals] == [
        "HorizontalPodAutoscaler hpa",
        "ScaledObject so",
    ]


def test_a_kind_nobody_watches_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError):
        ClusterCache().apply("Secret", None, {"metadata": {"name": "x"}})
