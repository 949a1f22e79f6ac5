"""How wrong has a way to forecast been lately, and how much must be added to be right nine times in ten?

In: errors of the recent past by way, lead, series and slot, NaN where nothing can be compared. Out: what to add so that
a share q of what comes lies below, and the pinball loss that it would have had. Conformal in kind: no distribution is
assumed, only that errors go on as they were. The errors of two days count alike, each in proportion to those of the
hours before it: turmoil and calm last for hours.

Axes: C candidates, L leads, D series, S slots. Design: section 4.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

LATELY = 12
"""Slots over which errors are compared with the usual: two hours at ten minutes. Measured: 6 to 24 differ by 2%."""

FEWEST_ERRORS = 12
"""Fewer say nothing of one in ten. Convention."""

_CALMEST = 0.2
"""Errors are never taken for less than this share of the usual: even calm ends."""


@dataclass(frozen=True, slots=True)
class Margins:
    """What to add to each candidate's forecast, and how it would have fared."""

    add_cld: Floats
    loss_cld: Floats
    """Mean pinball loss, weighted; infinite where too few errors are known."""


def margins(errors_clds: Floats, weight_ds: Floats, leads: tuple[int, ...], quantile_d: Floats) -> Margins:
    """What each candidate must add at each lead.

    Args:
        errors_clds: of the forecasts made in each slot, oldest first; the newest slot's are not known yet.
        weight_ds: what an error of 1 costs, by slot of its forecast.
        leads: in slots: an error is known that much later.
        quantile_d: the share of what comes that shall lie below, 0 to 1.
    """
    add, loss = np.zeros(errors_clds.shape[:3], np.float32), np.full(errors_clds.shape[:3], np.inf, np.float32)
    for at, lead in enumerate(leads):
        for candidate, errors_ds in enumerate(errors_clds[:, at]):
            if not np.isnan(errors_ds).all():
                add[candidate, at], loss[candidate, at] = _one(errors_ds, weight_ds, lead, quantile_d)
    return Margins(add, loss)


def _one(errors_ds: Floats, weight_ds: Floats, lead: int, quantile_d: Floats) -> tuple[Floats, Floats]:
    known = ~np.isnan(errors_ds)
    count = known.sum(axis=1, dtype=np.int32)
    size = np.abs(np.where(known, errors_ds, np.float32(0.0)))
    unrest_ds = _unrest(size, known, count, lead)
    add_d = _quantile(errors_ds / unrest_ds, count, quantile_d, lead)
    missed = errors_ds - add_d[:, None] * unrest_ds
    q = quantile_d[:, None]
    pinball = np.where(known, np.maximum(q * missed, (q - np.float32(1.0)) * missed), np.float32(0.0))
    total_d = np.einsum("ds,ds->d", pinball, weight_ds)
    loss_d = np.where(count >= FEWEST_ERRORS, total_d / np.maximum(count, 1), np.inf)
    return add_d * unrest_ds[:, -1], loss_d.astype(np.float32)


def _unrest(size: Floats, known: NDArray[np.bool_], count: NDArray[np.int32], lead: int) -> Floats:
    """The root of how much larger errors were than usual, by those known at each slot; 1 where few are."""
    usual = (size.sum(axis=1) / np.maximum(count, 1)).astype(np.float32)[:, None]
    # Without gaps all series have the same slots.
    same = bool((known == known[:1]).all())
    late, seen = _sum_lately(size, lead), _sum_lately((known[:1] if same else known).astype(np.float32), lead)
    told = (seen >= LATELY / 3) & (usual > 0.0)
    ratio = np.sqrt(late / np.where(told, seen * usual, np.float32(1.0)))
    return np.where(told, np.maximum(ratio, np.float32(_CALMEST)), np.float32(1.0))


def _sum_lately(value_ds: Floats, lead: int) -> Floats:
    """Of the `LATELY` slots whose errors are known at each slot."""
    rows, slots = value_ds.shape
    padded = np.zeros((rows, slots + LATELY - 1), np.float32)
    padded[:, LATELY + lead - 1 :] = value_ds[:, : slots - lead]
    two = padded[:, 1:] + padded[:, :-1]
    four = two[:, 2:] + two[:, :-2]
    total: Floats = four[:, 8:] + four[:, 4:-4] + four[:, :-8]
    return total


def _quantile(values_ds: Floats, count_d: NDArray[np.int32], quantile_d: Floats, lead: int) -> Floats:
    """Of what is known in each row: the value of rank q (n + c), c being 1 for errors that know nothing of each other.

    Forecasts of h slots overlap, so that n errors tell as little as n / c independent ones, c = (2 h^2 + 1) / (3 h):
    one more value of the same kind exceeds the rank q (n + 1) of n with 1 - q. Source of c: the sum of the squared
    autocorrelations 1 - k/h of sums of h changes that know nothing of each other.
    """
    ordered = np.sort(values_ds, axis=1)
    overlap = (2.0 * lead**2 + 1.0) / (3.0 * lead)
    last_d = np.maximum(count_d - 1, 0)
    rank = np.clip(quantile_d * (count_d + overlap) - 1.0, 0.0, last_d)
    low = rank.astype(np.int64)
    high = np.minimum(low + 1, last_d)
    rows = np.arange(len(ordered))
    found = ordered[rows, low] + (rank - low) * (ordered[rows, high] - ordered[rows, low])
    return np.where(count_d > 0, found, 0.0).astype(np.float32)
