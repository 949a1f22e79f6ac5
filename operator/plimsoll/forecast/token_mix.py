"""Which token mix is a deployment sized for? One that stays while what is observed may be noise, and follows when not.

In: the mix in use, the latest look and the recent past. Out: the mix to use from now on. A mix that was averaged over
a few requests trembles by tens of percent, and safe rates with it; what moves replicas must be more than that.

- Heavier at once: where the latest look is heavier than noise of so few requests explains, it counts from now on.
- Otherwise the mean of the recent past decides, weighted by requests: it is taken over, up or down, where it has moved
  away by more than the tolerance. After a jump it must first consist of what came after the jump.

Letters: arrays have one entry for each of prompt mean, prompt p95, output mean and output p95. Design: section 4.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from plimsoll.domain import DemandSample, MixInUse, TokenMix

Floats = NDArray[np.float64]

MIX_WINDOW_S = 600.0
"""The recent past that the mix is averaged over. A guess: some hundred requests even at one in three seconds."""

TOLERANCE_RATIO, LARGEST_TOLERANCE_RATIO = 0.1, 0.25
"""Bounds of the drift of the mean that is not worth new safe rates: 10% is far within the default headroom, and more
than 25% is not left out of account however few the requests."""

JUMP_DEVIATIONS, DRIFT_DEVIATIONS = 4.0, 1.5
"""Standard deviations beyond which a single look, and the mean of the recent past, is no noise. Tried on log-normal
lengths at 0.1 to 10 req/s: lengths are skewed, so that 3 would make every hour jump once, and 1 would drift often."""

REQUEST_DEVIATIONS = np.array([1.3, 2.1, 1.3, 2.1])
"""Relative standard deviation of one request's length, so that n of them leave 1 / sqrt(n) of it in the mean. A guess
by log-normal lengths with sigma = 0.8 to 1.0: 0.95 to 1.3 for a mean, sqrt(.95 x .05) / .103 x sigma = 1.7 to 2.1 for
a p95 (a geometric length has less: 1.0 and 1.5)."""


def mix_in_use(
    last: MixInUse | None,
    latest: TokenMix,
    recent: Sequence[DemandSample],
    latest_requests: float,
    recent_requests: float,
    now_s: float,
) -> MixInUse:
    """The mix to size for from now on.

    Args:
        last: what was in use until now; None at the first look.
        latest: the latest look.
        recent: the samples of the last `MIX_WINDOW_S`, this look among them.
        latest_requests: over how many requests the latest look was averaged.
        recent_requests: how many requests the recent samples stand for.
        now_s: the snapshot's time.
    """
    if last is None:
        return MixInUse(latest, None)
    used, seen, mean = _lengths(last.tokens), _lengths(latest), _mean(recent, latest)
    jumps = seen > used * (1.0 + np.maximum(TOLERANCE_RATIO, JUMP_DEVIATIONS * _deviation(latest_requests)))
    drift = np.clip(DRIFT_DEVIATIONS * _deviation(recent_requests), TOLERANCE_RATIO, LARGEST_TOLERANCE_RATIO)
    settled = last.jumped_s is None or now_s - last.jumped_s > MIX_WINDOW_S
    moved = (mean > used * (1.0 + drift)) | ((mean < used * (1.0 - drift)) & settled)
    tokens = TokenMix(*np.where(jumps, np.maximum(seen, mean), np.where(moved, mean, used)).tolist())
    return MixInUse(tokens, now_s if jumps.any() else last.jumped_s)


def _deviation(requests: float) -> Floats:
    """Relative standard deviation of each length when it is averaged over so many requests."""
    deviation: Floats = REQUEST_DEVIATIONS / np.sqrt(max(requests, 1.0))
    return deviation


def _lengths(mix: TokenMix) -> Floats:
    return np.array((mix.prompt_tokens_mean, mix.prompt_tokens_p95, mix.output_tokens_mean, mix.output_tokens_p95))


def _mean(samples: Sequence[DemandSample], latest: TokenMix) -> Floats:
    weights = np.array([sample.arrival_rate_rps for sample in samples])
    if weights.sum() <= 0.0:
        return _lengths(latest)
    mean: Floats = np.average([_lengths(sample.tokens) for sample in samples], axis=0, weights=weights)
    # Hides the rounding errors of a mean of equals, which would carry a mix past a limit it only touches.
    return mean.round(2)
