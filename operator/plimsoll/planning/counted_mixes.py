"""What do mixes of two and three variants cost at least, each of them looked at?

In: a ``Ledger``, what one more replica costs, and needs to look at. Out: by need the cheapest mix that covers it and
leaves enough when a spot pool is lost; upper bounds and budgets left out. Used where a relaxation says too little.
Letters: D needs, N choices, M mixes.
"""

import numpy as np

from plimsoll.planning.columns import Columns, couples
from plimsoll.planning.ledger import Bools, Ledger
from plimsoll.planning.room import SLACK_RATIO
from plimsoll.planning.tables import Floats, Ints

MOST_MIXES = 10_000
"""Counts of one need that are looked at, of each two or three variants. Measured: beyond it the relaxation is within a
hundredth of what such a need costs."""


def least_of_mixes(
    ledger: Ledger, columns: Columns, usd_n: Floats, usable_n: Bools, wanted_d: Bools
) -> tuple[Bools, Floats]:
    """By need, whether all its mixes of two and three were looked at, and what the cheapest costs.

    Args:
        ledger: the problem.
        columns: for the counts that choices need alone.
        usd_n: US dollars per hour of one replica more.
        usable_n: choices that may be part of a mix.
        wanted_d: needs to look at; others are not counted.
    """
    size = len(ledger.target_d)
    choice = np.flatnonzero(usable_n & wanted_d[ledger.need_n] & (columns.alone_n > 0))
    # In order of counts, so that the two that are counted through have few.
    choice = choice[np.lexsort((columns.alone_n[choice], ledger.need_n[choice]))]
    most = columns.alone_n - ledger.lower_n - 1
    left, right = couples(ledger.need_n[choice])
    pairs = np.column_stack([choice[left], choice[right]])
    first, second = couples(left)
    # Two couples with the same first choice make a triple.
    triples = np.column_stack([choice[left[first]], choice[right[first]], choice[right[second]]])
    triples = triples[np.argsort(ledger.need_n[triples[:, 0]], kind="stable")] if len(triples) else triples
    many_d = np.zeros(size, dtype=bool)
    many_d[ledger.need_n[triples[most[triples[:, 0]] * most[triples[:, 1]] > MOST_MIXES, 0]]] = True
    many_d[ledger.need_n[pairs[most[pairs[:, 0]] > MOST_MIXES, 0]]] = True
    counted_d = wanted_d & ~many_d
    least_d = np.full(size, np.inf)
    for mixes in (pairs, triples):
        kept = mixes[counted_d[ledger.need_n[mixes[:, 0]]]]
        if len(kept):
            np.minimum.at(least_d, *_costs(ledger, kept, most, usd_n))
    return counted_d, least_d


def _costs(ledger: Ledger, mix_m: Ints, most_n: Ints, usd_n: Floats) -> tuple[Ints, Floats]:
    """Need and cost of every smallest count of these mixes; the last choice takes what the others leave."""
    *counted, last = mix_m.T
    sizes = [most_n[choice] for choice in counted]
    total = np.prod(sizes, axis=0)
    row = np.repeat(np.arange(len(mix_m)), total)
    place = np.arange(len(row)) - np.repeat(np.cumsum(total) - total, total)
    base_n = ledger.tables.total_rps(np.arange(len(most_n)), ledger.lower_n)
    need, last = ledger.need_n[last[row]], last[row]
    beside = np.bincount(ledger.need_n, base_n, len(ledger.target_d))[need]
    usd, carried = np.zeros(len(row)), list[Floats]()
    for choice, size in zip(counted, sizes, strict=True):
        extra = place % size[row] + 1
        place = place // size[row]
        carried.append(ledger.tables.total_rps(choice[row], ledger.lower_n[choice[row]] + extra) - base_n[choice[row]])
        usd += extra * usd_n[choice[row]]
    together = np.sum(carried, axis=0) + beside
    rest = ledger.target_d[need] - together
    for choice, own in zip(counted, carried, strict=True):
        # When the pool of this one is lost, what is left must do; the lower bounds count as if they were left.
        rest = np.maximum(rest, ledger.left_n[choice[row]] - (together - own))
    usd += usd_n[last] * np.maximum(0, ledger.tables.replicas_for(last, rest + base_n[last]) - ledger.lower_n[last])
    return need, np.where(together >= ledger.left_n[last] * (1.0 - SLACK_RATIO), usd, np.inf)
