"""Which token mix is a deployment sized for? One that stays while what is observed may be noise, and follows when not.

In: the mix in use, the latest look and the recent past. Out: the mix to use from now on. A mix that was averaged over
a few requests trembles by tens of percent, and safe rates with it; what moves replicas must be more than that.

- Heavier soon: where the latest look and the one a window before it are both half as heavy again as the mix in use,
  heavier than noise of so few requests explains, or two of the longest among them, and no lull, the latest counts from
  now on. One alone may be a queue that drains: of what a burst has left, the longest end last.
- Otherwise the mean of the recent past decides, weighted by requests: it is taken over, up or down, where it has moved
  away by more than the tolerance. The recent past is ten minutes, and as much more of the hour as it takes for a mean
  that stands still: a dozen requests a minute, some of them fifty times as long as most, need all of it. After a jump
  it is what came since.
- All lengths are of one source, and the p95 are as far above their means as in the last hour: a look's own trembles.
- What is taken over lies on a grid, so that a mix that comes back asks the question that was simulated already.
- The largest length is that of the last hour. It is the bound of a bucket, which does not tremble, and a single longer
  request is no noise: with it the limit that all seemed to keep is gone.

Axes: K lengths (prompt mean, prompt p95, output mean, output p95), D deployments, S samples. Design: section 4.
"""

import math
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from plimsoll.forecast.last_hour import AVERAGED, SAMPLE_S, LastHour

Floats = NDArray[np.float64]

MIX_WINDOW_S = 600.0
"""The recent past that the mix is averaged over at least. A guess; over 30 minutes the mixes of the Azure conversation
hour would be late, and cost 10% more."""

STEADY_RATIO = 0.1
"""Standard deviation of the mean at which the recent past is long enough: the least drift that is followed."""

TOLERANCE_RATIO, LARGEST_TOLERANCE_RATIO = 0.1, 0.25
"""Bounds of the drift of the mean that is not worth new safe rates: 10% is far within the default headroom, and more
than 25% is not left out of account however few the requests."""

P95_DEVIATION = 1.6
"""Times that of a mean: log-normal lengths with sigma 0.8 to 1.0 have sqrt(.95 x .05) / .103 x sigma = 1.7 to 2.1."""

MEANS, TAILS = [0, 2], [1, 3]
"""Places of the means and of the p95 along K."""

GRID_RATIO = 1.1
"""From one length of the grid to the next. At most 5% off is half of the tolerance, so that none is left at once."""

JUMP_RATIO = 1.5
"""Looks must be so much heavier to count before the mean does, which has moved by a tenth of it a minute later. On the
recorded Azure hours looks are up to 1.4 times as heavy as the ten minutes around them."""

JUMP_REQUESTS_RATIO = 0.9
"""And the latest must be of at least this share of the requests that a look of the recent past has: in a lull, and
while a queue drains, long ones are what is left of earlier load. A guess."""

JUMP_DEVIATIONS, DRIFT_DEVIATIONS = 4.0, 1.5
"""Standard deviations beyond which a look, and the mean of the recent past, is no noise. Tried on log-normal
lengths at 0.1 to 10 req/s: lengths are skewed, so that 3 would make every hour jump once, and 1 would drift often."""

LONGEST_BY_CHANCE = 2.0
"""So many requests of the largest length known may lie in one look by chance: among forty, two that write 1,000 tokens
where most write 20 are 50 tokens in the mean, and no deviation of so few tells that. A guess."""

LEAST_DEVIATION, MOST_DEVIATION = 1.3, 4.0
"""Bounds of the relative standard deviation that one request's length is taken to have: that of log-normal lengths with
sigma = 1.0 and 1.7. A few looks can show less by chance; more, where a mix does drift."""


_ROWS_AT_ONCE = 250
"""Rows of a block, so that what is worked on stays in the cache. Measured: 10,000 at once take twice as long."""


@dataclass(frozen=True, slots=True)
class Looks:
    """What is known of the mixes of some deployments, one column each."""

    latest_kd: Floats
    latest_requests_d: Floats
    """Over how many requests the latest look was averaged."""
    before_kd: Floats
    """Of the newest look that shares no request with the latest; NaN where there is none."""
    mean_kd: Floats
    """Of the recent past, weighted by requests; 0 where there were none."""
    recent_requests_d: Floats
    usual_requests_d: Floats
    """What a look of the recent past is averaged over."""
    longest_kd: Floats
    """The largest lengths of the hour, to size for: of prompts and outputs, infinite where one is not known."""
    deviation_kd: Floats
    """Relative standard deviation of one request's length, so that n of them leave 1 / sqrt(n) of it in the mean."""


def looks_of(
    hour: LastHour,
    rows: NDArray[np.int64],
    latest_rps_d: Floats,
    window_d: Floats,
    jumped_d: Floats,
    now_s: float,
) -> Looks:
    """The latest look and the recent past of these rows.

    Args:
        hour: with the latest look in it.
        rows: of the deployments, all of them just looked at.
        latest_rps_d: the rate of the latest look.
        window_d: over which rates are averaged, in seconds.
        jumped_d: when looks last made each mix heavier before the mean did; what came before tells nothing since.
        now_s: the snapshot's time.
    """
    blocks = [slice(first, first + _ROWS_AT_ONCE) for first in range(0, len(rows), _ROWS_AT_ONCE)]
    parts = [_looks_of(hour, rows[some], latest_rps_d[some], window_d[some], jumped_d[some], now_s) for some in blocks]
    return Looks(*(np.concatenate([getattr(part, each.name) for part in parts], axis=-1) for each in fields(Looks)))


def _looks_of(
    hour: LastHour, rows: NDArray[np.int64], latest_rps_d: Floats, window_d: Floats, jumped_d: Floats, now_s: float
) -> Looks:
    # Where there is no look there are no requests: filled once, for every sum below.
    at_ds, rate_ds = hour.at_ds[rows], np.nan_to_num(hour.rate_ds[rows])
    tokens_kds = np.nan_to_num(hour.tokens_kds[:AVERAGED, rows].astype(np.float64))
    means_kds, stands_s_ds = tokens_kds[MEANS], _stands_s(at_ds, window_d)
    latest_kd = tokens_kds[:, :, -1].round(2)
    shape_kd = _weighted(tokens_kds, rate_ds)
    # Where no look of the hour had a request, the latest mix tells it.
    shape_kd = np.where(shape_kd[:1] > 0.0, shape_kd, latest_kd)
    longer_kd = shape_kd[TAILS] / np.maximum(shape_kd[MEANS], 1e-9)
    place_ds = _a_window_before(at_ds, window_d)
    deviation_kd = _request_deviation(means_kds, rate_ds * window_d[:, None], place_ds, shape_kd[MEANS])
    # After a clock was set back a jump is still to come, and separates nothing.
    apart_d = np.maximum(np.where(jumped_d <= now_s, jumped_d, -np.inf), _since_gap(at_ds))
    ten_minutes_d = np.maximum(apart_d, now_s - MIX_WINDOW_S)
    steady_d = _steady_since(at_ds, rate_ds * stands_s_ds, deviation_kd.max(axis=0))
    recent_ds = at_ds >= np.maximum(apart_d, np.minimum(ten_minutes_d, steady_d))[:, None]
    # Every look, though they share requests: one of Prometheus sees three of four scrape intervals, and which ones are
    # missed by all that are a window apart changes with the moment.
    mean_kd = np.empty_like(latest_kd)
    mean_kd[MEANS] = _weighted(means_kds, rate_ds * recent_ds)
    mean_kd[TAILS] = mean_kd[MEANS] * longer_kd
    latest_kd[TAILS] = (latest_kd[MEANS] * longer_kd).round(2)
    # Not much older either: after a gap it would be of another time.
    ago_ds = now_s - at_ds
    before_ds = (ago_ds >= window_d[:, None]) & (ago_ds <= 2.0 * window_d[:, None] + SAMPLE_S)
    return Looks(
        latest_kd=latest_kd,
        latest_requests_d=latest_rps_d * window_d,
        before_kd=_newest(tokens_kds, before_ds),
        # Rounding hides the errors of a mean of equals, which would carry a mix past a limit it only touches.
        mean_kd=mean_kd.round(2),
        recent_requests_d=_requests(rate_ds, stands_s_ds, recent_ds, window_d),
        usual_requests_d=_mean_rps(rate_ds, at_ds >= ten_minutes_d[:, None]) * window_d,
        longest_kd=_longest(hour, rows),
        deviation_kd=np.repeat(deviation_kd, 2, axis=0) * np.array([[1.0], [P95_DEVIATION], [1.0], [P95_DEVIATION]]),
    )


def _stands_s(at_ds: Floats, window_d: Floats) -> Floats:
    """For how long each look stands: since the look before it, at most the window that it was averaged over."""
    stands_s_ds: Floats = np.fmin(np.diff(at_ds, axis=1, prepend=np.nan), window_d[:, None])
    return stands_s_ds


def _a_window_before(at_ds: Floats, window_d: Floats) -> NDArray[np.int64]:
    """Of each look the place of the newest one that shares no request with it; -1 where there is none."""
    place_ds = np.full(at_ds.shape, -1, dtype=np.int64)
    here = np.arange(at_ds.shape[1])
    # At most one look is remembered in each stretch of `SAMPLE_S`, so that so many reach over a window.
    farthest = math.ceil(window_d.max(initial=0.0) / SAMPLE_S) + 1
    for back in range(1, min(farthest + 1, at_ds.shape[1])):
        since_s_ds = at_ds[:, back:] - at_ds[:, :-back]
        found = (since_s_ds >= window_d[:, None]) & (place_ds[:, back:] < 0)
        place_ds[:, back:] = np.where(found, here[:-back], place_ds[:, back:])
        if not (since_s_ds < window_d[:, None]).any():
            break
    return place_ds


def _since_gap(at_ds: Floats) -> Floats:
    """When looks came again after a time longer than the shortest past: what was before it is of another time."""
    # A clock that was set back leaves holes between looks.
    after_gap_ds = at_ds[:, 1:] - np.fmax.accumulate(at_ds, axis=1)[:, :-1] > MIX_WINDOW_S
    since_d: Floats = np.where(after_gap_ds, at_ds[:, 1:], -np.inf).max(axis=1, initial=-np.inf)
    return since_d


def _steady_since(at_ds: Floats, requests_ds: Floats, deviation_d: Floats) -> Floats:
    """Since when so many requests were seen that their mean stands still; minus infinity where the hour has too few."""
    seen_ds = np.cumsum(requests_ds[:, ::-1], axis=1)[:, ::-1]
    enough_ds = seen_ds >= ((deviation_d / STEADY_RATIO) ** 2)[:, None]
    since_d: Floats = np.where(enough_ds & ~np.isnan(at_ds), at_ds, -np.inf).max(axis=1)
    return since_d


def _requests(rate_ds: Floats, stands_s_ds: Floats, counted_ds: NDArray[np.bool_], window_d: Floats) -> Floats:
    """How many requests those looks saw, the oldest of them all of its window."""
    oldest_ds = counted_ds & (np.cumsum(counted_ds, axis=1) == 1)
    seen_s_ds = np.where(oldest_ds, window_d[:, None], stands_s_ds)
    seen_d: Floats = (rate_ds * seen_s_ds * counted_ds).sum(axis=1)
    return seen_d


def _mean_rps(rate_ds: Floats, counted_ds: NDArray[np.bool_]) -> Floats:
    mean_d: Floats = (rate_ds * counted_ds).sum(axis=1) / np.maximum(counted_ds.sum(axis=1), 1)
    return mean_d


def _request_deviation(mean_kds: Floats, requests_ds: Floats, place_ds: NDArray[np.int64], all_kd: Floats) -> Floats:
    """What looks over n requests each differ by from that a window before, times sqrt(n / 2): a drift hardly counts."""
    before_ds = np.where(place_ds >= 0, np.take_along_axis(requests_ds, place_ds, axis=1), 0.0)
    pairs_ds = 2.0 * requests_ds * before_ds / np.maximum(requests_ds + before_ds, 1e-9)
    apart_kds = mean_kds - np.take_along_axis(mean_kds, place_ds[None], axis=2)
    squares_kd = np.einsum("ds,kds,kds->kd", pairs_ds, apart_kds, apart_kds) / np.maximum(all_kd, 1e-9) ** 2
    variance_kd = squares_kd / 2.0 / np.maximum((pairs_ds > 0.0).sum(axis=1), 1)
    deviation_kd: Floats = np.clip(np.sqrt(variance_kd), LEAST_DEVIATION, MOST_DEVIATION)
    return deviation_kd


def mixes_in_use(used_kd: Floats, jumped_d: Floats, looks: Looks, now_s: float) -> tuple[Floats, Floats]:
    """The mixes to size for from now on, and when each last jumped.

    Args:
        used_kd: what was in use until now; NaN at the first look.
        jumped_d: when looks last made it heavier before the mean did; minus infinity where none did.
        looks: of the same deployments.
        now_s: the snapshot's time.
    """
    seen_kd, mean_kd = looks.latest_kd, looks.mean_kd
    tells_d = looks.latest_requests_d >= JUMP_REQUESTS_RATIO * looks.usual_requests_d
    noise_kd = JUMP_DEVIATIONS * looks.deviation_kd / np.sqrt(np.maximum(looks.latest_requests_d, 1.0))
    longest_kd = np.where(np.isfinite(looks.longest_kd), looks.longest_kd, 0.0)
    by_chance_kd = LONGEST_BY_CHANCE * longest_kd / np.maximum(looks.latest_requests_d, 1.0)
    heavy_kd = (used_kd * np.maximum(JUMP_RATIO, 1.0 + noise_kd))[MEANS]
    heavy_kd = np.maximum(heavy_kd, used_kd[MEANS] + by_chance_kd)
    # NaN is above nothing: where there is no look before, the latest may be the end of a burst.
    jumps_d = ((seen_kd[MEANS] > heavy_kd) & (looks.before_kd[MEANS] > heavy_kd)).any(axis=0) & tells_d
    drift_kd = DRIFT_DEVIATIONS * looks.deviation_kd / np.sqrt(np.maximum(looks.recent_requests_d, 1.0))
    drift_kd = np.clip(drift_kd, TOLERANCE_RATIO, LARGEST_TOLERANCE_RATIO)
    moved_d = (np.abs(mean_kd - used_kd) > drift_kd * used_kd).any(axis=0) & (looks.recent_requests_d > 0.0)
    # All lengths of one source: the mean of one time beside the p95 of another is a tail that nobody has.
    found_kd = np.where(jumps_d, _on_grid(seen_kd), np.where(moved_d, _on_grid(mean_kd), used_kd))
    found_kd = np.where(np.isnan(used_kd), seen_kd, found_kd)
    return found_kd, np.where(jumps_d, now_s, jumped_d)


def _on_grid(length_kd: Floats) -> Floats:
    """The nearest length of the grid, 0 where there is none."""
    step = np.log(GRID_RATIO)
    nearest_kd: Floats = np.exp(np.round(np.log(np.maximum(length_kd, 1e-9)) / step) * step).round(2)
    return np.where(length_kd > 0.0, nearest_kd, 0.0)


def _newest(tokens_kds: Floats, counted_ds: NDArray[np.bool_]) -> Floats:
    """Of the newest sample that counts; NaN where none does."""
    newest_d = counted_ds.shape[1] - 1 - np.argmax(counted_ds[:, ::-1], axis=1)
    found_kd: Floats = tokens_kds[:, np.arange(len(counted_ds)), newest_d]
    return np.where(counted_ds.any(axis=1), found_kd, np.nan)


def _weighted(tokens_kds: Floats, weight_ds: Floats) -> Floats:
    """The mean over samples; 0 where none has a weight."""
    total_d = weight_ds.sum(axis=1)
    mean_kd: Floats = np.einsum("kds,ds->kd", tokens_kds, weight_ds) / np.where(total_d > 0.0, total_d, 1.0)
    return mean_kd


def _longest(hour: LastHour, rows: NDArray[np.int64]) -> Floats:
    """The largest lengths of prompts and outputs; infinite where the hour shows one that is not known."""
    there_ds = ~np.isnan(hour.at_ds[rows])
    longest_kd: Floats = np.where(there_ds, hour.tokens_kds[AVERAGED:, rows], -np.inf).max(axis=2).astype(np.float64)
    return longest_kd
