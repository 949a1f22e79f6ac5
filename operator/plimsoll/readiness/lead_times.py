"""From asking for a replica until it is ready: how long, by what was seen, else by what profile and pool say.

In: a snapshot and the start-ups that were seen. Out: the snapshot with a `LeadTime` in every variant. A start on a node
that is there and one that has to wait for a node are kept apart: which of them it will be follows from the free room.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from math import ceil

from plimsoll.domain import NO_START_UPS, LeadTime, Pool, Snapshot, StartUps, Variant
from plimsoll.readiness.free_room import FreeRoom

LEAD_QUANTILE = 0.9
"""Of the start-ups that were seen. Convention: as careful as the default forecast."""


def with_lead_times(snapshot: Snapshot, seen: StartUps = NO_START_UPS) -> Snapshot:
    """The snapshot in which every variant knows its lead time; those that know it already keep it.

    Args:
        snapshot: pools with their nodes, variants with their pods.
        seen: start-ups of this and earlier ticks.
    """
    if all(variant.lead is not None for deployment in snapshot.deployments for variant in deployment.variants):
        return snapshot
    pools, room = {pool.name: pool for pool in snapshot.pools}, _Rooms(snapshot)

    def with_lead(variant: Variant) -> Variant:
        if variant.lead is not None:
            return variant
        return replace(variant, lead=_lead_time(variant, pools, room, seen))

    deployments = tuple(
        replace(deployment, variants=tuple(with_lead(variant) for variant in deployment.variants))
        for deployment in snapshot.deployments
    )
    return replace(snapshot, deployments=deployments)


class _Rooms:
    """Whether a present node has room, each question answered once."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._free = FreeRoom(snapshot)
        self._known: dict[tuple[str, frozenset[tuple[str, float]]], bool] = {}

    def has_room(self, variant: Variant) -> bool:
        key = (variant.pool, frozenset(variant.per_replica.items()))
        if key not in self._known:
            self._known[key] = self._free.has_room(variant.pool, variant.per_replica)
        return self._known[key]


def _lead_time(variant: Variant, pools: Mapping[str, Pool], rooms: _Rooms, seen: StartUps) -> LeadTime:
    pool, done = pools.get(variant.pool), seen.done.get(variant.key, ())
    on_node = [start.seconds for start in done if not start.waited_for_node]
    with_node = [start.seconds for start in done if start.waited_for_node]
    on_node_s, with_node_s = _quantile_s(on_node), _quantile_s(with_node)
    start_s = variant.profile.startup_s if on_node_s is None else on_node_s
    lead = LeadTime(start_s, len(on_node), seen_on_node_s=on_node_s, seen_with_node_s=with_node_s)
    if pool is None or pool.provisioning_s <= 0.0 or rooms.has_room(variant):
        return lead
    if with_node_s is None:
        return replace(lead, seconds=start_s + pool.provisioning_s, boots=True)
    return replace(lead, seconds=with_node_s, observed=len(with_node), boots=True)


def _quantile_s(seconds: Sequence[float]) -> float | None:
    """By nearest rank, so that it is one that happened; None of none."""
    return sorted(seconds)[ceil(LEAD_QUANTILE * len(seconds)) - 1] if seconds else None
