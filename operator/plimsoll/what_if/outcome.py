"""What would be different, and why? Two plans in, the differences out.

In: the plan of the situation as it is, and the one of the situation as assumed. Out: by deployment the plans side by
side, whether the SLO is kept in each, and one reason in words.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from plimsoll.domain import Alternative, DeploymentPlan, LatencyTarget, ObjectKey, Plan, Reason
from plimsoll.explain import cost


@dataclass(frozen=True, slots=True)
class Outcome:
    """One deployment before and after."""

    before: DeploymentPlan
    after: DeploymentPlan

    @property
    def key(self) -> ObjectKey:
        return self.after.key

    @property
    def changes(self) -> bool:
        """Whether other replicas would run, or other demand would find no room."""
        return counts(self.before) != counts(self.after) or (self.before.shortfall_rps > 0) != (
            self.after.shortfall_rps > 0
        )


@dataclass(frozen=True, slots=True)
class SloVerdict:
    """Whether a plan keeps the SLO (None: nothing is predicted), and in words."""

    kept: bool | None
    message: str


def outcomes(before: Plan, after: Plan) -> tuple[Outcome, ...]:
    """All deployments, in order of key."""
    earlier = {one.key: one for one in before.deployments}
    return tuple(Outcome(earlier[one.key], one) for one in after.deployments if one.key in earlier)


def total_usd_per_hour(plan: Plan) -> float:
    """Of all deployments together."""
    return math.fsum(one.usd_per_hour for one in plan.deployments)


def counts(plan: DeploymentPlan) -> Mapping[str, int]:
    """Replicas in the plan by variant, without those that have none."""
    return {one.key.variant: one.target for one in plan.variants if one.target}


def counts_text(plan: DeploymentPlan) -> str:
    """The same as text."""
    return ", ".join(f"{count} x {name}" for name, count in counts(plan).items()) or "nothing"


def slo_verdict(plan: DeploymentPlan) -> SloVerdict:
    """By what is predicted for the plan, once it is reached."""
    if plan.shortfall_rps > 0:
        short = f"{plan.shortfall_rps:.1f} of {plan.forecast.required_rps:.1f} req/s find no room"
        return SloVerdict(False, short)
    seen = [worst for target in plan.slo if (worst := _worst(plan, target)) is not None]
    if not seen:
        return SloVerdict(None, "no latency is predicted")
    told = ", ".join(
        f"{target.metric.value} p{target.quantile * 100:g} {value:.0f} of {target.limit_ms:g}ms"
        for target, value in seen
    )
    return SloVerdict(all(value <= target.limit_ms for target, value in seen), told)


def _worst(plan: DeploymentPlan, target: LatencyTarget) -> tuple[LatencyTarget, float] | None:
    values = [
        seen.value_ms
        for one in plan.variants
        if one.target
        for seen in one.predicted
        if (seen.metric, seen.quantile) == (target.metric, target.quantile)
    ]
    return (target, max(values)) if values else None


def reason(outcome: Outcome) -> str:
    """Why the plan after is what it is, in one sentence with figures."""
    before, after = outcome.before, outcome.after
    if after.shortfall_rps > 0:
        told = "; ".join(dict.fromkeys(one.message for one in after.findings if one.reason in _ABOUT_ROOM))
        return told or slo_verdict(after).message
    if counts(before) == counts(after):
        return _nothing_changes(after)
    if set(counts(before)) == set(counts(after)):
        return _other_counts(before, after)
    lost = _alternative(after, frozenset(counts(before)))
    won = _alternative(before, frozenset(counts(after)))
    if lost is not None:
        return f"{_named(lost)} would lose: {_priced(lost)}"
    if won is not None:
        return f"{_named(won)} wins; now it loses: {_priced(won)}"
    return f"{counts_text(after)} is the cheapest that carries {after.forecast.required_rps:.1f} req/s within the SLO"


_ABOUT_ROOM = (Reason.CAPACITY_SHORT, Reason.STOCK_OUT, Reason.POOL_FULL, Reason.REPLICA_LIMIT, Reason.OVER_BUDGET)


def _nothing_changes(after: DeploymentPlan) -> str:
    best = cost(after).next_best
    if best is None:
        return "the plan stays: nothing else could carry the demand"
    return f"the plan stays: {_named(best)} is next, {_priced(best)}"


def _other_counts(before: DeploymentPlan, after: DeploymentPlan) -> str:
    was, now = before.forecast.required_rps, after.forecast.required_rps
    told = [] if was == now else [f"{now:.1f} req/s are planned for instead of {was:.1f}"]
    rates = {one.key.variant: one.safe_rate_rps for one in before.variants}
    for one in after.variants:
        name = one.key.variant
        if one.target and abs(one.safe_rate_rps - rates[name]) >= 0.05:
            told.append(f"a replica of {name} carries {one.safe_rate_rps:.1f} req/s instead of {rates[name]:.1f}")
    return "; ".join(told) or "the same variants in other numbers are cheaper now"


def _alternative(plan: DeploymentPlan, variants: frozenset[str]) -> Alternative | None:
    """The one that would run just these variants."""
    return next((one for one in plan.alternatives if running(one) == variants), None)


def running(alternative: Alternative) -> frozenset[str]:
    """The variants that would run."""
    return frozenset(name for name, count in alternative.replicas.items() if count) or frozenset({alternative.label})


def _named(alternative: Alternative) -> str:
    """With its count where it is one variant; a mix, or anything else, is what its label says."""
    counted = [f"{count} x {name}" for name, count in alternative.replicas.items() if count]
    return counted[0] if len(counted) == 1 else alternative.label


def _priced(alternative: Alternative) -> str:
    if alternative.usd_per_hour is None:
        return f"{alternative.detail} ({alternative.reason.value})"
    return f"${alternative.usd_per_hour:.2f}/h, {alternative.detail} ({alternative.reason.value})"
