"""Raw objects as the API server sends them, with defaults; a test states only what it is about.

In: overrides by keyword. Out: dictionaries, and `a_cluster`, which feeds them to a cache. One small world: deployment
``chat`` in namespace ``team-a``, variants ``h100`` and ``xeon``, pools ``gpu-h100`` and ``cpu-amx``.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from plimsoll.api import DELETION_COST_ANNOTATION
from plimsoll.domain import Finding, Reason
from plimsoll.observe import Cluster, ClusterCache, resolve
from plimsoll.observe.targets import Scales

NAMESPACE = "team-a"
MODEL = "meta-llama/Llama-3.1-8B-Instruct"
CREATED = "2026-11-01T12:00:00Z"
Manifest = dict[str, Any]


def a_deployment_manifest(
    name: str = "chat", *, uid: str | None = None, created: str = CREATED, **spec: Any
) -> Manifest:
    """A valid InferenceDeployment with the one variant ``h100`` on Deployment ``<name>-h100``."""
    return {
        "apiVersion": "plimsoll.dev/v1alpha1",
        "kind": "InferenceDeployment",
        "metadata": {
            "name": name,
            "namespace": NAMESPACE,
            "uid": uid or f"uid-{name}",
            "generation": 1,
            "creationTimestamp": created,
        },
        "spec": {
            "model": MODEL,
            "slo": {"ttft": {"p95": "800ms"}},
            "demand": {"engine": "vLLM"},
            "variants": [a_variant_spec(target=f"{name}-h100")],
            **spec,
        },
    }


def a_variant_spec(
    name: str = "h100", *, target: str = "chat-h100", kind: str = "Deployment", **fields: Any
) -> Manifest:
    """A variant on a targetRef; pass ``targetRef=None`` and ``template=...`` for one that Plimsoll owns."""
    spec: Manifest = {
        "name": name,
        "pool": "gpu-h100",
        "profile": "llama-h100",
        "targetRef": {"apiVersion": "apps/v1", "kind": kind, "name": target},
        "replicas": {"min": 0, "max": 20},
        **fields,
    }
    return {key: value for key, value in spec.items() if value is not None}


def a_template(cpu: str = "8", **requests: Any) -> Manifest:
    """A pod template with one container."""
    return {"spec": {"containers": [{"name": "engine", "resources": {"requests": {"cpu": cpu, **requests}}}]}}


def a_pool_manifest(name: str = "gpu-h100", *, hardware: str = "h100", **spec: Any) -> Manifest:
    """An on-demand pool of nodes labelled ``pool: <name>``."""
    return {
        "metadata": {"name": name, "generation": 1},
        "spec": {
            "hardware": hardware,
            "nodeSelector": {"pool": name},
            "price": {"onDemandPerHour": "12.00"},
            "nodes": {"min": 0, "max": 10},
            "provisioningTime": "3m",
            "resources": {"cpu": 64, "memory": "512Gi", "nvidia.com/gpu": 4},
            **spec,
        },
    }


def a_profile_manifest(name: str = "llama-h100", *, hardware: str = "h100", **spec: Any) -> Manifest:
    """A profile of the model on one H100."""
    return {
        "metadata": {"name": name, "generation": 1},
        "spec": {
            "model": MODEL,
            "engine": "vLLM",
            "hardware": hardware,
            "precision": "bf16",
            "coefficients": {"alpha": 6.63, "beta": 0.0218, "pi": 0.0196, "kappa": 0.000055},
            "maxSequences": 64,
            "kvCacheTokens": 400_000,
            "startupTime": "60s",
            "provenance": {"kind": "Estimated"},
            **spec,
        },
    }


def a_route_manifest(**weights: int | None) -> Manifest:
    """An HTTPRoute with one rule and a backend for each Service (``chat_h100=1``); None leaves the weight out."""
    backends = [
        {"name": service.replace("_", "-"), "port": 8000} | ({} if weight is None else {"weight": weight})
        for service, weight in weights.items()
    ]
    return {
        "metadata": {"name": "chat", "namespace": NAMESPACE, "uid": "uid-route"},
        "spec": {"rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}], "backendRefs": backends}]},
    }


def a_workload(
    name: str = "chat-h100",
    *,
    replicas: int | None = 2,
    namespace: str = NAMESPACE,
    requests: Mapping[str, Any] | None = None,
    controller_uid: str | None = None,
) -> Manifest:
    """A Deployment or StatefulSet that selects ``app: <name>``."""
    owners = [{"uid": controller_uid, "controller": True}] if controller_uid else []
    containers = [{"name": "engine", "resources": {"requests": requests or {"cpu": "8", "nvidia.com/gpu": "1"}}}]
    return {
        "metadata": {"name": name, "namespace": namespace, "uid": f"uid-{name}", "ownerReferences": owners},
        "spec": {
            **({} if replicas is None else {"replicas": replicas}),
            "selector": {"matchLabels": {"app": name}},
            "template": {"spec": {"containers": containers}},
        },
    }


def a_pod_manifest(
    name: str = "chat-h100-0",
    *,
    app: str = "chat-h100",
    node: str | None = "gpu-0",
    ready_since: str | None = CREATED,
    cpu: str = "8",
    owner_kind: str = "ReplicaSet",
    namespace: str = NAMESPACE,
    **metadata: Any,
) -> Manifest:
    """A running pod, ready since `ready_since`; None makes it unready."""
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": ready_since}
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {"app": app},
            "creationTimestamp": CREATED,
            "ownerReferences": [{"kind": owner_kind, "uid": "x", "controller": True}],
            **metadata,
        },
        "spec": {
            **({"nodeName": node} if node else {}),
            "containers": [{"name": "engine", "resources": {"requests": {"cpu": cpu}}}],
        },
        "status": {"phase": "Running", "conditions": [ready] if ready_since else []},
    }


def a_marked_pod(manager: str = "plimsoll", cost: str = "-100", **metadata: Any) -> Manifest:
    """A pod that somebody (by default we) marked to go first."""
    owned: Manifest = {"f:metadata": {"f:annotations": {f"f:{DELETION_COST_ANNOTATION}": {}}}}
    marks = {"annotations": {DELETION_COST_ANNOTATION: cost, "other": "stays"}, "uid": "uid-pod"}
    fields = [{"manager": manager, "operation": "Update", "fieldsV1": owned}]
    return a_pod_manifest(**{**marks, "managedFields": fields, **metadata})


def a_node_manifest(name: str = "gpu-0", *, pool: str = "gpu-h100", **overrides: Any) -> Manifest:
    """A ready node of a pool with 64 cores, 512 GiB and 4 GPUs."""
    allocatable = {"cpu": "64", "memory": "512Gi", "nvidia.com/gpu": "4", "pods": "110"}
    return {
        "metadata": {"name": name, "labels": {"pool": pool}, "creationTimestamp": CREATED},
        "spec": overrides.get("spec", {}),
        "status": {
            "allocatable": overrides.get("allocatable", allocatable),
            "conditions": [{"type": "Ready", "status": "True" if overrides.get("ready", True) else "Unknown"}],
        },
    }


def an_autoscaler(name: str, target: str, *, kind: str = "Deployment") -> Manifest:
    """A HorizontalPodAutoscaler, or a ScaledObject: what is read of both has one shape."""
    reference = {"apiVersion": "apps/v1", "kind": kind, "name": target}
    return {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": {"scaleTargetRef": reference}}


def a_budget_manifest(*, allowed: int, observed: int = 2, **spec: Any) -> Manifest:
    """A PodDisruptionBudget of generation 2, as the disruption controller last saw it."""
    return {
        "metadata": {"name": "keep", "namespace": NAMESPACE, "generation": 2},
        "spec": spec,
        "status": {"observedGeneration": observed, "disruptionsAllowed": allowed},
    }


def a_cache(*objects: tuple[str, Manifest]) -> ClusterCache:
    """A cache that has been told of these objects, of the usual pool and profile, and of no more."""
    cache = ClusterCache()
    for kind, manifest in (("ComputePool", a_pool_manifest()), ("ServingProfile", a_profile_manifest()), *objects):
        cache.apply(kind, None, manifest)
    return cache


def a_cluster(*objects: tuple[str, Manifest], scales: Scales | None = None) -> Cluster:
    """What `resolve` makes of these objects beside the usual pool and profile."""
    return resolve(a_cache(*objects).contents(), scales or {})


def reasons(findings: Iterable[Finding]) -> list[Reason]:
    """The reasons alone, in order."""
    return [finding.reason for finding in findings]
