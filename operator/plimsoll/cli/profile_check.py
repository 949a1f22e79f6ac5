"""``plimsoll profile check``: does a profile keep an SLO, at which rate, and what do tokens cost there? No cluster."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from plimsoll.cli import check_inputs, latency_page
from plimsoll.cli.check_report import (
    Report,
    about,
    as_data,
    heading,
    loads_table,
    notes,
    panels,
    replicas_table,
    verdict,
)
from plimsoll.cli.latency_chart import Panel, chart
from plimsoll.cli.output import Format, Output, console, write
from plimsoll.cli.profile_loads import ProfileLoads, Question
from plimsoll.engine.serving import Router
from plimsoll.errors import InvalidObject

MISSES = 1
_WIDEST_CHART = 100


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("check")(check)


def check(
    profile: Annotated[Path, typer.Argument(metavar="PROFILE", help="File with a ServingProfile; - for stdin.")],
    slo: Annotated[
        list[str],
        typer.Option(metavar="METRIC:PERCENTILE=LIMIT", help="Such as ttft:p95=800ms (ttft, tpot, e2e); repeatable."),
    ],
    rate: Annotated[
        list[float] | None,
        typer.Option(help="Requests per second of one replica; repeatable. Else 10% to 110% of the safe rate."),
    ] = None,
    prompt: Annotated[
        str | None, typer.Option("--prompt-tokens", metavar="MEAN[/P95]", help="Tokens of a prompt.")
    ] = None,
    generated: Annotated[
        str | None, typer.Option("--output-tokens", metavar="MEAN[/P95]", help="Tokens of an output.")
    ] = None,
    replicas: Annotated[int, typer.Option(min=1, max=64, help="Behind one router; each gets the rate.")] = 1,
    router: Annotated[
        Router, typer.Option(case_sensitive=False, help="How requests are spread over replicas.")
    ] = Router.LEAST_LOADED,
    bursts: Annotated[
        str | None,
        typer.Option(metavar="CV2[@WINDOW]", help="How much the rate wanders between windows (15s): 0.3@15s."),
    ] = None,
    price: Annotated[float | None, typer.Option(min=0.0, help="US dollars per hour of one replica.")] = None,
    name: Annotated[str | None, typer.Option(help="Of the profile, where the file holds several.")] = None,
    plot: Annotated[
        bool | None, typer.Option("--plot/--no-plot", help="Draw latency over load; by default on a terminal.")
    ] = None,
    html: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a page with charts, too.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Show whether a ServingProfile keeps an SLO: latencies and cost by load, and the safe rate.

    The figures are the operator's own: the same simulation of every engine step sizes what it scales. Ends with 1 when
    the SLO is missed at a --rate, cannot be met even by a lone request, or the requests are outside of what the profile
    can tell about; with 2 when the input cannot be read.
    """
    manifest = check_inputs.served_profile(profile, name)
    mix, guessed = check_inputs.token_mix(prompt, generated)
    asked = check_inputs.rates(rate or ())
    question = Question(
        profile=manifest.to_domain(),
        tokens=mix,
        slo=check_inputs.targets(slo),
        burstiness=check_inputs.burstiness(bursts),
        replicas=replicas,
        router=router,
        usd_per_hour=price,
    )
    answers = ProfileLoads(question)
    loads = tuple(map(answers.at, asked)) or answers.ladder()
    report = Report(manifest, answers, loads, bool(asked), guessed)
    if html is not None:
        _write_page(report, html)
    if output is not Format.TABLE:
        write(as_data(report), output)
    else:
        _tell(report, sys.stdout.isatty() if plot is None else plot)
    if not report.passes:
        raise typer.Exit(MISSES)


def _tell(report: Report, plot: bool) -> None:
    shown = console()
    shown.print(Text(heading(report), style="bold"))
    for line in about(report):
        shown.print(line, markup=False, highlight=False)
    shown.print()
    shown.print(_table(*loads_table(report)))
    shown.print()
    for line, good in verdict(report):
        shown.print(Text(line, style="bold" if good else "bold red"))
    if report.reachable:
        shown.print()
        shown.print(_table(*replicas_table(report)))
    shown.print()
    for line in notes(report):
        shown.print(line, markup=False, highlight=False)
    if plot:
        for panel in panels(report):
            _draw(shown, panel)


def _table(header: list[str], rows: list[list[str]]) -> Table:
    table = Table(*(Column(name, justify="right", no_wrap=True) for name in header), box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(value, style="red" if value == "MISSED" else "") for value in row))
    return table


def _draw(shown: Console, panel: Panel) -> None:
    braille = shown.encoding.lower().startswith("utf")
    shown.print()
    for line in chart(panel, min(shown.width, _WIDEST_CHART), braille):
        shown.print(line, no_wrap=True, crop=True)


def _write_page(report: Report, file: Path) -> None:
    replicas = [("Safe rate by replicas behind one router", replicas_table(report))] if report.reachable else []
    text = latency_page.page(
        title=heading(report),
        about=[*about(report)],
        verdict=[*verdict(report)],
        panels=panels(report),
        tables=[("By load", loads_table(report)), *replicas],
        notes=[*notes(report)],
    )
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InvalidObject(f"--html {file} cannot be written: {error.strerror}") from error
