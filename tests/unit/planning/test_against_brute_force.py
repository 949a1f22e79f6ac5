"""The solver's cost equals that of trying every plan there is, on fleets small enough to try them all."""

from itertools import product

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from plimsoll.domain import Deployment, Pool
from unit.builders import GIB, a_deployment, a_policy, a_pool, a_variant
from unit.planning.case import plan

NODE = {"cpu": 4.0, "memory": 64 * GIB}
RPS = {"fast": 5.0, "slow": 2.0}


def nodes_needed(sizes: list[int], capacity: int = 4) -> int:
    """The fewest nodes of `capacity` cores for replicas of these sizes, by trying every assignment in turn."""
    best = len(sizes)

    def place(index: int, free: list[int]) -> None:
        nonlocal best
        if len(free) >= best:
            return
        if index == len(sizes):
            best = len(free)
            return
        for node, room in enumerate(free):
            if room >= sizes[index]:
                place(index + 1, [*free[:node], room - sizes[index], *free[node + 1 :]])
        place(index + 1, [*free, capacity - sizes[index]])

    place(0, [])
    return best


def cheapest(fleet: tuple[Deployment, ...], pools: tuple[Pool, ...]) -> float:
    """The lowest price of any plan that covers every demand."""
    variants = [variant for deployment in fleet for variant in deployment.variants]
    best = float("inf")
    for tried in product(*(range(variant.max_replicas + 1) for variant in variants)):
        chosen = {variant.key: n for variant, n in zip(variants, tried, strict=True)}
        if any(
            sum(RPS[v.name] * chosen[v.key] for v in d.variants) < (d.demand.arrival_rate_rps or 0.0) for d in fleet
        ):
            continue
        price = 0.0
        for pool in pools:
            sizes = sorted(
                (int(v.per_replica["cpu"]) for v in variants if v.pool == pool.name for _ in range(chosen[v.key])),
                reverse=True,
            )
            nodes = nodes_needed(sizes)
            price += nodes * pool.price_usd_per_hour if nodes <= pool.max_nodes else float("inf")
        best = min(best, price)
    return best


# Here HiGHS 1.16 reports the best cost and hands back the values of its start.
@example(rates=(9.0, 9.0), cores=(3, 3, 4, 2), prices=(5.0, 1.0))
@settings(max_examples=40, deadline=2000)
@given(
    rates=st.tuples(*[st.sampled_from([0.0, 2.0, 5.0, 6.0, 9.0])] * 2),
    cores=st.tuples(*[st.integers(1, 4)] * 4),
    prices=st.tuples(st.sampled_from([2.0, 5.0, 8.0]), st.sampled_from([1.0, 3.0])),
)
def test_cost_equals_that_of_the_best_of_all_plans(
    rates: tuple[float, ...], cores: tuple[int, ...], prices: tuple[float, float]
) -> None:
    pools = (
        a_pool("cpu-fast", node_resources=NODE, price_usd_per_hour=prices[0], max_nodes=3),
        a_pool("cpu-slow", node_resources=NODE, price_usd_per_hour=prices[1], max_nodes=3),
    )
    fleet = tuple(
        a_deployment(
            name,
            variants=[
                a_variant(v, pool=f"cpu-{v}", max_replicas=3, per_replica={"cpu": float(cores[2 * i + j])})
                for j, v in enumerate(("fast", "slow"))
            ],
            rps=rates[i],
            # Moves cost next to nothing, so that the price of nodes alone decides, as in the trial of all plans.
            policy=a_policy(expected_dwell_s=1e9),
        )
        for i, name in enumerate(("a", "b"))
    )
    best = cheapest(fleet, pools)
    allocation = plan(fleet, pools, RPS)
    if best == float("inf"):
        assert allocation.shortfall_rps
        return
    assert not allocation.shortfall_rps
    # Exactly the best: the gap is closed at this size. The trace that breaks ties is below 1e-3 of any price here.
    assert allocation.solver.cost_usd_per_hour == pytest.approx(best, rel=1e-3)
    assert allocation.solver.bound_usd_per_hour <= best + 1e-6
