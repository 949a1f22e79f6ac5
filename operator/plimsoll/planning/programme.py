"""The integer programme over all deployments: its columns, its rows, and what each objective charges.

In: a ``Problem``. Out: a ``Programme`` that ``solver`` hands to HiGHS, and the way back from its values to replicas.
Letters: i choices (one variant of one deployment), d deployments, p pools, c classes of like nodes in a pool, r
resources, k modes of a deployment behind a plain Service (``equal_share``). Design section 5.

    minimise   sum_pc price_p y_pc  +  sum_d api_d e_d  +  sum_i (move_i g_i + change_i h_i)
               (+ a trace of list price, so that nothing runs for nothing)
    demand     sum_i rate_i x_i / target_d            >= 1 - s_d - e_d                            for every d
    own        sum_i rate_i x_i / own_d               >= 1 - s_d                                  where an API overflows
    share      sum_ki rate_k w_ki / target_d          >= 1 - s_d - e_d        for every such d, in place of the demand
    mode       x_i = sum_k w_ki,  w_ki <= upper_i z_k,  sum_k z_k <= 1        for every such d
    spot       sum_{i not in p} rate_i x_i / left_d    >= 1 - u_d                                 for every d, spot p
    room       sum_i shape_ir x_i                     <= density_p sum_c free_cr y_pc             for every p, r
    slots      sum_{i at least as large as i'} x_i    <= sum_c fits(i', c) y_pc                   for every p, i'
    nodes      min_p                                  <= sum_c y_pc <= max_p                      for every p
    budget     sum_i slot_i x_i                       <= budget_d                                 for every such d
    bounds     lower_i <= x_i + o_i <= upper_i
    moves      x_i + o_i - g_i                        <= current_i
    changes    x_i + o_i - h_i                        <= planned_i

x, o, y, z whole numbers. e is the share of demand that overflows to the external API, s the share left uncovered, u the
share that a lost spot pool would leave so, o the replicas that must run and find no room; s, u and o are zero unless
there is not enough.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import floor

import numpy as np
from numpy.typing import NDArray

from plimsoll.domain import ObjectKey, VariantKey
from plimsoll.planning.equal_share import mode_rate_rps, modes
from plimsoll.planning.problem import Choice, Need, Problem
from plimsoll.planning.room import Room, Shape, fits

Floats = NDArray[np.float64]
Term = tuple[int, float]
"""A column and the rate that one unit of it carries, in requests per second."""

TRACE_RATIO = 1e-4
"""Share of its list price that every replica costs on top. Guess: small against any real saving, so that free slots
and paid nodes are not filled for nothing, and the cheaper of two paid pools is taken."""
ORDER_RATIO = 1e-6
"""What the place among a deployment's variants costs: settles exact ties, so that equal variants are taken in order of
name. Ten times HiGHS's dual tolerance; anything less it does not see."""
CUT_DEPTHS = (1, 2, 3, 4)
"""Replicas of more than a half, a third, a quarter and a fifth of a node are told apart; finer ones pack well."""
WHOLE = 1e-6
"""How far from a whole number still counts as one."""
MAX_SHAPES_COMPARED = 24
"""With more shapes than this in one pool, a slot row counts equal shapes only: rows stay few and short."""
SPOT_WEIGHT = 0.01
"""What one uncovered share after a spot loss counts against one uncovered share now. Guess: serving now comes first."""


@dataclass(frozen=True, slots=True)
class Row:
    """One linear constraint: lower <= sum of coefficients x columns <= upper."""

    columns: tuple[int, ...]
    coefficients: tuple[float, ...]
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Programme:
    """Columns with bounds and the cost of each, rows, and which columns mean what."""

    problem: Problem
    cost: Floats
    """In units of `Problem.usd_per_unit`: the numbers that HiGHS sees stay near one whatever the currency is worth."""
    upper: Floats
    whole: tuple[bool, ...]
    slack: tuple[int, ...]
    """Columns that say that something is missing."""
    rows: tuple[Row, ...]
    placed: Mapping[VariantKey, int]
    unplaced: Mapping[VariantKey, int]
    nodes: Mapping[str, tuple[int, ...]]
    short: Mapping[ObjectKey, tuple[int, int]]
    """By deployment the columns that say what share is uncovered, and what share would be after a spot loss."""
    modes: Mapping[ObjectKey, tuple[Term, ...]]
    """By deployment behind a plain Service: for every mode, the slowest first, the column that says whether it is the
    one, and its rate."""
    tiers: tuple[Mapping[int, float], ...]
    """Weights of slack columns, what must be met first comes first."""

    @property
    def order_usd_per_hour(self) -> float:
        """The most that `ORDER_RATIO` adds to the price of any plan: a bound that counts on the price takes it off."""
        ranked = ((rank, choice) for need in self.problem.needs for rank, choice in enumerate(need.choices))
        return ORDER_RATIO * self.problem.usd_per_unit * sum(rank * choice.upper for rank, choice in ranked)

    def modes_of(self, placed: Mapping[VariantKey, int]) -> dict[int, float]:
        """Values of the columns that choose modes, for these replicas: a start without them would not fit."""
        chosen: dict[int, float] = {}
        for need in self.problem.needs:
            used = [c.rate_rps for c in need.choices if c.rate_rps > 0 and placed.get(c.key, 0) > 0]
            fits = [column for column, rate_rps in self.modes.get(need.key, ()) if used and rate_rps <= min(used)]
            chosen |= {column: 1.0 for column in fits[-1:]}
        return chosen

    def nodes_of(self, values: Floats) -> dict[str, int]:
        """Nodes by pool, as the values of all columns say."""
        return {pool: round(sum(values[c] for c in columns)) for pool, columns in self.nodes.items()}

    def replicas_of(self, values: Floats) -> dict[VariantKey, int]:
        """Replicas by variant, those without room included."""
        return {
            key: round(values[column] + (values[self.unplaced[key]] if key in self.unplaced else 0.0))
            for key, column in self.placed.items()
        }

    def missed(self, values: Floats) -> tuple[float, ...]:
        """Shares of demand that the solution itself leaves uncovered, summed by priority, the highest first."""
        by_priority: dict[int, float] = {}
        for need in self.problem.needs:
            uncovered, unprotected = (values[column] for column in self.short[need.key])
            unplaced = sum(values[self.unplaced[c.key]] for c in need.choices if c.key in self.unplaced)
            missing = float(uncovered + SPOT_WEIGHT * unprotected + unplaced)
            by_priority[need.priority] = by_priority.get(need.priority, 0.0) + missing
        return tuple(by_priority[priority] for priority in sorted(by_priority, reverse=True))


class _Columns:
    """Collects columns while the programme is being written."""

    def __init__(self) -> None:
        self.cost: list[float] = []
        self.upper: list[float] = []
        self.whole: list[bool] = []

    def add(self, upper: float, cost: float = 0.0, *, whole: bool = False) -> int:
        self.cost.append(cost)
        self.upper.append(upper)
        self.whole.append(whole)
        return len(self.cost) - 1


def write_programme(problem: Problem, max_tiers: int) -> Programme:
    """The programme of a problem; priorities beyond the first `max_tiers` share the last tier."""
    columns, rows, usd_per_unit = _Columns(), list[Row](), problem.usd_per_unit
    placed, unplaced = dict[VariantKey, int](), dict[VariantKey, int]()
    for rank, choice in ((rank, choice) for need in problem.needs for rank, choice in enumerate(need.choices)):
        trace = TRACE_RATIO * choice.list_usd_per_hour / usd_per_unit + ORDER_RATIO * rank
        placed[choice.key] = columns.add(choice.upper, trace, whole=True)
        if choice.lower:
            unplaced[choice.key] = columns.add(choice.lower, trace, whole=True)
        rows += _bounds_and_moves(choice, columns, placed, unplaced, usd_per_unit)
    nodes: dict[str, tuple[int, ...]] = {}
    for name, room in problem.rooms.items():
        price = room.usd_per_hour / usd_per_unit
        nodes[name] = tuple(columns.add(count, price, whole=True) for _, count in room.classes)
        rows += _room_rows(room, problem.choices_in(name), placed, nodes[name])
    short = {need.key: (columns.add(1.0), columns.add(1.0)) for need in problem.needs}
    chosen: dict[ObjectKey, tuple[Term, ...]] = {}
    for need in problem.needs:
        api: tuple[int, ...] = ()
        if need.api_usd_per_hour_per_rps is not None and need.required_rps > 0:
            price = need.api_usd_per_hour_per_rps * need.target_rps / usd_per_unit
            api = (columns.add(need.required_rps / need.target_rps, price),)
        every = modes(need)
        if len(every) == 1:
            rows += _carrying_rows(need, placed, (short[need.key][0], *api), short[need.key][0])
            rows += _spot_rows(need, problem.rooms, placed, short[need.key][1])
        else:
            chosen[need.key], mode_rows = _mode_rows(need, every, problem.rooms, columns, placed, api, short[need.key])
            rows += mode_rows
        rows += _budget_rows(need, placed)
    return Programme(
        problem=problem,
        cost=np.array(columns.cost),
        upper=np.array(columns.upper, dtype=np.float64),
        whole=tuple(columns.whole),
        slack=(*unplaced.values(), *(column for pair in short.values() for column in pair)),
        rows=tuple(rows),
        placed=placed,
        unplaced=unplaced,
        nodes=nodes,
        short=short,
        modes=chosen,
        tiers=tuple(_tiers(problem, unplaced, short, max_tiers)),
    )


def _bounds_and_moves(
    choice: Choice,
    columns: _Columns,
    placed: Mapping[VariantKey, int],
    unplaced: Mapping[VariantKey, int],
    usd_per_unit: float,
) -> Iterable[Row]:
    counted = (placed[choice.key], *((unplaced[choice.key],) if choice.lower else ()))
    ones = (1.0,) * len(counted)
    if choice.lower:
        yield Row(counted, ones, choice.lower, choice.upper)
    charges: dict[int, float] = {}
    for count, usd_per_hour in choice.charges:
        charges[count] = charges.get(count, 0.0) + usd_per_hour / usd_per_unit
    for count, cost in charges.items():
        if choice.upper > max(count, choice.lower) and cost > 0:
            added = columns.add(choice.upper, cost)
            yield Row((*counted, added), (*ones, -1.0), -np.inf, count)


def _room_rows(
    room: Room, choices: tuple[Choice, ...], placed: Mapping[VariantKey, int], nodes: tuple[int, ...]
) -> Iterable[Row]:
    if nodes:
        upper = float(max(0, room.max_nodes))
        yield Row(nodes, (1.0,) * len(nodes), min(room.min_nodes, upper, sum(n for _, n in room.classes)), upper)
    for index in range(len(room.resources)):
        users = [choice for choice in choices if choice.shape[index] > 0]
        # In shares of a fresh node: bytes of memory and whole GPUs then weigh alike for the solver's tolerances.
        unit = room.node[index] or max((choice.shape[index] for choice in users), default=1.0)
        takes = [choice.shape[index] / unit for choice in users]
        gives = [-room.density * free[index] / unit for free, _ in room.classes]
        if users:
            yield Row((*(placed[c.key] for c in users), *nodes), (*takes, *gives), -np.inf, 0.0)
        yield from _packing_cuts(room, index, users, placed, nodes)
    shapes = sorted({choice.shape for choice in choices})
    for shape in shapes:
        larger = [
            placed[choice.key]
            for choice in choices
            if choice.shape == shape or (len(shapes) <= MAX_SHAPES_COMPARED and _contains(choice.shape, shape))
        ]
        gives = [-float(fits(free, shape)) for free, _ in room.classes]
        yield Row((*larger, *nodes), (*(1.0,) * len(larger), *gives), -np.inf, 0.0)


def _packing_cuts(
    room: Room, index: int, users: list[Choice], placed: Mapping[VariantKey, int], nodes: tuple[int, ...]
) -> Iterable[Row]:
    """Rows that every real packing meets, and sums of resources alone do not see.

    With a the share of a node that a replica takes, u_k(a) = a where (k + 1) a is whole, else floor((k + 1) a) / k,
    sums to at most 1 on every node. Source: Fekete and Schepers, New classes of fast lower bounds for bin packing
    problems, 2001, theorem 1.
    """
    largest = max((free[index] for free, _ in room.classes), default=0.0)
    for k in CUT_DEPTHS if largest > 0 else ():
        scaled = [(k + 1) * choice.shape[index] / largest for choice in users]
        weights = [s / (k + 1) if abs(s - round(s)) < WHOLE else floor(s) / k for s in scaled]
        counted = [(placed[c.key], w) for c, w in zip(users, weights, strict=True) if w > 0]
        if counted:
            columns, coefficients = zip(*counted, strict=True)
            yield Row((*columns, *nodes), (*coefficients, *(-1.0,) * len(nodes)), -np.inf, 0.0)


def _contains(shape: Shape, other: Shape) -> bool:
    return all(mine >= others for mine, others in zip(shape, other, strict=True))


def _carrying_rows(
    need: Need, placed: Mapping[VariantKey, int], missing: tuple[int, ...], uncovered: int
) -> Iterable[Row]:
    terms = [(placed[choice.key], choice.rate_rps) for choice in _carriers(need)]
    yield from _rate_rows(need, terms, missing, uncovered)


def _rate_rows(need: Need, terms: list[Term], missing: tuple[int, ...], uncovered: int) -> Iterable[Row]:
    if need.target_rps > 0:
        yield _at_least(need.target_rps, terms, missing)
    if need.least_own_rps > 0:
        yield _at_least(need.least_own_rps, terms, (uncovered,))


def _spot_rows(
    need: Need, rooms: Mapping[str, Room], placed: Mapping[VariantKey, int], unprotected: int
) -> Iterable[Row]:
    for pool in _spot_pools(need, rooms):
        others = [choice for choice in _carriers(need) if choice.pool != pool]
        terms = [(placed[choice.key], choice.rate_rps) for choice in others]
        reachable_rps = sum(choice.total_rps(choice.upper) for choice in others)
        if others:
            yield _at_least(min(need.protected_rps, reachable_rps), terms, (unprotected,))


def _mode_rows(
    need: Need,
    every: tuple[Need, ...],
    rooms: Mapping[str, Room],
    columns: _Columns,
    placed: Mapping[VariantKey, int],
    api: tuple[int, ...],
    short: tuple[int, int],
) -> tuple[tuple[Term, ...], list[Row]]:
    """The columns that choose a mode, with its rate, and the rows of a deployment that has several."""
    rows: list[Row] = []
    chosen: list[Term] = []
    parts: dict[VariantKey, list[int]] = {}
    terms: list[tuple[Choice, float, Term]] = []
    for mode in every:
        rate_rps, is_chosen = mode_rate_rps(mode), columns.add(1.0, whole=True)
        chosen.append((is_chosen, rate_rps))
        for choice in _carriers(mode):
            part = columns.add(choice.upper)
            parts.setdefault(choice.key, []).append(part)
            rows.append(Row((part, is_chosen), (1.0, -float(choice.upper)), -np.inf, 0.0))
            terms.append((choice, rate_rps, (part, rate_rps)))
    rows.append(Row(tuple(column for column, _ in chosen), (1.0,) * len(chosen), -np.inf, 1.0))
    for choice in _carriers(need):
        mine = parts.get(choice.key, [])
        rows.append(Row((placed[choice.key], *mine), (1.0, *(-1.0,) * len(mine)), 0.0, 0.0))
    rows += _rate_rows(need, [term for _, _, term in terms], (short[0], *api), short[0])
    alone_rps = {choice.key: choice.rate_rps for choice in _carriers(need)}
    for pool in _spot_pools(need, rooms):
        # A mode's slowest variant may be lost with the pool; what is left then shares by the next slowest. Which one
        # that is the programme does not know, and counts each at its own rate: a bound, and the assessment says more.
        left = [
            (part, rate_rps if _has_rate_outside(need, rate_rps, pool) else alone_rps[choice.key])
            for choice, rate_rps, (part, _) in terms
            if choice.pool != pool
        ]
        reachable_rps = max(sum(c.rate_rps * c.upper for c in _carriers(mode) if c.pool != pool) for mode in every)
        if left and reachable_rps > 0:
            rows.append(_at_least(min(need.protected_rps, reachable_rps), left, (short[1],)))
    return tuple(chosen), rows


def _has_rate_outside(need: Need, rate_rps: float, pool: str) -> bool:
    return all(choice.pool != pool for choice in _carriers(need) if choice.rate_rps == rate_rps)


def _budget_rows(need: Need, placed: Mapping[VariantKey, int]) -> Iterable[Row]:
    if need.budget_usd_per_hour is not None:
        priced = [choice for choice in need.choices if choice.slot_usd_per_hour > 0]
        prices = tuple(choice.slot_usd_per_hour for choice in priced)
        if priced:
            yield Row(tuple(placed[c.key] for c in priced), prices, -np.inf, budget_floor(need))


def _carriers(need: Need) -> list[Choice]:
    return [choice for choice in need.choices if choice.rate_rps > 0 and choice.upper > 0]


def _spot_pools(need: Need, rooms: Mapping[str, Room]) -> list[str]:
    """Pools whose loss the deployment is to survive."""
    if need.protected_rps <= 0:
        return []
    return sorted({choice.pool for choice in _carriers(need) if rooms[choice.pool].spot})


def budget_floor(need: Need) -> float:
    """The budget, or what must run in any case if that costs more."""
    forced = sum(choice.slot_usd_per_hour * choice.lower for choice in need.choices)
    one = min((c.slot_usd_per_hour for c in need.choices if c.rate_rps > 0 and c.upper > 0), default=0.0)
    return max(need.budget_usd_per_hour or 0.0, forced, one if need.keeps_one else 0.0)


def _at_least(rate_rps: float, terms: list[Term], missing: tuple[int, ...]) -> Row:
    # One replica that alone carries more counts as exactly enough: the same whole-number plans, a tighter relaxation.
    shares = tuple(min(1.0, each_rps / rate_rps) for _, each_rps in terms)
    return Row((*(column for column, _ in terms), *missing), (*shares, *(1.0,) * len(missing)), 1.0, np.inf)


def _tiers(
    problem: Problem,
    unplaced: Mapping[VariantKey, int],
    short: Mapping[ObjectKey, tuple[int, int]],
    max_tiers: int,
) -> Iterable[Mapping[int, float]]:
    stays = {unplaced[c.key]: 1.0 for c in problem.choices if c.stays and c.key in unplaced}
    if stays:
        yield stays
    priorities = sorted({need.priority for need in problem.needs}, reverse=True)
    for index, priority in enumerate(priorities[:max_tiers]):
        last = index == max_tiers - 1
        weights: dict[int, float] = {}
        for need in problem.needs:
            if need.priority == priority or (last and need.priority < priority):
                weights[short[need.key][0]], weights[short[need.key][1]] = 1.0, SPOT_WEIGHT
                weights |= {unplaced[c.key]: 1.0 for c in need.choices if c.key in unplaced and not c.stays}
        yield weights
