"""Who keeps the goal, and which setting speaks for each policy?

In: the results of a scenario and the goal. Out: `Standing`, the order in which a reader compares. A policy that was
tried with several targets is compared by its best setting: the cheapest that keeps the goal, else the one that keeps
most.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from plimsoll.simulator.result import RunResult, ScenarioResult


@dataclass(frozen=True, slots=True)
class Entry:
    """One policy with one setting, over all its seeds."""

    label: str
    runs: tuple[RunResult, ...]
    keeps: bool
    """Whether it reaches the goal in the mean over seeds."""

    @property
    def family(self) -> str:
        """The policy without its target: ``hpa`` of ``hpa=0.6``."""
        return self.label.partition("=")[0]

    @property
    def usd(self) -> float:
        """Mean over seeds."""
        return fmean(run.usd for run in self.runs)

    @property
    def attainment(self) -> float:
        """Mean over seeds of the share of requests within their SLO, 0 to 1."""
        return fmean(run.slo_attainment for run in self.runs)

    @property
    def preference(self) -> tuple[bool, float, float, str]:
        """Smallest for the one to take."""
        by_cost = (self.usd, -self.attainment) if self.keeps else (-self.attainment, self.usd)
        return (not self.keeps, *by_cost, self.label)


@dataclass(frozen=True, slots=True)
class Standing:
    """Everyone of one scenario."""

    goal: float
    entries: tuple[Entry, ...]
    """In the order in which they were asked for."""

    @property
    def ranked(self) -> Sequence[Entry]:
        """The best setting of each policy, the one to take first."""
        best: dict[str, Entry] = {}
        for entry in sorted(self.entries, key=lambda one: one.preference):
            best.setdefault(entry.family, entry)
        return tuple(best.values())

    @property
    def best(self) -> frozenset[str]:
        """Labels of the best settings."""
        return frozenset(entry.label for entry in self.ranked)


def standing(scenario: ScenarioResult, goal: float) -> Standing:
    """The policies of a scenario as they compare."""
    found = ((label, scenario.of_policy(label)) for label in scenario.policies)
    return Standing(goal, tuple(Entry(label, runs, _keeps(runs, goal)) for label, runs in found))


def _keeps(runs: Sequence[RunResult], goal: float) -> bool:
    # A hair less: the mean of three times 0.99 is not quite 0.99.
    return fmean(run.slo_attainment for run in runs) >= goal - 1e-9
