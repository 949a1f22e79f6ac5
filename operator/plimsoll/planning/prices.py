"""What is room in each pool worth, and what can no plan cost less than? The Lagrangian dual.

In: the columns of all needs, and the rows of all pools. Out: ``Prices``: one for each shape of replica in each pool,
and a lower bound on the cost of any plan in whole nodes. Letters: D needs, K columns, S shapes, J rows, P pools.

    maximise over v, m    sum_d min_{k of d} [cost_k + penalty missed_k + sum_s price_s x_ks]
                        + sum_s price_s base_s  +  sum_p room_p
    price_s = v_p sum_j share_pj weight_sj,   share_p = softmax(m_p)
    room_p  = min over y_p nodes of (usd_p - v_p) y_p = min_nodes max(0, usd_p - v_p) - max_nodes max(0, v_p - usd_p),
              in paid pools - v_p sum_j share_pj offered_j

v_p is what a node of pool p is worth. The minimum over columns is smoothed (Nesterov, Smooth minimization of non-smooth
functions, 2005), less and less, so that a quasi-Newton method climbs; the bound is taken without smoothing.
"""

from dataclasses import dataclass

import numpy as np

from plimsoll.planning.ascent import climb
from plimsoll.planning.columns import NONE, Columns
from plimsoll.planning.ledger import Ledger
from plimsoll.planning.tables import Floats, Ints
from plimsoll.planning.weights import Weights

SMOOTHING = (0.05, 0.01, 0.003)
"""Shares of what a need costs within which columns count as alike, stage by stage. Guess: less is hardly smooth."""
MOST_STEPS = 25
"""Steps of each stage."""
LEAST_GAIN = 1e-6
"""Share of the bound; smaller gains end a stage."""
MOST_TILT = 12.0
"""Beyond it a row of a pool counts for nothing beside another."""
MOST_WORTH = 100.0
"""Times its listed price that a node may be worth more: what is uncovered costs more than any room."""
_LEAST = 1e-9


@dataclass(frozen=True, slots=True)
class Prices:
    """Worth of room in US dollars per hour."""

    price_s: Floats
    """Of one replica, by shape."""
    value_p: Floats
    """Of one node, by pool."""
    share_j: Floats
    """What part of a node's worth each row of its pool has."""


class Dual:
    """The dual function of one fleet; keeps what does not change from step to step."""

    def __init__(self, ledger: Ledger, columns: Columns, weights: Weights, penalty_d: Floats) -> None:
        rooms = list(ledger.problem.rooms.values())
        self._weights = weights
        self._usd_p = np.array([room.usd_per_hour for room in rooms])
        self._list_p = np.array([room.list_usd_per_hour or 1.0 for room in rooms])
        self._min_p = np.array(
            [min(room.min_nodes, max(0, room.max_nodes), sum(n for _, n in room.classes)) for room in rooms],
            dtype=np.float64,
        )
        self._max_p = np.array([max(0, room.max_nodes) for room in rooms], dtype=np.float64)
        self._paid_p = self._usd_p <= 0
        self._shapes, self._pools = len(ledger.shapes), len(rooms)
        self.base_s: Floats = np.bincount(ledger.shape_n, ledger.lower_n, self._shapes).astype(np.float64)
        self._base_usd = columns.base_usd_per_hour
        self.first_d = columns.first_d
        self._need_k = columns.need_k
        self.cost_k = columns.cost_k + penalty_d[columns.need_k] * columns.missed_k
        self._shape_kc = np.where(columns.choice_kc == NONE, self._shapes, ledger.shape_n[columns.choice_kc])
        self._extra_kc = columns.extra_kc(ledger).astype(np.float64)
        self._weight_sj = np.vstack([weights.weight_sj, np.zeros(len(weights.pool_j))])
        self.starts_p = np.searchsorted(weights.pool_j, np.arange(self._pools + 1))

    @property
    def size(self) -> int:
        """Numbers that a point has: the mix of every row, and by pool how much a node is worth above and below it."""
        return len(self._weights.pool_j) + 2 * self._pools

    def start(self) -> Floats:
        """Every node is worth its price, paid ones a little, every row counts alike."""
        return np.zeros(self.size)

    def limits(self) -> tuple[Floats, Floats]:
        """Bounds of every number of a point: mixes, then above and below its price in units of the listed price."""
        rows, below = len(self._weights.pool_j), ~self._paid_p & (self._min_p > 0)
        lower = np.concatenate([np.full(rows, -MOST_TILT), np.zeros(2 * self._pools)])
        upper = np.concatenate([np.full(rows, MOST_TILT), np.full(self._pools, MOST_WORTH), below.astype(np.float64)])
        return lower, upper

    def prices(self, point: Floats) -> Prices:
        """The prices that a point stands for."""
        rows = len(self._weights.pool_j)
        share_j = np.zeros(rows)
        for p in range(self._pools):
            own = slice(self.starts_p[p], self.starts_p[p + 1])
            if own.start < own.stop:
                grown = np.exp(point[own] - point[own].max())
                share_j[own] = grown / grown.sum()
        above, below = point[rows : rows + self._pools], point[rows + self._pools :]
        value_p = self._usd_p + self._list_p * (above - below)
        price_s = self._weights.weight_sj @ (share_j * value_p[self._weights.pool_j])
        return Prices(price_s, value_p, share_j)

    def reduced_k(self, price_s: Floats) -> Floats:
        """What every column costs at these prices."""
        price = np.append(price_s, 0.0)
        reduced: Floats = self.cost_k + price[self._shape_kc[:, 0]] * self._extra_kc[:, 0]
        for side in range(1, self._shape_kc.shape[1]):
            reduced += price[self._shape_kc[:, side]] * self._extra_kc[:, side]
        return reduced

    def used_kj(self, column_k: Ints) -> Floats:
        """What columns take of every row, beyond the lower bounds."""
        shape_kc, extra_kc = self._shape_kc[column_k], self._extra_kc[column_k]
        used: Floats = self._weight_sj[shape_kc[:, 0]] * extra_kc[:, :1]
        for side in range(1, shape_kc.shape[1]):
            more = np.flatnonzero(extra_kc[:, side])
            used[more] += self._weight_sj[shape_kc[more, side]] * extra_kc[more, side : side + 1]
        return used

    def used_of(self, weight_s: Floats) -> Floats:
        """What every column takes of one row."""
        weight = np.append(weight_s, 0.0)
        used: Floats = (weight[self._shape_kc] * self._extra_kc).sum(axis=1)
        return used

    def room_usd(self, prices: Prices) -> float:
        """The least that nodes cost beyond what they are worth."""
        value_p, share_j = prices.value_p, prices.share_j
        over_p = value_p - self._usd_p
        priced = np.where(over_p > 0, -over_p * self._max_p, -over_p * self._min_p)
        paid = -np.bincount(
            self._weights.pool_j, share_j * value_p[self._weights.pool_j] * self._weights.offered_j, self._pools
        )
        return float(np.where(self._paid_p, paid, priced).sum())

    def value(self, point: Floats) -> float:
        """The bound at a point, columns as listed."""
        prices = self.prices(point)
        return self.total(prices, np.minimum.reduceat(self.reduced_k(prices.price_s), self.first_d))

    def total(self, prices: Prices, least_d: Floats) -> float:
        """The bound, if no need costs less than so much beyond its lower bounds."""
        return float(least_d.sum() + prices.price_s @ self.base_s + self._base_usd) + self.room_usd(prices)

    def smooth(self, point: Floats, scale_d: Floats) -> tuple[float, Floats]:
        """The smoothed dual and its slope."""
        prices = self.prices(point)
        reduced = self.reduced_k(prices.price_s)
        least_d = np.minimum.reduceat(reduced, self.first_d)
        grown = np.exp((least_d[self._need_k] - reduced) / scale_d[self._need_k])
        sum_d = np.add.reduceat(grown, self.first_d)
        likely_k = grown / sum_d[self._need_k]
        used_s = np.bincount(self._shape_kc.ravel(), (self._extra_kc * likely_k[:, None]).ravel(), self._shapes + 1)[
            : self._shapes
        ]
        total = self.total(prices, least_d - scale_d * np.log(sum_d))
        return total, self._slope(used_s + self.base_s, prices)

    def _slope(self, used_s: Floats, prices: Prices) -> Floats:
        value_p, share_j = prices.value_p, prices.share_j
        pool_j = self._weights.pool_j
        used_j = used_s @ self._weights.weight_sj - np.where(self._paid_p[pool_j], self._weights.offered_j, 0.0)
        mean_p = np.bincount(pool_j, share_j * used_j, self._pools)
        mix = value_p[pool_j] * share_j * (used_j - mean_p[pool_j])
        above = self._list_p * (mean_p - np.where(self._paid_p, 0.0, self._max_p))
        below = -self._list_p * (mean_p - np.where(self._paid_p, 0.0, self._min_p))
        return np.concatenate([mix, above, below])


def find_prices(dual: Dual) -> tuple[Floats, float]:
    """The point of the best bound found, and the bound over the columns as listed."""
    best = point = dual.start()
    best_value = dual.value(point)
    lower, upper = dual.limits()
    for smoothing in SMOOTHING:
        least_d = np.minimum.reduceat(dual.reduced_k(dual.prices(point).price_s), dual.first_d)
        scale_d = smoothing * np.maximum(least_d, _LEAST + 0.1 * float(least_d.mean()))
        unit = max(1.0, abs(best_value))

        def climbed(at: Floats, scale_d: Floats = scale_d, unit: float = unit) -> tuple[float, Floats]:
            total, slope = dual.smooth(at, scale_d)
            return total / unit, slope / unit

        point = climb(climbed, point, lower, upper, MOST_STEPS, LEAST_GAIN)
        value = dual.value(point)
        if value > best_value:
            best, best_value = point, value
    return best, best_value
