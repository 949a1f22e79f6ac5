"""Is the kernel's safe rate safe on traffic that was recorded, not drawn?

In: the Azure traces, where the data folder is there. Out: for some replicas the safe rate that the kernel gives from
what an operator sees (means and quantiles of lengths, counts between scrapes), against the one found on the recording.

A recording is brought to another rate by leaving requests out at random, or by playing it faster; never slower, which
would stretch bursts of seconds over minutes.
"""

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np

from plimsoll.domain import LatencyMetric, LatencyTarget, StepTime
from plimsoll.engine.arrays import Floats, Ints
from plimsoll.engine.case import Case
from plimsoll.engine.search import safe_rate_per_ms
from plimsoll.engine.serving import Replica, Requests, serve
from plimsoll.engine.workload import Lengths, burstiness_of_counts

SCRAPE_S = 15.0
_SEED = 3
_HALVINGS = 11

KINDS = {
    "H100 8B": (Replica(StepTime(6.68, 0.0186, 0.0197, 5.8e-5), 256, 440_000, 2048), ((800.0, 60.0), (400.0, 20.0))),
    "L4 8B": (Replica(StepTime(30.0, 0.3, 0.11, 2e-4), 64, 60_000, 2048), ((2000.0, 100.0), (1500.0, 60.0))),
    "A100x2 70B": (Replica(StepTime(54.7, 0.49, 0.336, 2.2e-4), 128, 200_000, 2048), ((4000.0, 120.0),)),
}
"""Replicas, and limits on p95 TTFT and TPOT, ms. Laws as fitted from the measurements; L4 by scaling."""


@dataclass(frozen=True, slots=True)
class Recording:
    """Requests as they came."""

    name: str
    arrival_ms_i: Floats
    prompt_i: Ints
    output_i: Ints
    chance_i: Floats
    """Of each request: it is kept where this is below the share asked for."""

    @classmethod
    def read(cls, folder: Path, name: str) -> "Recording":
        with (folder / "traces" / f"AzureLLMInferenceTrace_{name}.csv").open() as file:
            rows = list(csv.DictReader(file))
        at_s = np.array([datetime.fromisoformat(row["TIMESTAMP"][:26]).timestamp() for row in rows])
        tokens = np.array([(int(row["ContextTokens"]), int(row["GeneratedTokens"])) for row in rows], dtype=np.int64)
        prompt_i, output_i = np.maximum(tokens, 1).T.copy()
        chance_i = np.random.default_rng(_SEED).random(at_s.size)
        return cls(name, (at_s - at_s[0]) * 1000.0, prompt_i, output_i, chance_i)

    @property
    def rate_per_ms(self) -> float:
        return float(self.arrival_ms_i.size / self.arrival_ms_i[-1])

    def at(self, rate_per_ms: float) -> Requests:
        """The recording at another mean rate."""
        if rate_per_ms >= self.rate_per_ms:
            faster = rate_per_ms / self.rate_per_ms
            return Requests(self.arrival_ms_i / faster, self.prompt_i, self.output_i)
        kept = self.chance_i < rate_per_ms / self.rate_per_ms
        return Requests(self.arrival_ms_i[kept], self.prompt_i[kept], self.output_i[kept])


@dataclass(frozen=True, slots=True)
class Comparison:
    """One question and its two answers, requests per second."""

    what: str
    recorded_rps: float
    kernel_rps: float

    @property
    def error(self) -> float:
        """Positive where the kernel's answer is unsafe."""
        return self.kernel_rps / self.recorded_rps - 1.0


def comparisons(folder: Path) -> Iterator[Comparison]:
    """Every recording on every kind of replica, alone and behind a router."""
    for name in ("conv", "code"):
        recording = Recording.read(folder, name)
        for kind, (replica, limits) in KINDS.items():
            for ttft_ms, tpot_ms in limits:
                slo = (
                    LatencyTarget(LatencyMetric.TTFT, 0.95, ttft_ms),
                    LatencyTarget(LatencyMetric.TPOT, 0.95, tpot_ms),
                )
                for replicas in (1, 2, 4, 8):
                    found = _recorded_rate_per_ms(recording, replica, replicas, slo)
                    if found is None:
                        continue
                    requests = recording.at(found)
                    case = Case(replica, *_lengths(requests), slo, burstiness_of_counts(_counts(requests), SCRAPE_S))
                    guessed = safe_rate_per_ms(case, replicas, found)
                    what = f"{name}, {replicas} x {kind}, TTFT {ttft_ms:g} TPOT {tpot_ms:g}"
                    yield Comparison(what, found * 1000.0, guessed * 1000.0)


def _recorded_rate_per_ms(
    recording: Recording, replica: Replica, replicas: int, slo: tuple[LatencyTarget, ...]
) -> float | None:
    """The highest rate at which the recording itself keeps the SLO; None where it does so hardly or always."""
    low, high = recording.rate_per_ms / 50.0, recording.rate_per_ms * 100.0
    if not _keeps(recording.at(low), replica, replicas, slo) or _keeps(recording.at(high), replica, replicas, slo):
        return None
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        if _keeps(recording.at(middle), replica, replicas, slo):
            low = middle
        else:
            high = middle
    return low


def _keeps(requests: Requests, replica: Replica, replicas: int, slo: tuple[LatencyTarget, ...]) -> bool:
    seen = serve([replica] * replicas, requests)
    ttft, tpot = slo
    tpot_ms_i = seen.tpot_ms_i[np.isfinite(seen.tpot_ms_i)]
    return bool(
        np.quantile(seen.ttft_ms_i, ttft.quantile) <= ttft.limit_ms
        and np.quantile(tpot_ms_i, tpot.quantile) <= tpot.limit_ms
    )


def _lengths(requests: Requests) -> tuple[Lengths, Lengths]:
    prompts, outputs = (
        Lengths(float(tokens_i.mean()), max(float(tokens_i.mean()), float(np.quantile(tokens_i, 0.95))))
        for tokens_i in (requests.prompt_tokens_i, requests.output_tokens_i)
    )
    return prompts, outputs


def _counts(requests: Requests) -> Floats:
    edges_ms = np.arange(0.0, requests.arrival_ms_i[-1], SCRAPE_S * 1000.0)
    return np.histogram(requests.arrival_ms_i, edges_ms)[0].astype(np.float64)
