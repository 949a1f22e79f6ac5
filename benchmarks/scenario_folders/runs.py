"""All runs of one scenario: Plimsoll with bound and attribution, each baseline swept.

In: a scenario, a goal. Out: an `Outcome`. What has been made already is not made again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import joblib

from plimsoll.simulator.answers import ANSWERS
from plimsoll.simulator.bound import Bound
from plimsoll.simulator.bounded import Bounded, bounded
from plimsoll.simulator.episode import draw
from plimsoll.simulator.report.against_bound import undercutting
from plimsoll.simulator.result import RunResult, ScenarioResult
from plimsoll.simulator.runs import Job, results
from plimsoll.simulator.scenario import Scenario
from plimsoll.simulator.sweep import by_preference, keeps, settings
from scenario_folders.kept import BOUND, PLIMSOLL, Kept


@dataclass(frozen=True, slots=True)
class Bench:
    """How runs are made."""

    workers: int
    """Side by side."""
    answers: Path
    """File of simulated safe rates."""
    kept: Kept
    seeds: int | None = None
    """How many of each scenario's own; None: all."""
    seeds_by_scenario: Mapping[str, int] = field(default_factory=dict)
    """The same of some of them."""

    def seeds_of(self, scenario: Scenario) -> Sequence[int]:
        return scenario.spec.seeds[: self.seeds_by_scenario.get(scenario.name, self.seeds)]


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything about one scenario."""

    result: ScenarioResult
    best: Mapping[str, str]
    """By baseline as it comes: the setting that is compared."""

    def under_bound(self, attainment: float) -> Sequence[RunResult]:
        """Runs that kept the SLO for less than the bound, each of which shows that it is none."""
        return undercutting(self.result, attainment)

    def as_data(self) -> dict[str, Any]:
        """The JSON of one scenario."""
        return {**self.result.as_data(), "best_setting": dict(self.best)}


def outcome(scenario: Scenario, baselines: Sequence[str], attainment: float, bench: Bench) -> Outcome:
    """Runs everything."""
    ours = plimsoll_runs(scenario, 1.0 - attainment, bench)
    runs, best = baseline_runs(scenario, baselines, attainment, bench)
    return Outcome(
        ScenarioResult(
            scenario.name,
            (*(one.run for one in ours.values()), *(run for found in runs.values() for run in found)),
            {seed: one.bound.usd for seed, one in ours.items()},
            {seed: one.attribution.usd for seed, one in ours.items()},
        ),
        best,
    )


def plimsoll_runs(scenario: Scenario, may_miss: float, bench: Bench) -> Mapping[int, Bounded]:
    """By seed."""
    found: dict[int, Bounded] = {}
    bounds: dict[int, Bound] = {}
    for seed in bench.seeds_of(scenario):
        match bench.kept.of(scenario, PLIMSOLL, seed), bench.kept.of(scenario, _bound_label(may_miss), seed):
            case Bounded() as run, _:
                found[seed] = run
            case _, Bound() as bound:
                bounds[seed] = bound
    missing = [seed for seed in bench.seeds_of(scenario) if seed not in found]
    made = joblib.Parallel(n_jobs=bench.workers, return_as="generator_unordered")(
        joblib.delayed(_ours)(scenario, seed, may_miss, bench.answers, bounds.get(seed)) for seed in missing
    )
    for one in made:
        found[one.run.seed] = one
        bench.kept.add(scenario, _bound_label(may_miss), one.run.seed, one.bound)
        bench.kept.add(scenario, PLIMSOLL, one.run.seed, one)
    return {seed: found[seed] for seed in bench.seeds_of(scenario)}


def _bound_label(may_miss: float) -> str:
    return f"{BOUND}={may_miss:.4g}"


def _ours(scenario: Scenario, seed: int, may_miss: float, answers: Path, known: Bound | None) -> Bounded:
    ANSWERS.use(answers)
    episode = draw(scenario, seed)
    return bounded(episode, may_miss, known)


def baseline_runs(
    scenario: Scenario, baselines: Sequence[str], attainment: float, bench: Bench
) -> tuple[Mapping[str, Sequence[RunResult]], Mapping[str, str]]:
    """By label the runs of each baseline as it comes and at its best settings; by baseline the best of these."""

    def play(labels: Sequence[str], seeds: Sequence[int]) -> Mapping[str, Sequence[RunResult]]:
        return _run(scenario, labels, seeds, bench)

    return swept(baselines, attainment, bench.seeds_of(scenario), play)


def swept(
    baselines: Sequence[str],
    attainment: float,
    seeds: Sequence[int],
    play: Callable[[Sequence[str], Sequence[int]], Mapping[str, Sequence[RunResult]]],
) -> tuple[Mapping[str, Sequence[RunResult]], Mapping[str, str]]:
    """Each baseline as it comes and at its cheapest setting that keeps the SLO in the mean over all seeds.

    Every setting is tried on the first seed. Of those that keep the SLO there the cheapest is played on all seeds, and
    where it does not keep it in their mean the next, until one does. Where none keeps it on the first seed, it is the
    one that comes nearest.

    Args:
        baselines: as they come.
        attainment: share of the requests that must be within the SLO.
        seeds: all of them.
        play: makes runs: labels, seeds to results by label.

    Returns:
        By label the runs on all seeds; by baseline the setting to compare with.
    """
    tried = play([label for one in baselines for label in settings(one)], seeds[:1])
    runs = {label: (*tried[label], *more) for label, more in _on_others(baselines, seeds, play).items()}
    turns = {one: iter(_in_turn({label: tried[label] for label in settings(one)}, attainment)) for one in baselines}
    while due := {one: label for one, turn in turns.items() if (label := next(turn, None)) is not None}:
        new = [label for label in dict.fromkeys(due.values()) if label not in runs]
        runs |= {label: (*tried[label], *more) for label, more in _on_others(new, seeds, play).items()}
        turns = {one: turns[one] for one, label in due.items() if not keeps(runs[label], attainment)}
    best = {
        one: by_preference({label: runs[label] for label in settings(one) if label in runs}, attainment)[0]
        for one in baselines
    }
    return runs, best


def _on_others(
    labels: Sequence[str],
    seeds: Sequence[int],
    play: Callable[[Sequence[str], Sequence[int]], Mapping[str, Sequence[RunResult]]],
) -> Mapping[str, Sequence[RunResult]]:
    found = play(labels, seeds[1:]) if labels and seeds[1:] else {}
    return {label: found.get(label, ()) for label in labels}


def _in_turn(tried: Mapping[str, Sequence[RunResult]], attainment: float) -> Sequence[str]:
    """What is worth being played on all seeds, the best first."""
    order = by_preference(tried, attainment)
    return order if keeps(tried[order[0]], attainment) else order[:1]


def _run(
    scenario: Scenario, labels: Sequence[str], seeds: Sequence[int], bench: Bench
) -> Mapping[str, Sequence[RunResult]]:
    found: dict[str, list[RunResult]] = {}
    missing = []
    for job in (Job(scenario, label, seed) for seed in seeds for label in labels):
        kept = bench.kept.of(scenario, job.policy, job.seed)
        if isinstance(kept, RunResult):
            found.setdefault(job.policy, []).append(kept)
        else:
            missing.append(job)
    for done in results(missing, workers=bench.workers, answers=bench.answers) if missing else ():
        bench.kept.add(scenario, done.run.policy, done.run.seed, done.run)
        found.setdefault(done.run.policy, []).append(done.run)
    return {label: sorted(runs, key=lambda run: run.seed) for label, runs in found.items()}
