"""Random fleets on which both solvers can be compared: whole nodes, spot, paid and full pools, priorities, last plans.

In: a seed. Out: a problem, the same for the same seed. Replicas take quarters of nodes, so that the integer programme's
rows say exactly what packs and its optimum is that of the problem.
"""

from dataclasses import replace

import numpy as np

from plimsoll.domain import Deployment, Option, Pool, PriceKind, Routing, VariantKey
from plimsoll.planning.problem import Problem
from plimsoll.planning.statement import state_problem
from unit.builders import GIB, a_deployment, a_forecast, a_policy, a_pool, a_snapshot, a_variant, an_option

POOLS = (
    ("gpu", PriceKind.ON_DEMAND, 12.0, 8.0),
    ("gpu-spot", PriceKind.SPOT, 4.0, 8.0),
    ("cpu", PriceKind.ON_DEMAND, 3.0, 1.5),
    ("cpu-paid", PriceKind.PAID, 3.0, 1.5),
)
"""Name, kind, price of a node, and what one replica carries about."""
NODE = {"cpu": 4.0, "memory": 64 * GIB}
MOST_DEPLOYMENTS = 60


def a_problem(seed: int) -> Problem:
    """One in ten fleets is large, up to sixty deployments; the others have two to fifteen."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(30, MOST_DEPLOYMENTS + 1)) if seed % 10 == 0 else int(rng.integers(2, 16))
    pools = tuple(_pool(rng, size, *pool) for pool in POOLS)
    deployments, options, last = [], dict[VariantKey, Option](), dict[VariantKey, int]()
    for index in range(size):
        deployment = _deployment(rng, f"model-{index:02d}")
        deployments.append(deployment)
        rates = {name: rate for name, _, _, rate in POOLS}
        for variant in deployment.variants:
            options[variant.key] = an_option(variant, rates[variant.pool] * float(rng.uniform(0.7, 1.4)))
            if rng.uniform() < 0.3:
                last[variant.key] = int(rng.integers(0, 3))
    snapshot = a_snapshot(deployments, pools)
    forecasts = {deployment.key: a_forecast(deployment) for deployment in deployments}
    return state_problem(snapshot, forecasts, options, {}, last)


def _pool(rng: np.random.Generator, size: int, name: str, kind: PriceKind, price: float, _: float) -> Pool:
    elastic = kind is PriceKind.ON_DEMAND
    nodes = 4 * size if elastic else 3 + int(size * rng.uniform(0.05, 0.4))
    paid = kind is PriceKind.PAID
    return a_pool(
        name,
        node_resources=NODE,
        price_usd_per_hour=price * float(rng.uniform(0.8, 1.25)),
        price_kind=kind,
        max_nodes=nodes,
        nodes=nodes if paid else 0,
    )


def _deployment(rng: np.random.Generator, name: str) -> Deployment:
    chosen = {int(rng.choice([0, 2])), *rng.choice(len(POOLS), size=int(rng.integers(1, 4)), replace=False).tolist()}
    variants = [
        a_variant(
            POOLS[pool][0],
            pool=POOLS[pool][0],
            min_replicas=int(rng.uniform() < 0.1),
            max_replicas=60,
            per_replica={"cpu": float(rng.choice([1.0, 2.0, 4.0])), "memory": GIB},
        )
        for pool in sorted(chosen)
    ]
    made = a_deployment(
        name,
        variants=variants,
        rps=float(rng.lognormal(0.8, 1.0)),
        priority=int(rng.choice([100, 200])),
        policy=a_policy(spot_loss_tolerated_ratio=float(rng.choice([1.0, 1.0, 1.0, 0.5]))),
    )
    return replace(made, routing=Routing.LOAD_AWARE)
