"""Every scenario under every policy: what Plimsoll must reach, and what it does.

In: benchmarks/scenarios/, the public traces (PLIMSOLL_DATA_DIR). Out: build/bench.json, charts of each scenario in
build/bench/, docs/benchmarks.md. Without the traces only scenarios with generated demand run, and the page is left as
it is. With --strict it exits 1 where a goal is missed, or where a run kept the SLO for less than the bound, which is
none then.

Every run is kept in build/kept, and made again only when something has changed that it depends on: after Ctrl-C it
goes on where it was, and while Plimsoll's stations are mended its rivals' runs are not repeated.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import data_folder
from plimsoll.errors import InvalidObject
from plimsoll.simulator.episode import draw
from plimsoll.simulator.scenario import Scenario, load
from scenario_folders.goals import BREAK_EVEN, Goal, Verdict, goals
from scenario_folders.kept import Kept
from scenario_folders.page import page, report
from scenario_folders.runs import Bench, Outcome, outcome

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent
INTERRUPTED = 130
API_USD_PER_TOKEN = (0.15e-6, 0.60e-6)
"""Of prompt and output, as the manifests of these scenarios have it."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="scenarios; default: all")
    parser.add_argument("--seeds", type=int, help="how many of each scenario's own; default: all")
    parser.add_argument(
        "--seeds-of", type=_of_one, action="append", default=[], metavar="NAME=N", help="the same of one scenario"
    )
    parser.add_argument("--baselines", help="separated by commas; default: those of each goal")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="runs side by side")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--strict", action="store_true", help="exit 1 where a goal is missed or the bound is none")
    parser.add_argument("--out", type=Path, default=REPOSITORY / "build", help="folder of bench.json")
    parser.add_argument("--keep", type=Path, help="folder of runs; default: kept in the folder of bench.json")
    parser.add_argument("--older", action="store_true", help="take kept baselines though the simulator has changed")
    parser.add_argument("--older-plimsoll", action="store_true", help="the same of Plimsoll's runs and its bounds")
    parser.add_argument("--page", type=Path, help="write the page here; default: docs/ when everything was run")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    everything = goals(_api_usd())
    if arguments.baselines is not None:
        told = tuple(one for one in arguments.baselines.split(",") if one)
        everything = [replace(goal, baselines=told) for goal in everything]
    kept = Kept(arguments.keep or arguments.out / "kept", HERE / "scenarios", arguments.older, arguments.older_plimsoll)
    bench = Bench(arguments.jobs, arguments.out / "answers", kept, arguments.seeds, dict(arguments.seeds_of))
    outcomes: dict[str, Outcome] = {}
    interrupted = False
    try:
        for goal in everything:
            for name in goal.scenarios:
                if not arguments.names or name in arguments.names:
                    outcomes |= _ran(name, goal, bench, arguments.out)
    except KeyboardInterrupt:
        interrupted = True
    verdicts = [(goal, _verdict(goal, outcomes)) for goal in everything]
    found = {
        "scenarios": {name: one.as_data() for name, one in outcomes.items()},
        "goals": [
            {"scenarios": goal.scenarios, "must": goal.must, "reached": verdict.reached, "text": verdict.text}
            for goal, verdict in verdicts
            if verdict is not None
        ],
    }
    (arguments.out / "bench.json").write_text(json.dumps(found, indent=2, sort_keys=True) + "\n")
    where = arguments.page or (
        None
        if _is_part(arguments) or interrupted or any(verdict is None for _, verdict in verdicts)
        else REPOSITORY / "docs" / "benchmarks.md"
    )
    if where is not None:
        where.write_text(page(outcomes, verdicts, kept.older_of_baselines, kept.older_of_ours))
    under_bound = _told_of(everything, verdicts, outcomes, kept)
    missed = sum(verdict is not None and not verdict.reached for _, verdict in verdicts)
    if arguments.json:
        print(json.dumps({"scenarios": len(outcomes), "missed": missed}))
    if interrupted:
        print("interrupted: finished runs are kept, the same command goes on from there", file=sys.stderr)
        return INTERRUPTED
    return 1 if arguments.strict and (missed or under_bound) else 0


def _is_part(arguments: argparse.Namespace) -> bool:
    """Whether less was asked for than the page tells of."""
    fewer_seeds = arguments.seeds is not None or arguments.seeds_of
    return bool(arguments.names or fewer_seeds or arguments.baselines is not None)


def _of_one(text: str) -> tuple[str, int]:
    name, _, count = text.partition("=")
    if not (HERE / "scenarios" / name).is_dir() or not count.isdigit() or int(count) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} names no scenario and a number of seeds, such as azure-week=1")
    return name, int(count)


def _scenario(name: str) -> Scenario:
    return load(HERE / "scenarios" / name, data_folder.found())


def _ran(name: str, goal: Goal, bench: Bench, out: Path) -> Mapping[str, Outcome]:
    """The outcome under the scenario's name, its page written; nothing where its demand cannot be read."""
    began_s = time.perf_counter()
    scenario = _scenario(name)
    try:
        found = outcome(scenario, goal.baselines, goal.attainment, bench)
    except InvalidObject as error:
        print(f"left out: {error}", flush=True)
        return {}
    charts = out / "bench" / f"{name}.html"
    charts.parent.mkdir(exist_ok=True)
    charts.write_text(report(found, scenario.spec.description, goal.attainment), encoding="utf-8")
    print(f"{name}: {time.perf_counter() - began_s:.0f} s, charts in {charts}", flush=True)
    return {name: found}


def _verdict(goal: Goal, outcomes: Mapping[str, Outcome]) -> Verdict | None:
    if not all(name in outcomes for name in goal.scenarios):
        return None
    return goal.judge({name: outcomes[name].result for name in goal.scenarios}, goal.attainment)


def _told_of(
    everything: Sequence[Goal],
    verdicts: Sequence[tuple[Goal, Verdict | None]],
    outcomes: Mapping[str, Outcome],
    kept: Kept,
) -> int:
    """Tells what came of it; how many runs show that their bound is none."""
    for goal, verdict in verdicts:
        if verdict is not None:
            print(f"{'reached' if verdict.reached else 'MISSED '} {', '.join(goal.scenarios)}: {verdict.text}")
    under_bound = _told_under_bound(everything, outcomes)
    if kept.older_of_baselines:
        print(f"{kept.older_of_baselines} runs of baselines were made by another state of the simulator")
    if kept.older_of_ours:
        print(f"Plimsoll's runs were made by another state of its code in: {', '.join(sorted(kept.older_of_ours))}")
    return under_bound


def _told_under_bound(everything: Sequence[Goal], outcomes: Mapping[str, Outcome]) -> int:
    """Tells of every run which shows that the bound of its scenario is none, and how many there are."""
    attainment = {name: goal.attainment for goal in everything for name in goal.scenarios}
    found = [run for name, one in outcomes.items() for run in one.under_bound(attainment[name])]
    for run in found:
        print(f"NO BOUND {run.scenario} seed {run.seed}: {run.policy} kept the SLO for less, {run.usd:.2f} USD")
    return len(found)


def _api_usd() -> Mapping[str, float]:
    """What the API would have taken, mean over seeds."""
    return dict(_api_costs())


def _api_costs() -> Iterator[tuple[str, float]]:
    prompt_usd, output_usd = API_USD_PER_TOKEN
    for name in BREAK_EVEN:
        scenario = _scenario(name)
        try:
            episodes = [draw(scenario, seed) for seed in scenario.spec.seeds]
        except InvalidObject:
            return
        costs = [
            float(one.prompt_tokens_i.sum()) * prompt_usd + float(one.output_tokens_i.sum()) * output_usd
            for episode in episodes
            for one in episode.traffic.values()
        ]
        yield name, sum(costs) / len(episodes)


if __name__ == "__main__":
    sys.exit(main())
