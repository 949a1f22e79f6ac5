"""What does the benchmark tell readers? docs/benchmarks.md, written from its results, and charts of each scenario.

In: outcomes and verdicts. Out: text, HTML. Goals that were missed stand there like those that were reached.
"""

from collections.abc import Mapping, Sequence
from statistics import fmean

from plimsoll.simulator.attribution import STEPS
from plimsoll.simulator.report import Background
from plimsoll.simulator.report import page as charts
from plimsoll.simulator.result import RunResult
from scenario_folders.goals import Goal, Verdict
from scenario_folders.kept import PLIMSOLL
from scenario_folders.runs import Outcome

HEAD = """# The benchmark

What Plimsoll costs in simulated clusters, what it keeps, and what the others do. Written by `make bench`; the figures
stand in `build/bench.json` too. It needs the public traces: set `PLIMSOLL_DATA_DIR` to the folder that holds them.

Cost is every node-second by its price, from the request for a node until it is given back; nodes that are paid for
already cost nothing. Attainment is the share of all requests, dropped ones included, within every SLO of their model.
Each scenario is a folder in `benchmarks/scenarios`: manifests as on a cluster, with profiles and prices of the
catalogue, and demand. Engines are truly faster or slower than their profiles, by 10% (sigma), and no policy knows by
how much.

The *bound* is what must be paid at least, whoever decides: minute by minute the proven lower bound of the integer
programme with that minute's true demand and true safe rates, no start-up, no minimum stay, the share that may miss the
SLO left out where it saves most. Why, and where it is none, stands in `simulator/bound/__init__.py`: a variant that
misses its percentile by a little even for a lone request counts for nothing there, although most of its requests are
within the SLO. Where a run kept the SLO for less than its bound, its scenario says so.

Baselines are reimplemented from what is published of them, a file each in `simulator/policies`. Those that scale one
workload run on the variant that is cheapest for the peak; a model that nobody asks in the whole run has its one replica
all the same, since nobody knew. Each is swept: the table shows it as it comes, and at its cheapest setting that keeps
the SLO (the setting behind the equals sign is its target), or where none does at the one that comes nearest.
"""


def page(outcomes: Mapping[str, Outcome], verdicts: Sequence[tuple[Goal, Verdict | None]]) -> str:
    """The whole page."""
    parts = [HEAD, "## Goals\n", _goals(verdicts), "## Scenarios\n"]
    attainment = {name: goal.attainment for goal, _ in verdicts for name in goal.scenarios}
    parts += [_scenario(name, one, attainment[name]) for name, one in outcomes.items()]
    return "\n".join(parts)


def report(one: Outcome, description: str, goal: float) -> str:
    """The page with charts of one scenario, with bound and attribution."""
    excess_usd = {(PLIMSOLL, seed): usd for seed, usd in one.excess_usd.items()}
    return charts([one.result], {one.result.name: Background(description, goal, excess_usd)})


def _goals(verdicts: Sequence[tuple[Goal, Verdict | None]]) -> str:
    rows = ["| scenario | must reach | at least | reached | |", "|---|---|---|---|---|"]
    for goal, verdict in verdicts:
        told = "not run" if verdict is None else verdict.text
        mark = "" if verdict is None else "yes" if verdict.reached else "**missed**"
        rows.append(f"| {', '.join(goal.scenarios)} | {goal.must} | {goal.attainment:.0%} | {told} | {mark} |")
    return "\n".join(rows) + "\n"


def _scenario(name: str, one: Outcome, attainment: float) -> str:
    seeds = len(one.result.bound_usd)
    bound = fmean(one.result.bound_usd.values())
    rows = [
        f"### {name}\n",
        f"{one.result.runs[0].hours:g} hours, mean and spread of {seeds} seeds. Bound: {bound:.2f} USD.\n",
        "| policy | USD | x bound | USD a million tokens | in SLO | dropped | moves |",
        "|---|---|---|---|---|---|---|",
    ]
    compared = {PLIMSOLL: "", **{label: "" for label in one.best}}
    for default, best in one.best.items():
        compared[best] = " (best)" if best != default else ""
    labels = [label for label in one.result.policies if label in compared]
    rows += [_row(label + compared[label], one.result.of_policy(label), bound) for label in labels]
    excess = ", ".join(f"{step} {one.attribution_usd[step]:+.2f}" for step in STEPS)
    rows.append(f"\nWhat Plimsoll pays over the bound, in USD by station: {excess}.\n")
    for run in one.under_bound(attainment):
        kept = f"with seed {run.seed} {run.policy} kept the SLO ({run.slo_attainment:.2%}) for {run.usd:.2f} USD"
        rows.append(f"The bound is none here: {kept}, less than the {one.result.bound_usd[run.seed]:.2f} USD of it.\n")
    return "\n".join(rows)


def _row(label: str, runs: Sequence[RunResult], bound: float) -> str:
    usd = [run.usd for run in runs]
    ratio = f"{fmean(usd) / bound:.2f}" if bound > 0.0 else "-"
    return (
        f"| {label} | {fmean(usd):.2f} ± {max(usd) - min(usd):.2f} | {ratio} "
        f"| {fmean(run.usd_per_million_tokens for run in runs):.4f} | {fmean(run.slo_attainment for run in runs):.2%} "
        f"| {fmean(run.dropped for run in runs):.0f} | {fmean(len(run.moves) for run in runs):.0f} |"
    )
