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

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from plimsoll.domain import ObjectKey, Pool, Variant, VariantKey
from plimsoll.engine.arrays import Floats
from plimsoll.planning.programme import Row
from plimsoll.planning.solver import Outcome, SolveLimits, solve_rows
from plimsoll.simulator.policies.one_variant import most_replicas, replicas_on_a_node

GAP_RATIO = 0.003
"""Where a solve may end; the bound counts, so a gap makes it looser and never wrong."""
_LIMITS = SolveLimits(max_branch_nodes=300)
"""A guess: after so many branches hardly any bound rises."""


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
    usd, missed_requests, upper = columns.bounded(asked)
    cost = usd + usd_per_miss * missed_requests
    rows = tuple(columns.rows(asked))
    answer = solve_rows(cost, upper, rows, None, GAP_RATIO, _LIMITS, columns.whole)
    # Not even "nobody is taken" fits where a number is not finite: such a minute must not count as a free one.
    assert answer.outcome is not Outcome.FAILED, answer.message
    bound = max(answer.bound, 0.0)
    if answer.values is None:
        return Minute(bound, 0.0, bound)
    return Minute(float(usd @ answer.values), float(missed_requests @ answer.values), bound)


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

    @property
    def whole(self) -> tuple[bool, ...]:
        """By column: replicas and nodes are."""
        return tuple(place < self.first_way for place in range(self.count))

    def bounded(self, asked: Sequence[Asked]) -> tuple[Floats, Floats, Floats]:
        """By column: USD, requests that miss, and the most there may be."""
        usd, missed, upper = (np.zeros(self.count) for _ in range(3))
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
        return usd, missed, upper

    def rows(self, asked: Sequence[Asked]) -> Iterator[Row]:
        """All demand is taken or not, ways within replicas, replicas within nodes."""
        taken: list[dict[int, float]] = [{self.first_untaken + row: 1.0} for row in range(len(asked))]
        loaded: list[dict[int, float]] = [{column: 1.0} for column in range(len(self.variants))]
        for place, (row, of, way) in enumerate(self.ways, start=self.first_way):
            taken[row][place] = way.carried_share
            loaded[of][place] = -1.0
        yield from (_at_least(1.0, terms) for terms in taken)
        yield from (_at_least(0.0, terms) for terms in loaded)
        for nodes, pool in enumerate(self.pools, start=self.first_pool):
            users = [(column, one) for column, one in enumerate(self.variants) if one.pool == pool.name]
            for column, variant in users:
                yield _at_least(0.0, {column: -1.0, nodes: replicas_on_a_node(variant.per_replica, pool)})
            for name in sorted({name for _, one in users for name in one.per_replica}):
                # In shares of a node: bytes of memory and whole GPUs then weigh alike for the solver's tolerances.
                scale = max(pool.node_resources.get(name, 0.0), 1e-9)
                takes = {column: -one.per_replica.get(name, 0.0) / scale for column, one in users}
                yield _at_least(0.0, {**takes, nodes: pool.node_resources.get(name, 0.0) / scale})


def _at_least(least: float, terms: Mapping[int, float]) -> Row:
    return Row(tuple(terms), tuple(terms.values()), least, np.inf)
