"""What is known of one case: its safe rates by number of replicas, its latencies by load, and who says so.

In: nothing. Out: the frozen answer that ``estimate`` and ``simulate`` give, and how latencies are read off it.

Array names end in their axes: s for loads, as shares of the full rate.
"""

from dataclasses import dataclass

import numpy as np

from plimsoll.domain import CapacityTable, SizedBy
from plimsoll.engine.arrays import Floats

SHARES = (0.0, 0.3, 0.6, 0.85, 1.0, 1.1)
"""Loads, as shares of the full rate, at which latencies are told; between them they are interpolated."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """The answer to one case, without any headroom taken off."""

    replicas: tuple[int, ...]
    rate_rps: tuple[float, ...]
    """By number of replicas behind one router: what they carry together; 0 where the SLO cannot be met."""
    latency_ms: tuple[tuple[float, ...], ...]
    """By target of the SLO, then by load of one replica in `SHARES`."""
    full_rps: float
    """The rate of one replica at which its load is 1: the safe rate; half of what it completes where there is none."""
    sized_by: SizedBy
    doubtful: bool = False
    """An estimate outside of what estimates are good at: tight limits, high quantiles, bursts, odd replicas."""

    def latencies_ms(self, rate_per_replica_rps: float, replicas: int) -> tuple[float, ...]:
        """The SLO's quantiles when each of so many replicas, one or more, gets that rate."""
        share_s = np.array([rate_per_replica_rps / self.full_rps_of(replicas)])
        return tuple(float(latency_ms_s(share_s, values)[0]) for values in self.latency_ms)

    def full_rps_of(self, replicas: int) -> float:
        """The rate of each of so many replicas at which its load is 1.

        As one of several a replica sees at its safe rate what a lone one sees at its own.
        """
        if self.rate_rps[0] <= 0.0:
            return self.full_rps
        return CapacityTable(self.replicas, self.rate_rps).total_rps(replicas) / replicas

    @property
    def unloaded_ms(self) -> tuple[float, ...]:
        """By target of the SLO: what a lone request sees at its quantile."""
        return tuple(values[0] for values in self.latency_ms)


def latency_ms_s(share_s: Floats, latency_ms: tuple[float, ...]) -> Floats:
    """Latencies at those loads, between and past the ones that are told."""
    # Past its end the curve goes on as steeply as it ended; it is steeper in truth.
    slope_ms = max(0.0, (latency_ms[-1] - latency_ms[-2]) / (SHARES[-1] - SHARES[-2]))
    told_ms_s: Floats = np.interp(share_s, SHARES, latency_ms) + slope_ms * np.maximum(0.0, share_s - SHARES[-1])
    return told_ms_s
