"""What must be reached in which scenario, and was it?

In: the results of all scenarios. Out: a row for each goal, for the page and the exit code. A goal that cannot be told,
for want of runs, is not reached.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from plimsoll.simulator.report.against_bound import compared
from plimsoll.simulator.report.wording import share
from plimsoll.simulator.result import RunResult, ScenarioResult
from plimsoll.simulator.sweep import keeps, mean_attainment, mean_usd, name_of
from scenario_folders.kept import PLIMSOLL

Found = Mapping[str, ScenarioResult]
SINGLE = ("static", "hpa", "keda", "kpa", "wva-v1", "wva-v2", "melange", "dynamo", "skyserve")
QUICK = ("static", "hpa", "melange", "skyserve")
"""One of each kind, where a run takes minutes: bought for the peak, by load, by a programme, by rate with spot."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """One goal, and how far it was reached."""

    reached: bool
    text: str


@dataclass(frozen=True, slots=True)
class Goal:
    """One row of the table."""

    scenarios: tuple[str, ...]
    must: str
    attainment: float
    """Which share of the requests must be within the SLO."""
    judge: Callable[[Found, float], Verdict]
    baselines: tuple[str, ...] = SINGLE
    """What is compared, each swept."""


def within_bound(name: str, factor: float) -> Callable[[Found, float], Verdict]:
    def judge(found: Found, attainment: float) -> Verdict:
        ratio, attained = _ratio(found[name]), _attained(found[name])
        return Verdict(ratio <= factor and _kept(found[name], attainment), f"{ratio:.2f} x bound at {share(attained)}")

    return judge


def cheaper(
    name: str, by: float, restricted: str = "", factor: float | None = None
) -> Callable[[Found, float], Verdict]:
    """Under the cheapest baseline that keeps the SLO, of those for such variants where `restricted` names some."""

    def judge(found: Found, attainment: float) -> Verdict:
        ours, attained = mean_usd(found[name].of_policy(PLIMSOLL)), _attained(found[name])
        theirs = cheapest(found[name], attainment, restricted)
        if theirs is None:
            return Verdict(_kept(found[name], attainment), f"no such baseline keeps it; Plimsoll {share(attained)}")
        saved = 1.0 - ours / theirs[1] if theirs[1] > 0.0 else math.nan
        text = f"{abs(saved):.0%} {'under' if saved >= 0.0 else 'above'} {theirs[0]}, at {share(attained)}"
        # Floating-point noise is no miss.
        reached = saved >= by - 1e-9 and _kept(found[name], attainment)
        if factor is not None:
            ratio = _ratio(found[name])
            reached, text = reached and ratio <= factor, f"{ratio:.2f} x bound, {text}"
        return Verdict(reached, text)

    return judge


def attains(name: str) -> Callable[[Found, float], Verdict]:
    def judge(found: Found, attainment: float) -> Verdict:
        attained = _attained(found[name])
        best = max(
            (
                (mean_attainment(found[name].of_policy(label)), label)
                for label in found[name].policies
                if label != PLIMSOLL
            ),
            default=(math.nan, "none"),
        )
        return Verdict(_kept(found[name], attainment), f"{share(attained)}; best baseline {best[1]} {share(best[0])}")

    return judge


def never_rises(names: Sequence[str]) -> Callable[[Found, float], Verdict]:
    def judge(found: Found, attainment: float) -> Verdict:
        costs = [fmean(run.usd_per_million_tokens for run in found[one].of_policy(PLIMSOLL)) for one in names]
        kept = all(_kept(found[one], attainment) for one in names)
        falls = all(later <= earlier for earlier, later in pairwise(costs))
        return Verdict(falls and kept, " > ".join(f"{cost:.3f}" for cost in costs) + " USD a million tokens")

    return judge


def breaks_even(names: Sequence[str], api_usd: Mapping[str, float]) -> Callable[[Found, float], Verdict]:
    def judge(found: Found, attainment: float) -> Verdict:
        rows = [_volume(found[one].of_policy(PLIMSOLL), api_usd.get(one, math.nan)) for one in names]
        told = ", ".join(f"{one.own_usd:.0f} against {one.api_usd:.0f} USD a month" for one in rows)
        kept = all(_kept(found[one], attainment) for one in names)
        return Verdict(kept, f"{told}: {_since(rows)}")

    return judge


@dataclass(frozen=True, slots=True)
class _Volume:
    """A month of one traffic, and its price."""

    own_usd: float
    api_usd: float
    tokens_a_day: float


def _volume(runs: Sequence[RunResult], api_usd: float) -> _Volume:
    months = 730.0 / runs[0].hours
    tokens_a_day = fmean(run.tokens for run in runs) * 24.0 / runs[0].hours
    return _Volume(mean_usd(runs) * months, api_usd * months, tokens_a_day)


def _since(rows: Sequence[_Volume]) -> str:
    """From where self-hosting wins: between two volumes, linear from one to the next."""
    wins = next((place for place, one in enumerate(rows) if one.own_usd < one.api_usd), None)
    if wins is None:
        return "the API wins at every volume"
    later = rows[wins]
    if wins == 0:
        return f"self-hosting wins at every volume, from {later.api_usd:.0f} USD a month at the API"
    before = rows[wins - 1]
    dearer, cheaper_by = before.own_usd - before.api_usd, later.api_usd - later.own_usd
    part = dearer / (dearer + cheaper_by)
    at_usd = before.api_usd + part * (later.api_usd - before.api_usd)
    at_tokens = before.tokens_a_day + part * (later.tokens_a_day - before.tokens_a_day)
    return (
        f"self-hosting wins from about {at_usd:.0f} USD a month at the API, {at_tokens / 1e6:.1f} million tokens a day"
    )


def both(*judges: Callable[[Found, float], Verdict]) -> Callable[[Found, float], Verdict]:
    def judge(found: Found, attainment: float) -> Verdict:
        verdicts = [one(found, attainment) for one in judges]
        return Verdict(all(one.reached for one in verdicts), "; ".join(one.text for one in verdicts))

    return judge


def cheapest(result: ScenarioResult, attainment: float, restricted: str = "") -> tuple[str, float] | None:
    """The cheapest baseline that keeps the SLO."""
    keeping = [
        (mean_usd(runs), label)
        for label, runs in _by_label(result).items()
        if label != PLIMSOLL and (not restricted or name_of(label).endswith(f"@{restricted}"))
        if keeps(runs, attainment)
    ]
    return (min(keeping)[1], min(keeping)[0]) if keeping else None


def _by_label(result: ScenarioResult) -> Mapping[str, Sequence[RunResult]]:
    return {label: result.of_policy(label) for label in result.policies}


def _attained(result: ScenarioResult) -> float:
    runs = result.of_policy(PLIMSOLL)
    return mean_attainment(runs) if runs else 0.0


def _kept(result: ScenarioResult, attainment: float) -> bool:
    return keeps(result.of_policy(PLIMSOLL), attainment)


def _ratio(result: ScenarioResult) -> float:
    found = compared(result.of_policy(PLIMSOLL), result.bound_usd)
    return found.ratio if found is not None else math.inf


GROWTH = ("growth-x1", "growth-x3", "growth-x10")
BREAK_EVEN = ("api-break-even-25", "api-break-even-100", "api-break-even-400")
TAIL_WHOLE, TAIL_SHARED = "l4", "l4-shared"


def goals(api_usd: Mapping[str, float]) -> list[Goal]:
    """All of them.

    Args:
        api_usd: by scenario what its traffic costs at the API.
    """
    return [
        Goal(("azure-conv",), "<= 1.10 x bound", 0.99, within_bound("azure-conv", 1.10)),
        Goal(("azure-code",), "<= 1.10 x bound", 0.99, within_bound("azure-code", 1.10)),
        Goal(
            ("azure-week",),
            "<= 1.10 x bound, 15% under the cheapest baseline",
            0.99,
            cheaper("azure-week", 0.15, factor=1.10),
            QUICK,
        ),
        Goal(("mixed-fleet",), "30% under the cheapest baseline", 0.99, cheaper("mixed-fleet", 0.30), QUICK),
        Goal(
            ("long-tail",),
            "60% under the cheapest with whole GPUs, no dearer than with shared ones",
            0.99,
            both(cheaper("long-tail", 0.60, TAIL_WHOLE), cheaper("long-tail", 0.0, TAIL_SHARED)),
            tuple(f"{name}@{ways}" for name in ("static", "hpa") for ways in (TAIL_WHOLE, TAIL_SHARED)),
        ),
        Goal(
            ("commodity-swarm",),
            "40% under GPU-only",
            0.99,
            cheaper("commodity-swarm", 0.40, "h100"),
            # And one that has CPU nodes to choose from, too: whether Plimsoll spends less on them is another question.
            (*(f"{name}@h100" for name in ("plimsoll", *QUICK)), "melange"),
        ),
        Goal(("homogeneous",), "never dearer than the best baseline", 0.99, cheaper("homogeneous", 0.0), QUICK),
        Goal(("burst",), ">= 97% within the SLO", 0.97, attains("burst")),
        Goal(("spot-storm",), "<= 1.25 x bound", 0.99, within_bound("spot-storm", 1.25), QUICK),
        Goal(GROWTH, "cost per million tokens never rises with users", 0.99, never_rises(GROWTH), ()),
        Goal(BREAK_EVEN, "says from which volume self-hosting wins", 0.99, breaks_even(BREAK_EVEN, api_usd), ()),
    ]
