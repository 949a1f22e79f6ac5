"""Many runs: scenarios by policies by seeds, side by side.

In: scenarios and labels of policies. Out: what was found as it comes in, with the bound where it is asked for. joblib
carries them, so that whoever calls decides where they run: processes of this machine by default, or a cluster with
``joblib.parallel_config("dask")``. Every run draws its episode anew, from the seed: nothing large travels.
"""

import warnings
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import joblib

from plimsoll.domain import ObjectKey
from plimsoll.simulator.answers import ANSWERS
from plimsoll.simulator.bound import least_cost
from plimsoll.simulator.bounded import bounded
from plimsoll.simulator.demand.history import History
from plimsoll.simulator.episode import NO_HISTORIES, draw, objects
from plimsoll.simulator.named import refuse_missing_files
from plimsoll.simulator.policies import checked
from plimsoll.simulator.policies.plimsoll import PLIMSOLL
from plimsoll.simulator.result import RunResult, ScenarioResult
from plimsoll.simulator.scenario import Scenario
from plimsoll.simulator.shares import Shares, Watcher, ignore
from plimsoll.simulator.sweep import settings
from plimsoll.simulator.world import run


@dataclass(frozen=True, slots=True)
class Job:
    """One run that is to be made."""

    scenario: Scenario
    policy: str
    seed: int
    histories: Mapping[ObjectKey, History] = field(default_factory=dict)
    """Demand that was read from Prometheus."""
    may_miss: float | None = None
    """Compute the bound, too, where this share of requests may miss the SLO; None: no bound."""


@dataclass(frozen=True, slots=True)
class Done:
    """One run that has been made."""

    run: RunResult
    bound_usd: float | None = None
    """What must be paid at least, as far as it was asked for."""
    excess_usd: Mapping[str, float] = field(default_factory=dict)
    """The cost over the bound by station; nothing where there are none or no bound was asked for."""


def jobs(
    scenarios: Iterable[Scenario],
    policies: Sequence[str] = (),
    seeds: int | None = None,
    histories: Mapping[ObjectKey, History] = NO_HISTORIES,
    sweep: bool = False,
) -> list[Job]:
    """All runs, those of one episode next to each other.

    Args:
        scenarios: to run.
        policies: labels; none: those that each scenario names.
        seeds: how many; None: those that each scenario names.
        histories: demand by deployment, in place of what the scenarios say.
        sweep: also with the other targets that are worth a try, those policies that no target is given for.

    Raises:
        InvalidObject: there is no such policy or variant, or a file with demand is not there.
    """
    found = []
    for scenario in scenarios:
        refuse_missing_files(scenario, without=histories)
        labels = policies or scenario.spec.policies
        variants = {one.name for deployment in objects(scenario).deployments for one in deployment.variants}
        for label in labels:
            checked(label, variants)
        if sweep:
            labels = [one for label in labels for one in ((label,) if "=" in label else settings(label))]
        for seed in _seeds(scenario, seeds):
            found += [Job(scenario, label, seed, histories) for label in dict.fromkeys(labels)]
    return found


def with_bounds(made: Sequence[Job], may_miss: float, wanted: Container[str]) -> list[Job]:
    """The jobs with one bound for each scenario and seed: beside Plimsoll where it runs, for there it is attributed.

    Args:
        made: all runs.
        may_miss: share of requests that need not keep the SLO, 0 to 1.
        wanted: names of the scenarios that are to have bounds.
    """
    chosen: dict[tuple[str, int], Job] = {}
    for job in made:
        if job.scenario.name in wanted:
            key = (job.scenario.name, job.seed)
            chosen[key] = job if job.policy == PLIMSOLL.name else chosen.get(key, job)
    return [
        replace(job, may_miss=may_miss) if job is chosen.get((job.scenario.name, job.seed)) else job for job in made
    ]


def _seeds(scenario: Scenario, count: int | None) -> Sequence[int]:
    named = scenario.spec.seeds
    if count is None or count <= len(named):
        return named[:count]
    return (*named, *range(max(named) + 1, max(named) + 1 + count - len(named)))


def results(
    made: Sequence[Job], workers: int | None = None, answers: Path | None = None, shares: Shares | None = None
) -> Iterator[Done]:
    """What was found, each as soon as it is there.

    Args:
        made: the runs.
        workers: side by side; None: as joblib's surrounding configuration has it.
        answers: file in which simulated safe rates are kept from process to process.
        shares: takes how far each run is, by its place.
    """
    # A worker that has grown by 300 MB is replaced; nothing is lost by it, and nobody needs to know.
    warnings.filterwarnings("ignore", "A worker stopped while some jobs were given", UserWarning)
    parallel = joblib.Parallel(n_jobs=workers, return_as="generator_unordered")
    yield from parallel(joblib.delayed(_watched)(job, answers, shares, place) for place, job in enumerate(made))


def _watched(job: Job, answers: Path | None, shares: Shares | None, place: int) -> Done:
    return do(job, answers, shares.watcher(place) if shares else ignore)


def do(job: Job, answers: Path | None = None, watch: Watcher = ignore) -> Done:
    """One run."""
    ANSWERS.use(answers)
    episode = draw(job.scenario, job.seed, job.histories)
    if job.may_miss is None:
        done = Done(run(episode, job.policy, watch))
    elif job.policy == PLIMSOLL.name:
        found = bounded(episode, job.may_miss, watch=watch)
        done = Done(found.run, found.bound.usd, found.attribution.usd)
    else:
        done = Done(run(episode, job.policy, watch), least_cost(episode, job.may_miss).usd)
    watch(1.0)
    return done


def gathered(made: Sequence[Job], done: Iterable[Done]) -> list[ScenarioResult]:
    """What is there, by scenario and in the order of the jobs; scenarios without any run are left out.

    Args:
        made: all runs that were asked for.
        done: the results so far.
    """
    by_job = {(one.run.scenario, one.run.policy, one.run.seed): one for one in done}
    found = []
    for name in dict.fromkeys(job.scenario.name for job in made):
        keys = [(name, job.policy, job.seed) for job in made if job.scenario.name == name]
        there = [by_job[key] for key in keys if key in by_job]
        if there:
            bounds = {one.run.seed: one.bound_usd for one in there if one.bound_usd is not None}
            excess = {one.run.seed: one.excess_usd for one in there if one.excess_usd}
            found.append(ScenarioResult(name, tuple(one.run for one in there), bounds, excess))
    return found
