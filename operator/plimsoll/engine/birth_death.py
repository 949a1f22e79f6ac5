"""How busy is a serving replica at a given arrival rate: the birth-death chain of its requests.

In: the step-time law, slots and token mix of many replicas at once, and an arrival rate for each. Out: the stationary
distribution of the number of requests in each, and its mean latencies. This is the model that published autoscalers
size with; it knows means only and is optimistic near saturation. Nothing is sized with it here: it is kept as the
reference that the published check vector belongs to, for benchmarks and for rivals to be compared with. Design:
section 3.

Array names end in their axes: v for replicas (options), n for the number of requests in the system, 0 to N. The
queue beyond N is geometric and summed in closed form, so a long queue costs nothing. Latencies are ms, rates
requests per ms.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plimsoll.domain import StepTime, TokenMix
from plimsoll.engine.arrays import Floats

QUEUE_PLACES_PER_SLOT = 10
"""Waiting room Q = 10 N: convention of the published model that the check vector is taken from."""

_SMALLEST_LOG_LOAD = 1e-12
"""Keeps log(rho) off zero, where the geometric sum is 0/0; the sum itself is off by less than 1e-8 there."""

_LOWEST_RATIO = 1e-9
"""Of mu(N): where the search for a rate starts. There all requests are alone, as far as a mean can tell."""

_HALVINGS = 22
"""Bisections of the rate's logarithm: log(1e9) / 2^22 leaves the answer within 0.0005%."""


@dataclass(frozen=True, slots=True)
class Replicas:
    """What a replica's latencies depend on, one entry an option; every sequence's prefill is spread over its steps.

    With mean prompt I and output O, and the step-time law alpha + beta n + pi p + kappa C:

        T(n) = alpha + n b           b = (pi I + beta O)/(O + 1) + kappa (I + O/2)
        P(n) = T(n) + prefill        prefill = (pi + kappa) I
        D(n) = T(n) + decode         decode = beta + kappa (I + O/2)
        mu(n) = n / (P(n) + O D(n))
    """

    alpha_ms_v: Floats
    b_ms_v: Floats
    prefill_ms_v: Floats
    decode_ms_v: Floats
    output_tokens_v: Floats
    slots_v: NDArray[np.int64]
    """N, at least 1: the sequences that run at once."""

    @classmethod
    def of(cls, rows: Sequence[tuple[StepTime, int, TokenMix]]) -> "Replicas":
        """One replica a row: its step-time law, its slots N and the token mix that it serves."""
        laws, slots, mixes = zip(*rows, strict=True)
        alpha_v, beta_v, pi_v, kappa_v = np.array(
            [
                (
                    law.alpha_ms,
                    law.beta_ms_per_sequence,
                    law.pi_ms_per_prefill_token,
                    law.kappa_ms_per_kv_token,
                )
                for law in laws
            ]
        ).T
        prompt_v, output_v = np.array([(mix.prompt_tokens_mean, mix.output_tokens_mean) for mix in mixes]).T
        resident_v = prompt_v + output_v / 2.0
        return cls(
            alpha_ms_v=alpha_v,
            b_ms_v=(pi_v * prompt_v + beta_v * output_v) / (output_v + 1.0) + kappa_v * resident_v,
            prefill_ms_v=(pi_v + kappa_v) * prompt_v,
            decode_ms_v=beta_v + kappa_v * resident_v,
            output_tokens_v=output_v,
            slots_v=np.array(slots, dtype=np.int64),
        )

    def step_ms(self, n: Floats | float) -> Floats:
        """T(n); `n` has the axes v or v by n."""
        n = np.asarray(n, dtype=np.float64)
        return _column(self.alpha_ms_v, n) + n * _column(self.b_ms_v, n)

    def prefill_step_ms(self, n: Floats | float) -> Floats:
        """P(n), for a mean prompt."""
        n = np.asarray(n, dtype=np.float64)
        return self.step_ms(n) + _column(self.prefill_ms_v, n)

    def decode_step_ms(self, n: Floats | float) -> Floats:
        """D(n)."""
        n = np.asarray(n, dtype=np.float64)
        return self.step_ms(n) + _column(self.decode_ms_v, n)

    def completions_per_ms(self, n: Floats) -> Floats:
        """mu(n); `n` has the axes v or v by n."""
        return n / (self.prefill_step_ms(n) + _column(self.output_tokens_v, n) * self.decode_step_ms(n))

    @property
    def full_completions_per_ms_v(self) -> Floats:
        """mu(N): what the replica completes with every slot taken, the end of its capacity."""
        return self.completions_per_ms(self.slots_v.astype(np.float64))


@dataclass(frozen=True, slots=True)
class Chain:
    """The chain of each replica before a rate is given: what the search for a rate needs again and again."""

    replicas: Replicas
    running_n: Floats
    log_completions_vn: Floats
    """Sum of log mu(1) to log mu(n); infinite beyond N, which gives those states no weight."""

    @classmethod
    def of(cls, replicas: Replicas) -> "Chain":
        running_n = np.arange(int(replicas.slots_v.max()) + 1, dtype=np.float64)
        busy_vn = np.broadcast_to(running_n[1:], (replicas.slots_v.size, running_n.size - 1))
        log_completions_vn = np.zeros((replicas.slots_v.size, running_n.size))
        np.cumsum(np.log(replicas.completions_per_ms(busy_vn)), axis=1, out=log_completions_vn[:, 1:])
        log_completions_vn[running_n > replicas.slots_v[:, None]] = np.inf
        return cls(replicas, running_n, log_completions_vn)


@dataclass(frozen=True, slots=True)
class Stationary:
    """How often each number of requests is found in the system, at one arrival rate for each replica."""

    replicas: Replicas
    rate_per_ms_v: Floats
    probability_vn: Floats
    """Of n = 0 .. N requests, none of them waiting."""
    queueing_v: Floats
    """Probability that somebody waits: more than N requests, up to N + Q."""
    mean_queue_v: Floats
    """Mean number of waiting requests."""
    full_v: Floats
    """Probability that the waiting room is full, too."""


def stationary(chain: Chain, rate_per_ms_v: Floats) -> Stationary:
    """The stationary distribution, worked out in log space so that no number of slots overflows.

        p(n) ~ lambda^n / (mu(1) .. mu(n))    for n <= N
        p(N + j) = p(N) rho^j                 for j <= Q, rho = lambda / mu(N)

    Args:
        chain: the replicas.
        rate_per_ms_v: arrivals at one replica, above 0; may exceed what it completes.

    Returns:
        The distribution; its probabilities and `queueing_v` add up to 1.
    """
    slots_v = chain.replicas.slots_v
    places_v = QUEUE_PLACES_PER_SLOT * slots_v.astype(np.float64)
    log_load_v = np.log(rate_per_ms_v / chain.replicas.full_completions_per_ms_v)
    log_weight_vn = chain.running_n * np.log(rate_per_ms_v)[:, None] - chain.log_completions_vn
    log_weight_last_v = np.take_along_axis(log_weight_vn, slots_v[:, None], axis=1)[:, 0]
    log_weight_queue_v = log_weight_last_v + _log_geometric_sum(log_load_v, places_v)
    peak_v = np.maximum(log_weight_vn.max(axis=1), log_weight_queue_v)
    weight_vn = np.exp(log_weight_vn - peak_v[:, None])
    weight_queue_v = np.exp(log_weight_queue_v - peak_v)
    total_v = weight_vn.sum(axis=1) + weight_queue_v
    return Stationary(
        replicas=chain.replicas,
        rate_per_ms_v=rate_per_ms_v,
        probability_vn=weight_vn / total_v[:, None],
        queueing_v=weight_queue_v / total_v,
        mean_queue_v=weight_queue_v / total_v * _geometric_mean(log_load_v, places_v),
        full_v=np.exp(log_weight_last_v + places_v * log_load_v - peak_v) / total_v,
    )


@dataclass(frozen=True, slots=True)
class MeanLatencies:
    """Mean time to first token and between tokens; the published model's figures, which the check vector pins."""

    ttft_ms_v: Floats
    itl_ms_v: Floats


def mean_latencies(found: Stationary) -> MeanLatencies:
    """Mean latencies by Little's law, S being the mean time in service and W in the queue.

        ITL = (S - P(E[min(n, N)])) / O
        TTFT = W + P(E[min(n, N)]) + ITL

    Source: the published queueing model's own analyser (llm-inferno/queue-analysis, pkg/analyzer/queueanalyzer.go).
    With ITL = D(n) at the n that gives the same S, the check vector's last figure would be 10.801 in place of 10.800.
    """
    replicas = found.replicas
    running_n = np.arange(found.probability_vn.shape[1], dtype=np.float64)
    mean_running_v = found.probability_vn @ running_n + replicas.slots_v * found.queueing_v
    accepted_per_ms_v = found.rate_per_ms_v * (1.0 - found.full_v)
    prefill_ms_v = replicas.prefill_step_ms(mean_running_v)
    itl_ms_v = (mean_running_v / accepted_per_ms_v - prefill_ms_v) / replicas.output_tokens_v
    wait_ms_v = found.mean_queue_v / accepted_per_ms_v
    return MeanLatencies(ttft_ms_v=wait_ms_v + prefill_ms_v + itl_ms_v, itl_ms_v=itl_ms_v)


def highest_rate_per_ms(meets: Callable[[Floats], NDArray[np.bool_]], limit_per_ms_v: Floats) -> Floats:
    """The highest rate of each replica that passes, found by halving the intervals of all of them at once.

    Args:
        meets: tells for a rate of each replica (requests per ms, above 0) whether it passes; it passes below any rate
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


def _log_geometric_sum(log_load_v: Floats, places_v: Floats) -> Floats:
    """log of rho + rho^2 + .. + rho^Q, summed from its largest term so that nothing overflows."""
    size_v = np.maximum(np.abs(log_load_v), _SMALLEST_LOG_LOAD)
    largest_v = np.where(log_load_v > 0.0, places_v * log_load_v, log_load_v)
    return largest_v + np.log(np.expm1(-places_v * size_v) / np.expm1(-size_v))


def _geometric_mean(log_load_v: Floats, places_v: Floats) -> Floats:
    """Mean of j = 1 .. Q with weights rho^j.

    With u = |log rho| and i = j - 1 the mean of i is Q/(1 - exp(-Q u)) - 1/(1 - exp(-u)) for rho > 1, mirrored for
    rho < 1. Both terms blow up at u = 0; below Q u = 1e-3 the series (Q-1)/2 + u (Q^2 - 1)/12 is exact to 1e-10.
    """
    size_v = np.maximum(np.abs(log_load_v), _SMALLEST_LOG_LOAD)
    near_one_v = places_v * size_v < 1e-3
    series_v = (places_v - 1.0) / 2.0 + size_v * (places_v**2 - 1.0) / 12.0
    closed_v = 1.0 / np.expm1(-size_v) - places_v / np.expm1(-places_v * size_v)
    rising_v = np.where(near_one_v, series_v, closed_v)
    return 1.0 + np.where(log_load_v > 0.0, rising_v, places_v - 1.0 - rising_v)


def _column(value_v: Floats, n: Floats) -> Floats:
    """`value_v` shaped to go along with `n`, whose axes are v or v by n."""
    return value_v[:, None] if n.ndim == 2 else value_v
