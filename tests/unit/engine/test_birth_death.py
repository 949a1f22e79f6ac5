"""The chain: its published check vector, small chains by hand and by plain sums, and no overflow in large ones."""

import math

import numpy as np
import pytest

from plimsoll.domain import StepTime, TokenMix
from plimsoll.engine.birth_death import (
    Chain,
    MeanLatencies,
    Replicas,
    highest_rate_per_ms,
    mean_latencies,
    stationary,
)

One = tuple[StepTime, int, TokenMix]

PUBLISHED: One = (StepTime(7.0, 0.03, 0.03, 0.0005), 64, TokenMix(512.0, 512.0, 128.0, 128.0))
"""The check vector's replica. Source: design, section 3."""

BY_HAND: One = (StepTime(10.0, 0.0, 0.0, 0.0), 1, TokenMix(100.0, 100.0, 9.0, 9.0))
"""One request at a time, every step 10 ms whatever it holds: P = D = 10 ms, service 10 + 9 x 10 = 100 ms, mu = 10/s."""


def a_chain(*replicas: One) -> Chain:
    return Chain.of(Replicas.of(replicas))


def _means_at(chain: Chain, rate_rps: float) -> MeanLatencies:
    return mean_latencies(stationary(chain, np.array([rate_rps / 1000.0])))


def test_mean_latencies_at_8_rps_are_the_published_ones() -> None:
    means = _means_at(a_chain(PUBLISHED), 8.0)

    assert f"{means.ttft_ms_v[0]:.2f}" == "43.30"
    assert f"{means.itl_ms_v[0]:.2f}" == "14.22"


@pytest.mark.parametrize(
    ("field", "limit_ms", "published"), [("ttft_ms_v", 200.0, "12.878"), ("itl_ms_v", 20.0, "10.800")]
)
def test_highest_rate_for_a_mean_latency_is_the_published_one(field: str, limit_ms: float, published: str) -> None:
    chain = a_chain(PUBLISHED)

    rate_per_ms_v = highest_rate_per_ms(
        lambda rate_v: getattr(mean_latencies(stationary(chain, rate_v)), field) <= limit_ms,
        chain.replicas.full_completions_per_ms_v,
    )

    assert f"{rate_per_ms_v[0] * 1000.0:.3f}" == published


def test_step_and_completion_rate_are_the_law_by_hand() -> None:
    # I = 100, O = 9, alpha 10, beta 1, pi .5, kappa .01, n = 2:
    # b = (50 + 9)/10 + .01 x 104.5 = 6.945; T = 10 + 2 x 6.945 = 23.89; P = T + .51 x 100 = 74.89;
    # D = T + 1 + 1.045 = 25.935; mu = 2 / (74.89 + 9 x 25.935) = 2 / 308.305
    replicas = a_chain((StepTime(10.0, 1.0, 0.5, 0.01), 4, TokenMix(100.0, 100.0, 9.0, 27.0))).replicas

    assert replicas.step_ms(2.0)[0] == pytest.approx(23.89)
    assert replicas.prefill_step_ms(2.0)[0] == pytest.approx(74.89)
    assert replicas.decode_step_ms(2.0)[0] == pytest.approx(25.935)
    assert replicas.completions_per_ms(np.array([2.0]))[0] == pytest.approx(2.0 / 308.305)


def test_one_slot_is_the_single_server_queue_with_limited_room() -> None:
    # M/M/1/11 at rho = 1/2: p(0) = (1 - rho)/(1 - rho^12) = .5/(4095/4096) = 2048/4095;
    # L = rho/(1 - rho) - 12 rho^12/(1 - rho^12) = 1 - 12/4095; waiting = L - (1 - p(0)); full p(11) = p(0)/2048
    found = stationary(a_chain(BY_HAND), np.array([0.005]))

    assert found.probability_vn[0] == pytest.approx([2048 / 4095, 1024 / 4095])
    assert found.queueing_v[0] == pytest.approx(1023 / 4095)
    assert found.mean_queue_v[0] == pytest.approx(1 - 12 / 4095 - 2047 / 4095)
    assert found.full_v[0] == pytest.approx(1 / 4095)


@pytest.mark.parametrize("load", [0.3, 1 - 1e-7, 1.0, 1 + 1e-7, 1.0001, 1.7])
def test_the_closed_sums_are_the_plain_sums(load: float) -> None:
    chain = a_chain((PUBLISHED[0], 5, PUBLISHED[2]))
    mu_n = [float(chain.replicas.completions_per_ms(np.array([float(n)]))[0]) for n in range(1, 6)]
    rate = load * mu_n[-1]
    weights = [1.0]
    for n in range(1, 5 + 50 + 1):
        weights.append(weights[-1] * rate / mu_n[min(n, 5) - 1])
    total = sum(weights)

    found = stationary(chain, np.array([rate]))

    # The width is that of log(rho) near 0, which keeps seven digits of rho - 1.
    assert found.probability_vn[0] == pytest.approx([w / total for w in weights[:6]], rel=1e-6)
    assert found.queueing_v[0] == pytest.approx(sum(weights[6:]) / total, rel=1e-6)
    assert found.mean_queue_v[0] == pytest.approx(sum(j * w for j, w in enumerate(weights[5:])) / total, rel=1e-6)
    assert found.full_v[0] == pytest.approx(weights[-1] / total, rel=1e-6)


@pytest.mark.parametrize("load", [1e-9, 0.5, 1.0, 20.0])
def test_a_thousand_slots_neither_overflow_nor_lose_probability(load: float) -> None:
    chain = a_chain((PUBLISHED[0], 2048, PUBLISHED[2]), (PUBLISHED[0], 3, PUBLISHED[2]))

    found = stationary(chain, load * chain.replicas.full_completions_per_ms_v)

    assert found.probability_vn.sum(axis=1) + found.queueing_v == pytest.approx([1.0, 1.0])
    assert np.isfinite(found.mean_queue_v).all()


def test_replicas_worked_out_together_do_not_touch_each_other() -> None:
    chain, rate_v = a_chain(PUBLISHED, BY_HAND), np.array([0.008, 0.005])

    together = mean_latencies(stationary(chain, rate_v))
    alone = [_means_at(a_chain(case), rate * 1000.0) for case, rate in zip((PUBLISHED, BY_HAND), rate_v, strict=True)]

    assert together.ttft_ms_v == pytest.approx([means.ttft_ms_v[0] for means in alone])
    assert together.itl_ms_v == pytest.approx([means.itl_ms_v[0] for means in alone])


def test_mean_wait_obeys_little_for_one_slot() -> None:
    # lambda = .005/ms, full 1/4095: W = Lq / accepted = (2036/4095) / (.005 x 4094/4095) = 2036/20.47 = 99.46 ms.
    # P(E[min(n, N)]) = 10; S = 100; ITL = (100 - 10)/9 = 10.
    means = _means_at(a_chain(BY_HAND), 5.0)

    assert means.itl_ms_v[0] == pytest.approx(10.0)
    assert means.ttft_ms_v[0] == pytest.approx(2036 / 20.47 + 20.0)
    assert math.isclose(2036 / 20.47, 99.4626, rel_tol=1e-5)
