"""What does an InferenceDeployment's status say, and is the difference worth a write?

In: one deployment's plan, its verdicts, the status as it stands. Out: the status as raw dictionary, transition times
kept where nothing turned, and whether it differs materially. Figures that move with every scrape are not a reason to
write: a steady cluster sees no writes. Pure.
"""

import re
from collections.abc import Mapping, Sequence
from math import ceil, floor, frexp, isfinite, log10
from statistics import fmean
from typing import Any

from plimsoll.api import (
    AlternativeStatus,
    BreakEvenStatus,
    Condition,
    CostStatus,
    DecimalText,
    DemandStatus,
    Duration,
    DwellStatus,
    ForecastLeadStatus,
    ForecastStatus,
    InferenceDeploymentStatus,
    LatencyStatus,
    Money,
    NextBest,
    PlanStatus,
    StandbyStatus,
    StartUpsStatus,
    StepStatus,
    Timestamp,
    VariantStatus,
)
from plimsoll.domain import (
    Alternative,
    Burstiness,
    DeploymentPlan,
    Dwell,
    ForecastScore,
    LeadTime,
    PoolPlan,
    SizedBy,
    SolverReport,
    Standby,
    Step,
    VariantPlan,
)
from plimsoll.explain import Verdict, break_evens, cost, proven_gap_ratio

Raw = Mapping[str, Any]

_STATUS_TEXT = {True: "True", False: "False", None: "Unknown"}
_FIGURES_THAT_COUNT = (
    ("demand", "arrivalRate"),
    ("forecast", "requiredRate"),
    ("cost", "perHour"),
    ("demand", "promptTokens"),
    ("demand", "outputTokens"),
)
"""The price per token follows from these; at a request a minute it would jump with every one of them."""
_VARIANT_SHAPE = ("name", "pool", "current", "ready", "target", "reason", "correction", "headroom")
_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_DRIFT_RATIO = 0.25
"""A figure that moved by more than this is told anew; a guess between noise (5% at 10 req/s) and news."""
_NEEDED_LATELY_S = 60.0
"""Demand that was so high within this time is; a moment that moves with every tick would be written with every tick."""
_DRIFT_INTERVAL_S = 30.0
"""Figures and sentences alone are written at most this often."""


NO_POOLS: Mapping[str, PoolPlan] = {}


def deployment_status(
    plan: DeploymentPlan,
    verdicts: Sequence[Verdict],
    present: Raw | None,
    now_s: float,
    solver: SolverReport,
    pools: Mapping[str, PoolPlan] = NO_POOLS,
) -> dict[str, Any]:
    """The status of a planned deployment; of pools that are not given no break-even price is told."""
    gap_ratio = proven_gap_ratio(solver)
    return InferenceDeploymentStatus(
        observed_generation=plan.generation,
        conditions=conditions(verdicts, present, plan.generation, now_s),
        ready_replicas=sum(variant.ready for variant in plan.variants),
        target_replicas=sum(variant.target for variant in plan.variants),
        demand=_demand(plan),
        forecast=ForecastStatus(
            basis=plan.forecast.basis,
            now_rate=DecimalText.of(plan.forecast.now_rps),
            required_rate=DecimalText.of(plan.forecast.required_rps),
            burstiness=_burstiness(plan.forecast.burstiness),
            known_since=None if plan.forecast.known_since_s is None else Timestamp.of(plan.forecast.known_since_s),
            leads=tuple(_lead(score) for score in plan.forecast.scores if isfinite(score.rate_rps)),
            message=plan.forecast.message,
        ),
        cost=_cost(plan, pools),
        variants=tuple(_variant(variant) for variant in plan.variants),
        plan=PlanStatus(
            phase=plan.phase,
            shortfall_rate=DecimalText.of(plan.shortfall_rps) if plan.shortfall_rps > 0 else None,
            overflow_rate=(
                DecimalText.of(plan.overflow.rate_rps) if plan.overflow and plan.overflow.rate_rps > 0 else None
            ),
            cost_gap=None if gap_ratio is None else DecimalText.of(gap_ratio),
            dwell=None if plan.dwell is None else _dwell(plan.dwell),
            standby=None if plan.standby is None else _standby(plan.standby, now_s),
            steps=tuple(_step(step) for step in plan.steps),
            alternatives=tuple(_alternative(one) for one in plan.alternatives),
        ),
    ).to_wire()


def unplanned_status(generation: int, verdicts: Sequence[Verdict], present: Raw | None, now_s: float) -> dict[str, Any]:
    """The status of a deployment that could not be planned: only conditions, nothing that looks like a plan."""
    return InferenceDeploymentStatus(
        observed_generation=generation, conditions=conditions(verdicts, present, generation, now_s)
    ).to_wire()


def conditions(
    verdicts: Sequence[Verdict], present: Raw | None, generation: int, now_s: float
) -> tuple[Condition, ...]:
    """Conditions with the time when each last turned."""
    before = {one["type"]: one for one in (present or {}).get("conditions") or ()}
    made = []
    for verdict in verdicts:
        status = _STATUS_TEXT[verdict.holds]
        old = before.get(verdict.type.value, {})
        turned = old["lastTransitionTime"] if old.get("status") == status else Timestamp.of(now_s)
        made.append(
            Condition.model_validate(
                {
                    "type": verdict.type.value,
                    "status": status,
                    "reason": verdict.reason.value,
                    "message": verdict.message,
                    "lastTransitionTime": turned,
                    "observedGeneration": generation,
                }
            )
        )
    return tuple(made)


def differs(new: Raw, old: Raw | None, age_s: float) -> bool:
    """Whether `new` is worth writing over `old`, which was written `age_s` seconds ago."""
    if old is None or _shape(new) != _shape(old) or _sized_better(new, old):
        return True
    if age_s < _DRIFT_INTERVAL_S:
        return False
    told_anew = _words(new) != _words(old) or _ways(new) != _ways(old)
    return told_anew or any(_drifted(new, old, *path) for path in _FIGURES_THAT_COUNT)


def _shape(status: Raw) -> object:
    """What people and machines act on: everything but figures and sentences."""
    plan, variants = status.get("plan") or {}, status.get("variants") or ()
    return (
        status.get("observedGeneration"),
        sorted((one["type"], one["status"], one["reason"]) for one in status.get("conditions") or ()),
        [tuple(one.get(name) for name in _VARIANT_SHAPE) for one in variants],
        plan.get("phase"),
        [(one["variant"], one["from"], one["to"], one["reason"]) for one in plan.get("steps") or ()],
        (status.get("demand") or {}).get("state"),
        # What a restart reads back must not be out of date; it has few levels.
        [(status.get("forecast") or {}).get(name) for name in ("basis", "burstiness")],
        _standby_shape(plan.get("standby")),
    )


def _standby_shape(standby: Raw | None) -> object:
    """Whether there is one and demand is over, and its worth to within a factor of two."""
    return None if standby is None else ("since" in standby, frexp(float(standby["worth"]))[1])


def _sized_better(new: Raw, old: Raw) -> bool:
    """Whether an estimate became a simulation. Not the other way round: a mix that drifts is estimated for a moment at
    every step it takes, and nobody need be told of each."""
    before = {one["name"]: one.get("sizedBy") for one in old.get("variants") or ()}
    simulated = SizedBy.SIMULATION.value
    return any(
        one.get("sizedBy") == simulated != before.get(one["name"], simulated) for one in new.get("variants") or ()
    )


def _words(status: Raw) -> list[tuple[str, str]]:
    """The conditions' sentences without their figures: another missing pool under the same reason is news."""
    return sorted((one["type"], _NUMBER.sub("#", one["message"])) for one in status.get("conditions") or ())


def _ways(status: Raw) -> tuple[object, ...]:
    """How demand is forecast at each time ahead, and whether anything is known of the time before."""
    forecast = status.get("forecast") or {}
    return "knownSince" in forecast, *((one["seconds"], one["way"]) for one in forecast.get("leads") or ())


def _drifted(new: Raw, old: Raw, group: str, name: str) -> bool:
    now, then = ((status.get(group) or {}).get(name) for status in (new, old))
    if now is None or then is None:
        return now is not then
    return abs(float(now) - float(then)) > _DRIFT_RATIO * max(abs(float(now)), abs(float(then)), 0.1)


# --- The parts -------------------------------------------------------------------------------------------------------


def _demand(plan: DeploymentPlan) -> DemandStatus:
    demand = plan.demand
    return DemandStatus(
        state=demand.state,
        message=demand.message,
        arrival_rate=None if demand.arrival_rate_rps is None else DecimalText.of(demand.arrival_rate_rps),
        prompt_tokens=None if demand.tokens is None else DecimalText.of(demand.tokens.prompt_tokens_mean, 0),
        prompt_tokens_p95=None if demand.tokens is None else DecimalText.of(demand.tokens.prompt_tokens_p95, 0),
        output_tokens=None if demand.tokens is None else DecimalText.of(demand.tokens.output_tokens_mean, 0),
        output_tokens_p95=None if demand.tokens is None else DecimalText.of(demand.tokens.output_tokens_p95, 0),
        prompt_tokens_most=None if demand.tokens is None else _bound(demand.tokens.prompt_tokens_most),
        output_tokens_most=None if demand.tokens is None else _bound(demand.tokens.output_tokens_most),
        running=DecimalText.of(demand.running, 0),
        waiting=DecimalText.of(demand.waiting, 0),
    )


def _bound(tokens: float) -> DecimalText | None:
    return DecimalText.of(tokens, 0) if isfinite(tokens) else None


def _lead(score: ForecastScore) -> ForecastLeadStatus:
    ratio = score.loss_over_last_value
    return ForecastLeadStatus(
        seconds=round(score.lead_s),
        way=score.way,
        rate=DecimalText.of(score.rate_rps),
        loss_over_last_value=None if ratio is None else DecimalText.of(ratio),
        covered=None if score.covered_ratio is None else DecimalText.of(score.covered_ratio),
    )


def _burstiness(bursts: Burstiness) -> DecimalText | None:
    return DecimalText.of(bursts.rate_cv2) if bursts.rate_cv2 > 0.0 else None


def _decimal(value: float | None) -> DecimalText | None:
    return None if value is None or not isfinite(value) else DecimalText.of(value)


def _cost(plan: DeploymentPlan, pools: Mapping[str, PoolPlan]) -> CostStatus:
    told = cost(plan)
    return CostStatus(
        per_hour=Money.of(told.usd_per_hour),
        per_million_tokens=_money(told.usd_per_million_tokens, places=3),
        per_million_output_tokens=_money(told.usd_per_million_output_tokens, places=3),
        overflow_per_hour=_money(plan.overflow.usd_per_hour) if plan.overflow and plan.overflow.rate_rps > 0 else None,
        external_per_hour=_money(plan.external_usd_per_hour),
        next_best=None if told.next_best is None else _next_best(plan, told.next_best, pools),
    )


def _next_best(plan: DeploymentPlan, best: Alternative, pools: Mapping[str, PoolPlan]) -> NextBest:
    return NextBest(
        label=best.label,
        per_hour=Money.of(best.usd_per_hour or 0.0),
        break_even=tuple(
            BreakEvenStatus(
                pool=one.pool,
                now_per_hour=Money.of(one.now_usd_per_hour, 3),
                per_hour=Money.of(one.usd_per_hour, 3),
            )
            for one in break_evens(plan, pools)
        ),
    )


def _money(usd: float | None, places: int = 2) -> Money | None:
    return None if usd is None else Money.of(usd, places)


def _variant(variant: VariantPlan) -> VariantStatus:
    return VariantStatus(
        name=variant.key.variant,
        pool=variant.pool,
        current=variant.current,
        ready=variant.ready,
        target=variant.target,
        safe_rate=DecimalText.of(variant.safe_rate_rps),
        sized_by=variant.sized_by,
        correction=None if variant.correction == 1.0 else DecimalText.of(variant.correction, 3),
        headroom=DecimalText.of(variant.headroom_ratio, 4),
        predicted=LatencyStatus.of(variant.predicted),
        observed=LatencyStatus.of(variant.observed),
        lead_time=None if variant.lead is None else Duration.of_seconds(round(variant.lead.seconds)),
        start_ups=_start_ups(variant.lead),
        reason=variant.reason.value,
        message=variant.message,
    )


def _start_ups(lead: LeadTime | None) -> StartUpsStatus | None:
    if lead is None or (lead.seen_on_node_s is None and lead.seen_with_node_s is None):
        return None
    on_node_s, with_node_s = lead.seen_on_node_s, lead.seen_with_node_s
    return StartUpsStatus(
        on_node=None if on_node_s is None else _coarse(on_node_s),
        with_node=None if with_node_s is None else _coarse(with_node_s),
    )


def _standby(standby: Standby, now_s: float) -> StandbyStatus:
    needed = standby.needed_s is None or now_s - standby.needed_s < _NEEDED_LATELY_S
    return StandbyStatus(
        rate=DecimalText.of(standby.rate_rps),
        worth=Money.of(standby.worth_usd),
        idled=None if needed else Money.of(standby.idled_usd),
        since=None if needed or standby.needed_s is None else Timestamp.of(standby.needed_s),
    )


def _dwell(dwell: Dwell) -> DwellStatus:
    earlier_s = dwell.lasted_s
    return DwellStatus(
        since=Timestamp.of(dwell.since_s),
        earlier_plans=len(earlier_s),
        earlier_mean=_coarse(fmean(earlier_s)) if earlier_s else None,
    )


def _coarse(seconds: float) -> Duration:
    """Rounded up to two digits: what is read back and told again stays what it is."""
    digit_s = 10.0 ** (floor(log10(seconds)) - 1) if seconds > 1.0 else 0.1
    # What was rounded up before is off by less than this from a whole number of steps.
    return Duration.of_seconds(digit_s * ceil(seconds / digit_s - 1e-9))


def _step(step: Step) -> StepStatus:
    return StepStatus(
        variant=step.key.variant,
        from_replicas=step.from_replicas,
        to_replicas=step.to_replicas,
        reason=step.reason.value,
        message=step.message,
    )


def _alternative(one: Alternative) -> AlternativeStatus:
    return AlternativeStatus(
        label=one.label,
        replicas=dict(one.replicas),
        per_hour=_money(one.usd_per_hour),
        reason=one.reason.value,
        detail=one.detail,
    )
