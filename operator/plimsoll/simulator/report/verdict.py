"""Who won, by how much, and what does the bound say? The first paragraph, for a tired reader.

In: the results of a scenario and the goal. Out: sentences. Nothing is said that was not checked: the bound is a bound
only where nobody that keeps the goal paid less, and only settings that were tried are spoken of. Where a simulation was
ended early, what is said is of the seeds that all policies have: others have other demand.
"""

from collections.abc import Sequence
from statistics import fmean
from typing import Final

from plimsoll.simulator.report.against_bound import compared, undercutting
from plimsoll.simulator.report.standing import Entry, Standing, of_common_seeds, standing
from plimsoll.simulator.report.wording import plain_share, ratio, share, span, usd
from plimsoll.simulator.result import ScenarioResult

_ALIKE: Final = 0.005
"""Costs that differ by less are said to be the same: half a per cent is what one seed more would change; guess."""


def headline(scenario: ScenarioResult, goal: float) -> str:
    """The outcome in one line."""
    ranked = standing(of_common_seeds(scenario), goal).ranked
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


def paragraphs(scenario: ScenarioResult, goal: float) -> Sequence[str]:
    """Who won, by how much, at which attainment, and what the goal was."""
    if not scenario.runs:
        return ("Nothing was simulated: there is nothing to compare.",)
    compared_runs = of_common_seeds(scenario)
    found = standing(compared_runs, goal)
    told = (_ended_early(scenario), _first(compared_runs, found), _next(found), _bound(scenario, found), _missed(found))
    return tuple(text for text in told if text)


def bound_is_none(scenario: ScenarioResult, goal: float) -> bool:
    """Whether somebody kept the goal for less than the bound."""
    return bool(undercutting(scenario, goal))


def bound_text(scenario: ScenarioResult) -> str:
    """``8.00 USD``, or ``8.00 USD, seeds 1 and 2 alone`` where the others have none."""
    told = sorted(scenario.bound_usd)
    if not told:
        return usd(None)
    lacking = {run.seed for run in scenario.runs} - set(told)
    return usd(fmean(scenario.bound_usd.values())) + (f", {_seeds(told)} alone" if lacking else "")


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
        return "No other policy kept the goal in the settings tried." if many else "No other policy was simulated."
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
    first = found.ranked[0]
    against = compared(first.runs, scenario.bound_usd)
    if against is None:
        return ""
    shown = undercutting(scenario, found.goal)
    if shown:
        run = min(shown, key=lambda one: one.usd / scenario.bound_usd[one.seed])
        return (
            f"The bound is none here, and no measure: with seed {run.seed} {run.policy} kept the goal "
            f"({share(run.slo_attainment)}) for {usd(run.usd)}, less than the {usd(scenario.bound_usd[run.seed])} "
            "that keeping it was reckoned to cost at least."
        )
    partly = (
        f" ({_seeds(against.seeds)} alone {'has' if len(against.seeds) == 1 else 'have'} a bound)"
        if len(against.seeds) < len(first.runs)
        else ""
    )
    least = (
        "Knowing everything in advance, it could not have cost less than "
        f"{usd(against.bound_usd)} while keeping the goal{partly}"
    )
    if not first.keeps:
        # Whoever misses the goal pays for something else than the bound does.
        return f"{least}."
    if against.ratio < 1.0:
        return f"{least} with every seed. {first.label} paid less, {usd(against.usd)}: it kept it in the mean only."
    return f"{least}: {first.label} paid {ratio(against.ratio)[:-1]} times that."


def _missed(found: Standing) -> str:
    first = found.ranked[0]
    cheaper = [one for one in found.ranked[1:] if not one.keeps and first.keeps and one.usd < first.usd]
    if not cheaper:
        return ""
    told = ", ".join(f"{one.label} ({usd(one.usd)}, {share(one.attainment)})" for one in cheaper[:3])
    return f"Cheaper, but short of the goal: {told}{' and more' if len(cheaper) > 3 else ''}."


def _ended_early(scenario: ScenarioResult) -> str:
    everything = {run.seed for run in scenario.runs}
    common = {run.seed for run in of_common_seeds(scenario).runs}
    if all({run.seed for run in scenario.of_policy(label)} == everything for label in scenario.policies):
        return ""
    if common == everything:
        return (
            "The simulation was ended early, and the policies have no seed in common: each is told by its own seeds, "
            "which say little of one another. Run it to its end before you decide."
        )
    return (
        f"The simulation was ended early: what is said here is of {_seeds(sorted(common))} alone, which all policies "
        "have. The table has the means over all that was played. Run it to its end before you decide."
    )


def _seeds(seeds: Sequence[int]) -> str:
    """``seed 1``, ``seeds 1, 2 and 3``."""
    *others, last = map(str, seeds)
    return f"seeds {', '.join(others)} and {last}" if others else f"seed {last}"


def _alike(first: Entry, rival: Entry) -> bool:
    return rival.usd - first.usd <= _ALIKE * rival.usd


def _less(low: float, high: float) -> str:
    return f"{(1.0 - low / high) * 100:.0f}%" if (1.0 - low / high) >= 0.0095 else "less than 1%"


def _wins(first: Entry, rival: Entry) -> tuple[int, int]:
    """In how many seeds the first was cheaper, and how many seeds both have: they saw the same requests."""
    theirs = {run.seed: run.usd for run in rival.runs}
    pairs = [(run.usd, theirs[run.seed]) for run in first.runs if run.seed in theirs]
    return sum(mine < other for mine, other in pairs), len(pairs)
