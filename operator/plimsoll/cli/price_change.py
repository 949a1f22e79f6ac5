"""What does a change of manifests cost? Two offline plans at the same demand, deployment by deployment.

In: the plan of the manifests as they were and as they are to be. Out: lines with the difference in US dollars per hour
and month, whether demand is served, and how far the predicted latencies are from the SLO. Pure.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from plimsoll.cli.offline import OfflinePlan
from plimsoll.domain import DeploymentPlan, ObjectKey

HOURS_PER_MONTH = 730.0
"""As cloud providers count: 365 days of 24 hours, a twelfth of it."""


@dataclass(frozen=True, slots=True)
class Side:
    """One deployment in one of the two plans."""

    usd_per_hour: float
    runs: str
    served: bool
    slo_margin_ratio: float | None
    """Of the tightest promise, the share of its limit that the prediction leaves; None where nothing is predicted."""


@dataclass(frozen=True, slots=True)
class PriceChange:
    """One deployment before and after; None where it is not there."""

    key: ObjectKey
    before: Side | None
    after: Side | None

    @property
    def usd_per_hour(self) -> float:
        """By how much it gets dearer."""
        return (self.after.usd_per_hour if self.after else 0.0) - (self.before.usd_per_hour if self.before else 0.0)


def price_changes(before: OfflinePlan, after: OfflinePlan, priced: Iterable[ObjectKey]) -> tuple[PriceChange, ...]:
    """Every deployment with demand that is in one of the plans, by key."""
    wanted = frozenset(priced)
    sides = [_sides(before, wanted), _sides(after, wanted)]
    return tuple(PriceChange(key, sides[0].get(key), sides[1].get(key)) for key in sorted({*sides[0], *sides[1]}))


def _sides(made: OfflinePlan, wanted: frozenset[ObjectKey]) -> Mapping[ObjectKey, Side]:
    return {
        one.key: Side(one.usd_per_hour, _runs(one), made.is_well(one.key), _margin_ratio(one))
        for one in made.plan.deployments
        if one.key in wanted
    }


def _runs(plan: DeploymentPlan) -> str:
    return ", ".join(f"{one.target} x {one.key.variant}" for one in plan.variants if one.target) or "nothing"


def _margin_ratio(plan: DeploymentPlan) -> float | None:
    limits = {(target.metric, target.quantile): target.limit_ms for target in plan.slo}
    margins = [
        1.0 - seen.value_ms / limits[seen.metric, seen.quantile]
        for variant in plan.variants
        if variant.target
        for seen in variant.predicted
        if (seen.metric, seen.quantile) in limits
    ]
    return min(margins, default=None)


# --- As text and as data ---------------------------------------------------------------------------------------------

HEADER = ("deployment", "runs before", "runs after", "$/h", "$/month", "SLO margin", "served")


def rows(changes: Sequence[PriceChange]) -> list[tuple[str, ...]]:
    """The cells of each deployment, and of all together; money is the difference, with its sign."""
    told = [
        (
            str(one.key),
            one.before.runs if one.before else "(new)",
            one.after.runs if one.after else "(removed)",
            _signed(one.usd_per_hour),
            _signed(one.usd_per_hour * HOURS_PER_MONTH),
            f"{_percent(one.before)} -> {_percent(one.after)}",
            f"{_yes(one.before)} -> {_yes(one.after)}",
        )
        for one in changes
    ]
    total = sum(one.usd_per_hour for one in changes)
    return [*told, ("all", "", "", _signed(total), _signed(total * HOURS_PER_MONTH), "", "")]


def markdown(changes: Sequence[PriceChange], notes: Iterable[str]) -> str:
    """A comment for a pull request: the price in one sentence, then the table."""
    total = sum(one.usd_per_hour for one in changes)
    broken = [str(one.key) for one in changes if one.after and not one.after.served]
    verb = "saves" if total < 0 else "costs"
    sentence = f"**This change {verb} {abs(total) * HOURS_PER_MONTH:.2f} USD a month** ({_signed(total)} USD an hour)."
    if broken:
        sentence += f" Not served after it: {', '.join(broken)}."
    lines = [sentence, "", f"| {' | '.join(HEADER)} |", f"|{'---|' * len(HEADER)}"]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows(changes)]
    return "\n".join([*lines, *(f"\n{note}" for note in notes)]) + "\n"


def as_data(changes: Sequence[PriceChange]) -> dict[str, Any]:
    """For machines; money in US dollars, margins as shares of the limit."""
    total = sum(one.usd_per_hour for one in changes)
    return {
        "usdPerHour": round(total, 4),
        "usdPerMonth": round(total * HOURS_PER_MONTH, 2),
        "served": all(one.after.served for one in changes if one.after),
        "deployments": [
            {
                "namespace": one.key.namespace,
                "name": one.key.name,
                "usdPerHour": round(one.usd_per_hour, 4),
                "before": _side_data(one.before),
                "after": _side_data(one.after),
            }
            for one in changes
        ],
    }


def _side_data(side: Side | None) -> dict[str, Any] | None:
    if side is None:
        return None
    margin = side.slo_margin_ratio
    return {
        "usdPerHour": round(side.usd_per_hour, 4),
        "runs": side.runs,
        "served": side.served,
        "sloMargin": None if margin is None else round(margin, 4),
    }


def _signed(usd: float) -> str:
    return f"{usd:+.2f}" if abs(usd) >= 0.005 else "0.00"


def _percent(side: Side | None) -> str:
    return "-" if side is None or side.slo_margin_ratio is None else f"{side.slo_margin_ratio:.0%}"


def _yes(side: Side | None) -> str:
    return "-" if side is None else "yes" if side.served else "NO"
