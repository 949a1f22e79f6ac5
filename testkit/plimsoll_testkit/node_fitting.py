"""How many more nodes does a pool need for the pods that found no room?

In: what pods ask for, what is free on the nodes there are or are on their way. Out: counts; no I/O. First fit, biggest
pods first: a real autoscaler is cleverer, a stand-in only has to be plausible and never ask for a node that no pod
would use.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kubernetes.utils import quantity as kubernetes_quantity

from plimsoll_testkit.kwok import NodeShape, Taint, resources_of

Amounts = Mapping[str, Decimal]
"""Amount by resource name, in Kubernetes base units."""


@dataclass(frozen=True)
class PodNeed:
    """What a pod asks of a node."""

    requests: Amounts
    node_selector: Mapping[str, str]
    tolerations: Sequence[Mapping[str, Any]] = ()


def pod_need(pod: Mapping[str, Any]) -> PodNeed:
    """What the pod, as JSON, asks for; every pod takes one of the node's ``pods``."""
    spec = pod["spec"]
    requests: dict[str, Decimal] = {"pods": Decimal(1)}
    for container in spec["containers"]:
        resources = container.get("resources") or {}
        # The API server fills in a request from its limit, so requests alone are complete.
        for name, quantity in (resources.get("requests") or {}).items():
            requests[name] = requests.get(name, Decimal(0)) + _amount(quantity)
    return PodNeed(requests, spec.get("nodeSelector") or {}, tuple(spec.get("tolerations") or ()))


def allocatable(shape: NodeShape) -> Amounts:
    """What an empty node of this shape offers."""
    return {name: _amount(quantity) for name, quantity in resources_of(shape).items()}


def suits(need: PodNeed, shape: NodeShape) -> bool:
    """The pod could run on an empty node of this shape, and asked for such a node."""
    labels_match = all(shape.labels.get(key) == value for key, value in need.node_selector.items())
    tolerated = all(any(_tolerates(toleration, taint) for toleration in need.tolerations) for taint in shape.taints)
    # A pod without a selector may run anywhere that has room; booting a pool for it would be a guess.
    return bool(need.node_selector) and labels_match and tolerated and fits(need.requests, allocatable(shape))


def nodes_needed(needs: Iterable[PodNeed], shape: NodeShape, free_by_node: Iterable[Amounts]) -> int:
    """Nodes to add so that all the pods fit; ``free_by_node`` is what nodes there and under way still have."""
    bins = [dict(free) for free in free_by_node]
    already = len(bins)
    empty = allocatable(shape)
    for need in sorted(needs, key=_size, reverse=True):
        if not fits(need.requests, empty):
            continue
        target = next((free for free in bins if fits(need.requests, free)), None)
        if target is None:
            target = dict(empty)
            bins.append(target)
        for name, amount in need.requests.items():
            target[name] -= amount
    return len(bins) - already


def fits(requests: Amounts, free: Amounts) -> bool:
    """Every requested amount is there."""
    return all(amount <= free.get(name, Decimal(0)) for name, amount in requests.items())


def free_after(shape: NodeShape, needs: Iterable[PodNeed]) -> Amounts:
    """What a node of this shape has left beside the pods on it."""
    free = dict(allocatable(shape))
    for need in needs:
        for name, amount in need.requests.items():
            free[name] = free.get(name, Decimal(0)) - amount
    return free


def _amount(quantity: str) -> Decimal:
    amount: Decimal = kubernetes_quantity.parse_quantity(quantity)  # type: ignore[no-untyped-call]
    return amount


def _size(need: PodNeed) -> tuple[Decimal, Decimal, Decimal]:
    """Orders by devices first, since those run out first, then CPU and memory."""
    devices = sum((amount for name, amount in need.requests.items() if "/" in name), Decimal(0))
    return devices, need.requests.get("cpu", Decimal(0)), need.requests.get("memory", Decimal(0))


def _tolerates(toleration: Mapping[str, Any], taint: Taint) -> bool:
    key = toleration.get("key")
    if key and key != taint.key:
        return False
    if toleration.get("effect") not in (None, "", taint.effect):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return key is not None and (toleration.get("value") or "") == taint.value
