"""How much capacity is kept for a rise that has come before, and for how long?

In: demand, what ready replicas carry, the price of the plan. Out: by deployment a `Standby`: the rate that came when
capacity was short, and what that cost. A rise that no forecast saw coming and that no replica is quick enough for is
violated requests until new ones are ready; whether it comes again nobody knows. So capacity is kept for as long as its
idling has cost no more than the rise did, by the policy's price of a violation: whatever comes, that is at most twice
what somebody would have paid who knew (the ski rental problem: Karlin, Manasse, Rudolph and Sleator 1988). When demand
is that high again and finds capacity, keeping it was worth it, and the time begins anew. Design section 6.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from plimsoll.domain import (
    Deployment,
    Forecast,
    ForecastBasis,
    ObjectKey,
    Option,
    Snapshot,
    Standby,
    VariantKey,
    carried_rps,
)

SHORT_RATIO = 1.25
"""Demand so much above what ready replicas carry is short of capacity; less is within the headroom. Guess."""
AGAIN_RATIO = 0.8
"""Of the rate that capacity is kept for, what must come for it to have been worth it. Guess."""
LEAST_USD = 0.01
"""What cost less is not told and not kept for. Guess: a cent."""

Standbys = Mapping[ObjectKey, Standby]


def known_standbys(snapshot: Snapshot, remembered: Standbys) -> Standbys:
    """By deployment what is remembered, else what its status tells, as after a restart."""
    found = {one.key: remembered.get(one.key) or one.told.standby for one in snapshot.deployments}
    return {key: standby for key, standby in found.items() if standby is not None}


def with_standbys(
    snapshot: Snapshot,
    forecasts: Mapping[ObjectKey, Forecast],
    options: Mapping[VariantKey, Option],
    standbys: Standbys,
) -> Mapping[ObjectKey, Forecast]:
    """The forecasts with what is kept of the capacity that is ready; nothing is started for a rise that may not come.

    Args:
        snapshot: of this tick.
        forecasts: what is expected.
        options: what replicas carry, headroom taken off.
        standbys: what capacity is kept for.
    """
    deployments = {one.key: one for one in snapshot.deployments}
    kept = {
        key: _with(forecasts[key], standby, _ready_rps(deployments[key], options))
        for key, standby in standbys.items()
        if standby.worth_usd >= LEAST_USD and forecasts[key].basis is ForecastBasis.KNOWN
    }
    return {**forecasts, **kept}


def _with(forecast: Forecast, standby: Standby, ready_rps: float) -> Forecast:
    kept = replace(forecast, standby=standby, standby_rps=min(standby.rate_rps, ready_rps))
    if kept.required_rps <= forecast.expected_rps or standby.needed_s is None:
        return kept
    at = datetime.fromtimestamp(standby.needed_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    message = (
        f"{forecast.message}; what is ready for {kept.standby_rps:.2f} req/s is kept, as the rise to "
        f"{standby.rate_rps:.2f} req/s that ended at {at} found no capacity: that cost {standby.worth_usd:.2f} USD by "
        "the policy's price of violations, and idling may cost as much"
    )
    return replace(kept, message=message)


def remember_standbys(
    snapshot: Snapshot,
    forecasts: Mapping[ObjectKey, Forecast],
    options: Mapping[VariantKey, Option],
    usd_per_hour: Mapping[ObjectKey, float],
    before: Standbys,
) -> Standbys:
    """By deployment what capacity is kept for from now on.

    Args:
        snapshot: of this tick.
        forecasts: of this tick, with what was kept until now.
        options: what replicas carry, headroom taken off.
        usd_per_hour: price of each deployment's part of the plan.
        before: as returned at the last tick, or what is known of the time before the first one.
    """
    found: dict[ObjectKey, Standby] = {}
    for deployment in snapshot.deployments:
        forecast, last = forecasts[deployment.key], before.get(deployment.key)
        following = last
        if forecast.basis is ForecastBasis.KNOWN:
            # Of a time that nobody saw nothing is learned, and nothing is forgotten.
            seen_rps, ready_rps = forecast.surely_rps, _ready_rps(deployment, options)
            missing_rps = seen_rps - ready_rps if seen_rps > SHORT_RATIO * ready_rps else 0.0
            usd = usd_per_hour.get(deployment.key, 0.0)
            following = _following(deployment, forecast, missing_rps, usd, last, snapshot.now_s)
        if following is not None:
            found[deployment.key] = replace(following, at_s=snapshot.now_s)
    return found


def _ready_rps(deployment: Deployment, options: Mapping[VariantKey, Option]) -> float:
    fleet = ((options[one.key].capacity, one.ready_replicas) for one in deployment.variants)
    return carried_rps(deployment.routing, fleet)


def _following(
    deployment: Deployment,
    forecast: Forecast,
    missing_rps: float,
    usd_per_hour: float,
    last: Standby | None,
    now_s: float,
) -> Standby | None:
    seen_rps = forecast.surely_rps
    if deployment.policy.longest_standby_s <= 0.0:
        return None
    if last is None:
        return Standby(seen_rps, 0.0, now_s) if missing_rps > 0.0 else None
    if missing_rps > 0.0:
        passed_s = 0.0 if last.at_s is None else max(0.0, now_s - last.at_s)
        usd = missing_rps * passed_s * deployment.policy.violation_usd_per_million_requests / 1e6
        return Standby(max(seen_rps, last.rate_rps), last.worth_usd + usd, now_s)
    if last.needed_s is None or seen_rps >= AGAIN_RATIO * last.rate_rps:
        return replace(last, needed_s=now_s)
    idle_ratio = 1.0 - forecast.expected_rps / forecast.required_rps if forecast.required_rps > 0.0 else 0.0
    idle_s = now_s - last.needed_s
    pays = usd_per_hour * idle_ratio * idle_s / 3600.0 < last.worth_usd and idle_s < deployment.policy.longest_standby_s
    return last if pays else None
