"""What a plain Service does to a deployment of several variants, worked out on paper and against every combination."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from plimsoll.domain import CapacityTable, PriceKind, Reason, Routing, carried_rps
from plimsoll.planning import SolveLimits
from plimsoll.planning.assessment import assess
from plimsoll.planning.decomposition import decompose
from plimsoll.planning.fallback import fill_up
from plimsoll.planning.statement import state_problem
from unit.builders import a_deployment, a_forecast, a_policy, a_pool, a_snapshot, a_variant, an_option, options_for
from unit.planning.case import counts, plan

FAST = a_variant("fast", pool="gpu-h100")
SLOW = a_variant("slow", pool="cpu-amx")
RPS = {"fast": 6.0, "slow": 1.5}
PAID_XEONS = a_pool("cpu-amx", nodes=1, price_kind=PriceKind.PAID, min_nodes=1, max_nodes=1, provisioning_s=0.0)
"""4 replicas that cost nothing more."""
DECOMPOSED = SolveLimits(programme_up_to_needs=0)
GPU_POOL = a_pool("gpu-h100")
"""12 USD/h a node of 4 replicas."""


def test_behind_a_load_aware_router_a_paid_slow_variant_is_used_beside_a_fast_one() -> None:
    chat = a_deployment(variants=[FAST, SLOW], rps=30.0, routing=Routing.LOAD_AWARE)
    # 4 fast (24 req/s) on one node and 4 paid slow (6 req/s): 12 USD/h instead of two nodes for 5 fast.
    allocation = plan([chat], [GPU_POOL, PAID_XEONS], RPS)
    assert counts(allocation) == {"chat/fast": 4, "chat/slow": 4}
    assert allocation.usd_per_hour[chat.key] == pytest.approx(12.0)


def test_behind_a_plain_service_the_slowest_used_variant_limits_all_so_fast_ones_stay_alone() -> None:
    chat = a_deployment(variants=[FAST, SLOW], rps=30.0, routing=Routing.SERVICE)
    # Mixed, each pod takes the same: 8 pods x 1.5 = 12 req/s only. 5 fast alone carry 30.
    allocation = plan([chat], [GPU_POOL, PAID_XEONS], RPS)
    assert counts(allocation) == {"chat/fast": 5}
    assert allocation.usd_per_hour[chat.key] == pytest.approx(24.0)
    assert not allocation.findings
    # The bound leaves off what settling ties may have added to the price: 2e-6 here.
    assert allocation.solver.gap_ratio == pytest.approx(0.0, abs=3e-6)


def test_behind_a_plain_service_variants_are_mixed_where_that_is_still_cheaper() -> None:
    chat = a_deployment(variants=[FAST, SLOW], rps=10.0, routing=Routing.SERVICE)
    # 4 paid slow carry 6; 3 of a little faster ones make 7 pods x 1.5 = 10.5, on one node. 7 of them alone: two nodes.
    allocation = plan([chat], [GPU_POOL, PAID_XEONS], {"fast": 1.6, "slow": 1.5})
    assert counts(allocation) == {"chat/fast": 3, "chat/slow": 4}


def test_behind_a_plain_service_a_pod_counts_as_if_it_stood_alone() -> None:
    chat = a_deployment(variants=[FAST], rps=12.0, routing=Routing.SERVICE)
    pooled = an_option(chat.variants[0], capacity=CapacityTable((1, 2), (5.0, 12.0)))
    # Two share a load-aware router and carry 12 together; drawn by chance each carries its 5, so it takes three.
    options = {pooled.key: pooled}
    assert counts(plan([chat], [GPU_POOL], RPS, options=options)) == {"chat/fast": 3}
    aware = replace(chat, routing=Routing.LOAD_AWARE)
    assert counts(plan([aware], [GPU_POOL], RPS, options=options)) == {"chat/fast": 2}


def test_a_variant_that_carries_nothing_alone_is_not_counted_on_behind_a_plain_service() -> None:
    chat = a_deployment(variants=[replace(FAST, replicas=2)], rps=4.0, routing=Routing.SERVICE)
    options = {chat.variants[0].key: an_option(chat.variants[0], capacity=CapacityTable((1, 2), (0.0, 5.0)))}
    # Nothing that could be chosen keeps the SLO: what runs is kept, and it is said.
    allocation = plan([chat], [GPU_POOL], RPS, options=options)
    assert counts(allocation) == {"chat/fast": 2}
    assert [finding.reason for finding in allocation.findings] == [Reason.CAPACITY_SHORT]


def test_a_slow_variant_that_must_run_limits_the_fast_ones_behind_a_plain_service() -> None:
    pinned = replace(SLOW, min_replicas=1)
    chat = a_deployment(variants=[FAST, pinned], rps=6.0, routing=Routing.SERVICE)
    # One slow pod must run: 4 pods x 1.5 = 6. The cheapest 4 are the paid slow ones.
    assert counts(plan([chat], [GPU_POOL, PAID_XEONS], RPS)) == {"chat/slow": 4}
    more = a_deployment(variants=[FAST, pinned], rps=9.0, routing=Routing.SERVICE)
    # 9 / 1.5 = 6 pods, 4 of them paid.
    assert counts(plan([more], [GPU_POOL, PAID_XEONS], RPS)) == {"chat/fast": 2, "chat/slow": 4}


def test_with_an_http_route_variants_add_up_because_weights_follow_their_rates() -> None:
    chat = a_deployment(variants=[FAST, SLOW], rps=30.0, routing=Routing.HTTP_ROUTE, http_route="chat")
    assert counts(plan([chat], [GPU_POOL, PAID_XEONS], RPS)) == {"chat/fast": 4, "chat/slow": 4}


def test_what_survives_a_lost_spot_pool_shares_equally_too() -> None:
    spot = a_pool("gpu-h100", price_kind=PriceKind.SPOT, price_usd_per_hour=4.0)
    chat = a_deployment(
        variants=[FAST, SLOW],
        rps=6.0,
        routing=Routing.SERVICE,
        policy=a_policy(spot_loss_tolerated_ratio=0.5),
    )
    allocation = plan([chat], [spot, a_pool("cpu-amx")], RPS)
    # 3 req/s must survive: 2 slow do that. With them 2 fast share 4 x 1.5 = 6 for 4 + 3 USD/h; 4 slow alone: 3 USD/h.
    assert counts(allocation) == {"chat/slow": 4}
    assert not allocation.findings


@pytest.mark.parametrize("limits", [SolveLimits(), DECOMPOSED], ids=["programme", "decomposition"])
def test_two_spot_pools_that_stand_in_for_each_other_are_cheaper_than_on_demand(limits: SolveLimits) -> None:
    pools = [
        a_pool("gpu-h100"),
        a_pool("gpu-mi300x", price_kind=PriceKind.SPOT, price_usd_per_hour=4.0),
        a_pool("gpu-l4", price_kind=PriceKind.SPOT, price_usd_per_hour=2.0),
    ]
    whole_node = {"nvidia.com/gpu": 4.0}
    variants = [a_variant(pool.name[4:], pool=pool.name, per_replica=whole_node) for pool in pools]
    chat = a_deployment(
        variants=variants, rps=5.0, routing=Routing.SERVICE, policy=a_policy(spot_loss_tolerated_ratio=0.5)
    )
    allocation = plan([chat], pools, {"h100": 6.0, "mi300x": 6.0, "l4": 3.0}, limits=limits)
    # One of each: 2 x 3 req/s, of which 3 are left whichever pool is lost. That is one replica more than h100 needs.
    assert counts(allocation) == {"chat/mi300x": 1, "chat/l4": 1}
    assert not allocation.findings


@pytest.mark.parametrize("seed", range(60))
def test_the_decomposition_finds_the_best_combination_of_which_enough_survives_and_bounds_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = ("a", "b", "c")
    whole_node = {"nvidia.com/gpu": 4.0}
    variants = [a_variant(name, pool=f"gpu-{name}", max_replicas=6, per_replica=whole_node) for name in names]
    kinds = [PriceKind.SPOT if rng.uniform() < 0.7 else PriceKind.ON_DEMAND for _ in names]
    pools = [
        a_pool(f"gpu-{name}", price_kind=kind, price_usd_per_hour=float(rng.uniform(1.0, 9.0)))
        for name, kind in zip(names, kinds, strict=True)
    ]
    rps = {name: float(rng.uniform(1.0, 6.0)) for name in names}
    policy = a_policy(spot_loss_tolerated_ratio=float(rng.uniform(0.2, 0.8)))
    chat = a_deployment(variants=variants, rps=float(rng.uniform(2.0, 8.0)), routing=Routing.SERVICE, policy=policy)
    forecasts = {chat.key: a_forecast(chat)}
    problem = state_problem(a_snapshot([chat], pools), forecasts, options_for([chat], rps), {}, {})
    keys = [choice.key for choice in problem.choices]
    every = [dict(zip(keys, tried, strict=True)) for tried in product(range(7), repeat=len(names))]
    best = min((assess(problem, tried) for tried in every), key=lambda plan: plan.rank)
    found = decompose(problem, DECOMPOSED)
    assert found.plan.missed == pytest.approx(best.missed)
    assert found.plan.priced_usd_per_hour == pytest.approx(best.priced_usd_per_hour, rel=1e-6)
    if not any(best.missed):
        assert found.bound_usd_per_hour <= best.priced_usd_per_hour * (1.0 + 1e-6)


@pytest.mark.parametrize(("budget_usd", "on_a"), [(103.2, 64), (103.5, 70)])
def test_as_much_of_what_runs_stays_as_the_budget_pays_for(budget_usd: float, on_a: int) -> None:
    whole_node = {"nvidia.com/gpu": 4.0}
    pools = [a_pool(f"gpu-{v}", max_nodes=100, price_usd_per_hour=usd) for v, usd in (("a", 1.05), ("b", 1.0))]
    # What starts and what leaves the last plan costs more than the 5 cents that b is cheaper.
    variants = [
        a_variant(v, pool=f"gpu-{v}", max_replicas=100, replicas=runs, per_replica=whole_node)
        for v, runs in (("a", 100), ("b", 0))
    ]
    chat = a_deployment(variants=variants, rps=100.0, routing=Routing.SERVICE, budget_usd_per_hour=budget_usd)
    last = {variant.key: variant.replicas for variant in chat.variants}
    allocation = plan([chat], pools, {"a": 1.0, "b": 1.0}, last=last, limits=DECOMPOSED)
    assert counts(allocation) == {"chat/a": on_a, "chat/b": 100 - on_a}


@pytest.mark.parametrize(
    ("caps", "rps", "tolerated", "needed_rps"),
    [((13, 2), (2.07, 1.15), 0.737, 19.9), ((3, 20), (3.0, 1.0), 5 / 6, 6.0)],
    ids=["nothing protects it", "a capped variant"],
)
def test_both_solvers_pay_the_same_and_no_bound_says_more(
    caps: tuple[int, int], rps: tuple[float, float], tolerated: float, needed_rps: float
) -> None:
    pools = [
        a_pool("gpu-a", max_nodes=60, price_kind=PriceKind.SPOT, price_usd_per_hour=1.0),
        a_pool("gpu-b", max_nodes=60, price_usd_per_hour=10.0),
    ]
    names = ("a", "a-too", "b")
    places, limits = ("gpu-a", "gpu-a", "gpu-b"), (caps[0], caps[0] if caps[1] > caps[0] else 0, caps[1])
    variants = [
        a_variant(name, pool=place, max_replicas=limit, per_replica={"nvidia.com/gpu": 4.0})
        for name, place, limit in zip(names, places, limits, strict=True)
    ]
    policy = a_policy(spot_loss_tolerated_ratio=tolerated)
    chat = a_deployment(variants=variants, rps=needed_rps, routing=Routing.SERVICE, policy=policy)
    safe_rps = {"a": rps[0], "a-too": rps[0], "b": rps[1]}
    exact, bounded = (plan([chat], pools, safe_rps, limits=one) for one in (SolveLimits(), DECOMPOSED))
    assert bounded.solver is not None
    assert exact.solver is not None
    assert bounded.solver.cost_usd_per_hour == pytest.approx(exact.solver.cost_usd_per_hour)
    assert 0.0 < bounded.solver.bound_usd_per_hour <= exact.solver.cost_usd_per_hour * (1.0 + 1e-6)


@pytest.mark.parametrize("seed", range(40))
def test_no_combination_behind_a_plain_service_is_cheaper_than_the_plan(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names, limits = ("a", "b", "c"), rng.integers(2, 6, 3)
    variants = [
        a_variant(name, pool=f"cpu-{name}", max_replicas=int(limit), per_replica={"cpu": 64.0})
        for name, limit in zip(names, limits, strict=True)
    ]
    pools = [a_pool(f"cpu-{name}", price_usd_per_hour=float(rng.uniform(1.0, 9.0))) for name in names]
    rps = {name: float(rng.uniform(0.5, 6.0)) for name in names}
    chat = a_deployment(variants=variants, rps=float(rng.uniform(2.0, 14.0)), routing=Routing.SERVICE)
    allocation = plan([chat], pools, rps, limits=SolveLimits())
    prices = {pool.name: pool.price_usd_per_hour for pool in pools}
    tables = [CapacityTable((1,), (rps[name],)) for name in names]
    costs = [
        sum(n * prices[f"cpu-{name}"] for name, n in zip(names, combination, strict=True))
        for combination in product(*(range(int(limit) + 1) for limit in limits))
        if carried_rps(Routing.SERVICE, zip(tables, combination, strict=True)) >= chat.demand.arrival_rate_rps  # type: ignore[operator]
    ]
    if costs:
        assert not allocation.shortfall_rps
        assert allocation.usd_per_hour[chat.key] == pytest.approx(min(costs), rel=2e-3)
    else:
        assert allocation.shortfall_rps


@pytest.mark.parametrize("begin", [{}, {"slow": 4}, {"fast": 5}, {"fast": 1, "slow": 4}], ids=str)
def test_without_a_solver_too_the_demand_is_covered_behind_a_plain_service(begin: dict[str, int]) -> None:
    chat = a_deployment(variants=[FAST, SLOW], rps=30.0, routing=Routing.SERVICE)
    snapshot = a_snapshot([chat], [GPU_POOL, PAID_XEONS])
    problem = state_problem(snapshot, {chat.key: a_forecast(chat)}, options_for([chat], RPS), {}, {})
    keys = {variant.name: variant.key for variant in chat.variants}
    filled = fill_up(problem, {keys[name]: count for name, count in begin.items()})
    assert problem.needs[0].missed_share(filled) == 0.0
