"""Percentiles: by hand for one slot, and against plain sums over the chain's states."""

import math
from dataclasses import replace

import numpy as np
import pytest

from plimsoll.domain import LatencyMetric
from plimsoll.sizing.birth_death import Chain, Stationary, stationary
from plimsoll.sizing.percentiles import METRICS, Percentiles, unloaded_ms
from unit.sizing.cases import BY_HAND, E2E, PUBLISHED, TPOT, TTFT, a_case, a_chain


def _code(metric: LatencyMetric) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([METRICS.index(metric)])


def _percentile(found: Stationary, metric: LatencyMetric, quantile: float) -> float:
    return float(Percentiles.of(found).latency_ms(_code(metric), np.array([quantile]))[0])


def test_one_slot_waits_exponentially() -> None:
    # p(wait) = 2047/4095, mu - lambda = .01 - .005 = .005/ms: t = ln(.49988/.05)/.005 = 460.47 ms; P + D = 20 ms.
    found = stationary(a_chain(BY_HAND), np.array([0.005]))

    assert _percentile(found, TTFT, 0.95) == pytest.approx(20.0 + math.log(2047 / 4095 / 0.05) / 0.005)
    assert _percentile(found, TPOT, 0.95) == pytest.approx(10.0)
    assert _percentile(found, E2E, 0.95) == pytest.approx(480.47 + 8 * 10.0, rel=1e-4)


def test_who_finds_a_free_slot_does_not_wait() -> None:
    # Half of the arrivals find nobody: the median is P + D.
    assert _percentile(stationary(a_chain(BY_HAND), np.array([0.005])), TTFT, 0.5) == pytest.approx(20.0)


@pytest.mark.parametrize("quantile", [0.5, 0.9, 0.99])
def test_ttft_is_the_quantile_of_the_erlang_waits_of_all_states(quantile: float) -> None:
    case = a_case(slots=4)
    chain = a_chain(case)
    rate = 0.8 * float(chain.replicas.full_completions_per_ms_v[0])
    found = stationary(chain, np.array([rate]))

    ttft_ms = _percentile(found, TTFT, quantile)

    # Step up to N slots, so a state's own latency may jump over the quantile: both sides of it are looked at.
    assert _share_above(chain, rate, ttft_ms + 1e-6) <= 1.0 - quantile + 1e-4
    assert _share_above(chain, rate, ttft_ms - 1e-3) >= 1.0 - quantile - 1e-4


def _share_above(chain: Chain, rate_per_ms: float, ttft_ms: float) -> float:
    """P(TTFT > x) by plain sums: Erlang(j + 1, mu(N)) is above t while at most j of a Poisson stream came."""
    replicas, found = chain.replicas, stationary(chain, np.array([rate_per_ms]))
    slots, mu = int(replicas.slots_v[0]), float(replicas.full_completions_per_ms_v[0])
    first_ms = [float(replicas.first_token_ms(float(n))[0]) for n in range(1, slots + 1)]
    share = sum(float(found.probability_vn[0, k]) for k in range(slots) if first_ms[k] > ttft_ms)
    wait_ms = ttft_ms - first_ms[-1]
    for j in range(10 * slots):
        weight = float(found.probability_vn[0, slots]) * (rate_per_ms / mu) ** j
        few = (
            sum(math.exp(-mu * wait_ms + i * math.log(mu * wait_ms) - math.lgamma(i + 1)) for i in range(j + 1))
            if (wait_ms > 0)
            else 1.0
        )
        share += weight * few
    return share


@pytest.mark.parametrize("quantile", [0.5, 0.95])
def test_tpot_is_the_length_biased_quantile_of_running_requests(quantile: float) -> None:
    chain = a_chain(PUBLISHED)
    found = stationary(chain, np.array([0.010]))
    weights = [n * float(p) for n, p in enumerate(found.probability_vn[0])]
    weights[-1] += 64 * float(found.queueing_v[0])
    running = next(n for n in range(65) if sum(weights[: n + 1]) >= quantile * sum(weights))

    assert _percentile(found, TPOT, quantile) == pytest.approx(float(chain.replicas.decode_step_ms(float(running))[0]))


def test_p95_prompt_makes_ttft_but_not_tpot() -> None:
    long_tail = a_case(mix=replace(PUBLISHED.mix, prompt_tokens_p95=4096.0))
    plain, tailed = (stationary(a_chain(case), np.array([0.001])) for case in (PUBLISHED, long_tail))

    # (pi + kappa) x (4096 - 512) = .0305 x 3584 = 109.312 ms more.
    assert _percentile(tailed, TTFT, 0.5) - _percentile(plain, TTFT, 0.5) == pytest.approx(109.312)
    assert _percentile(tailed, TPOT, 0.5) == pytest.approx(_percentile(plain, TPOT, 0.5))


@pytest.mark.parametrize("load", [0.999999, 1.0, 3.0])
def test_overload_waits_no_longer_than_a_full_queue_takes(load: float) -> None:
    # 10 waiting places at 100 ms each, then P + D.
    assert _percentile(stationary(a_chain(BY_HAND), np.array([0.01 * load])), TTFT, 0.99) == pytest.approx(1020.0)


def test_a_lone_request_is_the_limit_of_no_load() -> None:
    chain = a_chain(PUBLISHED)
    nearly_idle = stationary(chain, np.array([1e-9]))

    for metric in METRICS:
        assert _percentile(nearly_idle, metric, 0.99) == pytest.approx(unloaded_ms(chain.replicas, _code(metric))[0])
