"""What do the replicas and nodes of one minute cost at least?

In: rates, capacities, nodes, and a price for each request that is left out. Out: a proven lower bound.

    min  sum_p usd_p y_p + m sum_d n_d s_d
    sum_{v of d} (c_v / r_v) x_v + s_d >= 1              each deployment d that is asked
    sum_{v on p} need_vk x_v <= node_pk y_p              each pool p and resource k
    x_v <= fit_v y_p                                     no replica straddles nodes
    x, y whole and bounded, 0 <= s <= 1

with r_v the rate in requests of mean size for the variant, c_v what a replica carries, n_d the requests of the minute.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import lil_matrix

from plimsoll.domain import ObjectKey, Pool, Variant
from plimsoll.simulator.policies.one_variant import most_replicas, replicas_on_a_node

GAP_RATIO = 0.003
"""Where a solve may end; the bound counts, so a gap makes it looser and never wrong."""
MOST_BRANCHES = 300


@dataclass(frozen=True, slots=True)
class Way:
    """One variant in one minute."""

    variant: Variant
    carried_share: float
    """Share of the deployment's demand that one replica carries."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One deployment in one minute."""

    key: ObjectKey
    requests: float
    ways: Sequence[Way]


@dataclass(frozen=True, slots=True)
class Minute:
    """The answer: USD of the minute, and requests left out."""

    usd: float
    left_out: float
    bound: float
    """Of usd + price x left_out, proven."""


def solve(asked: Sequence[Asked], pools: Mapping[str, Pool], usd_per_miss: float) -> Minute:
    """The cheapest minute where each request left out costs so much."""
    ways = [way for one in asked for way in one.ways if way.variant.pool in pools]
    if not ways:
        left_out = sum(one.requests for one in asked)
        return Minute(0.0, left_out, left_out * usd_per_miss)
    used = [pools[name] for name in sorted({way.variant.pool for way in ways})]
    columns = len(ways) + len(used) + len(asked)
    node_column = {pool.name: len(ways) + place for place, pool in enumerate(used)}
    cost = np.zeros(columns)
    upper = np.ones(columns)
    whole = np.ones(columns)
    for place, way in enumerate(ways):
        upper[place] = most_replicas(way.variant, pools[way.variant.pool])
    for pool in used:
        cost[node_column[pool.name]] = pool.marginal_price_usd_per_hour / 60.0
        upper[node_column[pool.name]] = pool.max_nodes
    for place, one in enumerate(asked):
        column = len(ways) + len(used) + place
        cost[column], whole[column] = usd_per_miss * one.requests, 0.0
    answer = milp(
        cost,
        integrality=whole,
        bounds=Bounds(0.0, upper),
        constraints=_constraints(asked, ways, used, node_column, columns),
        options={"mip_rel_gap": GAP_RATIO, "node_limit": MOST_BRANCHES},
    )
    bound = max(float(answer.mip_dual_bound or 0.0), 0.0)
    if answer.x is None:
        return Minute(bound, 0.0, bound)
    shares = answer.x[len(ways) + len(used) :]
    left_out = float(sum(one.requests * share for one, share in zip(asked, shares, strict=True)))
    return Minute(float(cost[: len(ways) + len(used)] @ answer.x[: len(ways) + len(used)]), left_out, bound)


def _constraints(
    asked: Sequence[Asked], ways: Sequence[Way], used: Sequence[Pool], node_column: Mapping[str, int], columns: int
) -> LinearConstraint:
    resources = [
        (pool, name)
        for pool in used
        for name in sorted({name for way in ways if way.variant.pool == pool.name for name in way.variant.per_replica})
    ]
    rows = lil_matrix((len(asked) + len(resources) + len(ways), columns))
    place, deployments = 0, {one.key: row for row, one in enumerate(asked)}
    for place, way in enumerate(ways):
        rows[deployments[way.variant.key.deployment_key], place] = way.carried_share
        straddles = len(asked) + len(resources) + place
        pool = used[node_column[way.variant.pool] - len(ways)]
        rows[straddles, place] = -1.0
        rows[straddles, node_column[pool.name]] = replicas_on_a_node(way.variant.per_replica, pool)
    for row, _ in enumerate(asked):
        rows[row, len(ways) + len(used) + row] = 1.0
    for row, (pool, name) in enumerate(resources, start=len(asked)):
        scale = max(pool.node_resources.get(name, 0.0), 1e-9)
        rows[row, node_column[pool.name]] = pool.node_resources.get(name, 0.0) / scale
        for place, way in enumerate(ways):
            if way.variant.pool == pool.name:
                rows[row, place] = -way.variant.per_replica.get(name, 0.0) / scale
    lower = np.concatenate((np.ones(len(asked)), np.zeros(len(resources) + len(ways))))
    return LinearConstraint(rows.tocsr(), lower, np.inf)
