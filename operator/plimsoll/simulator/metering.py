"""What do the engines of one deployment count? The numbers behind their /metrics at one moment.

In: a `Service`. Out: for each slot one row of gauges and counters, as vLLM exposes them (vllm/v1/metrics/loggers.py):
latencies and lengths as histograms, a first token counted when it comes, all else when a request is done. A request
whose client went away counts as done (finished_reason="abort") and has no latency.

Array names end in their axes: i for requests, r for slots, c for columns, b for buckets.
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from plimsoll.domain import LatencyMetric
from plimsoll.engine.arrays import Floats
from plimsoll.simulator.serving import Service

# vllm/v1/metrics/loggers.py, in seconds there.
TTFT_BOUNDS_MS: Final = np.array([1, 5, 10, 20, 40, 60, 80, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000, 20000,
                                  40000, 80000, 160000, 640000, 2560000], dtype=np.float64)  # fmt: skip
TPOT_BOUNDS_MS: Final = np.array([10, 25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 2500, 5000, 7500, 10000,
                                  20000, 40000, 80000], dtype=np.float64)  # fmt: skip
E2E_BOUNDS_MS: Final = np.array([300, 500, 800, 1000, 1500, 2000, 2500, 5000, 10000, 15000, 20000, 30000, 40000, 50000,
                                 60000, 120000, 240000, 480000, 960000, 1920000, 7680000],
                                dtype=np.float64)  # fmt: skip
TOKEN_BOUNDS: Final = np.array([m * 10**e for e in range(6) for m in (1, 2, 5)], dtype=np.float64)
"""build_1_2_5_buckets, up to the longest context of common models."""

# Columns of a row: three gauges, then counters, then the buckets of five histograms.
RUNNING, WAITING, KV_USE, ENDED, FINISHED, PROMPT_TOKENS, OUTPUT_TOKENS, ARRIVED = range(8)
GAUGES = 3


@dataclass(frozen=True, slots=True)
class Histogram:
    """Where in a row a histogram stands; its last bucket has no upper bound."""

    first: int
    bounds: Floats

    @property
    def columns(self) -> slice:
        return slice(self.first, self.first + self.bounds.size + 1)


def _placed() -> tuple[Histogram, ...]:
    bounds = (TTFT_BOUNDS_MS, TPOT_BOUNDS_MS, E2E_BOUNDS_MS, TOKEN_BOUNDS, TOKEN_BOUNDS)
    starts = np.cumsum([ARRIVED + 1, *(one.size + 1 for one in bounds)])
    return tuple(Histogram(int(first), one) for (first, _), one in zip(pairwise(starts), bounds, strict=True))


TTFT, TPOT, E2E, PROMPTS, OUTPUTS = _placed()
LATENCIES: Final = {LatencyMetric.TTFT: TTFT, LatencyMetric.TPOT: TPOT, LatencyMetric.E2E: E2E}
COLUMNS: Final = OUTPUTS.columns.stop


class Meter:
    """Counts for one service; told to look before anything is read."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._counts_rc: Floats = np.zeros((service.slots, COLUMNS))
        self._without_first_i: NDArray[np.int64] = np.empty(0, dtype=np.int64)
        self._seen = 0
        self.requests = 0
        """At the router: all that came so far."""

    def reset(self, slot: int) -> None:
        """A new replica has the slot: its process counts from zero."""
        self._fit()
        self._counts_rc[slot] = 0.0

    def look(self) -> None:
        """Count what has happened since the last look."""
        service = self._service
        self._fit()
        now_ms = service.now_ms
        self.requests = int(np.searchsorted(service.arrival_ms_i, now_ms, side="left"))
        self._count_first(now_ms)
        open_i = service.open_requests()
        last_ms_i = service.last_ms_i[open_i]
        done, given_up = last_ms_i <= now_ms, np.isposinf(last_ms_i)
        self._add(service.replica_i[open_i[done | given_up]], ENDED)
        self._count_done(open_i[done])
        service.open_i = open_i[~(done | given_up)]
        self._counts_rc[:, RUNNING] = self._counts_rc[:, WAITING] = self._counts_rc[:, KV_USE] = 0.0
        for slot in service.live:
            running, waiting = service.running_and_waiting(slot)
            self._counts_rc[slot, :GAUGES] = running, waiting, service.kv_use_ratio(slot)
        # Whoever drains has been played to its end already: what it holds now is told by its requests.
        slots_i = service.replica_i[service.open_i]
        draining = ~np.isin(slots_i, service.live)
        if draining.any():
            self._counts_rc[:, RUNNING] += np.bincount(slots_i[draining], minlength=self._counts_rc.shape[0])

    def row(self, slot: int) -> Floats:
        """All columns of a slot, as by the last look."""
        return np.array(self._counts_rc[slot])

    def _count_first(self, now_ms: float) -> None:
        service = self._service
        fresh_i = np.arange(self._seen, service.next_i)
        self._seen = service.next_i
        # Refused and given up at the router: no engine has seen them.
        fresh_i = fresh_i[service.replica_i[fresh_i] >= 0]
        self._add(service.replica_i[fresh_i], ARRIVED)
        waiting_i = np.concatenate((self._without_first_i, fresh_i))
        first_ms_i = service.first_ms_i[waiting_i]
        came = first_ms_i <= now_ms
        self._without_first_i = waiting_i[~came & ~np.isposinf(first_ms_i)]
        told_i = waiting_i[came]
        self._observe(told_i, TTFT, service.first_ms_i[told_i] - service.arrival_ms_i[told_i])

    def _count_done(self, done_i: NDArray[np.int64]) -> None:
        if done_i.size == 0:
            return
        service, slots = self._service, self._counts_rc.shape[0]
        replica_i = service.replica_i[done_i]
        prompts_i, outputs_i = service.traffic.prompt_tokens_i[done_i], service.traffic.output_tokens_i[done_i]
        self._add(replica_i, FINISHED)
        self._counts_rc[:, PROMPT_TOKENS] += np.bincount(replica_i, weights=prompts_i, minlength=slots)
        self._counts_rc[:, OUTPUT_TOKENS] += np.bincount(replica_i, weights=outputs_i, minlength=slots)
        self._observe(done_i, PROMPTS, prompts_i)
        self._observe(done_i, OUTPUTS, outputs_i)
        last_ms_i = service.last_ms_i[done_i]
        self._observe(done_i, E2E, last_ms_i - service.arrival_ms_i[done_i])
        several = outputs_i > 1
        later_ms_i = last_ms_i[several] - service.first_ms_i[done_i[several]]
        self._observe(done_i[several], TPOT, later_ms_i / (outputs_i[several] - 1))

    def _add(self, replica_i: NDArray[np.int64], column: int) -> None:
        known_i = replica_i[replica_i >= 0]
        if known_i.size:
            self._counts_rc[:, column] += np.bincount(known_i, minlength=self._counts_rc.shape[0])

    def _observe(
        self, which_i: NDArray[np.int64], histogram: Histogram, value_i: NDArray[np.float64 | np.int64]
    ) -> None:
        if which_i.size == 0:
            return
        slots, buckets = self._counts_rc.shape[0], histogram.bounds.size + 1
        # A bucket holds values up to and including its bound.
        bucket_i = np.searchsorted(histogram.bounds, value_i, side="left")
        counts = np.bincount(self._service.replica_i[which_i] * buckets + bucket_i, minlength=slots * buckets)
        self._counts_rc[:, histogram.columns] += counts.reshape(slots, buckets)

    def _fit(self) -> None:
        missing = self._service.slots - self._counts_rc.shape[0]
        if missing > 0:
            self._counts_rc = np.concatenate((self._counts_rc, np.zeros((missing, COLUMNS))))
