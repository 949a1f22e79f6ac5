"""What do mixes of two to four variants cost at least, each of them looked at?

In: a ``Ledger``, what one more replica costs, and needs to look at. Out: by need the cheapest mix that covers it and
leaves enough when a spot pool is lost; budgets left out. Used where a relaxation says too little.
Letters: D needs, N choices, M mixes.
"""

import numpy as np

from plimsoll.planning.couples import couples
from plimsoll.planning.ledger import Bools, Ledger
from plimsoll.planning.room import SLACK_RATIO
from plimsoll.planning.tables import Floats, Ints

COUNTED = (2, 3, 4)
"""Variants of the mixes that are looked at."""
MOST_MIXES = 30_000
"""Counts of one need that are looked at, of each group of variants. Guess: a need of more replicas is close
to its relaxation."""


def least_of_mixes(
    ledger: Ledger, alone_n: Ints, usd_n: Floats, usable_n: Bools, wanted_d: Bools
) -> tuple[Bools, Floats]:
    """By need, whether all its mixes of two to four were looked at, and what the cheapest costs.

    Args:
        ledger: the problem.
        alone_n: the counts that choices need alone.
        usd_n: US dollars per hour of one replica more.
        usable_n: choices that may be part of a mix.
        wanted_d: needs to look at; others are not counted.
    """
    least_d, counted_d = np.full(len(wanted_d), np.inf), wanted_d.copy()
    every = [groups_of(ledger, alone_n, usable_n & wanted_d[ledger.need_n], size) for size in COUNTED]
    for group_gc in every:
        many = _splits(ledger, alone_n, group_gc) > MOST_MIXES
        counted_d[ledger.need_n[group_gc[many, 0]]] = False
    for group_gc in every:
        kept_gc = group_gc[counted_d[ledger.need_n[group_gc[:, 0]]]]
        choice_mc, count_mc = smallest_mixes(ledger, alone_n, kept_gc)
        usd_m = (usd_n[choice_mc] * (count_mc - ledger.lower_n[choice_mc])).sum(axis=1)
        np.minimum.at(least_d, ledger.need_n[choice_mc[:, 0]], usd_m)
    return counted_d, least_d


def groups_of(ledger: Ledger, alone_n: Ints, usable_n: Bools, size: int) -> Ints:
    """All groups of so many usable choices of one need, those that take few replicas alone first."""
    choice = np.flatnonzero(usable_n & (alone_n > 0))
    choice = choice[np.lexsort((alone_n[choice], ledger.need_n[choice]))]
    group_gc, key_g = choice[:, None], ledger.need_n[choice]
    for _ in range(size - 1):
        # Two groups that differ in their last choice alone make one that is larger by one.
        left, right = couples(key_g)
        order = np.lexsort((right, left))
        left, right = left[order], right[order]
        group_gc, key_g = np.column_stack([group_gc[left], group_gc[right, -1]]), left
    return group_gc


def _most(ledger: Ledger, alone_n: Ints) -> Ints:
    """Replicas beyond the lower bound up to which a choice is part of a mix; all it needs where others protect it."""
    most_n: Ints = np.minimum(alone_n - (ledger.left_n <= 0), ledger.upper_n) - ledger.lower_n
    return np.maximum(0, most_n).astype(np.int64)


def _splits(ledger: Ledger, alone_n: Ints, group_gc: Ints) -> Ints:
    splits: Ints = np.prod(_most(ledger, alone_n)[group_gc[:, :-1]], axis=1).astype(np.int64)
    return splits


def small_groups(ledger: Ledger, alone_n: Ints, group_gc: Ints, most: int) -> Ints:
    """The groups with at most so many mixes."""
    return group_gc[_splits(ledger, alone_n, group_gc) <= most]


def smallest_mixes(ledger: Ledger, alone_n: Ints, group_gc: Ints) -> tuple[Ints, Ints]:
    """All smallest counts of these groups that cover their needs: choices and counts; the last takes what is left."""
    *counted, last = group_gc.T
    most_n = _most(ledger, alone_n)
    sizes = [most_n[choice] for choice in counted]
    total = np.prod(sizes, axis=0)
    row = np.repeat(np.arange(len(group_gc)), total)
    place = np.arange(len(row)) - np.repeat(np.cumsum(total) - total, total)
    base_n = ledger.tables.total_rps(np.arange(len(most_n)), ledger.lower_n)
    need, last = ledger.need_n[last[row]], last[row]
    beside = np.bincount(ledger.need_n, base_n, len(ledger.target_d))[need]
    carried, counts = list[Floats](), list[Ints]()
    for choice, size in zip(counted, sizes, strict=True):
        counts.append(ledger.lower_n[choice[row]] + place % np.maximum(1, size[row]) + 1)
        place = place // np.maximum(1, size[row])
        carried.append(ledger.tables.total_rps(choice[row], counts[-1]) - base_n[choice[row]])
    together = np.sum(carried, axis=0) + beside
    rest = ledger.target_d[need] - together
    for choice, own in zip(counted, carried, strict=True):
        # When the pool of this one is lost, what is left must do; the lower bounds count as if they were left.
        rest = np.maximum(rest, ledger.left_n[choice[row]] - (together - own))
    counts.append(ledger.tables.replicas_for(last, rest + base_n[last]))
    fine = (together >= ledger.left_n[last] * (1.0 - SLACK_RATIO)) & (counts[-1] > ledger.lower_n[last])
    fine &= counts[-1] <= ledger.upper_n[last]
    return group_gc[row][fine], np.column_stack(counts)[fine]
