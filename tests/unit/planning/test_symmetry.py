"""What must not matter does not: the order of objects, their names, the currency, the unit of memory."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.domain import Deployment, Pool
from unit.builders import a_deployment
from unit.planning.case import counts, plan
from unit.planning.fleets import RPS, fleets, pools

QUICK = settings(max_examples=40, deadline=2000)


@QUICK
@given(fleets, pools(), st.randoms(use_true_random=False))
def test_the_order_of_objects_does_not_matter(
    fleet: tuple[Deployment, ...], pools: tuple[Pool, ...], random: object
) -> None:
    shuffle: Callable[[list[object]], None] = random.shuffle  # type: ignore[attr-defined]
    mixed = [replace(d, variants=d.variants[::-1]) for d in fleet]
    shuffle(mixed)  # type: ignore[arg-type]
    one, other = plan(fleet, pools, RPS), plan(mixed, pools[::-1], RPS)
    assert one.replicas == other.replicas
    assert one.nodes == other.nodes
    assert one.alternatives == other.alternatives


@QUICK
@given(fleets, pools())
def test_names_do_not_matter(fleet: tuple[Deployment, ...], pools: tuple[Pool, ...]) -> None:
    renamed = [
        replace(
            a_deployment(f"x-{d.key.name}", namespace="elsewhere", variants=d.variants),
            priority=d.priority,
            demand=d.demand,
            budget_usd_per_hour=d.budget_usd_per_hour,
        )
        for d in fleet
    ]
    one, other = counts(plan(fleet, pools, RPS)), counts(plan(renamed, pools, RPS))
    assert {f"x-{name}": n for name, n in one.items()} == other


@pytest.mark.parametrize("factor", [0.25, 8.0])
@QUICK
@given(fleet=fleets, pools=pools())
def test_the_currency_does_not_matter(factor: float, fleet: tuple[Deployment, ...], pools: tuple[Pool, ...]) -> None:
    scaled_pools = [replace(pool, price_usd_per_hour=pool.price_usd_per_hour * factor) for pool in pools]
    scaled = [
        replace(d, budget_usd_per_hour=None if d.budget_usd_per_hour is None else d.budget_usd_per_hour * factor)
        for d in fleet
    ]
    one, other = plan(fleet, pools, RPS), plan(scaled, scaled_pools, RPS)
    assert one.replicas == other.replicas
    assert other.solver.cost_usd_per_hour == pytest.approx(factor * one.solver.cost_usd_per_hour)


@QUICK
@given(fleets, pools())
def test_the_same_input_gives_the_same_plan_again_and_the_last_plan_stands(
    fleet: tuple[Deployment, ...], pools: tuple[Pool, ...]
) -> None:
    one, twin = plan(fleet, pools, RPS), plan(fleet, pools, RPS)
    assert (twin.replicas, twin.alternatives, twin.findings) == (one.replicas, one.alternatives, one.findings)
    carried_out = [
        replace(d, variants=tuple(replace(v, replicas=one.replicas[v.key], pods=()) for v in d.variants)) for d in fleet
    ]
    again = plan(carried_out, pools, RPS, last=one.replicas)
    # Once carried out, a plan costs no move any more: a steady fleet stays as it is.
    assert again.replicas == one.replicas
