"""Which latency does a given share of requests stay below: percentiles of TTFT, TPOT and E2E.

In: the stationary distribution of ``birth_death``. Out: one latency an option, ms. Design: section 3 (sizing).

A request that finds k others waits behind k - N + 1 departures where every slot is taken, and then runs among
n = min(k + 1, N). Array names end in their axes: v for replicas (options), n for requests in the system.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plimsoll.domain import LatencyMetric
from plimsoll.sizing.birth_death import QUEUE_PLACES_PER_SLOT, Floats, Replicas, Stationary

METRICS = (LatencyMetric.TTFT, LatencyMetric.TPOT, LatencyMetric.E2E)
"""A metric's place here is its code in arrays."""

Codes = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Percentiles:
    """The distributions that latencies are read from, summed up once for all percentiles asked for."""

    found: Stationary
    arrivals_cdf_vn: Floats
    """Share of arrivals that find at most n requests, none of them waiting."""
    residents_cdf_vn: Floats
    """Share of running requests that run among at most n: length-biased, as a crowded step has more witnesses."""

    @classmethod
    def of(cls, found: Stationary) -> "Percentiles":
        running_n = np.arange(found.probability_vn.shape[1], dtype=np.float64)
        residents_vn = np.cumsum(running_n * found.probability_vn, axis=1)
        total_v = residents_vn[:, -1] + found.replicas.slots_v * found.queueing_v
        return cls(found, np.cumsum(found.probability_vn, axis=1), residents_vn / total_v[:, None])

    def latency_ms(self, metric_v: Codes, quantile_v: Floats) -> Floats:
        """The quantile of each option's metric, ms.

        Args:
            metric_v: codes, places in `METRICS`.
            quantile_v: 0 to 1, both exclusive.
        """
        ttft_ms_v, tpot_ms_v = self._ttft_ms(quantile_v), self._tpot_ms(quantile_v)
        return _chosen(self.found.replicas, metric_v, ttft_ms_v, tpot_ms_v)

    def _tpot_ms(self, quantile_v: Floats) -> Floats:
        running_v = (self.residents_cdf_vn < quantile_v[:, None]).sum(axis=1)
        return self.found.replicas.decode_step_ms(np.minimum(running_v, self.found.replicas.slots_v))

    def _ttft_ms(self, quantile_v: Floats) -> Floats:
        slots_v = self.found.replicas.slots_v
        found_v = np.minimum((self.arrivals_cdf_vn < quantile_v[:, None]).sum(axis=1), slots_v)
        first_token_ms_v = self.found.replicas.first_token_ms(np.minimum(found_v + 1, slots_v))
        return first_token_ms_v + np.where(found_v == slots_v, self._wait_ms(quantile_v), 0.0)

    def _wait_ms(self, quantile_v: Floats) -> Floats:
        """The wait for a slot, where the quantile falls among those who wait.

        An Erlang time behind j + 1 departures, mixed over a geometric j, is exponential:
        P(W > t) = P(k >= N) exp(-(mu(N) - lambda) t). That is exact for unlimited room and high for Q places; what
        Q departures take is its end, also where lambda >= mu(N).
        """
        found = self.found
        completions_v = found.replicas.full_completions_per_ms_v
        last_v = np.take_along_axis(found.probability_vn, found.replicas.slots_v[:, None], axis=1)[:, 0]
        waits_v = np.maximum(last_v + found.queueing_v, np.finfo(np.float64).tiny)
        spare_v = completions_v - found.rate_per_ms_v
        longest_ms_v = QUEUE_PLACES_PER_SLOT * found.replicas.slots_v / completions_v
        wait_ms_v = np.divide(np.log(waits_v / (1.0 - quantile_v)), spare_v, out=longest_ms_v.copy(), where=spare_v > 0)
        return np.clip(wait_ms_v, 0.0, longest_ms_v)


def unloaded_ms(replicas: Replicas, metric_v: Codes) -> Floats:
    """What a request sees that has the replica to itself: the limit of every percentile as the rate goes to 0."""
    alone_v = np.ones(replicas.slots_v.size)
    return _chosen(replicas, metric_v, replicas.first_token_ms(alone_v), replicas.decode_step_ms(alone_v))


def _chosen(replicas: Replicas, metric_v: Codes, ttft_ms_v: Floats, tpot_ms_v: Floats) -> Floats:
    # E2E is that of an output of mean length, late in both parts: the mix knows no quantile of the output length.
    e2e_ms_v = ttft_ms_v + np.maximum(replicas.output_tokens_v - 1.0, 0.0) * tpot_ms_v
    return np.choose(metric_v, (ttft_ms_v, tpot_ms_v, e2e_ms_v))
