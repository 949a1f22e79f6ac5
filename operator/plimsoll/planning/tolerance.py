"""Is a rise worth a start? Not while what the last plan wants carries it within its safe rate.

In: forecasts, options, the replicas that were wanted last. Out: the forecasts to plan for. Headroom is there to be
used: a rise that needs no more than a part of it is left to it, where starting a replica would cost a boot, a stay of
minutes and the time until the node is given back, and where falling back below the same line would end what rising
above it began. So the demand planned for stands at what the last plan carries until it is beyond by more than the
tolerance. The line that is never passed is the safe rate itself: what the tolerance gives up is the headroom below it.
Pure.
"""

from collections.abc import Mapping, Set
from dataclasses import replace

from plimsoll.domain import (
    Deployment,
    Forecast,
    ForecastBasis,
    ObjectKey,
    Option,
    PriceKind,
    Snapshot,
    VariantKey,
    carried_rps,
)

MOST_TOLERANCE = 0.1
"""Demand so much above what a plan carries starts nothing. Convention: the tolerance of the horizontal pod autoscaler
(kube-controller-manager --horizontal-pod-autoscaler-tolerance)."""


def left_to_headroom(
    snapshot: Snapshot,
    forecasts: Mapping[ObjectKey, Forecast],
    options: Mapping[VariantKey, Option],
    last_replicas: Mapping[VariantKey, int],
) -> dict[ObjectKey, Forecast]:
    """The forecasts, with demand that the headroom of the last plan covers left to it.

    Args:
        snapshot: the deployments that are planned for, and pools. On spot nodes headroom carries what a node leaves
            behind until the next one boots: nothing is left to that.
        forecasts: one for each of them.
        options: one for each of their variants.
        last_replicas: what the last plan wants; nothing after a start.
    """
    spot = {pool.name for pool in snapshot.pools if pool.price_kind is PriceKind.SPOT}
    return {
        deployment.key: _left(deployment, forecasts[deployment.key], options, last_replicas, spot)
        for deployment in snapshot.deployments
    }


def _left(
    deployment: Deployment,
    forecast: Forecast,
    options: Mapping[VariantKey, Option],
    last_replicas: Mapping[VariantKey, int],
    spot: Set[str],
) -> Forecast:
    # What an external API takes is a matter of price, not of room.
    if forecast.basis is not ForecastBasis.KNOWN or deployment.overflow_price is not None:
        return forecast
    used = [(variant, last_replicas.get(variant.key, 0)) for variant in deployment.variants]
    used = [(variant, replicas) for variant, replicas in used if replicas > 0]
    if not used or any(variant.pool in spot for variant, _ in used):
        return forecast
    fleet = [(options[variant.key], replicas) for variant, replicas in used]
    planned_rps = carried_rps(deployment.routing, ((option.capacity, replicas) for option, replicas in fleet))
    headroom = min(option.headroom_ratio for option, _ in fleet)
    most_rps = planned_rps * (1.0 + min(MOST_TOLERANCE, headroom / (1.0 - headroom)))
    if not planned_rps < forecast.required_rps <= most_rps:
        return forecast
    return replace(
        forecast,
        now_rps=min(forecast.now_rps, planned_rps),
        at_lead_rps={name: min(rate_rps, planned_rps) for name, rate_rps in forecast.at_lead_rps.items()},
        message=(
            f"{forecast.message}; of {forecast.required_rps:.2f} req/s to be ready for, "
            f"{forecast.required_rps - planned_rps:.2f} are left to the headroom of what the last plan wants"
        ),
    )
