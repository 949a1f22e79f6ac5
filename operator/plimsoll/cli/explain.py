"""``plimsoll explain``: what was decided about one InferenceDeployment, why, and what it would cost the other way.

Without more it reads the status and asks for nothing else. ``--if`` and ``--turning-points`` decide anew, on what the
operator sees, or with ``-f`` on manifests and given demand alone.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from plimsoll.api_server import ApiServer
from plimsoll.apply.status import deployment_status
from plimsoll.cli.cluster_options import Context, Kubeconfig, Namespace, deployment_path, server_for
from plimsoll.cli.deciding import Decider
from plimsoll.cli.demand_options import GivenDemand, Quick, given_demand
from plimsoll.cli.explain_page import condition, tell_status
from plimsoll.cli.offline import offline_world
from plimsoll.cli.output import Format, Output, console, write
from plimsoll.cli.page import NOTE, Page
from plimsoll.cli.progress import progress
from plimsoll.cli.what_if_report import (
    WhatIf,
    is_covered,
    tell_turning_points,
    tell_what_if,
    turning_points_data,
    what_if_data,
)
from plimsoll.domain import DeploymentPlan, ObjectKey, Plan
from plimsoll.errors import InvalidObject
from plimsoll.explain import summary
from plimsoll.manifests import load
from plimsoll.sizing import simulate
from plimsoll.what_if import Situation, TurningPoint, assume, counts, counts_text, turning_points

NOT_WELL = 1
If = Annotated[
    list[str] | None,
    typer.Option("--if", metavar="PATH=VALUE", help="Decide anew with this assumed; may be repeated."),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(explain)


def explain(
    name: Annotated[str, typer.Argument(help="Name of the InferenceDeployment.")],
    namespace: Namespace = None,
    assumptions: If = None,
    turns: Annotated[
        bool,
        typer.Option("--turning-points", help="Find the prices and the demand at which the planner decides otherwise."),
    ] = False,
    filename: Annotated[
        list[Path] | None,
        typer.Option("--filename", "-f", help="Plan these manifests instead of asking a cluster; may be repeated."),
    ] = None,
    demand: GivenDemand = None,
    quick: Quick = False,
    output: Output = Format.TABLE,
    kubeconfig: Kubeconfig = None,
    context: Context = None,
) -> None:
    """Tell what runs where and why, what it costs, what lost, what would change that, and what waits for what.

    Ends with 0 when it is Ready, with 1 when it is not or was never planned, with 2 when it is not there. With --if it
    ends with 1 when its SLO would be missed; with -f when it cannot be served.
    """
    decider = Decider(None if quick else simulate)
    page = Page(console())
    if filename:
        own = ObjectKey(namespace or "default", name)
        _offline(own, filename, given_demand(demand, own.namespace), assumptions or [], turns, decider, output, page)
        return
    if demand:
        raise InvalidObject("--demand goes with -f; on a cluster the demand is seen, and --if rate=40 assumes another")
    path = deployment_path(name, namespace, kubeconfig, context)
    server = server_for(kubeconfig, context)
    raw = server.get(path)
    if not assumptions and not turns:
        _as_told(raw, output, page)
        return
    key = ObjectKey(raw["metadata"]["namespace"], raw["metadata"]["name"])
    _on_cluster(key, raw, server, assumptions or [], turns, decider, output, page)


def _as_told(raw: dict[str, Any], output: Format, page: Page) -> None:
    status, name = raw.get("status") or {}, raw["metadata"]["name"]
    if output is not Format.TABLE:
        write(status, output)
    elif status:
        tell_status(page, raw, status)
    else:
        typer.echo(
            f"{name} has no status yet: the operator has not seen it. Is `plimsoll run` up, does it serve this "
            "namespace, and is one of its replicas leading?"
        )
    if condition(status, "Ready").get("status") != "True":
        raise typer.Exit(NOT_WELL)


def _on_cluster(
    key: ObjectKey,
    raw: dict[str, Any],
    server: ApiServer,
    assumptions: list[str],
    turns: bool,
    decider: Decider,
    output: Format,
    page: Page,
) -> None:
    from plimsoll.cli.cluster_situation import cluster_situation

    situation = cluster_situation(server)
    _refuse_unplanned(situation, key)
    made, points = _decide(situation, key, assumptions, turns, decider)
    if output is Format.TABLE:
        _tell(page, made, points, key)
        page.lines("note", _differs_from(raw, made.of(key).before), NOTE)
    _finish(made, points, key, output)


def _offline(
    key: ObjectKey,
    filename: list[Path],
    demand: dict[ObjectKey, Any],
    assumptions: list[str],
    turns: bool,
    decider: Decider,
    output: Format,
    page: Page,
) -> None:
    cache = load(filename, key.namespace)
    world = offline_world(cache, demand)
    _refuse_unplanned(world.situation, key)
    if assumptions or turns:
        made, points = _decide(world.situation, key, assumptions, turns, decider)
        if output is Format.TABLE:
            _tell(page, made, points, key)
        _finish(made, points, key, output)
        return
    plan = decider.plan(world.situation)
    status = _status(plan, key)
    if output is Format.TABLE:
        one = next(one for one in plan.deployments if one.key == key)
        tell_status(page, cache.deployments.raw[key], status, summary(one))
        if key not in demand:
            page.lines("note", [f"without demand little can be said: add --demand {key}=RATE:PROMPT/OUTPUT"], NOTE)
    else:
        write(status, output)
    if not world.planned(plan).is_well(key):
        raise typer.Exit(NOT_WELL)


def _status(plan: Plan, key: ObjectKey) -> dict[str, Any]:
    """As in the object's status, without conditions: they are about what runs, and here nothing does."""
    one = next(one for one in plan.deployments if one.key == key)
    status = deployment_status(one, (), None, 0.0, plan.solver, {pool.name: pool for pool in plan.pools})
    status.pop("conditions", None)
    return status


def _refuse_unplanned(situation: Situation, key: ObjectKey) -> None:
    known = [one.key for one in situation.snapshot.deployments]
    if key in known:
        return
    why = "; ".join(one.message for one in situation.snapshot.findings if one.deployment == key)
    if why:
        raise InvalidObject(f"{key} cannot be planned: {why}")
    raise InvalidObject(f"{key} is not there; there are {', '.join(map(str, known)) or 'none that can be planned'}")


def _decide(
    situation: Situation, key: ObjectKey, assumptions: list[str], turns: bool, decider: Decider
) -> tuple[WhatIf, tuple[TurningPoint, ...]]:
    changed, assumed = assume(situation, assumptions, key)
    before = decider.plan(situation, key)
    after = decider.plan(changed, key) if assumed else before
    # What the second plan stands on is known by now: both by the same figures.
    before = decider.by_what_is_known(situation)
    if not turns:
        return WhatIf(assumed, before, after), ()
    with progress("planning for other prices and rates, some fifty times", None) as step:

        def decide(tried: Situation) -> Plan:
            plan = decider.by_what_is_known(tried)
            step("")
            return plan

        points = turning_points(changed, key, decide)
    return WhatIf(assumed, before, after), points


def _tell(page: Page, made: WhatIf, points: tuple[TurningPoint, ...], key: ObjectKey) -> None:
    if made.assumed:
        tell_what_if(page, made, key)
    else:
        page.title(f"{key}  {counts_text(made.of(key).before)} at ${made.of(key).before.usd_per_hour:.2f}/h")
    if points or not made.assumed:
        tell_turning_points(page, points)


def _differs_from(raw: dict[str, Any], before: DeploymentPlan) -> list[str]:
    variants = (raw.get("status") or {}).get("variants") or ()
    told = {one["name"]: one["target"] for one in variants if one["target"]}
    if not variants or told == counts(before):
        return []
    operators = ", ".join(f"{count} x {name}" for name, count in told.items()) or "nothing"
    return [
        f"the operator itself plans {operators} at present, not {counts_text(before)}: it remembers what was wanted "
        "before, and safe rates that it has simulated"
    ]


def _finish(made: WhatIf, points: tuple[TurningPoint, ...], key: ObjectKey, output: Format) -> None:
    one = made.of(key)
    if output is not Format.TABLE:
        write({**what_if_data(made, [one]), "turningPoints": turning_points_data(points)}, output)
    if made.assumed and not is_covered(one):
        raise typer.Exit(NOT_WELL)
