"""How much of what is ready is kept for a rise that has come before, and for how long?

In: a ``Situation``. Out: the `Standby` to remember; what follows from it stands in ``Situation.floor_rps``. A
rise that no forecast saw coming and that no replica is quick enough for is violated requests until new ones are ready;
whether it comes again nobody knows. So what is ready is kept for as long as its idling has cost no more than the rise
did, by the policy's price of a violation: whatever comes, that is at most twice what somebody would have paid who knew
(the ski rental problem: Karlin, Manasse, Rudolph and Sleator 1988). When demand is that high again and finds capacity,
keeping it was worth it, and the time begins anew. The plan knows nothing of it: nothing is started for a rise that may
not come, and nobody who needs the room is short for it. Design section 6.
"""

from collections.abc import Mapping
from dataclasses import replace

from plimsoll.domain import (
    Allocation,
    Deployment,
    ForecastBasis,
    Mode,
    ObjectKey,
    Snapshot,
    Standby,
)
from plimsoll.rollout.situation import Situation
from plimsoll.rollout.stock_outs import stuck_pods

SHORT_RATIO = 1.25
"""Demand so much above what ready replicas carry is short of capacity; less is within the headroom. Guess."""
AGAIN_RATIO = 0.8
"""Of the rate that capacity is kept for, what must come for it to have been worth it. Guess."""
LONGEST_LOOK_S = 60.0
"""A look stands for no longer than this: what was missing while nobody looked is not known. Guess: a few ticks."""

Standbys = Mapping[ObjectKey, Standby | None]


def known_standby(deployment: Deployment, remembered: Standbys) -> Standby | None:
    """What is remembered, be it that nothing is kept any more; before the first look what the status tells."""
    return remembered.get(deployment.key, deployment.told.standby)


def contested_pools(snapshot: Snapshot, allocation: Allocation) -> Mapping[str, frozenset[ObjectKey]]:
    """By pool the deployments that are short of its room, planned or waiting for a node."""
    found: dict[str, set[ObjectKey]] = {}
    for deployment in snapshot.deployments:
        short = deployment.key in allocation.shortfall_rps
        for variant in deployment.variants:
            if short or stuck_pods(variant):
                found.setdefault(variant.pool, set()).add(deployment.key)
    return {pool: frozenset(keys) for pool, keys in found.items()}


def gives_room(deployment: Deployment, contested: Mapping[str, frozenset[ObjectKey]]) -> bool:
    """Whether another deployment is short of room in a pool that this one uses: then nothing idles in it."""
    return any(contested.get(v.pool, frozenset()) - {deployment.key} for v in deployment.variants if v.replicas > 0)


def next_standby(situation: Situation) -> Standby | None:
    """What to remember of this look; None once nothing is kept any more."""
    policy, last = situation.deployment.policy, situation.standby
    if policy.longest_standby_s <= 0.0 or policy.violation_usd_per_million_requests <= 0.0:
        return None
    if situation.forecast.basis is not ForecastBasis.KNOWN:
        # Of a time that nobody saw nothing is learned, and nothing is forgotten.
        return None if last is None else replace(last, at_s=situation.now_s)
    following = _following(situation)
    return None if following is None else replace(following, at_s=situation.now_s)


def _following(situation: Situation) -> Standby | None:
    """The same of a time that was seen."""
    last, now_s, seen_rps = situation.standby, situation.now_s, situation.forecast.surely_rps
    policy = situation.deployment.policy
    missing_rps = _missing_rps(situation, seen_rps)
    if last is None:
        return Standby(seen_rps, 0.0, now_s) if missing_rps > 0.0 else None
    looked_s = 0.0 if last.at_s is None else min(max(0.0, now_s - last.at_s), LONGEST_LOOK_S)
    if missing_rps > 0.0:
        usd = missing_rps * looked_s * policy.violation_usd_per_million_requests / 1e6
        return Standby(max(seen_rps, last.rate_rps), last.worth_usd + usd, now_s)
    if last.needed_s is None or seen_rps >= AGAIN_RATIO * last.rate_rps:
        return replace(last, needed_s=now_s, idled_usd=0.0)
    idled_usd = last.idled_usd + _idle_usd_per_hour(situation) * looked_s / 3600.0
    # After a clock was set back the end is still to come.
    needed_s = min(last.needed_s, now_s)
    if idled_usd >= last.worth_usd or now_s - needed_s >= policy.longest_standby_s:
        return None
    return replace(last, needed_s=needed_s, idled_usd=idled_usd)


def _missing_rps(situation: Situation, seen_rps: float) -> float:
    """Demand above what is ready. Where nothing is ready it is no rise, and what overflows is served elsewhere."""
    deployment, ready_rps = situation.deployment, situation.ready_now_rps
    if deployment.mode is not Mode.AUTO or deployment.overflow_price is not None or ready_rps <= 0.0:
        return 0.0
    return seen_rps - ready_rps if seen_rps > SHORT_RATIO * ready_rps else 0.0


def _idle_usd_per_hour(situation: Situation) -> float:
    """Price of what is ready beyond the plan."""
    return sum(
        max(0, variant.staying_ready_replicas - situation.wanted[variant.key]) * situation.slot_usd_per_hour(variant)
        for variant in situation.deployment.variants
    )
