"""Which changes of one deployment are safe right now? Up at once where no node is booted; down only what is not missed.

In: a deployment as it is, its forecast, options, wanted replicas and their history. Out: for every variant the count
to write, and why it is not (yet) the wanted one. Computed afresh each tick from what is observed, so that a restart in
the middle of a move goes on where it stands. Design section 6.

The rule for going down: after the step, sum over variants of total_rps(min(ready, new)) >= the rate that is expected,
or, for a deployment that gives way, the part of it that the plan covers. Replicas that are not ready count for nothing,
and the last ready one stays as long as any is wanted. Behind a plain Service it must hold at the worst moment until all
are ready, and the same rule holds for going up: ``equal_shares``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from plimsoll.domain import ForecastBasis, Mode, Variant, VariantKey
from plimsoll.readiness import FreeRoom
from plimsoll.rollout.booting import count_to_boot_for
from plimsoll.rollout.bridges import NO_BRIDGE, Bridge, plan_bridge
from plimsoll.rollout.deletion_order import takes_unready_first
from plimsoll.rollout.disruption import Disruption
from plimsoll.rollout.equal_shares import least_rps, slows_others_down
from plimsoll.rollout.situation import Situation, current_counts, movable, ready_after
from plimsoll.rollout.stabilization import highest, known_for_s, lowest
from plimsoll.rollout.voluntary import only_cheaper, settling_s


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds one variant back from going down, next to capacity."""

    window_full: bool
    highest: int
    """The highest count wanted within the window."""


def next_counts(
    situation: Situation, room: Callable[[], FreeRoom], disruption: Disruption
) -> tuple[dict[VariantKey, int], Bridge]:
    """By variant the count to write now, the present one where nothing is to be written; and what bridges.

    Args:
        situation: of one deployment.
        room: what the plan leaves free; asked only where something is missing.
        disruption: what PodDisruptionBudgets allow; steps down spend it.
    """
    present = current_counts(situation.deployment)
    if situation.deployment.mode is Mode.PAUSED:
        return present, NO_BRIDGE
    counts = _ups(situation, present, settled_up)
    if situation.forecast.basis is not ForecastBasis.KNOWN:
        return counts, NO_BRIDGE
    # What is asked for in a moment is as good as asked for: it ends the gap.
    planned, most = _ups(situation, present, allowed_up), situation.deployment.policy.max_scale_up_replicas_per_tick
    left = most - sum(counts.values()) + sum(present.values())
    bridge = plan_bridge(situation, planned, room, left)
    for key, span in bridge.built.items():
        # What bridges comes on top of what is planned of the same variant, which then waits no longer.
        more = min(left, planned[key] - counts[key] + span.replicas)
        counts[key] += more
        left -= more
    counts = _withdrawn(situation, counts)
    return _downs(situation, counts, disruption), bridge


def limits_down(situation: Situation, variant: Variant) -> Limits:
    """What the stabilisation window says about going down."""
    window_s = situation.deployment.policy.scale_down_stabilization_s
    history = situation.histories[variant.key]
    return Limits(
        window_full=known_for_s(history, situation.now_s) >= window_s,
        highest=highest(history, situation.now_s, window_s),
    )


def allowed_up(situation: Situation, variant: Variant) -> int:
    """The count that may be gone up to: what has been wanted throughout the window for going up."""
    history, window_s = situation.histories[variant.key], up_window_s(situation, variant)
    stable = lowest(history, situation.now_s, window_s)
    if only_cheaper(situation) and known_for_s(history, situation.now_s) < window_s:
        stable = variant.replicas
    if situation.keeps_for_next_rise:
        # More than enough is ready and stays: what is planned in its place would be paid for beside it.
        stable = min(stable, variant.replicas)
    return max(variant.min_replicas, min(situation.wanted[variant.key], stable))


def settled_up(situation: Situation, variant: Variant) -> int:
    """The count that is gone up to now: what is allowed, without what would boot a node for a passing plan."""
    return max(variant.min_replicas, count_to_boot_for(situation, variant, allowed_up(situation, variant)))


def with_replacements(variant: Variant, wanted: int) -> int:
    """The count at which so many are left once the pods on nodes that are about to go are gone."""
    return min(wanted + variant.leaving_replicas, max(wanted, variant.max_replicas))


def up_window_s(situation: Situation, variant: Variant) -> float:
    """For how long more replicas of a variant must have been wanted before they are asked for, in seconds."""
    window_s = situation.deployment.policy.scale_up_stabilization_s
    return max(window_s, settling_s(situation, variant)) if only_cheaper(situation) else window_s


def _ups(
    situation: Situation, counts: dict[VariantKey, int], allowed: Callable[[Situation, Variant], int]
) -> dict[VariantKey, int]:
    left = situation.deployment.policy.max_scale_up_replicas_per_tick
    counts = dict(counts)
    for variant in sorted(movable(situation), key=lambda v: (v.lead_s, v.key)):
        if with_replacements(variant, max(situation.wanted[variant.key], variant.min_replicas)) <= variant.replicas:
            continue
        if slows_others_down(situation, variant):
            continue
        to = with_replacements(variant, allowed(situation, variant))
        more = min(left, max(0, to - variant.replicas))
        counts[variant.key] += more
        left -= more
    return counts


def _withdrawn(situation: Situation, counts: dict[VariantKey, int]) -> dict[VariantKey, int]:
    """Takes back replicas that wait for a sold-out pool, once others are asked for in their place."""
    replaced = situation.shortfall_rps <= 0 and all(
        counts[variant.key] >= situation.wanted[variant.key] for variant in movable(situation)
    )
    if not replaced:
        return counts
    counts = dict(counts)
    for variant in movable(situation):
        stuck = len(situation.waiting_in_vain(variant))
        to = max(situation.wanted[variant.key], variant.min_replicas, variant.replicas - stuck)
        if to < variant.replicas and ready_after(variant, to) == ready_after(variant, variant.replicas):
            counts[variant.key] = to
    return counts


def _downs(situation: Situation, counts: dict[VariantKey, int], disruption: Disruption) -> dict[VariantKey, int]:
    left = situation.deployment.policy.max_scale_down_replicas_per_tick
    left -= sum(max(0, variant.replicas - counts[variant.key]) for variant in situation.deployment.variants)
    for variant in sorted(movable(situation), key=lambda v: _leaving_order(situation, v)):
        limits = limits_down(situation, variant)
        if not limits.window_full or situation.wanted[variant.key] >= variant.replicas:
            continue
        low = max(situation.wanted[variant.key], limits.highest, variant.min_replicas, counts[variant.key] - left)
        to = _lowest_safe(situation, counts, variant, low, disruption.allowed(variant))
        if situation.deployment.mode is Mode.AUTO:
            disruption.spend(variant, ready_gone(variant, to))
        left -= counts[variant.key] - to
        counts = {**counts, variant.key: to}
    return counts


def _lowest_safe(
    situation: Situation, counts: Mapping[VariantKey, int], variant: Variant, low: int, allowed: int | None
) -> int:
    for to in range(low, counts[variant.key]):
        spared = allowed is None or ready_gone(variant, to) <= allowed
        if spared and is_safe(situation, {**counts, variant.key: to}):
            return to
    return counts[variant.key]


def ready_gone(variant: Variant, to: int) -> int:
    """How many ready pods go at most when the target is set to `to`."""
    ready = min(variant.ready_replicas, variant.replicas)
    kept = min(ready, to) if takes_unready_first(variant) else max(0, ready - max(0, variant.replicas - to))
    return ready - kept


def is_safe(situation: Situation, counts: Mapping[VariantKey, int]) -> bool:
    """True when ready replicas go on carrying the demand at `counts`, and what is kept for the next rise."""
    return leaves_rps(situation, counts, situation.floor_rps)


def leaves_rps(situation: Situation, counts: Mapping[VariantKey, int], rate_rps: float) -> bool:
    """True when ready replicas carry that rate at `counts`, and one is left where any is wanted."""
    served = situation.ready_replicas(current_counts(situation.deployment)) > 0
    wants_any = any(situation.wanted[variant.key] > 0 for variant in situation.deployment.variants)
    if served and wants_any and situation.ready_replicas(counts) == 0:
        return False
    return least_rps(situation, counts) >= rate_rps


def _leaving_order(situation: Situation, variant: Variant) -> tuple[bool, float, VariantKey]:
    """Variants that leave altogether first, then those on dear nodes."""
    pool = situation.pools.get(variant.pool)
    price = pool.marginal_price_usd_per_hour if pool else 0.0
    return situation.wanted[variant.key] > 0, -price, variant.key
