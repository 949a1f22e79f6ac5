"""What does the bound say of a policy, and is it one?

In: runs of a scenario and the bound of each seed. Out: a comparison over the seeds that have both, and the runs that
show the bound to be none. It holds for those that keep the goal: whoever misses it may pay less. After a run that was
ended early some seeds have no bound, and some policies lack seeds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from plimsoll.simulator.result import RunResult, ScenarioResult
from plimsoll.simulator.sweep import keeps, mean_usd

LEAST_USD = 0.01
"""Of a bound that costs are told in: where nodes are paid for it may be nothing, and so would its multiples be."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A policy and the bound over the same seeds."""

    usd: float
    """Mean over `seeds`, as is the bound."""
    bound_usd: float
    seeds: tuple[int, ...]

    @property
    def ratio(self) -> float:
        return self.usd / self.bound_usd


def compared(runs: Sequence[RunResult], bound_usd: Mapping[int, float]) -> Compared | None:
    """Over the seeds that have both; None where there are none, or hardly anything must be paid.

    Args:
        runs: of one policy.
        bound_usd: by seed.
    """
    both = [run for run in runs if run.seed in bound_usd]
    least = fmean(bound_usd[run.seed] for run in both) if both else 0.0
    if least < LEAST_USD:
        return None
    return Compared(mean_usd(both), least, tuple(run.seed for run in both))


def undercutting(scenario: ScenarioResult, goal: float) -> Sequence[RunResult]:
    """Runs that kept the goal for less than the bound of their seed: each shows that it is none."""
    return [
        run
        for run in scenario.runs
        if run.seed in scenario.bound_usd and keeps([run], goal) and run.usd < scenario.bound_usd[run.seed]
    ]
