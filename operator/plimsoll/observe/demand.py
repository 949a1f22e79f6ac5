"""What arrives at each deployment, and if that is not known, why not?

In: deployments with their pods, one `MetricsReading`, and what was known before. Out: a `Demand` for every deployment,
what its variants observed, and what to remember. Absent is never zero: for whatever is not known there is a
`DemandState`, and nothing here fills it in. A value counts until it is older than the policy's `staleAfter`; then the
state says so and the forecast holds. Pure; the clock is passed in. Design section 4.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from plimsoll.api import Engine
from plimsoll.domain import Demand, DemandState, LatencyMetric, LatencyObservation, ObjectKey, TokenMix
from plimsoll.observe.arrivals import Look, look_at_pods
from plimsoll.observe.attribution import Asked, Attributed, PodSamples, attribute
from plimsoll.observe.gateway_demand import look_at_custom, look_at_gateway
from plimsoll.observe.queries import Signal
from plimsoll.observe.reading import MetricsReading
from plimsoll.observe.token_mix import token_mix, weighted_mean
from plimsoll.observe.window_fill import WindowFill


@dataclass(frozen=True, slots=True)
class LastKnown:
    """The last look at one deployment that was good, and how full its windows are."""

    at_s: float
    arrival_rate_rps: float
    tokens: TokenMix | None
    windows: Mapping[str, WindowFill]
    """By variant, as last seen, at a good look or not."""


@dataclass(frozen=True, slots=True)
class DemandMemory:
    """What one tick hands to the next; an empty one is a fresh start."""

    last: Mapping[ObjectKey, LastKnown] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Observed:
    """What metrics say of one deployment and, by name, of its variants."""

    demand: Demand
    latencies: Mapping[str, tuple[LatencyObservation, ...]] = field(default_factory=dict)
    arrival_rate_rps: Mapping[str, float] = field(default_factory=dict)
    kv_cache_use_ratio: Mapping[str, float] = field(default_factory=dict)


def observe_demand(
    asked: Sequence[Asked], reading: MetricsReading, memory: DemandMemory, now_s: float
) -> tuple[Mapping[ObjectKey, Observed], DemandMemory]:
    """Every deployment's demand, and the memory for the next tick; deployments that are gone are forgotten."""
    attributed = attribute(asked, reading)
    observed: dict[ObjectKey, Observed] = {}
    remembered: dict[ObjectKey, LastKnown] = {}
    for one in asked:
        last = memory.last.get(one.key)
        found = attributed[one.key]
        look = _look(one, found, reading, last, now_s)
        demand, kept = _judged(one, look, _tokens(one, found, reading), last, now_s)
        observed[one.key] = Observed(
            demand=replace(demand, window_s=reading.window_s),
            latencies=_latencies(one, found),
            arrival_rate_rps=look.by_variant_rps if look.state is DemandState.KNOWN else {},
            kv_cache_use_ratio=_kv_cache_use(found),
        )
        if kept is not None:
            remembered[one.key] = kept
    return observed, DemandMemory(remembered)


def _look(asked: Asked, found: Attributed, reading: MetricsReading, last: LastKnown | None, now_s: float) -> Look:
    failure = _failure(asked, reading)
    if failure is not None:
        return Look(DemandState.UNREACHABLE, failure)
    if asked.source is Engine.CUSTOM:
        return look_at_custom(asked, reading)
    if asked.source is Engine.GATEWAY:
        return look_at_gateway(asked, found, reading.window_s)
    if found.other_models and not found.pods:
        names = ", ".join(found.other_models)
        return Look(
            DemandState.ABSENT,
            f"its pods report the models {names}, none of them {asked.model}: set spec.demand.modelName to one of them",
        )
    return look_at_pods(asked, found.pods, reading.window_s, now_s, last.windows if last else {})


def _failure(asked: Asked, reading: MetricsReading) -> str | None:
    """The first failure among the readings that this deployment's demand stands on."""
    if asked.source is Engine.CUSTOM:
        custom = reading.custom.get(asked.key)
        return custom.failure if custom else None
    needed = [Engine.GATEWAY] if asked.source is Engine.GATEWAY else [server.engine for server in asked.servers]
    failures = (reading.by_engine[engine].failure for engine in needed if engine in reading.by_engine)
    return next((failure for failure in failures if failure), None)


def _judged(
    asked: Asked, look: Look, tokens: TokenMix | None, last: LastKnown | None, now_s: float
) -> tuple[Demand, LastKnown | None]:
    """The demand to go by, and what to remember of it."""
    mix = tokens or (last.tokens if last else None)
    sees_zero = asked.source is Engine.GATEWAY
    if look.state is DemandState.KNOWN:
        rate_rps, message = look.arrival_rate_rps, look.message
        if look.partial and last is not None and last.arrival_rate_rps > rate_rps:
            # A guess for missing pods may raise demand, never lower it.
            rate_rps, message = last.arrival_rate_rps, f"{message}; not taken below the last full reading"
        known = Demand(DemandState.KNOWN, message, sees_zero, rate_rps, mix, look.running, look.waiting)
        return known, LastKnown(now_s, rate_rps, mix, look.windows)
    kept = last
    if last is not None:
        kept = replace(last, windows=look.windows or last.windows)
        age_s = now_s - last.at_s
        if look.state is not DemandState.INVALID and age_s <= asked.stale_after_s:
            message = f"{look.message}; what was read {age_s:.0f}s ago still counts"
            return Demand(DemandState.KNOWN, message, sees_zero, last.arrival_rate_rps, last.tokens), kept
    return _unknown(look, sees_zero, last, now_s), kept


def _unknown(look: Look, sees_zero: bool, last: LastKnown | None, now_s: float) -> Demand:
    # What was there and is no more is stale, not absent: the difference tells where to look.
    gone = look.state is DemandState.ABSENT and last is not None
    state = DemandState.STALE if gone else look.state
    since = f"; last known {now_s - last.at_s:.0f}s ago: {last.arrival_rate_rps:.3g} req/s" if last else ""
    return Demand(state, look.message + since, sees_zero)


def _tokens(asked: Asked, found: Attributed, reading: MetricsReading) -> TokenMix | None:
    """From where demand is read; a gateway that sees no tokens leaves them to the engines behind it."""
    if asked.source is Engine.CUSTOM and asked.key in reading.custom:
        values = reading.custom[asked.key].values
        stated = token_mix([_as_signals(values.get("prompt_tokens", ()), values.get("output_tokens", ()))])
        if stated is not None:
            return stated
    of_gateway = token_mix(sample.values for sample in found.gateway)
    return of_gateway or token_mix(one.samples.values for one in found.pods)


def _as_signals(prompt_tokens: Sequence[float], output_tokens: Sequence[float]) -> Mapping[Signal, float]:
    """Stated means, as if one request a second had shown them."""
    if len(prompt_tokens) != 1 or len(output_tokens) != 1:
        return {}
    return {
        Signal.PROMPT_TOKENS_RATE: prompt_tokens[0],
        Signal.PROMPTS_RATE: 1.0,
        Signal.OUTPUT_TOKENS_RATE: output_tokens[0],
        Signal.OUTPUTS_RATE: 1.0,
    }


def _latencies(asked: Asked, found: Attributed) -> Mapping[str, tuple[LatencyObservation, ...]]:
    """By variant, at the quantiles of the SLO: the mean over its pods, weighted by what each of them served.

    That is the variant's own quantile where its pods see like traffic, which a fair router gives them.
    """
    wanted = [(target.metric, target.quantile) for target in asked.slo]
    by_variant: dict[str, list[PodSamples]] = {}
    for one in found.pods:
        by_variant.setdefault(one.server.variant, []).append(one)
    observed = {}
    for variant, pods in sorted(by_variant.items()):
        values = [_latency(which, pods) for which in wanted]
        observed[variant] = tuple(value for value in values if value is not None)
    return observed


def _latency(which: tuple[LatencyMetric, float], pods: Sequence[PodSamples]) -> LatencyObservation | None:
    seen = [(one.samples.latencies_ms.get(which, math.nan), _served(one), one) for one in pods]
    value_ms = weighted_mean((value, weight) for value, weight, _ in seen)
    if value_ms is None:
        return None
    if not any(one.samples.bounds_ms.get(which[0]) for one in pods):
        return LatencyObservation(*which, value_ms)
    buckets = [
        (_bucket(value, one.samples.bounds_ms.get(which[0], ())), weight)
        for value, weight, one in seen
        if math.isfinite(value) and weight > 0.0
    ]
    # Where one side is open for one pod it is open for the mean.
    low_ms, high_ms = (
        weighted_mean((bucket[side], weight) for bucket, weight in buckets)
        if all(math.isfinite(bucket[side]) for bucket, _ in buckets)
        else None
        for side in (0, 1)
    )
    return LatencyObservation(*which, value_ms, low_ms, high_ms)


def _bucket(value_ms: float, bounds_ms: Sequence[float]) -> tuple[float, float]:
    """The bounds of the bucket that a value was interpolated in; one at the last bound may lie anywhere beyond.

    Without buckets the value is taken as it is.
    """
    if not bounds_ms:
        return value_ms, value_ms
    place = bisect_left(bounds_ms, value_ms * (1.0 - 1e-9))
    if value_ms >= bounds_ms[-1] * (1.0 - 1e-9):
        return bounds_ms[-1], math.inf
    return (bounds_ms[place - 1] if place else 0.0), bounds_ms[place]


def _served(one: PodSamples) -> float:
    return one.samples.values.get(Signal.REQUEST_RATE, one.samples.values.get(Signal.OUTPUTS_RATE, 0.0))


def _kv_cache_use(found: Attributed) -> Mapping[str, float]:
    """By variant the fullest cache of its pods: the one that will make requests wait first."""
    fullest: dict[str, float] = {}
    for one in found.pods:
        ratio = one.samples.values.get(Signal.KV_USE, math.nan)
        if math.isfinite(ratio):
            fullest[one.server.variant] = max(ratio, fullest.get(one.server.variant, 0.0))
    return fullest
