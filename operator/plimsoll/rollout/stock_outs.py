"""Which pools are sold out? Pods that wait for a node for longer than the pool needs to deliver one say so, and spot
nodes of which several are taken back at once.

In: the snapshot and the marks of the last tick. Out: marks by pool. A mark caps the pool in planning until it ends;
every new failure doubles the wait, a delivered node clears it. Marks that have ended stay a while, unheeded, so that
the next failure knows that it is not the first. Design section 6.
"""

from collections.abc import Iterable, Mapping, Sequence

from plimsoll.domain import Memory, Pod, Pool, PriceKind, Snapshot, StockOut, Variant

FIRST_WAIT_S = 300.0
LONGEST_WAIT_S = 3600.0
"""First and longest time until the pool is asked again. Guess: stock-outs of GPUs last minutes to hours."""

TAKEN_BACK, TAKEN_BACK_RATIO = 2, 0.25
"""Spot nodes with pods of ours that are about to go at the same time, and their share of the pool, from which the pool
counts as sold out: who takes several back has none to give. Guess; Karpenter asks elsewhere after a single one (its
interruption controller marks the offering as unavailable for three minutes)."""


def mark_stock_outs(snapshot: Snapshot, memory: Memory) -> Mapping[str, StockOut]:
    """Marks by pool name; one whose `until_s` has passed no longer caps its pool.

    Args:
        snapshot: pools with their nodes, variants with their pods.
        memory: of the last tick; when it is empty (a restart), the marks in the pools' status count.
    """
    marks: dict[str, StockOut] = {}
    for pool in snapshot.pools:
        variants = [v for d in snapshot.deployments for v in d.variants if v.pool == pool.name]
        mark = _mark(pool, variants, _previous(pool, memory), snapshot.now_s)
        if mark is not None:
            marks[pool.name] = mark
    return marks


def stuck_pods(variant: Variant) -> tuple[Pod, ...]:
    """Pods that the scheduler finds no place for."""
    return tuple(
        pod
        for pod in variant.pods
        if pod.unschedulable_since_s is not None and pod.node is None and not pod.terminating and not pod.ready
    )


def _previous(pool: Pool, memory: Memory) -> StockOut | None:
    fresh_start = not memory.targets and not memory.stock_outs
    if fresh_start and pool.stocked_out_until_s is not None:
        # When it began is not in the status; the first wait before its end is the latest it can have been.
        return StockOut(pool.stocked_out_until_s - FIRST_WAIT_S, pool.stocked_out_until_s, 1)
    return memory.stock_outs.get(pool.name)


def _taken_back(pool: Pool, variants: Iterable[Variant]) -> bool:
    """Whether so many spot nodes go at once that no others are to be had."""
    if pool.price_kind is not PriceKind.SPOT:
        return False
    nodes = {pod.node for variant in variants for pod in variant.pods if pod.leaving and pod.node is not None}
    return len(nodes) >= max(TAKEN_BACK, TAKEN_BACK_RATIO * len(pool.nodes))


def _mark(pool: Pool, variants: Sequence[Variant], previous: StockOut | None, now_s: float) -> StockOut | None:
    if previous is not None and any(node.ready and node.created_s > previous.since_s for node in pool.nodes):
        previous = None
    if previous is not None and now_s < previous.until_s:
        return previous
    waiting_since_s = [
        pod.unschedulable_since_s
        for variant in variants
        for pod in stuck_pods(variant)
        if pod.unschedulable_since_s is not None
    ]
    in_vain = waiting_since_s and now_s - min(waiting_since_s) > pool.patience_s
    # One event marks once: what goes may take its time, and nothing was asked for in vain meanwhile.
    if in_vain or (previous is None and _taken_back(pool, variants)):
        failures = previous.failures + 1 if previous else 1
        wait_s = min(LONGEST_WAIT_S, FIRST_WAIT_S * 2.0 ** (failures - 1))
        return StockOut(now_s, now_s + wait_s, failures)
    if previous is not None and now_s - previous.until_s < LONGEST_WAIT_S:
        return previous
    return None
