"""``plimsoll simulate``: what would it have cost, and what would have been kept, under each policy?"""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from plimsoll.cli.output import console
from plimsoll.cli.output_files import refuse_unwritable, write_text
from plimsoll.cli.progress import progress
from plimsoll.cli.simulate_history import SINCE, histories, span_s
from plimsoll.cli.simulate_table import table
from plimsoll.errors import InvalidObject

if TYPE_CHECKING:
    from plimsoll.simulator.runs import Done, Job
    from plimsoll.simulator.scenario import Scenario

INTERRUPTED = 130
_DATA_VARIABLE = "PLIMSOLL_DATA_DIR"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(simulate)


def simulate(
    folders: Annotated[list[Path], typer.Argument(help="Folders with manifests and scenario.yaml.")],
    policies: Annotated[
        str,
        typer.Option(
            help="Separated by commas, each NAME, NAME=TARGET, or for some variants only NAME@VARIANT+VARIANT=TARGET,"
            " such as hpa@l4+h100=0.6; default: those of the scenario. docs/simulator.md lists them."
        ),
    ] = "",
    sweep: Annotated[
        bool, typer.Option("--sweep", help="Every policy without a TARGET also with the targets that are worth a try.")
    ] = False,
    seeds: Annotated[int | None, typer.Option(min=1, help="How many; default: those of the scenario.")] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the figures to this file.")] = None,
    report_file: Annotated[
        Path | None, typer.Option("--report", help="Write a page with charts to this HTML file.")
    ] = None,
    goal: Annotated[
        float | None,
        typer.Option(
            min=0.0, max=1.0, help="Share of requests to keep in SLO, by which policies compare; default: 0.99."
        ),
    ] = None,
    bound: Annotated[
        bool | None,
        typer.Option(
            "--bound/--no-bound",
            help="Compute what must be paid at least, and by station what Plimsoll pays above it; default: where it"
            " takes a minute a seed or less.",
        ),
    ] = None,
    data: Annotated[
        Path | None, typer.Option(envvar=_DATA_VARIABLE, help="Folder with public traces.", show_envvar=True)
    ] = None,
    prometheus: Annotated[
        str | None, typer.Option(metavar="URL", help="Take demand from what this Prometheus knows of your engines.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="DURATION", help=f"With --prometheus: how far back, such as 90m, 12h or 7d; default: {SINCE}."
        ),
    ] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Runs side by side; default: one a processor.")] = os.cpu_count()
    or 1,
    answers: Annotated[
        Path | None, typer.Option(help="File in which simulated safe rates are kept from run to run.")
    ] = None,
) -> None:
    """Play scenarios under policies and compare what they cost and keep; no cluster is asked or changed.

    Whatever ends it early, what is done by then is told and written. Ends with 0, with 2 when the input cannot be read,
    with 130 when it was interrupted.
    """
    # Loaded here: joblib and the compiler take a second, which other commands need not wait for.
    from plimsoll.simulator.policies import listed
    from plimsoll.simulator.report import GOAL
    from plimsoll.simulator.runs import jobs as all_jobs
    from plimsoll.simulator.runs import with_bounds
    from plimsoll.simulator.scenario import load

    # Better to learn it now than after an hour of simulating.
    refuse_unwritable({"--json": json_file, "--report": report_file, "--answers": answers})
    seconds = span_s(prometheus, since)
    scenarios = [load(folder, data, hours=seconds / 3600.0 if seconds else None) for folder in folders]
    names = [one.name for one in scenarios]
    if len(set(names)) < len(names):
        raise InvalidObject("two folders have the same name, by which their figures are told apart: rename one")
    known = {
        key: one
        for scenario in scenarios
        if prometheus is not None and seconds is not None
        for key, one in histories(scenario, prometheus, seconds).items()
    }
    to_keep = GOAL if goal is None else goal
    made = all_jobs(scenarios, listed(policies), seeds, known, sweep)
    made = with_bounds(made, 1.0 - to_keep, _with_bound(scenarios, bound))
    done: list[Done] = []
    interrupted = False
    try:
        with _interrupted_by_sigterm():
            _play(made, done, jobs, answers)
    except KeyboardInterrupt:
        interrupted = True
    finally:
        _tell(made, done, to_keep, json_file, report_file)
    if interrupted:
        raise typer.Exit(INTERRUPTED)


@contextmanager
def _interrupted_by_sigterm() -> Iterator[None]:
    """What a pod or a CI job is sent at the end of its time must not lose the runs either."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _play(made: "Sequence[Job]", done: "list[Done]", jobs: int, answers: Path | None) -> None:
    """Makes all runs; each is in `done` as soon as it is there."""
    from plimsoll.simulator.runs import results
    from plimsoll.simulator.shares import Shares

    with TemporaryDirectory(prefix="plimsoll-") as folder:
        shares = Shares.of(Path(folder) / "shares", len(made))
        with progress("simulating", len(made), _line, done=lambda: shares.total) as step:
            for one in results(made, min(jobs, len(made)), answers, shares):
                done.append(one)
                step(_told(one))


def _tell(
    made: "Sequence[Job]", done: "Sequence[Done]", goal: float, json_file: Path | None, report_file: Path | None
) -> None:
    """What was found, as far as it was: on standard output and in the files."""
    from plimsoll.simulator.report import Background, page
    from plimsoll.simulator.result import to_json
    from plimsoll.simulator.runs import gathered

    if len(done) < len(made):
        written = "told and written" if json_file or report_file else "told"
        what = f"they are {written}" if done else "nothing is written"
        typer.echo(f"ended early: {len(done)} of {len(made)} runs are done, {what}", err=True)
    if not done:
        return
    found = gathered(made, done)
    for result in found:
        console().print(table(result, goal))
        if not any(run.requests for run in result.runs):
            typer.echo(f"{result.name}: nobody asked for anything, check its demand", err=True)
    if json_file is not None:
        write_text("--json", json_file, to_json(found) + "\n")
    if report_file is not None:
        about = {
            one.name: Background(one.spec.description, goal)
            for one in {job.scenario.name: job.scenario for job in made}.values()
        }
        write_text("--report", report_file, page(found, about))


def _with_bound(scenarios: "Sequence[Scenario]", asked: bool | None) -> Sequence[str]:
    """Names of the scenarios that get a bound."""
    from plimsoll.simulator.bounded import is_quick

    if asked is not None:
        return [one.name for one in scenarios] if asked else []
    for one in scenarios:
        if not is_quick(one):
            typer.echo(f"{one.name} is large: the least that must be paid is not computed, --bound does it", err=True)
    return [one.name for one in scenarios if is_quick(one)]


def _line(told: str) -> None:
    """Runs may take hours: whoever reads the log afterwards finds how far it came."""
    typer.echo(told, err=True)


def _told(one: "Done") -> str:
    least = "" if one.bound_usd is None else f", at least {one.bound_usd:.2f}"
    return f"{one.run.scenario} {one.run.policy} seed {one.run.seed}: {one.run.usd:.2f} USD{least}"
