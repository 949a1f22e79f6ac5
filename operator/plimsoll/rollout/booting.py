"""For how many replicas are nodes booted now? For those that a plan has wanted for a while, or a need that has stood.

In: a ``Situation`` and one of its variants. Out: a count. A burst that enters a rate, or an estimate that becomes a
simulation, makes plans of a single look; a node that is booted for one is paid for until it has been empty for ten
minutes. A need that has stood waits for nothing, however often the plan changes what it is met with, and neither does
what takes the place of replicas that are lost or wait in vain. Design section 6.
"""

from plimsoll.domain import Variant
from plimsoll.rollout.situation import PASSING_S, ROUNDING, Situation, current_counts
from plimsoll.rollout.stabilization import lowest, moments, standing_at

WAIT_RATIO = 0.25
"""Of the lead time, which is waited for at most: where nodes boot in seconds, seconds count. Guess."""


def boot_wait_s(situation: Situation, variant: Variant) -> float:
    """For how long more of the variant must have been wanted before nodes are booted for them, in seconds.

    0 where none is booted, or none that is paid for, and where something is in a hurry.
    """
    pool = situation.pools.get(variant.pool)
    if pool is None or not variant.boots:
        return 0.0
    buys = pool.marginal_price_usd_per_hour > 0.0 and len(pool.nodes) < pool.max_nodes
    return min(PASSING_S, WAIT_RATIO * variant.lead_s) if buys and not _is_urgent(situation) else 0.0


def count_to_boot_for(situation: Situation, variant: Variant, to: int) -> int:
    """How many of the `to` replicas that are wanted now were wanted all the time, or are needed for what was.

    All of them where nothing has to be waited for.
    """
    wait_s, asked = boot_wait_s(situation, variant), current_counts(situation.deployment)
    if wait_s <= 0.0:
        return to
    need_rps = _lowest_planned_rps(situation, wait_s)
    count = max(variant.replicas, lowest(situation.histories[variant.key], situation.now_s, wait_s))
    while count < to and situation.carried_rps({**asked, variant.key: count}) < need_rps:
        count += 1
    return min(count, to)


def _is_urgent(situation: Situation) -> bool:
    """Whether nothing serves, or some of what is asked for is about to go, or waits for a pool that is sold out."""
    if situation.ready_replicas(current_counts(situation.deployment)) == 0:
        return True
    return any(
        variant.leaving_replicas or situation.waiting_in_vain(variant) for variant in situation.deployment.variants
    )


def _lowest_planned_rps(situation: Situation, window_s: float) -> float:
    """What every plan of that time would carry, in whatever variants."""
    times = {at_s for history in situation.histories.values() for at_s in moments(history, situation.now_s, window_s)}
    planned_rps = (
        situation.carried_rps({key: standing_at(one, at_s) for key, one in situation.histories.items()})
        for at_s in times
    )
    return min(planned_rps) * (1.0 - ROUNDING)
