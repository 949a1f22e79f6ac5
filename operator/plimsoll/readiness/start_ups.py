"""How long did the last pods of each variant take from creation to ready?

In: a snapshot, and what was remembered; a status tells it where nothing is. Out: the last start-ups by variant. Only a
pod whose start was watched counts: one that is ready at first sight may have been ready, failed and become ready again.
A pod that waited for a node for longer than its pool needs to deliver one tells of a stock-out, not of a start.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from plimsoll.domain import Pod, Pool, Snapshot, StartUp, StartUps, Variant, VariantKey

REMEMBERED = 20
"""Start-ups by variant: enough for a p90, few enough to follow a new image. Guess."""

_CLOCKS_DIFFER_S = 5.0
"""By how much the API server's clock and ours may differ. Guess; times of pods are in whole seconds besides."""


def remember_start_ups(snapshot: Snapshot, before: StartUps) -> StartUps:
    """The start-ups seen so far, the last `REMEMBERED` of each variant.

    Args:
        snapshot: pods as they are now.
        before: as returned at the last tick; an empty one after a restart.
    """
    pools = {pool.name: pool for pool in snapshot.pools}
    node_created_s = {node.name: node.created_s for pool in snapshot.pools for node in pool.nodes}
    starting: dict[VariantKey, frozenset[str]] = {}
    done: dict[VariantKey, tuple[StartUp, ...]] = {}
    for deployment in snapshot.deployments:
        for variant in deployment.variants:
            pool = pools.get(variant.pool)
            if names := frozenset(_starting(variant, pool, before, snapshot.now_s)):
                starting[variant.key] = names
            known = before.done.get(variant.key) or deployment.told.start_ups.get(variant.name, ())
            new = tuple(_done(variant, before, node_created_s))
            if known or new:
                done[variant.key] = (*known, *new)[-REMEMBERED:] if new else known
    return replace(before, at_s=snapshot.now_s, starting=starting, done=done)


def _starting(variant: Variant, pool: Pool | None, before: StartUps, now_s: float) -> Iterable[str]:
    watched = before.starting.get(variant.key, frozenset())
    since_s = (now_s if before.at_s is None else before.at_s) - _CLOCKS_DIFFER_S
    for pod in variant.pods:
        is_new = pod.name in watched or pod.created_s >= since_s
        if is_new and not pod.ready and not pod.terminating and not _waits_in_vain(pod, pool, now_s):
            yield pod.name


def _done(variant: Variant, before: StartUps, node_created_s: Mapping[str, float]) -> Iterable[StartUp]:
    watched = before.starting.get(variant.key, frozenset())
    for pod in variant.pods:
        # Created and ready between two ticks counts, too.
        seen = pod.name in watched or (before.at_s is not None and pod.created_s >= before.at_s)
        if seen and pod.ready and pod.ready_since_s is not None and pod.node is not None:
            booted = node_created_s.get(pod.node, pod.created_s) > pod.created_s
            yield StartUp(max(0.0, pod.ready_since_s - pod.created_s), booted)


def _waits_in_vain(pod: Pod, pool: Pool | None, now_s: float) -> bool:
    since_s = pod.unschedulable_since_s
    return since_s is not None and pool is not None and now_s - since_s > pool.patience_s
