"""A plan for a large fleet: prices on room first, then every deployment by itself, then whole nodes.

In: a ``Problem``. Out: a ``Decomposed``: the best plan found, judged by packing, and a lower bound on what any plan
costs that covers as much. No clock and no randomness: the same problem gives the same plan. Design section 5.

The way through: ``ledger`` (arrays) -> ``columns`` (ways to serve a deployment) and ``weights`` (what a replica takes
of a node) -> ``prices`` (the dual) -> ``rounding`` (a column a need, whole nodes), ``master`` -> ``assessment`` ->
``bound``, ``counted_mixes``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np

from plimsoll.domain import VariantKey
from plimsoll.planning.assessment import Assessment, assess, unprotected_rps
from plimsoll.planning.bound import lower_bound
from plimsoll.planning.columns import NONE, Columns, list_columns
from plimsoll.planning.fallback import fill_up
from plimsoll.planning.ledger import Ledger, open_ledger
from plimsoll.planning.master import improve
from plimsoll.planning.prices import Dual, Prices, find_prices
from plimsoll.planning.problem import Problem
from plimsoll.planning.programme import SPOT_WEIGHT
from plimsoll.planning.room import SLACK_RATIO, Room
from plimsoll.planning.rounding import Fleet, Rounding
from plimsoll.planning.solver import SolveLimits
from plimsoll.planning.tables import Floats
from plimsoll.planning.weights import Weights, weigh

REPACKS = 3
"""How often what does not pack is moved elsewhere. Guess: each judges a plan; later ones rarely gain."""
PENALTY = 20.0 / SPOT_WEIGHT
"""What leaving a need uncovered counts, in the dearest need's cost: far more than room is ever worth, also where all
that is missing is what would survive a spot loss, which counts with `SPOT_WEIGHT`."""
TIER_RATIO = 4.0
"""By how much a priority counts more than the next lower one, up to `MOST_TIERS` of them."""
MOST_TIERS = 8
TREMBLES = (0.0, 0.03, -0.03, 0.08, -0.08, 0.15, -0.15)
"""By how much the worth of nodes is changed, in turn for every pool, where an attempt is repeated."""
NEEDS_TRIED = 1000
"""Attempts times needs. Guess: hundreds gain from more attempts than one; a thousand get as close by what comes after,
in a third of the time."""
MOST_ATTEMPTS = 60
ATTEMPTS_SHARE = 0.5
"""Of a time limit that attempts may take; judging the best ones comes after."""
MOST_JUDGED = 4
"""Attempts that are packed node by node, the cheapest by their rows."""
NEEDS_JUDGED = 1000
"""Judged attempts times needs: in large fleets rows tell what packing finds."""


@dataclass(frozen=True, slots=True)
class Decomposed:
    """The best plan and the bound on `Assessment.priced_usd_per_hour`; 0 where nothing is proven."""

    plan: Assessment
    bound_usd_per_hour: float
    seconds: float


def decompose(problem: Problem, limits: SolveLimits) -> Decomposed:
    """The best plan found for a problem, and what no plan costs less than."""
    began_s = limits.stopwatch_s()
    if not problem.needs:
        return Decomposed(assess(problem, {}), 0.0, 0.0)
    ledger = open_ledger(problem)
    columns, weights = list_columns(ledger), weigh(ledger)
    plan, bound = _tried(ledger, columns, weights, limits, began_s)
    if _misses_more(ledger, columns, plan):
        # Room is short: a part of what deployments ask for may now be worth more than all of it or nothing.
        again = _tried(ledger, list_columns(ledger, parts=True), weights, limits, began_s)
        plan, bound = min((plan, bound), again, key=lambda one: one[0].rank)
    return Decomposed(plan, bound, limits.stopwatch_s() - began_s)


def _tried(
    ledger: Ledger, columns: Columns, weights: Weights, limits: SolveLimits, began_s: float
) -> tuple[Assessment, float]:
    """The best plan of these columns, and the bound on what plans cost that cover as much."""
    problem = ledger.problem
    dual = Dual(ledger, columns, weights, _penalties(ledger, columns))
    point, listed_usd = find_prices(dual)
    prices = dual.prices(point)
    fleet = _fleet(ledger, columns, weights, dual)
    plan = _best(problem, fleet, prices, listed_usd - columns.base_usd_per_hour, limits, began_s)
    if any(plan.missed):
        mended = assess(problem, fill_up(problem, plan.replicas))
        plan = min(plan, mended, key=lambda one: one.rank)
    return plan, _bound(ledger, columns, dual, prices, plan)


def _misses_more(ledger: Ledger, columns: Columns, plan: Assessment) -> bool:
    """True where a need is left with less than one of its columns would give it."""
    if not any(plan.missed):
        return False
    missed_d = np.array([need.missed_share(plan.placed) for need in ledger.problem.needs])
    least_d = np.minimum.reduceat(columns.missed_k, columns.first_d)
    return bool((missed_d > least_d + SLACK_RATIO).any())


def _penalties(ledger: Ledger, columns: Columns) -> Floats:
    rooms = ledger.problem.rooms.values()
    usd_n = ledger.slot_n + ledger.trace_n
    whole_k = (np.where(columns.choice_kc == NONE, 0.0, usd_n[columns.choice_kc]) * columns.count_kc).sum(axis=1)
    dearest = max(
        float((whole_k + columns.cost_k).max(initial=0.0)), max((room.list_usd_per_hour for room in rooms), default=0.0)
    )
    rank_d = np.minimum(ledger.tier_d, MOST_TIERS)
    penalty_d: Floats = PENALTY * (dearest or 1.0) * TIER_RATIO ** (rank_d.max(initial=0) - rank_d).astype(np.float64)
    return penalty_d


def _fleet(ledger: Ledger, columns: Columns, weights: Weights, dual: Dual) -> Fleet:
    rooms = tuple(ledger.problem.rooms.values())
    return Fleet(
        ledger,
        columns,
        weights,
        dual,
        usd_p=np.array([room.usd_per_hour for room in rooms]),
        min_p=np.array([min(room.min_nodes, _most(room)) for room in rooms], dtype=np.int64),
        max_p=np.array([_most(room) for room in rooms], dtype=np.int64),
    )


def _most(room: Room) -> int:
    return max(0, min(room.max_nodes, sum(count for _, count in room.classes)))


def _best(
    problem: Problem, fleet: Fleet, prices: Prices, bound_usd: float, limits: SolveLimits, began_s: float
) -> Assessment:
    attempts = max(1, min(MOST_ATTEMPTS, NEEDS_TRIED // len(problem.needs)))
    tried = [_settled(fleet, prices, None)]
    for changed, turned in islice(_attempts(fleet, prices), attempts - 1):
        if limits.time_limit_s is not None and limits.stopwatch_s() - began_s > ATTEMPTS_SHARE * limits.time_limit_s:
            break
        tried.append(_settled(fleet, changed, turned))
    tried.sort(key=lambda one: one.usd_per_hour)
    better = improve(
        fleet,
        fleet.dual.reduced_k(prices.price_s),
        tried[0].column_d,
        tried[0].usd_per_hour - bound_usd,
        limits.after(limits.stopwatch_s() - began_s),
    )
    if better is not None:
        tried.insert(0, tried[0].taking(better))
    distinct = {one.column_d.tobytes(): one for one in tried}
    judged = (
        _packed(problem, fleet, one)
        for one in islice(distinct.values(), max(1, min(MOST_JUDGED, NEEDS_JUDGED // len(problem.needs))))
    )
    return min(judged, key=lambda one: one.rank)


def _attempts(fleet: Fleet, prices: Prices) -> Iterator[tuple[Prices, int | None]]:
    """Prices, and a pool whose nodes are made whole the way that seems dearer; the likeliest to be best comes first."""
    dearest = [int(pool) for pool in np.argsort(-fleet.usd_p, kind="stable") if fleet.usd_p[pool] > 0]
    for tremble in TREMBLES:
        for pool in dearest:
            if tremble == 0.0:
                yield prices, pool
                continue
            value_p = prices.value_p.copy()
            value_p[pool] *= 1.0 + tremble
            price_s = fleet.weights.weight_sj @ (prices.share_j * value_p[fleet.weights.pool_j])
            for turned in (None, dearest[0]):
                yield Prices(price_s, value_p, prices.share_j), turned


def _settled(fleet: Fleet, prices: Prices, turned: int | None) -> Rounding:
    rounding = Rounding(fleet, prices, fleet.weights.offered_j)
    rounding.refill()
    for pool in np.argsort(-fleet.usd_p, kind="stable"):
        if fleet.usd_p[pool] > 0:
            rounding.settle(int(pool), other_way=pool == turned)
    return rounding


def _packed(problem: Problem, fleet: Fleet, rounding: Rounding) -> Assessment:
    """The plan judged; where rows promised more than fits into nodes, what is on the last ones moves elsewhere."""
    best = assess(problem, _counts(fleet, rounding))
    for _ in range(REPACKS):
        moved = False
        for pool, name in enumerate(problem.rooms):
            rows = rounding.nodes_of(pool)
            over = best.nodes[name] - max(rows, fleet.min_p[pool])
            unseated = sum(best.packed[name].seated) < _asked(fleet, rounding, pool)
            if fleet.usd_p[pool] > 0 and (over >= 1.0 or unseated):
                moved |= rounding.empty_to(pool, max(0.0, np.ceil(rows) - max(1.0, np.floor(over))))
            elif unseated:
                moved |= rounding.empty_to(pool, rows * UNSEATED)
        if not moved:
            return best
        again = assess(problem, _counts(fleet, rounding))
        if again.rank >= best.rank:
            return best
        best = again
    return best


UNSEATED = 0.98
"""Share of its rows that a pool is counted on for next where not all found a seat."""


def _asked(fleet: Fleet, rounding: Rounding, pool: int) -> int:
    counts = _count_n(fleet, rounding)
    return int(counts[fleet.ledger.pool_n == pool].sum())


def _count_n(fleet: Fleet, rounding: Rounding) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    count_n = fleet.ledger.lower_n.copy()
    for side in range(fleet.columns.choice_kc.shape[1]):
        choice_d = fleet.columns.choice_kc[rounding.column_d, side]
        taken = choice_d != NONE
        count_n[choice_d[taken]] = fleet.columns.count_kc[rounding.column_d[taken], side]
    return count_n


def _counts(fleet: Fleet, rounding: Rounding) -> dict[VariantKey, int]:
    counted = zip(fleet.ledger.choices, _count_n(fleet, rounding).tolist(), strict=True)
    return {choice.key: count for choice, count in counted}


def _bound(ledger: Ledger, columns: Columns, dual: Dual, prices: Prices, plan: Assessment) -> float:
    if any(plan.placed[c.key] < c.lower for c in ledger.choices):
        # The bound counts on the price of all that must run.
        return 0.0
    missed_d, unprotected_d = np.zeros(len(ledger.target_d)), np.zeros(len(ledger.target_d), dtype=bool)
    if not any(plan.missed):
        return max(0.0, lower_bound(ledger, columns, dual, prices, missed_d, unprotected_d))
    needs, rooms = ledger.problem.needs, ledger.problem.rooms
    missed_d = np.array([need.missed_share(plan.placed) for need in needs])
    unprotected_d = np.array([unprotected_rps(need, rooms, plan.placed) > 0.0 for need in needs])
    # Where room is short its worth says what is missing, and nothing of what is not: list prices often say more.
    every = (prices, dual.prices(dual.start()))
    return max(0.0, *(lower_bound(ledger, columns, dual, one, missed_d, unprotected_d) for one in every))
