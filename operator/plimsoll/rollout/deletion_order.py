"""Which pods should go first? Those whose node goes anyway, then those whose going empties a node, then the newest.

In: a variant, how many of its pods go, and who else is on the nodes. Out: pod names. Kubernetes takes pods that are
not ready before it looks at any wish of ours, so they are named first here, too.
"""

from collections.abc import Mapping

from plimsoll.domain import Pod, Snapshot, Variant

ORDERED_KINDS = frozenset({"Deployment", "ReplicaSet"})
"""Kinds whose controller takes unready pods first and heeds the pod-deletion-cost annotation. A StatefulSet takes its
highest ordinal, whatever we wish; of other kinds nothing is known."""


def takes_unready_first(variant: Variant) -> bool:
    """True when the controller behind the target removes pods that are not ready before others."""
    return variant.target.kind in ORDERED_KINDS


def pods_by_node(snapshot: Snapshot) -> dict[str, int]:
    """How many pods of all variants are on each node."""
    counts: dict[str, int] = {}
    for deployment in snapshot.deployments:
        for variant in deployment.variants:
            for pod in _staying(variant):
                if pod.node is not None:
                    counts[pod.node] = counts.get(pod.node, 0) + 1
    return counts


def delete_first(variant: Variant, count: int, on_node: Mapping[str, int], *, empties_pay: bool) -> tuple[str, ...]:
    """The names of the pods that should go, at most `count`.

    Args:
        variant: the target's pods.
        count: how many replicas are taken off.
        on_node: pods of all variants by node name.
        empties_pay: True where an empty node is given back and saves its price.
    """
    if not takes_unready_first(variant):
        return ()
    pods = _staying(variant)
    chosen = sorted((pod for pod in pods if not pod.ready), key=_newest)[:count]
    chosen += sorted((pod for pod in pods if pod.ready and pod.leaving), key=_newest)[: count - len(chosen)]
    ready = [pod for pod in pods if pod.ready and not pod.leaving]
    if empties_pay:
        chosen += _emptying(ready, count - len(chosen), on_node)
    rest = sorted((pod for pod in ready if pod not in chosen), key=_newest)
    return tuple(pod.name for pod in [*chosen, *rest][:count])


def _emptying(pods: list[Pod], count: int, on_node: Mapping[str, int]) -> list[Pod]:
    """Whole nodes' worth of pods, the emptiest nodes first, as long as all pods of a node can go."""
    groups: dict[str, list[Pod]] = {}
    for pod in pods:
        if pod.node is not None:
            groups.setdefault(pod.node, []).append(pod)
    chosen: list[Pod] = []
    for node in sorted(groups, key=lambda name: (len(groups[name]), name)):
        group = groups[node]
        if len(group) == on_node.get(node, 0) and len(chosen) + len(group) <= count:
            chosen += sorted(group, key=_newest)
    return chosen


def _staying(variant: Variant) -> tuple[Pod, ...]:
    return tuple(pod for pod in variant.pods if not pod.terminating)


def _newest(pod: Pod) -> tuple[float, str]:
    return -pod.created_s, pod.name
