"""``plimsoll plan``: what would run where, and at which price, if these manifests were applied? Asks no cluster."""

import math
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Column, Table

from plimsoll.apply.status import deployment_status
from plimsoll.cli.offline import OfflinePlan, known_demand, plan_offline, stated_tokens
from plimsoll.cli.output import Format, Output, console, write
from plimsoll.domain import Demand, DeploymentPlan, ObjectKey
from plimsoll.errors import InvalidObject
from plimsoll.explain import cost, gap_text, latencies_text, overflow_text, proven_gap_ratio, summary
from plimsoll.manifests import load
from plimsoll.sizing import simulate

NOT_FEASIBLE = 1
_PATIENCE_S = 2.0
"""After which a person wonders what goes on."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(plan)


def plan(
    filename: Annotated[
        list[Path], typer.Option("--filename", "-f", help="File or folder of manifests; may be repeated.")
    ],
    demand: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=RATE[:PROMPT/OUTPUT]",
            help="Requests per second, and tokens of a request, of one InferenceDeployment (NAME or NS/NAME).",
        ),
    ] = None,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Of manifests and names that do not say theirs.")
    ] = "default",
    quick: Annotated[
        bool, typer.Option("--quick", help="Estimate safe rates instead of simulating those the plan stands on.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Show what would run where and at which price, from manifests alone; no cluster is asked or changed.

    Pools are taken as empty. Ends with 0 when every deployment can be served, with 1 when one cannot or an object
    needs mending, with 2 when the input cannot be read.
    """
    given = dict(_demand(text, namespace) for text in demand or ())
    cache = load(filename, namespace)
    with _patience():
        made = plan_offline(cache, given, None if quick else simulate)
    if output is Format.TABLE:
        _tell(made, given)
    else:
        write(_as_data(made, given), output)
    if not made.feasible:
        raise typer.Exit(NOT_FEASIBLE)


@contextmanager
def _patience() -> Iterator[None]:
    """Tell on standard error what takes so long, if it does."""
    words = "simulating the safe rates that the plan stands on, seconds as a rule; --quick estimates them instead"
    telling = threading.Timer(_PATIENCE_S, typer.echo, [words], {"err": True})
    telling.daemon = True
    telling.start()
    try:
        yield
    finally:
        telling.cancel()


def _demand(text: str, namespace: str) -> tuple[ObjectKey, Demand]:
    name, _, value = text.partition("=")
    rate, _, lengths = value.partition(":")
    prompt, _, generated = lengths.partition("/")
    own, _, last = name.rpartition("/")
    try:
        rate_rps = _amount(rate)
        tokens = stated_tokens(_amount(prompt), _amount(generated)) if lengths else None
    except ValueError as error:
        raise InvalidObject(
            f"--demand {text} cannot be read: write NAME=RATE or NAME=RATE:PROMPT/OUTPUT, such as chat=12.5:800/200"
        ) from error
    return ObjectKey(own or namespace, last), known_demand(rate_rps, tokens)


def _amount(text: str) -> float:
    amount = float(text)
    if not math.isfinite(amount) or amount < 0:
        raise ValueError(text)
    return amount


# --- For people ------------------------------------------------------------------------------------------------------


def _tell(made: OfflinePlan, given: Mapping[ObjectKey, Demand]) -> None:
    out = console()
    for one in made.plan.deployments:
        out.print(f"{one.key}  {summary(one) if one.key in given else 'no demand given'}", style="bold", markup=False)
        for line in _about(one, given.get(one.key)):
            out.print(line, markup=False)
        out.print(_variants(one, made))
        if one.alternatives and one.key in given:
            out.print(_alternatives(one))
    for key, found in made.findings.items():
        for finding in found:
            about = f"{key}/{finding.variant}" if finding.variant else str(key)
            out.print(f"{about} {finding.reason}: {finding.message}", markup=False)
    for mistake in made.mistakes:
        out.print(mistake, markup=False)
    out.print(f"total with demand given: ${_total(made, given):.2f}/h", style="bold", markup=False)
    out.print(gap_text(proven_gap_ratio(made.plan.solver)), markup=False)


def _about(plan: DeploymentPlan, demand: Demand | None) -> Iterator[str]:
    if demand is None:
        yield f"What it needs depends on its demand: add --demand {plan.key}=RATE:PROMPT/OUTPUT"
        return
    tokens = demand.tokens
    assert tokens is not None
    yield (
        f"demand: {demand.arrival_rate_rps:g} req/s, {tokens.prompt_tokens_mean:g} prompt and "
        f"{tokens.output_tokens_mean:g} output tokens a request ({demand.message})"
    )
    money = cost(plan)
    if money.usd_per_million_tokens is not None:
        yield f"cost: ${money.usd_per_hour:.2f}/h, ${money.usd_per_million_tokens:.2f} per million tokens"
    if overflow_text(plan):
        yield overflow_text(plan)
    if plan.external_usd_per_hour is not None:
        yield f"the external API would take ${plan.external_usd_per_hour:.2f}/h"
    if plan.shortfall_rps > 0:
        yield f"NOT FEASIBLE: {plan.shortfall_rps:.1f} req/s find no room"


def _variants(plan: DeploymentPlan, made: OfflinePlan) -> Table:
    table = Table(
        "variant",
        "pool",
        "replicas",
        "safe req/s",
        "sized by",
        "USD/h each",
        "predicted",
        Column("why", overflow="fold"),
        box=None,
    )
    for one in plan.variants:
        table.add_row(
            one.key.variant,
            one.pool,
            str(one.target),
            f"{one.safe_rate_rps:.1f}",
            one.sized_by.value.lower(),
            f"{made.replica_usd_per_hour[one.key]:.2f}",
            latencies_text(one.predicted),
            one.reason.value,
        )
    return table


def _alternatives(plan: DeploymentPlan) -> Table:
    table = Table("not taken", "USD/h", "lost by", "detail", box=None)
    for one in plan.alternatives:
        price = "-" if one.usd_per_hour is None else f"{one.usd_per_hour:.2f}"
        table.add_row(one.label, price, one.reason.value, one.detail)
    return table


def _total(made: OfflinePlan, given: Mapping[ObjectKey, Demand]) -> float:
    return math.fsum(one.usd_per_hour for one in made.plan.deployments if one.key in given)


# --- For machines ----------------------------------------------------------------------------------------------------


def _as_data(made: OfflinePlan, given: Mapping[ObjectKey, Demand]) -> dict[str, Any]:
    return {
        "feasible": made.feasible,
        "usdPerHour": round(_total(made, given), 4),
        "costGap": proven_gap_ratio(made.plan.solver),
        "deployments": [_deployment(one, made, one.key in given) for one in made.plan.deployments],
        "findings": [
            {
                "namespace": key.namespace,
                "name": key.name,
                "variant": finding.variant,
                "reason": finding.reason.value,
                "message": finding.message,
            }
            for key, found in made.findings.items()
            for finding in found
        ],
        "mistakes": list(made.mistakes),
    }


def _deployment(one: DeploymentPlan, made: OfflinePlan, demand_given: bool) -> dict[str, Any]:
    """As in the object's status, without conditions: they are about what runs, and here nothing does."""
    prices = {v.key.variant: round(made.replica_usd_per_hour[v.key], 4) for v in one.variants}
    about = {
        "namespace": one.key.namespace,
        "name": one.key.name,
        "demandGiven": demand_given,
        "replicaUsdPerHour": prices,
    }
    if not demand_given:
        return about
    status = deployment_status(one, (), None, 0.0, made.plan.solver)
    status.pop("conditions", None)
    return {**about, **status}
