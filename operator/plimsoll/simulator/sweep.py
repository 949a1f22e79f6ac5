"""How would a careful user set an autoscaler? By its cheapest setting that keeps the SLO.

In: results by label. Out: the labels to try, and the one to compare with.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean

from plimsoll.simulator.policies import POLICIES
from plimsoll.simulator.result import RunResult


def settings(policy: str) -> tuple[str, ...]:
    """A policy as it comes, then with every target that is worth a try; ``hpa`` or ``hpa@l4``."""
    kind = POLICIES[policy.partition("@")[0]]
    return (policy, *(f"{policy}={target:g}" for target in kind.targets))


def name_of(label: str) -> str:
    """The policy of a label, with its variants and without its target."""
    return label.partition("=")[0]


def keeps(runs: Sequence[RunResult], goal: float) -> bool:
    """Whether the SLO attainment that is asked for is kept, in the mean over seeds."""
    return bool(runs) and fmean(run.slo_attainment for run in runs) >= goal


def mean_usd(runs: Sequence[RunResult]) -> float:
    return fmean(run.usd for run in runs)


def by_preference(results: Mapping[str, Sequence[RunResult]], goal: float) -> list[str]:
    """Labels that keep the goal, the cheapest first; where none does, all of them, the most attained first."""
    keeping = [label for label, runs in results.items() if keeps(runs, goal)]
    if keeping:
        return sorted(keeping, key=lambda label: (mean_usd(results[label]), label))
    return sorted(results, key=lambda label: (-fmean(run.slo_attainment for run in results[label]), label))
