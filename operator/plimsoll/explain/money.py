"""What does a deployment cost, per hour and per token, and how close to the lowest is it? Arithmetic."""

import math
from dataclasses import dataclass

from plimsoll.domain import Alternative, DeploymentPlan, Reason, SolverReport, TokenMix

_GAP_STEPS = 1000
_GAP_ROUNDING = 0.01
"""The gap to the lower bound is told in thousandths; a hundredth of such a step is arithmetic of the solver."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a deployment costs, and the cheapest way that was not taken. Per million tokens: None without demand."""

    usd_per_hour: float
    usd_per_million_tokens: float | None
    usd_per_million_output_tokens: float | None
    next_best: Alternative | None


def cost(plan: DeploymentPlan) -> Cost:
    """The plan's price per hour and per million tokens at the present demand, with the runner-up."""
    tokens, rate_rps = plan.demand.tokens, plan.demand.arrival_rate_rps
    priced = sorted(
        (one for one in plan.alternatives if one.usd_per_hour is not None),
        key=lambda one: (one.usd_per_hour or 0.0, one.label),
    )
    next_best = priced[0] if priced else None
    if tokens is None or not rate_rps:
        return Cost(plan.usd_per_hour, None, None, next_best)
    return Cost(plan.usd_per_hour, *usd_per_million_tokens(plan.usd_per_hour, rate_rps, tokens), next_best)


def usd_per_million_tokens(usd_per_hour: float, rate_rps: float, tokens: TokenMix) -> tuple[float | None, float | None]:
    """The price of a million tokens at that rate: of prompt and output together, and of output alone."""
    output_per_hour = rate_rps * 3600.0 * tokens.output_tokens_mean
    total_per_hour = output_per_hour + rate_rps * 3600.0 * tokens.prompt_tokens_mean
    return _per_million(usd_per_hour, total_per_hour), _per_million(usd_per_hour, output_per_hour)


def proven_gap_ratio(solver: SolverReport) -> float | None:
    """By how much all deployments together might be served cheaper at most, as a share of the plan's cost.

    Rounded up to a tenth of a percent, so that it is never told smaller than it is; None where no bound is known.
    """
    unbounded = solver.bound_usd_per_hour <= 0 < solver.gap_ratio
    if solver.outcome is not Reason.SOLVED or unbounded:
        return None
    return max(0, math.ceil(solver.gap_ratio * _GAP_STEPS - _GAP_ROUNDING)) / _GAP_STEPS


def _per_million(usd_per_hour: float, tokens_per_hour: float) -> float | None:
    return usd_per_hour * 1e6 / tokens_per_hour if tokens_per_hour > 0 else None
