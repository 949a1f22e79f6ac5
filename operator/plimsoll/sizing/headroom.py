"""How much of a replica's safe rate is left unused? Less, once requests have shown that the rate is right.

In: a policy, what was learned of a profile. Out: the share to keep free. Headroom covers what nobody knows of an engine
before it has served: how far its profile is off, and what its latencies are near its limit. Requests under load tell
both, and the correction (``online_truth``) takes in what they tell; what remains for the policy's other figure to cover
is what changes from one minute to the next. Quarter by quarter, so that safe rates stay the same most of the time. On
spot nodes it all stays: there it carries, too, what a node leaves behind until the next one boots.
"""

import math
from collections.abc import Mapping

from plimsoll.domain import Correction, Policy, PriceKind, Snapshot, VariantKey

Confirmed = Mapping[VariantKey, float]
"""How far requests have confirmed the profile of each variant: 0 to 1; not at all where it is absent."""
NOT_CONFIRMED: Confirmed = {}

CONFIRMING_LOAD_RATIO = 0.4
"""Load, as a share of the safe rate, from which latencies tell of the safe rate. A guess."""
CONFIRMING_LOG_FACTOR = 0.1
"""A look that may have come from an engine slower than this beyond its correction confirms nothing, however well its
bucket of a histogram agrees."""
QUARTERS = ((120.0, 0.06), (300.0, 0.05), (600.0, 0.04), (1200.0, 0.03))
"""For each quarter of the way: time of such looks, and how much slower than corrected the engine may be by all looks so
far, as a logarithm. An engine 10% slower than it is sized for carries up to a quarter less (see docs/sizing.md): what
the correction does not hold yet, headroom must."""
TIME_CONSTANT_S = 1800.0
"""Of usable time, after which a look's weight in a correction has fallen to 1/e. A guess: minutes are noise, a day is
too late."""


def confirms(load_ratio: float, log_factor_at_most: float) -> bool:
    """Whether a look tells that the engine is hardly slower than it is sized for.

    Args:
        load_ratio: of the safe rate.
        log_factor_at_most: of the slowest engine that it may have come from, over the correction in use.
    """
    return load_ratio >= CONFIRMING_LOAD_RATIO and log_factor_at_most <= CONFIRMING_LOG_FACTOR


def confirmed_ratio(found: Correction) -> float:
    """How far requests have confirmed a profile as it is corrected: 0 to 1; one that has drifted is not confirmed."""
    if found.drifted:
        return 0.0
    unlearned = _unlearned(found)
    return sum(found.loaded_s >= after_s and unlearned <= most for after_s, most in QUARTERS) / len(QUARTERS)


def _unlearned(found: Correction) -> float:
    """Logarithm of how much slower the engine is by all looks so far than the correction in use has it, at least 0."""
    if found.usable_s <= 0.0:
        return 0.0
    return max(0.0, by_all_looks(found.log_factor, found.usable_s) - math.log(found.factor))


def by_all_looks(mean: float, usable_s: float) -> float:
    """A correction's mean without the weight of its start: it began at no deviation, and lacks as much since then."""
    return mean / -math.expm1(-max(usable_s, 1.0) / TIME_CONSTANT_S)


def confirmed_variants(snapshot: Snapshot, corrections: Mapping[str, Correction]) -> Confirmed:
    """How far each variant does with less headroom than a profile that nobody has seen serve."""
    spot = {pool.name for pool in snapshot.pools if pool.price_kind is PriceKind.SPOT}
    return {
        variant.key: confirmed_ratio(corrections[variant.profile.name])
        for deployment in snapshot.deployments
        for variant in deployment.variants
        if variant.pool not in spot
    }


def loaded_s(policy: Policy, headroom: float) -> float:
    """Time under load that a headroom in use stands for: what an earlier process had seen when it told of it."""
    shrinks_by = policy.headroom_ratio - policy.confirmed_headroom_ratio
    quarters = round(len(QUARTERS) * (policy.headroom_ratio - headroom) / shrinks_by) if shrinks_by > 0.0 else 0
    return (0.0, *(after_s for after_s, _ in QUARTERS))[min(max(quarters, 0), len(QUARTERS))]


def headroom_ratio(policy: Policy, confirmed: float) -> float:
    """Share of the safe rate that is left unused: from the policy's headroom down to its confirmed one."""
    return policy.headroom_ratio - confirmed * max(0.0, policy.headroom_ratio - policy.confirmed_headroom_ratio)
