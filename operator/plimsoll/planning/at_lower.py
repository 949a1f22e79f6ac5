"""What the lower bounds of a deployment's choices carry before anything is decided, and what is asked for beyond.

In: a ``Ledger``. Out: an ``AtLower``, from which columns are counted. Letters: D needs, N choices.
"""

from dataclasses import dataclass

import numpy as np

from plimsoll.planning.ledger import Ledger
from plimsoll.planning.tables import Floats, Ints


@dataclass(frozen=True, slots=True)
class AtLower:
    """What the lower bounds carry, and what is asked for beyond."""

    total_n: Floats
    """By choice: what its lower bound carries."""
    total_d: Floats
    count_d: Ints
    """Replicas that take their share where shares are even."""
    even_each_d: Floats
    """There, the rate of the slowest that runs in any case; infinite where none does."""
    left_base_n: Floats
    """By choice of a spot pool: what the lower bounds of other pools' choices carry."""
    guard_n: Floats
    """By choice: what must be carried beyond the lower bounds outside another pool that is used in any case."""


def at_lower(ledger: Ledger) -> AtLower:
    """The arrays of a ledger."""
    size, every = len(ledger.target_d), np.arange(len(ledger.choices))
    total_n = ledger.tables.total_rps(every, ledger.lower_n)
    carries = (ledger.rate_n > 0) & (ledger.lower_n > 0)
    even_each_d = np.full(size, np.inf)
    np.minimum.at(even_each_d, ledger.need_n[carries], ledger.tables.each_n[carries])
    count_d = np.bincount(ledger.need_n, np.where(carries, ledger.lower_n, 0), size).astype(np.int64)
    sum_d = np.bincount(ledger.need_n, total_n, size)
    total_d = np.where(ledger.even_d, np.where(count_d > 0, even_each_d, 0.0) * count_d, sum_d)
    left_base_n = _left_base(ledger, total_n)
    guard_n = _guard(ledger, left_base_n)
    return AtLower(total_n, total_d, count_d, even_each_d, left_base_n, guard_n)


def _left_base(ledger: Ledger, total_n: Floats) -> Floats:
    """By choice of a spot pool, what the lower bounds of other pools' choices carry."""
    left_base_n = np.zeros(len(total_n))
    for pool in ledger.spot_pools:
        in_pool = ledger.pool_n == pool
        others_d = np.bincount(ledger.need_n[~in_pool], total_n[~in_pool], len(ledger.target_d))
        left_base_n[in_pool] = others_d[ledger.need_n[in_pool]]
    return left_base_n


def _guard(ledger: Ledger, left_base_n: Floats) -> Floats:
    guard_n = np.zeros(len(left_base_n))
    asked_n = np.where(ledger.lower_n > 0, ledger.left_n - left_base_n, 0.0)
    for pool in ledger.spot_pools:
        asked_d = np.zeros(len(ledger.target_d))
        in_pool = ledger.pool_n == pool
        np.maximum.at(asked_d, ledger.need_n[in_pool], asked_n[in_pool])
        guard_n = np.maximum(guard_n, np.where(in_pool, 0.0, asked_d[ledger.need_n]))
    return guard_n
