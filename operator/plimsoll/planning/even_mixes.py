"""What do mixes cost at least whose replicas all get equal shares, and of which enough must survive a spot loss?

In: a ``Ledger``, what one more replica costs, and needs to look at. Out: by need what the cheapest mix of two to four
variants costs, upper bounds left out where something must survive; and counts that are as cheap, upper bounds kept.
Budgets are left out, and nothing runs in any case. Letters: D needs, N choices, G groups of variants, C choices of a
group.

A group counts for its slowest variant, so N replicas in all are enough, and when spot pool p is lost the K_p that the
slowest of the others needs must be left. Of N replicas, one of each variant at least, the cheapest come first, at most
N - K_p of pool p: what that costs is convex in N, so that its least lies where one more begins to cost more.
"""

from dataclasses import dataclass

import numpy as np

from plimsoll.planning.counted_mixes import COUNTED, groups_of
from plimsoll.planning.ledger import Bools, Ledger
from plimsoll.planning.tables import NEVER, Floats, Ints, even_count


def least_of_even_mixes(ledger: Ledger, alone_n: Ints, usd_n: Floats, wanted_d: Bools) -> Floats:
    """By need what its cheapest mix costs; infinite where it is not wanted, or has none.

    Args:
        ledger: the problem; what its needs run in any case is not looked at.
        alone_n: the counts that choices need alone.
        usd_n: US dollars per hour of one replica more, at least 0.
        wanted_d: needs to look at.
    """
    least_d = np.full(len(wanted_d), np.inf)
    for size in COUNTED:
        group_gc = groups_of(ledger, alone_n, wanted_d[ledger.need_n], size)
        if len(group_gc):
            groups = _groups(ledger, usd_n, group_gc)
            np.minimum.at(least_d, ledger.need_n[group_gc[:, 0]], groups.usd(groups.least_total()))
    return least_d


def cheapest_even_mixes(ledger: Ledger, alone_n: Ints, usd_n: Floats, wanted_d: Bools, size: int) -> tuple[Ints, Ints]:
    """Choices and counts of the cheapest mix of each group of so many variants, for needs that are wanted.

    Args:
        ledger: the problem; what its needs run in any case is not looked at.
        alone_n: the counts that choices need alone.
        usd_n: US dollars per hour of one replica more, at least 0.
        wanted_d: needs to look at.
        size: from two to four.
    """
    groups = _groups(ledger, usd_n, groups_of(ledger, alone_n, wanted_d[ledger.need_n], size))
    total_g = groups.least_total()
    counts_gc = groups.counts(total_g, capped=True)
    found = (counts_gc.sum(axis=1) >= total_g) & (total_g < NEVER)
    return groups.choice_gc[found], counts_gc[found].astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Groups:
    """Groups of variants, each the cheapest replica first."""

    choice_gc: Ints
    usd_gc: Floats
    pool_gc: Ints
    most_gc: Ints
    """Upper bounds."""
    left_gc: Ints
    """Replicas that must be left when the pool of this variant is lost; 0 where it is no spot pool."""
    fewest_g: Ints
    """Replicas in all that carry what is asked for."""

    def least_total(self) -> Ints:
        """As many replicas in all as cost least; `NEVER` where no number does."""
        low_g = self._feasible()
        high_g = np.where(low_g < NEVER, low_g + self.left_gc.sum(axis=1) + self.usd_gc.shape[1], low_g)
        while (low_g < high_g).any():
            middle_g = (low_g + high_g) // 2
            rises_g = self.usd(middle_g + 1) >= self.usd(middle_g)
            low_g = np.where(rises_g, low_g, np.minimum(middle_g + 1, high_g))
            high_g = np.where(rises_g, middle_g, high_g)
        return low_g

    def _feasible(self) -> Ints:
        """The fewest replicas of which enough can be left, whichever pool is lost; `NEVER` where that cannot be."""
        size = self.usd_gc.shape[1]
        alike_gcc = self.pool_gc[:, :, None] == self.pool_gc[:, None, :]
        inside_gc = alike_gcc.sum(axis=2)
        first_gc = np.argmax(alike_gcc, axis=2) == np.arange(size)
        risky_gc = self.left_gc > 0
        each_g = np.max(np.where(risky_gc, self.left_gc + inside_gc, 0), axis=1)
        lost_g, left_g = (first_gc & risky_gc).sum(axis=1), np.where(first_gc, self.left_gc, 0).sum(axis=1)
        # Where every variant may be lost, what their pools may hold must come to all that there are.
        together_g = np.where(lost_g > 1, -(-left_g // np.maximum(1, lost_g - 1)), np.where(lost_g == 1, NEVER, 0))
        together_g = np.where(risky_gc.all(axis=1), together_g, 0)
        least_g: Ints = np.maximum(np.maximum(self.fewest_g, size), np.maximum(each_g, together_g))
        return least_g

    def usd(self, total_g: Ints) -> Floats:
        """What so many cost; infinite where they cannot be."""
        counts_gc = self.counts(total_g)
        fits_g = (counts_gc.sum(axis=1) >= total_g) & (total_g < NEVER)
        return np.where(fits_g, (counts_gc * self.usd_gc).sum(axis=1), np.inf)

    def counts(self, total_g: Ints, *, capped: bool = False) -> Floats:
        """The cheapest counts of so many, or as many of them as can be; upper bounds count where nothing need survive,
        and everywhere if `capped`."""
        size, rest_g = self.usd_gc.shape[1], (total_g - self.usd_gc.shape[1]).astype(np.float64)
        more_gc, at_risk_g = np.zeros_like(self.usd_gc), (self.left_gc > 0).any(axis=1)
        for c in range(size):
            inside_gc = self.pool_gc == self.pool_gc[:, [c]]
            taken_g = (inside_gc * (1.0 + more_gc * (np.arange(size) < c))).sum(axis=1)
            room_g = np.where(self.left_gc[:, c] > 0, total_g - self.left_gc[:, c] - taken_g, np.inf)
            most_g = np.where(at_risk_g & (not capped), np.inf, self.most_gc[:, c] - 1.0)
            room_g = np.minimum(room_g, most_g)
            more_gc[:, c] = np.clip(np.minimum(rest_g, room_g), 0.0, None)
            rest_g = rest_g - more_gc[:, c]
        counts_gc: Floats = 1.0 + more_gc
        return counts_gc


def _groups(ledger: Ledger, usd_n: Floats, group_gc: Ints) -> _Groups:
    order_gc = np.argsort(usd_n[group_gc], axis=1, kind="stable")
    group_gc = np.take_along_axis(group_gc, order_gc, axis=1)
    each_gc, pool_gc = ledger.tables.each_n[group_gc], ledger.pool_n[group_gc]
    apart_gcc = pool_gc[:, :, None] != pool_gc[:, None, :]
    slowest_left_gc = np.where(apart_gcc, each_gc[:, None, :], np.inf).min(axis=2)
    left_rps_gc = ledger.left_n[group_gc]
    left_gc = np.where(left_rps_gc > 0, even_count(left_rps_gc, slowest_left_gc), 0)
    # A group of one pool leaves nothing of what must be left.
    left_gc = np.where((left_rps_gc > 0) & np.isinf(slowest_left_gc), NEVER, left_gc)
    target_g = ledger.target_d[ledger.need_n[group_gc[:, 0]]]
    return _Groups(
        group_gc, usd_n[group_gc], pool_gc, ledger.upper_n[group_gc], left_gc, even_count(target_g, each_gc.min(axis=1))
    )
