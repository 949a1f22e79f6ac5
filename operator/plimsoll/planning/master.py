"""Which of the columns that may be part of the best plan are? The last step of the decomposition, on few columns.

In: a plan in whole nodes, the bound, and what every column costs at the dual's prices. Out: a cheaper choice of
columns, or none. A column that costs more than its need's cheapest by more than the plan is above the bound is in no
better plan and is left out (reduced cost fixing). Where more are left than can be looked at, those stay that are next
to as cheap as the cheapest of their needs; all other needs keep what they have.

    minimise   sum_k cost_k z_k + sum_p usd_p y_p
    needs      sum_{k of d} z_k = 1                                   for every d
    rows       base_j + sum_k used_kj z_k <= y_p (in paid pools: offered_j)   for every row j of pool p
"""

import numpy as np

from plimsoll.planning.programme import Row
from plimsoll.planning.rounding import ROOM, Fleet
from plimsoll.planning.solver import SolveLimits, solve_rows
from plimsoll.planning.tables import Floats, Ints

MOST_COLUMNS = 200
"""Columns looked at beside the plan's. Guess: small fleets have fewer left; in large ones these fill the last nodes."""
LEAST_GAIN_USD = 1e-3
"""Per hour, below which a plan is no better."""
WHOLE_GAP = 1e-3
"""Share of the plan's cost that the search may leave: less than a node of most pools."""


def improve(fleet: Fleet, reduced_k: Floats, column_d: Ints, above_usd: float, limits: SolveLimits) -> Ints | None:
    """By need a column, cheaper together than `column_d` by the rows; None where none were found.

    Args:
        fleet: columns and rows.
        reduced_k: what columns cost at the dual's prices.
        column_d: the plan so far.
        above_usd: by how much that plan costs more than the bound.
        limits: when to stop.
    """
    kept_k = _kept(fleet, reduced_k, column_d, above_usd)
    if len(kept_k) == len(column_d):
        return None
    open_d = np.bincount(fleet.columns.need_k[kept_k]) > 1
    fixed_j = fleet.base_j + fleet.dual.used_kj(column_d[~open_d]).sum(axis=0)
    kept_k = kept_k[open_d[fleet.columns.need_k[kept_k]]]
    columns = len(kept_k)
    cost = np.concatenate([fleet.dual.cost_k[kept_k], fleet.usd_p])
    upper = np.concatenate([np.ones(columns), fleet.max_p]).astype(np.float64)
    start = np.concatenate([np.isin(kept_k, column_d), _nodes_p(fleet, column_d)]).astype(np.float64)
    unit = max(1.0, float(fleet.usd_p.max(initial=0.0)))
    rows = (*_needs(fleet.columns.need_k[kept_k]), *_rooms(fleet, kept_k, fixed_j))
    looked_at_usd, fixed_usd = float(cost @ start), float(fleet.dual.cost_k[column_d[~open_d]].sum())
    gap_ratio = WHOLE_GAP * (looked_at_usd + fixed_usd) / max(looked_at_usd, LEAST_GAIN_USD)
    answer = solve_rows(cost / unit, upper, rows, start, gap_ratio, limits)
    if answer.values is None or float(cost @ answer.values) >= looked_at_usd - LEAST_GAIN_USD:
        return None
    chosen_k = kept_k[np.flatnonzero(answer.values[:columns] > 0.5)]
    better_d = column_d.copy()
    better_d[fleet.columns.need_k[chosen_k]] = chosen_k
    return better_d


def _kept(fleet: Fleet, reduced_k: Floats, column_d: Ints, above_usd: float) -> Ints:
    """The plan's columns and those that may take their place."""
    least_d = np.minimum.reduceat(reduced_k, fleet.dual.first_d)
    more_k = reduced_k - least_d[fleet.columns.need_k]
    more_k[column_d] = np.inf
    kept_k = np.flatnonzero(more_k <= above_usd)
    if len(kept_k) > MOST_COLUMNS:
        kept_k = kept_k[np.argsort(more_k[kept_k], kind="stable")[:MOST_COLUMNS]]
    return np.union1d(kept_k, column_d)


def _nodes_p(fleet: Fleet, column_d: Ints) -> Floats:
    used_j = fleet.base_j + fleet.dual.used_kj(column_d).sum(axis=0)
    nodes_p = fleet.min_p.astype(np.float64)
    np.maximum.at(nodes_p, fleet.weights.pool_j, np.ceil(used_j - 1e-6))
    return np.minimum(nodes_p, fleet.max_p)


def _needs(need_k: Ints) -> list[Row]:
    starts = np.flatnonzero(np.diff(need_k, prepend=-1))
    ends = np.append(starts[1:], len(need_k))
    return [
        Row(tuple(range(start, end)), (1.0,) * (end - start), 1.0, 1.0)
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]


def _rooms(fleet: Fleet, kept_k: Ints, fixed_j: Floats) -> list[Row]:
    used_kj, rows, columns, pools = fleet.dual.used_kj(kept_k), [], len(kept_k), len(fleet.usd_p)
    for j, pool in enumerate(fleet.weights.pool_j.tolist()):
        users = np.flatnonzero(used_kj[:, j])
        paid = fleet.usd_p[pool] <= 0
        # What is fixed fits, but for rounding.
        room = float(fleet.weights.offered_j[j] + ROOM if paid else 0.0) - float(fixed_j[j])
        nodes = () if paid else (columns + pool,)
        rows.append(Row((*users.tolist(), *nodes), (*used_kj[users, j].tolist(), *(-1.0,) * len(nodes)), -np.inf, room))
    rows += [
        Row((columns + pool,), (1.0,), float(fleet.min_p[pool]), float(fleet.max_p[pool])) for pool in range(pools)
    ]
    return rows
