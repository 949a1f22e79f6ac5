"""When do requests arrive, and how long are they?

In: a rate that changes over time, a trace or a burstiness and a mix of lengths, a seeded generator. Out: requests in
order of arrival. A trace is replayed request by request, its intervals stretched by the rate of the moment; without one
they are Gamma distributed (coefficient of variation 1 is Poisson).
"""

import csv
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np

from plimsoll_testkit.engines.engine import Request

CONVERSATION_TRACE = Path("traces/AzureLLMInferenceTrace_conv.csv")
# Quantiles of the Azure conversation hour (2023-11-16, 19,366 requests), measured in the trace; lengths between them
# lie on straight lines. Means come to 1,190 and 214 tokens, those of the hour are 1,155 and 211. Prompts and outputs
# are drawn apart; whole sessions and the drift over the hour are not imitated.
GENERATED_SHARES = (0.0, 0.05, 0.10, 0.20, 0.30, 0.40, 0.50, 0.60, 0.70, 0.80, 0.90, 0.95, 0.99, 1.0)
GENERATED_PROMPT = (2, 181, 207, 387, 403, 703, 1020, 1071, 1130, 1315, 2735, 4083, 4142, 14050)
GENERATED_OUTPUT = (7, 41, 54, 77, 91, 103, 129, 177, 384, 400, 424, 451, 601, 1000)
SAMPLE_SIZE = 20_000


@dataclass(frozen=True)
class Mix:
    """Requests to replay or draw from: prompt and output lengths together as they were seen."""

    prompt_tokens: Sequence[int]
    output_tokens: Sequence[int]
    source: str
    intervals: Sequence[float] = ()
    """Time from each request to the next, of mean 1; then the requests are replayed in their order. Empty: drawn."""


def data_directory() -> Path | None:
    """Where the public traces are, if they are there: PLIMSOLL_DATA_DIR, or shared/data beside the repository."""
    named = os.environ.get("PLIMSOLL_DATA_DIR")
    beside = Path(__file__).resolve().parents[4] / "shared" / "data"
    for candidate in (Path(named) if named else None, beside):
        if candidate is not None and (candidate / CONVERSATION_TRACE).is_file():
            return candidate
    return None


def conversation_mix(rng: np.random.Generator, scale: float, max_tokens: int, directory: Path | None) -> Mix:
    """The requests of the Azure conversation hour where it is there, else lengths drawn from its quantiles.

    Args:
        rng: for the generated ones.
        scale: multiplies every length, for models with shorter prompts.
        max_tokens: longest prompt or output kept.
        directory: where the public traces are; None if they are not there.
    """
    intervals: list[float] = []
    if directory is None:
        prompts = np.interp(rng.random(SAMPLE_SIZE), GENERATED_SHARES, GENERATED_PROMPT)
        outputs = np.interp(rng.random(SAMPLE_SIZE), GENERATED_SHARES, GENERATED_OUTPUT)
        source = "generated in the shape of the Azure conversation trace"
    else:
        with (directory / CONVERSATION_TRACE).open(newline="") as file:
            rows = list(csv.DictReader(file))
        prompts = np.array([float(row["ContextTokens"]) for row in rows])
        outputs = np.array([float(row["GeneratedTokens"]) for row in rows])
        # Seven digits of a second: one more than datetime reads.
        times_s = np.array([datetime.fromisoformat(row["TIMESTAMP"][:26]).timestamp() for row in rows])
        gaps = np.diff(times_s, append=times_s[-1])
        intervals = [float(gap) for gap in gaps / gaps.mean()]
        source = "Azure LLM inference trace 2023, conversation"

    def whole(lengths: "np.ndarray[tuple[int], np.dtype[np.float64]]") -> list[int]:
        return [int(length) for length in np.clip(np.round(lengths * scale), 1, max_tokens)]

    return Mix(whole(prompts), whole(outputs), source, intervals)


@dataclass
class Traffic:
    """The arrivals of one model. `rate_points` are (second, requests per second), joined by straight lines."""

    rate_points: Sequence[tuple[float, float]]
    mix: Mix
    rng: np.random.Generator
    interval_cv: float = 1.0
    multiplier: float = 1.0
    """Set at any moment; multiplies the rate from then on."""
    constant_rps: float | None = None
    """Set at any moment; from then on the rate, in place of the points and the multiplier."""

    def __post_init__(self) -> None:
        self._now_s = 0.0
        self._row = int(self.rng.integers(len(self.mix.prompt_tokens)))
        self._credit = self._next_work()

    def rate_rps(self, at_s: float) -> float:
        """Requests per second at that moment."""
        if self.constant_rps is not None:
            return self.constant_rps
        points = self.rate_points
        if at_s <= points[0][0]:
            return points[0][1] * self.multiplier
        for (t0, r0), (t1, r1) in pairwise(points):
            if at_s <= t1:
                return (r0 + (r1 - r0) * (at_s - t0) / (t1 - t0)) * self.multiplier
        return points[-1][1] * self.multiplier

    def until(self, until_s: float, step_s: float = 0.01) -> Iterator[Request]:
        """The requests since the last call, up to that moment."""
        # An interval of unit mean is used up at the rate of the moment: the usual time change for varying rates.
        while self._now_s < until_s:
            slice_s = min(step_s, until_s - self._now_s)
            rate = self.rate_rps(self._now_s)
            work, used_s = rate * slice_s, 0.0
            while work >= self._credit:
                used_s += self._credit / rate
                work -= self._credit
                yield self._request(self._now_s + used_s)
                self._credit = self._next_work()
            self._credit -= work
            self._now_s += slice_s

    def _next_work(self) -> float:
        if self.mix.intervals:
            return self.mix.intervals[self._row]
        shape = 1.0 / self.interval_cv**2
        return float(self.rng.gamma(shape, 1.0 / shape))

    def _request(self, at_s: float) -> Request:
        count = len(self.mix.prompt_tokens)
        # A trace begins again where it ends.
        self._row = (self._row + 1) % count if self.mix.intervals else int(self.rng.integers(count))
        return Request(at_s, self.mix.prompt_tokens[self._row], self.mix.output_tokens[self._row])
