"""How many requests per second may one replica get: the highest rate at which every SLO percentile still holds.

In: cases (a step-time law, slots, a token mix, an SLO). Out: the safe rate of each, and what a lone request sees.
The same case always has the same answer, so answers are remembered. Headroom is left to the caller. Design: section 3.

Array names end in their axes: v for cases, t for the SLO's targets.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from plimsoll.domain import LatencyObservation, LatencyTarget, StepTime, TokenMix
from plimsoll.sizing.birth_death import Chain, Floats, Replicas, stationary
from plimsoll.sizing.percentiles import METRICS, Codes, Percentiles, unloaded_ms

MAX_LOAD_RATIO = 0.98
"""Share of mu(N) beyond which no rate is safe, however loose the SLO: a queue of 50 requests on average, which takes
hours to settle, is no steady state to promise anything for. A guess; it only binds where no TTFT or E2E is promised."""

_LOWEST_RATIO = 1e-9
"""Of mu(N): where the search for a rate starts. There all requests are alone, as far as a quantile can tell."""

_HALVINGS = 22
"""Bisections of the rate's logarithm: log(1e9) / 2^22 leaves the answer within 0.0005%."""

_STATES_AT_ONCE = 1 << 17
"""Cases times states that are worked on together, so that the arrays (1 MB each) stay in the processor's cache."""

_REMEMBERED_ANSWERS = 16_384
"""A few answers for each of some thousand options; about 10 MB."""


@dataclass(frozen=True, slots=True)
class Case:
    """All that a safe rate depends on."""

    step_time: StepTime
    slots: int
    mix: TokenMix
    slo: tuple[LatencyTarget, ...]


@dataclass(frozen=True, slots=True)
class SafeRate:
    """The answer to one case; the rate is 0 where even a lone request misses the SLO."""

    rate_rps: float
    unloaded: tuple[LatencyObservation, ...]


class Answers:
    """Remembered answers, the least lately asked for go first. It changes times, never results."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._found: OrderedDict[Case, SafeRate] = OrderedDict()

    def __len__(self) -> int:
        return len(self._found)

    def get(self, case: Case) -> SafeRate | None:
        found = self._found.get(case)
        if found is not None:
            self._found.move_to_end(case)
        return found

    def remember(self, case: Case, found: SafeRate) -> None:
        self._found[case] = found
        while len(self._found) > self._bound:
            self._found.popitem(last=False)


_ANSWERS = Answers(_REMEMBERED_ANSWERS)


def safe_rates(cases: Sequence[Case], answers: Answers = _ANSWERS) -> dict[Case, SafeRate]:
    """The safe rate of every case; those that `answers` does not know are worked out together and remembered."""
    known = {case: answers.get(case) for case in cases}
    fresh = solve([case for case, found in known.items() if found is None])
    for case, found in fresh.items():
        answers.remember(case, found)
    return {case: found for case, found in known.items() if found is not None} | fresh


def solve(cases: Sequence[Case], states_at_once: int = _STATES_AT_ONCE) -> dict[Case, SafeRate]:
    """The safe rate of every case, worked out in batches of that many cases times states."""
    found: dict[Case, SafeRate] = {}
    for batch in _batches(cases, states_at_once):
        found.update(zip(batch, _solve_together(batch), strict=True))
    return found


@lru_cache(maxsize=_REMEMBERED_ANSWERS)
def latencies(case: Case, rate_rps: float) -> tuple[LatencyObservation, ...]:
    """What the SLO's quantiles come to when one replica gets that rate; 0 is a lone request."""
    replicas, targets = _replicas([case]), _Targets.of([case])
    if rate_rps <= 0.0:
        return _observations(case, [unloaded_ms(replicas, metric_v)[0] for metric_v in targets.metric_tv])
    percentiles = Percentiles.of(stationary(Chain.of(replicas), np.array([rate_rps / 1000.0])))
    return _observations(case, [values_v[0] for values_v in targets.latencies_ms(percentiles)])


def highest_rate_per_ms(meets: Callable[[Floats], NDArray[np.bool_]], limit_per_ms_v: Floats) -> Floats:
    """The highest rate of each case that passes, found by halving the intervals of all of them at once.

    Args:
        meets: tells for a rate of each case (requests per ms, above 0) whether it passes; it passes below any rate
            that does.
        limit_per_ms_v: rates from here on are not asked for.

    Returns:
        A rate below the limit, in halves of its logarithm; a billionth of the limit where no rate passed.
    """
    low_v, high_v = _LOWEST_RATIO * limit_per_ms_v, limit_per_ms_v
    for _ in range(_HALVINGS):
        middle_v = np.sqrt(low_v * high_v)
        passed_v = meets(middle_v)
        low_v = np.where(passed_v, middle_v, low_v)
        high_v = np.where(passed_v, high_v, middle_v)
    return low_v


@dataclass(frozen=True, slots=True)
class _Targets:
    """The SLO of every case as arrays; shorter ones are filled up with a target that always holds."""

    metric_tv: Codes
    quantile_tv: Floats
    limit_ms_tv: Floats

    @classmethod
    def of(cls, cases: Sequence[Case]) -> "_Targets":
        shape = (max(len(case.slo) for case in cases), len(cases))
        metric_tv, quantile_tv = np.zeros(shape, dtype=np.int64), np.full(shape, 0.5)
        limit_ms_tv = np.full(shape, np.inf)
        for v, case in enumerate(cases):
            for t, target in enumerate(case.slo):
                metric_tv[t, v] = METRICS.index(target.metric)
                quantile_tv[t, v] = target.quantile
                limit_ms_tv[t, v] = target.limit_ms
        return cls(metric_tv, quantile_tv, limit_ms_tv)

    def latencies_ms(self, percentiles: Percentiles) -> Iterator[Floats]:
        for metric_v, quantile_v in zip(self.metric_tv, self.quantile_tv, strict=True):
            yield percentiles.latency_ms(metric_v, quantile_v)

    def met(self, latencies_ms: Iterable[Floats]) -> NDArray[np.bool_]:
        met_v = np.ones(self.limit_ms_tv.shape[1], dtype=np.bool_)
        for limit_ms_v, value_ms_v in zip(self.limit_ms_tv, latencies_ms, strict=True):
            met_v &= value_ms_v <= limit_ms_v
        return met_v


def _batches(cases: Sequence[Case], states_at_once: int) -> Iterator[list[Case]]:
    # Like sizes together: every case of a batch pays for the states of its largest.
    batch: list[Case] = []
    for case in sorted(cases, key=lambda case: case.slots):
        if batch and (len(batch) + 1) * (case.slots + 1) > states_at_once:
            yield batch
            batch = []
        batch.append(case)
    if batch:
        yield batch


def _solve_together(cases: Sequence[Case]) -> list[SafeRate]:
    replicas, targets = _replicas(cases), _Targets.of(cases)
    chain = Chain.of(replicas)

    def meets(rate_per_ms_v: Floats) -> NDArray[np.bool_]:
        percentiles = Percentiles.of(stationary(chain, rate_per_ms_v))
        return targets.met(targets.latencies_ms(percentiles))

    alone_ms_tv = [unloaded_ms(replicas, metric_v) for metric_v in targets.metric_tv]
    reachable_v = targets.met(alone_ms_tv)
    rate_per_ms_v = highest_rate_per_ms(meets, MAX_LOAD_RATIO * replicas.full_completions_per_ms_v)
    return [
        SafeRate(float(rate), _observations(case, [values_ms_v[v] for values_ms_v in alone_ms_tv]))
        for v, (case, rate) in enumerate(zip(cases, np.where(reachable_v, rate_per_ms_v, 0.0) * 1000.0, strict=True))
    ]


def _replicas(cases: Sequence[Case]) -> Replicas:
    return Replicas.of([(case.step_time, case.slots, case.mix) for case in cases])


def _observations(case: Case, values_ms: Sequence[float]) -> tuple[LatencyObservation, ...]:
    return tuple(
        LatencyObservation(target.metric, target.quantile, float(value_ms))
        for target, value_ms in zip(case.slo, values_ms, strict=False)
    )
