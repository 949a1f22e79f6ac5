"""Is more of a variant needed, or is it only cheaper than what runs?

In: a ``Situation``. Out: whether the plan's new replicas are for capacity, and if not, how long the wish for them must
stand. Demand on its way down passes through rates at which something else is cheapest for a moment; what is only
cheaper is not started for a moment. Design section 6.
"""

from plimsoll.domain import PriceKind, Variant
from plimsoll.rollout.situation import PASSING_S, Situation, current_counts


def only_cheaper(situation: Situation) -> bool:
    """True where what is asked for already carries what is expected, and something leaves for what is new."""
    counts = current_counts(situation.deployment)
    leaves = any(situation.wanted[key] < count for key, count in counts.items())
    # The forecast's rate, not the part of it that a deployment which gives way is left with.
    covered = situation.shortfall_rps <= 0.0 and situation.asked_rps >= situation.need_rps
    return leaves and covered and not _hangs_on_spot(situation)


def settling_s(situation: Situation, variant: Variant) -> float:
    """For how long a wish that is only cheaper must stand before its replicas are asked for, in seconds.

    What they replace may leave when it has not been wanted for the policy's window: they are ready just then, so that
    no overlap is paid for in vain.
    """
    return max(PASSING_S, situation.deployment.policy.scale_down_stabilization_s - variant.lead_s)


def _hangs_on_spot(situation: Situation) -> bool:
    """True where the loss of one spot pool would take more than the policy tolerates."""
    kept_ratio = 1.0 - situation.deployment.policy.spot_loss_tolerated_ratio
    spot = {name for name, pool in situation.pools.items() if pool.price_kind is PriceKind.SPOT}
    used = {variant.pool for variant in situation.deployment.variants if variant.replicas > 0}
    return any(situation.asked_rps_without(name) < kept_ratio * situation.need_rps for name in spot & used)
