"""From prices to whole nodes: one column a need, as many nodes a pool as are worth their price.

In: the dual's prices and columns. Out: a column for each need such that every row of every pool holds. Whoever has most
to lose chooses first. Then pool by pool, the dearest node first: either what is on the last, half empty node moves
elsewhere, or the node is filled with what saves most elsewhere, whichever is cheaper; after that its nodes count as
spent, and their room as free. Letters: D needs, K columns, S shapes, J rows, P pools.
"""

from copy import copy
from dataclasses import dataclass
from math import ceil, floor, inf

import numpy as np

from plimsoll.planning.columns import Columns
from plimsoll.planning.ledger import Bools, Ledger
from plimsoll.planning.prices import Dual, Prices
from plimsoll.planning.tables import Floats, Ints
from plimsoll.planning.weights import Weights

ROOM = 1e-7
"""Rounding allowed in rows, as a share of a node."""
MOST_MOVES = 64
"""Moves that empty or fill one pool's last node: more replicas than a node holds of any size that matters."""
WORTH = 1e-3
"""Share of its price by which a node must be worth more to be filled with what saves less than it seemed to."""
MOST_LOOKED_AT = 400
"""The best moves by price, of which the first that fits is taken."""


@dataclass(frozen=True, slots=True)
class Fleet:
    """What stays the same while a plan is being rounded."""

    ledger: Ledger
    columns: Columns
    weights: Weights
    dual: Dual
    usd_p: Floats
    min_p: Ints
    max_p: Ints

    @property
    def base_j(self) -> Floats:
        used: Floats = self.dual.base_s @ self.weights.weight_sj
        return used


class Rounding:
    """One attempt: the column of each need and what is left of each row; `limit_j` says what rows may take."""

    def __init__(self, fleet: Fleet, prices: Prices, limit_j: Floats) -> None:
        self._fleet = fleet
        self._prices = prices
        self._limit_j = limit_j.copy()
        self._spent_p = fleet.usd_p <= 0
        self.column_d: Ints = np.zeros(len(fleet.dual.first_d), dtype=np.int64)
        self._used_j = fleet.base_j
        self._choose()

    def _choose(self) -> None:
        """Everybody's cheapest column that still fits, in the order of what the second best costs more."""
        dual = self._fleet.dual
        reduced_k = dual.reduced_k(self._prices.price_s)
        need_k, first_d = self._fleet.columns.need_k, dual.first_d
        order_k = np.lexsort((reduced_k, need_k))
        end_d = np.append(first_d[1:], len(reduced_k))
        self.column_d = order_k[first_d]
        second_d = order_k[np.minimum(first_d + 1, end_d - 1)]
        regret_d = np.where(end_d - first_d > 1, reduced_k[second_d] - reduced_k[self.column_d], inf)
        turn_d = np.argsort(-regret_d, kind="stable")
        taken_dj = np.cumsum(self._fleet.dual.used_kj(self.column_d[turn_d]), axis=0) + self._used_j
        over_d = (taken_dj > self._limit_j + ROOM).any(axis=1)
        fitting = int(np.argmax(over_d)) if over_d.any() else len(turn_d)
        if fitting:
            self._used_j = taken_dj[fitting - 1]
        for need in turn_d[fitting:]:
            self._take_first_that_fits(need, order_k[first_d[need] : end_d[need]])

    def _take_first_that_fits(self, need: int, column_k: Ints) -> None:
        used_kj = self._fleet.dual.used_kj(column_k)
        fits_k = (self._used_j + used_kj <= self._limit_j + ROOM).all(axis=1)
        # Where nothing fits, that which leaves it uncovered does, or takes nothing that could be left out.
        best = int(np.argmax(fits_k)) if fits_k.any() else int(np.argmin(used_kj.sum(axis=1)))
        self.column_d[need] = column_k[best]
        self._used_j = self._used_j + used_kj[best]

    @property
    def usd_per_hour(self) -> float:
        """What whole nodes cost by their rows, with all charges."""
        fleet = self._fleet
        nodes_p = [max(ceil(self.nodes_of(pool) - ROOM), int(low)) for pool, low in enumerate(fleet.min_p)]
        return float(fleet.usd_p @ nodes_p + fleet.dual.cost_k[self.column_d].sum())

    def nodes_of(self, pool: int) -> float:
        """Nodes that a pool needs by its rows, not yet whole."""
        own = self._rows(pool)
        return float(self._used_j[own].max(initial=0.0))

    def settle(self, pool: int, *, other_way: bool = False) -> None:
        """Makes the pool's nodes whole, the cheaper way or the other one, and counts them as spent from here on."""
        fleet = self._fleet
        nodes, own = self.nodes_of(pool), self._rows(pool)
        self._spent_p = self._spent_p.copy()
        self._spent_p[pool] = True
        up = max(ceil(nodes - ROOM), int(fleet.min_p[pool]))
        down = max(floor(nodes + ROOM), int(fleet.min_p[pool]))
        before = (self.column_d.copy(), self._used_j.copy())
        self._limit_j[own] = up
        gained = self._fill(pool)
        if down == up:
            return
        filled = (self.column_d, self._used_j)
        self.column_d, self._used_j = before
        lost = self._empty(pool, down)
        if lost < inf and (lost < fleet.usd_p[pool] * (up - down) - gained) != other_way:
            self._limit_j[own] = down
        else:
            self.column_d, self._used_j = filled

    def empty_to(self, pool: int, nodes: float) -> bool:
        """Takes so much out of a pool that its rows need no more than so many nodes; False where that cannot be."""
        before = (self.column_d.copy(), self._used_j.copy())
        lost = self._empty(pool, nodes)
        if lost == inf:
            self.column_d, self._used_j = before
            return False
        own = self._rows(pool)
        self._limit_j[own] = np.minimum(self._limit_j[own], nodes)
        return True

    def _rows(self, pool: int) -> slice:
        starts_p = self._fleet.dual.starts_p
        return slice(int(starts_p[pool]), int(starts_p[pool + 1]))

    def _reduced_k(self, value_p: Floats) -> Floats:
        """What columns cost while spent nodes are free; where paid and capped pools are short, their worth counts."""
        fleet = self._fleet
        free_p = self._spent_p & (fleet.usd_p > 0)
        value_p = np.where(free_p, np.maximum(0.0, value_p - fleet.usd_p), value_p)
        price_s = fleet.weights.weight_sj @ (self._prices.share_j * value_p[fleet.weights.pool_j])
        return fleet.dual.reduced_k(price_s)

    def _empty(self, pool: int, nodes: float) -> float:
        """What it costs to need no more than so many nodes; infinite where it cannot be."""
        own, lost = self._rows(pool), 0.0
        reduced_k = self._reduced_k(self._prices.value_p)
        for _ in range(MOST_MOVES):
            over_j = self._used_j[own] - nodes
            if over_j.max(initial=0.0) <= ROOM:
                return lost
            worst = own.start + int(np.argmax(over_j))
            move = self._best_move(reduced_k, worst, float(over_j.max()), pool)
            if move is None:
                return inf
            need, column, usd = move
            self._move(need, column)
            lost += usd
        return inf

    def _best_move(self, reduced_k: Floats, row: int, over: float, pool: int) -> tuple[int, int, float] | None:
        """The need that leaves room in a row for least, the column it takes then, and what that costs."""
        fleet, dual = self._fleet, self._fleet.dual
        weight_s = fleet.weights.weight_sj[:, row]
        used_k = dual.used_of(weight_s)
        need_k = fleet.columns.need_k
        relief_k = used_k[self.column_d][need_k] - used_k
        able_k = np.flatnonzero(relief_k > ROOM)
        if not len(able_k):
            return None
        usd_k = reduced_k[able_k] - reduced_k[self.column_d][need_k[able_k]]
        order = np.argsort(usd_k / np.minimum(relief_k[able_k], over), kind="stable")
        own = self._rows(pool)
        found = self._first_that_fits(able_k[order[:MOST_LOOKED_AT]], own)
        if found is None:
            return None
        need = int(need_k[found])
        return need, found, float(reduced_k[found] - reduced_k[self.column_d[need]])

    def taking(self, column_d: Ints) -> "Rounding":
        """The same with these columns, which the rows are known to have room for."""
        other = copy(self)
        other._limit_j = self._limit_j.copy()
        other.column_d = column_d.copy()
        other._used_j = self._fleet.base_j + self._fleet.dual.used_kj(column_d).sum(axis=0)
        return other

    def refill(self) -> None:
        """Fills pools that are worth more than their price as far as they go: what others left of them is cheap."""
        fleet = self._fleet
        worth_p = self._prices.value_p - fleet.usd_p
        for pool in np.argsort(-worth_p, kind="stable"):
            if worth_p[pool] > WORTH * max(1.0, fleet.usd_p[pool]):
                self._fill(int(pool))

    def _fill(self, pool: int) -> float:
        """What is saved by filling up a pool to its limit, at its own price and what room in the others is worth."""
        fleet, own, gained = self._fleet, self._rows(pool), 0.0
        if own.start == own.stop:
            return gained
        used_k = fleet.dual.used_of(fleet.weights.weight_sj[:, own].max(axis=1))
        need_k = fleet.columns.need_k
        usd_p = np.where(np.arange(len(fleet.usd_p)) == pool, fleet.usd_p, self._prices.value_p)
        reduced_k = self._reduced_k(usd_p)
        for _ in range(MOST_MOVES):
            if (self._limit_j[own] - self._used_j[own]).min() <= ROOM:
                break
            more_k = used_k - used_k[self.column_d][need_k]
            saved_k = reduced_k[self.column_d][need_k] - reduced_k
            able_k = np.flatnonzero((more_k > ROOM) & (saved_k > ROOM))
            if not len(able_k):
                break
            best_k = able_k[np.argsort(-saved_k[able_k] / more_k[able_k], kind="stable")]
            taken_k = self._all_that_fit(_first_of_each(best_k, need_k))
            if not len(taken_k):
                break
            gained += float(saved_k[taken_k].sum())
        return gained

    def _all_that_fit(self, column_k: Ints) -> Ints:
        """Gives needs these columns, one after the other, until one does not fit; or the first that does fit."""
        need_k = self._fleet.columns.need_k[column_k]
        change_kj = self._fleet.dual.used_kj(column_k) - self._fleet.dual.used_kj(self.column_d[need_k])
        # What is given back is not counted on by the next, so that all of it holds in any order.
        taken_kj = np.cumsum(np.maximum(change_kj, 0.0), axis=0)
        fits_k = (taken_kj <= np.maximum(self._limit_j - self._used_j, 0.0) + ROOM).all(axis=1)
        count = len(column_k) if fits_k.all() else int(np.argmin(fits_k))
        if count == 0:
            found = self._first_that_fits(column_k[:MOST_LOOKED_AT], None)
            if found is None:
                return column_k[:0]
            self._move(int(self._fleet.columns.need_k[found]), found)
            return np.array([found])
        self._used_j = self._used_j + change_kj[:count].sum(axis=0)
        self.column_d[need_k[:count]] = column_k[:count]
        return column_k[:count]

    def _first_that_fits(self, column_k: Ints, but: slice | None) -> int | None:
        """The first column that the rows have room for, if it takes the place of its need's; not looking at `but`."""
        need_k = self._fleet.columns.need_k[column_k]
        change_kj = self._fleet.dual.used_kj(column_k) - self._fleet.dual.used_kj(self.column_d[need_k])
        room_j = self._limit_j - self._used_j
        # Who makes nothing worse may move even where a row is over already.
        fits_kj: Bools = (change_kj <= room_j + ROOM) | (change_kj <= ROOM)
        if but is not None:
            fits_kj[:, but] = change_kj[:, but] <= ROOM
        fits_k = fits_kj.all(axis=1)
        return int(column_k[int(np.argmax(fits_k))]) if fits_k.any() else None

    def _move(self, need: int, column: int) -> None:
        change_kj = self._fleet.dual.used_kj(np.array([column, self.column_d[need]]))
        self._used_j = self._used_j + change_kj[0] - change_kj[1]
        self.column_d[need] = column


def _first_of_each(column_k: Ints, need_k: Ints) -> Ints:
    """Of several columns of one need the first, in the order given."""
    _, first = np.unique(need_k[column_k], return_index=True)
    return column_k[np.sort(first)]
