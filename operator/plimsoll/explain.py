"""What did the plan decide about one deployment, in words and verdicts?

In: a finished plan. Out: verdicts (conditions before they get their timestamps), the cost with what it beat, and a
sentence. Pure, and after the fact: nothing here influences a decision. Design sections 2 and 6.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from plimsoll.domain import (
    Alternative,
    DemandState,
    DeploymentPlan,
    Finding,
    LatencyObservation,
    LatencyTarget,
    Mode,
    ObjectKey,
    Phase,
    PoolPlan,
    Reason,
    SolverReport,
    TokenMix,
    VariantPlan,
)
from plimsoll.rollout import NOT_APPLIED


class ConditionType(StrEnum):
    """The conditions of an InferenceDeployment. The last three are there only while they hold."""

    READY = "Ready"
    DEMAND_KNOWN = "DemandKnown"
    CAPACITY_AVAILABLE = "CapacityAvailable"
    LATENCY_MET = "LatencyMet"
    PROFILE_VALID = "ProfileValid"
    RECONCILING = "Reconciling"
    STALLED = "Stalled"
    PLAN_PROVISIONAL = "PlanProvisional"


@dataclass(frozen=True, slots=True)
class Verdict:
    """One condition: whether it holds (None: unknown), why, and in words."""

    type: ConditionType
    holds: bool | None
    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Cost:
    """What a deployment costs, and the cheapest way that was not taken. Per million tokens: None without demand."""

    usd_per_hour: float
    usd_per_million_tokens: float | None
    usd_per_million_output_tokens: float | None
    next_best: Alternative | None


_NEEDS_AN_EDIT = (
    Reason.INVALID_SPEC,
    Reason.POLICY_MISSING,
    Reason.POOL_MISSING,
    Reason.PROFILE_MISSING,
    Reason.PROFILE_MISMATCH,
    Reason.TARGET_MISSING,
    Reason.TARGET_NOT_SCALABLE,
    Reason.TARGET_CONTESTED,
    Reason.TARGET_FOREIGN,
    Reason.RIVAL_AUTOSCALER,
    Reason.REPLICA_DOES_NOT_FIT,
    Reason.ROUTE_MISSING,
    Reason.BACKEND_MISSING,
)
"""Somebody must change an object; worst first. Others of the deployment's variants may well go on meanwhile."""
_ABOUT_SIZING = (Reason.SLO_UNREACHABLE, Reason.OUTSIDE_PROFILE_RANGE)
"""Normal for one variant among several; blocking only where no variant is left."""
_ABOUT_PROFILES = (
    Reason.PROFILE_MISSING,
    Reason.PROFILE_MISMATCH,
    Reason.OUTSIDE_PROFILE_RANGE,
    Reason.PROFILE_DRIFTED,
)
"""Worst first. A profile that drifted goes on being used, corrected as far as that may go."""
_ABOUT_CAPACITY = (Reason.CAPACITY_SHORT, Reason.STOCK_OUT, Reason.POOL_FULL, Reason.REPLICA_LIMIT, Reason.OVER_BUDGET)
_GAP_STEPS = 1000
_GAP_ROUNDING = 0.01
"""The gap to the lower bound is told in thousandths; a hundredth of such a step is arithmetic of the solver."""
_UNKNOWN_DEMAND: Mapping[DemandState, Reason] = {
    DemandState.ABSENT: Reason.DEMAND_ABSENT,
    DemandState.STALE: Reason.DEMAND_STALE,
    DemandState.INVALID: Reason.DEMAND_INVALID,
    DemandState.UNREACHABLE: Reason.METRICS_UNREACHABLE,
}


def verdicts(
    plan: DeploymentPlan, snapshot_findings: Iterable[Finding], pools: Sequence[PoolPlan]
) -> tuple[Verdict, ...]:
    """The conditions of a deployment that is part of the plan.

    Args:
        plan: the deployment's plan.
        snapshot_findings: what was left out or pinned before planning; those of other deployments are passed over.
        pools: all pools of the plan, for stock-outs.
    """
    findings = (*(one for one in snapshot_findings if one.deployment == plan.key), *plan.findings)
    stalled = _first(findings, _blocking_reasons(plan))
    all_verdicts = [
        _ready(plan, stalled),
        _demand_known(plan),
        _capacity_available(plan, findings, pools),
        _latency_met(plan),
        _profile_valid(findings),
    ]
    if plan.phase is Phase.MOVING:
        all_verdicts.append(Verdict(ConditionType.RECONCILING, True, _moving_reason(plan), summary(plan)))
    if stalled is not None:
        all_verdicts.append(Verdict(ConditionType.STALLED, True, stalled.reason, stalled.message))
    unsolved = _first(findings, (Reason.SOLVE_FAILED, Reason.SOLVE_TIMED_OUT))
    if unsolved is not None:
        all_verdicts.append(Verdict(ConditionType.PLAN_PROVISIONAL, True, unsolved.reason, unsolved.message))
    return tuple(all_verdicts)


def verdicts_without_plan(findings: Sequence[Finding]) -> tuple[Verdict, ...]:
    """The conditions of a deployment that could not be planned at all; at least one finding."""
    finding = _first(findings, (*_NEEDS_AN_EDIT, *_ABOUT_SIZING, Reason.NO_USABLE_VARIANT)) or findings[0]
    message = _joined(findings)
    return (
        Verdict(ConditionType.READY, False, finding.reason, message),
        Verdict(ConditionType.STALLED, True, finding.reason, message),
    )


def _blocking_reasons(plan: DeploymentPlan) -> tuple[Reason, ...]:
    if any(variant.safe_rate_rps > 0 for variant in plan.variants):
        return _NEEDS_AN_EDIT
    return (*_NEEDS_AN_EDIT, *_ABOUT_SIZING, Reason.NO_USABLE_VARIANT)


def _ready(plan: DeploymentPlan, stalled: Finding | None) -> Verdict:
    if stalled is not None:
        return Verdict(ConditionType.READY, False, stalled.reason, stalled.message)
    if plan.mode is not Mode.AUTO:
        return _ready_without_scaling(plan)
    if plan.shortfall_rps > 0:
        return Verdict(ConditionType.READY, False, Reason.CAPACITY_SHORT, _short(plan))
    capacity_rps = ready_capacity_rps(plan)
    # What ready replicas do not take overflows, also while others are starting.
    if capacity_rps < plan.forecast.now_rps and plan.overflow is None:
        return Verdict(
            ConditionType.READY,
            False,
            Reason.WAITS_FOR_READY,
            f"ready replicas carry {capacity_rps:.1f} of {plan.forecast.now_rps:.1f} req/s within the SLO: "
            f"{_under_way(plan)}",
        )
    return Verdict(ConditionType.READY, True, _moving_reason(plan), summary(plan))


def _ready_without_scaling(plan: DeploymentPlan) -> Verdict:
    """Whether what runs carries the demand; a recommendation does not count, for nobody applies it."""
    capacity_rps = ready_capacity_rps(plan)
    runs = f"ready replicas carry {capacity_rps:.1f} of {plan.forecast.now_rps:.1f} req/s within the SLO"
    if plan.mode is Mode.PAUSED:
        reason, what = Reason.PAUSED, "replicas stay as they are: mode is Paused; set mode: Auto to scale"
    elif any(variant.target != variant.current for variant in plan.variants):
        reason, what = Reason.RECOMMEND_ONLY, f"recommended: {summary(plan)}; {NOT_APPLIED}"
    else:
        reason = Reason.RECOMMEND_ONLY
        what = f"what runs is what is recommended: {summary(plan)}; mode is Recommend: set mode: Auto to keep it so"
    served = capacity_rps >= plan.forecast.now_rps or plan.overflow is not None
    return Verdict(ConditionType.READY, served, reason, f"{runs}; {what}")


def _demand_known(plan: DeploymentPlan) -> Verdict:
    reason = _UNKNOWN_DEMAND.get(plan.demand.state, Reason.DEMAND_KNOWN)
    known = plan.demand.state is DemandState.KNOWN
    return Verdict(ConditionType.DEMAND_KNOWN, known, reason, plan.demand.message if known else plan.forecast.message)


def _capacity_available(plan: DeploymentPlan, findings: Sequence[Finding], pools: Sequence[PoolPlan]) -> Verdict:
    if plan.shortfall_rps > 0:
        finding = _first(findings, _ABOUT_CAPACITY)
        return Verdict(
            ConditionType.CAPACITY_AVAILABLE, False, finding.reason if finding else Reason.CAPACITY_SHORT, _short(plan)
        )
    used = {variant.pool for variant in plan.variants}
    out = [pool.name for pool in pools if pool.stocked_out_until_s is not None and pool.name in used]
    if out:
        return Verdict(
            ConditionType.CAPACITY_AVAILABLE,
            True,
            Reason.STOCK_OUT,
            f"pool {', '.join(out)} did not deliver nodes lately; the plan does without new ones there",
        )
    room = "the pools have room for what is planned"
    rest = overflow_text(plan)
    return Verdict(
        ConditionType.CAPACITY_AVAILABLE, True, Reason.CAPACITY_SUFFICIENT, f"{room}; {rest}" if rest else room
    )


def _latency_met(plan: DeploymentPlan) -> Verdict:
    seen = [(variant, target, value) for variant in plan.variants for target, value in _judged(variant, plan.slo)]
    missed = [(variant, target, value) for variant, target, value in seen if value > target.limit_ms]
    if not seen:
        return Verdict(
            ConditionType.LATENCY_MET,
            None,
            _UNKNOWN_DEMAND.get(plan.demand.state, Reason.STEADY),
            "no finished requests were seen lately, so latency is not known",
        )
    if missed:
        told = "; ".join(f"{variant.key.variant}: {target} was {value:.1f}ms" for variant, target, value in missed)
        return Verdict(ConditionType.LATENCY_MET, False, Reason.SLO_MISSED, told)
    return Verdict(ConditionType.LATENCY_MET, True, Reason.SLO_MET, "recent requests were within the SLO")


def _judged(variant: VariantPlan, slo: Sequence[LatencyTarget]) -> list[tuple[LatencyTarget, float]]:
    observed = {(one.metric, one.quantile): one.value_ms for one in variant.observed}
    return [
        (target, observed[target.metric, target.quantile])
        for target in slo
        if (target.metric, target.quantile) in observed
    ]


def _profile_valid(findings: Sequence[Finding]) -> Verdict:
    finding = _first(findings, _ABOUT_PROFILES)
    if finding is not None:
        return Verdict(ConditionType.PROFILE_VALID, False, finding.reason, finding.message)
    return Verdict(
        ConditionType.PROFILE_VALID, True, Reason.PROFILE_ACCEPTED, "every variant has a profile that fits its load"
    )


def _first(findings: Iterable[Finding], reasons: Sequence[Reason]) -> Finding | None:
    """The finding whose reason stands first in `reasons`, with the messages of all that share the list."""
    listed = sorted((one for one in findings if one.reason in reasons), key=lambda one: reasons.index(one.reason))
    if not listed:
        return None
    return Finding(listed[0].deployment, listed[0].reason, _joined(listed), listed[0].variant)


def _joined(findings: Sequence[Finding]) -> str:
    return "; ".join(dict.fromkeys(_with_variant(one) for one in findings))


def _with_variant(finding: Finding) -> str:
    if finding.variant is None or re.search(rf"(?<![\w-]){re.escape(finding.variant)}(?![\w-])", finding.message):
        return finding.message
    return f"variant {finding.variant}: {finding.message}"


# --- Sentences and figures -------------------------------------------------------------------------------------------


def ready_capacity_rps(plan: DeploymentPlan) -> float:
    """What ready replicas carry within the SLO, in requests per second."""
    return sum(variant.ready_rps for variant in plan.variants)


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


def gap_text(gap_ratio: float | None) -> str:
    """One line about how close to the lowest cost all deployments together are."""
    if gap_ratio is None:
        return "no lower bound on the cost is known: the solve was stopped or not everything fits"
    if gap_ratio == 0:
        return "cost equals the proven lower bound, all deployments together"
    return f"cost within {gap_ratio * 100:.1f}% of the proven lower bound, all deployments together"


def _per_million(usd_per_hour: float, tokens_per_hour: float) -> float | None:
    return usd_per_hour * 1e6 / tokens_per_hour if tokens_per_hour > 0 else None


def summary(plan: DeploymentPlan) -> str:
    """One sentence: what should run, at which price, and what comes next."""
    wanted = ", ".join(f"{one.target} x {one.key.variant} on {one.pool}" for one in plan.variants if one.target)
    rest = overflow_text(plan)
    price = f"{wanted or 'nothing runs'}{f', {rest},' if rest else ''} at ${plan.usd_per_hour:.2f}/h"
    beaten = cost(plan).next_best
    if beaten is not None and beaten.usd_per_hour is not None:
        price += f" (next best: {beaten.label} at ${beaten.usd_per_hour:.2f}/h)"
    if plan.phase is Phase.MOVING:
        return f"{price}; {_under_way(plan)}"
    return price


def overflow_text(plan: DeploymentPlan) -> str:
    """What of the demand goes to the external API and for how much; empty where nothing does."""
    if plan.overflow is None or plan.overflow.rate_rps <= 0:
        return ""
    return (
        f"{plan.overflow.rate_rps:.1f} of {plan.forecast.required_rps:.1f} req/s go to the external API "
        f"(${plan.overflow.usd_per_hour:.2f}/h)"
    )


def _moving_reason(plan: DeploymentPlan) -> Reason:
    if plan.phase is not Phase.MOVING:
        return Reason.HELD if plan.phase is Phase.HELD else Reason.STEADY
    return plan.steps[0].reason if plan.steps else Reason.WAITS_FOR_READY


def _under_way(plan: DeploymentPlan) -> str:
    parts = [f"{step.key.variant} {step.from_replicas} -> {step.to_replicas}" for step in plan.steps]
    parts += [
        f"waiting for {one.current - one.ready} {one.key.variant}" for one in plan.variants if one.current > one.ready
    ]
    return ", ".join(parts) or "the plan is reached"


def _short(plan: DeploymentPlan) -> str:
    told = "; ".join(one.message for one in plan.findings if one.reason in _ABOUT_CAPACITY)
    return told or (
        f"{plan.shortfall_rps:.1f} of {plan.forecast.required_rps:.1f} req/s find no room: raise replicas.max, the "
        "pool's nodes.max, or add a variant on another pool"
    )


def group_by_deployment(findings: Iterable[Finding]) -> dict[ObjectKey, list[Finding]]:
    """Findings by the deployment they are about, in their order."""
    grouped: dict[ObjectKey, list[Finding]] = {}
    for finding in findings:
        grouped.setdefault(finding.deployment, []).append(finding)
    return grouped


def latencies_text(observations: Sequence[LatencyObservation]) -> str:
    """Latencies in short: ``ttft p95 420ms, tpot p95 38ms``."""
    return ", ".join(f"{one.metric.value} p{one.quantile * 100:g} {one.value_ms:.0f}ms" for one in observations)
