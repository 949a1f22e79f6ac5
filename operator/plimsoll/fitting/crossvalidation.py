"""How far off is the fitted law on loads that it never saw? Every request of each left-out load point is played.

In: load points. Out: relative errors of the median and p95 of both latencies, by leaving out one group of points after
another: fitted to the others, then served by the kernel of ``engine`` with evenly spaced arrivals, as load generators
send them. This is the whole chain that sizing stands on, not the law alone.
"""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from plimsoll.domain import POISSON
from plimsoll.engine.arrays import Floats, Ints
from plimsoll.engine.serving import Replica, Requests, serve
from plimsoll.engine.workload import Timeline
from plimsoll.fitting.law import CHUNK_TOKENS, Fit, fit
from plimsoll.fitting.observations import LoadPoint

_REQUESTS = 3000
"""Measured for each point: a p95 then stands on 150 requests, its own error is about a percent."""
_WARM_UP_TURNOVERS = 3.0
"""So many times the requests present at once come and go before anything counts."""
_SEED = 20260101
_APART = 10.0
"""How much thinner arrivals become for a client that waits for each answer, so that no two ever meet."""


@dataclass(frozen=True, slots=True)
class Deviation:
    """One load point, played: predicted over measured, minus one; None where it was not measured."""

    point: LoadPoint
    itl: float
    ttft: float | None
    itl_p95: float | None
    ttft_p95: float | None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """All load points; each was predicted by a law fitted without its group."""

    deviations: tuple[Deviation, ...]

    @property
    def itl_error_median(self) -> float:
        return _median_size([one.itl for one in self.deviations])

    @property
    def ttft_error_median(self) -> float:
        return _median_size([one.ttft for one in self.deviations])

    @property
    def itl_p95_error_median(self) -> float:
        return _median_size([one.itl_p95 for one in self.deviations])

    @property
    def ttft_p95_error_median(self) -> float:
        return _median_size([one.ttft_p95 for one in self.deviations])


def by_lengths(point: LoadPoint) -> Hashable:
    """One sweep of rates at the same lengths is one group: lengths that round to the same power of two."""
    return round(math.log2(point.prompt_tokens)), round(math.log2(point.output_tokens))


def crossvalidate(
    points: Sequence[LoadPoint],
    group_of: Callable[[LoadPoint], Hashable] = by_lengths,
    length_cv: float = 0.0,
    max_sequences: int = 256,
    kv_cache_tokens: int = 100_000_000,
    chunk_tokens: int = CHUNK_TOKENS,
) -> Accuracy:
    """The errors on what was left out.

    Args:
        points: load points of one engine, of two groups or more.
        group_of: what is left out together; neighbours of a point in the same sweep would tell too much about it.
        length_cv: coefficient of variation of prompts and outputs where the points do not tell theirs. guidellm draws
            synthetic lengths evenly between half and one and a half times the mean: 0.289.
        max_sequences, kv_cache_tokens, chunk_tokens: of the engine that was measured; its cache is taken as large
            enough unless said otherwise.
    """
    known = [_with_spread(point, length_cv) for point in points]
    replica_limits = (max_sequences, kv_cache_tokens, chunk_tokens)
    deviations: list[Deviation] = []
    for group in dict.fromkeys(map(group_of, points)):
        fitted = fit([point for point in known if group_of(point) != group], chunk_tokens)
        deviations += [_play(point, fitted, replica_limits) for point in known if group_of(point) == group]
    return Accuracy(tuple(deviations))


def _with_spread(point: LoadPoint, length_cv: float) -> LoadPoint:
    return replace(
        point,
        prompt_sd=point.prompt_sd or length_cv * point.prompt_tokens,
        output_sd=point.output_sd or length_cv * point.output_tokens,
    )


@dataclass(frozen=True, slots=True)
class Play:
    """How much is played of a load point, and how its requests come."""

    warm_up: int
    """Requests that do not count."""
    requests: int = _REQUESTS
    interval_cv: float = 0.0
    """Coefficient of variation of intervals: 0 as a load generator at a fixed rate sends them, 1 by chance."""
    seed: int = _SEED


def latencies_at(point: LoadPoint, fitted: Fit, limits: tuple[int, int, int], play: Play) -> tuple[Floats, Floats]:
    """TTFT and time per output token of each request that counts, in ms, where it has one.

    Args:
        point: the load.
        fitted: the law of the engine.
        limits: its sequences, cache tokens and tokens a chunk.
        play: how much of it, and how.
    """
    rng = np.random.default_rng(play.seed)
    count = play.warm_up + play.requests
    rate_per_ms = point.rate_rps / 1000.0 / (_APART if point.alone else 1.0)
    timeline = Timeline.drawn(count, POISSON, rng, interval_cv=play.interval_cv)
    requests = Requests(
        timeline.arrivals_ms(rate_per_ms),
        _lengths(point.prompt_tokens, point.prompt_sd, count, rng),
        _lengths(point.output_tokens, point.output_sd, count, rng),
    )
    latencies = serve([Replica(fitted.step_time, *limits)], requests)
    tpot_ms_i = latencies.tpot_ms_i[play.warm_up :]
    return latencies.ttft_ms_i[play.warm_up :] + fitted.ttft_overhead_ms, tpot_ms_i[np.isfinite(tpot_ms_i)]


def _play(point: LoadPoint, fitted: Fit, limits: tuple[int, int, int]) -> Deviation:
    warm_up = math.ceil(_WARM_UP_TURNOVERS * point.running)
    ttft_ms_i, tpot_ms_i = latencies_at(point, fitted, limits, Play(warm_up))
    itl = _deviation(float(np.median(tpot_ms_i)), point.itl_ms)
    assert itl is not None, "every load point has a time per output token"
    return Deviation(
        point,
        itl,
        _deviation(float(np.median(ttft_ms_i)), point.ttft_ms),
        _deviation(float(np.quantile(tpot_ms_i, 0.95)), point.itl_p95_ms),
        _deviation(float(np.quantile(ttft_ms_i, 0.95)), point.ttft_p95_ms),
    )


def _lengths(mean: float, deviation: float, count: int, rng: np.random.Generator) -> Ints:
    """Evenly drawn around the mean, as load generators do: the half width is sqrt(3) standard deviations."""
    half = min(math.sqrt(3.0) * deviation, mean - 1.0)
    return np.maximum(1, np.rint(rng.uniform(mean - half, mean + half, count))).astype(np.int64)


def _deviation(predicted: float, measured: float | None) -> float | None:
    return None if measured is None else predicted / measured - 1.0


def _median_size(errors: Sequence[float | None]) -> float:
    known = [abs(error) for error in errors if error is not None]
    return float(np.median(known)) if known else math.nan
