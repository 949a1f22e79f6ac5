"""What is kept of an object: requests as the scheduler counts them, states as people mean them."""

from typing import Any

import pytest

from plimsoll.observe.views import (
    Selector,
    node_view,
    pod_requests,
    pod_view,
    scaled_object_view,
    selector_of,
    workload_view,
)
from unit.observe.manifests import CREATED, a_node_manifest, a_pod_manifest, a_workload

CREATED_S = 1_793_534_400.0
"""2026-11-01T12:00:00Z."""


def container(cpu: str, **fields: Any) -> dict[str, Any]:
    return {"name": "c", "resources": {"requests": {"cpu": cpu}}, **fields}


@pytest.mark.parametrize(
    ("spec", "cpu"),
    [
        pytest.param({"containers": [container("2"), container("500m")]}, 2.5, id="containers add up"),
        pytest.param(
            {"containers": [container("2")], "initContainers": [container("3"), container("1")]}, 3.0, id="largest init"
        ),
        pytest.param(
            {"containers": [container("2")], "initContainers": [container("1", restartPolicy="Always")]},
            3.0,
            id="sidecars run along",
        ),
        pytest.param(
            {
                "containers": [container("1")],
                "initContainers": [container("1", restartPolicy="Always"), container("4")],
            },
            5.0,
            id="an init container runs beside the sidecars before it",
        ),
        pytest.param({"containers": [container("2")], "overhead": {"cpu": "250m"}}, 2.25, id="overhead"),
        pytest.param(
            {"containers": [container("2")], "resources": {"requests": {"cpu": "7"}}}, 7.0, id="stated for the pod"
        ),
        pytest.param({"containers": [{"name": "c", "resources": {"limits": {"cpu": "6"}}}]}, 6.0, id="limit alone"),
    ],
)
def test_requests_are_what_the_scheduler_reserves(spec: dict[str, Any], cpu: float) -> None:
    assert pod_requests(spec) == {"cpu": cpu}


def test_only_resources_that_placement_goes_by_are_kept() -> None:
    requests = {"cpu": "1", "memory": "1Gi", "nvidia.com/gpu": 1, "ephemeral-storage": "5Gi", "hugepages-2Mi": "4Mi"}
    spec = {"containers": [{"name": "c", "resources": {"requests": requests}}]}
    assert pod_requests(spec) == {"cpu": 1.0, "memory": float(2**30), "nvidia.com/gpu": 1.0}


def test_a_pod_is_seen_with_its_times() -> None:
    view = pod_view(a_pod_manifest(annotations={"controller.kubernetes.io/pod-deletion-cost": "-5"}))
    assert view is not None
    assert view.pod.ready
    assert view.pod.ready_since_s == CREATED_S
    assert view.pod.created_s == CREATED_S
    assert view.pod.deletion_cost == -5
    assert view.pod.unschedulable_since_s is None
    assert not view.of_daemonset


def test_a_pod_that_no_node_takes_tells_since_when() -> None:
    raw = a_pod_manifest(node=None, ready_since=None)
    raw["status"] = {
        "phase": "Pending",
        "conditions": [
            {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "lastTransitionTime": CREATED}
        ],
    }
    view = pod_view(raw)
    assert view is not None
    assert view.pod.unschedulable_since_s == CREATED_S
    assert view.pod.node is None


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_pod_that_is_over_is_not_kept(phase: str) -> None:
    raw = a_pod_manifest()
    raw["status"]["phase"] = phase
    assert pod_view(raw) is None


def test_a_deletion_cost_that_is_no_number_is_none() -> None:
    view = pod_view(a_pod_manifest(annotations={"controller.kubernetes.io/pod-deletion-cost": "cheap"}))
    assert view is not None
    assert view.pod.deletion_cost is None


@pytest.mark.parametrize(
    ("spec", "schedulable"),
    [
        pytest.param({}, True, id="plain"),
        pytest.param({"unschedulable": True}, False, id="cordoned"),
        pytest.param({"taints": [{"key": "nvidia.com/gpu", "effect": "NoSchedule"}]}, True, id="the pool's own taint"),
        pytest.param(
            {"taints": [{"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}]}, False, id="not ready"
        ),
        pytest.param(
            {"taints": [{"key": "node.kubernetes.io/memory-pressure", "effect": "PreferNoSchedule"}]}, True, id="soft"
        ),
        pytest.param(
            {"taints": [{"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule"}]}, False, id="on its way out"
        ),
    ],
)
def test_a_node_takes_pods_unless_it_is_in_trouble(spec: dict[str, Any], schedulable: bool) -> None:
    assert node_view(a_node_manifest(spec=spec)).schedulable is schedulable


@pytest.mark.parametrize(
    ("key", "effect", "leaving"),
    [
        ("aws-node-termination-handler/spot-itn", "NoSchedule", True),
        ("karpenter.sh/disrupted", "NoSchedule", True),
        ("cloud.google.com/impending-node-termination", "NoSchedule", True),
        ("remediator.kubernetes.azure.com/unschedulable", "NoSchedule", True),
        ("ToBeDeletedByClusterAutoscaler", "NoSchedule", True),
        ("DeletionCandidateOfClusterAutoscaler", "PreferNoSchedule", False),
        ("kubernetes.azure.com/scalesetpriority", "NoSchedule", False),
        ("node.kubernetes.io/not-ready", "NoExecute", False),
    ],
)
def test_a_taint_tells_that_a_node_is_about_to_go(key: str, effect: str, leaving: bool) -> None:
    view = node_view(a_node_manifest(spec={"taints": [{"key": key, "effect": effect}]}))
    assert view.leaving is leaving
    assert not (leaving and view.schedulable)


def test_a_node_that_is_being_deleted_is_about_to_go() -> None:
    raw = a_node_manifest()
    raw["metadata"]["deletionTimestamp"] = "2026-07-01T12:00:00Z"
    assert node_view(raw).leaving


def test_a_node_whose_kubelet_is_silent_is_not_ready() -> None:
    assert not node_view(a_node_manifest(ready=False)).ready


def test_replicas_default_to_one_as_in_the_api_server() -> None:
    assert workload_view(a_workload(replicas=None)).replicas == 1
    assert workload_view(a_workload(replicas=0)).replicas == 0


def test_only_the_controlling_owner_owns() -> None:
    raw = a_workload()
    raw["metadata"]["ownerReferences"] = [{"uid": "helper"}, {"uid": "boss", "controller": True}]
    assert workload_view(raw).controller_uid == "boss"


def test_long_annotations_are_dropped() -> None:
    raw = a_workload()
    raw["metadata"]["annotations"] = {"short": "x", "kubectl.kubernetes.io/last-applied-configuration": "x" * 10_000}
    assert workload_view(raw).annotations == {"short": "x"}


def test_a_scaled_object_means_a_deployment_unless_it_says_otherwise() -> None:
    raw = {"metadata": {"name": "so", "namespace": "team-a"}, "spec": {"scaleTargetRef": {"name": "chat-h100"}}}
    view = scaled_object_view(raw)
    assert (view.target.api_version, view.target.kind, view.target.name) == ("apps/v1", "Deployment", "chat-h100")
    assert view.description == "ScaledObject so"


@pytest.mark.parametrize(
    ("expression", "labels", "accepted"),
    [
        ({"key": "tier", "operator": "In", "values": ["a", "b"]}, {"tier": "b"}, True),
        ({"key": "tier", "operator": "In", "values": ["a"]}, {}, False),
        ({"key": "tier", "operator": "NotIn", "values": ["a"]}, {}, True),
        ({"key": "tier", "operator": "NotIn", "values": ["a"]}, {"tier": "a"}, False),
        ({"key": "tier", "operator": "Exists"}, {"tier": ""}, True),
        ({"key": "tier", "operator": "DoesNotExist"}, {"tier": ""}, False),
    ],
)
def test_selectors_mean_what_kubernetes_means(
    expression: dict[str, Any], labels: dict[str, str], accepted: bool
) -> None:
    assert selector_of({"matchExpressions": [expression]}).accepts(labels) is accepted


def test_an_empty_selector_selects_nothing() -> None:
    assert not Selector().accepts({"app": "chat"})
