"""How are plans before and after told? As a page for people, and as data that stays as it is for machines.

In: plans, assumptions, turning points. Out: lines, or plain dictionaries in the spelling of the status.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plimsoll.cli.page import BAD, GOOD, Page, right
from plimsoll.domain import DeploymentPlan, ObjectKey, Plan
from plimsoll.explain import cost
from plimsoll.what_if import (
    Assumption,
    Outcome,
    Quantity,
    TurningPoint,
    counts,
    counts_text,
    outcomes,
    reason,
    slo_verdict,
    total_usd_per_hour,
)
from plimsoll.what_if.outcome import SloVerdict

_SAME_RATIO = 0.01
"""Prices that differ by less are told as one; twice the precision of a turning point."""
_KEPT = {True: "kept", False: "MISSED", None: "not known"}


@dataclass(frozen=True, slots=True)
class WhatIf:
    """Two plans of all deployments, and what was assumed in between."""

    assumed: Sequence[Assumption]
    before: Plan
    after: Plan

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        return outcomes(self.before, self.after)

    def of(self, key: ObjectKey) -> Outcome:
        return next(one for one in self.outcomes if one.key == key)


def is_covered(outcome: Outcome) -> bool:
    """Whether the plan after keeps the SLO for all demand, as far as anything is predicted."""
    return slo_verdict(outcome.after).kept is not False


# --- For people ------------------------------------------------------------------------------------------------------


def tell_what_if(page: Page, made: WhatIf, key: ObjectKey) -> None:
    """One deployment before and after, and who else would change."""
    one = made.of(key)
    page.title(f"{key}  what if")
    page.lines("if", (f"{each.path} = {each.value} (now {each.now})" for each in made.assumed))
    verdict, style = ("", GOOD) if is_covered(one) else (", and the SLO is MISSED", BAD)
    change = f"{counts_text(one.before)} -> {counts_text(one.after)}" if one.changes else "nothing would move"
    price = f"${one.before.usd_per_hour:.2f}/h -> ${one.after.usd_per_hour:.2f}/h"
    page.lines("then", [f"{change}, {price}{verdict}"], style)
    page.lines("because", [reason(one)])
    page.table("", ("", right("now"), right("then")), _rows(made, one))
    page.lines("SLO", (f"{when}: {_slo_text(slo_verdict(plan))}" for when, plan in _both(one)))
    page.lines("others", _others(made, key))


def tell_fleet(page: Page, made: WhatIf) -> None:
    """All deployments before and after."""
    page.title("what if")
    page.lines("if", (f"{each.path} = {each.value} (now {each.now})" for each in made.assumed))
    page.table(
        "then",
        ("deployment", "now", "then", right("USD/h now"), right("then"), "SLO then"),
        (
            (
                str(one.key),
                counts_text(one.before),
                counts_text(one.after) if one.changes else "the same",
                f"{one.before.usd_per_hour:.2f}",
                f"{one.after.usd_per_hour:.2f}",
                _KEPT[slo_verdict(one.after).kept],
            )
            for one in made.outcomes
        ),
    )
    page.lines("because", (f"{one.key.name}: {reason(one)}" for one in made.outcomes if one.changes))
    before, after = total_usd_per_hour(made.before), total_usd_per_hour(made.after)
    page.lines("total", [f"${before:.2f}/h -> ${after:.2f}/h ({after - before:+.2f})"])


def tell_turning_points(page: Page, points: Sequence[TurningPoint]) -> None:
    """What would change the decision, as the planner itself says."""
    page.lines("would turn", (_turn_text(one) for one in points) if points else ["nothing else could serve it"])


def _rows(made: WhatIf, one: Outcome) -> Iterator[tuple[str, ...]]:
    before, after = counts(one.before), counts(one.after)
    for variant in one.after.variants:
        name = variant.key.variant
        yield f"{name} on {variant.pool}", str(before.get(name, 0)), str(after.get(name, 0))
    yield "req/s planned for", *(f"{plan.forecast.required_rps:.1f}" for _, plan in _both(one))
    yield "USD/h", *(f"{plan.usd_per_hour:.2f}" for _, plan in _both(one))
    yield "USD/million tokens", *(_price(cost(plan).usd_per_million_tokens) for _, plan in _both(one))
    if one.after.external_usd_per_hour is not None:
        yield "USD/h at the external API", *(_price(plan.external_usd_per_hour, 2) for _, plan in _both(one))
    yield "USD/h, all deployments", *(f"{total_usd_per_hour(plan):.2f}" for plan in (made.before, made.after))


def _both(one: Outcome) -> tuple[tuple[str, DeploymentPlan], ...]:
    return ("now", one.before), ("then", one.after)


def _price(usd: float | None, places: int = 3) -> str:
    return "-" if usd is None else f"{usd:.{places}f}"


def _slo_text(verdict: SloVerdict) -> str:
    return f"{_KEPT[verdict.kept]}: {verdict.message}"


def _others(made: WhatIf, key: ObjectKey) -> Iterator[str]:
    for one in made.outcomes:
        if one.key != key and one.changes:
            yield (
                f"{one.key}: {counts_text(one.before)} -> {counts_text(one.after)}, "
                f"{one.after.usd_per_hour - one.before.usd_per_hour:+.2f} USD/h"
            )


def _turn_text(one: TurningPoint) -> str:
    what = "demand" if one.quantity is Quantity.RATE else f"a node of {one.pool}"

    def value(amount: float) -> str:
        return f"{amount:.3g} req/s" if one.quantity is Quantity.RATE else f"${amount:.3g}/h"

    rises = one.reach > one.now
    if one.at is None:
        return f"{what}: nothing changes {'up' if rises else 'down'} to {value(one.reach)} (now {value(one.now)})"
    then = f"{one.then}, and not all demand finds room" if one.is_short else one.then
    return f"{what}: at {value(one.at)} or {'more' if rises else 'less'} (now {value(one.now)}): {then}{_exact(one)}"


def _exact(one: TurningPoint) -> str:
    if one.by_arithmetic is None or one.at is None or abs(one.by_arithmetic - one.at) <= _SAME_RATIO * one.at:
        return ""
    return f" (costs the same at ${one.by_arithmetic:.3g}/h, but a move has to save something)"


# --- For machines ----------------------------------------------------------------------------------------------------


def what_if_data(made: WhatIf, outcome_list: Iterable[Outcome]) -> dict[str, Any]:
    """What was assumed, what all deployments cost, and the given ones before and after."""
    return {
        "assumed": [{"path": one.path, "value": one.value, "now": one.now} for one in made.assumed],
        "usdPerHour": {
            "before": round(total_usd_per_hour(made.before), 4),
            "after": round(total_usd_per_hour(made.after), 4),
        },
        "deployments": [
            {
                "namespace": one.key.namespace,
                "name": one.key.name,
                "changes": one.changes,
                "reason": reason(one),
                "before": _plan_data(one.before),
                "after": _plan_data(one.after),
            }
            for one in outcome_list
        ],
    }


def turning_points_data(points: Iterable[TurningPoint]) -> list[dict[str, Any]]:
    """Each with what it is about, where it is now and where it turns; null where nothing within reach turns."""
    return [
        {
            "quantity": one.quantity.value,
            "pool": one.pool,
            "now": round(one.now, 4),
            "at": None if one.at is None else round(one.at, 4),
            "reach": round(one.reach, 4),
            "then": one.then,
            "allDemandFindsRoom": not one.is_short,
            "sameCostAt": None if one.by_arithmetic is None else round(one.by_arithmetic, 4),
        }
        for one in points
    ]


def _plan_data(plan: DeploymentPlan) -> Mapping[str, Any]:
    money, verdict = cost(plan), slo_verdict(plan)
    per_million = money.usd_per_million_tokens
    return {
        "replicas": {variant.key.variant: variant.target for variant in plan.variants},
        "requiredRate": round(plan.forecast.required_rps, 4),
        "shortfallRate": round(plan.shortfall_rps, 4),
        "usdPerHour": round(plan.usd_per_hour, 4),
        "usdPerMillionTokens": None if per_million is None else round(per_million, 4),
        "sloKept": verdict.kept,
        "slo": verdict.message,
    }
