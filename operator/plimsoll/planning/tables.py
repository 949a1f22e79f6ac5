"""The capacity tables of all variants at once, as arrays: what counts of replicas carry, and how many carry a rate.

In: one ``CapacityTable`` a choice. Out: the same as its methods, for as many (choice, count) pairs as are asked about.
Letters: N choices, T points of a table, K questions.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plimsoll.domain import CapacityTable

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ROUNDING_RATIO = 1e-9
"""As in `CapacityTable.replicas_for`: shares below this are the rounding of floating-point numbers."""


@dataclass(frozen=True, slots=True)
class Tables:
    """Points (count, rate) of every choice, from (0, 0) on; rows that have fewer repeat their last point."""

    count_nt: Floats
    rate_nt: Floats
    each_n: Floats
    """Rate of one replica beyond the last point."""

    def total_rps(self, choice_k: Ints, count_k: Ints) -> Floats:
        """What `count_k` replicas of `choice_k` carry together."""
        count = count_k.astype(np.float64)
        if self.count_nt.shape[1] == 2:
            return self.each_n[choice_k] * count
        counts_kt, rates_kt = self.count_nt[choice_k], self.rate_nt[choice_k]
        upper = np.minimum((counts_kt < count[:, None]).sum(axis=1), counts_kt.shape[1] - 1)
        n0, n1, r0, r1 = _segment(counts_kt, rates_kt, np.maximum(upper, 1))
        inside = r0 + (r1 - r0) * (count - n0) / np.maximum(n1 - n0, 1.0)
        return np.where(count > counts_kt[:, -1], self.each_n[choice_k] * count, inside)

    def replicas_for(self, choice_k: Ints, rate_rps_k: Floats) -> Ints:
        """The fewest replicas of `choice_k` that carry `rate_rps_k`; 0 for no rate, `NEVER` where no number does."""
        each = self.each_n[choice_k]
        enough = rate_rps_k * (1.0 - ROUNDING_RATIO)
        beyond = np.ceil(np.divide(enough, each, out=np.full(len(each), float(NEVER)), where=each > 0))
        if self.count_nt.shape[1] > 2:
            counts_kt, rates_kt = self.count_nt[choice_k], self.rate_nt[choice_k]
            # The first point that carries it: tables need not rise everywhere.
            carries_kt = rates_kt >= enough[:, None]
            upper = np.maximum(np.argmax(carries_kt, axis=1), 1)
            n0, n1, r0, r1 = _segment(counts_kt, rates_kt, upper)
            rise = np.where(r1 > r0, (enough - r0) / np.where(r1 > r0, r1 - r0, 1.0), 0.0)
            beyond = np.where(carries_kt.any(axis=1), n0 + np.ceil((n1 - n0) * rise), beyond)
        return np.where(rate_rps_k <= 0, 0, np.minimum(beyond, NEVER)).astype(np.int64)


def even_count(rate_rps_k: Floats, each_rps_k: Floats) -> Ints:
    """The fewest replicas that carry a rate where each carries what the slowest does; `NEVER` where that is nothing."""
    needed = np.divide(rate_rps_k, each_rps_k, out=np.full(each_rps_k.shape, float(NEVER)), where=each_rps_k > 0)
    count: Ints = np.minimum(np.ceil(needed * (1.0 - ROUNDING_RATIO)), NEVER).astype(np.int64)
    return count


NEVER = 10**9
"""More replicas than anybody may have."""


def _segment(counts_kt: Floats, rates_kt: Floats, upper_k: Ints) -> tuple[Floats, Floats, Floats, Floats]:
    rows = np.arange(len(upper_k))
    return (
        counts_kt[rows, upper_k - 1],
        counts_kt[rows, upper_k],
        rates_kt[rows, upper_k - 1],
        rates_kt[rows, upper_k],
    )


def tables_of(capacities: Sequence[CapacityTable], usable: Sequence[bool]) -> Tables:
    """The arrays of these tables; a choice that is not usable carries nothing."""
    width = 1 + max((len(table.replicas) for table in capacities), default=1)
    if width == 2:
        count_nt = np.array([(0, table.replicas[0]) for table in capacities], dtype=np.float64).reshape(-1, 2)
        rate_nt = np.array(
            [(0.0, table.rate_rps[0] if use else 0.0) for table, use in zip(capacities, usable, strict=True)]
        ).reshape(-1, 2)
    else:
        count_nt = np.zeros((len(capacities), width))
        rate_nt = np.zeros((len(capacities), width))
        for row, (table, use) in enumerate(zip(capacities, usable, strict=True)):
            points = len(table.replicas) + 1
            count_nt[row, 1:points], count_nt[row, points:] = table.replicas, table.replicas[-1]
            if use:
                rate_nt[row, 1:points], rate_nt[row, points:] = table.rate_rps, table.rate_rps[-1]
    return Tables(count_nt, rate_nt, rate_nt[:, -1] / np.maximum(count_nt[:, -1], 1.0))
