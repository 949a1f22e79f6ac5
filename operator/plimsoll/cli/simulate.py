"""``plimsoll simulate``: what would it have cost, and what would have been kept, under each policy?"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column, Table

from plimsoll.cli.output import console
from plimsoll.errors import InvalidObject

if TYPE_CHECKING:
    from plimsoll.simulator.result import RunResult

INTERRUPTED = 130
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
    data: Annotated[
        Path | None, typer.Option(envvar=_DATA_VARIABLE, help="Folder with public traces.", show_envvar=True)
    ] = None,
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
    from plimsoll.simulator.result import to_json
    from plimsoll.simulator.runs import gathered, results
    from plimsoll.simulator.runs import jobs as all_jobs
    from plimsoll.simulator.scenario import load

    scenarios = [load(folder, data) for folder in folders]
    names = [one.name for one in scenarios]
    if len(set(names)) < len(names):
        raise InvalidObject("two folders have the same name, by which their figures are told apart: rename one")
    made = all_jobs(scenarios, [one for one in policies.split(",") if one], seeds)
    done: list[RunResult] = []
    interrupted = False
    with _progress(len(made)) as step:
        try:
            for one in results(made, workers=min(jobs, len(made)), answers=answers):
                done.append(one)
                step(f"{one.scenario} {one.policy} seed {one.seed}: {one.usd:.2f} USD")
        except KeyboardInterrupt:
            interrupted = True
    found = gathered(made, done)
    for scenario in found:
        console().print(_table(scenario.name, [(p, scenario.of_policy(p)) for p in scenario.policies]))
    if json_file is not None:
        json_file.write_text(to_json(found) + "\n")
    if interrupted:
        typer.echo(f"interrupted: {len(done)} of {len(made)} runs are done and told above", err=True)
        raise typer.Exit(INTERRUPTED)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[str], None]]:
    """A bar on standard error, as far as that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("simulating", total=total)
        yield lambda text: progress.update(task, advance=1, description=text)


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
