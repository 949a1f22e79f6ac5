"""What is a replica's safe rate, at once? A small network that the kernel has taught, over simple physics.

In: ``Physics`` of many questions, a latency, its quantile and its limit for each. Out: the highest rate, per ms. The
network knows Poisson arrivals at one replica; what it is not sure of it underrates (it was taught the 30% quantile of
its own error). Where it must not be trusted, `needs_kernel` says so.

It has learned log(safe rate / capacity) from dimensionless figures, so that time scales do not matter: a CPU of 100 ms
steps and a GPU of 5 ms are the same replica at another pace. Taught by benchmarks/calibration/teach.py; see there.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from plimsoll.domain import LatencyMetric
from plimsoll.engine.arrays import Floats
from plimsoll.engine.questions import METRICS, Physics

Codes = NDArray[np.int64]

WEIGHTS_FILE = "surrogate.json"

MAX_LOAD_RATIO = 0.98
"""Share of the capacity beyond which no rate is safe, however loose the limit: a queue that takes hours to settle is no
steady state to promise anything for. A guess; it only binds where nothing else does."""

_TIGHT_RATIOS = (1.5, 1.1, 1.3)
"""By place in `METRICS`: limits below so many times the unloaded latency are tight. The curve is flat there, so that a
small error moves the answer far: measured against the kernel, to twice and more of the true rate."""
_SURE_QUANTILES = (0.5, 0.96)
_TAIL_STEPS = (-6.0, 6.0)


def features(physics: Physics, metric: int, normal_v: Floats, limit_ms_v: Floats) -> Floats:
    """The dimensionless figures that the network of that metric reads, v by feature.

    Args:
        physics: the questions.
        metric: a code, place in `METRICS`.
        normal_v: the SLO's quantile as a value of the standard normal distribution.
        limit_ms_v: the SLO's limit.
    """
    mixes, capacity_v = physics.mixes, physics.capacity_v
    loose_v = np.maximum(limit_ms_v / _scale_ms(physics, metric, normal_v), 1.0)
    later_v = mixes.later_tokens_v
    if metric == 1:
        tpot_v = limit_ms_v
    else:
        tpot_v = np.maximum(limit_ms_v - physics.pi_v * mixes.prompt_v - physics.alpha_v, 0.0) / (1.0 + later_v)
    full_v = later_v if metric == 2 else np.ones_like(later_v)
    return np.stack(
        [
            np.log(physics.slots_v),
            np.log(physics.b_v / physics.alpha_v),
            np.log(physics.pi_v * mixes.prompt_v / physics.alpha_v),
            np.log(physics.pi_v * physics.chunk_v / physics.alpha_v),
            mixes.prompt_spread_v,
            mixes.output_spread_v,
            np.log(later_v),
            np.log1p(mixes.prompt_v / physics.chunk_v),
            np.log1p(mixes.prompt_at(np.full_like(normal_v, 1.645)) / physics.chunk_v),
            np.clip(np.log(physics.kv_room_v), -3.0, 1.0),
            np.log(physics.kappa_v * physics.context_v / physics.b_v + 1e-6),
            np.log(loose_v),
            np.log(np.maximum(loose_v - 1.0, 1e-3)),
            1.0 / loose_v,
            np.log(limit_ms_v / (full_v * physics.step_ms(np.ones_like(normal_v)))),
            np.log(limit_ms_v / (full_v * physics.step_ms(physics.slots_v))),
            capacity_v * physics.pi_v * mixes.prompt_v,
            np.clip(np.log(capacity_v * limit_ms_v), *_TAIL_STEPS),
            np.log(physics.mean_field_v(tpot_v) / capacity_v),
            normal_v,
        ],
        axis=1,
    )


def _scale_ms(physics: Physics, metric: int, normal_v: Floats) -> Floats:
    """What limits are told in multiples of: the unloaded latency; end to end, that of a mean prompt, as was taught."""
    if metric == METRICS.index(LatencyMetric.E2E):
        return physics.first_token_ms(physics.mixes.prompt_v) + physics.later_ms(normal_v)
    return physics.unloaded_ms(np.full(normal_v.shape, metric, dtype=np.int64), normal_v)


@dataclass(frozen=True, slots=True)
class Network:
    """A taught network: what the features were like, and its layers."""

    mean_f: Floats
    spread_f: Floats
    low_f: Floats
    high_f: Floats
    layers: tuple[tuple[Floats, Floats], ...]

    def log_load_v(self, feature_vf: Floats) -> Floats:
        """log(safe rate / capacity); figures outside of what was taught are taken as the nearest that was."""
        value_vf = (np.clip(feature_vf, self.low_f, self.high_f) - self.mean_f) / self.spread_f
        for weight, bias in self.layers[:-1]:
            value_vf = np.tanh(value_vf @ weight + bias)
        weight, bias = self.layers[-1]
        answer_v: Floats = (value_vf @ weight + bias)[:, 0]
        return answer_v

    def outside_v(self, feature_vf: Floats) -> NDArray[np.bool_]:
        """Whether any figure lies outside of what was taught."""
        margin_f = 1e-6 + 0.02 * (self.high_f - self.low_f)
        outside_vf = (feature_vf < self.low_f - margin_f) | (feature_vf > self.high_f + margin_f)
        return np.asarray(outside_vf.any(axis=1), dtype=np.bool_)


@dataclass(frozen=True, slots=True)
class Answer:
    """Rates per ms, and where the kernel should be asked before they are relied on."""

    rate_v: Floats
    needs_kernel_v: NDArray[np.bool_]


def safe_rates(physics: Physics, metric_v: Codes, quantile_v: Floats, limit_ms_v: Floats) -> Answer:
    """The highest rate of each question that keeps its quantile within its limit; 0 where even a lone request fails.

    Args:
        physics: the questions.
        metric_v: codes, places in `METRICS`.
        quantile_v: 0 to 1, both exclusive.
        limit_ms_v: above 0.
    """
    normal_v = normal_of(quantile_v)
    unloaded_v = physics.unloaded_ms(metric_v, normal_v)
    sure_ms_v = np.array(_TIGHT_RATIOS)[metric_v] * unloaded_v
    log_load_v, needs_kernel_v = np.zeros(limit_ms_v.size), limit_ms_v < sure_ms_v
    for metric, network in enumerate(networks()):
        chosen_v = metric_v == metric
        asked, normal, limit_ms = physics.where(chosen_v), normal_v[chosen_v], limit_ms_v[chosen_v]
        feature_vf = features(asked, metric, normal, limit_ms)
        # A tight limit never allows more than the first that is not, of which more is known.
        surer_vf = features(asked, metric, normal, np.maximum(limit_ms, sure_ms_v[chosen_v]))
        log_load_v[chosen_v] = np.minimum(network.log_load_v(feature_vf), network.log_load_v(surer_vf))
        needs_kernel_v[chosen_v] |= network.outside_v(feature_vf)
    needs_kernel_v |= (quantile_v < _SURE_QUANTILES[0]) | (quantile_v > _SURE_QUANTILES[1])
    rate_v = np.minimum(np.exp(log_load_v), MAX_LOAD_RATIO) * physics.capacity_v
    return Answer(np.where(limit_ms_v < unloaded_v, 0.0, rate_v), needs_kernel_v)


@cache
def networks() -> tuple[Network, ...]:
    """The taught networks, one a metric, in the order of `METRICS`."""
    told = json.loads(files("plimsoll.engine").joinpath(WEIGHTS_FILE).read_text())
    return tuple(_network(told["networks"][metric.value]) for metric in METRICS)


def _network(told: Mapping[str, Any]) -> Network:
    return Network(
        mean_f=np.array(told["mean"]),
        spread_f=np.array(told["spread"]),
        low_f=np.array(told["low"]),
        high_f=np.array(told["high"]),
        layers=tuple((np.array(weight), np.array(bias)) for weight, bias in told["layers"]),
    )


def normal_of(quantile_v: Floats) -> Floats:
    """Quantiles, 0 to 1 exclusive, as values of the standard normal distribution."""
    known = {float(one): NormalDist().inv_cdf(float(one)) for one in np.unique(quantile_v)}
    return np.array([known[float(one)] for one in quantile_v])
