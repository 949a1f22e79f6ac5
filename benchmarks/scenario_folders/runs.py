"""All runs of one scenario: Plimsoll on every seed with its bound and attribution, each baseline swept.

In: a scenario, a goal. Out: an `Outcome`. A baseline's settings are tried on the first seed; its cheapest that keeps
the SLO there, and the one it comes with, then run on all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

import joblib

from plimsoll.simulator.answers import ANSWERS
from plimsoll.simulator.attribution import STEPS, Attribution, attributed
from plimsoll.simulator.bound import least_cost
from plimsoll.simulator.episode import draw
from plimsoll.simulator.result import RunResult, ScenarioResult
from plimsoll.simulator.runs import Job, results
from plimsoll.simulator.scenario import Scenario
from plimsoll.simulator.sweep import by_preference, keeps, settings
from scenario_folders.goals import PLIMSOLL


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything about one scenario."""

    result: ScenarioResult
    best: Mapping[str, str]
    """By baseline as it comes: the setting that is compared."""
    attribution_usd: Mapping[str, float]
    """Mean over seeds, by step."""

    def as_data(self) -> dict[str, Any]:
        """The JSON of one scenario."""
        told = {name: float(f"{usd:.6g}") for name, usd in self.attribution_usd.items()}
        return {**self.result.as_data(), "best_setting": dict(self.best), "excess_usd": told}


def outcome(
    scenario: Scenario, baselines: Sequence[str], attainment: float, seeds: int | None, workers: int, answers: Path
) -> Outcome:
    """Runs everything."""
    chosen = scenario.spec.seeds[:seeds]
    ours = joblib.Parallel(n_jobs=min(workers, len(chosen)))(
        joblib.delayed(_ours)(scenario, seed, 1.0 - attainment, answers) for seed in chosen
    )
    tried = _run(scenario, [label for one in baselines for label in settings(one)], chosen[:1], workers, answers)
    swept = {one: [label for label in settings(one)] for one in baselines}
    best = {
        one: by_preference({label: tried[label] for label in labels}, attainment)[0] for one, labels in swept.items()
    }
    again = _run(scenario, list(dict.fromkeys([*baselines, *best.values()])), chosen[1:], workers, answers)
    runs = {label: (*tried[label], *again.get(label, ())) for label in (*baselines, *best.values())}
    best = {one: _corrected(one, best[one], runs, attainment) for one in baselines}
    return Outcome(
        ScenarioResult(
            scenario.name,
            (*(run for run, _, _ in ours), *(run for found in runs.values() for run in found)),
            {seed: usd for seed, (_, usd, _) in zip(chosen, ours, strict=True)},
        ),
        best,
        {step: fmean(one.usd[step] for _, _, one in ours) for step in STEPS},
    )


def _corrected(default: str, best: str, runs: Mapping[str, Sequence[RunResult]], attainment: float) -> str:
    """The setting that was best on the first seed, unless the other seeds say that the default is."""
    found = {label: runs[label] for label in dict.fromkeys((best, default))}
    return by_preference(found, attainment)[0] if any(keeps(one, attainment) for one in found.values()) else best


def _ours(scenario: Scenario, seed: int, may_miss: float, answers: Path) -> tuple[RunResult, float, Attribution]:
    ANSWERS.use(answers)
    episode = draw(scenario, seed)
    bound = least_cost(episode, may_miss)
    result, attribution = attributed(episode, bound)
    if result.slo_attainment >= 1.0 - may_miss and result.usd < bound.usd:
        raise AssertionError(f"{scenario.name} seed {seed}: Plimsoll costs {result.usd}, under the bound {bound.usd}")
    # By minute it is only of use to a report.
    return result, bound.usd, replace(attribution, usd_m={})


def _run(
    scenario: Scenario, labels: Sequence[str], seeds: Sequence[int], workers: int, answers: Path
) -> Mapping[str, Sequence[RunResult]]:
    made = [Job(scenario, label, seed) for seed in seeds for label in labels if label != PLIMSOLL]
    found: dict[str, list[RunResult]] = {}
    for run in results(made, workers=workers, answers=answers) if made else ():
        found.setdefault(run.policy, []).append(run)
    return {label: sorted(runs, key=lambda run: run.seed) for label, runs in found.items()}
