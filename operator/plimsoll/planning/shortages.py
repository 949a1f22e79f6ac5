"""What a plan could not give, in figures, and what would have to change for it.

In: the problem and the plan taken. Out: findings (CapacityShort, OverBudget, SpotRisk) and the uncovered rates.
"""

from collections.abc import Iterable, Mapping

from plimsoll.domain import Finding, ObjectKey, Reason
from plimsoll.planning.assessment import Assessment, capacity_rps, unprotected_rps
from plimsoll.planning.problem import Choice, Need, Problem

TOLERATED_RATIO = 1e-6
"""Share of the demand that rounding may leave uncovered."""


def uncovered_rps(problem: Problem, plan: Assessment) -> dict[ObjectKey, float]:
    """By deployment the demand that has no capacity in the plan; deployments that are covered are absent."""
    missing = {
        need.key: need.required_rps - capacity_rps(need, plan.placed) - need.api_rps(plan.placed)
        for need in problem.needs
    }
    return {
        need.key: missing[need.key]
        for need in problem.needs
        if missing[need.key] > TOLERATED_RATIO * max(1.0, need.required_rps)
    }


def find_shortages(problem: Problem, plan: Assessment, missing: Mapping[ObjectKey, float]) -> Iterable[Finding]:
    """One finding for each thing that a deployment asked for and does not get."""
    for need in problem.needs:
        if need.key in missing:
            yield Finding(need.key, Reason.CAPACITY_SHORT, _short(need, problem, plan, missing[need.key]))
        attributed = plan.attributed[need.key]
        if need.budget_usd_per_hour is not None and (
            attributed > need.budget_usd_per_hour
            or (need.key in missing and any(_has_room(choice, problem, plan) for choice in need.choices))
        ):
            yield Finding(need.key, Reason.OVER_BUDGET, _over_budget(need, attributed, missing.get(need.key, 0.0)))
        unprotected = unprotected_rps(need, problem.rooms, plan.placed)
        if unprotected > TOLERATED_RATIO * max(1.0, need.required_rps):
            yield Finding(need.key, Reason.SPOT_RISK, _at_risk(unprotected))


def _has_room(choice: Choice, problem: Problem, plan: Assessment) -> bool:
    """True where one more replica could run: if its deployment is short all the same, its price is what stops it."""
    room = problem.rooms.get(choice.pool)
    free = choice.stays is None and choice.rate_rps > 0 and plan.replicas[choice.key] < choice.upper
    return free and room is not None and room.usd_per_hour > 0 and plan.nodes[room.name] < room.max_nodes


def _short(need: Need, problem: Problem, plan: Assessment, missing_rps: float) -> str:
    covered = max(0.0, need.required_rps - missing_rps)
    usable = [choice for choice in need.choices if choice.rate_rps > 0]
    if not usable:
        why = "no variant meets the SLO, so what runs is kept: add a faster variant, or allow a higher latency"
    else:
        limits = "; ".join(_limit(need, choice, problem, plan) for choice in usable)
        why = f"{limits}: raise what binds, add a variant on another pool, or raise spec.priority ({need.priority})"
    return f"{covered:.1f} of {need.required_rps:.1f} req/s have capacity, {missing_rps:.1f} have none: {why}"


def _limit(need: Need, choice: Choice, problem: Problem, plan: Assessment) -> str:
    name, room, count = choice.key.variant, problem.rooms.get(choice.pool), plan.replicas[choice.key]
    if room is None:
        return f"pool {choice.pool} of {name} is not there"
    if choice.stays is not None:
        return f"{name} stays at {count} replicas ({choice.stays.value})"
    if room.sold_out:
        return f"{name} is at {count} replicas, pool {room.name} is sold out"
    if need.budget_usd_per_hour is not None and _has_room(choice, problem, plan):
        return f"{name} is at {count} replicas, more would exceed budget.perHour {need.budget_usd_per_hour:.2f}"
    if count >= choice.upper and choice.upper < room.slots(choice.shape):
        return f"{name} is at replicas.max {choice.upper}"
    return (
        f"{name} is at {count} replicas, pool {room.name} has {plan.nodes[room.name]} of at most {room.max_nodes} nodes"
    )


def _over_budget(need: Need, attributed: float, missing_rps: float) -> str:
    assert need.budget_usd_per_hour is not None, "only deployments with a budget exceed one"
    budget = f"budget.perHour is {need.budget_usd_per_hour:.2f}"
    spent = f"this deployment's share of its nodes is {attributed:.2f} USD/h, {budget}"
    if missing_rps > 0:
        short = f"{missing_rps:.1f} req/s have no capacity within it"
        return f"{spent}, and {short}: raise the budget or add a cheaper variant"
    return f"{spent}, but what must run in any case costs more: raise the budget or lower replicas.min"


def _at_risk(unprotected: float) -> str:
    return (
        f"{unprotected:.1f} req/s would have no capacity if one spot pool vanished, more than the policy tolerates: "
        "add room outside that pool, or raise spotLossTolerated in the policy"
    )
