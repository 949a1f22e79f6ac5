"""Which pods of a workload go first when it is scaled down?

In: its pods, and those that carry a low pod-deletion-cost. Out: an order. Source: kubernetes
pkg/controller/controller_utils.go, ActivePodsWithRanks: without a node before with, not ready before ready, low cost
before high, on nodes with more pods of the same set before others, ready for a shorter time before longer, then newest.
"""

from collections import Counter
from collections.abc import Collection, Iterable

from plimsoll.simulator.cluster.objects import SimPod


def leaving_order(pods: Iterable[SimPod], delete_first: Collection[str]) -> list[SimPod]:
    """All of them, the first to go first."""
    staying = list(pods)
    beside = Counter(pod.node.name for pod in staying if pod.node is not None)

    def rank(pod: SimPod) -> tuple[bool, bool, bool, int, float, float, str]:
        return (
            pod.node is not None,
            pod.is_ready,
            pod.name not in delete_first,
            -beside[pod.node.name] if pod.node is not None else 0,
            -(pod.ready_since_s or 0.0),
            -pod.created_s,
            pod.name,
        )

    return sorted(staying, key=rank)
