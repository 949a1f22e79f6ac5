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


_HAIR = 1e-9
"""The mean of three times 0.99 is not quite 0.99."""


def mean_attainment(runs: Sequence[RunResult]) -> float:
    """Of the share of requests within their SLO, over seeds; 0 to 1."""
    return fmean(run.slo_attainment for run in runs)


def mean_worst_model(runs: Sequence[RunResult]) -> float:
    """Of the lowest share of any model, over seeds; 0 to 1."""
    return fmean(run.worst_model_attainment for run in runs)


def mean_usd(runs: Sequence[RunResult]) -> float:
    return fmean(run.usd for run in runs)


def keeps(runs: Sequence[RunResult], goal: float) -> bool:
    """Whether the SLO attainment that is asked for is kept, in the mean over seeds."""
    return bool(runs) and mean_attainment(runs) >= goal - _HAIR


def preference(label: str, runs: Sequence[RunResult], goal: float) -> tuple[bool, float, float, str]:
    """Smallest for the one to take: of those that keep the goal the cheapest, of others the one that attains most."""
    usd, attained = mean_usd(runs), mean_attainment(runs)
    return (False, usd, -attained, label) if keeps(runs, goal) else (True, -attained, usd, label)


def by_preference(results: Mapping[str, Sequence[RunResult]], goal: float) -> list[str]:
    """Labels that keep the goal, the cheapest first; where none does, all of them, the most attained first."""
    keeping = {label: runs for label, runs in results.items() if keeps(runs, goal)} or results
    return sorted(keeping, key=lambda label: preference(label, keeping[label], goal))
