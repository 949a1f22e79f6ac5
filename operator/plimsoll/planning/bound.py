"""What can no plan cost less than that covers every need at least as well as a given one?

In: prices of room, all listed columns, and the share of each need that the plan leaves uncovered. Out: a bound on nodes
and charges together. Mixes that are not listed (three variants and more, and some splits of large needs) are bounded by
a relaxation. Letters: D needs, N choices, K columns.

    least_mix = q T + the m smallest of (f_n - q r_n),   q = min_n f_n / r_n
              and at least q' L + q (T - L), q' = min_{n not in p} f_n / r_n, if L must survive the loss of p
    f_n what one more replica costs at these prices, r_n the most it carries, T the rate that is asked for beyond the
    lower bounds, m how many variants such a mix has at least.
    Where all replicas get equal shares, a mix needs as many as its slowest variant does alone: it costs no less than
    the variant of it that is cheapest a replica would alone.
"""

from dataclasses import dataclass

import numpy as np

from plimsoll.planning.columns import Columns
from plimsoll.planning.counted_mixes import COUNTED, least_of_mixes
from plimsoll.planning.even_mixes import least_of_even_mixes
from plimsoll.planning.ledger import Bools, Ledger
from plimsoll.planning.prices import Dual, Prices
from plimsoll.planning.room import SLACK_RATIO
from plimsoll.planning.tables import Floats, Ints, even_count

_TWO, _THREE, _FIVE = 2, 3, 5


@dataclass(frozen=True, slots=True)
class _Each:
    """What one more replica of every choice costs and carries at most, and which may be part of a mix."""

    usd_n: Floats
    rate_n: Floats
    usable_n: Bools
    api_d: Bools
    short_d: Bools

    @property
    def ratio_n(self) -> Floats:
        ratio_n: Floats = np.where(self.usable_n, self.usd_n / np.where(self.rate_n > 0, self.rate_n, 1.0), np.inf)
        return ratio_n


def lower_bound(
    ledger: Ledger, columns: Columns, dual: Dual, prices: Prices, missed_d: Floats, unprotected_d: Bools
) -> float:
    """US dollars per hour that all plans cost at least which leave no need with more uncovered than `missed_d`, and
    none without what must survive the loss of a spot pool but those `unprotected_d`; 0 where nothing is known."""
    short_d = (missed_d > SLACK_RATIO) | unprotected_d
    # Whoever is covered may not take what leaves it uncovered; whoever is not is bounded by the relaxation alone.
    listed_k = np.where(columns.missed_k > SLACK_RATIO, np.inf, dual.reduced_k(prices.price_s))
    listed_d = np.minimum.reduceat(listed_k, columns.first_d)
    each = _each(ledger, columns, prices, short_d)
    mix_d = _least_mix(ledger, columns, each, missed_d, columns.coarse_d, _THREE)
    # Where the relaxation says less than what is listed, the mixes are looked at one by one, if they are not too many.
    doubtful_d = (mix_d < listed_d) & ~short_d & ~ledger.even_d & ~each.api_d
    counted_d, exact_d = least_of_mixes(ledger, columns.alone_n, each.usd_n, each.usable_n, doubtful_d)
    larger_d = _least_mix(ledger, columns, each, missed_d, np.zeros_like(columns.coarse_d), _FIVE)
    mix_d = np.where(counted_d, np.minimum(exact_d, larger_d), mix_d)
    least = dual.total(prices, np.where(short_d, mix_d, np.minimum(listed_d, mix_d)))
    return least if np.isfinite(least) else 0.0


def _least_mix(
    ledger: Ledger, columns: Columns, each: _Each, missed_d: Floats, coarse_d: Bools, variants: int
) -> Floats:
    """By need the least that mixes of so many variants cost, in coarse needs of two; infinite where there are none."""
    size = len(ledger.target_d)
    asked_d = ledger.target_d * (1.0 - missed_d) - np.bincount(ledger.need_n, each.rate_n * ledger.lower_n, size)
    asked_d = np.maximum(0.0, asked_d)
    ratio_d = np.full(size, np.inf)
    np.minimum.at(ratio_d, ledger.need_n, each.ratio_n)
    ratio_d = np.where(each.api_d, np.fmin(ratio_d, ledger.api_d), ratio_d)
    finite_d = np.where(np.isfinite(ratio_d), ratio_d, 0.0)
    relaxed_d: Floats = finite_d * asked_d
    least_d = np.where(coarse_d, _TWO, variants)
    extra_n = np.where(each.usable_n, each.usd_n - finite_d[ledger.need_n] * each.rate_n, np.inf)
    mix_d = relaxed_d + np.where(each.api_d, 0.0, _smallest(extra_n, ledger.need_n, size, least_d))
    mix_d = np.maximum(mix_d, _protected(ledger, each, finite_d, asked_d))
    mix_d = np.where(ledger.even_d & ~each.api_d, np.maximum(mix_d, _even(ledger, columns, each)), mix_d)
    mixed_d = (np.bincount(ledger.need_n[each.usable_n], minlength=size) >= least_d) | each.api_d
    return np.where(each.short_d, relaxed_d, np.where(mixed_d, mix_d, np.inf))


def _each(ledger: Ledger, columns: Columns, prices: Prices, short_d: Bools) -> _Each:
    every, price_n = np.arange(len(ledger.choices)), prices.price_s[ledger.shape_n]
    new_n = np.where(ledger.count_n2 <= ledger.lower_n[:, None], ledger.charge_n2, 0.0).sum(axis=1)
    at_lower_n = ledger.tables.total_rps(every, ledger.lower_n) / np.maximum(1, ledger.lower_n)
    mixable_n = ~_is_alone(ledger, columns) | short_d[ledger.need_n]
    return _Each(
        usd_n=ledger.trace_n + price_n + new_n,
        rate_n=np.maximum(ledger.rate_n, at_lower_n),
        usable_n=(ledger.upper_n > ledger.lower_n) & (ledger.rate_n > 0) & mixable_n,
        api_d=~np.isnan(ledger.api_d),
        short_d=short_d,
    )


def _protected(ledger: Ledger, each: _Each, ratio_d: Floats, asked_d: Floats) -> Floats:
    """The relaxation where a part of the rate must not depend on one spot pool; 0 where none must."""
    size = len(asked_d)
    found_d = np.zeros(size)
    for pool in ledger.spot_pools:
        apart_n = ledger.pool_n != pool
        left_d = np.zeros(size)
        np.maximum.at(left_d, ledger.need_n[~apart_n], ledger.left_n[~apart_n])
        others = np.bincount(ledger.need_n[apart_n], (each.rate_n * ledger.lower_n)[apart_n], size)
        left_d = np.clip(left_d - others, 0.0, asked_d)
        apart_d = np.full(size, np.inf)
        np.minimum.at(apart_d, ledger.need_n[apart_n], each.ratio_n[apart_n])
        apart_d = np.where(np.isfinite(apart_d), apart_d, ratio_d)
        found_d = np.maximum(found_d, np.where(left_d > 0, apart_d * left_d + ratio_d * (asked_d - left_d), 0.0))
    return found_d


def _even(ledger: Ledger, columns: Columns, each: _Each) -> Floats:
    """What the cheapest listed column costs, for needs whose replicas get equal shares.

    With linear costs a mix is no better than one in which the dearest of its variants are exchanged, one for one, for
    others of the same mix: every replica's share is the slowest's. Only upper bounds, and two spot pools of which
    either may be lost, may forbid that; there mixes are looked at one by one, and where something runs in any case the
    cheapest variant alone is the bound, without what must survive.
    """
    size = len(ledger.target_d)
    extra_n = np.maximum(0, columns.alone_n - ledger.lower_n)
    alone_d = np.full(size, np.inf)
    np.minimum.at(alone_d, ledger.need_n, np.where(columns.alone_n > 0, extra_n * each.usd_n, np.inf))
    usd = np.append(each.usd_n, 0.0)
    listed_k = (usd[columns.choice_kc] * columns.extra_kc(ledger)).sum(axis=1)
    listed_k = np.where(columns.missed_k > SLACK_RATIO, np.inf, listed_k)
    listed_d = np.minimum.reduceat(listed_k, columns.first_d)
    spot_d = sum(
        (
            np.bincount(ledger.need_n, (ledger.pool_n == pool) & (ledger.left_n > 0), size) > 0
            for pool in ledger.spot_pools
        ),
        start=np.zeros(size),
    )
    # A mix takes as many as its slowest variant does alone, of whichever of them.
    most_d = np.zeros(size)
    np.maximum.at(most_d, ledger.need_n, np.where(each.usable_n, columns.alone_n, 0))
    bound_d = np.bincount(ledger.need_n, each.usable_n & (most_d[ledger.need_n] > ledger.upper_n), size) > 0
    free_d = ~bound_d & (spot_d < _TWO) & np.isinf(ledger.budget_d)
    few_d = np.bincount(ledger.need_n[each.usable_n], minlength=size) <= max(COUNTED)
    counted_d = ledger.even_d & ~free_d & ledger.unbound_d & few_d
    mixed_d = least_of_even_mixes(ledger, np.where(each.usable_n, columns.alone_n, 0), each.usd_n, counted_d)
    rest_d = np.where(ledger.unbound_d, _even_at_risk(ledger, columns, each), alone_d)
    least_d = np.where(free_d, listed_d, np.where(counted_d, np.minimum(listed_d, mixed_d), rest_d))
    return np.where(np.isfinite(least_d), least_d, 0.0)


def _even_at_risk(ledger: Ledger, columns: Columns, each: _Each) -> Floats:
    """The same where either of several spot pools may be lost and nothing runs in any case.

    A mix with choice s of a spot pool has at least one of it, K others outside its pool to survive, and as many in all
    as s, and as some other, needs alone: f_o K + min(f_s, f_o) max(1, N - K). One without any is no better than one of
    its variants alone.
    """
    size, able_n = len(ledger.target_d), columns.alone_n > 0
    risky_n = able_n & (ledger.left_n > 0)
    found_d = np.full(size, np.inf)
    alone_usd_n = np.where(able_n & ~risky_n, columns.alone_n * each.usd_n, np.inf)
    np.minimum.at(found_d, ledger.need_n, alone_usd_n)
    for pool in ledger.spot_pools:
        other_n, own_n = able_n & (ledger.pool_n != pool), risky_n & (ledger.pool_n == pool)
        left_d = np.zeros(size)
        np.maximum.at(left_d, ledger.need_n[own_n], ledger.left_n[own_n])
        least = {name: np.full(size, np.inf) for name in ("usd", "beside", "alone")}
        beside_n = even_count(left_d[ledger.need_n], np.where(able_n, ledger.tables.each_n, 1.0))
        for name, value_n in (("usd", each.usd_n), ("beside", beside_n), ("alone", columns.alone_n)):
            np.minimum.at(least[name], ledger.need_n[other_n], value_n[other_n].astype(np.float64))
        need = ledger.need_n[own_n]
        beside, usd = least["beside"][need], least["usd"][need]
        in_all = np.maximum(columns.alone_n[own_n], least["alone"][need])
        more = np.where(
            np.isfinite(beside), np.maximum(1.0, in_all - np.where(np.isfinite(beside), beside, 0.0)), np.inf
        )
        np.minimum.at(found_d, need, usd * beside + np.minimum(each.usd_n[own_n], usd) * more)
    return found_d


def _is_alone(ledger: Ledger, columns: Columns) -> Bools:
    """Choices of which one replica more covers the need: no smallest plan mixes it with others."""
    # An external API takes the rest of whatever is left out.
    alone_n: Bools = (columns.alone_n - ledger.lower_n == 1) & np.isnan(ledger.api_d[ledger.need_n])
    # Where a spot pool may be lost, others stand beside what would do alone.
    return alone_n & ~ledger.at_risk_d[ledger.need_n]


def _smallest(value_n: Floats, need_n: Ints, needs: int, most_d: Ints) -> Floats:
    """By need the sum of its `most_d` smallest values, those that are not finite left out."""
    order = np.lexsort((value_n, need_n))
    place = np.arange(len(order)) - np.searchsorted(need_n, need_n[order])
    taken = (place < most_d[need_n[order]]) & np.isfinite(value_n[order])
    total_d: Floats = np.bincount(need_n[order][taken], value_n[order][taken], needs).astype(np.float64)
    return total_d
