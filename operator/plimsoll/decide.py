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
    Finding,
    Forecast,
    ForecastBasis,
    Memory,
    Mode,
    ObjectKey,
    Option,
    Phase,
    Plan,
    Pool,
    PoolPlan,
    Snapshot,
    Step,
    StockOut,
    Variant,
    VariantKey,
    VariantPlan,
)
from plimsoll.forecast import forecast, remember_demand, remember_forecasts
from plimsoll.planning import SolveLimits, allocate
from plimsoll.rollout import Rollout, mark_stock_outs, roll_out
from plimsoll.sizing import NOTHING_SIMULATED, OnlineTruth, Simulated, learn, predict, size

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
    remembered = remember_demand(snapshot, memory)
    forecasts = {**forecast(snapshot, remembered), **told}
    truth = learn(snapshot, forecasts, memory, simulated)
    options, gains = size(snapshot.deployments, forecasts, simulated, truth.factors, memory.gains)
    stock_outs = mark_stock_outs(snapshot, memory)
    allocation = allocate(snapshot, forecasts, options, stock_outs, memory.replicas, limits)
    rollout = roll_out(snapshot, forecasts, options, allocation, stock_outs, memory)
    steps = _grouped(rollout.steps, lambda step: step.key.deployment_key)
    findings = _grouped((*truth.findings, *allocation.findings, *rollout.findings), lambda finding: finding.deployment)
    plan = Plan(
        now_s=snapshot.now_s,
        deployments=tuple(
            _deployment_plan(
                deployment,
                forecasts[deployment.key],
                options,
                allocation,
                rollout,
                simulated,
                truth,
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
    capacity_rps = sum(
        options[v.key].capacity.total_rps(allocation.replicas.get(v.key, 0)) for v in deployment.variants
    )
    load_ratio = min(1.0, demand.now_rps / capacity_rps) if capacity_rps > 0 else 0.0
    plans = []
    for variant in deployment.variants:
        option, target = options[variant.key], allocation.replicas.get(variant.key, 0)
        reason, message = rollout.reasons[variant.key]
        share_rps = load_ratio * option.capacity.total_rps(target) / target if target else 0.0
        plans.append(
            VariantPlan(
                key=variant.key,
                pool=variant.pool,
                current=variant.replicas,
                ready=variant.ready_replicas,
                target=target,
                safe_rate_rps=option.capacity.total_rps(max(target, 1)) / max(target, 1),
                ready_rps=option.capacity.total_rps(variant.ready_replicas),
                sized_by=option.sized_by,
                predicted=(
                    predict(variant.profile, demand, deployment.slo, share_rps, target, simulated, truth.factors)
                    if target
                    else ()
                ),
                observed=variant.latencies,
                reason=reason,
                message=message,
                correction=truth.factors[variant.profile.name],
                compared=truth.latencies.get(variant.key, ()),
            )
        )
    return tuple(plans)


def _external_usd_per_hour(deployment: Deployment) -> float | None:
    price, demand = deployment.external_price, deployment.demand
    if price is None or demand.arrival_rate_rps is None or demand.tokens is None:
        return None
    usd_per_request = (
        demand.tokens.prompt_tokens_mean * price.usd_per_million_prompt_tokens
        + demand.tokens.output_tokens_mean * price.usd_per_million_output_tokens
    ) / 1e6
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
    )


def _pods_on(nodes: set[str], variant: Variant) -> int:
    return sum(pod.node in nodes for pod in variant.pods)
