"""What traffic is a replica asked about? Arrival times and token lengths, drawn the same way again and again.

In: a rate, a burstiness, a mix, a random generator. Out: arrays. For a search over rates the same draws serve every
rate: `Timeline` turns them into arrivals, so that latencies rise smoothly with the rate.

Array names end in their axes: i for requests, k for the windows of a modulated rate.
"""

import math
from dataclasses import dataclass

import numpy as np

from plimsoll.domain import Burstiness
from plimsoll.engine.arrays import Floats, Ints

_P95 = 1.6448536269514722
"""The 0.95 quantile of the standard normal distribution."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Token lengths of prompts or outputs by mean and 0.95 quantile; log-normal, the usual shape of both."""

    mean: float
    p95: float

    @property
    def sigma(self) -> float:
        """Of the logarithm, from p95/mean = exp(1.645 sigma - sigma^2/2); a p95 at or below the mean is a constant.

        The ratio has its maximum, 3.87, at sigma = 1.645; longer tails than that are taken as this one.
        """
        ratio = self.p95 / self.mean
        if ratio <= 1.0:
            return 0.0
        return _P95 - math.sqrt(max(0.0, _P95**2 - 2.0 * math.log(ratio)))

    def at(self, normal_i: Floats) -> Floats:
        """The lengths, as real numbers, that belong to values of the standard normal distribution."""
        sigma = self.sigma
        return self.mean * np.exp(sigma * normal_i - sigma**2 / 2.0)

    def drawn(self, count: int, rng: np.random.Generator, longest: int) -> Ints:
        """So many lengths of at least one token and at most `longest`, as whole numbers around the mean.

        One from each of `count` equally likely strata, in random order: few of them have the moments of many.
        """
        # Loaded where something is drawn: it takes half a second, which estimates and most commands need not wait for.
        from scipy.special import ndtri

        whole_i = np.rint(self.at(ndtri((rng.permutation(count) + 0.5) / count)))
        return np.clip(whole_i, 1, longest).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Arrivals in operational time, which a rate turns into real time."""

    spaced_i: Floats
    """Arrivals of a process with one request per unit of operational time."""
    pace_k: Floats
    """The rate in each window relative to the mean rate; empty for a steady one."""
    window_ms: float

    @classmethod
    def drawn(
        cls, count: int, burstiness: Burstiness, rng: np.random.Generator, interval_cv: float = 1.0
    ) -> "Timeline":
        """Arrivals to use for many rates.

        Args:
            count: of requests.
            burstiness: of the rate.
            rng: the randomness.
            interval_cv: coefficient of variation of the intervals at a steady rate: 0 evenly spaced, 1 Poisson, else
                Gamma.
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
        pace_k = np.empty(0)
        if burstiness.rate_cv2 > 0.0:
            shape = 1.0 / burstiness.rate_cv2
            pace_k = rng.gamma(shape, 1.0 / shape, count)
        return cls(spaced_i, pace_k, burstiness.window_s * 1000.0)

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
