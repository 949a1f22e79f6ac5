"""What does the benchmark tell readers? docs/benchmarks.md, written from its results, and charts of each scenario.

In: outcomes and verdicts. Out: text, HTML. Goals that were missed stand there like those that were reached.
"""

import textwrap
from collections.abc import Collection, Mapping, Sequence
from statistics import fmean

import numpy as np

from plimsoll.simulator.attribution import STEPS
from plimsoll.simulator.report import Background
from plimsoll.simulator.report import page as charts
from plimsoll.simulator.report.against_bound import LEAST_USD, compared
from plimsoll.simulator.report.wording import share, span
from plimsoll.simulator.result import RunResult, ScenarioResult
from plimsoll.simulator.sweep import keeps, mean_attainment, mean_worst_model
from scenario_folders.goals import Goal, Verdict
from scenario_folders.kept import PLIMSOLL
from scenario_folders.runs import Outcome
from scenario_folders.told import HEAD, PLAYED, WHY

COLUMNS = 120
CHANCE = STEPS[0]
MOST_SHARE = 0.9
"""Of the missed requests."""


def page(
    outcomes: Mapping[str, Outcome],
    verdicts: Sequence[tuple[Goal, Verdict | None]],
    older_of_baselines: int = 0,
    older_of_ours: Collection[str] = (),
) -> str:
    """The whole page.

    Args:
        outcomes: by scenario.
        verdicts: of every goal; None where it was not run.
        older_of_baselines: how many of their runs were made by another state of the simulator.
        older_of_ours: scenarios in which Plimsoll's runs were.
    """
    parts = [
        HEAD,
        *_older(older_of_baselines, older_of_ours),
        "## Goals\n",
        _goals(verdicts),
        *_missed(outcomes, verdicts),
        "## Scenarios\n",
    ]
    attainment = {name: goal.attainment for goal, _ in verdicts for name in goal.scenarios}
    parts += [_scenario(name, one, attainment[name]) for name, one in outcomes.items()]
    return "\n".join(parts)


def report(one: Outcome, description: str, goal: float) -> str:
    """The page with charts of one scenario, with bound and attribution."""
    return charts([one.result], {one.result.name: Background(description, goal)})


def _goals(verdicts: Sequence[tuple[Goal, Verdict | None]]) -> str:
    rows = ["| scenario | must reach | at least | reached | |", "|---|---|---|---|---|"]
    for goal, verdict in verdicts:
        told = "not run" if verdict is None else verdict.text
        mark = "" if verdict is None else "yes" if verdict.reached else "**missed**"
        rows.append(f"| {', '.join(goal.scenarios)} | {goal.must} | {goal.attainment:.0%} | {told} | {mark} |")
    return "\n".join(rows) + "\n"


def _older(of_baselines: int, of_ours: Collection[str]) -> Sequence[str]:
    told = []
    if of_baselines:
        told.append(
            f"{of_baselines} runs of baselines were made by an earlier state of the simulator, and not made again."
        )
    if of_ours:
        told.append(f"Plimsoll's runs and bounds are of an earlier state of its code in {', '.join(sorted(of_ours))}.")
    return (_wrapped(" ".join(told)),) if told else ()


def _missed(outcomes: Mapping[str, Outcome], verdicts: Sequence[tuple[Goal, Verdict | None]]) -> Sequence[str]:
    """Why, of each goal that is missed."""
    missed = [goal for goal, verdict in verdicts if verdict is not None and not verdict.reached]
    rows = [
        _wrapped(f"**{name}.**", WHY.get(name, ""), _unspared(goal, outcomes[name]), _when(outcomes[name]))
        for goal in missed
        for name in goal.scenarios
        if name in outcomes
    ]
    return ("## Why goals are missed\n", *rows) if rows else ()


def _wrapped(*texts: str) -> str:
    return textwrap.fill(" ".join(filter(None, texts)), COLUMNS, break_long_words=False, break_on_hyphens=False) + "\n"


def _unspared(goal: Goal, one: Outcome) -> str:
    """Where the goal is one of the bound: how far from it is a fleet that knows each minute and leaves nobody out."""
    excess = one.result.excess_over_bound_usd
    bound_usd = fmean(one.result.bound_usd[seed] for seed in excess) if excess else 0.0
    if "bound" not in goal.must or bound_usd < LEAST_USD:
        return ""
    times = 1.0 + one.result.mean_excess_usd.get(CHANCE, 0.0) / bound_usd
    return (
        "A fleet that knew each minute's own demand and left nobody out, at true safe rates without bursts, would pay "
        f"{times:.2f} x bound."
    )


def _when(one: Outcome) -> str:
    """In how many minutes most of the requests were missed that were."""
    runs = [run for run in one.result.of_policy(PLIMSOLL) if run.models]
    worst = [_minutes_of_most(run) for run in runs if run.slo_attainment < 1.0]
    if not worst:
        return ""
    return (
        f"Nine in ten of the requests that Plimsoll missed fall into {fmean(worst):.0f} of {runs[0].minutes} minutes "
        "(mean over seeds)."
    )


def _minutes_of_most(run: RunResult) -> int:
    missed_m = np.sum([np.nan_to_num(1.0 - one.within_slo_m) * one.demand_rps_m for one in run.models], axis=0)
    most_first_m = np.sort(missed_m)[::-1].cumsum()
    return int(np.searchsorted(most_first_m, MOST_SHARE * most_first_m[-1])) + 1


def _scenario(name: str, one: Outcome, attainment: float) -> str:
    bound = fmean(one.result.bound_usd.values())
    seeds, hours = len(one.result.bound_usd), one.result.runs[0].hours
    several = one.result.has_several_models
    rows = [
        f"### {name}\n",
        *([f"{PLAYED[name]}\n"] if name in PLAYED else []),
        f"{span(hours)}, {seeds} seed{'s' if seeds > 1 else ''}. Bound: {bound:.2f} USD.\n",
        f"| policy | USD | x bound | USD a million tokens | in SLO |{' worst model |' * several} dropped | moves |",
        f"|---|---|---|---|---|{'---|' * several}---|---|",
    ]
    shown = {PLIMSOLL: "", **{label: "" for label in one.best}}
    for default, best in one.best.items():
        if best != default:
            shown[best] = " (best)" if keeps(one.result.of_policy(best), attainment) else " (nearest)"
    labels = [label for label in one.result.policies if label in shown]
    rows += [_row(label + shown[label], one.result.of_policy(label), one.result) for label in labels]
    if not one.best:
        rows.append("\nNo rivals were played here: the goal is Plimsoll's own.\n")
    excess = ", ".join(f"{step} {usd:+.2f}" for step, usd in one.result.mean_excess_usd.items())
    rows.append(f"\nWhat Plimsoll pays over the bound, in USD by station: {excess}.\n")
    for run in one.under_bound(attainment):
        kept = f"with seed {run.seed} {run.policy} kept the SLO ({share(run.slo_attainment)}) for {run.usd:.2f} USD"
        rows.append(f"The bound is none here: {kept}, less than the {one.result.bound_usd[run.seed]:.2f} USD of it.\n")
    return "\n".join(rows)


def _row(label: str, runs: Sequence[RunResult], among: ScenarioResult) -> str:
    usd, against = [run.usd for run in runs], compared(runs, among.bound_usd)
    worst = f"| {share(mean_worst_model(runs))} " if among.has_several_models else ""
    return (
        f"| {label} | {fmean(usd):.2f} ± {max(usd) - min(usd):.2f} | {f'{against.ratio:.2f}' if against else '-'} "
        f"| {fmean(run.usd_per_million_tokens for run in runs):.4f} | {share(mean_attainment(runs))} {worst}"
        f"| {fmean(run.dropped for run in runs):.0f} | {fmean(len(run.moves) for run in runs):.0f} |"
    )
