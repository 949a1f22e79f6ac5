"""How long until a replica that is asked for now is ready?

In: a snapshot. Out: a lead time for each variant: its start-up, after the node's boot where no node has room. What
demand will be by then is left to the rest of the station. Design: section 4.
"""

from plimsoll.domain import Node, Pool, Resources, Snapshot, Variant

_ROUNDING = 1e-9
"""Share of a request that may be missing on a node: sums of cores are not exact."""


class LeadTimes:
    """From asking for a replica until it is ready: its start-up, after the node's boot where no node has room."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._pools = {pool.name: pool for pool in snapshot.pools}
        self._taken: dict[str, dict[str, float]] = {}
        self._has_room: dict[tuple[str, tuple[tuple[str, float], ...]], bool] = {}
        for deployment in snapshot.deployments:
            for variant in deployment.variants:
                self._take(variant)

    def of(self, variant: Variant) -> float:
        """Seconds."""
        pool = self._pools.get(variant.pool)
        if pool is None or pool.provisioning_s <= 0.0 or self._room(pool, variant.per_replica):
            return variant.profile.startup_s
        return variant.profile.startup_s + pool.provisioning_s

    def _take(self, variant: Variant) -> None:
        for pod in variant.pods:
            if pod.node is not None:
                taken = self._taken.setdefault(pod.node, {})
                for name, amount in variant.per_replica.items():
                    taken[name] = taken.get(name, 0.0) + amount

    def _room(self, pool: Pool, replica: Resources) -> bool:
        key = (pool.name, tuple(sorted(replica.items())))
        if key not in self._has_room:
            self._has_room[key] = any(self._fits(node, replica) for node in pool.nodes)
        return self._has_room[key]

    def _fits(self, node: Node, replica: Resources) -> bool:
        taken = self._taken.get(node.name, {})
        return (
            node.ready
            and node.schedulable
            and all(
                node.allocatable.get(name, 0.0) - node.foreign_requests.get(name, 0.0) - taken.get(name, 0.0)
                >= amount - _ROUNDING * amount
                for name, amount in replica.items()
            )
        )
