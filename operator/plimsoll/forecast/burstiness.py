"""How bursty is a deployment's traffic, beyond what Poisson arrivals show by chance?

In: the remembered samples, the window that each rate was averaged over, and the burstiness in use. Out: the one to use
from now on, on a coarse grid. Counts of windows that do not overlap are compared with their neighbours, so that what
changes slowly (a ramp, a day) is left to the forecast, and the variance that Poisson arrivals would show is taken off.
What remains is told as the variance of paces that change once a window and, as `engine` plays it, again and again
within one. Pure. Design: section 4.

It is told relative to the rate at which requests come, not to the hour's mean: a percentile is one of requests, and
most of them come in the busy windows, for which the plan is made. With traffic that comes and goes the two are far
apart, and a busy window is steadier within, for its rate, than an idle one: on the recorded Azure code hour the rate
wanders by a CV2 of 6.2 from second to second in the second quarter of its minutes and of 1.6 in the busiest, where
what is told here, 0.56, means 2.8 from 15 s downwards. Relative to the mean it would be 1.1, and mean 9.

Rates must be averages over the window. Over a longer one (a custom query may have its own) bursts are seen smaller.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from plimsoll.domain import POISSON, Burstiness
from plimsoll.engine.workload import LEVEL_FACTOR

Floats = NDArray[np.float64]

FEWEST_WINDOWS = 8
"""Fewer tell nothing: the variance of 8 counts is known to within 60%. A guess."""

LONGEST_GAP_IN_WINDOWS = 2.0
"""Neighbours that lie further apart are none: what changed in between was not seen."""

CHANCE_DISPERSION = 4.0 / 3.0
"""Variance over mean of the counts of Poisson arrivals as a rate tells them: 1 would be exact counts, but Prometheus
extrapolates a rate from the scrapes inside the window, at four scrapes from three of four intervals."""

CHANCE_DEVIATIONS = 2.5
"""Standard deviations that the dispersion of Poisson arrivals may exceed its mean without being called bursts. Tried on
Poisson arrivals as Prometheus tells them: fewer than 1 in 20 deployments are called bursty in an hour of looks, and
none where counts are exact."""

LEVELS_CV2 = (0.05, 0.07, 0.1, 0.14, 0.2, 0.28, 0.4, 0.56, 0.8, 1.13, 1.6)
"""The grid: each is sized for once. The last is the bound: the rate then wanders by 126%. An hour of minutes tells less
exactly: within two steps in 85 to 100 of 100 hours of paces drawn anew each minute, within one in 32 to 76."""

NEGLIGIBLE_CV2 = 0.01
"""The rate wanders by 10% or less: far within the default headroom, and not worth being sized for as 0.05."""

SEEN_SHARE = sum(share - share**2 / 2.0 for share in (LEVEL_FACTOR**-level for level in range(3)))
"""Of the variance of paces, what neighbouring windows show of them, 0.78. Looks do not begin with the paces: over all
the moments at which these may change, paces that change b times a window have 1/b - 1/(3 b^2) of their variance in a
window's mean, of which neighbours have 1/(6 b^2) in common. So once a window shows a half, four times 0.22, sixteen
times 0.06; faster ones that are played as well show less than 0.02."""

DEAD_BAND = 1.25
"""The measure must pass a level by this factor, up or down, before another is used: as the grid's steps are of the root
of two, a level is kept while the measure stays within a factor of 2.2. A guess: an hour of minutes tells it to within
30%."""


class _Measure(NamedTuple):
    rate_cv2: float
    by_chance: bool
    """Whether Poisson arrivals may look like this."""


def burstiness_in_use(
    at_s: Floats, rate_ds: Floats, window_s: float | None, last: Sequence[Burstiness]
) -> list[Burstiness]:
    """The burstiness to size for from now on, of deployments that were looked at together.

    Args:
        at_s: when they were looked at, the oldest first.
        rate_ds: requests per second, a row for each deployment.
        window_s: over which each rate was averaged; None where that is not known.
        last: what was in use until now. It stays as long as what is measured is near it, or too little was seen.
    """
    if not window_s:
        return [POISSON] * len(last)
    measures = _measures(at_s, rate_ds, window_s)
    return [_in_use(measure, one, window_s) for measure, one in zip(measures, last, strict=True)]


def _in_use(measure: _Measure | None, last: Burstiness, window_s: float) -> Burstiness:
    level = last.rate_cv2 if measure is None else _level(measure, last.rate_cv2)
    if level <= 0.0:
        return POISSON
    return last if (level, window_s) == (last.rate_cv2, last.window_s) else Burstiness(level, window_s)


def as_told(rate_cv2: float, window_s: float) -> Burstiness:
    """The burstiness that an earlier process told, on the grid of this one."""
    level = _at_or_above(rate_cv2)
    return Burstiness(level, window_s) if level > 0.0 else POISSON


def _level(measure: _Measure, last_cv2: float) -> float:
    seen_cv2 = measure.rate_cv2
    if not measure.by_chance and seen_cv2 > last_cv2 * DEAD_BAND:
        return _at_or_above(seen_cv2)
    return min(last_cv2, _at_or_above(seen_cv2 * DEAD_BAND))


def _at_or_above(rate_cv2: float) -> float:
    if rate_cv2 <= NEGLIGIBLE_CV2:
        return 0.0
    return next((level for level in LEVELS_CV2 if level >= rate_cv2), LEVELS_CV2[-1])


def _measures(at_s: Floats, rate_ds: Floats, window_s: float) -> list[_Measure | None]:
    """None where too little was seen.

    All pairs of neighbours count, at whatever tick they end (an overlapping Allan variance), which wastes nothing and
    moves little from tick to tick. Half the variance of their differences is the variance of a count (von Neumann);
    about the mean difference, so that a ramp adds nothing.
    """
    if not len(at_s):
        return [None] * len(rate_ds)
    count_ds = rate_ds * window_s
    # The latest sample at least a window before each; -1 where there is none.
    before = np.searchsorted(at_s, at_s - window_s, side="right") - 1
    near = (before >= 0) & (at_s - at_s[before] <= LONGEST_GAP_IN_WINDOWS * window_s)
    windows = _windows(before, near)
    if windows < FEWEST_WINDOWS:
        return [None] * len(rate_ds)
    mean_d = count_ds.mean(axis=1)
    square_d = (count_ds**2).mean(axis=1)
    variance_d = np.var(count_ds[:, near] - count_ds[:, before[near]], axis=1) / 2.0
    return [
        _measure(mean, square, variance, windows) if mean > 0.0 else None
        for mean, square, variance in zip(mean_d.tolist(), square_d.tolist(), variance_d.tolist(), strict=True)
    ]


def _measure(mean: float, square: float, variance: float, windows: int) -> _Measure:
    expected = CHANCE_DISPERSION * mean
    # Of n independent counts: 3/n as if they were normal (von Neumann 1941), and 1/(n mean) for Poisson's heavier tail.
    deviation = math.sqrt((3.0 + 1.0 / mean) / windows)
    return _Measure(
        # Counts weighted by their requests have the mean square/mean. What varies is taken to vary by as much for each
        # request, as clusters of requests do: for a rate so many times the mean, its CV2 is so many times less.
        rate_cv2=max(0.0, variance - expected) / (SEEN_SHARE * square),
        by_chance=variance <= expected * (1.0 + CHANCE_DEVIATIONS * deviation),
    )


def _windows(before: NDArray[np.intp], near: NDArray[np.bool_]) -> int:
    """How many windows that do not overlap stand next to another one, counted from the latest backwards."""
    windows, at = 1, len(before) - 1
    while at >= 0 and before[at] >= 0:
        windows += bool(near[at])
        at = int(before[at])
    return windows
