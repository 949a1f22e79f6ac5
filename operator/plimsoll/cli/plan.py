"""``plimsoll plan``: what would run where, and at which price, if these manifests were applied? Asks no cluster."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from plimsoll.apply.status import deployment_status
from plimsoll.cli.deciding import Decider
from plimsoll.cli.demand_options import GivenDemand, Quick, given_demand
from plimsoll.cli.offline import OfflinePlan, OfflineWorld, offline_world
from plimsoll.cli.other_manifests import other_manifests
from plimsoll.cli.output import Format, Output, console, write
from plimsoll.cli.page import BAD, Page, right
from plimsoll.cli.price_change import HEADER, as_data, markdown, price_changes, rows
from plimsoll.cli.what_if_report import WhatIf, tell_fleet, what_if_data
from plimsoll.domain import Demand, DeploymentPlan, ObjectKey
from plimsoll.errors import InvalidObject
from plimsoll.explain import cost, gap_text, latencies_text, overflow_text, proven_gap_ratio, summary
from plimsoll.manifests import load
from plimsoll.observe import ClusterCache
from plimsoll.sizing import simulate
from plimsoll.what_if import assume

NOT_FEASIBLE = 1


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(plan)


def plan(
    filename: Annotated[
        list[Path], typer.Option("--filename", "-f", help="File or folder of manifests; may be repeated.")
    ],
    demand: GivenDemand = None,
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", help="Of manifests and names that do not say theirs.")
    ] = "default",
    assumptions: Annotated[
        list[str] | None,
        typer.Option(
            "--if", metavar="PATH=VALUE", help="Plan once more with this assumed, and compare; may be repeated."
        ),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="REF|DIR", help="Tell what changes against a Git commit or another folder, and its price."
        ),
    ] = None,
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="With --against: as Markdown, for a comment on a pull request.")
    ] = False,
    quick: Quick = False,
    output: Output = Format.TABLE,
) -> None:
    """Show what would run where and at which price, from manifests alone; no cluster is asked or changed.

    Pools are taken as empty. Ends with 0 when every deployment can be served, with 1 when one cannot or an object
    needs mending, with 2 when the input cannot be read. With --if it is the plan with the assumptions that counts.
    With --against it is the plan of the manifests of -f.
    """
    given = given_demand(demand, namespace)
    if against is not None:
        _price(
            filename, against, given, namespace, Decider(None if quick else simulate), output, as_markdown=as_markdown
        )
        return
    world = offline_world(load(filename, namespace), given)
    decider = Decider(None if quick else simulate)
    if assumptions:
        _compare(world, assumptions, decider, output)
        return
    made = world.planned(decider.plan(world.situation))
    if output is Format.TABLE:
        _tell(made, given)
    else:
        write(_as_data(made, given), output)
    if not made.feasible:
        raise typer.Exit(NOT_FEASIBLE)


def _compare(world: OfflineWorld, assumptions: list[str], decider: Decider, output: Format) -> None:
    changed, assumed = assume(world.situation, assumptions)
    decider.plan(world.situation)
    after = decider.plan(changed)
    # What the second plan stands on is known by now: both by the same figures.
    before = decider.by_what_is_known(world.situation)
    made = WhatIf(assumed, before, after)
    if output is Format.TABLE:
        tell_fleet(Page(console()), made)
    else:
        write(what_if_data(made, made.outcomes), output)
    if not world.planned(after, changed).feasible:
        raise typer.Exit(NOT_FEASIBLE)


def _price(
    filename: list[Path],
    against: str,
    given: Mapping[ObjectKey, Demand],
    namespace: str,
    decider: Decider,
    output: Format,
    *,
    as_markdown: bool,
) -> None:
    if not given:
        raise InvalidObject(
            "--against compares prices, and these depend on demand: add --demand NAME=RATE:PROMPT/OUTPUT"
        )
    with other_manifests(against, filename) as other:
        # Demand of a deployment that only one side has is for that side.
        before = _planned_leniently(load(other, namespace, may_be_empty=True), given, decider)
        after = _planned_leniently(load(filename, namespace, may_be_empty=True), given, decider)
    changes = price_changes(before, after, given)
    unknown = sorted(str(key) for key in given if key not in {one.key for one in changes})
    if unknown:
        raise InvalidObject(f"--demand names {', '.join(unknown)}, which neither side has: correct the name")
    notes = [f"{one} needs mending on the side of -f." for one in after.mistakes]
    if as_markdown:
        typer.echo(markdown(changes, notes), nl=False)
    elif output is not Format.TABLE:
        write(as_data(changes), output)
    else:
        page = Page(console())
        page.table("", HEADER, rows(changes))
        page.lines("mend", notes, BAD)
    if not after.feasible:
        raise typer.Exit(NOT_FEASIBLE)


def _planned_leniently(cache: ClusterCache, given: Mapping[ObjectKey, Demand], decider: Decider) -> OfflinePlan:
    """The plan with the demand of those deployments that are there."""
    present = {key: one for key, one in given.items() if key in cache.contents().deployments}
    world = offline_world(cache, present)
    return world.planned(decider.plan(world.situation))


# --- For people ------------------------------------------------------------------------------------------------------


def _tell(made: OfflinePlan, given: Mapping[ObjectKey, Demand]) -> None:
    page = Page(console())
    for one in made.plan.deployments:
        _tell_one(page, one, made, given.get(one.key))
    for key, found in made.findings.items():
        for finding in found:
            about = f"{key}/{finding.variant}" if finding.variant else str(key)
            page.lines("mend", [f"{about} {finding.reason}: {finding.message}"], BAD)
    page.lines("mend", made.mistakes, BAD)
    page.title(f"total with demand given: ${_total(made, given):.2f}/h")
    page.title(gap_text(proven_gap_ratio(made.plan.solver)))


def _tell_one(page: Page, one: DeploymentPlan, made: OfflinePlan, demand: Demand | None) -> None:
    page.title(f"{one.key}  {summary(one) if demand else 'no demand given'}")
    page.lines("", _about(one, demand))
    if one.shortfall_rps > 0:
        page.lines("", [f"NOT FEASIBLE: {one.shortfall_rps:.1f} req/s find no room"], BAD)
    page.table(
        "runs",
        ("variant", "pool", right("replicas"), right("safe req/s"), "sized by", right("USD/h each")),
        (
            (
                variant.key.variant,
                variant.pool,
                str(variant.target),
                f"{variant.safe_rate_rps:.1f}",
                variant.sized_by.value.lower(),
                f"{made.replica_usd_per_hour[variant.key]:.2f}",
            )
            for variant in one.variants
        ),
    )
    page.lines("why", (f"{v.key.variant}: {v.message} ({v.reason})" for v in one.variants if v.target and demand))
    predicted = {variant.key.variant: latencies_text(variant.predicted) for variant in one.variants}
    page.lines("predicted", (f"{name}: {text}" for name, text in predicted.items() if text))
    if demand:
        page.table(
            "not taken",
            ("variant", right("USD/h"), "lost by", "why"),
            (
                (
                    lost.label,
                    "-" if lost.usd_per_hour is None else f"{lost.usd_per_hour:.2f}",
                    lost.reason.value,
                    lost.detail,
                )
                for lost in one.alternatives
            ),
        )
    page.gap()


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
    status = deployment_status(one, (), None, 0.0, made.plan.solver, {pool.name: pool for pool in made.plan.pools})
    status.pop("conditions", None)
    return {**about, **status}
