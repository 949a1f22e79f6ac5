"""All the ways in which one deployment can be served that are worth a look: the columns of the decomposition.

In: a ``Ledger``. Out: ``Columns``: the smallest sets of replicas of at most two variants that cover a deployment within
its bounds, its budget and what must survive a spot loss, of many of them some; where there is none, what a greedy plan
would do; and one that leaves it uncovered, at a penalty. Letters: D needs, N choices, K columns, C choices of a column.
"""

from dataclasses import dataclass, replace

import numpy as np

from plimsoll.planning.assessment import unprotected_rps
from plimsoll.planning.at_lower import AtLower, at_lower
from plimsoll.planning.counted_mixes import groups_of, small_groups, smallest_mixes
from plimsoll.planning.couples import couples
from plimsoll.planning.even_mixes import cheapest_even_mixes
from plimsoll.planning.even_pairs import even_pairs
from plimsoll.planning.fallback import fill_up
from plimsoll.planning.ledger import Bools, Ledger
from plimsoll.planning.problem import Problem
from plimsoll.planning.programme import SPOT_WEIGHT
from plimsoll.planning.room import SLACK_RATIO
from plimsoll.planning.tables import NEVER, Floats, Ints, even_count

MOST_SPLITS = 24
"""Ways to split one deployment between two variants; of more, so many are taken at even distances. Guess: beyond it the
best split is hit within 4% of the deployment, and few are that large."""
MOST_MIXED = 150
"""Mixes of one group of variants that are listed; groups with more are left out. Guess: small needs have fewer."""
FEW_NEEDS = 100
"""Deployments up to which all of them are listed: in small fleets one node matters."""
MANY_NEEDS = 5000
"""Deployments beyond which larger mixes behind a plain Service are not listed: among 10,000 they save 0.03% and take a
tenth of the time."""
NONE = -1


@dataclass(frozen=True, slots=True)
class Columns:
    """Ways to serve needs, in order of need; counts are of replicas, those that run in any case included."""

    need_k: Ints
    choice_kc: Ints
    """The choices whose counts differ from their lower bounds, two or few more; `NONE` for none."""
    count_kc: Ints
    cost_k: Floats
    """US dollars per hour beside nodes: trace, moves and changes beyond those of the lower bounds, external API."""
    missed_k: Floats
    """Share of the demand that stays uncovered, as `Assessment.missed` counts it."""
    coarse_d: Bools
    """Needs that have more ways to be served by two variants than are listed; of those whose replicas get equal shares
    the ways between which nothing bends do not count."""
    alone_n: Ints
    """Of every choice the count that covers its need alone, beside the others' lower bounds; 0 for what carries nothing
    or need not. Bounds and budgets left out."""
    base_usd_per_hour: float
    """What all lower bounds cost beside nodes."""

    @property
    def first_d(self) -> Ints:
        return np.flatnonzero(np.diff(self.need_k, prepend=-1)).astype(np.int64)

    def extra_kc(self, ledger: Ledger) -> Ints:
        """Replicas beyond the lower bounds."""
        return np.where(self.choice_kc == NONE, 0, self.count_kc - ledger.lower_n[self.choice_kc])


def list_columns(ledger: Ledger, *, parts: bool = False) -> Columns:
    """The columns of all needs; each need has at least the one that leaves it as its lower bounds do.

    Args:
        ledger: the problem.
        parts: lists what covers a part of a need as well, for when there is not enough room for all.
    """
    base = at_lower(ledger)
    nothing = _nothing(ledger, base)
    met = nothing.missed_k <= SLACK_RATIO
    listed = [nothing]
    singles = _singles(ledger, base, ~met, base.guard_n)
    alone = _singles(ledger, base, ~met, np.zeros_like(base.guard_n)) if base.guard_n.any() else singles
    alone_n = np.zeros(len(ledger.choices), dtype=np.int64)
    alone_n[alone.choice_kc[:, 0]] = alone.count_kc[:, 0]
    pairs, coarse_d = _pairs(ledger, base, _of(singles, ~ledger.even_d))
    pairs_kc, counts_kc = even_pairs(ledger, base, singles.choice_kc[ledger.even_d[singles.need_k], 0])
    ways = (singles, pairs, _columns(ledger, pairs_kc, counts_kc, ledger.need_n[pairs_kc[:, 0]]))
    full = [_within(ledger, base, part, protect=True) for part in ways]
    sizes = (3, 4) if len(met) <= FEW_NEEDS else (3,)
    full += [_bounded(ledger, _mixes(ledger, alone_n, ~met, size)) for size in sizes]
    even_sizes = sizes if len(met) <= MANY_NEEDS else ()
    full += [_bounded(ledger, _even_mixes(ledger, alone_n, ~met, size)) for size in even_sizes]
    listed += full
    without = ~met
    for part in full:
        without[part.need_k] = False
    if without.any():
        listed += [_within(ledger, base, _of(part, without), protect=False) for part in ways]
        listed += [_partial(ledger, base, without), _greedy(ledger, without)]
    if parts:
        listed.append(_fewer(ledger, base, singles))
    overflow = _overflowing(ledger, base, singles)
    listed.append(overflow)
    coarse_d[overflow.need_k] = True
    return replace(_joined(listed), coarse_d=coarse_d, alone_n=alone_n, base_usd_per_hour=_base_usd(ledger))


def _base_usd(ledger: Ledger) -> float:
    return float(ledger.charges(np.arange(len(ledger.choices)), ledger.lower_n).sum())


def _columns(ledger: Ledger, choice_kc: Ints, count_kc: Ints, need_k: Ints, cost_k: Floats | None = None) -> Columns:
    """Columns that miss nothing, with what their counts are charged beyond the lower bounds."""
    charges = np.zeros(len(need_k)) if cost_k is None else cost_k
    for side in range(choice_kc.shape[1]):
        there = choice_kc[:, side] != NONE
        choice = choice_kc[there, side]
        charges[there] += ledger.charges(choice, count_kc[there, side])
        charges[there] -= ledger.charges(choice, ledger.lower_n[choice])
    return Columns(
        need_k=need_k,
        choice_kc=choice_kc,
        count_kc=count_kc,
        cost_k=charges,
        missed_k=np.zeros(len(need_k)),
        coarse_d=np.zeros(len(ledger.target_d), dtype=bool),
        alone_n=np.zeros(0, dtype=np.int64),
        base_usd_per_hour=0.0,
    )


def _nothing(ledger: Ledger, base: AtLower) -> Columns:
    size = len(ledger.target_d)
    none = np.full((size, 2), NONE, dtype=np.int64)
    found = _columns(ledger, none, np.zeros((size, 2), dtype=np.int64), np.arange(size))
    missed = np.maximum(0.0, 1.0 - base.total_d / np.where(ledger.target_d > 0, ledger.target_d, 1.0))
    missed = np.where(ledger.target_d > 0, missed, 0.0)
    # An external API takes what own replicas do not, but for what they must.
    api = ~np.isnan(ledger.api_d)
    own = np.where(
        ledger.least_own_d > 0, 1.0 - base.total_d / np.where(ledger.least_own_d > 0, ledger.least_own_d, 1.0), 0.0
    )
    missed = np.where(api, np.maximum(0.0, own), missed)
    # What the lower bounds leave unprotected counts as well, if little.
    unprotected = np.zeros(size)
    ratio_n = (ledger.left_n - base.left_base_n) / np.where(ledger.left_n > 0, ledger.protected_d[ledger.need_n], 1.0)
    np.maximum.at(unprotected, ledger.need_n, np.where(ledger.left_n > 0, ratio_n, 0.0))
    cost = np.where(api, _overflow_usd(ledger, np.arange(size), base.total_d), 0.0)
    return replace(found, missed_k=missed + SPOT_WEIGHT * unprotected, cost_k=cost)


def _overflow_usd(ledger: Ledger, need_k: Ints, own_rps_k: Floats) -> Floats:
    return np.nan_to_num(ledger.api_d[need_k]) * np.maximum(0.0, ledger.required_d[need_k] - own_rps_k)


def _singles(ledger: Ledger, base: AtLower, wanted_d: Bools, guard_n: Floats) -> Columns:
    """Of every choice the count that covers its need together with the others' lower bounds, whatever the bounds."""
    choice = np.flatnonzero(wanted_d[ledger.need_n] & (ledger.upper_n > ledger.lower_n) & (ledger.rate_n > 0))
    need = ledger.need_n[choice]
    more = np.maximum(ledger.target_d[need] - base.total_d[need], guard_n[choice])
    count = ledger.tables.replicas_for(choice, base.total_n[choice] + more)
    each = np.minimum(ledger.tables.each_n[choice], base.even_each_d[need])
    even = even_count(ledger.target_d[need], each) - (base.count_d[need] - ledger.lower_n[choice])
    count = np.maximum(np.where(ledger.even_d[need], even, count), ledger.lower_n[choice] + 1)
    return _of_one(ledger, choice, count)


def _pairs(ledger: Ledger, base: AtLower, singles: Columns) -> tuple[Columns, Bools]:
    """Two choices of one need, neither of which covers it alone: every split, or some of them."""
    left, right = couples(singles.need_k)
    one, other = singles.choice_kc[left, 0], singles.choice_kc[right, 0]
    alone = singles.count_kc[:, 0]
    need = singles.need_k[left]
    # The choice that takes fewer replicas is the one that is counted through.
    swap = alone[right] < alone[left]
    one, other = np.where(swap, other, one), np.where(swap, one, other)
    fewest = np.minimum(alone[left], alone[right])
    start = ledger.lower_n[one]
    # What may be lost is mixed up to all that it needs alone: the other is there for the loss.
    steps = np.maximum(0, np.minimum(fewest - (ledger.left_n[one] <= 0), ledger.upper_n[one]) - start)
    taken = np.minimum(steps, MOST_SPLITS)
    coarse_d = np.zeros(len(ledger.target_d), dtype=bool)
    coarse_d[need[steps > taken]] = True
    row = np.repeat(np.arange(len(one)), taken)
    within = np.arange(len(row)) - np.repeat(np.cumsum(taken) - taken, taken) + 1
    one, other, need = one[row], other[row], need[row]
    count = start[row] + -(-within * steps[row] // np.maximum(1, taken[row]))
    beside = base.total_d[need] - base.total_n[one] - base.total_n[other]
    carried = ledger.tables.total_rps(one, count)
    guard = np.minimum(base.guard_n[one], base.guard_n[other]) + base.total_n[one] + base.total_n[other]
    rest = np.maximum(ledger.target_d[need] - beside, guard) - carried
    needed = ledger.tables.replicas_for(other, rest)
    # What the other's lower bound carries of that is part of its count.
    beyond: Floats = ledger.left_n[one] - base.left_base_n[one]
    left_rps: Floats = np.where(ledger.left_n[one] > 0, beyond + base.total_n[other], 0.0)
    needed = np.maximum(needed, ledger.tables.replicas_for(other, left_rps))
    keep = needed > ledger.lower_n[other]
    choice_kc = np.column_stack([one, other])[keep]
    return _columns(ledger, choice_kc, np.column_stack([count, needed])[keep], need[keep]), coarse_d


def _mixes(ledger: Ledger, alone_n: Ints, wanted_d: Bools, size: int) -> Columns:
    """Mixes of more where some must survive a spot loss, for there a third variant often pays; in small fleets all."""
    mixed_d = (ledger.at_risk_d | (len(wanted_d) <= FEW_NEEDS)) & wanted_d & ~ledger.even_d
    usable_n = mixed_d[ledger.need_n] & (ledger.upper_n > ledger.lower_n)
    group_gc = small_groups(ledger, alone_n, groups_of(ledger, alone_n, usable_n, size), MOST_MIXED)
    choice_kc, count_kc = smallest_mixes(ledger, alone_n, group_gc)
    return _columns(ledger, choice_kc, count_kc, ledger.need_n[choice_kc[:, 0]])


def _even_mixes(ledger: Ledger, alone_n: Ints, wanted_d: Bools, size: int) -> Columns:
    """The cheapest of each group behind a plain Service, where something must survive and nothing runs in any case."""
    usd_n = ledger.slot_n + ledger.charges(np.arange(len(ledger.choices)), np.ones_like(ledger.lower_n))
    mixed_d = ledger.at_risk_d & ledger.unbound_d & wanted_d & ledger.even_d
    choice_kc, count_kc = cheapest_even_mixes(ledger, alone_n, usd_n, mixed_d, size)
    return _columns(ledger, choice_kc, count_kc, ledger.need_n[choice_kc[:, 0]])


def _within(ledger: Ledger, base: AtLower, columns: Columns, *, protect: bool) -> Columns:
    """The columns that keep bounds and budget; of those that leave too little after a spot loss, none or at a price."""
    kept = _bounded(ledger, columns)
    share = _unprotected_share(ledger, base, kept)
    if protect:
        return _of_rows(kept, share <= SLACK_RATIO)
    return replace(kept, missed_k=SPOT_WEIGHT * share)


def _bounded(ledger: Ledger, columns: Columns) -> Columns:
    fine = np.ones(len(columns.need_k), dtype=bool)
    spent = ledger.slots_usd_d[columns.need_k]
    for side in range(columns.choice_kc.shape[1]):
        there = columns.choice_kc[:, side] != NONE
        choice = columns.choice_kc[:, side]
        fine &= ~there | (columns.count_kc[:, side] <= ledger.upper_n[choice])
        extra = np.where(there, columns.count_kc[:, side] - ledger.lower_n[choice], 0)
        spent += np.where(there, ledger.slot_n[choice] * extra, 0.0)
    fine &= spent <= ledger.budget_d[columns.need_k] * (1.0 + SLACK_RATIO)
    return _of_rows(columns, fine)


def _unprotected_share(ledger: Ledger, base: AtLower, columns: Columns) -> Floats:
    """Of what must be left when the worse of the used spot pools is lost, the share that would not be."""
    worst = np.zeros(len(columns.need_k))
    # Whoever runs in a spot pool at its lower bound needs as much left; it is not among the two choices at all times.
    if not ledger.left_n.any():
        return worst
    protected = np.where(ledger.protected_d > 0, ledger.protected_d, 1.0)[columns.need_k]
    for side in (0, 1):
        choice, other = columns.choice_kc[:, side], columns.choice_kc[:, 1 - side]
        there, beside = choice != NONE, other != NONE
        left = np.where(there, ledger.left_n[choice] - base.left_base_n[choice], 0.0)
        apart = beside & there & (ledger.pool_n[choice] != ledger.pool_n[other])
        counts = np.where(apart, columns.count_kc[:, 1 - side], 0)
        more = ledger.tables.total_rps(np.where(beside, other, 0), counts) - np.where(apart, base.total_n[other], 0.0)
        worst = np.maximum(worst, np.where(there & (left > 0), (left - np.where(apart, more, 0.0)) / protected, 0.0))
    return worst


def _partial(ledger: Ledger, base: AtLower, wanted_d: Bools) -> Columns:
    """As much of one choice as bounds and budget allow, for needs that nothing covers in full."""
    choice = np.flatnonzero(wanted_d[ledger.need_n] & (ledger.upper_n > ledger.lower_n) & (ledger.rate_n > 0))
    need = ledger.need_n[choice]
    spent = ledger.slots_usd_d[need]
    slot = np.where(ledger.slot_n[choice] > 0, ledger.slot_n[choice], 1.0)
    affordable = np.floor((ledger.budget_d[need] - spent) / slot + SLACK_RATIO)
    affordable = np.where(ledger.slot_n[choice] > 0, np.clip(affordable, 0, NEVER), NEVER).astype(np.int64)
    count = np.minimum(ledger.upper_n[choice], ledger.lower_n[choice] + affordable)
    total = base.total_d[need] - base.total_n[choice] + ledger.tables.total_rps(choice, count)
    each = np.minimum(ledger.tables.each_n[choice], base.even_each_d[need])
    even = each * (base.count_d[need] - ledger.lower_n[choice] + count)
    total = np.where(ledger.even_d[need], even, total)
    found = _of_one(ledger, choice, count)
    missed = np.clip(1.0 - total / np.where(ledger.target_d[need] > 0, ledger.target_d[need], 1.0), 0.0, 1.0)
    kept = _of_rows(replace(found, missed_k=missed), count > ledger.lower_n[choice])
    return replace(kept, missed_k=kept.missed_k + SPOT_WEIGHT * _unprotected_share(ledger, base, kept))


def _greedy(ledger: Ledger, wanted_d: Bools) -> Columns:
    """What a greedy plan gives each need by itself, of any number of variants."""
    needs, problem, ends = np.flatnonzero(wanted_d), ledger.problem, np.append(ledger.first_d, len(ledger.choices))
    width = max((int(ends[d + 1] - ends[d]) for d in needs), default=1)
    choice_kc = np.full((len(needs), width), NONE, dtype=np.int64)
    count_kc, missed_k = np.zeros((len(needs), width), dtype=np.int64), np.zeros(len(needs))
    for row, d in enumerate(needs.tolist()):
        need = problem.needs[d]
        counts = fill_up(Problem((need,), problem.rooms), {})
        for place, choice in enumerate(need.choices):
            if counts[choice.key] > choice.lower:
                choice_kc[row, place], count_kc[row, place] = ends[d] + place, counts[choice.key]
        missed_k[row] = need.missed_share(counts)
        if need.protected_rps > 0:
            missed_k[row] += SPOT_WEIGHT * unprotected_rps(need, problem.rooms, counts) / need.protected_rps
    found = _columns(ledger, choice_kc, count_kc, needs.astype(np.int64))
    return _of_rows(replace(found, missed_k=missed_k), np.asarray((count_kc > 0).any(axis=1)))


def _overflowing(ledger: Ledger, base: AtLower, singles: Columns) -> Columns:
    """Fewer replicas of one choice than cover the need, with the external API for the rest."""
    wanted = _of(singles, ~np.isnan(ledger.api_d))
    choice, count, own = _counted_down(ledger, base, wanted)
    need = ledger.need_n[choice]
    found = _of_one(ledger, choice, count, _overflow_usd(ledger, need, own))
    enough: Bools = own >= ledger.least_own_d[need] * (1.0 - SLACK_RATIO)
    return _within(ledger, base, _of_rows(found, enough), protect=False)


def _fewer(ledger: Ledger, base: AtLower, singles: Columns) -> Columns:
    """Fewer replicas of one choice than cover the need, and nothing for the rest."""
    wanted = _of(singles, np.isnan(ledger.api_d) & (ledger.target_d > 0))
    choice, count, own = _counted_down(ledger, base, wanted)
    missed = np.clip(1.0 - own / ledger.target_d[ledger.need_n[choice]], 0.0, 1.0)
    kept = _bounded(ledger, replace(_of_one(ledger, choice, count), missed_k=missed))
    return replace(kept, missed_k=kept.missed_k + SPOT_WEIGHT * _unprotected_share(ledger, base, kept))


def _counted_down(ledger: Ledger, base: AtLower, singles: Columns) -> tuple[Ints, Ints, Floats]:
    """Choices and counts below those of these columns, at most `MOST_SPLITS` each, and what carries then in all."""
    choice = singles.choice_kc[:, 0]
    start = ledger.lower_n[choice]
    steps = np.maximum(0, np.minimum(singles.count_kc[:, 0] - 1, ledger.upper_n[choice]) - start)
    taken = np.minimum(steps, MOST_SPLITS)
    row = np.repeat(np.arange(len(choice)), taken)
    within = np.arange(len(row)) - np.repeat(np.cumsum(taken) - taken, taken) + 1
    choice = choice[row]
    need = ledger.need_n[choice]
    count = start[row] + -(-within * steps[row] // np.maximum(1, taken[row]))
    own = base.total_d[need] - base.total_n[choice] + ledger.tables.total_rps(choice, count)
    each = np.minimum(ledger.tables.each_n[choice], base.even_each_d[need])
    own = np.where(ledger.even_d[need], each * (base.count_d[need] - ledger.lower_n[choice] + count), own)
    return choice, count, own


def _of_one(ledger: Ledger, choice_k: Ints, count_k: Ints, cost_k: Floats | None = None) -> Columns:
    choice_kc = np.column_stack([choice_k, np.full(len(choice_k), NONE)])
    return _columns(
        ledger, choice_kc, np.column_stack([count_k, np.zeros_like(count_k)]), ledger.need_n[choice_k], cost_k
    )


def _of(columns: Columns, wanted_d: Bools) -> Columns:
    return _of_rows(columns, wanted_d[columns.need_k])


def _of_rows(columns: Columns, kept: Bools) -> Columns:
    return replace(
        columns,
        need_k=columns.need_k[kept],
        choice_kc=columns.choice_kc[kept],
        count_kc=columns.count_kc[kept],
        cost_k=columns.cost_k[kept],
        missed_k=columns.missed_k[kept],
    )


def _joined(parts: list[Columns]) -> Columns:
    need_k = np.concatenate([part.need_k for part in parts])
    order = np.argsort(need_k, kind="stable")
    width = max(part.choice_kc.shape[1] for part in parts)
    return replace(
        parts[0],
        need_k=need_k[order],
        choice_kc=np.concatenate([_widened(part.choice_kc, width, NONE) for part in parts])[order],
        count_kc=np.concatenate([_widened(part.count_kc, width, 0) for part in parts])[order],
        cost_k=np.concatenate([part.cost_k for part in parts])[order],
        missed_k=np.concatenate([part.missed_k for part in parts])[order],
    )


def _widened(array_kc: Ints, width: int, fill: int) -> Ints:
    more = np.full((len(array_kc), width - array_kc.shape[1]), fill, dtype=np.int64)
    return np.concatenate([array_kc, more], axis=1)
