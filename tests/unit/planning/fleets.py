"""Small random fleets for property tests: every shape of shortage, spread and price that two pools allow."""

from hypothesis import strategies as st

from plimsoll.domain import Deployment, Pool, PriceKind
from unit.builders import GIB, a_deployment, a_pool, a_variant

NAMES = ("a", "b", "c")
RPS = {"fast": 6.0, "slow": 1.5}
"""Safe rate by variant name."""

prices = st.sampled_from([1.0, 2.0, 5.0, 12.0])
rates = st.sampled_from([0.0, 0.5, 3.0, 7.5, 12.0, 25.0, 60.0])


@st.composite
def deployments(draw: st.DrawFn, name: str) -> Deployment:
    """A deployment of one or two variants with two or four cores a replica, running anything."""
    variants = []
    for variant, pool in (("fast", "cpu-fast"), ("slow", "cpu-slow")):
        lower = draw(st.integers(0, 1))
        variants.append(
            a_variant(
                variant,
                pool=pool,
                replicas=draw(st.integers(0, 3)),
                min_replicas=lower,
                max_replicas=draw(st.integers(lower, 6)),
                per_replica={"cpu": draw(st.sampled_from([1.0, 2.0, 3.0])), "memory": GIB},
            )
        )
    return a_deployment(
        name,
        variants=variants[: draw(st.integers(1, 2))],
        rps=draw(rates),
        priority=draw(st.sampled_from([100, 200])),
        budget_usd_per_hour=draw(st.sampled_from([None, None, 4.0, 20.0])),
    )


@st.composite
def pools(draw: st.DrawFn) -> tuple[Pool, ...]:
    """Two pools of nodes with four cores, one of them perhaps paid for or spot."""
    node = {"cpu": 4.0, "memory": 64 * GIB}
    fast = a_pool(
        "cpu-fast",
        node_resources=node,
        price_usd_per_hour=draw(prices),
        max_nodes=draw(st.integers(0, 6)),
        price_kind=draw(st.sampled_from([PriceKind.ON_DEMAND, PriceKind.SPOT])),
    )
    paid = draw(st.booleans())
    nodes = draw(st.integers(1, 4))
    slow = a_pool(
        "cpu-slow",
        nodes=nodes if paid else 0,
        node_resources=node,
        price_usd_per_hour=draw(prices),
        price_kind=PriceKind.PAID if paid else PriceKind.ON_DEMAND,
        max_nodes=nodes,
    )
    return fast, slow


fleets = st.tuples(*(deployments(name) for name in NAMES))
