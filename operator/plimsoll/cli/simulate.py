"""``plimsoll simulate``: what would it have cost, and what would have been kept, under each policy?"""

import os
import re
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic_core import PydanticCustomError
from rich.table import Column, Table

from plimsoll.api import Duration
from plimsoll.cli.output import console
from plimsoll.cli.progress import progress
from plimsoll.errors import InvalidObject
from plimsoll.observe import PrometheusSettings

if TYPE_CHECKING:
    from plimsoll.domain import ObjectKey
    from plimsoll.simulator.demand.history import History
    from plimsoll.simulator.result import RunResult
    from plimsoll.simulator.runs import Done
    from plimsoll.simulator.scenario import Scenario

INTERRUPTED = 130
STEP_S = 300.0
"""Of a history that is read from Prometheus."""
_QUERY_TIMEOUT_S = 30.0
"""For one step of the history; nobody's tick waits for it."""
_DATA_VARIABLE = "PLIMSOLL_DATA_DIR"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(simulate)


def simulate(
    folders: Annotated[list[Path], typer.Argument(help="Folders with manifests and scenario.yaml.")],
    policies: Annotated[
        str, typer.Option(help="Separated by commas, each NAME or NAME=TARGET; default: those of the scenario.")
    ] = "",
    seeds: Annotated[int | None, typer.Option(min=1, help="How many; default: those of the scenario.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
    report_file: Annotated[
        Path | None, typer.Option("--report", help="Write a page with charts to this HTML file.")
    ] = None,
    goal: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Of the report: share of requests to keep in SLO; default: 0.99."),
    ] = None,
    bound: Annotated[
        bool | None,
        typer.Option(
            "--bound/--no-bound",
            help="Compute what must be paid at least, and by station what Plimsoll pays above it; default: with a"
            " report, where it takes a minute a seed or less.",
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(envvar=_DATA_VARIABLE, help="Folder with public traces.", show_envvar=True)
    ] = None,
    prometheus: Annotated[
        str | None, typer.Option(metavar="URL", help="Take demand from what this Prometheus knows of your engines.")
    ] = None,
    since: Annotated[
        str, typer.Option(metavar="DURATION", help="With --prometheus: how far back, such as 12h or 168h.")
    ] = "168h",
    jobs: Annotated[int, typer.Option(min=1, help="Runs side by side; default: one a processor.")] = os.cpu_count()
    or 1,
    answers: Annotated[
        Path | None, typer.Option(help="File in which simulated safe rates are kept from run to run.")
    ] = None,
) -> None:
    """Play scenarios under policies and compare what they cost and keep; no cluster is asked or changed.

    Ctrl-C ends it early and keeps what is done. Ends with 0, with 2 when the input cannot be read, with 130 when it was
    interrupted.
    """
    # Loaded here: joblib and the compiler take a second, which other commands need not wait for.
    from plimsoll.simulator.policies import listed
    from plimsoll.simulator.report import GOAL, Background, page
    from plimsoll.simulator.result import to_json
    from plimsoll.simulator.runs import gathered, results, with_bounds
    from plimsoll.simulator.runs import jobs as all_jobs
    from plimsoll.simulator.scenario import load

    for file in filter(None, (json_file, report_file)):
        # Better to learn it now than after an hour of simulating.
        if not file.parent.is_dir():
            raise InvalidObject(f"{file} cannot be written, there is no folder {file.parent}: make it first")
    span_s = _span_s(since) if prometheus else None
    scenarios = [load(folder, data, hours=span_s / 3600.0 if span_s else None) for folder in folders]
    names = [one.name for one in scenarios]
    if len(set(names)) < len(names):
        raise InvalidObject("two folders have the same name, by which their figures are told apart: rename one")
    histories = {
        key: one
        for scenario in scenarios
        if prometheus and span_s
        for key, one in _histories(scenario, prometheus, span_s).items()
    }
    to_keep = GOAL if goal is None else goal
    made = all_jobs(scenarios, listed(policies), seeds, histories)
    made = with_bounds(made, 1.0 - to_keep, _with_bound(scenarios, bound, report_file is not None))
    done: list[Done] = []
    interrupted = False
    with progress("simulating", len(made), _line) as step:
        try:
            for one in results(made, workers=min(jobs, len(made)), answers=answers):
                done.append(one)
                step(_told(one))
        except KeyboardInterrupt:
            interrupted = True
    found = gathered(made, done)
    for scenario in found:
        console().print(_table(scenario.name, [(p, scenario.of_policy(p)) for p in scenario.policies]))
    if json_file is not None:
        json_file.write_text(to_json(found) + "\n")
    if report_file is not None:
        about = {one.name: Background(one.spec.description, to_keep, _excess_usd(one.name, done)) for one in scenarios}
        report_file.write_text(page(found, about), encoding="utf-8")
    if interrupted:
        typer.echo(f"interrupted: {len(done)} of {len(made)} runs are done and told above", err=True)
        raise typer.Exit(INTERRUPTED)


def _with_bound(scenarios: "Sequence[Scenario]", asked: bool | None, reported: bool) -> Sequence[str]:
    """Names of the scenarios that get a bound."""
    from plimsoll.simulator.bounded import is_quick

    if asked is not None:
        return [one.name for one in scenarios] if asked else []
    if not reported:
        return []
    for one in scenarios:
        if not is_quick(one):
            typer.echo(
                f"{one.name} is large: the page is made without the least that must be paid, --bound computes it",
                err=True,
            )
    return [one.name for one in scenarios if is_quick(one)]


def _excess_usd(name: str, done: "Sequence[Done]") -> "Mapping[tuple[str, int], Mapping[str, float]]":
    return {
        (one.run.policy, one.run.seed): one.excess_usd for one in done if one.run.scenario == name and one.excess_usd
    }


def _line(told: str) -> None:
    """Runs may take hours: whoever reads the log afterwards finds how far it came."""
    typer.echo(told, err=True)


def _told(one: "Done") -> str:
    least = "" if one.bound_usd is None else f", at least {one.bound_usd:.2f}"
    return f"{one.run.scenario} {one.run.policy} seed {one.run.seed}: {one.run.usd:.2f} USD{least}"


def _span_s(text: str) -> float:
    # Weeks are thought of in days, which durations in manifests do not have.
    days = re.fullmatch(r"([0-9]+)d", text)
    if days:
        return float(days[1]) * 86400.0
    try:
        span_s = Duration.accept(text).seconds
    except PydanticCustomError as error:
        raise InvalidObject(f"--since {text} cannot be read: write a duration such as 12h or 7d") from error
    if span_s < STEP_S:
        raise InvalidObject(f"--since {text} is too short: history is read in steps of {STEP_S:g}s")
    return span_s


def _histories(scenario: "Scenario", url: str, span_s: float) -> "Mapping[ObjectKey, History]":
    from plimsoll.simulator.demand.history import read
    from plimsoll.simulator.episode import objects

    settings = PrometheusSettings(url, window_s=STEP_S, timeout_s=_QUERY_TIMEOUT_S)
    steps = int(span_s // STEP_S)
    with progress(f"reading {url}", steps, _line) as step:
        found = read(
            settings,
            objects(scenario).asked,
            time.time() - steps * STEP_S,
            steps,
            watch=lambda number: step(f"reading {url}: {number + 1} of {steps}"),
        )
    for key, one in found.items():
        if one.known_ratio < 1.0:
            typer.echo(f"{key}: {one.known_ratio:.0%} of that time is known, the rest takes the last rate", err=True)
    return found


def _table(name: str, rows: "Sequence[tuple[str, Sequence[RunResult]]]") -> Table:
    right = [Column(title, justify="right") for title in ("USD", "+-", "USD/M tokens", "in SLO", "dropped", "moves")]
    table = Table("policy", *right, title=name, title_justify="left", box=None)
    for policy, runs in rows:
        usd = [run.usd for run in runs]
        table.add_row(
            policy,
            f"{fmean(usd):.2f}",
            f"{max(usd) - min(usd):.2f}",
            f"{fmean(run.usd_per_million_tokens for run in runs):.4f}",
            f"{fmean(run.slo_attainment for run in runs):.2%}",
            f"{fmean(run.dropped for run in runs):.0f}",
            f"{fmean(len(run.moves) for run in runs):.0f}",
        )
    return table
