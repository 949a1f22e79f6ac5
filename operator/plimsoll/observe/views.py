"""What of a cluster object does Plimsoll keep?

In: raw objects as the API server sends them. Out: small frozen views with everything parsed once, at arrival: a pod
comes to some 300 bytes instead of 10 KB, and a tick over ten thousand pods parses nothing. Pure.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from kubernetes.utils.quantity import parse_quantity

from plimsoll.api import DELETION_COST_ANNOTATION, GROUP, MANAGED_BY_LABEL
from plimsoll.domain import ObjectKey, Pod, Resources, Target

Raw = Mapping[str, Any]

_BLOCKING_EFFECTS = frozenset({"NoSchedule", "NoExecute"})
_TRANSIENT_TAINTS = "node.kubernetes.io/"
"""Taints that Kubernetes itself sets for a node in trouble (not-ready, unreachable, disk-pressure, unschedulable). All
others mark what a pool is for, and its pods tolerate them."""
_NOT_YET_TAINTS = frozenset({"node.cloudprovider.kubernetes.io/uninitialized"})
_LEAVING_TAINTS = frozenset(
    {
        # AWS Node Termination Handler (its README, TAINT_NODE).
        "aws-node-termination-handler/spot-itn",
        "aws-node-termination-handler/scheduled-maintenance",
        "aws-node-termination-handler/asg-lifecycle-termination",
        "aws-node-termination-handler/rebalance-recommendation",
        # Karpenter from v1 on, and before.
        "karpenter.sh/disrupted",
        "karpenter.sh/disruption",
        # GKE: preemption and graceful termination of a node.
        "cloud.google.com/impending-node-termination",
        # AKS node auto-drain, by its present and its former name.
        "remediator.kubernetes.azure.com/unschedulable",
        "remediator.aks.microsoft.com/unschedulable",
        # The cluster autoscaler, once it has decided; its DeletionCandidateOfClusterAutoscaler is only a thought.
        "ToBeDeletedByClusterAutoscaler",
        "node.cloudprovider.kubernetes.io/shutdown",
    }
)
"""What the clouds and autoscalers put on a node that is about to go."""


@dataclass(frozen=True, slots=True)
class PodView:
    """A pod that is not over."""

    namespace: str
    labels: Mapping[str, str]
    pod: Pod
    requests: Resources
    of_daemonset: bool


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node, without what runs on it."""

    name: str
    labels: Mapping[str, str]
    ready: bool
    schedulable: bool
    allocatable: Resources
    created_s: float
    leaving: bool = False


@dataclass(frozen=True, slots=True)
class Requirement:
    """One expression of a label selector: In, NotIn, Exists or DoesNotExist."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def accepts(self, labels: Mapping[str, str]) -> bool:
        match self.operator:
            case "In":
                return labels.get(self.key) in self.values
            case "NotIn":
                return labels.get(self.key) not in self.values
            case "Exists":
                return self.key in labels
            case _:
                return self.key not in labels


@dataclass(frozen=True, slots=True)
class Selector:
    """Which pods belong to a workload; an empty one selects nothing here."""

    equal: tuple[tuple[str, str], ...] = ()
    requirements: tuple[Requirement, ...] = ()

    def accepts(self, labels: Mapping[str, str]) -> bool:
        if not self.equal and not self.requirements:
            return False
        return all(labels.get(key) == value for key, value in self.equal) and all(
            requirement.accepts(labels) for requirement in self.requirements
        )


@dataclass(frozen=True, slots=True)
class WorkloadView:
    """A Deployment or StatefulSet, as far as its scale and its pod template go."""

    key: ObjectKey
    uid: str
    generation: int
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    replicas: int
    selector: Selector
    requests: Resources
    controller_uid: str | None
    """Of the owner that controls it; None where a person or Git does."""
    fingerprint: str
    """Of everything that an owner's template decides; empty where Plimsoll is not the owner, since nobody asks."""


@dataclass(frozen=True, slots=True)
class RivalView:
    """An autoscaler and the target it writes to."""

    description: str
    target: Target


@dataclass(frozen=True, slots=True)
class BackendView:
    """One Service that a rule of an HTTPRoute sends requests to."""

    rule: int
    """Position of the rule."""
    service: str
    weight: int


@dataclass(frozen=True, slots=True)
class RouteView:
    """An HTTPRoute, as far as backends in its own namespace go."""

    key: ObjectKey
    backends: tuple[BackendView, ...]

    def sends_to(self, service: str) -> bool:
        return any(backend.service == service for backend in self.backends)


def route_view(raw: Raw) -> RouteView:
    """An HTTPRoute; a backend is a Service of weight 1 unless it says otherwise.

    Source: Gateway API v1, HTTPRoute, HTTPBackendRef.
    """
    metadata = raw["metadata"]
    backends = tuple(
        BackendView(index, backend["name"], backend.get("weight", 1))
        for index, rule in enumerate(raw.get("spec", {}).get("rules") or ())
        for backend in rule.get("backendRefs") or ()
        if is_service_of(backend, metadata["namespace"])
    )
    return RouteView(ObjectKey(metadata["namespace"], metadata["name"]), backends)


def is_service_of(backend: Raw, namespace: str) -> bool:
    """Whether an HTTPRoute's backend is a Service in that namespace, which is the route's own."""
    is_service = (backend.get("group") or "", backend.get("kind") or "Service") == ("", "Service")
    return is_service and (backend.get("namespace") or namespace) == namespace


@dataclass(frozen=True, slots=True)
class BudgetView:
    """A PodDisruptionBudget."""

    key: ObjectKey
    selector: Selector | None
    """None for the empty one, which here selects every pod of the namespace."""
    allowed: int


def pod_view(raw: Raw) -> PodView | None:
    """The pod; None for one that is over and takes nothing any more."""
    metadata, spec, status = raw["metadata"], raw.get("spec", {}), raw.get("status", {})
    if status.get("phase") in ("Succeeded", "Failed"):
        return None
    conditions = {one["type"]: one for one in status.get("conditions") or ()}
    ready, scheduled = conditions.get("Ready", {}), conditions.get("PodScheduled", {})
    is_ready = ready.get("status") == "True"
    waits = scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable"
    pod = Pod(
        name=metadata["name"],
        node=spec.get("nodeName"),
        ready=is_ready,
        terminating="deletionTimestamp" in metadata,
        created_s=seconds(metadata.get("creationTimestamp")) or 0.0,
        ready_since_s=seconds(ready.get("lastTransitionTime")) if is_ready else None,
        unschedulable_since_s=seconds(scheduled.get("lastTransitionTime")) if waits else None,
        deletion_cost=_whole_number((metadata.get("annotations") or {}).get(DELETION_COST_ANNOTATION)),
    )
    owners = metadata.get("ownerReferences") or ()
    return PodView(
        namespace=metadata["namespace"],
        labels=metadata.get("labels") or {},
        pod=pod,
        requests=pod_requests(spec),
        of_daemonset=any(owner.get("kind") == "DaemonSet" for owner in owners),
    )


def node_view(raw: Raw) -> NodeView:
    """The node; schedulable when it is not cordoned and no taint says that it is in trouble or on its way out."""
    metadata, spec, status = raw["metadata"], raw.get("spec", {}), raw.get("status", {})
    ready: Raw = next((one for one in status.get("conditions") or () if one["type"] == "Ready"), {})
    taints = [taint["key"] for taint in spec.get("taints") or () if taint.get("effect") in _BLOCKING_EFFECTS]
    trouble = any(key.startswith(_TRANSIENT_TAINTS) or key in _NOT_YET_TAINTS for key in taints)
    leaving = "deletionTimestamp" in metadata or any(key in _LEAVING_TAINTS for key in taints)
    return NodeView(
        name=metadata["name"],
        labels=metadata.get("labels") or {},
        ready=ready.get("status") == "True",
        schedulable=not spec.get("unschedulable", False) and not trouble and not leaving,
        allocatable=amounts(status.get("allocatable") or {}),
        created_s=seconds(metadata.get("creationTimestamp")) or 0.0,
        leaving=leaving,
    )


def workload_view(raw: Raw) -> WorkloadView:
    """A Deployment or StatefulSet; its replicas default to 1, as the API server has it."""
    metadata, spec = raw["metadata"], raw.get("spec", {})
    owner = controller_of(raw)
    is_ours = str(owner.get("apiVersion", "")).startswith(f"{GROUP}/")
    return WorkloadView(
        key=ObjectKey(metadata["namespace"], metadata["name"]),
        uid=metadata.get("uid", ""),
        generation=metadata.get("generation", 0),
        labels=metadata.get("labels") or {},
        annotations=_short(metadata.get("annotations") or {}),
        replicas=spec.get("replicas", 1),
        selector=selector_of(spec.get("selector") or {}),
        requests=pod_requests((spec.get("template") or {}).get("spec") or {}),
        controller_uid=owner.get("uid"),
        fingerprint=fingerprint_of(raw) if is_ours else "",
    )


def controller_of(raw: Raw) -> Raw:
    """The reference to the owner that controls the object; empty where there is none."""
    owners = raw["metadata"].get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), {})


def fingerprint_of(raw: Raw) -> str:
    """Changes with all of a workload's spec but its replicas, and with Plimsoll's own labels and annotations."""
    metadata = raw["metadata"]
    marks = {**(metadata.get("labels") or {}), **(metadata.get("annotations") or {})}
    ours = {name: text for name, text in marks.items() if name.startswith(f"{GROUP}/") or name == MANAGED_BY_LABEL}
    return digest([ours, {name: value for name, value in (raw.get("spec") or {}).items() if name != "replicas"}])


def digest(value: Any) -> str:
    """A short text that is the same for equal manifests, whatever the order of their fields."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def autoscaler_view(raw: Raw) -> RivalView:
    """A HorizontalPodAutoscaler."""
    reference = raw.get("spec", {}).get("scaleTargetRef") or {}
    return _rival("HorizontalPodAutoscaler", raw, reference)


def scaled_object_view(raw: Raw) -> RivalView:
    """A KEDA ScaledObject; its target is a Deployment unless it says otherwise."""
    return _rival("ScaledObject", raw, raw.get("spec", {}).get("scaleTargetRef") or {})


def _rival(kind: str, raw: Raw, reference: Raw) -> RivalView:
    metadata = raw["metadata"]
    target = Target(
        api_version=reference.get("apiVersion") or "apps/v1",
        kind=reference.get("kind") or "Deployment",
        namespace=metadata["namespace"],
        name=reference.get("name", ""),
        owned=False,
    )
    return RivalView(f"{kind} {metadata['name']}", target)


def budget_view(raw: Raw) -> BudgetView | None:
    """A PodDisruptionBudget of policy/v1; None for one without a selector, which selects nothing.

    What it allows is what Kubernetes last worked out, and nothing while that is out of date.
    """
    metadata, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    if spec.get("selector") is None:
        return None
    up_to_date = status.get("observedGeneration", 0) >= metadata.get("generation", 0)
    return BudgetView(
        key=ObjectKey(metadata["namespace"], metadata["name"]),
        selector=selector_of(spec["selector"]) if spec["selector"] else None,
        allowed=status.get("disruptionsAllowed", 0) if up_to_date else 0,
    )


def selector_of(raw: Raw) -> Selector:
    """A metav1.LabelSelector."""
    return Selector(
        equal=tuple(sorted((raw.get("matchLabels") or {}).items())),
        requirements=tuple(
            Requirement(one["key"], one["operator"], frozenset(one.get("values") or ()))
            for one in raw.get("matchExpressions") or ()
        ),
    )


# --- Amounts and times -----------------------------------------------------------------------------------------------


def amounts(raw: Raw) -> Resources:
    """Amounts by resource, of what placement goes by: cpu, memory and extended resources (their names have a slash)."""
    return {
        name: float(parse_quantity(quantity))  # type: ignore[no-untyped-call]
        for name, quantity in raw.items()
        if name in ("cpu", "memory") or "/" in name
    }


def pod_requests(spec: Raw) -> Resources:
    """What the scheduler reserves for one pod: containers and sidecars together, at least its largest init container.

    Source: k8s.io/component-helpers resource.PodRequests. A limit without a request counts as the request.
    """
    pod_level = _requested(spec)
    containers = _sum(_requested(container) for container in spec.get("containers") or ())
    sidecars: Resources = {}
    start: Resources = {}
    for container in spec.get("initContainers") or ():
        own = _requested(container)
        if container.get("restartPolicy") == "Always":
            sidecars = _sum((sidecars, own))
            start = _most(start, sidecars)
        else:
            start = _most(start, _sum((sidecars, own)))
    needed = _most(_sum((containers, sidecars)), start)
    return _sum(({**needed, **pod_level}, amounts(spec.get("overhead") or {})))


def _requested(container: Raw) -> Resources:
    resources = container.get("resources") or {}
    return amounts({**(resources.get("limits") or {}), **(resources.get("requests") or {})})


def _sum(parts: Iterable[Resources]) -> dict[str, float]:
    total: dict[str, float] = {}
    for part in parts:
        for name, amount in part.items():
            total[name] = total.get(name, 0.0) + amount
    return total


def _most(one: Resources, other: Resources) -> dict[str, float]:
    return {name: max(one.get(name, 0.0), other.get(name, 0.0)) for name in {**one, **other}}


def seconds(moment: str | None) -> float | None:
    """An RFC 3339 time as seconds since the epoch."""
    return datetime.fromisoformat(moment).timestamp() if moment else None


def _whole_number(text: str | None) -> int | None:
    try:
        return int(text) if text is not None else None
    except ValueError:
        return None


def _short(annotations: Mapping[str, str]) -> Mapping[str, str]:
    """Without the whole manifests that kubectl keeps in annotations."""
    return {key: value for key, value in annotations.items() if len(value) <= 256}
