"""Whatever the fleet, a plan can be carried out: it packs, keeps every bound, and says what it leaves uncovered."""

from collections.abc import Mapping
from dataclasses import replace
from math import prod

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plimsoll.domain import Allocation, CapacityTable, Deployment, Pool, Reason, Snapshot, StockOut, VariantKey
from plimsoll.planning import SolveLimits, allocate
from unit.builders import NOW_S, a_deployment, a_forecast, a_pool, a_variant, an_option
from unit.planning.case import assert_feasible, plan
from unit.planning.fleets import RPS, fleets, pools

QUICK = settings(max_examples=60, deadline=2000)
NO_SOLVER = SolveLimits(time_limit_s=0.0)


def assert_says_what_is_missing(allocation: Allocation, fleet: tuple[Deployment, ...]) -> None:
    for deployment in fleet:
        carried = sum(RPS[v.name] * allocation.replicas[v.key] for v in deployment.variants)
        told = allocation.shortfall_rps.get(deployment.key, 0.0)
        wanted = deployment.demand.arrival_rate_rps or 0.0
        assert carried + told >= wanted * (1 - 1e-6)
        assert told <= wanted
        short = [f.reason for f in allocation.findings if f.deployment == deployment.key]
        assert (Reason.CAPACITY_SHORT in short) == (deployment.key in allocation.shortfall_rps)


@QUICK
@given(fleets, pools())
def test_a_plan_packs_and_keeps_its_bounds(fleet: tuple[Deployment, ...], pools: tuple[Pool, ...]) -> None:
    allocation = plan(fleet, pools, RPS)
    for variant in (variant for deployment in fleet for variant in deployment.variants):
        assert variant.min_replicas <= allocation.replicas[variant.key] <= variant.max_replicas
    assert_says_what_is_missing(allocation, fleet)
    assert allocation.solver.outcome is Reason.SOLVED
    assert 0.0 <= allocation.solver.gap_ratio <= 1.0
    assert allocation.solver.bound_usd_per_hour <= allocation.solver.cost_usd_per_hour + 1e-6


@QUICK
@given(fleets, pools(), st.dictionaries(st.integers(0, 5), st.integers(0, 9)))
def test_a_plan_without_the_solver_keeps_the_same_bounds(
    fleet: tuple[Deployment, ...], pools: tuple[Pool, ...], last: dict[int, int]
) -> None:
    variants = [variant for deployment in fleet for variant in deployment.variants]
    last_plan = {variants[i].key: n for i, n in last.items() if i < len(variants)}
    allocation = plan(fleet, pools, RPS, last=last_plan, limits=NO_SOLVER)
    for variant in variants:
        assert variant.min_replicas <= allocation.replicas[variant.key] <= variant.max_replicas
    assert_says_what_is_missing(allocation, fleet)


@QUICK
@given(fleets, pools())
def test_replicas_without_minimum_always_find_a_seat(fleet: tuple[Deployment, ...], pools: tuple[Pool, ...]) -> None:
    free = tuple(
        replace(d, variants=tuple(replace(v, min_replicas=0) for v in d.variants), budget_usd_per_hour=None)
        for d in fleet
    )
    assert_feasible(plan(free, pools, RPS), free, pools)


@QUICK
@given(fleets, pools())
def test_a_sold_out_pool_never_gets_a_new_node(fleet: tuple[Deployment, ...], pools: tuple[Pool, ...]) -> None:
    mark = {"cpu-fast": StockOut(NOW_S, NOW_S + 300.0, 1)}
    allocation = plan(fleet, pools, RPS, stock_outs=mark)
    assert allocation.nodes["cpu-fast"] == 0


@QUICK
@given(fleets, pools())
def test_the_highest_priority_gets_what_it_would_get_alone(
    fleet: tuple[Deployment, ...], pools: tuple[Pool, ...]
) -> None:
    highest = max(deployment.priority for deployment in fleet)
    first = tuple(deployment for deployment in fleet if deployment.priority == highest)
    alone, together = plan(first, pools, RPS), plan(fleet, pools, RPS)

    def missing(allocation: Allocation) -> float:
        return sum(
            allocation.shortfall_rps.get(d.key, 0.0) / (d.demand.arrival_rate_rps or 1.0)
            for d in first
            if d.budget_usd_per_hour is None
        )

    if all(deployment.budget_usd_per_hour is None for deployment in first):
        assert missing(together) == pytest.approx(missing(alone), abs=1e-4)


tables = st.lists(st.floats(1.0, 1.5), min_size=3, max_size=3).map(
    lambda gains: CapacityTable((1, 2, 4, 8), tuple(2.0 * 2**k * prod(gains[:k]) for k in range(4)))
)
"""Twice as many replicas carry twice as much, or up to half more than that."""


@QUICK
@example(CapacityTable((1, 2, 4, 8), (2.0, 4.0, 8.0, 24.0)), CapacityTable((1, 2, 4, 8), (2.0, 4.0, 8.0, 16.0)), 53.0)
@given(tables, tables, st.floats(0.1, 60.0))
def test_a_plan_covers_its_demand_by_the_table_and_buys_no_replica_too_many(
    gpu: CapacityTable, cpu: CapacityTable, rate_rps: float
) -> None:
    chat = a_deployment(variants=[a_variant("h100"), a_variant("xeon", pool="cpu-amx")])
    options = {
        variant.key: an_option(variant, capacity=table)
        for variant, table in zip(chat.variants, (gpu, cpu), strict=True)
    }
    forecasts = {chat.key: a_forecast(chat, rate_rps)}
    roomy = (a_pool("gpu-h100", max_nodes=40), a_pool("cpu-amx", max_nodes=40))
    replicas = allocate(Snapshot(NOW_S, (chat,), roomy), forecasts, options, {}, {}).replicas
    counts = {variant.key: replicas[variant.key] for variant in chat.variants}

    def carried(counts: Mapping[VariantKey, int]) -> float:
        return sum(options[key].capacity.total_rps(count) for key, count in counts.items())

    assert carried(counts) >= rate_rps * (1 - 1e-6)
    # A replica too many on nodes that are paid for costs nothing.
    priced = chat.variants[0].key
    if counts[priced] > 0:
        assert carried({**counts, priced: counts[priced] - 1}) < rate_rps or sum(counts.values()) == 1


def test_replicas_that_gain_from_each_other_are_fewer() -> None:
    chat = a_deployment(variants=[a_variant("h100")])
    gaining = {chat.variants[0].key: an_option(chat.variants[0], capacity=CapacityTable((1, 4), (2.0, 10.0)))}
    forecasts = {chat.key: a_forecast(chat, 10.0)}

    allocation = allocate(Snapshot(NOW_S, (chat,), (a_pool("gpu-h100"),)), forecasts, gaining, {}, {})

    # By a single replica's 2 req/s it would take five.
    assert allocation.replicas[chat.variants[0].key] == 4
    assert allocation.solver.gap_ratio == pytest.approx(0.0, abs=1e-6)
