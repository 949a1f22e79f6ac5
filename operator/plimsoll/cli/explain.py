"""``plimsoll explain``: what was decided about one InferenceDeployment, why, and what it would cost the other way."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any

import typer
from rich.table import Table

from plimsoll.cli.cluster_options import Context, Kubeconfig, Namespace, deployment_path, server_for
from plimsoll.cli.output import Format, Output, console, write
from plimsoll.explain import gap_text

Raw = Mapping[str, Any]
NOT_WELL = 1


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(explain)


def explain(
    name: Annotated[str, typer.Argument(help="Name of the InferenceDeployment.")],
    namespace: Namespace = None,
    output: Output = Format.TABLE,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Tell what runs where and why, what it costs, what lost, and what is waiting for what.

    Ends with 0 when it is Ready, with 1 when it is not or was never planned, with 2 when it is not there.
    """
    path = deployment_path(name, namespace, kubeconfig, context)
    raw = server_for(kubeconfig, context).get(path)
    status = raw.get("status") or {}
    if output is not Format.TABLE:
        write(status, output)
    elif status:
        _tell(raw, status)
    else:
        typer.echo(
            f"{name} has no status yet: the operator has not seen it. Is `plimsoll run` up, does it serve this "
            "namespace, and is one of its replicas leading?"
        )
    if _condition(status, "Ready").get("status") != "True":
        raise typer.Exit(NOT_WELL)


def _tell(raw: Raw, status: Raw) -> None:
    out = console()
    ready = _condition(status, "Ready")
    out.print(
        f"{raw['metadata']['namespace']}/{raw['metadata']['name']}  {raw['spec']['model']}  "
        f"mode {raw['spec'].get('mode', 'Auto')}  {(status.get('plan') or {}).get('phase', 'not planned')}",
        style="bold",
        markup=False,
    )
    out.print(
        f"Ready {ready.get('status', 'Unknown')} ({ready.get('reason', '?')}): {ready.get('message', '')}", markup=False
    )
    for line in _troubles(status):
        out.print(line, markup=False)
    if status.get("variants"):
        out.print(_variants(status["variants"]))
    for line in (*_corrections(raw, status), *_demand(status), *_cost(status), *_gap(status), *_steps(status)):
        out.print(line, markup=False)
    alternatives = (status.get("plan") or {}).get("alternatives") or ()
    if alternatives:
        out.print(_alternatives(alternatives))


def _troubles(status: Raw) -> Iterator[str]:
    for one in status.get("conditions") or ():
        if one["type"] not in ("Ready", "Reconciling", "Stalled") and one["status"] != "True":
            yield f"{one['type']} {one['status']} ({one['reason']}): {one['message']}"


def _variants(variants: Sequence[Raw]) -> Table:
    table = Table(
        "variant", "pool", "ready", "target", "safe req/s", "sized by", "predicted", "observed", "why", box=None
    )
    for one in variants:
        table.add_row(
            one["name"],
            one["pool"],
            f"{one['ready']}/{one['current']}",
            str(one["target"]),
            one["safeRate"],
            one.get("sizedBy", "-").lower(),
            _latencies(one.get("predicted")),
            _latencies(one.get("observed")),
            f"{one['reason']}: {one.get('message', '')}",
        )
    return table


def _latencies(latencies: Raw | None) -> str:
    return " ".join(
        f"{metric} {percentile} {value}"
        for metric, values in (latencies or {}).items()
        for percentile, value in values.items()
    )


def _corrections(raw: Raw, status: Raw) -> Iterator[str]:
    profiles = {one["name"]: one.get("profile") for one in raw["spec"].get("variants") or ()}
    for one in status.get("variants") or ():
        if "correction" in one:
            yield (
                f"{one['name']}: as requests show, the engine takes {one['correction']} times the step times of "
                f"profile {profiles.get(one['name'], '?')}; the safe rate and what is predicted count with that"
            )


def _demand(status: Raw) -> Iterator[str]:
    demand, forecast = status.get("demand") or {}, status.get("forecast") or {}
    if demand.get("arrivalRate") is not None:
        yield (
            f"demand: {demand['arrivalRate']} req/s, {demand.get('promptTokens', '?')} prompt and "
            f"{demand.get('outputTokens', '?')} output tokens a request; planned for "
            f"{forecast.get('requiredRate')} req/s ({forecast.get('basis')}): {forecast.get('message', '')}"
        )


def _cost(status: Raw) -> Iterator[str]:
    cost = status.get("cost") or {}
    if not cost:
        return
    text = f"cost: ${cost['perHour']}/h"
    if "perMillionTokens" in cost:
        text += f", ${cost['perMillionTokens']} per million tokens"
    if "perMillionOutputTokens" in cost:
        text += f", ${cost['perMillionOutputTokens']} per million output tokens"
    if "overflowPerHour" in cost:
        rate = (status.get("plan") or {}).get("overflowRate", "?")
        text += f"; ${cost['overflowPerHour']}/h of it for {rate} req/s that go to the external API"
    if "externalAPIPerHour" in cost:
        text += f"; the external API would take ${cost['externalAPIPerHour']}/h"
    yield text


def _gap(status: Raw) -> Iterator[str]:
    planned = status.get("plan")
    if planned:
        yield gap_text(float(planned["costGap"]) if "costGap" in planned else None)


def _steps(status: Raw) -> Iterator[str]:
    for step in (status.get("plan") or {}).get("steps") or ():
        yield f"now: {step['variant']} {step['from']} -> {step['to']} ({step['reason']}): {step.get('message', '')}"


def _alternatives(alternatives: Sequence[Raw]) -> Table:
    table = Table("not taken", "replicas", "USD/h", "lost by", "detail", box=None)
    for one in alternatives:
        replicas = ", ".join(f"{count} x {name}" for name, count in (one.get("replicas") or {}).items())
        table.add_row(one["label"], replicas, one.get("perHour", "-"), one["reason"], one.get("detail", ""))
    return table


def _condition(status: Raw, type_: str) -> Raw:
    return next((one for one in status.get("conditions") or () if one["type"] == type_), {})
