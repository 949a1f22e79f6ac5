"""Which replicas and mixes is sizing taught and judged on? Random ones, far wider than any hardware of today.

In: a random generator. Out: scenarios, and what the kernel measures of them. Teaching and judging use different seeds.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from plimsoll.domain import POISSON, Burstiness, StepTime
from plimsoll.engine.arrays import Floats
from plimsoll.engine.serving import Latencies, Replica, Requests, serve
from plimsoll.engine.workload import Lengths, Timeline

WARM_UP_SHARE = 0.05
"""Requests left out at the start, while the replica fills up."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A replica and what it serves."""

    replica: Replica
    prompts: Lengths
    outputs: Lengths


def draw(rng: np.random.Generator) -> Scenario:
    """Step times of 3 to 150 ms with terms over two to three decades, 2 to 512 slots, short and long requests."""
    alpha_ms = _log_uniform(rng, 3.0, 150.0)
    prompts = Lengths(mean := _log_uniform(rng, 16.0, 8000.0), mean * rng.uniform(1.02, 3.8))
    outputs = Lengths(mean := _log_uniform(rng, 4.0, 2000.0), mean * rng.uniform(1.02, 3.8))
    sequences = round(_log_uniform(rng, 2.0, 512.0))
    room = int((prompts.mean + outputs.mean) * sequences * _log_uniform(rng, 0.3, 4.0))
    longest = _at(prompts, 4.0) + _at(outputs, 4.0)
    return Scenario(
        Replica(
            StepTime(
                alpha_ms,
                alpha_ms * _log_uniform(rng, 3e-4, 0.15),
                alpha_ms * _log_uniform(rng, 2e-4, 0.06),
                alpha_ms * _log_uniform(rng, 3e-7, 6e-5),
            ),
            max_sequences=sequences,
            kv_cache_tokens=max(room, longest + 2),
            chunk_tokens=int(2.0 ** rng.uniform(8.0, 14.0)),
        ),
        prompts,
        outputs,
    )


@dataclass(frozen=True, slots=True)
class Traffic:
    """Requests of a scenario, to be played at any rate; a scenario's requests are the same at every rate."""

    scenario: Scenario
    timeline: Timeline
    requests: Requests

    @classmethod
    def of(
        cls, scenario: Scenario, count: int, rng: np.random.Generator, burstiness: Burstiness = POISSON
    ) -> "Traffic":
        timeline = Timeline.drawn(count, burstiness, rng)
        longest_prompt, longest_output = _at(scenario.prompts, 4.0), _at(scenario.outputs, 4.0)
        requests = Requests(
            timeline.arrivals_ms(1.0),
            scenario.prompts.drawn(count, rng, longest_prompt),
            scenario.outputs.drawn(count, rng, longest_output),
        )
        return cls(scenario, timeline, requests)

    def played(self, rate_per_ms: float) -> Latencies:
        """What the requests see at that rate, without those of the start."""
        arrivals_ms = self.timeline.arrivals_ms(rate_per_ms)
        seen = serve(
            [self.scenario.replica],
            Requests(arrivals_ms, self.requests.prompt_tokens_i, self.requests.output_tokens_i),
        )
        first = int(WARM_UP_SHARE * self.requests.count)
        return Latencies(seen.ttft_ms_i[first:], seen.tpot_ms_i[first:], seen.e2e_ms_i[first:])

    def capacity_per_ms(self) -> float:
        """What is completed a ms when all requests are there from the start, without the end, when slots fall empty."""
        seen = serve(
            [self.scenario.replica],
            Requests(np.zeros(self.requests.count), self.requests.prompt_tokens_i, self.requests.output_tokens_i),
        )
        done_ms = np.sort(seen.e2e_ms_i)
        first, last = done_ms.size // 10, done_ms.size * 8 // 10
        return float((last - first) / (done_ms[last] - done_ms[first]))


def quantiles_ms(seen: Latencies, shares: tuple[float, ...]) -> Floats:
    """Quantiles by metric (TTFT, TPOT, E2E) and share."""
    return np.array(
        [
            np.quantile(values_i[np.isfinite(values_i)], shares)
            for values_i in (seen.ttft_ms_i, seen.tpot_ms_i, seen.e2e_ms_i)
        ]
    )


def scenarios(seed: int, count: int) -> Iterator[tuple[Scenario, np.random.Generator]]:
    """So many scenarios, each with a generator of its own."""
    for child in np.random.SeedSequence(seed).spawn(count):
        rng = np.random.default_rng(child)
        yield draw(rng), rng


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _at(lengths: Lengths, normal: float) -> int:
    return max(2, int(lengths.at(np.array([normal]))[0]))


def normal_of(share: float) -> float:
    return NormalDist().inv_cdf(share)
