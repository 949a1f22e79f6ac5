"""What did it cost and what was kept? Everything that a run left behind, added up by the minute.

In: a world that has been played. Out: a `RunResult`. A request keeps the SLO when each of its latencies is within every
limit that the SLO sets for it; one without an answer does not.

Array names end in their axes: i for requests, m for minutes.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from plimsoll.domain import POISSON, Deployment, LatencyMetric, PriceKind, VariantKey
from plimsoll.engine.arrays import Floats
from plimsoll.engine.questions import Physics
from plimsoll.simulator.episode import Episode
from plimsoll.simulator.result import LatencySeries, ModelSeries, PoolSeries, RunResult
from plimsoll.simulator.safe_rates import mix_of
from plimsoll.simulator.serving import Service
from plimsoll.sizing.cases import case_of
from plimsoll.sizing.estimate import estimates

if TYPE_CHECKING:
    from plimsoll.simulator.world import World

_MINUTE_S = 60.0


def reckon(world: "World", episode: Episode, label: str, took_s: float) -> RunResult:
    """The figures and series of a run."""
    minutes, services = episode.minutes, world.serving.services
    pools = tuple(_pool_series(world, episode, minutes))
    within = {one.key: _within_slo(one, services[one.key]) for one in episode.deployments}
    answered = {key: np.isfinite(service.last_ms_i) for key, service in services.items()}
    requests = sum(service.traffic.count for service in services.values())
    kept = sum(int(found.sum()) for found in within.values())
    return RunResult(
        scenario=episode.scenario.name,
        policy=label,
        seed=episode.seed,
        hours=episode.scenario.spec.hours,
        usd=sum(_usd(one) for one in pools if one.price_kind is not PriceKind.PAID),
        paid_usd=sum(_usd(one) for one in pools if one.price_kind is PriceKind.PAID),
        requests=requests,
        dropped=requests - sum(int(found.sum()) for found in answered.values()),
        slo_attainment=kept / requests if requests else 1.0,
        tokens=float(
            sum(
                int(service.traffic.prompt_tokens_i[answered[key]].sum())
                + int(service.traffic.output_tokens_i[answered[key]].sum())
                for key, service in services.items()
            )
        ),
        moves=tuple(world.moves),
        pools=pools,
        models=tuple(
            _model_series(world, episode, one, services[one.key], within[one.key], minutes)
            for one in episode.deployments
        ),
        by_model={key: float(found.mean()) if found.size else 1.0 for key, found in within.items()},
        took_s=took_s,
    )


def latencies_ms(service: Service, deployment: Deployment) -> Mapping[LatencyMetric, Floats]:
    """What each request saw; infinite where it got no answer, NaN for the time per token of a single one."""
    overhead_ms = max((variant.profile.ttft_overhead_ms for variant in deployment.variants), default=0.0)
    later_i = service.traffic.output_tokens_i - 1
    unanswered = ~np.isfinite(service.last_ms_i)
    with np.errstate(invalid="ignore", divide="ignore"):
        tpot_ms_i = np.where(later_i > 0, (service.last_ms_i - service.first_ms_i) / later_i, np.nan)
    return {
        LatencyMetric.TTFT: np.where(unanswered, np.inf, service.first_ms_i - service.arrival_ms_i + overhead_ms),
        LatencyMetric.TPOT: np.where(unanswered, np.inf, tpot_ms_i),
        LatencyMetric.E2E: np.where(unanswered, np.inf, service.last_ms_i - service.arrival_ms_i + overhead_ms),
    }


def _within_slo(deployment: Deployment, service: Service) -> NDArray[np.bool_]:
    seen = latencies_ms(service, deployment)
    within_i = np.isfinite(service.last_ms_i)
    for target in deployment.slo:
        value_ms_i = seen[target.metric]
        # A single token has no time per token, and so none that is too long.
        within_i &= np.isnan(value_ms_i) | (value_ms_i <= target.limit_ms)
    return within_i


# --- By the minute ---------------------------------------------------------------------------------------------------


def _usd(pool: PoolSeries) -> float:
    return float(pool.usd_m.sum())


def _pool_series(world: "World", episode: Episode, minutes: int) -> Sequence[PoolSeries]:
    lifetimes = world.lifetimes()
    return [
        PoolSeries(
            pool.name,
            pool.price_kind,
            pool.price_usd_per_hour,
            sum_of_spans(lifetimes[pool.name], episode.scenario.duration_s, minutes),
        )
        for pool in episode.pools
    ]


def sum_of_spans(spans: Sequence[tuple[float, float]], duration_s: float, minutes: int) -> Floats:
    """In each minute the sum over spans of the share of the minute that lies within."""
    total_m: Floats = np.zeros(minutes)
    edges_s = np.arange(minutes + 1) * _MINUTE_S
    for begin_s, end_s in spans:
        inside_s = np.clip(edges_s, begin_s, min(end_s, duration_s))
        total_m += np.diff(inside_s) / _MINUTE_S
    return total_m


def _ready_m(changes: Sequence[tuple[float, int]], duration_s: float, minutes: int) -> Floats:
    """Mean number of ready replicas in each minute."""
    spans_m: Floats = np.zeros(minutes)
    for at_s, change in changes:
        spans_m += change * sum_of_spans([(at_s, duration_s)], duration_s, minutes)
    return spans_m


def _model_series(
    world: "World",
    episode: Episode,
    deployment: Deployment,
    service: Service,
    within_i: NDArray[np.bool_],
    minutes: int,
) -> ModelSeries:
    duration_s, changes = episode.scenario.duration_s, world.ready_spans()
    replicas = {variant.key: _ready_m(changes[variant.key], duration_s, minutes) for variant in deployment.variants}
    used = [key for key, counts_m in replicas.items() if counts_m.any()]
    ready_rps_m, safe_rps_m = _capacity_m(episode, deployment, {key: replicas[key] for key in used}, minutes)
    minute_i = (service.traffic.arrival_s_i // _MINUTE_S).astype(np.int64)
    counts_m = np.bincount(minute_i, minlength=minutes)[:minutes]
    kept_m = np.bincount(minute_i, weights=within_i, minlength=minutes)[:minutes]
    seen = latencies_ms(service, deployment)
    return ModelSeries(
        key=deployment.key,
        model=deployment.model,
        demand_rps_m=counts_m / _MINUTE_S,
        ready_rps_m=ready_rps_m,
        safe_rps_m=safe_rps_m,
        within_slo_m=np.divide(kept_m, counts_m, out=np.full(minutes, np.nan), where=counts_m > 0),
        replicas_m={key.variant: counts for key, counts in replicas.items()},
        latencies=tuple(
            _latency_series(metric, seen[metric], deployment, minute_i, minutes) for metric in LatencyMetric
        ),
    )


def _capacity_m(
    episode: Episode, deployment: Deployment, replicas: Mapping[VariantKey, Floats], minutes: int
) -> tuple[Floats, Floats]:
    """What ready replicas complete at most, and what they carry within the SLO, by the closed form of sizing."""
    ready_rps_m, safe_rps_m = np.zeros(minutes), np.zeros(minutes)
    mix = mix_of(episode.traffic[deployment.key])
    if mix is None:
        return ready_rps_m, safe_rps_m
    for key, counts_m in replicas.items():
        case = case_of(episode.true_profiles[key], mix, deployment.slo, POISSON)
        most_rps = Physics.of([(case.replica, case.prompts, case.outputs)]).capacity_v[0] * 1000.0
        ready_rps_m += counts_m * most_rps
        safe_rps_m += counts_m * estimates([case])[case].rate_rps[0]
    return ready_rps_m, safe_rps_m


def _latency_series(
    metric: LatencyMetric, value_ms_i: Floats, deployment: Deployment, minute_i: NDArray[np.int64], minutes: int
) -> LatencySeries:
    targets = sorted(
        (target for target in deployment.slo if target.metric is metric), key=lambda target: target.limit_ms
    )
    told = ~np.isnan(value_ms_i)
    quantiles = _quantiles_m(value_ms_i[told], minute_i[told], minutes, (0.50, 0.95, 0.99))
    return LatencySeries(
        metric,
        targets[0].limit_ms if targets else None,
        targets[0].quantile if targets else None,
        *quantiles,
    )


def _quantiles_m(
    value_i: Floats, minute_i: NDArray[np.int64], minutes: int, quantiles: Sequence[float]
) -> tuple[Floats, ...]:
    """Nearest rank within each minute; NaN where there is no value."""
    order_i = np.lexsort((value_i, minute_i))
    sorted_i = value_i[order_i]
    counts_m = np.bincount(minute_i, minlength=minutes)[:minutes]
    first_m = np.concatenate(([0], np.cumsum(counts_m)[:-1]))
    found = []
    for quantile in quantiles:
        rank_m = np.maximum(np.ceil(quantile * counts_m).astype(np.int64) - 1, 0)
        place_m = np.minimum(first_m + rank_m, max(sorted_i.size - 1, 0))
        values_m = sorted_i[place_m] if sorted_i.size else np.full(minutes, np.nan)
        found.append(np.where(counts_m > 0, values_m, np.nan))
    return tuple(found)
