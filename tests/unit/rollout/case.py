"""One call from a deployment and what is wanted of it to the steps of this tick."""

from collections.abc import Mapping
from dataclasses import replace

from plimsoll.domain import (
    Allocation,
    Alternative,
    Deployment,
    Forecast,
    Memory,
    Option,
    Pool,
    Reason,
    SolverReport,
    StockOut,
    TargetSample,
    VariantKey,
)
from plimsoll.rollout import Rollout, roll_out
from unit.builders import NOW_S, a_demand, a_forecast, a_pool, a_snapshot, options_for

RPS = {"h100": 6.0, "xeon": 2.0, "l4": 1.0}
POOLS = (a_pool("gpu-h100"), a_pool("cpu-amx", price_usd_per_hour=1.0), a_pool("gpu-l4", price_usd_per_hour=2.0))
LONG_AGO_S = NOW_S - 500.0
"""Longer than the stabilisation window; pods of the builders are older."""


def an_allocation(
    deployment: Deployment,
    wanted: Mapping[str, int],
    shortfall_rps: float = 0.0,
    alternatives: tuple[Alternative, ...] = (),
) -> Allocation:
    """An allocation of one deployment; variants that are not named are not wanted."""
    return Allocation(
        replicas={variant.key: wanted.get(variant.name, 0) for variant in deployment.variants},
        nodes={},
        usd_per_hour={},
        shortfall_rps={deployment.key: shortfall_rps} if shortfall_rps else {},
        alternatives={deployment.key: alternatives},
        findings=(),
        solver=SolverReport(Reason.SOLVED, 0.0, 0.0, 0.0, 0.0),
    )


def watched(deployment: Deployment, wanted: Mapping[str, int], since_s: float = LONG_AGO_S) -> Memory:
    """A memory in which the same has been wanted since long ago."""
    return Memory(
        targets={v.key: (TargetSample(since_s, wanted.get(v.name, 0)),) for v in deployment.variants},
    )


def rolled_out(
    deployment: Deployment,
    wanted: Mapping[str, int],
    *,
    rps: float | None = None,
    memory: Memory | None = None,
    forecast: Forecast | None = None,
    options: Mapping[VariantKey, Option] | None = None,
    stock_outs: Mapping[str, StockOut] | None = None,
    pools: tuple[Pool, ...] = POOLS,
    shortfall_rps: float = 0.0,
    alternatives: tuple[Alternative, ...] = (),
) -> Rollout:
    """The rollout of one deployment; `rps` come and go on coming; by default `wanted` has been wanted for long."""
    if rps is not None:
        deployment = replace(deployment, demand=a_demand(rps))
    return roll_out(
        a_snapshot([deployment], pools),
        {deployment.key: forecast or a_forecast(deployment, rps)},
        options or options_for([deployment], RPS),
        an_allocation(deployment, wanted, shortfall_rps, alternatives),
        stock_outs or {},
        watched(deployment, wanted) if memory is None else memory,
    )


def changes(rollout: Rollout) -> dict[str, tuple[int, int]]:
    """From and to by variant name."""
    return {step.key.variant: (step.from_replicas, step.to_replicas) for step in rollout.steps}


def reason(rollout: Rollout, variant: str) -> Reason:
    """The reason told for one variant."""
    return next(told for key, (told, _) in rollout.reasons.items() if key.variant == variant)


def message(rollout: Rollout, variant: str) -> str:
    """The sentence told for one variant."""
    return next(words for key, (_, words) in rollout.reasons.items() if key.variant == variant)
