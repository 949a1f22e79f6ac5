"""Finished plans with defaults; a test states only what it is about.

In: overrides by keyword. Out: the values that ``decide`` hands on. One small world: deployment ``chat`` in ``team-a``
at 10 req/s, served by two ready ``h100`` replicas at $12.00/h, which is where the plan wants it.
"""

from dataclasses import replace
from typing import Any

from plimsoll.domain import (
    Alternative,
    DeploymentPlan,
    Finding,
    Forecast,
    ForecastBasis,
    LatencyMetric,
    LatencyTarget,
    Mode,
    ObjectKey,
    Phase,
    Plan,
    PoolPlan,
    PriceKind,
    Reason,
    SizedBy,
    SolverReport,
    Step,
    Target,
    VariantKey,
    VariantPlan,
)
from unit.builders import NOW_S, a_demand

CHAT = ObjectKey("team-a", "chat")
TTFT = LatencyTarget(LatencyMetric.TTFT, 0.95, 800.0)


def a_variant_plan(name: str = "h100", **overrides: Any) -> VariantPlan:
    """Two replicas, ready and wanted, of 8 req/s each."""
    made = VariantPlan(
        key=VariantKey(*CHAT, name),
        pool="gpu-h100",
        current=2,
        ready=2,
        target=2,
        safe_rate_rps=8.0,
        ready_rps=0.0,
        sized_by=SizedBy.SIMULATION,
        predicted=(),
        observed=(),
        reason=Reason.CHEAPEST,
        message="cheapest",
    )
    made = replace(made, **overrides)
    return made if "ready_rps" in overrides else replace(made, ready_rps=made.ready * made.safe_rate_rps)


def a_step(variant: str = "h100", from_replicas: int = 2, to_replicas: int = 3, **overrides: Any) -> Step:
    """A scale-up by one."""
    made = Step(
        key=VariantKey(*CHAT, variant),
        target=Target("apps/v1", "Deployment", CHAT.namespace, f"chat-{variant}", owned=False),
        from_replicas=from_replicas,
        to_replicas=to_replicas,
        reason=Reason.SCALE_UP,
        message="demand rose",
    )
    return replace(made, **overrides)


def an_alternative(label: str = "3 x a100", usd_per_hour: float | None = 18.0) -> Alternative:
    """A dearer way."""
    return Alternative(label, {"a100": 3}, usd_per_hour, Reason.DEARER, "dearer by $6.00/h")


def a_finding(reason: Reason, message: str = "what is wrong", variant: str | None = None) -> Finding:
    """About the one deployment."""
    return Finding(CHAT, reason, message, variant)


def a_deployment_plan(rps: float = 10.0, **overrides: Any) -> DeploymentPlan:
    """Steady at `rps`, in mode Auto, with nothing to complain about."""
    made = DeploymentPlan(
        key=CHAT,
        generation=1,
        mode=Mode.AUTO,
        phase=Phase.STEADY,
        slo=(TTFT,),
        demand=a_demand(rps),
        forecast=Forecast(CHAT, ForecastBasis.KNOWN, rps, {"h100": rps}, None, "flat"),
        variants=(a_variant_plan(),),
        usd_per_hour=12.0,
        external_usd_per_hour=None,
        shortfall_rps=0.0,
        alternatives=(),
        steps=(),
        findings=(),
    )
    return replace(made, **overrides)


def a_pool_plan(name: str = "gpu-h100", **overrides: Any) -> PoolPlan:
    """One ready node of four GPUs, two of them in use."""
    made = PoolPlan(
        name=name,
        price_kind=PriceKind.ON_DEMAND,
        price_usd_per_hour=12.0,
        nodes=1,
        ready_nodes=1,
        target_nodes=1,
        allocatable={"cpu": 64.0, "nvidia.com/gpu": 4.0},
        requested={"cpu": 16.0, "nvidia.com/gpu": 2.0},
        usd_per_hour=12.0,
        stocked_out_until_s=None,
    )
    return replace(made, **overrides)


def a_plan(*deployments: DeploymentPlan, now_s: float = NOW_S, **overrides: Any) -> Plan:
    """The decision of one tick about these deployments and the one pool."""
    solver = SolverReport(Reason.SOLVED, 12.0, 12.0, 0.0, 0.01)
    return replace(Plan(now_s, deployments, (a_pool_plan(),), (), solver), **overrides)
