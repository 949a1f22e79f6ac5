"""Which node does a pod go to?

In: a pod, the nodes of its pool. Out: a node, or none. Filters by room, then scores as kube-scheduler's
NodeResourcesFit plugin does over cpu and memory, with LeastAllocated (its default) or MostAllocated. A node that the
autoscaler would do without carries a PreferNoSchedule taint, whose plugin counts three times as much: it comes last.
"""

from collections.abc import Iterable

from plimsoll.simulator.cluster.objects import SimNode, SimPod
from plimsoll.simulator.scenario import Scoring

_SCORED = ("cpu", "memory")


def chosen_node(pod: SimPod, nodes: Iterable[SimNode], scoring: Scoring) -> SimNode | None:
    """The node with the highest score among those with room, avoided ones last; of equals the first by name."""
    candidates = [node for node in nodes if node.ready and not node.cordoned and node.has_room(pod.needs)]
    if not candidates:
        return None
    sign = 1.0 if scoring is Scoring.LEAST_ALLOCATED else -1.0
    return min(candidates, key=lambda node: (node.avoided, -sign * _free_share_after(node, pod), node.name))


def _free_share_after(node: SimNode, pod: SimPod) -> float:
    """Mean over cpu and memory of the share that is free once the pod is there."""
    shares = [
        (node.free.get(name, 0.0) - pod.needs.get(name, 0.0)) / node.offers[name]
        for name in _SCORED
        if node.offers.get(name)
    ]
    return round(sum(shares) / len(shares), 9) if shares else 0.0
