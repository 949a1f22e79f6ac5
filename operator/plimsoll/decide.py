"""The one decision of a tick: what should run where now, and which steps towards it are safe.

In: a ``Snapshot`` and what the last tick remembered. Out: a ``Decision``, i.e. the plan with all it rejected, and
the memory for the next tick. Pure: the clock is the snapshot's, and the operator, ``plimsoll plan`` and the simulator
all run this very function. How things are told to people is left to ``explain``, writing to ``apply``.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from plimsoll.domain import (
    Allocation,
    Decision,
    Deployment,
    DeploymentPlan,
    Dwell,
    Finding,
    Forecast,
    ForecastBasis,
    Memory,
    Mode,
    ObjectKey,
    Option,
    Overflow,
    Phase,
    Plan,
    Pool,
    PoolPlan,
    RouteWeights,
    Snapshot,
    Step,
    StockOut,
    Variant,
    VariantKey,
    VariantPlan,
    behind,
    carried_rps_each,
    in_percent,
)
from plimsoll.forecast import forecast, remember_demand, remember_forecasts
from plimsoll.planning import SolveLimits, allocate, left_to_headroom
from plimsoll.readiness import known_dwells, remember_dwells, remember_start_ups, with_expected_dwells, with_lead_times
from plimsoll.rollout import Rollout, mark_stock_outs, roll_out
from plimsoll.sizing import NOTHING_SIMULATED, OnlineTruth, Simulated, headroom_ratio, learn, predict, size

T = TypeVar("T")
DEFAULT_LIMITS = SolveLimits()
NO_FORECASTS: Mapping[ObjectKey, Forecast] = {}


def decide(
    snapshot: Snapshot,
    memory: Memory,
    limits: SolveLimits = DEFAULT_LIMITS,
    simulated: Simulated = NOTHING_SIMULATED,
    told: Mapping[ObjectKey, Forecast] = NO_FORECASTS,
) -> Decision:
    """Compose forecast, sizing, planning and rollout into one plan.

    Args:
        snapshot: what is known at `snapshot.now_s`.
        memory: as returned by the previous decision; an empty one after a restart.
        limits: when the solver stops; the default never looks at the clock, so a decision can be replayed.
        simulated: safe rates that have been simulated so far; the others are estimated.
        told: forecasts that somebody with a longer memory made of this moment; they stand in place of own ones.

    Returns:
        The plan, and the memory to hand to the next call.
    """
    start_ups = remember_start_ups(snapshot, memory.start_ups)
    dwells = known_dwells(snapshot, memory.dwells)
    snapshot = with_expected_dwells(with_lead_times(snapshot, start_ups), dwells)
    remembered = remember_demand(snapshot, memory)
    forecasts = {**forecast(snapshot, remembered), **told}
    truth = learn(snapshot, forecasts, memory, simulated)
    options, gains = size(snapshot.deployments, forecasts, simulated, truth.factors, memory.gains, truth.confirmed)
    stock_outs = mark_stock_outs(snapshot, memory)
    planned_for = left_to_headroom(snapshot, forecasts, options, memory.replicas)
    allocation = allocate(snapshot, planned_for, options, stock_outs, memory.replicas, limits)
    dwells = remember_dwells(snapshot, allocation.replicas, dwells)
    rollout = roll_out(snapshot, planned_for, options, allocation, stock_outs, memory)
    steps = _grouped(rollout.steps, lambda step: step.key.deployment_key)
    findings = _grouped((*truth.findings, *allocation.findings, *rollout.findings), lambda finding: finding.deployment)
    plan = Plan(
        now_s=snapshot.now_s,
        deployments=tuple(
            _deployment_plan(
                deployment,
                planned_for[deployment.key],
                options,
                allocation,
                rollout,
                simulated,
                truth,
                dwells[deployment.key],
                steps[deployment.key],
                findings[deployment.key],
            )
            for deployment in snapshot.deployments
        ),
        pools=tuple(_pool_plan(pool, snapshot, allocation, stock_outs) for pool in snapshot.pools),
        findings=snapshot.findings,
        solver=allocation.solver,
        corrections=truth.factors,
    )
    return Decision(
        plan=plan,
        memory=Memory(
            demand=remembered.demand,
            mixes=remembered.mixes,
            burstiness=remembered.burstiness,
            past=remember_forecasts(forecasts, remembered, memory),
            targets=rollout.targets,
            replicas=allocation.replicas,
            stock_outs=stock_outs,
            unknown_since_s=remembered.unknown_since_s,
            corrections=truth.corrections,
            ready=truth.ready,
            gains=gains,
            start_ups=start_ups,
            dwells=dwells,
            standbys=rollout.standbys,
        ),
    )


def _grouped(values: Iterable[T], key: Callable[[T], ObjectKey]) -> defaultdict[ObjectKey, list[T]]:
    groups: defaultdict[ObjectKey, list[T]] = defaultdict(list)
    for value in values:
        groups[key(value)].append(value)
    return groups


def _deployment_plan(
    deployment: Deployment,
    demand: Forecast,
    options: Mapping[VariantKey, Option],
    allocation: Allocation,
    rollout: Rollout,
    simulated: Simulated,
    truth: OnlineTruth,
    dwell: Dwell,
    steps: list[Step],
    findings: list[Finding],
) -> DeploymentPlan:
    key = deployment.key
    shortfall_rps = allocation.shortfall_rps.get(key, 0.0)
    unusable = (options[variant.key].finding for variant in deployment.variants)
    return DeploymentPlan(
        key=key,
        generation=deployment.generation,
        mode=deployment.mode,
        phase=_phase(deployment, demand, allocation, steps),
        slo=deployment.slo,
        demand=deployment.demand,
        forecast=demand,
        variants=_variant_plans(deployment, demand, options, allocation, rollout, simulated, truth),
        usd_per_hour=allocation.usd_per_hour.get(key, 0.0),
        external_usd_per_hour=_external_usd_per_hour(deployment),
        overflow=_overflow(deployment, allocation),
        weights=_route_weights(deployment, options, steps),
        dwell=dwell,
        standby=rollout.standbys[key],
        shortfall_rps=shortfall_rps,
        alternatives=allocation.alternatives.get(key, ()),
        steps=tuple(steps),
        findings=(*(finding for finding in unusable if finding is not None), *findings),
    )


def _phase(deployment: Deployment, demand: Forecast, allocation: Allocation, steps: list[Step]) -> Phase:
    if deployment.mode is Mode.PAUSED:
        return Phase.PAUSED
    if deployment.key in allocation.shortfall_rps:
        return Phase.SHORT
    if demand.basis is not ForecastBasis.KNOWN:
        return Phase.HELD
    if deployment.mode is Mode.RECOMMEND:
        # Nothing of ours moves here, however long the recommendation stands.
        differs = any(allocation.replicas[variant.key] != variant.replicas for variant in deployment.variants)
        return Phase.RECOMMENDED if differs else Phase.STEADY
    starting = any(variant.replicas > variant.ready_replicas for variant in deployment.variants)
    return Phase.MOVING if steps or starting else Phase.STEADY


def _variant_plans(
    deployment: Deployment,
    demand: Forecast,
    options: Mapping[VariantKey, Option],
    allocation: Allocation,
    rollout: Rollout,
    simulated: Simulated,
    truth: OnlineTruth,
) -> tuple[VariantPlan, ...]:
    wanted = {variant.key: allocation.replicas.get(variant.key, 0) for variant in deployment.variants}
    wanted_rps = _carried_rps(deployment, options, wanted)
    ready_rps = _carried_rps(deployment, options, {v.key: v.ready_replicas for v in deployment.variants})
    capacity_rps = sum(wanted_rps.values())
    load_ratio = min(1.0, demand.now_rps / capacity_rps) if capacity_rps > 0 else 0.0
    plans = []
    for variant in deployment.variants:
        capacity = behind(deployment.routing, options[variant.key].capacity)
        option, target = options[variant.key], wanted[variant.key]
        reason, message = rollout.reasons[variant.key]
        share_rps = load_ratio * wanted_rps[variant.key] / target if target else 0.0
        plans.append(
            VariantPlan(
                key=variant.key,
                pool=variant.pool,
                current=variant.replicas,
                ready=variant.ready_replicas,
                target=target,
                safe_rate_rps=capacity.total_rps(max(target, 1)) / max(target, 1),
                ready_rps=ready_rps[variant.key],
                sized_by=option.sized_by,
                predicted=(
                    predict(
                        variant.profile,
                        demand,
                        deployment.slo,
                        share_rps,
                        target,
                        simulated,
                        truth.factors,
                        deployment.routing,
                    )
                    if target
                    else ()
                ),
                observed=variant.latencies,
                reason=reason,
                message=message,
                correction=truth.factors[variant.profile.name],
                headroom_ratio=headroom_ratio(deployment.policy, truth.confirmed.get(variant.key, 0.0)),
                compared=truth.latencies.get(variant.key, ()),
                lead=variant.lead,
            )
        )
    return tuple(plans)


def _carried_rps(
    deployment: Deployment, options: Mapping[VariantKey, Option], counts: Mapping[VariantKey, int]
) -> dict[VariantKey, float]:
    """By variant its part of what so many replicas carry together."""
    fleet = [(options[variant.key].capacity, counts[variant.key]) for variant in deployment.variants]
    each_rps = carried_rps_each(deployment.routing, fleet)
    return {variant.key: rps for variant, rps in zip(deployment.variants, each_rps, strict=True)}


def _overflow(deployment: Deployment, allocation: Allocation) -> Overflow | None:
    """What goes to the external API, which may be nothing; None where requests do not overflow to one."""
    if deployment.overflow_price is None:
        return None
    return allocation.overflow.get(deployment.key, Overflow(0.0, 0.0))


def _route_weights(
    deployment: Deployment, options: Mapping[VariantKey, Option], steps: list[Step]
) -> RouteWeights | None:
    """Shares by what ready replicas carry, those that the steps take away no longer counted."""
    routed = [variant for variant in deployment.variants if variant.service is not None]
    if deployment.http_route is None or not routed:
        return None
    to = {step.key: step.to_replicas for step in steps}
    ready = {v.key: min(v.ready_replicas, to.get(v.key, v.ready_replicas)) for v in deployment.variants}
    if not any(ready.values()):
        ready = {variant.key: variant.ready_replicas for variant in deployment.variants}
    rates_rps = _carried_rps(deployment, options, ready)
    # Where none of the variants that are ready has a safe rate, every replica gets the same.
    percent = in_percent([rates_rps[v.key] for v in routed]) or in_percent([float(ready[v.key]) for v in routed])
    if percent is None:
        return None
    services = [variant.service for variant in routed if variant.service is not None]
    route = ObjectKey(deployment.key.namespace, deployment.http_route)
    return RouteWeights(route, dict(zip(services, percent, strict=True)))


def _external_usd_per_hour(deployment: Deployment) -> float | None:
    price, demand = deployment.external_price, deployment.demand
    if price is None or demand.arrival_rate_rps is None or demand.tokens is None:
        return None
    usd_per_request = price.usd_per_request(demand.tokens.prompt_tokens_mean, demand.tokens.output_tokens_mean)
    return demand.arrival_rate_rps * 3600.0 * usd_per_request


def _pool_plan(pool: Pool, snapshot: Snapshot, allocation: Allocation, stock_outs: Mapping[str, StockOut]) -> PoolPlan:
    names = sorted({name for node in pool.nodes for name in node.allocatable})
    present = {node.name for node in pool.nodes}
    variants = [
        variant for deployment in snapshot.deployments for variant in deployment.variants if variant.pool == pool.name
    ]
    mark = stock_outs.get(pool.name)
    return PoolPlan(
        name=pool.name,
        price_kind=pool.price_kind,
        price_usd_per_hour=pool.price_usd_per_hour,
        nodes=len(pool.nodes),
        ready_nodes=sum(node.ready for node in pool.nodes),
        target_nodes=allocation.nodes.get(pool.name, 0),
        allocatable={name: sum(node.allocatable.get(name, 0.0) for node in pool.nodes) for name in names},
        requested={
            name: sum(node.foreign_requests.get(name, 0.0) for node in pool.nodes)
            + sum(_pods_on(present, variant) * variant.per_replica.get(name, 0.0) for variant in variants)
            for name in names
        },
        usd_per_hour=len(pool.nodes) * pool.price_usd_per_hour,
        stocked_out_until_s=mark.until_s if mark and mark.until_s > snapshot.now_s else None,
        price_source=pool.price_source,
        price_as_of_s=pool.price_as_of_s,
        price_note=pool.price_note,
    )


def _pods_on(nodes: set[str], variant: Variant) -> int:
    return sum(pod.node in nodes for pod in variant.pods)
