"""Who keeps the goal, and which setting speaks for each policy?

In: the results of a scenario and the goal. Out: `Standing`, the order in which a reader compares. A policy that was
tried with several targets is compared by its best setting, by the rule of ``simulator/sweep.py``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from plimsoll.simulator.result import RunResult, ScenarioResult
from plimsoll.simulator.sweep import keeps, mean_attainment, mean_usd, name_of, preference


@dataclass(frozen=True, slots=True)
class Entry:
    """One policy with one setting, over all its seeds."""

    label: str
    runs: tuple[RunResult, ...]
    goal: float

    @property
    def keeps(self) -> bool:
        """Whether it reaches the goal in the mean over seeds."""
        return keeps(self.runs, self.goal)

    @property
    def family(self) -> str:
        """The policy without its target: ``hpa`` of ``hpa=0.6``."""
        return name_of(self.label)

    @property
    def usd(self) -> float:
        """Mean over seeds."""
        return mean_usd(self.runs)

    @property
    def attainment(self) -> float:
        """Mean over seeds of the share of requests within their SLO, 0 to 1."""
        return mean_attainment(self.runs)

    @property
    def preference(self) -> tuple[bool, float, float, str]:
        """Smallest for the one to take."""
        return preference(self.label, self.runs, self.goal)


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


def of_common_seeds(scenario: ScenarioResult) -> ScenarioResult:
    """The runs of the seeds that all policies have; all runs where there is none. Ended early some lack seeds."""
    each = [{run.seed for run in scenario.of_policy(label)} for label in scenario.policies]
    common = set.intersection(*each) if each else set()
    if not common:
        return scenario
    return replace(scenario, runs=tuple(run for run in scenario.runs if run.seed in common))


def standing(scenario: ScenarioResult, goal: float) -> Standing:
    """The policies of a scenario as they compare."""
    return Standing(goal, tuple(Entry(label, scenario.of_policy(label), goal) for label in scenario.policies))
