"""What did requests of a variant see, against what its profile predicts for the load that it really had?

In: variants with their observed latencies, the predictions for their cases as they were simulated. Out: a `Comparison`
for each, but none for a moment that tells nothing about the profile: a queue, an almost idle replica, replicas that
come or go, too few requests, a case that is only estimated (latencies below the limit are then off by tens of percent).
Pure.

An engine whose every step takes c times as long is the same engine on a clock that is c times slower: at rate r it
shows c times the latencies that the profile has at rate c r. So one factor is read off one latency, also where load
makes the latency rise far more than the factor. Of latencies read from histograms only the bucket is known (vLLM has
one from 10 to 25 ms a token): within it every prediction is right.

Array names end in their axes: q for targets of SLOs, one deployment's after the other's; p for paces.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np

from plimsoll.domain import (
    Deployment,
    Forecast,
    LatencyComparison,
    LatencyMetric,
    LatencyObservation,
    LatencyTarget,
    Profile,
    Routing,
    SizedBy,
    TokenMix,
    Variant,
    VariantKey,
)
from plimsoll.engine.arrays import Floats
from plimsoll.engine.case import Case
from plimsoll.engine.questions import METRICS, Physics
from plimsoll.engine.surrogate import normal_of
from plimsoll.engine.workload import Lengths
from plimsoll.sizing.capacity import Capacity, latency_ms_s
from plimsoll.sizing.cases import Corrections, case_within_window, overhead_ms
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
"""In the window, whatever the quantile: of a p95 two of 40 are beyond it."""
FEWEST_BEYOND = 1.0
"""Requests beyond a quantile for it to be one: asks for 100 where it is a p99. Of so few it comes out low (of 60 a
replica the p99 is hardly more than a p97): in simulated days factors were read off 8 to 12% too low, as they are of
twice as many. Asking for 200 leaves models of less than 3.3 req/s at their first headroom for ever: a day of two such
models cost 13% more with it, and kept no more of their SLO."""
FEWEST_BEYOND_PER_REPLICA = 0.4
"""Quantiles are read replica by replica: asks each for 40 requests where it is a p99, so that it is a p97 at least."""
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
_LOG_FACTOR_P = np.linspace(-math.log(LARGEST_FACTOR), math.log(LARGEST_FACTOR), 49)
"""Factors that are tried, 3% apart; between them the logarithms are interpolated."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """One usable look at one variant."""

    requests: float
    """How many it stands for."""
    load_ratio: float
    """Of the predicted safe rate."""
    log_factor: float
    """Logarithm of how many times the profile's step times the engine takes."""
    log_factor_at_most: float
    """The same for the slowest engine that this look may have come from: of a histogram only the bucket is known."""
    teaching: LatencyComparison
    """The latency it was read off, against the profile as written."""
    latencies: tuple[LatencyComparison, ...]
    """All that were observed, against the profile as corrected until now."""


def compare(
    looks: Iterable[tuple[Deployment, Variant, Forecast]], simulated: Simulated, corrections: Corrections
) -> dict[VariantKey, Comparison]:
    """How the requests of each variant fared; variants whose moment tells nothing about their profile are absent.

    That the replicas have been the same for a whole window is up to the caller.

    Args:
        looks: deployments with known demand, one of their variants, their forecasts, whose mix and burstiness name the
            case.
        simulated: what has been simulated so far.
        corrections: as they are in use.
    """
    found = [_sample(deployment, variant, forecast, simulated, corrections) for deployment, variant, forecast in looks]
    samples = [one for one in found if one is not None]
    compared = {}
    for sample, present in zip(samples, _presents(samples), strict=True):
        share = sample.rate_rps * present.work_ratio / sample.capacity.full_rps_of(sample.replicas)
        if IDLE_SHARE <= share <= SATURATED_SHARE:
            compared[sample.key] = _comparison(sample, present, share)
    return compared


@dataclass(frozen=True, slots=True)
class _Sample:
    """A variant that served enough requests without a queue, and what it was sized by."""

    key: VariantKey
    profile: Profile
    slo: Sequence[LatencyTarget]
    case: Case
    capacity: Capacity
    applied: float
    """The correction that is in the case."""
    present: TokenMix
    replicas: int
    """That a router shares requests out among by their load: 1 behind a plain Service, however many there are."""
    rate_rps: float
    """Of each replica."""
    requests: float
    """Of all replicas in the window."""
    observed_q: Mapping[int, LatencyObservation]
    """By place in the SLO; at least one."""

    @property
    def mixes(self) -> tuple[tuple[Lengths, Lengths], tuple[Lengths, Lengths]]:
        """Prompts and outputs of the mix in use, and of the present one."""
        mix = self.present
        prompts = Lengths(max(mix.prompt_tokens_mean, 1.0), longest_prompt_tokens(mix), mix.prompt_tokens_most)
        outputs = Lengths(max(mix.output_tokens_mean, 1.0), longest_output_tokens(mix), mix.output_tokens_most)
        return (self.case.prompts, self.case.outputs), (prompts, outputs)


def _sample(
    deployment: Deployment, variant: Variant, forecast: Forecast, simulated: Simulated, corrections: Corrections
) -> _Sample | None:
    rate_rps, tokens, replicas = _rate_rps(deployment, variant), deployment.demand.tokens, variant.ready_replicas
    if rate_rps is None or tokens is None or forecast.tokens is None or not _flows_freely(deployment, variant):
        return None
    observed_q = _observed_q(deployment, variant, rate_rps * deployment.demand.window_s)
    if not observed_q or outside_range(variant.profile, forecast.tokens) is not None:
        return None
    case = case_within_window(deployment, variant.profile, forecast.tokens, forecast.burstiness, corrections)
    capacity = simulated.get(case)
    if capacity is None or capacity.sized_by is not SizedBy.SIMULATION:
        return None
    return _Sample(
        key=variant.key,
        profile=variant.profile,
        slo=deployment.slo,
        case=case,
        capacity=capacity,
        applied=corrections.get(variant.profile.name, 1.0),
        present=tokens,
        replicas=1 if deployment.routing is Routing.SERVICE else replicas,
        rate_rps=rate_rps / replicas,
        observed_q=observed_q,
        requests=rate_rps * deployment.demand.window_s,
    )


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


def _observed_q(deployment: Deployment, variant: Variant, requests: float) -> dict[int, LatencyObservation]:
    """Observed latencies where requests are enough to speak of their quantile."""
    if requests < max(FEWEST_REQUESTS, FEWEST_PER_REPLICA * variant.ready_replicas):
        return {}
    fewest_beyond = max(FEWEST_BEYOND, FEWEST_BEYOND_PER_REPLICA * variant.ready_replicas) * (1.0 - 1e-9)
    seen = {(one.metric, one.quantile): one for one in variant.latencies if one.value_ms > 0.0}
    return {
        q: seen[target.metric, target.quantile]
        for q, target in enumerate(deployment.slo)
        if (target.metric, target.quantile) in seen and requests * (1.0 - target.quantile) >= fewest_beyond
    }


@dataclass(frozen=True, slots=True)
class _Present:
    """How the mix that requests have at present differs from the mix in use, which lags behind and is rounded up.

    To the first order another mix loads a replica as much as another rate would, and moves all latencies as it moves
    those of a lone request.
    """

    work_ratio: float
    """Work of a request at present over that of the mix in use."""
    latency_ratio_q: Floats
    """Unloaded latencies, at present over those of the mix in use."""


def _presents(samples: Sequence[_Sample]) -> Iterator[_Present]:
    """All of them worked out at once."""
    if not samples:
        return
    targets = [target for sample in samples for target in sample.slo]
    rows = [(one.case.replica, *one.mixes[i]) for i in (0, 1) for one in samples for _ in one.slo]
    physics = Physics.of(rows)
    metric_q = np.array([METRICS.index(target.metric) for target in targets], dtype=np.int64)
    normal_q = normal_of(np.array([target.quantile for target in targets]))
    unloaded_ms_q = physics.unloaded_ms(np.tile(metric_q, 2), np.tile(normal_q, 2))
    used_q, now_q = np.split(physics.capacity_v, 2)
    work_q = used_q / now_q
    latency_q = np.divide(*np.split(unloaded_ms_q, 2)[::-1])
    first = 0
    for sample in samples:
        yield _Present(float(work_q[first]), latency_q[first : first + len(sample.slo)])
        first += len(sample.slo)


def _comparison(sample: _Sample, present: _Present, share: float) -> Comparison:
    slo, observed_q = sample.slo, sample.observed_q
    metric = next(one for one in _METRICS_THAT_TEACH if any(slo[q].metric is one for q in observed_q))
    teachers = [q for q in observed_q if slo[q].metric is metric]
    # The case has the step times of the correction in it, from which the factor counts on.
    pace_p = np.exp(_LOG_FACTOR_P) / sample.applied

    def predicted_ms_p(q: int, pace_p: Floats) -> Floats:
        """On an engine that takes so many times longer for each step than the case has it."""
        curve_ms_p = latency_ms_s(share * pace_p, sample.capacity.latency_ms[q])
        within_p: Floats = pace_p * present.latency_ratio_q[q] * curve_ms_p
        return within_p + overhead_ms(sample.profile, slo[q].metric)

    def compared(q: int, pace: float) -> LatencyComparison:
        predicted_ms = float(predicted_ms_p(q, np.array([pace]))[0])
        observed_ms = _as_far_as_known(observed_q[q], predicted_ms)
        return LatencyComparison(slo[q].metric, slo[q].quantile, predicted_ms, observed_ms, sample.rate_rps)

    latencies_q = {q: compared(q, 1.0) for q in observed_q}

    def log_factor_of(q: int, latency_ms: float) -> float:
        return float(np.interp(math.log(latency_ms), np.log(predicted_ms_p(q, pace_p)), _LOG_FACTOR_P))

    log_factor = fmean(log_factor_of(q, latencies_q[q].observed_ms) for q in teachers)
    at_most = min(log_factor_of(q, _at_most_ms(observed_q[q])) for q in teachers)
    if sample.replicas > 1 and log_factor < 0.0:
        log_factor = min(0.0, log_factor + GROUP_MARGIN)
    return Comparison(
        requests=sample.requests,
        load_ratio=share,
        log_factor=log_factor,
        log_factor_at_most=max(log_factor, at_most),
        teaching=compared(teachers[0], 1.0 / sample.applied),
        latencies=tuple(latencies_q.values()),
    )


def _at_most_ms(observed: LatencyObservation) -> float:
    if observed.at_most_ms is None:
        # Beyond the last bucket nothing is known.
        return observed.value_ms if observed.at_least_ms is None else math.inf
    return observed.at_most_ms


def _as_far_as_known(observed: LatencyObservation, predicted_ms: float) -> float:
    """What of the observation contradicts the prediction: nothing where the prediction lies in the same bucket."""
    if observed.at_least_ms is None and observed.at_most_ms is None:
        return observed.value_ms
    low_ms = observed.at_least_ms if observed.at_least_ms is not None else 0.0
    high_ms = observed.at_most_ms if observed.at_most_ms is not None else math.inf
    return min(max(predicted_ms, low_ms), high_ms)
