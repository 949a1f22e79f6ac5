"""What traffic is a replica asked about? Arrival times and token lengths, drawn the same way again and again.

In: a rate, a burstiness, a mix, a random generator. Out: arrays. For a search over rates the same draws serve every
rate: `Timeline` turns them into arrivals, so that latencies rise smoothly with the rate.

Array names end in their axes: i for requests, k for the windows of a modulated rate.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from plimsoll.domain import POISSON, Burstiness
from plimsoll.engine.arrays import Floats, Ints

LEVEL_FACTOR = 4
"""How much longer the windows of each level of bursts are than those of the level before."""
_UNSEEN_WINDOW_S = 1.0
"""Bursts are played down to windows of this length or just below, whatever the window that they were seen in. With 5 s
instead, 7 of 39 questions about recorded requests are answered more than 5% too high; with 1 s none (see
benchmarks/calibration/recorded.py)."""
MOST_WITHIN_CV2 = 0.4
"""Of the rate on each scale below the window, however much it wanders above. Measured: the burstiest hour on record,
the Azure code hour, has a CV2 of 1.6 from second to second in the busiest of its minutes, which is 0.38 on each of
three scales, where 0.56 to 0.8 are told from minute to minute. At 0.8 a replica carries a tenth of its steady rate."""
_FEWEST_COUNTS = 8
_FEWEST_WINDOWS = 64
_MOST_WINDOWS = 200_000
"""More are drawn only where the longest would not be seen so often as below. A slow replica's requests take months to
play, whose seconds need 300 MB and 20 s to draw; windows repeat instead."""
_LONGEST_WINDOWS = 200
_SLOWEST_PACE = 1e-6
"""A window without any arrivals still passes."""

_P95 = 1.6448536269514722
"""The 0.95 quantile of the standard normal distribution."""
_HALVINGS = 50
"""Bisections: as precise as numbers are."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Token lengths of prompts or outputs by mean and 0.95 quantile; log-normal, the usual shape of both.

    Where a largest length is known, all that would be longer is as long as that: context windows and limits of outputs
    end real lengths so. The lengths that are left have that mean and that quantile.
    """

    mean: float
    p95: float
    most: float = math.inf
    """No length is above this; infinite where that is not known. Less than the mean stands for the mean."""

    @property
    def end(self) -> float:
        """No length is above this."""
        return max(self.most, self.mean)

    @property
    def sigma(self) -> float:
        """Of the logarithm before the end is cut off; a p95 at or below the mean is a constant.

        Without an end it is from p95/mean = exp(1.645 sigma - sigma^2/2). The ratio has its maximum, 3.87, at
        sigma = 1.645; longer tails than that are taken as this one, with an end as well.
        """
        if math.isfinite(self.most):
            return _cut(self.mean, self.p95, self.end).sigma
        ratio = self.p95 / self.mean
        if ratio <= 1.0:
            return 0.0
        return _P95 - math.sqrt(max(0.0, _P95**2 - 2.0 * math.log(ratio)))

    @property
    def uncut_mean(self) -> float:
        """What the mean would be without an end."""
        return _cut(self.mean, self.p95, self.end).uncut_mean if math.isfinite(self.most) else self.mean

    @property
    def spread(self) -> float:
        """The sigma of a log-normal length without an end that has the same coefficient of variation."""
        return _cut(self.mean, self.p95, self.end).spread if math.isfinite(self.most) else self.sigma

    def at(self, normal_i: Floats) -> Floats:
        """The lengths, as real numbers, that belong to values of the standard normal distribution."""
        sigma = self.sigma
        return np.minimum(self.uncut_mean * np.exp(sigma * normal_i - sigma**2 / 2.0), self.end)

    def drawn(self, count: int, rng: np.random.Generator, longest: int) -> Ints:
        """So many lengths of at least one token and at most `longest`, as whole numbers around the mean."""
        return self.whole(stratified_normals(count, rng), longest)

    def whole(self, normal_i: Floats, longest: int) -> Ints:
        """The lengths that belong to values of the standard normal distribution, as whole numbers."""
        return np.clip(np.rint(self.at(normal_i)), 1, longest).astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Cut:
    """A log-normal length that ends."""

    uncut_mean: float
    sigma: float
    spread: float


@lru_cache(maxsize=4096)
def _cut(mean: float, p95: float, end: float) -> _Cut:
    """The log-normal length that has this mean and 0.95 quantile once all that is above the end is cut to the end.

    With the quantile q in its place lengths are X = q exp(sigma (z - 1.645)). A larger sigma makes the 95% below q
    shorter and the others longer. Up to sigma = 1.645 the mean falls with sigma even without an end, its derivative is
    (sigma - 1.645) E[X]; an end only takes from what grows. So there is one solution, and bisection finds it.
    """
    high = min(p95, end)
    if high <= mean:
        return _Cut(mean, 0.0, 0.0)

    def mean_of_sigma(sigma: float) -> float:
        return _moment(1, math.log(high) - _P95 * sigma, sigma, end)

    if mean_of_sigma(_P95) <= mean:
        sigma = _bisected(lambda sigma: mean_of_sigma(sigma) <= mean, 0.0, _P95)
        mu = math.log(high) - _P95 * sigma
    else:
        # The longest tail, with the mean and without the quantile. A cut takes from a mean, so mu is not below this.
        sigma = _P95
        mu = _bisected(
            lambda mu: _moment(1, mu, sigma, end) >= mean,
            math.log(mean) - sigma**2 / 2.0,
            math.log(high) - _P95 * sigma,
        )
    cv2 = max(0.0, _moment(2, mu, sigma, end) / mean**2 - 1.0)
    return _Cut(math.exp(mu + sigma**2 / 2.0), sigma, math.sqrt(math.log1p(cv2)))


def _moment(power: int, mu: float, sigma: float, end: float) -> float:
    """E[min(X, end)^power] for log-normal X.

    exp(p mu + p^2 sigma^2 / 2) Phi(z - p sigma) + end^p (1 - Phi(z)), with z = (ln end - mu) / sigma.
    """
    z = (math.log(end) - mu) / sigma
    below = math.exp(power * mu + (power * sigma) ** 2 / 2.0) * math.erfc((power * sigma - z) / math.sqrt(2.0)) / 2.0
    return below + end**power * math.erfc(z / math.sqrt(2.0)) / 2.0


def _bisected(reached: Callable[[float], bool], low: float, high: float) -> float:
    """Where something begins that is so at `high`, and from some value up to there."""
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def stratified_normals(count: int, rng: np.random.Generator) -> Floats:
    """Standard normal values, one from each of `count` equally likely strata, in random order.

    Few of them have the moments of many.
    """
    # Loaded where something is drawn: it takes half a second, which estimates and most commands need not wait for.
    from scipy.special import ndtri

    normals_i: Floats = ndtri((rng.permutation(count) + 0.5) / count)
    return normals_i


def within_window(burstiness: Burstiness) -> Burstiness:
    """What of the bursts is left around the rate that is planned for: those shorter than the window it was seen in.

    How the rate wanders from window to window is in the planned rate already: it is a high quantile of the windows'
    rates, never below what is sure of the latest one, and what is promised are the percentiles in windows up to it. To
    let the rate wander once more from window to window around that would ask for the quantile of a quantile: at a CV2
    of 0.8 it takes another half of a lone replica's safe rate. Within a window nothing was seen, and there the rate is
    taken to wander as it does between windows, on each of the shorter scales, up to `MOST_WITHIN_CV2`. Steady traffic
    stays as it is.
    """
    if burstiness.is_steady:
        return burstiness
    within_cv2 = min(burstiness.rate_cv2, MOST_WITHIN_CV2)
    return replace(burstiness, rate_cv2=within_cv2, window_s=burstiness.window_s / LEVEL_FACTOR, slower_cv2=())


def burstiness_of_counts(counts_k: Floats, window_s: float) -> Burstiness:
    """How the rate behind counts of successive windows wanders, on as many time scales as they show.

    Args:
        counts_k: arrivals in each window.
        window_s: the length of a window.

    Returns:
        Poisson traffic where there are fewer than eight windows, or no arrivals.
    """
    seen: list[float] = []
    while counts_k.size >= _FEWEST_COUNTS and counts_k.mean() > 0.0:
        mean = float(counts_k.mean())
        seen.append(max(0.0, (float(counts_k.var(ddof=1)) - mean) / mean**2))
        whole = counts_k.size // LEVEL_FACTOR * LEVEL_FACTOR
        counts_k = counts_k[:whole].reshape(-1, LEVEL_FACTOR).sum(axis=1)
    own: list[float] = []
    slower = 1.0
    for cv2 in reversed(seen):
        # Paces multiply: what a scale shows beyond all slower ones is its own.
        own.insert(0, max(0.0, (1.0 + cv2) / slower - 1.0))
        slower *= 1.0 + own[0]
    return Burstiness(own[0], window_s, tuple(own[1:])) if own else POISSON


@dataclass(frozen=True, slots=True)
class Timeline:
    """Arrivals in operational time, which a rate turns into real time."""

    spaced_i: Floats
    """Arrivals of a process with one request per unit of operational time."""
    pace_k: Floats
    """The rate in each of the shortest windows relative to the mean rate; empty for a steady one."""
    window_ms: float
    """The shortest window."""

    @classmethod
    def drawn(
        cls,
        count: int,
        burstiness: Burstiness,
        rng: np.random.Generator,
        interval_cv: float = 1.0,
        span_s: float | None = None,
    ) -> "Timeline":
        """Arrivals to use for many rates.

        Args:
            count: of requests.
            burstiness: of the rate.
            rng: the randomness.
            interval_cv: coefficient of variation of the intervals at a steady rate: 0 evenly spaced, 1 Poisson, else
                Gamma.
            span_s: how long the arrivals last, about; needed where the rate is not steady.
        """
        if interval_cv <= 0.0:
            spaced_i = np.arange(1.0, count + 1.0)
        elif interval_cv == 1.0:
            spaced_i = np.cumsum(rng.exponential(1.0, count))
        else:
            shape = 1.0 / interval_cv**2
            spaced_i = np.cumsum(rng.gamma(shape, 1.0 / shape, count))
        # Exactly the rate asked for: few of them have the load of many.
        spaced_i *= count / spaced_i[-1]
        if burstiness.is_steady:
            return cls(spaced_i, np.empty(0), burstiness.window_s * 1000.0)
        if span_s is None:
            raise ValueError("a rate that wanders needs span_s, the time that the arrivals take")
        windows_s, cv2s = _levels(burstiness)
        return cls(spaced_i, _paces(windows_s, cv2s, span_s, rng), windows_s[0] * 1000.0)

    def arrivals_ms(self, rate_per_ms: float) -> Floats:
        """When requests come at this mean rate."""
        if self.pace_k.size == 0:
            return self.spaced_i / rate_per_ms
        # Operational time passes at the pace of each window; windows beyond those drawn repeat them.
        passed_k = np.concatenate(([0.0], np.cumsum(self.pace_k))) * (rate_per_ms * self.window_ms)
        rounds_i, rest_i = np.divmod(self.spaced_i, passed_k[-1])
        edges_k = np.arange(passed_k.size) * self.window_ms
        arrivals_i: Floats = rounds_i * edges_k[-1] + np.interp(rest_i, passed_k, edges_k)
        return arrivals_i


def _levels(burstiness: Burstiness) -> tuple[list[float], list[float]]:
    """Windows in seconds, the shortest first, and how much the rate wanders from one to the next of each.

    What happens within the shortest window that was seen is taken to be like what happens from window to window: on
    recorded requests that is safe, and a rate that is steady within 15 s is not. Together the rate then wanders by up
    to a third more than was seen, which errs on the safe side.
    """
    unseen = max(0, math.ceil(math.log(burstiness.window_s / _UNSEEN_WINDOW_S, LEVEL_FACTOR)))
    cv2s = [burstiness.rate_cv2] * (unseen + 1) + list(burstiness.slower_cv2)
    shortest_s = burstiness.window_s / LEVEL_FACTOR**unseen
    return [shortest_s * LEVEL_FACTOR**level for level in range(len(cv2s))], cv2s


def _paces(windows_s: list[float], cv2s: list[float], span_s: float, rng: np.random.Generator) -> Floats:
    """The product of Gamma paces, one level a window length, with a mean of 1 over the span."""
    most = max(_MOST_WINDOWS, _LONGEST_WINDOWS * LEVEL_FACTOR ** (len(windows_s) - 1))
    count = min(max(_FEWEST_WINDOWS, math.ceil(span_s / windows_s[0])), most)
    # Loaded where something is drawn, as above.
    from scipy.special import gammaincinv

    pace_k = np.ones(count)
    for level, cv2 in enumerate(cv2s):
        if cv2 > 0.0:
            length = LEVEL_FACTOR**level
            windows = count // length + 1
            # One from each of equally likely strata, as lengths are: what counts are the few highest.
            paces = cv2 * gammaincinv(1.0 / cv2, (rng.permutation(windows) + 0.5) / windows)
            pace_k *= np.repeat(paces, length)[:count]
    scaled_k: Floats = np.maximum(pace_k / pace_k.mean(), _SLOWEST_PACE)
    return scaled_k
