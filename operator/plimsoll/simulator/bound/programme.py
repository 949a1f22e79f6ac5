"""What do the replicas and nodes of one minute cost at least?

In: rates, ways to load replicas, nodes, and a price for each request that misses. Out: a proven lower bound.

    min  sum_p usd_p y_p + m sum_d n_d (s_d + sum_{w of d} b_w z_w)
    sum_{w of d} a_w z_w + s_d >= 1                      each deployment d that is asked
    sum_{w of v} z_w <= x_v                              each variant v: a replica is loaded in one way at a time
    sum_{v on p} need_vk x_v <= node_pk y_p              each pool p and resource k
    x_v <= fit_v y_p                                     no replica straddles nodes
    x, y whole and bounded, z >= 0, 0 <= s <= 1

with n_d the requests of the minute, a_w the share of them that comes to a replica loaded in way w, b_w the share of
them that misses there, s_d those that nobody takes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import lil_matrix

from plimsoll.domain import ObjectKey, Pool, Variant, VariantKey
from plimsoll.engine.arrays import Floats
from plimsoll.simulator.policies.one_variant import most_replicas, replicas_on_a_node

GAP_RATIO = 0.003
"""Where a solve may end; the bound counts, so a gap makes it looser and never wrong."""
MOST_BRANCHES = 300


@dataclass(frozen=True, slots=True)
class Way:
    """One way to load a replica of one variant in one minute; a variant may have several."""

    variant: Variant
    carried_share: float
    """Share of the deployment's demand that comes to one replica."""
    missed_share: float = 0.0
    """Of the deployment's demand again: what misses its SLO there."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One deployment in one minute."""

    key: ObjectKey
    requests: float
    ways: Sequence[Way]


@dataclass(frozen=True, slots=True)
class Minute:
    """The answer: USD of the minute, and requests that miss."""

    usd: float
    missed: float
    bound: float
    """Of usd + price x missed, proven."""


def solve(asked: Sequence[Asked], pools: Mapping[str, Pool], usd_per_miss: float) -> Minute:
    """The cheapest minute where each request that misses costs so much."""
    columns = _Columns.of(asked, pools)
    if not columns.variants:
        missed = sum(one.requests for one in asked)
        return Minute(0.0, missed, missed * usd_per_miss)
    usd, missed_requests, upper, whole = columns.bounded(asked)
    answer = milp(
        usd + usd_per_miss * missed_requests,
        integrality=whole,
        bounds=Bounds(0.0, upper),
        constraints=columns.constraints(asked),
        options={"mip_rel_gap": GAP_RATIO, "node_limit": MOST_BRANCHES},
    )
    bound = max(float(answer.mip_dual_bound or 0.0), 0.0)
    if answer.x is None:
        return Minute(bound, 0.0, bound)
    return Minute(float(usd @ answer.x), float(missed_requests @ answer.x), bound)


@dataclass(frozen=True, slots=True)
class _Columns:
    """Replicas of each variant, nodes of each pool, ways, and for each deployment the share that nobody takes."""

    variants: Sequence[Variant]
    pools: Sequence[Pool]
    ways: Sequence[tuple[int, int, Way]]
    """With the places of its deployment and its variant."""
    deployments: int

    @classmethod
    def of(cls, asked: Sequence[Asked], pools: Mapping[str, Pool]) -> "_Columns":
        variants: dict[VariantKey, Variant] = {}
        places: dict[VariantKey, int] = {}
        ways = []
        for row, one in enumerate(asked):
            for way in one.ways:
                if way.variant.pool in pools:
                    variants.setdefault(way.variant.key, way.variant)
                    ways.append((row, places.setdefault(way.variant.key, len(places)), way))
        used = [pools[name] for name in sorted({variant.pool for variant in variants.values()})]
        return cls(tuple(variants.values()), used, ways, len(asked))

    @property
    def first_pool(self) -> int:
        return len(self.variants)

    @property
    def first_way(self) -> int:
        return self.first_pool + len(self.pools)

    @property
    def first_untaken(self) -> int:
        return self.first_way + len(self.ways)

    @property
    def count(self) -> int:
        return self.first_untaken + self.deployments

    def bounded(self, asked: Sequence[Asked]) -> tuple[Floats, Floats, Floats, Floats]:
        """By column: USD, requests that miss, the most there may be, and whether it is whole."""
        usd, missed, upper, whole = (np.zeros(self.count) for _ in range(4))
        by_name = {pool.name: pool for pool in self.pools}
        for place, variant in enumerate(self.variants):
            upper[place] = most_replicas(variant, by_name[variant.pool])
        for place, pool in enumerate(self.pools, start=self.first_pool):
            usd[place] = pool.marginal_price_usd_per_hour / 60.0
            upper[place] = pool.max_nodes
        for place, (row, of, way) in enumerate(self.ways, start=self.first_way):
            missed[place] = asked[row].requests * way.missed_share
            upper[place] = upper[of]
        for place, one in enumerate(asked, start=self.first_untaken):
            missed[place], upper[place] = one.requests, 1.0
        whole[: self.first_way] = 1.0
        return usd, missed, upper, whole

    def constraints(self, asked: Sequence[Asked]) -> LinearConstraint:
        """All demand is taken or not, ways within replicas, replicas within nodes."""
        resources = [
            (place, pool, name)
            for place, pool in enumerate(self.pools, start=self.first_pool)
            for name in sorted({name for one in self.variants if one.pool == pool.name for name in one.per_replica})
        ]
        loaded, straddles = len(asked), len(asked) + len(self.variants)
        fits = straddles + len(self.variants)
        rows = lil_matrix((fits + len(resources), self.count))
        for row in range(len(asked)):
            rows[row, self.first_untaken + row] = 1.0
        for place, (row, of, way) in enumerate(self.ways, start=self.first_way):
            rows[row, place] = way.carried_share
            rows[loaded + of, place] = -1.0
        pool_columns = {pool.name: place for place, pool in enumerate(self.pools, start=self.first_pool)}
        by_name = {pool.name: pool for pool in self.pools}
        for place, variant in enumerate(self.variants):
            rows[loaded + place, place] = 1.0
            rows[straddles + place, place] = -1.0
            room = replicas_on_a_node(variant.per_replica, by_name[variant.pool])
            rows[straddles + place, pool_columns[variant.pool]] = room
        for row, (column, pool, name) in enumerate(resources, start=fits):
            scale = max(pool.node_resources.get(name, 0.0), 1e-9)
            rows[row, column] = pool.node_resources.get(name, 0.0) / scale
            for place, variant in enumerate(self.variants):
                if variant.pool == pool.name:
                    rows[row, place] = -variant.per_replica.get(name, 0.0) / scale
        lower = np.zeros(fits + len(resources))
        lower[: len(asked)] = 1.0
        return LinearConstraint(rows.tocsr(), lower, np.inf)
