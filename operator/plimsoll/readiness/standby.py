"""How much capacity is kept for a rise that has come before, and for how long?

In: demand, what ready replicas carry, the price of the plan. Out: by deployment a `Standby`: the rate that came when
capacity was short, and what may still be spent on being ready for it. A rise that no forecast saw and that no replica
can follow is violated requests until new ones are ready; whether it comes again nobody knows. So idle capacity is kept
for as long as it costs no more than the last rise did, by the policy's price of a violation: whatever comes, that is at
most twice what would have been paid by somebody who knew (the ski rental problem: Karlin, Manasse, Rudolph and Sleator
1988). When the rate comes again and finds capacity, it has been worth it, and the time begins anew.
"""

from collections.abc import Mapping
from dataclasses import replace

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
"""Demand so much above what ready replicas carry is short of capacity: less is within the headroom. Guess."""
AGAIN_RATIO = 0.8
"""Of the rate it is kept for, that must come to have been worth it. Guess."""
LONGEST_S = 7200.0
"""Without that: it may cost nothing on nodes that are paid for, but they are wanted by others, too. Guess."""

Standbys = Mapping[ObjectKey, Standby]


def with_standbys(forecasts: Mapping[ObjectKey, Forecast], standbys: Standbys) -> Mapping[ObjectKey, Forecast]:
    """Forecasts that ask for what is kept, where that is more than what is expected."""
    return {
        key: _with(forecast, standbys[key]) if key in standbys and standbys[key].left_usd > 0.0 else forecast
        for key, forecast in forecasts.items()
    }


def _with(forecast: Forecast, standby: Standby) -> Forecast:
    if forecast.basis is not ForecastBasis.KNOWN or forecast.required_rps >= standby.rate_rps:
        return forecast
    message = (
        f"{forecast.message}; capacity for {standby.rate_rps:.2f} req/s is kept, as a rise to that found none, which "
        f"cost {standby.worth_usd:.2f} USD of violations: until as much has been spent on idling, {standby.left_usd:.2f} "
        "USD from now"
    )
    return replace(forecast, standby_rps=standby.rate_rps, message=message)


def remember_standbys(
    snapshot: Snapshot,
    forecasts: Mapping[ObjectKey, Forecast],
    options: Mapping[VariantKey, Option],
    usd_per_hour: Mapping[ObjectKey, float],
    before: Standbys,
) -> Standbys:
    """By deployment what is kept from now on; those that were never short, or have spent it, are not in it.

    Args:
        snapshot: of this tick.
        forecasts: with what was kept until now.
        options: what replicas carry, headroom taken off.
        usd_per_hour: price of each deployment's part of the plan.
        before: as returned at the last tick.
    """
    found: dict[ObjectKey, Standby] = {}
    for deployment in snapshot.deployments:
        forecast, last = forecasts[deployment.key], before.get(deployment.key)
        if forecast.basis is not ForecastBasis.KNOWN:
            # Nothing is learned of a time that nobody saw, and nothing is forgotten.
            following = None if last is None else replace(last, at_s=snapshot.now_s)
        else:
            missing_rps = _missing_rps(deployment, forecast, options)
            following = _following(deployment, forecast, missing_rps, usd_per_hour, last, snapshot.now_s)
        if following is not None:
            found[deployment.key] = following
    return found


def _missing_rps(deployment: Deployment, forecast: Forecast, options: Mapping[VariantKey, Option]) -> float:
    ready_rps = carried_rps(
        deployment.routing, ((options[one.key].capacity, one.ready_replicas) for one in deployment.variants)
    )
    seen_rps = forecast.surely_rps
    return seen_rps - ready_rps if seen_rps > SHORT_RATIO * ready_rps else 0.0


def _following(
    deployment: Deployment,
    forecast: Forecast,
    missing_rps: float,
    usd_per_hour: Mapping[ObjectKey, float],
    last: Standby | None,
    now_s: float,
) -> Standby | None:
    seen_rps = forecast.surely_rps
    if last is None:
        return Standby(seen_rps, now_s, now_s) if missing_rps > 0.0 else None
    passed_s = max(0.0, now_s - last.at_s)
    if missing_rps > 0.0:
        usd = missing_rps * passed_s * deployment.policy.violation_usd_per_million_requests / 1e6
        worth_usd = last.worth_usd + usd
        return Standby(max(seen_rps, last.rate_rps), now_s, now_s, worth_usd, worth_usd)
    if seen_rps >= AGAIN_RATIO * last.rate_rps:
        return replace(last, at_s=now_s, needed_s=now_s, left_usd=last.worth_usd)
    idle_ratio = max(0.0, 1.0 - forecast.expected_rps / forecast.required_rps) if forecast.required_rps > 0.0 else 0.0
    spent_usd = usd_per_hour.get(deployment.key, 0.0) * idle_ratio * passed_s / 3600.0
    left_usd = last.left_usd - spent_usd
    if left_usd <= 0.0 or now_s - last.needed_s > LONGEST_S:
        return None
    return replace(last, at_s=now_s, left_usd=left_usd)
