"""What has to be decided in this tick? The snapshot, forecasts, options and stock-outs boiled down to a `Problem`.

In: what the upstream stations say. Out: needs with the bounds, prices and rates of their choices, and rooms. Nothing is
decided here. Design section 5.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import isfinite

from plimsoll.domain import (
    CapacityTable,
    Deployment,
    Forecast,
    ForecastBasis,
    Mode,
    ObjectKey,
    Option,
    Pool,
    PriceKind,
    Reason,
    Routing,
    Snapshot,
    StockOut,
    Variant,
    VariantKey,
    behind,
)
from plimsoll.planning.problem import CHANGE_RATIO, PAID_MOVE_RATIO, Choice, Need, Problem
from plimsoll.planning.room import Bin, Room, classes_of, fits
from plimsoll.readiness import start_usd, with_lead_times

NO_ROOM = Room(
    name="",
    resources=(),
    usd_per_hour=0.0,
    list_usd_per_hour=0.0,
    spot=False,
    sold_out=False,
    min_nodes=0,
    max_nodes=0,
    node=(),
    present=(),
    fresh=0,
    classes=(),
)
"""What a variant has whose pool is not there."""


def state_problem(
    snapshot: Snapshot,
    forecasts: Mapping[ObjectKey, Forecast],
    options: Mapping[VariantKey, Option],
    stock_outs: Mapping[str, StockOut],
    last_replicas: Mapping[VariantKey, int],
    *,
    free_recommended: bool = False,
) -> Problem:
    """The problem of this tick, the same bytes in whatever order the objects came.

    Args:
        snapshot: deployments and pools; a variant of a pool that is not there counts as having no room.
        forecasts: one for each deployment.
        options: one for each variant.
        stock_outs: marks by pool; one that still stands caps its pool to the nodes that are present.
        last_replicas: the last plan; a variant that it does not know counts with what it runs.
        free_recommended: False fixes deployments in mode Recommend to what they run, True lets them be planned.
    """
    deployments = sorted(with_lead_times(snapshot).deployments, key=lambda deployment: deployment.key)
    variants = [variant for deployment in deployments for variant in deployment.variants]
    pools = {pool.name: pool for pool in sorted(snapshot.pools, key=lambda pool: pool.name)}
    rooms = {
        name: _room(
            pool, [v for v in variants if v.pool == name], _is_sold_out(stock_outs.get(name), snapshot), snapshot
        )
        for name, pool in pools.items()
    }
    return Problem(
        needs=tuple(
            _need(deployment, forecasts[deployment.key], options, pools, rooms, last_replicas, free_recommended)
            for deployment in deployments
        ),
        rooms=rooms,
    )


def _is_sold_out(mark: StockOut | None, snapshot: Snapshot) -> bool:
    return mark is not None and mark.until_s > snapshot.now_s


def _room(pool: Pool, variants: Iterable[Variant], sold_out: bool, snapshot: Snapshot) -> Room:
    variants = tuple(variants)
    resources = tuple(sorted({name for variant in variants for name in variant.per_replica}))
    max_nodes = min(pool.max_nodes, len(pool.nodes)) if sold_out else pool.max_nodes
    present = tuple(
        Bin(
            node.name,
            tuple(
                max(0.0, node.allocatable.get(name, 0.0) - node.foreign_requests.get(name, 0.0)) for name in resources
            ),
        )
        for node in sorted(pool.nodes, key=lambda node: node.name)
        # A node that boots for longer than the pool may take counts as broken.
        if node.schedulable and (node.ready or snapshot.now_s - node.created_s <= pool.patience_s)
    )
    node = tuple(pool.node_resources.get(name, 0.0) for name in resources)
    fresh = max(0, max_nodes - len(pool.nodes))
    return Room(
        name=pool.name,
        resources=resources,
        usd_per_hour=pool.marginal_price_usd_per_hour,
        list_usd_per_hour=pool.price_usd_per_hour,
        spot=pool.price_kind is PriceKind.SPOT,
        sold_out=sold_out,
        min_nodes=pool.min_nodes,
        max_nodes=max_nodes,
        node=node,
        present=present,
        fresh=fresh,
        classes=classes_of(present, node, fresh),
    )


def _need(
    deployment: Deployment,
    forecast: Forecast,
    options: Mapping[VariantKey, Option],
    pools: Mapping[str, Pool],
    rooms: Mapping[str, Room],
    last_replicas: Mapping[VariantKey, int],
    free_recommended: bool,
) -> Need:
    choices = _with_last_plan(
        (
            _choice(deployment, variant, forecast, options, pools, rooms, free_recommended)
            for variant in sorted(deployment.variants, key=lambda variant: variant.key)
        ),
        forecast.required_rps,
        last_replicas,
    )
    required_rps = forecast.required_rps
    api_usd_per_hour_per_rps = _api_usd_per_hour_per_rps(deployment, forecast)
    startable = [c.total_rps(1) or c.rate_rps for c in choices if c.rate_rps > 0 and c.upper > 0]
    keeps_one = not deployment.demand.sees_zero_replicas and bool(startable)
    # The smallest rate of all: every single replica, of whatever variant, meets it, and no replica does not.
    one_rps = min(startable) if keeps_one else 0.0
    overflows = api_usd_per_hour_per_rps is not None
    target_rps = max(one_rps, required_rps if overflows else min(required_rps, _reachable_rps(deployment, choices)))
    survivors_ratio = 1.0 - deployment.policy.spot_loss_tolerated_ratio
    return Need(
        key=deployment.key,
        priority=deployment.priority,
        required_rps=required_rps,
        target_rps=target_rps,
        least_own_rps=one_rps if overflows else 0.0,
        # What a lost spot pool leaves without capacity overflows as well.
        protected_rps=0.0 if overflows else min(target_rps, required_rps) * survivors_ratio,
        budget_usd_per_hour=deployment.budget_usd_per_hour,
        keeps_one=keeps_one,
        dwell_s=_dwell_s(deployment),
        choices=choices,
        routing=deployment.routing,
        api_usd_per_hour_per_rps=api_usd_per_hour_per_rps,
    )


def _reachable_rps(deployment: Deployment, choices: Iterable[Choice]) -> float:
    """The most that any counts within bounds carry."""
    usable = [choice for choice in choices if choice.rate_rps > 0]
    if deployment.routing is not Routing.SERVICE:
        return sum(choice.total_rps(choice.upper) for choice in usable)
    forced_rps = min((c.total_rps(1) for c in usable if c.lower > 0), default=float("inf"))
    slowest = [min(c.total_rps(1), forced_rps) for c in usable if c.upper > 0]
    # With the slowest variant in use given, more replicas of all that are at least as fast carry more.
    return max((r * sum(c.upper for c in usable if c.total_rps(1) >= r) for r in slowest), default=0.0)


def _api_usd_per_hour_per_rps(deployment: Deployment, forecast: Forecast) -> float | None:
    """The price of one request per second at the external API; None without one, or before any request was seen."""
    price = deployment.overflow_price
    if price is None or forecast.tokens is None:
        return None
    return 3600.0 * price.usd_per_request(forecast.tokens.prompt_tokens_mean, forecast.tokens.output_tokens_mean)


def _with_last_plan(
    choices: Iterable[Choice], required_rps: float, last_replicas: Mapping[VariantKey, int]
) -> tuple[Choice, ...]:
    """The choices with what leaving the last plan counts with: `CHANGE_RATIO` of its cost for all of the demand.

    The nodes that it leaves behind are paid for a while longer, but so they would be some day if it stayed.
    """
    known = [replace(one, planned=max(one.lower, last_replicas.get(one.key, one.current))) for one in choices]
    # Nodes that are paid for count a trace here, too: they have no other price that could be weighed against.
    leaving_usd_per_hour = sum(
        one.planned * (CHANGE_RATIO * one.slot_usd_per_hour or PAID_MOVE_RATIO * one.list_usd_per_hour) for one in known
    )
    return tuple(
        replace(one, change_usd_per_hour=leaving_usd_per_hour * _share(one.rate_rps, required_rps)) for one in known
    )


def _share(rate_rps: float, required_rps: float) -> float:
    """Of the demand, the part that one replica carries."""
    return min(1.0, rate_rps / required_rps) if required_rps > 0 else 1.0


def _choice(
    deployment: Deployment,
    variant: Variant,
    forecast: Forecast,
    options: Mapping[VariantKey, Option],
    pools: Mapping[str, Pool],
    rooms: Mapping[str, Room],
    free_recommended: bool,
) -> Choice:
    capacity, room = _capacity(deployment, variant, options), rooms.get(variant.pool, NO_ROOM)
    shape = tuple(variant.per_replica.get(name, 0.0) for name in room.resources)
    lower, upper, stays = _bounds(deployment, variant, forecast, options, free_recommended)
    share = 1.0 / max(1, fits(room.node, shape))
    slot_usd_per_hour = room.usd_per_hour * share
    list_usd_per_hour = room.list_usd_per_hour * share
    overlap_usd_per_hour = slot_usd_per_hour or PAID_MOVE_RATIO * list_usd_per_hour
    return Choice(
        key=variant.key,
        pool=variant.pool,
        capacity=capacity,
        rate_rps=_rate_rps(capacity, forecast.required_rps),
        shape=shape,
        lower=lower,
        upper=max(lower, min(upper, room.slots(shape))),
        current=variant.replicas,
        stays=stays,
        seats=tuple(sorted(pod.node for pod in variant.pods if pod.node is not None and not pod.terminating)),
        slot_usd_per_hour=slot_usd_per_hour,
        list_usd_per_hour=list_usd_per_hour,
        lead_s=variant.lead_s,
        move_usd_per_hour=start_usd(overlap_usd_per_hour, variant.lead_s) * 3600.0 / _dwell_s(deployment),
        planned=variant.replicas,
        change_usd_per_hour=0.0,
    )


def _capacity(deployment: Deployment, variant: Variant, options: Mapping[VariantKey, Option]) -> CapacityTable:
    return behind(deployment.routing, options[variant.key].capacity)


def _is_usable(deployment: Deployment, variant: Variant, options: Mapping[VariantKey, Option]) -> bool:
    return _capacity(deployment, variant, options).per_replica_rps > 0.0


def _dwell_s(deployment: Deployment) -> float:
    return max(1.0, deployment.policy.expected_dwell_s)


def _bounds(
    deployment: Deployment,
    variant: Variant,
    forecast: Forecast,
    options: Mapping[VariantKey, Option],
    free_recommended: bool,
) -> tuple[int, int, Reason | None]:
    """Lower and upper bound on the replicas of one variant, and why it stays as it is, if it does."""
    current, floor = variant.replicas, variant.min_replicas
    frozen = _frozen(deployment, variant, options, free_recommended)
    if frozen is not None:
        return current, current, frozen
    if forecast.basis is not ForecastBasis.KNOWN:
        lower = max(floor, current)
        return lower, max(lower, variant.max_replicas), Reason.HELD
    if not _is_usable(deployment, variant, options):
        return floor, floor, None
    return floor, max(floor, variant.max_replicas), None


def _frozen(
    deployment: Deployment, variant: Variant, options: Mapping[VariantKey, Option], free_recommended: bool
) -> Reason | None:
    if deployment.mode is Mode.PAUSED:
        return Reason.PAUSED
    if variant.pinned:
        return Reason.PINNED
    if deployment.mode is Mode.RECOMMEND and not free_recommended:
        return Reason.RECOMMEND_ONLY
    # Nothing here meets the SLO: there is nothing to choose, and what serves badly is better than nothing.
    if not any(_is_usable(deployment, other, options) for other in deployment.variants):
        return Reason.NO_USABLE_VARIANT
    return None


def _rate_rps(capacity: CapacityTable, required_rps: float) -> float:
    """The most that one of some replicas carries, none of which would be too many."""
    if not isfinite(capacity.per_replica_rps) or capacity.per_replica_rps <= 0.0:
        return 0.0
    least = next(count for count, rate in zip(capacity.replicas, capacity.rate_rps, strict=True) if rate > 0.0)
    alone = max(capacity.replicas_for(required_rps), least)
    counts = {alone, *(count for count in capacity.replicas if count <= alone)}
    return max(capacity.total_rps(count) / count for count in counts)
