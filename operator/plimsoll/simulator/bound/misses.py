"""How many requests miss at least, by how many come to a replica?

In: a true profile, the run's requests, the SLO, how many replicas share the arrivals. Out: points (requests a second
for one replica, share of them that miss); between two points a replica does no better than on the line between them.

Played with requests drawn from the run's own, over like replicas behind a router of least load, at a steady rate whose
arrivals come by chance, or more evenly where the run's own do: bursts are left out, what evens them out is not. A
request misses where any of its latencies is beyond any limit, whatever the quantile of that limit: this is how a run is
reckoned. A rate between two played ones is credited with the misses of the lower one, so that the grid of rates makes
the bound looser and never wrong; what is beyond the most that a replica completes counts as missed.

Array names end in their axes: i for requests or the gaps between them, k for rates.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from plimsoll.domain import POISSON, LatencyMetric, LatencyTarget, Profile
from plimsoll.engine.arrays import Floats
from plimsoll.engine.questions import Physics
from plimsoll.engine.serving import Requests, serve
from plimsoll.engine.workload import Timeline
from plimsoll.simulator.safe_rates import mix_of
from plimsoll.simulator.traffic import Traffic
from plimsoll.sizing.cases import case_of

MOST_SHARING = 128
"""Replicas that are played. More even out arrivals hardly any better."""
_REQUESTS = 20_000
_REQUESTS_OF_EACH = 400
_WARM_UP_SHARE = 0.1
_SEED = 20_260_102
_SHARES_K = np.arange(1, 52, dtype=np.float64) * 0.02
"""Of what a replica completes at most, which the formula for it knows within a percent or has too high."""
_MOST_EVEN = 1e4
"""Like clockwork."""
_CORNERS = 8
"""A programme with more takes longer and hardly says more."""


@dataclass(frozen=True, slots=True)
class Load:
    """One way to run a replica."""

    rate_rps: float
    missed_share: float
    """Of the requests that come, 0 to 1."""


def sharing(count: float) -> int:
    """The number of replicas that is played for so many: the next power of two."""
    return min(1 << max(0, int(np.ceil(np.log2(max(count, 1.0)) - 1e-9))), MOST_SHARING)


def completes_rps(profile: Profile, slo: Sequence[LatencyTarget], traffic: Traffic) -> float:
    """What one replica completes at most, whatever the latency; 0 where nobody asks."""
    mix = mix_of(traffic)
    if mix is None:
        return 0.0
    case = case_of(profile, mix, slo, POISSON)
    return float(Physics.of([(case.replica, case.prompts, case.outputs)]).capacity_v[0]) * 1000.0


def evenness(arrival_s_i: Floats) -> float:
    """The shape of a gamma distribution of gaps: 1 by chance or burstier than that, more where they come more evenly.

    By the local variation, 3 (g - g')^2 / (g + g')^2 of each gap and the next, whose mean is 3 / (2 shape + 1): a rate
    that wanders over minutes hardly changes it. Source: Shinomoto, Shima, Tanji 2003.
    """
    gap_i = np.diff(arrival_s_i)
    before_i, after_i = gap_i[:-1], gap_i[1:]
    both_i = before_i + after_i
    known = both_i > 0.0
    if not known.any():
        return 1.0
    variation = float(np.mean(3.0 * ((before_i[known] - after_i[known]) / both_i[known]) ** 2))
    return min(max((3.0 / max(variation, 1e-9) - 1.0) / 2.0, 1.0), _MOST_EVEN)


def loads(profile: Profile, slo: Sequence[LatencyTarget], traffic: Traffic, replicas: int) -> tuple[Load, ...]:
    """The corners of the fewest misses by rate, for one of so many replicas; nothing where all miss or nobody asks."""
    mix = mix_of(traffic)
    if mix is None:
        return ()
    # Its limits are those that are left beside what passes outside the engine.
    case = case_of(profile, mix, slo, POISSON)
    count = max(_REQUESTS, _REQUESTS_OF_EACH * replicas)
    rng = np.random.default_rng(_SEED)
    drawn_i = rng.integers(0, traffic.count, count)
    prompts_i, outputs_i = traffic.prompt_tokens_i[drawn_i], traffic.output_tokens_i[drawn_i]
    # What does not fit into its cache an engine refuses.
    fits_i = prompts_i + outputs_i <= profile.kv_cache_tokens
    if not fits_i.any():
        return ()
    timeline = Timeline.drawn(count, POISSON, rng, interval_cv=evenness(traffic.arrival_s_i) ** -0.5)
    rates_k = _SHARES_K * completes_rps(profile, slo, traffic)
    missed_k = np.ones(rates_k.size)
    for k, rate_rps in enumerate(rates_k):
        at_ms_i = timeline.arrivals_ms(rate_rps * replicas / 1000.0)
        seen = serve([case.replica] * replicas, Requests(at_ms_i[fits_i], prompts_i[fits_i], outputs_i[fits_i]))
        value_ms = {
            LatencyMetric.TTFT: seen.ttft_ms_i,
            LatencyMetric.TPOT: seen.tpot_ms_i,
            LatencyMetric.E2E: seen.e2e_ms_i,
        }
        # A single token has no time per token, and so none that is too long.
        within_i = np.all([~(value_ms[one.metric] > one.limit_ms) for one in case.slo], axis=0)
        missed_k[k] = 1.0 - float(within_i[int(_WARM_UP_SHARE * within_i.size) :].mean()) * float(fits_i.mean())
        if missed_k[k] >= 1.0 - 1e-9:
            break
    return corners(rates_k, missed_k)


def corners(rates_k: Floats, missed_k: Floats) -> tuple[Load, ...]:
    """The lower hull of misses over rates, each rate credited with the misses of the next lower one.

    Args:
        rates_k: rising.
        missed_k: share of the requests that miss at each.
    """
    # Chance must not make a higher rate look better than a lower one: the lower one can only be as good.
    best_k = np.minimum.accumulate(missed_k[::-1])[::-1]
    credited_k = np.concatenate((best_k[:1], best_k[:-1]))
    hull: list[tuple[float, float]] = [(0.0, 0.0)]
    for rate, share in zip(rates_k, credited_k, strict=True):
        point = (float(rate), float(rate * share))
        while len(hull) > 1 and _turns_down(hull[-2], hull[-1], point):
            hull.pop()
        hull.append(point)
    found = [(0.0, 0.0)]
    for before, point in pairwise(hull):
        # Where each request more is one more that misses, it may as well be left out.
        if point[1] - before[1] >= (1.0 - 1e-9) * (point[0] - before[0]):
            break
        found.append(point)
    return tuple(Load(rate, missed / rate) for rate, missed in _fewer(found, _CORNERS)[1:])


def _fewer(corners: list[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """A hull below that one with at most so many corners: its edges go on until they meet, over the shortest ones."""
    while len(corners) > most + 1:
        trials = [(place, _meeting(*corners[place - 1 : place + 3])) for place in range(1, len(corners) - 2)]
        place, met = min(trials, key=lambda one: _area(corners[one[0]], one[1], corners[one[0] + 1]))
        corners = [*corners[:place], met, *corners[place + 2 :]]
    return corners


def _meeting(
    a: tuple[float, float], b: tuple[float, float], c: tuple[float, float], d: tuple[float, float]
) -> tuple[float, float]:
    """Where the line through a and b meets that through c and d."""
    first, second = (b[1] - a[1]) / (b[0] - a[0]), (d[1] - c[1]) / (d[0] - c[0])
    x = (c[1] - a[1] + first * a[0] - second * c[0]) / (first - second)
    return x, a[1] + first * (x - a[0])


def _area(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return abs((b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1])) / 2.0


def _turns_down(first: tuple[float, float], middle: tuple[float, float], last: tuple[float, float]) -> bool:
    """Whether the middle one lies on or above the line between the others."""
    rise, run = last[1] - first[1], last[0] - first[0]
    return (middle[1] - first[1]) * run >= rise * (middle[0] - first[0]) - 1e-15
