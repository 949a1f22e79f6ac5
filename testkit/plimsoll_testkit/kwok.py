"""What nodes does a pool have, when none of them exists?

In: what a node of the pool looks like. Out: Node objects that KWOK keeps ready and that the real scheduler fills. A
pod there starts at once and is ready after its own delay (kwok_stages.yaml): set ``STARTUP_ANNOTATION`` on the pod
template.
"""

import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from kubernetes.client import ApiClient

from plimsoll_testkit.json_api import delete, items, request

STARTUP_ANNOTATION = "testkit.plimsoll.dev/startup-seconds"
"""On a pod: seconds from its start to ready; stands for image pull and model load."""
DRAIN_ANNOTATION = "testkit.plimsoll.dev/drain-seconds"
"""On a pod: seconds from its deletion until it is gone."""
POOL_LABEL = "testkit.plimsoll.dev/pool"
"""On a node: which of the test kit's pools made it. Pools select nodes by their own labels, not by this one."""

DEFAULT_PODS_PER_NODE = "110"


@dataclass(frozen=True)
class Taint:
    """Keeps pods without the toleration off a node."""

    key: str
    value: str = ""
    effect: str = "NoSchedule"


@dataclass(frozen=True)
class NodeShape:
    """What every node of a pool looks like."""

    pool: str
    labels: Mapping[str, str]
    allocatable: Mapping[str, str]
    """Quantities as Kubernetes writes them: ``{"cpu": "64", "memory": "256Gi", "nvidia.com/gpu": "8"}``."""
    taints: Sequence[Taint] = field(default=())


class FixedPools:
    """Pools whose nodes are there from the start and stay; for what comes and goes see cluster_autoscaler.py."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self._nodes: list[str] = []

    def add(
        self,
        prefix: str = "pool",
        node_count: int = 1,
        allocatable: Mapping[str, str] | None = None,
        taints: Sequence[Taint] = (),
    ) -> NodeShape:
        """A new pool with a name that no other has; its nodes' label ``pool`` carries the name."""
        name = f"{prefix}-{secrets.token_hex(4)}"
        shape = NodeShape(name, {"pool": name}, allocatable or {"cpu": "16", "memory": "64Gi"}, taints)
        names = [f"{name}-{number}" for number in range(1, node_count + 1)]
        self._nodes += names
        create_nodes(self._api, shape, names)
        return shape

    def remove(self) -> None:
        """All their nodes are gone."""
        delete_nodes(self._api, self._nodes)


def create_nodes(api: ApiClient, shape: NodeShape, names: Iterable[str]) -> None:
    """The nodes exist; KWOK makes them ready within a second."""
    for name in names:
        request(api, "POST", "/api/v1/nodes", node_manifest(shape, name))


def delete_nodes(api: ApiClient, names: Iterable[str]) -> None:
    """The nodes and the pods on them are gone at once, as when a provider reclaims a machine."""
    for name in names:
        delete(api, f"/api/v1/nodes/{name}")
        for pod in pods_on(api, name):
            metadata = pod["metadata"]
            delete(api, f"/api/v1/namespaces/{metadata['namespace']}/pods/{metadata['name']}", grace_s=0)


def pods_on(api: ApiClient, node: str) -> list[dict[str, Any]]:
    """The pods bound to the node, in every namespace."""
    return items(api, "/api/v1/pods", {"fieldSelector": f"spec.nodeName={node}"})


def resources_of(shape: NodeShape) -> dict[str, str]:
    """Capacity and allocatable of a node, with the number of pods that a kubelet takes by default."""
    return {"pods": DEFAULT_PODS_PER_NODE, **shape.allocatable}


def node_manifest(shape: NodeShape, name: str) -> dict[str, Any]:
    """The node as it is created."""
    resources = resources_of(shape)
    labels = {**shape.labels, POOL_LABEL: shape.pool, "kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "labels": labels,
            "annotations": {"node.alpha.kubernetes.io/ttl": "0", "kwok.x-k8s.io/node": "fake"},
        },
        "spec": {
            "taints": [{"key": taint.key, "value": taint.value, "effect": taint.effect} for taint in shape.taints]
        },
        "status": {"allocatable": resources, "capacity": resources},
    }
