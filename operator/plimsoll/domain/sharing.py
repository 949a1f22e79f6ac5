"""How do requests spread over the replicas of a deployment, and what do these carry together within the SLO?

In: the routing, and for every variant its table and a number of replicas. Out: requests per second. The one place that
knows what a router does: planning asks it for plans, rollout for what is ready, decide for what is told.

    LoadAware, HTTPRoute   sum_v table_v(n_v)
    Service                (sum_v n_v) x min_{v: n_v > 0} table_v(1)

A plain Service draws a pod for every connection, so that each gets rate / n whatever its speed: the slowest variant in
use says what all of them may get, and a pod sees the share of a lone replica, without what a router that knows the
load gains by passing requests to whoever is free.
"""

from collections.abc import Iterable, Sequence
from math import floor

from plimsoll.domain.decided import CapacityTable
from plimsoll.domain.wanted import Routing


def behind(routing: Routing, capacity: CapacityTable) -> CapacityTable:
    """What replicas of one variant carry behind such a router, if they are all of one variant."""
    if routing is not Routing.SERVICE or capacity.replicas == (1,):
        return capacity
    return CapacityTable((1,), (capacity.total_rps(1),))


def carried_rps_each(routing: Routing, fleet: Iterable[tuple[CapacityTable, int]]) -> tuple[float, ...]:
    """By variant the share of the highest total rate at which all of them keep the SLO, in the order of `fleet`.

    A variant that has no safe rate at any load counts for nothing. Behind a plain Service it takes its share all the
    same; that it keeps no promise is told of it, and is no reason to count what the others do for nothing, too.

    Args:
        routing: how requests are spread.
        fleet: for each variant its table, headroom taken off, and its number of replicas.
    """
    known = tuple((behind(routing, capacity), replicas) for capacity, replicas in fleet)
    alone_rps = tuple(capacity.total_rps(replicas) for capacity, replicas in known)
    if routing is not Routing.SERVICE:
        return alone_rps
    each_rps = min((rps / n for (_, n), rps in zip(known, alone_rps, strict=True) if rps > 0), default=0.0)
    return tuple(n * each_rps if rps > 0 else 0.0 for (_, n), rps in zip(known, alone_rps, strict=True))


def carried_rps(routing: Routing, fleet: Iterable[tuple[CapacityTable, int]]) -> float:
    """The highest total rate at which all replicas together keep the SLO, in requests per second."""
    return sum(carried_rps_each(routing, fleet))


def kept_rps(routing: Routing, fleet: Iterable[tuple[CapacityTable, int]], demand_rps: float) -> float:
    """How much of a demand finds capacity within the SLO, also where it is more than all keep it for together.

    Behind a plain Service every pod gets the same share, and what is too much for it finds none: a pod more takes load
    off all others, so that even a slow one may help. With any other routing what is carried is kept.
    """
    known = tuple((behind(routing, capacity), replicas) for capacity, replicas in fleet)
    if routing is not Routing.SERVICE:
        return min(demand_rps, sum(capacity.total_rps(replicas) for capacity, replicas in known))
    pods = sum(replicas for _, replicas in known)
    share_rps = demand_rps / pods if pods else 0.0
    return sum(min(share_rps * n, capacity.total_rps(n)) for capacity, n in known)


def in_percent(rates_rps: Sequence[float]) -> tuple[int, ...] | None:
    """Weights that sum to 100 in proportion to the rates, at least 1 where a rate is not 0; None where all are.

    By largest remainders, ties in the order given.
    """
    total_rps = sum(rates_rps)
    if total_rps <= 0:
        return None
    exact = [100.0 * rate_rps / total_rps for rate_rps in rates_rps]
    percent = [max(1, floor(share)) if share > 0 else 0 for share in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: percent[i] - exact[i])
    for index in by_remainder[: max(0, 100 - sum(percent))]:
        percent[index] += 1
    # Ones given to tiny shares are taken from the largest.
    percent[percent.index(max(percent))] -= max(0, sum(percent) - 100)
    return tuple(percent)
