"""Which nodes of a pool could be done without, because their pods find room on the others?

In: a pool's nodes. Out: names. As cluster-autoscaler decides (utilization/info.go, Calculate; planner.go,
categorizeNodes): a node with accelerators is judged by them alone, others by cpu and memory; empty nodes come first,
then those that could be done without before; what moves is placed before the next node is looked at.
"""

from collections.abc import Iterable

from plimsoll.simulator.cluster.objects import SimNode, SimPod, fits, give_back, take_from

_ORDINARY = ("cpu", "memory")


def unneeded(nodes: Iterable[SimNode], below: float) -> frozenset[str]:
    """Nodes that are empty, or used by less than the share `below` with pods that fit elsewhere; 0: only empty ones."""
    staying = sorted((node for node in nodes if node.ready and not node.cordoned), key=_order)
    room = {node.name: dict(node.free) for node in staying}
    guests: dict[str, list[SimPod]] = {node.name: [] for node in staying}
    names: set[str] = set()
    for node in staying:
        if node.pods and utilisation(node) >= below:
            continue
        moving = [*(pod for pod in node.pods.values() if not pod.terminating), *guests[node.name]]
        others = {name: free for name, free in room.items() if name != node.name}
        places = _places(moving, others)
        if places is None:
            continue
        names.add(node.name)
        del room[node.name]
        for pod, name in zip(moving, places, strict=True):
            guests[name].append(pod)
    return frozenset(names)


def utilisation(node: SimNode) -> float:
    """The share of a node's accelerators that is requested; of its cpu or memory, the larger, where it has none."""
    # Extended resources have a domain, as in nvidia.com/gpu; ephemeral-storage and the like have none.
    accelerators = [name for name, amount in node.offers.items() if "/" in name and amount > 0.0]
    return max(
        (1.0 - node.free[name] / node.offers[name] for name in accelerators or _ORDINARY if node.offers.get(name)),
        default=0.0,
    )


def _order(node: SimNode) -> tuple[bool, bool, str]:
    return bool(node.pods), node.unneeded_since_s is None, node.name


def _places(pods: Iterable[SimPod], room: dict[str, dict[str, float]]) -> list[str] | None:
    """Where each pod fits first, and `room` is less by it then; None where one fits nowhere, and all is as before."""
    placed: list[tuple[str, SimPod]] = []
    for pod in pods:
        name = next((name for name, free in room.items() if fits(pod.needs, free)), None)
        if name is None:
            for place, one in placed:
                give_back(room[place], one.needs)
            return None
        take_from(room[name], pod.needs)
        placed.append((name, pod))
    return [name for name, _ in placed]
