"""Rollout: where we are and where we want to be in, the next safe steps out.

In: the snapshot, forecasts, options, the allocation, stock-outs and what was wanted in past ticks. Out: a ``Rollout``:
steps to write now, targets to remember, what to tell about each variant. Never: what should run (``planning``), writes
(``apply``), clocks or I/O. Design section 6.

The promise: no step of ours takes ready capacity below demand, unless a higher priority or the budget wants it
(``yielding``); no step goes below `min_replicas` or above `max_replicas`; nothing goes down while demand is unknown, or
before the stabilisation window has been watched in full. ``steps`` keeps it, with ``situation``, ``stabilization``,
``voluntary``, ``booting``, ``equal_shares``, ``bridges``, ``standby``, ``timeline``, ``stock_outs``, ``disruption`` and
``deletion_order``; ``reasons`` says it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from plimsoll.domain import (
    Allocation,
    Deployment,
    Finding,
    Forecast,
    Memory,
    ObjectKey,
    Option,
    PriceKind,
    Reason,
    Snapshot,
    Standby,
    Step,
    StockOut,
    TargetSample,
    Variant,
    VariantKey,
)
from plimsoll.readiness import FreeRoom, with_lead_times
from plimsoll.rollout.deletion_order import delete_first, pods_by_node
from plimsoll.rollout.disruption import Disruption
from plimsoll.rollout.grace import short_graces
from plimsoll.rollout.reasons import NOT_APPLIED, Told, tell
from plimsoll.rollout.situation import PASSING_S, Situation
from plimsoll.rollout.stabilization import remember
from plimsoll.rollout.standby import contested_pools, gives_room, known_standby, next_standby
from plimsoll.rollout.steps import next_counts
from plimsoll.rollout.stock_outs import mark_stock_outs, stuck_pods
from plimsoll.rollout.yielding import gives_way

__all__ = ["NOT_APPLIED", "Rollout", "mark_stock_outs", "roll_out"]


@dataclass(frozen=True, slots=True)
class Rollout:
    """The next safe steps, and what the next tick must know of this one."""

    steps: tuple[Step, ...]
    targets: Mapping[VariantKey, tuple[TargetSample, ...]]
    """What was wanted within the longest stabilisation window, by variant."""
    findings: tuple[Finding, ...]
    reasons: Mapping[VariantKey, Told]
    """For every variant why it is where it is, and what it waits for."""
    standbys: Mapping[ObjectKey, Standby | None]
    """By deployment what of that which is ready is kept for the next rise."""


def roll_out(
    snapshot: Snapshot,
    forecasts: Mapping[ObjectKey, Forecast],
    options: Mapping[VariantKey, Option],
    allocation: Allocation,
    stock_outs: Mapping[str, StockOut],
    memory: Memory,
) -> Rollout:
    """The steps that are safe at this moment, afresh from what is observed.

    Args:
        snapshot: targets, pods and pools as they are.
        forecasts: one for each deployment.
        options: one for each variant.
        allocation: what the planner wants.
        stock_outs: marks of this tick.
        memory: of the last tick; an empty one means that nothing goes down until a window has passed.
    """
    snapshot = with_lead_times(snapshot)
    on_node, yielding = pods_by_node(snapshot), gives_way(snapshot, allocation)
    pools = {pool.name: pool for pool in snapshot.pools}
    room, disruption = _RoomLeft(snapshot, allocation), Disruption(snapshot)
    steps: list[Step] = []
    findings: list[Finding] = []
    targets: dict[VariantKey, tuple[TargetSample, ...]] = {}
    reasons: dict[VariantKey, Told] = {}
    standbys: dict[ObjectKey, Standby | None] = {}
    known = {one.key: known_standby(one, memory.standbys) for one in snapshot.deployments}
    # A look at every pod, which matters only where something is kept.
    contested = contested_pools(snapshot, allocation) if any(known.values()) else {}
    for deployment in sorted(snapshot.deployments, key=lambda deployment: deployment.key):
        histories = {v.key: _history(deployment, v, allocation, memory, snapshot.now_s) for v in deployment.variants}
        situation = Situation(
            now_s=snapshot.now_s,
            deployment=deployment,
            forecast=forecasts[deployment.key],
            options=options,
            wanted={v.key: allocation.replicas.get(v.key, v.replicas) for v in deployment.variants},
            shortfall_rps=allocation.shortfall_rps.get(deployment.key, 0.0),
            gives_way=deployment.key in yielding,
            histories=histories,
            stock_outs=stock_outs,
            pools=pools,
            overflow_rps=_overflow_rps(allocation, deployment.key),
            planned_usd_per_hour=allocation.usd_per_hour.get(deployment.key, 0.0),
            standby=known[deployment.key],
            gives_room=gives_room(deployment, contested),
        )
        standbys[deployment.key] = next_standby(situation)
        situation = replace(situation, standby=standbys[deployment.key])
        counts, bridge = next_counts(situation, room.left, disruption)
        told = tell(situation, counts, bridge, disruption, allocation.alternatives.get(deployment.key, ()))
        steps += _steps(situation, counts, told, on_node)
        findings += [*_waiting(situation), *short_graces(situation)]
        targets |= histories
        reasons |= told
    return Rollout(steps=tuple(steps), targets=targets, findings=tuple(findings), reasons=reasons, standbys=standbys)


def _overflow_rps(allocation: Allocation, key: ObjectKey) -> float:
    overflow = allocation.overflow.get(key)
    return overflow.rate_rps if overflow is not None else 0.0


class _RoomLeft:
    """What present and future nodes still take once everything that is planned or asked for sits on them."""

    def __init__(self, snapshot: Snapshot, allocation: Allocation) -> None:
        self._snapshot = snapshot
        self._allocation = allocation
        self._room: FreeRoom | None = None

    def left(self) -> FreeRoom:
        if self._room is None:
            self._room = FreeRoom(self._snapshot)
            for variant in (variant for d in self._snapshot.deployments for variant in d.variants):
                asked = max(variant.replicas, self._allocation.replicas.get(variant.key, 0))
                placed = sum(pod.node is not None for pod in variant.pods)
                self._room.take(variant.pool, variant.per_replica, max(0, asked - placed))
        return self._room


def _history(
    deployment: Deployment, variant: Variant, allocation: Allocation, memory: Memory, now_s: float
) -> tuple[TargetSample, ...]:
    policy = deployment.policy
    keep_s = max(policy.scale_down_stabilization_s, policy.scale_up_stabilization_s, PASSING_S)
    wanted = allocation.replicas.get(variant.key, variant.replicas)
    return remember(memory.targets.get(variant.key, ()), now_s, wanted, keep_s)


def _steps(
    situation: Situation,
    counts: Mapping[VariantKey, int],
    told: Mapping[VariantKey, Told],
    on_node: Mapping[str, int],
) -> Iterable[Step]:
    """Ups before downs, as they should be written."""
    changed = [v for v in situation.deployment.variants if counts[v.key] != v.replicas]
    for variant in sorted(changed, key=lambda v: (counts[v.key] < v.replicas, v.key)):
        reason, message = told[variant.key]
        yield Step(
            key=variant.key,
            target=variant.target,
            from_replicas=variant.replicas,
            to_replicas=counts[variant.key],
            reason=reason,
            message=message,
            delete_first=_leaving(situation, variant, counts[variant.key], on_node),
        )


def _leaving(situation: Situation, variant: Variant, to: int, on_node: Mapping[str, int]) -> tuple[str, ...]:
    if to >= variant.replicas:
        return ()
    pool = situation.pools.get(variant.pool)
    gives_back = pool is not None and pool.price_kind is not PriceKind.PAID
    return delete_first(variant, variant.replicas - to, on_node, empties_pay=gives_back)


def _waiting(situation: Situation) -> Iterable[Finding]:
    """One finding for each variant whose pods wait for a pool that is sold out."""
    for variant in situation.deployment.variants:
        stuck = [pod for pod in stuck_pods(variant) if pod.unschedulable_since_s is not None]
        if stuck and situation.is_sold_out(variant):
            since_s = min(pod.unschedulable_since_s or situation.now_s for pod in stuck)
            left_s = situation.stock_outs[variant.pool].until_s - situation.now_s
            message = (
                f"{len(stuck)} pods of {variant.name} have waited up to {situation.now_s - since_s:.0f} s for a node: "
                f"pool {variant.pool} counts as sold out for another {left_s:.0f} s, until then it is planned with "
                "the nodes it has; add a variant on another pool if this happens often"
            )
            yield Finding(situation.deployment.key, Reason.STOCK_OUT, message, variant.name)
