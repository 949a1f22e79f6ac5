"""``plimsoll status`` and ``plimsoll top``: the fleet on one screen, once or kept live.

In: the statuses that the operator wrote. Out: a table, those that are not well on top with what to do about them.
"""

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from plimsoll.api import API_VERSION
from plimsoll.cli.cluster_options import Context, Kubeconfig, Namespace, namespace_of, server_for
from plimsoll.cli.fleet import FleetLine, fleet_lines, total_usd_per_hour
from plimsoll.cli.output import Format, Output, console, write
from plimsoll.errors import ClusterUnavailable

NOT_WELL = 1

AllNamespaces = Annotated[bool, typer.Option("--all-namespaces", "-A", help="Of the whole cluster.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(status)
    app.command()(top)


def status(
    namespace: Namespace = None,
    all_namespaces: AllNamespaces = False,
    output: Output = Format.TABLE,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Show every model: whether its SLO is met, where it runs, what it costs and what comes next best.

    Ends with 0 when all are well, with 1 when one is not or was never planned.
    """
    server, path = server_for(kubeconfig, context), _path(namespace, all_namespaces, kubeconfig, context)
    lines = fleet_lines(server.items(path))
    if output is not Format.TABLE:
        write(_as_data(lines), output)
    else:
        console().print(_screen(lines, with_namespace=all_namespaces))
    if not all(line.well for line in lines):
        raise typer.Exit(NOT_WELL)


def top(
    namespace: Namespace = None,
    all_namespaces: AllNamespaces = False,
    every: Annotated[float, typer.Option(min=1.0, max=3600.0, help="Seconds between two looks.")] = 2.0,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Keep `status` on the screen and up to date, until Ctrl-C.

    In a pipe it shows the fleet once, as `status` does. While the cluster does not answer, the last picture stays.
    """
    server, path = server_for(kubeconfig, context), _path(namespace, all_namespaces, kubeconfig, context)
    screen = _screen(fleet_lines(server.items(path)), with_namespace=all_namespaces)
    if not sys.stdout.isatty():
        console().print(screen)
        return
    try:
        with Live(screen, console=console(), screen=True, auto_refresh=False) as live:
            while True:
                time.sleep(every)
                try:
                    screen = _screen(fleet_lines(server.items(path)), with_namespace=all_namespaces)
                    live.update(screen, refresh=True)
                except ClusterUnavailable as error:
                    live.update(Group(Text(f"not up to date: {error}", style="yellow"), screen), refresh=True)
    except KeyboardInterrupt:
        return


def _path(namespace: str | None, all_namespaces: bool, kubeconfig: Kubeconfig, context: Context) -> str:
    if all_namespaces:
        return f"/apis/{API_VERSION}/inferencedeployments"
    return f"/apis/{API_VERSION}/namespaces/{namespace_of(namespace, kubeconfig, context)}/inferencedeployments"


def _screen(lines: Sequence[FleetLine], *, with_namespace: bool) -> RenderableType:
    if not lines:
        return Text("no InferenceDeployment here; -A shows those of all namespaces")
    troubles = [_trouble(line, with_namespace) for line in lines if line.trouble]
    return Group(_headline(lines), _table(lines, with_namespace=with_namespace), *troubles)


def _headline(lines: Sequence[FleetLine]) -> Text:
    not_well = sum(line.well is not True for line in lines)
    verdict = "all well" if not_well == 0 else f"{not_well} not well"
    style = "bold" if not_well == 0 else "bold red"
    models = "1 model" if len(lines) == 1 else f"{len(lines)} models"
    return Text(f"{models}, {verdict}, ${total_usd_per_hour(lines):.2f}/h", style=style)


def _table(lines: Sequence[FleetLine], *, with_namespace: bool) -> Table:
    table = Table(box=None, pad_edge=False)
    for header in ("model", "state", "replicas"):
        table.add_column(header, overflow="fold")
    for header in ("req/s", "$/h", "$/Mtok"):
        table.add_column(header, justify="right", no_wrap=True)
    table.add_column("next best", overflow="fold")
    for line in lines:
        table.add_row(
            _name(line, with_namespace),
            Text(line.state, style={True: "green", False: "red", None: "yellow"}[line.well]),
            "\n".join(str(use) for use in line.pools) or "none",
            _figure(line.rate_rps, 2),
            _figure(line.usd_per_hour, 2),
            _figure(line.usd_per_million_tokens, 3),
            _next_best(line),
        )
    return table


def _name(line: FleetLine, with_namespace: bool) -> str:
    return f"{line.key.namespace}/{line.key.name}" if with_namespace else line.key.name


def _figure(value: float | None, decimals: int) -> str:
    return "-" if value is None else f"{value:.{decimals}f}"


def _next_best(line: FleetLine) -> str:
    if line.next_best is None or line.next_best_usd_per_hour is None:
        return "-"
    return f"{line.next_best} ${line.next_best_usd_per_hour:.2f}/h"


def _trouble(line: FleetLine, with_namespace: bool) -> Text:
    name = Text(_name(line, with_namespace), style="bold")
    return name.append(f": {line.trouble}", style="not bold")


def _as_data(lines: Sequence[FleetLine]) -> dict[str, Any]:
    return {
        "usdPerHour": round(total_usd_per_hour(lines), 4),
        "deployments": [
            {
                "namespace": line.key.namespace,
                "name": line.key.name,
                "model": line.model,
                "state": line.state,
                "well": line.well,
                "trouble": line.trouble,
                "pools": [asdict(use) for use in line.pools],
                "arrivalRate": line.rate_rps,
                "usdPerHour": line.usd_per_hour,
                "usdPerMillionTokens": line.usd_per_million_tokens,
                "nextBest": line.next_best,
                "nextBestUsdPerHour": line.next_best_usd_per_hour,
            }
            for line in lines
        ],
    }
