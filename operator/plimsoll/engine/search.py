"""What is the safe rate, exactly? The highest rate at which the kernel sees every SLO quantile within its limit.

In: a case, a number of replicas, a first guess. Out: a rate, per ms, for all of them together. The same requests are
played at every rate, so that latencies rise smoothly and a few plays are enough. Deterministic: the same case has the
same answer on every machine.
"""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from plimsoll.domain import LatencyMetric, LatencyObservation
from plimsoll.engine.arrays import Floats
from plimsoll.engine.case import Case
from plimsoll.engine.questions import Physics
from plimsoll.engine.serving import Latencies, Requests, Router, serve
from plimsoll.engine.surrogate import MAX_LOAD_RATIO
from plimsoll.engine.workload import LEVEL_FACTOR, Lengths, Timeline, stratified_normals

KERNEL_VERSION = 3
"""Raise it with every change, here, in the kernel or in what sizing makes of it, after which a case may have another
answer: answers outlive the process."""

REQUESTS = 40_000
TAIL_REQUESTS = 60_000
"""For quantiles beyond 0.97, which fewer requests would leave to chance."""
_TAIL_QUANTILE = 0.97
_WINDOWS = 200
"""A wandering rate must be seen in so many windows, or the answer hangs on a few of them."""
_MOST_REQUESTS = 400_000
_WARM_UP_SHARE = 0.1
"""Requests left out at the start, while the replicas fill up."""
_TURNOVERS = 10
"""Requests played for every slot there is, so that also many slots have been filled and left a few times."""
_WIDER = 1.06
"""First step of the search away from its guess, which is right within a few percent as a rule."""
_SEVERAL_REPLICAS = 2
_PRECISION = 0.003
"""Half the width of the interval in which the search ends; the sampling error of 40,000 requests is larger."""
CLOSE_ENOUGH = 0.004
"""Below the limit, as a logarithm; never above it."""
_MOST_PLAYS = 24
LOWEST_LOAD = 1e-3
"""Of capacity; with few slots requests are alone there, as far as a quantile can tell."""
_AMPLE_ROOM = 2.0
_MOST_SLOTS_PLAYED = 100
"""With a KV cache of twice what may run, or more slots than that, the formula for the capacity is right within a
percent. Held against what is played, it is 60% too high where one request and two thirds of another fit, 6% where
eight do, 1% where eighty do."""
_ROUNDS_PLAYED = 100
"""Requests for each slot, and never fewer than for ten slots: how they fit is then told within a percent."""
_SEED = 20_260_101
_SEEDS_APART = 10
_DRAWS_OF_BURSTS = 3
_LONGEST_NORMAL = 4.0
"""Drawn lengths end at this many sigmas."""


@dataclass(frozen=True)
class Trial:
    """A case with its requests drawn, to be played at any rate."""

    case: Case
    replicas: int
    requests: int
    expected_per_ms: float | None = None
    """About the rate that will be played, half the capacity where absent: bursts are drawn for as long as it takes."""
    seed: int = _SEED

    @cached_property
    def capacity_per_ms(self) -> float:
        case = self.case
        return self.replicas * float(Physics.of([(case.replica, case.prompts, case.outputs)]).capacity_v[0])

    @cached_property
    def completes_per_ms(self) -> float:
        """What the replicas complete at most, whatever the latency.

        The formula lets parts of a request into a KV cache; no latency tells that on its own, as the time per output
        token does not see the queue that then grows.
        """
        replica, physics = self.case.replica, Physics.of([(self.case.replica, self.case.prompts, self.case.outputs)])
        slots = float(physics.slots_v[0])
        if slots > _MOST_SLOTS_PLAYED or physics.kv_room_v[0] > _AMPLE_ROOM:
            return self.capacity_per_ms
        rounds = Trial(self.case, 1, _ROUNDS_PLAYED * max(10, math.ceil(slots)), seed=self.seed)
        drawn, _ = rounds._drawn
        queued = Requests(np.zeros(rounds.requests), drawn.prompt_tokens_i, drawn.output_tokens_i)
        done_ms_i = np.sort(serve([replica], queued).e2e_ms_i)
        # The start is a rush of prefills, and at the end slots stay empty.
        first, last = rounds.requests // 10, rounds.requests * 9 // 10
        played_per_ms = (last - first) / float(done_ms_i[last] - done_ms_i[first])
        return min(self.capacity_per_ms, self.replicas * played_per_ms)

    @property
    def lowest_per_ms(self) -> float:
        """Where the search ends: a rate that is of no use to anybody."""
        return LOWEST_LOAD * self.capacity_per_ms

    @cached_property
    def _timeline(self) -> Timeline:
        span_s = self.requests / (self.expected_per_ms or self.capacity_per_ms / 2.0) / 1000.0
        return Timeline.drawn(self.requests, self.case.burstiness, np.random.default_rng(self.seed), span_s=span_s)

    @cached_property
    def _drawn(self) -> tuple[Requests, Floats]:
        prompt_i, output_i, draws_i = _normals_and_draws(self.requests, self.seed + 1)
        # What does not fit into the cache is refused by engines; the others are what latencies are promised for.
        room = self.case.replica.kv_cache_tokens
        longest_prompt = max(1, min(room - 1, _longest(self.case.prompts)))
        prompts_i = self.case.prompts.whole(prompt_i, longest_prompt)
        longest_output = max(1, min(room - 1, _longest(self.case.outputs)))
        outputs_i = np.minimum(self.case.outputs.whole(output_i, longest_output), room - prompts_i)
        return Requests(np.empty(0), prompts_i, outputs_i), draws_i

    def latencies(self, rate_per_ms: float) -> Latencies:
        """What the requests see at that rate, without those of the start."""
        drawn, draws_i = self._drawn
        seen = serve(
            [self.case.replica] * self.replicas,
            Requests(self._timeline.arrivals_ms(rate_per_ms), drawn.prompt_tokens_i, drawn.output_tokens_i),
            self.case.router,
            draws_i=draws_i if self.case.router is Router.RANDOM else None,
        )
        first = int(_WARM_UP_SHARE * self.requests)
        return Latencies(seen.ttft_ms_i[first:], seen.tpot_ms_i[first:], seen.e2e_ms_i[first:])

    def observations(self, rate_per_ms: float) -> tuple[LatencyObservation, ...]:
        """The SLO's quantiles at that rate."""
        seen = self.latencies(rate_per_ms)
        return tuple(
            LatencyObservation(target.metric, target.quantile, _quantile_ms(seen, target.metric, target.quantile))
            for target in self.case.slo
        )

    def excess(self, rate_per_ms: float) -> float:
        """By how much the worst latency passes its limit, as a logarithm: at most 0 where the SLO holds."""
        return max(
            math.log(max(one.value_ms, 1e-9) / target.limit_ms)
            for one, target in zip(self.observations(rate_per_ms), self.case.slo, strict=True)
        )


def safe_rate_per_ms(case: Case, replicas: int, guess_per_ms: float, requests: int | None = None) -> float:
    """The highest rate at which so many replicas keep the SLO; 0 where they fail even with hardly anything to do.

    Args:
        case: what is asked.
        replicas: behind one router, all alike.
        guess_per_ms: where the search starts; a good one saves time and changes little else.
        requests: to play; as many as the SLO's quantiles need where absent.
    """

    def drawn(draw: int, about_per_ms: float) -> Trial:
        count = requests or requests_for(case, replicas, about_per_ms)
        return Trial(case, replicas, count, about_per_ms, _SEED + draw * _SEEDS_APART)

    found = _searched(drawn(0, guess_per_ms), guess_per_ms)
    if case.burstiness.is_steady:
        return found
    # A few windows decide what bursts do, and other draws have other ones: what holds in several of them counts.
    for draw in range(1, _DRAWS_OF_BURSTS):
        if found <= 0.0:
            break
        trial = drawn(draw, found)
        # No latency tells that requests of this draw are more than its replicas complete.
        found = min(found, MAX_LOAD_RATIO * trial.completes_per_ms)
        excess = trial.excess(found)
        if excess > 0.0:
            found = min(found, _searched(trial, found, excess))
    return found


def _searched(trial: Trial, guess_per_ms: float, excess: float | None = None) -> float:
    """The highest rate within the SLO; `excess` is that of the guess, where it has been played."""
    bracket = _bracket(trial, guess_per_ms, excess)
    if bracket is None:
        return 0.0
    (low, below), (high, above) = bracket
    # Regula falsi on logarithms, Illinois variant: few plays where the curve is smooth, halving where it is not.
    for _ in range(_MOST_PLAYS):
        if high <= low * (1.0 + 2.0 * _PRECISION):
            break
        share = min(max(below / (below - above), 0.05), 0.95)
        rate = float(low * (high / low) ** share)
        excess = trial.excess(rate)
        if -CLOSE_ENOUGH < excess <= 0.0:
            return rate
        if excess <= 0.0:
            low, below, above = rate, excess, above / 2.0
        else:
            high, above, below = rate, excess, below / 2.0
    return low


def _bracket(
    trial: Trial, guess_per_ms: float, excess: float | None
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Two rates with their excess, the first within the SLO and the second not, or at the end of the capacity."""
    limit = MAX_LOAD_RATIO * trial.completes_per_ms
    lowest = trial.lowest_per_ms
    rate = min(max(guess_per_ms, lowest), limit)
    if excess is None or rate != guess_per_ms:
        excess = trial.excess(rate)
    wider = _WIDER
    if excess <= 0.0:
        while rate < limit:
            last, rate, wider = (rate, excess), min(rate * wider, limit), wider * wider
            excess = trial.excess(rate)
            if excess > 0.0:
                return last, (rate, excess)
        return (limit, excess), (limit, 0.0)
    while rate > lowest:
        last, rate, wider = (rate, excess), max(rate / wider, lowest), wider * wider
        excess = trial.excess(rate)
        if excess <= 0.0:
            return (rate, excess), last
    return None


def requests_for(case: Case, replicas: int, rate_per_ms: float) -> int:
    """How many requests to play: enough for the SLO's quantiles, for full slots to turn over, and to see bursts."""
    tail = any(target.quantile > _TAIL_QUANTILE for target in case.slo)
    # Several replicas even out what a single one meets by chance.
    count = (TAIL_REQUESTS if tail else REQUESTS) // (1 if replicas < _SEVERAL_REPLICAS else 2)
    count = max(count, _TURNOVERS * replicas * case.replica.max_sequences)
    if not case.burstiness.is_steady:
        longest_ms = 1000.0 * case.burstiness.window_s * LEVEL_FACTOR ** len(case.burstiness.slower_cv2)
        count = max(count, int(_WINDOWS * longest_ms * rate_per_ms))
    return min(count, _MOST_REQUESTS)


def _quantile_ms(seen: Latencies, metric: LatencyMetric, quantile: float) -> float:
    values_i = {
        LatencyMetric.TTFT: seen.ttft_ms_i,
        LatencyMetric.TPOT: seen.tpot_ms_i,
        LatencyMetric.E2E: seen.e2e_ms_i,
    }[metric]
    if metric is LatencyMetric.TPOT:
        values_i = values_i[np.isfinite(values_i)]
    return float(np.quantile(values_i, quantile)) if values_i.size else 0.0


@lru_cache(maxsize=8)
def _normals_and_draws(count: int, seed: int) -> tuple[Floats, Floats, Floats]:
    """The same for every case of so many requests, and dear to draw."""
    rng = np.random.default_rng(seed)
    return stratified_normals(count, rng), stratified_normals(count, rng), rng.random(count)


def _longest(lengths: Lengths) -> int:
    return math.ceil(float(lengths.at(np.array([_LONGEST_NORMAL]))[0]))
