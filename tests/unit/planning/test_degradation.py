"""When not everything fits: the higher priority first, then the external API, then the least violation, all told."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.domain import Deployment, ExternalPrice, ExternalUse, Pool, PriceKind, Reason, Routing, carried_rps
from unit.builders import a_deployment, a_policy, a_pool, a_variant, options_for
from unit.planning.case import counts, plan
from unit.planning.fleets import RPS as FLEET_RPS
from unit.planning.fleets import fleets, pools

LARGE = a_variant("large", pool="gpu-h100", per_replica={"nvidia.com/gpu": 4.0})
SMALL = a_variant("small", pool="cpu-amx", per_replica={"cpu": 64.0})
POOLS = [a_pool("gpu-h100"), a_pool("cpu-amx")]
"""12 USD/h for one large replica, 3 USD/h for one small one; 10 nodes of each."""
RPS = {"large": 10.0, "small": 2.0}
API = ExternalPrice(5.0, 20.0, ExternalUse.OVERFLOW)


@pytest.mark.parametrize(
    ("rps", "expected", "missing_rps"),
    [
        # 5 small for 15 USD/h or 1 large for 12: 12.
        (10.0, {"chat/large": 1}, 0.0),
        # 1 large and 1 small: 15.
        (12.0, {"chat/large": 1, "chat/small": 1}, 0.0),
        # 2 large would be 24; 1 large and 4 small as well: 18 of 20 within 24, and 2 large carry it all.
        (20.0, {"chat/large": 2}, 0.0),
        # The budget of 25 is spent on 2 large; 10 of 30 are missing.
        (30.0, {"chat/large": 2}, 10.0),
    ],
)
def test_demand_beyond_the_budget_is_missing_and_the_budget_is_spent(
    rps: float, expected: dict[str, int], missing_rps: float
) -> None:
    chat = a_deployment(variants=[LARGE, SMALL], rps=rps, budget_usd_per_hour=25.0)
    allocation = plan([chat], POOLS, RPS)
    assert counts(allocation) == expected
    assert allocation.usd_per_hour[chat.key] <= 25.0
    assert allocation.shortfall_rps.get(chat.key, 0.0) == pytest.approx(missing_rps)
    told = {finding.reason for finding in allocation.findings}
    assert told == ({Reason.CAPACITY_SHORT, Reason.OVER_BUDGET} if missing_rps else set())


def test_the_order_is_priority_then_external_api_then_least_violation() -> None:
    one_node = [a_pool("gpu-h100", max_nodes=2)]
    first = a_deployment("first", variants=[LARGE], rps=10.0, priority=300)
    second = a_deployment("second", variants=[LARGE], rps=10.0, priority=200, external_price=API)
    third = a_deployment("third", variants=[LARGE], rps=10.0, priority=100)
    allocation = plan([first, second, third], one_node, RPS)
    # Two replicas for three deployments: the API stands in for the second, so that the third is served as well.
    assert counts(allocation) == {"first/large": 1, "third/large": 1}
    assert allocation.overflow[second.key].rate_rps == pytest.approx(10.0)
    assert allocation.shortfall_rps == {}
    # Without it, the lowest priority goes without, and is told so.
    allocation = plan([first, replace(second, external_price=None), third], one_node, RPS)
    assert counts(allocation) == {"first/large": 1, "second/large": 1}
    assert set(allocation.shortfall_rps) == {third.key}
    assert [(f.deployment, f.reason) for f in allocation.findings] == [(third.key, Reason.CAPACITY_SHORT)]


def test_among_equals_the_least_share_of_demand_is_missing() -> None:
    small = a_deployment("small", variants=[LARGE], rps=5.0)
    big = a_deployment("big", variants=[LARGE], rps=20.0)
    allocation = plan([small, big], [a_pool("gpu-h100", max_nodes=2)], RPS)
    # One each leaves half of big uncovered: a share of .5; two for big would leave all of small: a share of 1.
    assert counts(allocation) == {"small/large": 1, "big/large": 1}
    assert allocation.shortfall_rps == {big.key: pytest.approx(10.0)}


def test_a_budget_never_counts_what_overflows() -> None:
    chat = a_deployment(variants=[LARGE, SMALL], rps=30.0, budget_usd_per_hour=25.0, external_price=API)
    allocation = plan([chat], POOLS, RPS)
    assert counts(allocation) == {"chat/large": 2}
    assert allocation.overflow[chat.key].rate_rps == pytest.approx(10.0)
    nodes_usd_per_hour = allocation.usd_per_hour[chat.key] - allocation.overflow[chat.key].usd_per_hour
    assert nodes_usd_per_hour == pytest.approx(24.0)
    assert allocation.findings == ()


@settings(max_examples=40, deadline=2000)
@given(fleet=fleets, pools=pools(), tolerated=st.sampled_from([0.0, 0.3, 0.7]), routing=st.sampled_from(list(Routing)))
def test_the_loss_of_any_one_spot_pool_leaves_what_the_policy_wants_or_is_told(
    fleet: tuple[Deployment, ...], pools: tuple[Pool, ...], tolerated: float, routing: Routing
) -> None:
    policy = a_policy(spot_loss_tolerated_ratio=tolerated)
    guarded = [replace(deployment, policy=policy, routing=routing) for deployment in fleet]
    spot = [replace(pool, price_kind=PriceKind.SPOT) for pool in pools]
    allocation = plan(guarded, spot, FLEET_RPS)
    at_risk = {f.deployment for f in allocation.findings if f.reason in (Reason.SPOT_RISK, Reason.CAPACITY_SHORT)}
    options = options_for(guarded, FLEET_RPS)
    for deployment in guarded:
        for pool in spot:
            left = [
                (options[v.key].capacity, allocation.replicas[v.key])
                for v in deployment.variants
                if v.pool != pool.name
            ]
            wanted_rps = (1.0 - tolerated) * (deployment.demand.arrival_rate_rps or 0.0)
            survives = carried_rps(routing, left) >= wanted_rps * (1 - 1e-6)
            assert survives or deployment.key in at_risk


@settings(max_examples=40, deadline=2000)
@given(fleet=fleets, pools=pools(), api=st.sampled_from([ExternalPrice(0.01, 0.01, ExternalUse.OVERFLOW), API]))
def test_with_an_external_api_nothing_is_ever_missing(
    fleet: tuple[Deployment, ...], pools: tuple[Pool, ...], api: ExternalPrice
) -> None:
    served = [replace(deployment, external_price=api) for deployment in fleet]
    allocation = plan(served, pools, FLEET_RPS)
    assert allocation.shortfall_rps == {}
    options = options_for(served, FLEET_RPS)
    for deployment in served:
        own_rps = sum(options[v.key].capacity.total_rps(allocation.replicas[v.key]) for v in deployment.variants)
        overflow = allocation.overflow.get(deployment.key)
        carried = own_rps + (overflow.rate_rps if overflow else 0.0)
        assert carried >= (deployment.demand.arrival_rate_rps or 0.0) * (1 - 1e-6)
