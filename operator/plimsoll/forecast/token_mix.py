"""Which token mix is a deployment sized for? One that stays while what is observed may be noise, and follows when not.

In: the mix in use, the latest look and the recent past. Out: the mix to use from now on. A mix that was averaged over
a few requests trembles by tens of percent, and safe rates with it; what moves replicas must be more than that.

- Heavier soon: where the latest look and the one a window before it are both half as heavy again as the mix in use,
  heavier than noise of so few requests explains and no lull, the latest counts from now on. One alone may be a queue
  that drains: of what a burst has left, the longest end last.
- Otherwise the mean of the recent past decides, weighted by requests: it is taken over, up or down, where it has moved
  away by more than the tolerance. After a jump it is that of what came since.
- All lengths are of one source, and the p95 are as far above their means as in the last hour: a look's own trembles.
- What is taken over lies on a grid, so that a mix that comes back asks the question that was simulated already.
- The largest length is that of the last hour. It is the bound of a bucket, which does not tremble, and a single longer
  request is no noise: with it the limit that all seemed to keep is gone.

Axes: K lengths (prompt mean, prompt p95, output mean, output p95), D deployments, S samples. Design: section 4.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plimsoll.forecast.last_hour import AVERAGED, SAMPLE_S, LastHour

Floats = NDArray[np.float64]

MIX_WINDOW_S = 600.0
"""The recent past that the mix is averaged over. A guess: some hundred requests even at one in three seconds."""

TOLERANCE_RATIO, LARGEST_TOLERANCE_RATIO = 0.1, 0.25
"""Bounds of the drift of the mean that is not worth new safe rates: 10% is far within the default headroom, and more
than 25% is not left out of account however few the requests."""

MEANS, TAILS = [0, 2], [1, 3]
"""Places of the means and of the p95 along K."""

MINUTE_SAMPLES = 6
"""Of the hour, one sample a minute tells how long its tails are."""

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

REQUEST_DEVIATIONS = np.array([1.3, 2.1, 1.3, 2.1])
"""Relative standard deviation of one request's length, so that n of them leave 1 / sqrt(n) of it in the mean. A guess
by log-normal lengths with sigma = 0.8 to 1.0: 0.95 to 1.3 for a mean, sqrt(.95 x .05) / .103 x sigma = 1.7 to 2.1 for
a p95 (a geometric length has less: 1.0 and 1.5)."""


@dataclass(frozen=True, slots=True)
class Looks:
    """What is known of the mixes of some deployments, one column each."""

    latest_kd: Floats
    latest_requests_d: Floats
    """Over how many requests the latest look was averaged."""
    before_kd: Floats
    """Of the newest look that shares no request with the latest; NaN where there is none."""
    mean_kd: Floats
    """Of the last `MIX_WINDOW_S`, weighted by requests; 0 where there were none."""
    recent_requests_d: Floats
    usual_requests_d: Floats
    """What a look of the recent past is averaged over."""


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
    columns = slice(-int(MIX_WINDOW_S / SAMPLE_S) - 2, None)
    at_ds, rate_ds = hour.at_ds[rows, columns], hour.rate_ds[rows, columns]
    tokens_kds = hour.tokens_kds[:AVERAGED, rows, columns].astype(np.float64)
    # After a clock was set back a jump is still to come, and separates nothing.
    since_d = np.maximum(now_s - MIX_WINDOW_S, np.where(jumped_d <= now_s, jumped_d, -np.inf))
    recent = at_ds >= since_d[:, None]
    weight_ds = np.where(recent, rate_ds, 0.0)
    total_d = weight_ds.sum(axis=1)
    latest_kd = tokens_kds[:, :, -1].round(2)
    weighted_kd = _weighted(tokens_kds, weight_ds)
    minutes = slice(None, None, -MINUTE_SAMPLES)
    shape_kd = _weighted(hour.tokens_kds[:AVERAGED, rows, minutes].astype(np.float64), hour.rate_ds[rows, minutes])
    # Where none of those minutes had a request, the latest mix tells it.
    shape_kd = np.where(shape_kd[:1] > 0.0, shape_kd, latest_kd)
    longer_kd = shape_kd[TAILS] / np.maximum(shape_kd[MEANS], 1e-9)
    weighted_kd[TAILS] = weighted_kd[MEANS] * longer_kd
    latest_kd[TAILS] = (latest_kd[MEANS] * longer_kd).round(2)
    # Rounding hides the errors of a mean of equals, which would carry a mix past a limit it only touches.
    mean_kd = weighted_kd.round(2)
    # The oldest sample, too, stands for the window before it.
    recent_s = now_s - np.where(recent, at_ds, now_s).min(axis=1) + window_d
    mean_rps_d = total_d / np.maximum(recent.sum(axis=1), 1)
    # Not much older either: after a gap it would be of another time.
    ago_ds = now_s - at_ds
    before_ds = (ago_ds >= window_d[:, None]) & (ago_ds <= 2.0 * window_d[:, None] + SAMPLE_S)
    before_kd = _newest(tokens_kds, before_ds)
    return Looks(latest_kd, latest_rps_d * window_d, before_kd, mean_kd, mean_rps_d * recent_s, mean_rps_d * window_d)


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
    noise_kd = JUMP_DEVIATIONS * _deviation(looks.latest_requests_d)
    heavy_kd = used_kd * np.maximum(JUMP_RATIO, 1.0 + noise_kd)
    # NaN is above nothing: where there is no look before, the latest may be the end of a burst.
    jumps_d = ((seen_kd > heavy_kd) & (looks.before_kd > heavy_kd))[MEANS].any(axis=0) & tells_d
    drift_kd = np.clip(DRIFT_DEVIATIONS * _deviation(looks.recent_requests_d), TOLERANCE_RATIO, LARGEST_TOLERANCE_RATIO)
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
    weight_ds = np.nan_to_num(weight_ds)
    total_d = weight_ds.sum(axis=1)
    known_kds = np.where(weight_ds > 0.0, tokens_kds, 0.0)
    mean_kd: Floats = (known_kds * weight_ds).sum(axis=2) / np.where(total_d > 0.0, total_d, 1.0)
    return mean_kd


def longest_in_use(hour: LastHour, rows: NDArray[np.int64]) -> Floats:
    """The largest lengths to size for, of prompts and outputs; infinite where an hour shows one that is not known.

    Args:
        hour: with the latest look in it.
        rows: of the deployments, each with at least one look.
    """
    there_ds = ~np.isnan(hour.at_ds[rows])
    longest_kd: Floats = np.where(there_ds, hour.tokens_kds[AVERAGED:, rows], -np.inf).max(axis=2).astype(np.float64)
    return longest_kd


def _deviation(requests_d: Floats) -> Floats:
    """Relative standard deviation of each length when it is averaged over so many requests."""
    deviation: Floats = REQUEST_DEVIATIONS[:, None] / np.sqrt(np.maximum(requests_d, 1.0))
    return deviation
