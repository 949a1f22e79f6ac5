"""What did requests of a variant see, against what its profile predicts for the load that it really had?

In: a variant with its observed latencies, the prediction for its deployment's case as it was simulated. Out: a
`Comparison`, or None for a moment that tells nothing about the profile: a queue, an almost idle replica, replicas that
come or go, too few requests, a safe rate that is only estimated (its latencies below the limit are off by tens of
percent). Pure.

An engine whose every step takes c times as long is the same engine on a clock that is c times slower: at rate r it
shows c times the latencies that the profile has at rate c r. So one factor is read off one latency, also where load
makes the latency rise far more than the factor.

Array names end in their axes: q for targets of an SLO.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plimsoll.domain import (
    Deployment,
    Forecast,
    LatencyComparison,
    LatencyMetric,
    LatencyTarget,
    Profile,
    SizedBy,
    TokenMix,
    Variant,
)
from plimsoll.engine.case import Case
from plimsoll.engine.questions import METRICS, Physics
from plimsoll.engine.surrogate import normal_of
from plimsoll.engine.workload import Lengths
from plimsoll.sizing.capacity import Capacity
from plimsoll.sizing.cases import Corrections, case_of, overhead_ms
from plimsoll.sizing.options import Simulated
from plimsoll.sizing.refusals import outside_range
from plimsoll.sizing.token_mix import longest_output_tokens, longest_prompt_tokens

IDLE_SHARE, SATURATED_SHARE = 0.2, 0.9
"""Loads, as shares of the safe rate, between which latencies tell the speed of the engine: below there is hardly a
batch, above a small error of the rate moves latencies far. Guesses."""
FULL_KV_RATIO = 0.9
"""KV cache use from which requests may be preempted, which no prediction has. A guess."""
WAITING_SHARE = 0.05
"""Requests that may wait for each that runs without being called a queue: they have come since the last step."""
FEWEST_REQUESTS = 40
"""In the window. Two of 40 are beyond a p95; of fewer it is chance."""
FEWEST_BEYOND = 2.0
"""Requests beyond a quantile for it to be one: asks for 200 where it is a p99."""
FEWEST_PER_REPLICA = 10
"""Quantiles are read replica by replica: of ten requests a p95 is about their slowest, of fewer it is too low."""
GROUP_MARGIN = 0.1
"""By how much a group's latencies below its full load may lie below those told for it, which are a lone replica's at
the same share: a router evens out what meets a lone one. Played, factors read off groups of 2 to 16 are up to 12% too
low, 3% in the median of time per token, hardly ever too high. So much is not taken for a faster engine."""
LARGEST_FACTOR = 2.0
"""A single look says at most that the engine is twice or half as fast; one hiccup must not weigh like ten minutes."""
_METRICS_THAT_TEACH = (LatencyMetric.TPOT, LatencyMetric.E2E, LatencyMetric.TTFT)
"""The first of them that is observed. Time per token hangs on steps alone, the first token on queues and HTTP too."""
_HALVINGS = 12
"""Of the logarithm of a range of four: to 0.03%."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One usable look at one variant."""

    requests: float
    """How many it stands for."""
    log_factor: float
    """Logarithm of how many times the profile's step times the engine takes."""
    teaching: LatencyComparison
    """The latency it was read off, against the profile as written."""
    latencies: tuple[LatencyComparison, ...]
    """All that were observed, against the profile as corrected until now."""


def compare(
    deployment: Deployment,
    variant: Variant,
    forecast: Forecast,
    simulated: Simulated,
    corrections: Corrections,
) -> Comparison | None:
    """How the variant's requests fared, or None where the moment tells nothing about its profile.

    That the replicas have been the same for a whole window is up to the caller.

    Args:
        deployment: with known demand.
        variant: one of its variants.
        forecast: of the deployment; its mix and burstiness name the case.
        simulated: what has been simulated so far.
        corrections: as they are in use.
    """
    rate_rps, tokens = _rate_rps(deployment, variant), deployment.demand.tokens
    if rate_rps is None or tokens is None or forecast.tokens is None or not _flows_freely(deployment, variant):
        return None
    requests = rate_rps * deployment.demand.window_s
    observed = _observed_q(deployment, variant, requests)
    if not observed or outside_range(variant.profile, forecast.tokens) is not None:
        return None
    case = case_of(variant.profile, forecast.tokens, deployment.slo, forecast.burstiness, corrections)
    capacity = simulated.get(case)
    if capacity is None or capacity.sized_by is not SizedBy.SIMULATION:
        return None
    predicted = _Prediction.of(variant.profile, case, capacity, deployment.slo, tokens, variant.ready_replicas)
    rate_per_replica_rps = rate_rps / variant.ready_replicas
    if not IDLE_SHARE <= predicted.load_share(rate_per_replica_rps) <= SATURATED_SHARE:
        return None
    applied = corrections.get(variant.profile.name, 1.0)
    return _comparison(predicted, observed, rate_per_replica_rps, applied, requests)


def _comparison(
    predicted: "_Prediction",
    observed: dict[int, float],
    rate_rps: float,
    applied: float,
    requests: float,
) -> Comparison:
    slo = predicted.slo
    metric = next(one for one in _METRICS_THAT_TEACH if any(slo[q].metric is one for q in observed))
    teachers = [q for q in observed if slo[q].metric is metric]
    factors = [_pace(predicted, q, observed[q], rate_rps, applied) * applied for q in teachers]
    now_ms_q, written_ms_q = predicted.at(rate_rps, 1.0), predicted.at(rate_rps, 1.0 / applied)

    def compared(q: int, predicted_ms: float) -> LatencyComparison:
        return LatencyComparison(slo[q].metric, slo[q].quantile, predicted_ms, observed[q], rate_rps)

    log_factor = float(np.mean(np.log(factors)))
    if predicted.replicas > 1 and log_factor < 0.0:
        log_factor = min(0.0, log_factor + GROUP_MARGIN)
    return Comparison(
        requests=requests,
        log_factor=log_factor,
        teaching=compared(teachers[0], written_ms_q[teachers[0]]),
        latencies=tuple(compared(q, now_ms_q[q]) for q in observed),
    )


def _pace(predicted: "_Prediction", q: int, observed_ms: float, rate_rps: float, applied: float) -> float:
    """How many times slower than corrected until now the engine must be to show this latency."""
    low, high = np.log(1.0 / LARGEST_FACTOR / applied), np.log(LARGEST_FACTOR / applied)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2.0
        if predicted.at(rate_rps, float(np.exp(middle)))[q] < observed_ms:
            low = middle
        else:
            high = middle
    return float(np.exp((low + high) / 2.0))


def _rate_rps(deployment: Deployment, variant: Variant) -> float | None:
    """What arrives at the variant: where engines do not tell, all of it if nothing else serves."""
    if variant.arrival_rate_rps is not None:
        return variant.arrival_rate_rps
    alone = all(one.key == variant.key or not one.pods for one in deployment.variants)
    return deployment.demand.arrival_rate_rps if alone else None


def _flows_freely(deployment: Deployment, variant: Variant) -> bool:
    demand, ready = deployment.demand, variant.ready_replicas
    return (
        0 < ready == variant.replicas == len(variant.pods)
        and demand.waiting <= max(1.0, WAITING_SHARE * demand.running)
        and (variant.kv_cache_use_ratio or 0.0) < FULL_KV_RATIO
    )


def _observed_q(deployment: Deployment, variant: Variant, requests: float) -> dict[int, float]:
    """Observed latencies by place of their target in the SLO, where requests are enough to speak of that quantile."""
    seen = {(one.metric, one.quantile): one.value_ms for one in variant.latencies}
    if requests < max(FEWEST_REQUESTS, FEWEST_PER_REPLICA * variant.ready_replicas):
        return {}
    return {
        q: seen[target.metric, target.quantile]
        for q, target in enumerate(deployment.slo)
        if seen.get((target.metric, target.quantile), 0.0) > 0.0
        and requests * (1.0 - target.quantile) >= FEWEST_BEYOND * (1.0 - 1e-9)
    }


@dataclass(frozen=True, slots=True)
class _Prediction:
    """Latencies for the mix that requests have at present, told from the simulated ones of the mix in use.

    The mix in use lags behind and is rounded up. To the first order another mix loads the replica as much as another
    rate would, and moves all latencies as it moves those of a lone request.
    """

    capacity: Capacity
    replicas: int
    slo: Sequence[LatencyTarget]
    overhead_ms_q: NDArray[np.float64]
    work_ratio: float
    """Work of a request at present over that of the mix in use."""
    latency_ratio_q: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        profile: Profile,
        case: Case,
        capacity: Capacity,
        slo: Sequence[LatencyTarget],
        present: TokenMix,
        replicas: int,
    ) -> "_Prediction":
        prompts = Lengths(max(present.prompt_tokens_mean, 1.0), longest_prompt_tokens(present))
        outputs = Lengths(max(present.output_tokens_mean, 1.0), longest_output_tokens(present))
        mixes = ((case.prompts, case.outputs), (prompts, outputs))
        physics = Physics.of([(case.replica, *mix) for mix in mixes for _ in slo])
        metric_q = np.array([METRICS.index(target.metric) for target in slo], dtype=np.int64)
        normal_q = normal_of(np.array([target.quantile for target in slo]))
        used_q, now_q = np.split(physics.unloaded_ms(np.tile(metric_q, 2), np.tile(normal_q, 2)), 2)
        return cls(
            capacity=capacity,
            replicas=replicas,
            slo=slo,
            overhead_ms_q=np.array([overhead_ms(profile, target.metric) for target in slo]),
            work_ratio=float(physics.capacity_v[0] / physics.capacity_v[-1]),
            latency_ratio_q=now_q / used_q,
        )

    def load_share(self, rate_per_replica_rps: float) -> float:
        """Of what is safe for one of these replicas."""
        return rate_per_replica_rps * self.work_ratio / self.capacity.full_rps_of(self.replicas)

    def at(self, rate_per_replica_rps: float, pace: float) -> list[float]:
        """The SLO's quantiles on an engine that takes so many times longer for each step."""
        values_ms = self.capacity.latencies_ms(rate_per_replica_rps * self.work_ratio * pace, self.replicas)
        return [
            float(overhead + pace * ratio * value)
            for overhead, ratio, value in zip(self.overhead_ms_q, self.latency_ratio_q, values_ms, strict=True)
        ]
