"""A rate over time and how bursty it is: when do requests come?

In: a rate in windows, a pattern of intervals. Out: arrival times and lengths. A renewal process in operational time:
intervals of mean 1 are drawn and the rate says how fast that time passes, so bursts scale with the rate.

Array names end in their axes: k for windows, i for requests.
"""

import math

import numpy as np

from plimsoll.engine.arrays import Floats, Ints
from plimsoll.engine.workload import Lengths as LogNormal
from plimsoll.errors import InvalidObject
from plimsoll.simulator.demand.requests import read as read_requests
from plimsoll.simulator.scenario import Scenario
from plimsoll.simulator.sources import ArrivalPattern, Lengths

_LONGEST_TOKENS = 1_000_000
_SETTLING = 20.0
"""Operational time that passes before the run, so that it does not begin with an arrival."""
_SHAPES = (0.05, 40.0)
_HALVINGS = 60


def arrivals_s(
    rate_rps_k: Floats, window_s: float, pattern: ArrivalPattern, shape: float, rng: np.random.Generator
) -> Floats:
    """Arrival times since the first window's start.

    Args:
        rate_rps_k: mean rate in each window.
        window_s: its length.
        pattern: of intervals.
        shape: of Gamma or Weibull intervals.
        rng: the randomness.
    """
    passed_k = np.concatenate(([0.0], np.cumsum(rate_rps_k * window_s)))
    total = float(passed_k[-1])
    if total <= 0.0:
        return np.empty(0)
    spaced_i = _renewals(total, pattern, shape, rng)
    # Where the rate is 0 operational time stands still: np.interp needs it to rise.
    rising_k = np.concatenate(([True], np.diff(passed_k) > 0.0))
    rising_k[:-1] |= rising_k[1:]
    edges_s_k = np.arange(passed_k.size) * window_s
    arrivals_i: Floats = np.interp(spaced_i, passed_k[rising_k], edges_s_k[rising_k])
    return arrivals_i


def shape_for_cv(pattern: ArrivalPattern, cv: float) -> float:
    """The shape of intervals with that coefficient of variation."""
    if pattern is ArrivalPattern.GAMMA:
        return 1.0 / cv**2
    if pattern is ArrivalPattern.POISSON:
        return 1.0
    low, high = _SHAPES
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        squared = math.exp(math.lgamma(1.0 + 2.0 / middle) - 2.0 * math.lgamma(1.0 + 1.0 / middle)) - 1.0
        low, high = (middle, high) if squared > cv**2 else (low, middle)
    return low


def lengths(scenario: Scenario, wanted: Lengths, count: int, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """So many pairs of prompt and output tokens."""
    if wanted.trace is not None:
        trace = read_requests(scenario.file(wanted.trace))
        rows_i = rng.integers(0, trace.count, count)
        return trace.prompt_tokens_i[rows_i], trace.output_tokens_i[rows_i]
    if wanted.prompt_mean is None or wanted.output_mean is None:
        raise InvalidObject("lengths need a trace, or promptMean and outputMean")
    prompts = LogNormal(wanted.prompt_mean, wanted.prompt_p95 or wanted.prompt_mean)
    outputs = LogNormal(wanted.output_mean, wanted.output_p95 or wanted.output_mean)
    return (
        prompts.whole(rng.standard_normal(count), _LONGEST_TOKENS),
        outputs.whole(rng.standard_normal(count), _LONGEST_TOKENS),
    )


def _renewals(total: float, pattern: ArrivalPattern, shape: float, rng: np.random.Generator) -> Floats:
    """Points of a renewal process with mean interval 1 in [0, total)."""
    end, points = -_SETTLING, [np.empty(0)]
    while end < total:
        count = int(1.1 * (total - end) + 50.0)
        intervals_i = _intervals(count, pattern, shape, rng)
        found_i = end + np.cumsum(intervals_i)
        points.append(found_i)
        end = float(found_i[-1])
    spaced_i = np.concatenate(points)
    return spaced_i[(spaced_i >= 0.0) & (spaced_i < total)]


def _intervals(count: int, pattern: ArrivalPattern, shape: float, rng: np.random.Generator) -> Floats:
    if pattern is ArrivalPattern.GAMMA:
        return rng.gamma(shape, 1.0 / shape, count)
    if pattern is ArrivalPattern.WEIBULL:
        return rng.weibull(shape, count) / math.gamma(1.0 + 1.0 / shape)
    return rng.exponential(1.0, count)
