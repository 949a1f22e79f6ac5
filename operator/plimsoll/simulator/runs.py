"""Many runs: scenarios by policies by seeds, side by side.

In: scenarios and labels of policies. Out: results as they come in. joblib carries them, so that whoever calls decides
where they run: processes of this machine by default, or a cluster with ``joblib.parallel_config("dask")``. Every run
draws its episode anew, from the seed: nothing large travels.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import joblib

from plimsoll.domain import ObjectKey
from plimsoll.simulator.answers import ANSWERS
from plimsoll.simulator.demand.history import History
from plimsoll.simulator.episode import NO_HISTORIES, draw
from plimsoll.simulator.policies import parsed
from plimsoll.simulator.result import RunResult, ScenarioResult
from plimsoll.simulator.scenario import Scenario
from plimsoll.simulator.world import run


@dataclass(frozen=True, slots=True)
class Job:
    """One run that is to be made."""

    scenario: Scenario
    policy: str
    seed: int
    histories: Mapping[ObjectKey, History] = field(default_factory=dict)
    """Demand that was read from Prometheus."""


def jobs(
    scenarios: Iterable[Scenario],
    policies: Sequence[str] = (),
    seeds: int | None = None,
    histories: Mapping[ObjectKey, History] = NO_HISTORIES,
) -> list[Job]:
    """All runs, those of one episode next to each other.

    Args:
        scenarios: to run.
        policies: labels; none: those that each scenario names.
        seeds: how many; None: those that each scenario names.
        histories: demand by deployment, in place of what the scenarios say.

    Raises:
        InvalidObject: there is no such policy.
    """
    found = []
    for scenario in scenarios:
        labels = policies or scenario.spec.policies
        for label in labels:
            parsed(label)
        for seed in _seeds(scenario, seeds):
            found += [Job(scenario, label, seed, histories) for label in dict.fromkeys(labels)]
    return found


def _seeds(scenario: Scenario, count: int | None) -> Sequence[int]:
    named = scenario.spec.seeds
    if count is None or count <= len(named):
        return named[:count]
    return (*named, *range(max(named) + 1, max(named) + 1 + count - len(named)))


def results(made: Sequence[Job], workers: int | None = None, answers: Path | None = None) -> Iterator[RunResult]:
    """The results, each as soon as it is there.

    Args:
        made: the runs.
        workers: side by side; None: as joblib's surrounding configuration has it.
        answers: file in which simulated safe rates are kept from process to process.
    """
    parallel = joblib.Parallel(n_jobs=workers, return_as="generator_unordered")
    yield from parallel(joblib.delayed(do)(job, answers) for job in made)


def do(job: Job, answers: Path | None = None) -> RunResult:
    """One run."""
    ANSWERS.use(answers)
    return run(draw(job.scenario, job.seed, job.histories), job.policy)


def gathered(
    made: Sequence[Job], done: Iterable[RunResult], bounds: Mapping[str, Mapping[int, float]] | None = None
) -> list[ScenarioResult]:
    """What is there, by scenario and in the order of the jobs; scenarios without any run are left out.

    Args:
        made: all runs that were asked for.
        done: the results so far.
        bounds: by scenario and seed what must be paid at least, USD, as far as it is known.
    """
    by_job = {(one.scenario, one.policy, one.seed): one for one in done}
    found = []
    for name in dict.fromkeys(job.scenario.name for job in made):
        keys = [(name, job.policy, job.seed) for job in made if job.scenario.name == name]
        runs = tuple(by_job[key] for key in keys if key in by_job)
        if runs:
            found.append(ScenarioResult(name, runs, (bounds or {}).get(name, {})))
    return found
