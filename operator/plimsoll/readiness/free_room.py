"""What do present nodes have room for right now, beside everything that is on them?

In: a snapshot. Out: a ``FreeRoom`` that can be asked, and from which seats can be taken one by one. A replica never
straddles nodes.
"""

from collections.abc import Iterable, Mapping

from plimsoll.domain import Node, Resources, Snapshot, Variant

_ROUNDING = 1e-9
"""Share of a request that may be missing on a node: sums of cores are not exact."""

Free = dict[str, float]


class FreeRoom:
    """What is left of each pool's nodes; `take` makes it less."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._pools = {pool.name: pool for pool in snapshot.pools}
        self._fresh = {pool.name: max(0, pool.max_nodes - len(pool.nodes)) for pool in snapshot.pools}
        taken = _taken(variant for deployment in snapshot.deployments for variant in deployment.variants)
        self._free = {
            pool.name: [_free(node, taken.get(node.name, {})) for node in pool.nodes if _is_usable(node)]
            for pool in snapshot.pools
        }

    def has_room(self, pool: str, replica: Resources) -> bool:
        """True where a present node has room for one more such replica."""
        return any(_fits(free, replica) for free in self._free.get(pool, ()))

    def take(self, pool: str, replica: Resources, count: int, *, fresh: bool = True) -> tuple[int, int]:
        """Seats so many replicas, as far as there is room.

        Args:
            pool: its name.
            replica: what one takes.
            count: how many are wanted.
            fresh: whether nodes may be asked for that are not there yet.

        Returns:
            Replicas that found a seat, and how many fresh nodes that takes.
        """
        seated = opened = 0
        for free in self._free.get(pool, []):
            while seated < count and _fits(free, replica):
                _put(free, replica)
                seated += 1
        node = self._pools[pool].node_resources if pool in self._pools else {}
        while fresh and seated < count and self._fresh.get(pool, 0) > 0 and _fits(node, replica):
            self._fresh[pool] -= 1
            opened += 1
            self._free[pool].append(dict(node))
            while seated < count and _fits(self._free[pool][-1], replica):
                _put(self._free[pool][-1], replica)
                seated += 1
        return seated, opened

    def copy(self, pool: str) -> "FreeRoom":
        """The room of one pool, to try something in."""
        other = FreeRoom.__new__(FreeRoom)
        other._pools = self._pools
        other._fresh = {pool: self._fresh.get(pool, 0)}
        other._free = {pool: [dict(free) for free in self._free.get(pool, ())]}
        return other


def _taken(variants: Iterable[Variant]) -> dict[str, Free]:
    taken: dict[str, Free] = {}
    for variant in variants:
        for pod in variant.pods:
            if pod.node is not None:
                on_node = taken.setdefault(pod.node, {})
                for name, amount in variant.per_replica.items():
                    on_node[name] = on_node.get(name, 0.0) + amount
    return taken


def _is_usable(node: Node) -> bool:
    return node.ready and node.schedulable


def _free(node: Node, taken: Mapping[str, float]) -> Free:
    return {
        name: amount - node.foreign_requests.get(name, 0.0) - taken.get(name, 0.0)
        for name, amount in node.allocatable.items()
    }


def _fits(free: Mapping[str, float], replica: Resources) -> bool:
    return bool(replica) and all(
        free.get(name, 0.0) >= amount - _ROUNDING * amount for name, amount in replica.items() if amount > 0
    )


def _put(free: Free, replica: Resources) -> None:
    for name, amount in replica.items():
        free[name] = free.get(name, 0.0) - amount
