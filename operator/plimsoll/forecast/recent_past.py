"""What does the rule of the recent past say: which level has demand had lately, and does it clearly rise?

In: the samples of the last hour. Out: for each deployment the quantile of its recent samples less what chance has in
it, the highest of them and the slope of their rise, 0 where it is not clear. Plain on purpose: it needs no more than
minutes of looks, and stands until another way has been shown to be better. All deployments at once.

Axes: D deployments, S samples, P pairs of samples. Design: section 4.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from plimsoll.domain import Policy
from plimsoll.forecast.chance import variance_of_looks

Floats = NDArray[np.float64]

TREND_SAMPLES = 6
"""Fewer show no trend, however long they span. A guess."""

CLEAR_RISE = 0.4
"""Kendall's tau, (rising pairs - falling pairs) / pairs, below which a rise is no trend, however many samples show it:
samples of a rate over a minute are not independent. A guess."""

CLEAR_RISE_DEVIATIONS = 2.5
"""And tau and the slope must be this many of their own standard deviations above 0. Convention: 1 in 160 by chance."""

LONGEST_REACH = 2.0
"""Extrapolation ends at this multiple of the highest rate of the recent past: no line goes on for ever. A guess."""

SURE_DEVIATIONS = 1.5
"""By so many standard deviations of a count the latest rate may be above the true one by chance. A guess."""

MOST_TREND_SAMPLES = 61
"""Ten minutes of looks. Of more, every second or third is taken: pairs grow with the square, what they tell less."""

WINDOW_IN_STABILISATIONS = 2.0
"""The recent past, as a multiple of the policy's scale-down stabilisation: 10 minutes by default. A guess that lets one
setting say how slowly a deployment forgets."""

SHORTEST_WINDOW_S, LONGEST_WINDOW_S = 60.0, 1800.0
"""Bounds of the recent past: below, a quantile is of a handful of samples; above, a morning still counts at noon."""

_ROWS_AT_ONCE = 250
_LARGEST_LOGARITHM = 100.0


def window_s(policy: Policy) -> float:
    """How far back the recent past goes."""
    wanted_s = WINDOW_IN_STABILISATIONS * policy.scale_down_stabilization_s
    return min(max(wanted_s, SHORTEST_WINDOW_S), LONGEST_WINDOW_S)


@dataclass(frozen=True, slots=True)
class RecentPast:
    """Of each row; a level and a highest of 0 where there is no sample."""

    level_d: Floats
    seen_level_d: Floats
    """The same with chance: what is held against what comes, which has it in it, too."""
    highest_d: Floats
    slope_d: Floats
    """Requests per second more each second, never below 0."""
    span_s_d: Floats
    """From the first to the last sample. A rise is not expected to go on for longer than it was seen."""

    def as_seen(self) -> "RecentPast":
        """With chance in the level."""
        return replace(self, level_d=self.seen_level_d)

    def reach(self, latest_d: Floats) -> Floats:
        """Beyond which nothing is expected."""
        now_d = np.maximum(latest_d, self.level_d)
        reach_d: Floats = np.maximum(now_d, LONGEST_REACH * np.maximum(latest_d, self.highest_d))
        return reach_d

    def expected(self, latest_d: Floats, lead_dl: Floats) -> Floats:
        """What is to be expected so long after the latest rate, at least that. Axes: D, lead times."""
        now_d = np.maximum(latest_d, self.level_d)
        rise_dl = self.slope_d[:, None] * np.minimum(lead_dl, self.span_s_d[:, None])
        rate_dl: Floats = np.minimum(self.reach(latest_d)[:, None], now_d[:, None] + rise_dl)
        return rate_dl


def recent_past(
    at_ds: Floats,
    rate_ds: Floats,
    from_d: Floats,
    quantile_d: Floats,
    averaged_s_d: Floats,
    shorter_cv2_d: Floats,
) -> RecentPast:
    """What the samples from a moment on say.

    Args:
        at_ds: when each sample was taken, rising, NaN where there is none.
        rate_ds: requests per second.
        from_d: the moment from which a row's samples count.
        quantile_d: the share of the samples that shall lie below the level, 0 to 1.
        averaged_s_d: over how many seconds each rate is an average.
        shorter_cv2_d: how much of an average's variance is that of shorter bursts (`chance.shorter_cv2`).
    """
    counted = at_ds >= from_d[:, None]
    count_d = counted.sum(axis=1)
    widest = int(np.argmax(counted.any(axis=0))) if counted.any() else at_ds.shape[1]
    at_ds, rate_ds, counted = at_ds[:, widest:], rate_ds[:, widest:], counted[:, widest:]
    known_ds = np.where(counted, rate_ds, np.nan)
    latest_d = np.where(counted, at_ds, -np.inf).max(axis=1, initial=-np.inf)
    span_s_d = np.where(count_d > 0, latest_d - np.where(counted, at_ds, np.inf).min(axis=1, initial=np.inf), 0.0)
    seen_level_d = _quantile(known_ds, count_d, quantile_d)
    return RecentPast(
        _less_chance(seen_level_d, known_ds, count_d, averaged_s_d, shorter_cv2_d),
        seen_level_d,
        np.where(counted, rate_ds, 0.0).max(axis=1, initial=0.0),
        _rising_slope(np.where(counted, at_ds, np.nan), known_ds, count_d, averaged_s_d),
        span_s_d,
    )


def surely_rps(latest_d: Floats, averaged_s_d: Floats) -> Floats:
    """What of the latest rates is more than the chance of counting: Poisson arrivals, variance of a rate: rate / time.

    Sizing plays Poisson arrivals, minutes of many among them, so that their chance must not be planned for twice.
    """
    surely_d: Floats = latest_d - SURE_DEVIATIONS * np.sqrt(latest_d / averaged_s_d)
    return np.maximum(surely_d, 0.0)


def _less_chance(
    quantile_d: Floats, known_ds: Floats, count_d: NDArray[np.int64], averaged_s_d: Floats, shorter_cv2_d: Floats
) -> Floats:
    """The quantile, its distance from the mean less what chance has in it."""
    if not known_ds.shape[1]:
        return quantile_d
    number_d = np.maximum(count_d, 1)
    mean_d = np.nansum(known_ds, axis=1) / number_d
    square_d = np.nansum(known_ds**2, axis=1) / number_d
    variance_d = np.nansum((known_ds - mean_d[:, None]) ** 2, axis=1) / number_d
    chance_d = variance_of_looks(mean_d, square_d, averaged_s_d, shorter_cv2_d)
    genuine_d = np.where(variance_d > 0.0, 1.0 - chance_d / np.where(variance_d > 0.0, variance_d, 1.0), 0.0)
    level_d: Floats = mean_d + (quantile_d - mean_d) * np.sqrt(np.clip(genuine_d, 0.0, 1.0))
    return level_d


def _quantile(known_ds: Floats, count_d: NDArray[np.int64], quantile_d: Floats) -> Floats:
    if not known_ds.shape[1]:
        return np.zeros(len(known_ds))
    ordered = np.sort(known_ds, axis=1)
    rank = quantile_d * np.maximum(count_d - 1, 0)
    low = rank.astype(np.int64)
    high = np.minimum(low + 1, np.maximum(count_d - 1, 0))
    rows = np.arange(len(ordered))
    # Written so that equal neighbours leave their value exactly as it is.
    found = ordered[rows, low] + (rank - low) * (ordered[rows, high] - ordered[rows, low])
    return np.where(count_d > 0, found, 0.0)


def _rising_slope(at_ds: Floats, rate_ds: Floats, count_d: NDArray[np.int64], averaged_s_d: Floats) -> Floats:
    """The median slope of all pairs of samples (Theil and Sen), where the rise is clear; 0 otherwise.

    A median, so that a burst or a gap of a quarter of the samples does not turn it.
    """
    slope_d = np.zeros(len(at_ds))
    stride_d = -(-count_d // MOST_TREND_SAMPLES)
    for stride in np.unique(stride_d[count_d >= TREND_SAMPLES]).tolist():
        rows = np.flatnonzero((stride_d == stride) & (count_d >= TREND_SAMPLES))
        for first in range(0, len(rows), _ROWS_AT_ONCE):
            some = rows[first : first + _ROWS_AT_ONCE]
            columns = slice((at_ds.shape[1] - 1) % stride, None, stride)
            # One row with a long past must not make the others' pairs more.
            first_known = int(np.argmax(~np.isnan(at_ds[some, columns]).all(axis=0)))
            columns = slice((at_ds.shape[1] - 1) % stride + first_known * stride, None, stride)
            slope_d[some] = _slope(at_ds[some, columns], rate_ds[some, columns], averaged_s_d[some])
    return slope_d


def _slope(at_ds: Floats, rate_ds: Floats, averaged_s_d: Floats) -> Floats:
    earlier, later = np.triu_indices(at_ds.shape[1], k=1)
    rise_dp = rate_ds[:, later] - rate_ds[:, earlier]
    known_dp = ~np.isnan(rise_dp)
    count_d = (~np.isnan(rate_ds)).sum(axis=1)
    tau_d = np.where(known_dp, np.sign(rise_dp), 0.0).sum(axis=1) / np.maximum(known_dp.sum(axis=1), 1)
    clear = (count_d >= TREND_SAMPLES) & (
        tau_d >= np.maximum(CLEAR_RISE, CLEAR_RISE_DEVIATIONS * _kendall_deviation(count_d))
    )
    slope_d = np.zeros(len(at_ds))
    if clear.any():
        after_dp = at_ds[clear][:, later] - at_ds[clear][:, earlier]
        slope_c = np.maximum(0.0, np.nanmedian(rise_dp[clear] / after_dp, axis=1))
        least_c = _least_slope(at_ds[clear], rate_ds[clear], slope_c, averaged_s_d[clear])
        goes_on_c = _goes_on(at_ds[clear], rate_ds[clear])
        slope_d[clear] = np.where((slope_c >= least_c) & goes_on_c, slope_c, 0.0)
    return slope_d


def _goes_on(at_ds: Floats, rate_ds: Floats) -> NDArray[np.bool_]:
    """Whether the rates look more like a rise that goes on to the end than like a step that is over.

    Each is fitted by least squares with the moment at which it begins left free, so that the two have as much to fit
    with. A step of minutes ago has as many rising pairs as a ramp, and would be extrapolated to twice its height.
    """
    known_ds = ~np.isnan(rate_ds)
    count_d = np.maximum(known_ds.sum(axis=1), 1)
    off_ds = np.where(known_ds, rate_ds - (np.nansum(rate_ds, axis=1) / count_d)[:, None], 0.0)
    first_d = np.nanmin(at_ds, axis=1)
    time_ds = np.where(known_ds, at_ds - first_d[:, None], 0.0)
    # Of what a model explains, as it begins with each sample but the first. Axes: D, S, moments of the beginning.
    since_dsm = np.where(known_ds[:, :, None], np.maximum(time_ds[:, :, None] - time_ds[:, None, :], 0.0), 0.0)
    after_dsm = (since_dsm > 0.0).astype(np.float64)
    moments_dm = np.where(known_ds, 1.0, 0.0)
    rise_d = (_explained(since_dsm, off_ds, count_d) * moments_dm).max(axis=1)
    step_d = (_explained(after_dsm, off_ds, count_d) * moments_dm).max(axis=1)
    goes_on: NDArray[np.bool_] = rise_d >= step_d
    return goes_on


def _explained(model_dsm: Floats, off_ds: Floats, count_d: NDArray[np.int64]) -> Floats:
    """Sum of squares that a model beside a constant explains. Axes: D, M."""
    mean_dm = model_dsm.sum(axis=1) / count_d[:, None]
    square_dm = (model_dsm**2).sum(axis=1) - count_d[:, None] * mean_dm**2
    both_dm = np.einsum("dsm,ds->dm", model_dsm, off_ds)
    explained_dm: Floats = np.where(square_dm > 1e-12, both_dm**2 / np.maximum(square_dm, 1e-12), 0.0)
    return np.where(both_dm > 0.0, explained_dm, 0.0)


def _least_slope(at_ds: Floats, rate_ds: Floats, slope_d: Floats, averaged_s_d: Floats) -> Floats:
    """The slope that the noise of these rates might show by chance; infinite where their span tells nothing of it.

    Averages that overlap are no independent samples: there are as many as the span holds, and one more. For the length
    of one average a step looks exactly like a ramp, so that much must be seen besides. The noise is that of Poisson
    arrivals (variance of a rate: rate / time averaged over) or, where more, what the rates show around the line. Least
    squares stands for the median slope: as exact within a few percent where noise is normal (Sen 1968).
    """
    known_ds = ~np.isnan(rate_ds)
    count_d = known_ds.sum(axis=1)
    span_s_d = np.nanmax(at_ds, axis=1) - np.nanmin(at_ds, axis=1)
    samples_d = np.minimum(count_d, 1.0 + span_s_d / averaged_s_d)
    degrees_d = samples_d - 2.0
    # The deviation of a slope is that of a sample over that of the times, times the root of the samples.
    times_d = np.nanstd(at_ds, axis=1) * np.sqrt(samples_d)
    off_ds = rate_ds - slope_d[:, None] * (at_ds - np.nanmean(at_ds, axis=1)[:, None])
    free_d = np.where(degrees_d > 0.0, degrees_d, 1.0)
    around = np.nanstd(off_ds, axis=1) * np.sqrt(samples_d / free_d)
    counting = np.sqrt(np.nanmean(rate_ds, axis=1) / averaged_s_d)
    noise_d = np.maximum(_student(free_d) * around, CLEAR_RISE_DEVIATIONS * counting)
    return np.where(degrees_d > 0.0, noise_d / times_d, np.inf)


def _student(degrees_d: Floats) -> Floats:
    """As many standard deviations as `CLEAR_RISE_DEVIATIONS`, where they are known from few samples only.

    The quantile of Student's t, for any number of degrees of freedom. Source: Wallace 1959, 2% too high at four
    degrees, more below.
    """
    as_normal_d = CLEAR_RISE_DEVIATIONS * (8.0 * degrees_d + 3.0) / (8.0 * degrees_d + 1.0)
    # A bound, beyond which it is anything: the exponential of almost no degrees of freedom is no number.
    t_d: Floats = np.sqrt(degrees_d * np.expm1(np.minimum(as_normal_d**2 / degrees_d, _LARGEST_LOGARITHM)))
    return t_d


def _kendall_deviation(count_d: NDArray[np.int64]) -> Floats:
    """Standard deviation of tau without a trend: sqrt(2 (2 n + 5) / (9 n (n - 1))). Source: Kendall 1938."""
    n = np.maximum(count_d, 2).astype(np.float64)
    deviation: Floats = np.sqrt(2.0 * (2.0 * n + 5.0) / (9.0 * n * (n - 1.0)))
    return deviation
