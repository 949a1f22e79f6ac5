"""Node prices are shared out among those who use the nodes, to the last cent."""

import pytest
from hypothesis import given, settings

from plimsoll.domain import Deployment, Pool, PriceKind
from unit.builders import GIB, a_deployment, a_pool, a_variant
from unit.planning.case import plan
from unit.planning.fleets import RPS, fleets, pools


def test_shares_follow_the_scarcest_resource() -> None:
    # On a node of 64 cores and 256 GiB: 16 cores are a quarter, 128 GiB are a half; the node costs 3 USD/h.
    cores = a_deployment("cores", variants=[a_variant("v", pool="cpu-amx", per_replica={"cpu": 16.0, "memory": GIB})])
    memory = a_deployment("memory", variants=[a_variant("v", pool="cpu-amx", per_replica={"memory": 128 * GIB})])
    allocation = plan([cores, memory], [a_pool("cpu-amx")], {"v": 10.0})
    assert allocation.usd_per_hour == {cores.key: pytest.approx(1.0), memory.key: pytest.approx(2.0)}


def test_paid_nodes_cost_nobody_anything() -> None:
    chat = a_deployment(variants=[a_variant("v", pool="cpu-amx")])
    paid = a_pool("cpu-amx", nodes=1, max_nodes=1, min_nodes=1, price_kind=PriceKind.PAID)
    assert plan([chat], [paid], {"v": 10.0}).usd_per_hour == {chat.key: 0.0}


def test_minimum_nodes_are_paid_by_those_who_use_the_pool() -> None:
    chat = a_deployment(variants=[a_variant("v", pool="cpu-amx")])
    pool = a_pool("cpu-amx", nodes=3, min_nodes=3)
    assert plan([chat], [pool], {"v": 10.0}).usd_per_hour == {chat.key: pytest.approx(9.0)}


@settings(max_examples=60, deadline=2000)
@given(fleets, pools())
def test_shares_sum_to_the_price_of_all_nodes(fleet: tuple[Deployment, ...], pools: tuple[Pool, ...]) -> None:
    allocation = plan(fleet, pools, RPS)
    assert sum(allocation.usd_per_hour.values()) == pytest.approx(allocation.solver.cost_usd_per_hour)
