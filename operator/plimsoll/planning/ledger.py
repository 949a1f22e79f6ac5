"""The problem as arrays, for whoever looks at all deployments at once.

In: a ``Problem``. Out: a ``Ledger``: one row a choice, one a need, and the shapes by pool. Nothing is decided here.
Letters: D needs, N choices, S shapes (one of a pool is not one of another), T points of a capacity table.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plimsoll.domain import Routing
from plimsoll.planning.problem import Choice, Problem
from plimsoll.planning.programme import TRACE_RATIO, budget_floor
from plimsoll.planning.room import Shape
from plimsoll.planning.tables import Floats, Ints, Tables, tables_of

Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Ledger:
    """Choices in the order of their needs; amounts in US dollars per hour and requests per second."""

    problem: Problem
    choices: tuple[Choice, ...]
    tables: Tables
    first_d: Ints
    """The first choice of each need; the next need's is where it ends."""
    need_n: Ints
    lower_n: Ints
    upper_n: Ints
    """At most `lower` where the pool is not there or the variant carries nothing."""
    rate_n: Floats
    """The most that one replica counts with, for bounds."""
    trace_n: Floats
    slot_n: Floats
    count_n2: Ints
    """Counts beyond which a replica is charged for being new: as it runs, and as planned."""
    charge_n2: Floats
    pool_n: Ints
    """Index of the pool in the order of rooms; -1 where it is not there."""
    shape_n: Ints
    shapes: tuple[tuple[int, Shape], ...]
    """Pool and amounts of each shape."""
    target_d: Floats
    protected_d: Floats
    budget_d: Floats
    least_own_d: Floats
    api_d: Floats
    """US dollars per hour for one request per second at the external API; NaN where there is none."""
    required_d: Floats
    even_d: Bools
    """Whether every replica gets the same share, whatever it carries."""
    left_n: Floats
    """By choice of a spot pool: what the choices of other pools must carry if that one is lost; 0 for the others."""
    tier_d: Ints
    """The rank of the priority, 0 the highest."""

    @property
    def spot_pools(self) -> list[int]:
        """Indices of pools that may be lost."""
        return [index for index, room in enumerate(self.problem.rooms.values()) if room.spot]

    @property
    def at_risk_d(self) -> Bools:
        """Needs of which enough must be left when a spot pool that they may use is lost."""
        at_risk_d: Bools = np.bincount(self.need_n, self.left_n > 0, len(self.target_d)) > 0
        return at_risk_d

    @property
    def unbound_d(self) -> Bools:
        """Needs of which nothing must run in any case."""
        unbound_d: Bools = np.bincount(self.need_n, self.lower_n, len(self.target_d)) == 0
        return unbound_d

    @property
    def slots_usd_d(self) -> Floats:
        """The price of what must run in any case, by its shares of nodes."""
        usd_d: Floats = np.bincount(self.need_n, self.slot_n * self.lower_n, len(self.target_d)).astype(np.float64)
        return usd_d

    def charges(self, choice_k: Ints, count_k: Ints) -> Floats:
        """What so many replicas of a choice count with: the trace, and what they pay for being new."""
        beyond = np.maximum(0, count_k[:, None] - self.count_n2[choice_k])
        charges: Floats = self.trace_n[choice_k] * count_k + (beyond * self.charge_n2[choice_k]).sum(axis=1)
        return charges


def open_ledger(problem: Problem) -> Ledger:
    """The arrays of a problem."""
    needs, choices = problem.needs, problem.choices
    pools = {name: index for index, name in enumerate(problem.rooms)}
    usable = [c.rate_rps > 0 and c.pool in pools for c in choices]
    shape_index: dict[tuple[int, Shape], int] = {}
    pool_n = [pools.get(c.pool, -1) for c in choices]
    shape_n = [shape_index.setdefault((p, c.shape), len(shape_index)) for p, c in zip(pool_n, choices, strict=True)]
    tables = tables_of([c.capacity for c in choices], [c.rate_rps > 0 for c in choices])
    need_n = np.repeat(np.arange(len(needs)), [len(need.choices) for need in needs])
    lower_n = np.array([c.lower for c in choices], dtype=np.int64)
    upper_n = np.where(usable, [c.upper for c in choices], lower_n).astype(np.int64)
    protected_d = np.array([need.protected_rps for need in needs], dtype=np.float64)
    tiers = {p: rank for rank, p in enumerate(sorted({n.priority for n in needs}, reverse=True))}
    return Ledger(
        problem=problem,
        choices=choices,
        tables=tables,
        first_d=np.cumsum([0, *(len(need.choices) for need in needs)])[:-1].astype(np.int64),
        need_n=need_n,
        lower_n=lower_n,
        upper_n=upper_n,
        rate_n=np.array([c.rate_rps for c in choices], dtype=np.float64),
        trace_n=np.array([TRACE_RATIO * c.list_usd_per_hour for c in choices], dtype=np.float64),
        slot_n=np.array([c.slot_usd_per_hour for c in choices], dtype=np.float64),
        count_n2=np.array([(c.current, c.planned) for c in choices], dtype=np.int64).reshape(-1, 2),
        charge_n2=np.array([(c.move_usd_per_hour, c.change_usd_per_hour) for c in choices]).reshape(-1, 2),
        pool_n=np.array(pool_n, dtype=np.int64),
        shape_n=np.array(shape_n, dtype=np.int64),
        shapes=tuple(shape_index),
        target_d=np.array([need.target_rps for need in needs], dtype=np.float64),
        protected_d=protected_d,
        budget_d=np.array(
            [np.inf if need.budget_usd_per_hour is None else budget_floor(need) for need in needs], dtype=np.float64
        ),
        least_own_d=np.array([need.least_own_rps for need in needs], dtype=np.float64),
        api_d=np.array(
            [np.nan if need.api_usd_per_hour_per_rps is None else need.api_usd_per_hour_per_rps for need in needs],
            dtype=np.float64,
        ),
        required_d=np.array([need.required_rps for need in needs], dtype=np.float64),
        even_d=np.array([need.routing is Routing.SERVICE for need in needs], dtype=bool),
        left_n=_left(
            problem, np.array(pool_n), need_n, tables.total_rps(np.arange(len(choices)), upper_n), protected_d
        ),
        tier_d=np.array([tiers[need.priority] for need in needs], dtype=np.int64),
    )


def _left(problem: Problem, pool_n: Ints, need_n: Ints, most_n: Floats, protected_d: Floats) -> Floats:
    left_n = np.zeros(len(pool_n))
    for pool, room in enumerate(problem.rooms.values()):
        if room.spot and protected_d.any():
            in_pool = pool_n == pool
            others_d = np.bincount(need_n[~in_pool], most_n[~in_pool], len(protected_d))
            left_n[in_pool] = np.minimum(protected_d, others_d)[need_n[in_pool]]
    return left_n
