"""Two variants of one deployment behind a plain Service: as many replicas as the slower needs, split where costs bend.

In: a ``Ledger`` and what runs in any case. Out: for each two choices of a need some splits that carry it and of which
enough survives the loss of either's spot pool: both ends, where one of them stays as it runs or is planned, where the
budget is spent, and some in between, which fill nodes. Letters: N choices, K pairs and splits, S splits of one pair.
"""

import numpy as np

from plimsoll.planning.at_lower import AtLower
from plimsoll.planning.couples import couples
from plimsoll.planning.ledger import Ledger
from plimsoll.planning.room import SLACK_RATIO
from plimsoll.planning.tables import Floats, Ints, even_count

SPREAD = 24
"""Splits at even distances, both ends included. Guess: with more the last nodes are filled no better."""


def even_pairs(ledger: Ledger, base: AtLower, choice_n: Ints) -> tuple[Ints, Ints]:
    """Choices and counts of each split.

    Args:
        ledger: the problem.
        base: what runs in any case.
        choice_n: that may be more than their lower bounds, those of one need side by side.
    """
    left, right = couples(ledger.need_n[choice_n])
    one, other, need = choice_n[left], choice_n[right], ledger.need_n[choice_n[left]]
    each = np.minimum(np.minimum(ledger.tables.each_n[one], ledger.tables.each_n[other]), base.even_each_d[need])
    beside = base.count_d[need] - ledger.lower_n[one] - ledger.lower_n[other]
    least_one, least_other = _left_beside(ledger, base, other, one), _left_beside(ledger, base, one, other)
    total = np.maximum(even_count(ledger.target_d[need], each) - beside, least_one + least_other)
    low = np.maximum(least_one, total - ledger.upper_n[other])
    high = np.minimum(ledger.upper_n[one], total - least_other)
    able = low <= high
    one, other, need, total, low, high = (part[able] for part in (one, other, need, total, low, high))
    affordable = np.clip(_affordable(ledger, one, other, total), low - 1.0, high + 1.0)
    shares = np.linspace(0.0, 1.0, SPREAD)
    spread_ks = np.rint(low[:, None] + (high - low)[:, None] * shares).astype(np.int64)
    spends_ks = np.column_stack([np.floor(affordable), np.ceil(affordable)]).astype(np.int64)
    bends_ks = np.column_stack([ledger.count_n2[one], total[:, None] - ledger.count_n2[other], spends_ks])
    counts_ks = np.sort(np.column_stack([spread_ks, np.clip(bends_ks, low[:, None], high[:, None])]), axis=1)
    row, split = np.nonzero(np.diff(counts_ks, axis=1, prepend=-1))
    count_kc = np.column_stack([counts_ks[row, split], total[row] - counts_ks[row, split]])
    return np.column_stack([one, other])[row], count_kc


def _affordable(ledger: Ledger, one_k: Ints, other_k: Ints, total_k: Ints) -> Floats:
    """With how many of the first, the others making up so many in all, slots take the whole budget; 0 where no number
    does."""
    need_k = ledger.need_n[one_k]
    dearer_k = ledger.slot_n[one_k] - ledger.slot_n[other_k]
    own_k = ledger.slot_n[one_k] * ledger.lower_n[one_k] + ledger.slot_n[other_k] * ledger.lower_n[other_k]
    beside_k = ledger.slots_usd_d[need_k] - own_k
    left_usd_k = ledger.budget_d[need_k] * (1.0 + SLACK_RATIO) - beside_k - ledger.slot_n[other_k] * total_k
    bends_k = (dearer_k != 0.0) & np.isfinite(left_usd_k)
    return np.where(bends_k, left_usd_k, 0.0) / np.where(bends_k, dearer_k, 1.0)


def _left_beside(ledger: Ledger, base: AtLower, lost_k: Ints, choice_k: Ints) -> Ints:
    """How many replicas of a choice there must be for it to carry what is to be left when the other one's pool is lost;
    one more than its lower bound at least."""
    left_rps = ledger.left_n[lost_k] - base.left_base_n[lost_k] + base.total_n[choice_k]
    needed = ledger.tables.replicas_for(choice_k, np.where(ledger.left_n[lost_k] > 0, left_rps, 0.0))
    return np.maximum(needed, ledger.lower_n[choice_k] + 1)
