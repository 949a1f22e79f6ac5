"""How is a number said, and who won?

In: figures. Out: text. A share is cut, never rounded up: 98.996% is not 99%, and 100% means every single request.
"""

import math
from collections.abc import Sequence
from statistics import fmean

from plimsoll.simulator.report.standing import Entry, Standing
from plimsoll.simulator.result import ScenarioResult

NOTHING = "–"
_ALIKE = 0.005
"""Costs that differ by less are said to be the same: half a per cent is what one seed more would change; guess."""


def usd(value: float | None) -> str:
    """``12,345 USD``, ``12.35 USD``, ``0.0123 USD``, ``0.100 USD``."""
    return NOTHING if value is None else f"{amount(value)} USD"


def amount(value: float | None) -> str:
    """A number with as many digits as mean something."""
    if value is None or not math.isfinite(value):
        return NOTHING
    size = abs(value)
    if size >= 1000.0:
        return f"{value:,.0f}"
    if size >= 1.0 or size == 0.0:
        return f"{value:.2f}"
    return f"{value:#.3g}" if size >= 1e-4 else f"{value:.1e}"


def count(value: float | None) -> str:
    """``12,345``; a mean over seeds that is no whole number has one decimal."""
    if value is None:
        return NOTHING
    return f"{value:,.0f}" if float(value).is_integer() or value >= 1000.0 else f"{value:,.1f}"


def share(value: float | None) -> str:
    """A percentage with two decimals, cut off."""
    if value is None:
        return NOTHING
    # A hair more, so that 0.29 is 29.00% although 0.29 x 10,000 is 2899.9999.
    return f"{math.floor(value * 10_000 + 1e-6) / 100:.2f}%"


def plain_share(value: float) -> str:
    """``99%``, ``99.5%``: what somebody has chosen, not measured."""
    return f"{value * 100:.6g}%"


def points(value: float | None) -> str:
    """A difference of percentages."""
    return NOTHING if value is None else f"{value * 100:.2f}"


def ratio(value: float | None) -> str:
    return NOTHING if value is None or not math.isfinite(value) else f"{value:.2f}×"


def span(hours: float) -> str:
    """``45 minutes``, ``6 hours``, ``7 days``."""
    for unit, size in (("day", 24.0), ("hour", 1.0), ("minute", 1 / 60)):
        amount_of = hours / size
        if amount_of >= (2.0 if unit == "day" else 1.0) or unit == "minute":
            text = f"{amount_of:.3g}"
            return f"{text} {unit}{'' if text == '1' else 's'}"
    raise AssertionError("minutes take what is left")


# --- Who won ---------------------------------------------------------------------------------------------------------


def headline(found: Standing) -> str:
    """The outcome in one line."""
    ranked = found.ranked
    if not ranked:
        return "Nothing was simulated"
    first = ranked[0]
    if not first.keeps:
        return f"{'It' if len(ranked) == 1 else 'Nobody'} {'missed' if len(ranked) == 1 else 'kept'} the goal"
    if len(ranked) == 1:
        return f"{first.label} kept the goal"
    rivals = [one for one in ranked[1:] if one.keeps]
    if not rivals:
        return f"{first.label} alone kept the goal"
    if _alike(first, rivals[0]):
        return f"{first.label} and {rivals[0].label} cost the same"
    return f"{first.label} won, {_less(first.usd, rivals[0].usd)} cheaper than the next"


def paragraphs(scenario: ScenarioResult, found: Standing) -> Sequence[str]:
    """Who won, by how much, at which attainment, and what the goal was."""
    if not found.ranked:
        return ("Nothing was simulated: there is nothing to compare.",)
    return tuple(
        text for text in (_first(scenario, found), _next(found), _bound(scenario, found), _missed(found)) if text
    )


def _first(scenario: ScenarioResult, found: Standing) -> str:
    first = found.ranked[0]
    goal = f"{plain_share(found.goal)} of all requests within their SLO"
    paid = f"{usd(first.usd)} for {span(first.runs[0].hours)}"
    at = f"{share(first.attainment)} of requests within their SLO"
    if first.keeps:
        return f"The goal was {goal}. {first.label} kept it for the least money: {paid}, with {at}{_over(scenario)}."
    return f"The goal was {goal}. No policy kept it. {first.label} came closest: {at}, for {usd(first.usd)}."


def _over(scenario: ScenarioResult) -> str:
    seeds = len({run.seed for run in scenario.runs})
    return f" (mean over {seeds} seeds)" if seeds > 1 else ""


def _next(found: Standing) -> str:
    first = found.ranked[0]
    rivals = [one for one in found.ranked[1:] if one.keeps]
    if not first.keeps:
        return ""
    if not rivals:
        many = len(found.ranked) > 1
        return "No other policy kept the goal, whatever its setting." if many else "No other policy was simulated."
    rival = rivals[0]
    if _alike(first, rival):
        return f"{rival.label} did it for the same money: {usd(rival.usd)}, with {share(rival.attainment)}."
    text = (
        f"The next that kept it is {rival.label} with {usd(rival.usd)} and {share(rival.attainment)}: "
        f"{first.label} is {_less(first.usd, rival.usd)} cheaper"
    )
    won, both = _wins(first, rival)
    return f"{text}, in {won} of {both} seeds." if both > 1 else f"{text}."


def _bound(scenario: ScenarioResult, found: Standing) -> str:
    first, told = found.ranked[0], list(scenario.bound_usd.values())
    if not told or fmean(told) <= 0.0:
        return ""
    bound = fmean(told)
    return (
        f"Knowing everything in advance, it could not have cost less than {usd(bound)}: "
        f"{first.label} paid {ratio(first.usd / bound)[:-1]} times that."
    )


def _missed(found: Standing) -> str:
    first = found.ranked[0]
    cheaper = [one for one in found.ranked[1:] if not one.keeps and first.keeps and one.usd < first.usd]
    if not cheaper:
        return ""
    told = ", ".join(f"{one.label} ({usd(one.usd)}, {share(one.attainment)})" for one in cheaper[:3])
    return f"Cheaper, but short of the goal: {told}{' and more' if len(cheaper) > 3 else ''}."


def _alike(first: Entry, rival: Entry) -> bool:
    return rival.usd - first.usd <= _ALIKE * rival.usd


def _less(low: float, high: float) -> str:
    return f"{(1.0 - low / high) * 100:.0f}%" if (1.0 - low / high) >= 0.0095 else "less than 1%"


def _wins(first: Entry, rival: Entry) -> tuple[int, int]:
    """In how many seeds the first was cheaper, and how many seeds both have: they saw the same requests."""
    theirs = {run.seed: run.usd for run in rival.runs}
    pairs = [(run.usd, theirs[run.seed]) for run in first.runs if run.seed in theirs]
    return sum(mine < other for mine, other in pairs), len(pairs)
