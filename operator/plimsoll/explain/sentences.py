"""What does a plan say in one sentence? Text for people, made of finished figures."""

from collections.abc import Sequence

from plimsoll.domain import DeploymentPlan, LatencyObservation, Phase
from plimsoll.explain.money import cost


def ready_capacity_rps(plan: DeploymentPlan) -> float:
    """What ready replicas carry within the SLO, in requests per second."""
    return sum(variant.ready_rps for variant in plan.variants)


def summary(plan: DeploymentPlan) -> str:
    """One sentence: what should run, at which price, and what comes next."""
    wanted = ", ".join(f"{one.target} x {one.key.variant} on {one.pool}" for one in plan.variants if one.target)
    rest = overflow_text(plan)
    price = f"{wanted or 'nothing runs'}{f', {rest},' if rest else ''} at ${plan.usd_per_hour:.2f}/h"
    beaten = cost(plan).next_best
    if beaten is not None and beaten.usd_per_hour is not None:
        price += f" (next best: {beaten.label} at ${beaten.usd_per_hour:.2f}/h)"
    if plan.phase is Phase.MOVING:
        return f"{price}; {under_way(plan)}"
    return price


def overflow_text(plan: DeploymentPlan) -> str:
    """What of the demand goes to the external API and for how much; empty where nothing does."""
    if plan.overflow is None or plan.overflow.rate_rps <= 0:
        return ""
    return (
        f"{plan.overflow.rate_rps:.1f} of {plan.forecast.required_rps:.1f} req/s go to the external API "
        f"(${plan.overflow.usd_per_hour:.2f}/h)"
    )


def under_way(plan: DeploymentPlan) -> str:
    """What is being done now and what is waited for."""
    parts = [f"{step.key.variant} {step.from_replicas} -> {step.to_replicas}" for step in plan.steps]
    parts += [
        f"waiting for {one.current - one.ready} {one.key.variant}" for one in plan.variants if one.current > one.ready
    ]
    return ", ".join(parts) or "the plan is reached"


def gap_text(gap_ratio: float | None) -> str:
    """One line about how close to the lowest cost all deployments together are."""
    if gap_ratio is None:
        return "no lower bound on the cost is known: the solve was stopped or not everything fits"
    if gap_ratio == 0:
        return "cost equals the proven lower bound, all deployments together"
    return f"cost within {gap_ratio * 100:.1f}% of the proven lower bound, all deployments together"


def latencies_text(observations: Sequence[LatencyObservation]) -> str:
    """Latencies in short: ``ttft p95 420ms, tpot p95 38ms``."""
    return ", ".join(f"{one.metric.value} p{one.quantile * 100:g} {one.value_ms:.0f}ms" for one in observations)
