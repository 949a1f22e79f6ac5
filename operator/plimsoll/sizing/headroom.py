"""How much of a replica's safe rate is left unused? Less, once requests have shown that the rate is right.

In: a policy, what was learned of a profile. Out: the share to keep free. Headroom covers what nobody knows of an engine
before it has served: how far its profile is off, and what its latencies are near its limit. Requests under load tell
both, and the correction (``online_truth``) takes in what they tell; what remains for the policy's other figure to cover
is what changes from one minute to the next. Quarter by quarter, so that safe rates stay the same most of the time.
"""

from collections.abc import Mapping

from plimsoll.domain import Correction, Policy, PriceKind, Snapshot, VariantKey

Confirmed = Mapping[VariantKey, float]
"""How far requests have confirmed the profile of each variant: 0 to 1; not at all where it is absent."""
NOT_CONFIRMED: Confirmed = {}

CONFIRMING_LOAD_RATIO = 0.4
"""Load, as a share of the safe rate, from which latencies tell of the safe rate. A guess."""
CONFIRMED_AFTER_S = (120.0, 300.0, 600.0, 1200.0)
"""Time under such load after each quarter. After one time constant of the correction (1800 s) a third of the profile's
error is not in it yet, after two an eighth."""


def confirmed_ratio(found: Correction) -> float:
    """How far requests have confirmed a profile as it is corrected: 0 to 1; one that has drifted is not confirmed."""
    if found.drifted:
        return 0.0
    return sum(found.loaded_s >= after_s for after_s in CONFIRMED_AFTER_S) / len(CONFIRMED_AFTER_S)


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
    quarters = (
        round(len(CONFIRMED_AFTER_S) * (policy.headroom_ratio - headroom) / shrinks_by) if shrinks_by > 0.0 else 0
    )
    return (0.0, *CONFIRMED_AFTER_S)[min(max(quarters, 0), len(CONFIRMED_AFTER_S))]


def headroom_ratio(policy: Policy, confirmed: float) -> float:
    """Share of the safe rate that is left unused: from the policy's headroom down to its confirmed one."""
    return policy.headroom_ratio - confirmed * max(0.0, policy.headroom_ratio - policy.confirmed_headroom_ratio)
