"""How many nodes does a pool need besides those it has?

In: pods that found no room, nodes under way. Out: a number. First fit, largest first, as cluster-autoscaler's
binpacking estimator has it.
"""

from collections.abc import Sequence

from plimsoll.domain import Resources
from plimsoll.simulator.cluster.objects import SimPod, fits, take_from


def nodes_missing(pending: Sequence[SimPod], node_offers: Resources, under_way: int) -> int:
    """Fresh nodes that these pods need besides those under way; pods that fit on no node need none."""
    bins = [dict(node_offers) for _ in range(under_way)]
    for pod in sorted(pending, key=lambda one: (-_size(one.needs, node_offers), one.name)):
        if not fits(pod.needs, node_offers):
            continue
        place = next((free for free in bins if fits(pod.needs, free)), None)
        if place is None:
            place = dict(node_offers)
            bins.append(place)
        take_from(place, pod.needs)
    return len(bins) - under_way


def _size(needs: Resources, offers: Resources) -> float:
    return sum(amount / offers[name] for name, amount in needs.items() if offers.get(name))
