"""The compiled engine: the same as a plain one request by request, and as queueing theory where that has an answer."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.domain import StepTime
from plimsoll.engine.serving import Latencies, Replica, Requests, Router, serve
from unit.engine.plain_engine import plainly_served

GPU = Replica(StepTime(6.63, 0.0218, 0.0196, 0.000055), max_sequences=256, kv_cache_tokens=400_000, chunk_tokens=2048)


def poisson(rate_per_ms: float, count: int, prompts: object, outputs: object, seed: int = 1) -> Requests:
    rng = np.random.default_rng(seed)
    return Requests(
        np.cumsum(rng.exponential(1.0 / rate_per_ms, count)),
        np.broadcast_to(np.asarray(prompts, dtype=np.int64), (count,)).copy(),
        np.broadcast_to(np.asarray(outputs, dtype=np.int64), (count,)).copy(),
    )


replicas_of_any_kind = st.builds(
    lambda alpha, beta, pi, kappa, slots, room, chunk: Replica(
        StepTime(alpha, beta, pi, kappa), max_sequences=slots, kv_cache_tokens=400 + room, chunk_tokens=chunk
    ),
    st.floats(1.0, 50.0),
    st.floats(0.0, 2.0),
    st.floats(0.0, 1.0),
    st.floats(0.0, 0.01),
    st.integers(1, 12),
    st.integers(0, 2_000),
    st.integers(8, 300),
)


@settings(max_examples=60, deadline=None)
@given(
    replicas=st.lists(replicas_of_any_kind, min_size=1, max_size=4),
    router=st.sampled_from(Router),
    rate_per_ms=st.floats(1e-4, 0.05),
    seed=st.integers(0, 1_000),
)
def test_every_request_fares_as_on_the_plain_engine(
    replicas: list[Replica], router: Router, rate_per_ms: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    count = 80
    requests = poisson(rate_per_ms, count, rng.integers(1, 200, count), rng.integers(1, 200, count), seed)
    weights, draws = list(rng.uniform(0.1, 2.0, len(replicas))), list(rng.random(count))
    seen = serve(replicas, requests, router, weights, np.array(draws))
    plain = plainly_served(replicas, requests, router, weights, draws)
    assert seen.ttft_ms_i == pytest.approx([first for first, _ in plain] - requests.arrival_ms_i, rel=1e-6, abs=1e-6)
    assert seen.e2e_ms_i == pytest.approx([last for _, last in plain] - requests.arrival_ms_i, rel=1e-6, abs=1e-6)


def test_a_lone_request_takes_its_prefill_and_its_steps() -> None:
    law = StepTime(10.0, 1.0, 0.1, 0.01)
    replica = Replica(law, max_sequences=4, kv_cache_tokens=1_000, chunk_tokens=64)
    seen = serve([replica], poisson(0.001, 1, 100, 3))
    # Two chunks, the second over the 64 tokens of the first; then two steps over 100 and 101 tokens.
    first_ms = (10.0 + 6.4) + (10.0 + 3.6 + 0.64)
    assert seen.ttft_ms_i[0] == pytest.approx(first_ms)
    assert seen.e2e_ms_i[0] == pytest.approx(first_ms + (11.0 + 1.0) + (11.0 + 1.01))
    assert seen.tpot_ms_i[0] == pytest.approx((12.0 + 12.01) / 2)


def test_a_single_token_has_no_time_per_output_token() -> None:
    assert math.isnan(serve([GPU], poisson(0.001, 1, 100, 1)).tpot_ms_i[0])


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_one_slot_and_constant_work_is_the_m_d_1_queue(load: float) -> None:
    replica = Replica(StepTime(10.0, 0.0, 0.1, 0.0), max_sequences=1, kv_cache_tokens=1_000, chunk_tokens=1_000)
    service_ms = 20.0
    seen = serve([replica], poisson(load / service_ms, 400_000, 100, 1))
    # Pollaczek-Khinchine.
    assert seen.ttft_ms_i.mean() == pytest.approx(service_ms * (1.0 + load / (2.0 * (1.0 - load))), rel=0.02)


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_one_slot_and_exponential_work_is_the_m_m_1_queue(load: float) -> None:
    replica = Replica(StepTime(1e-9, 0.0, 0.01, 0.0), max_sequences=1, kv_cache_tokens=10**6, chunk_tokens=10**6)
    rng = np.random.default_rng(2)
    count, mean_tokens = 400_000, 2_000.0
    prompts = np.maximum(1, np.rint(rng.exponential(mean_tokens, count)))
    service_ms = 0.01 * mean_tokens
    seen = serve([replica], poisson(load / service_ms, count, prompts, 1))
    mean_ms = service_ms / (1.0 - load)
    assert seen.ttft_ms_i.mean() == pytest.approx(mean_ms, rel=0.03)
    # The time in the system is exponential.
    assert np.quantile(seen.ttft_ms_i, 0.95) == pytest.approx(-math.log(0.05) * mean_ms, rel=0.04)


@pytest.mark.parametrize("load", [0.3, 0.6, 0.8])
def test_steps_as_long_as_their_batch_are_processor_sharing(load: float) -> None:
    beta_ms, count = 0.1, 200_000
    replica = Replica(StepTime(1e-9, beta_ms, 0.0, 0.0), max_sequences=10**4, kv_cache_tokens=10**9, chunk_tokens=100)
    rng = np.random.default_rng(3)
    outputs = np.where(rng.random(count) < 0.5, 100, 700)
    seen = serve([replica], poisson(load / (beta_ms * 400.0), count, 1, outputs, seed=4))
    # A job of size x takes x / (1 - load) on average, whatever the others' sizes.
    for size in (100, 700):
        assert seen.e2e_ms_i[outputs == size].mean() == pytest.approx(size * beta_ms / (1.0 - load), rel=0.04)


def test_two_routed_replicas_are_better_than_two_apart() -> None:
    together = serve([GPU, GPU], poisson(0.028, 20_000, 1_000, 250), Router.LEAST_LOADED)
    apart = serve([GPU], poisson(0.014, 20_000, 1_000, 250))
    assert p95(together) < p95(apart)


def test_weights_send_in_proportion() -> None:
    slow = Replica(StepTime(66.3, 0.2, 0.2, 0.0005), 256, 400_000, 2048)
    requests = poisson(0.004, 4_000, 500, 100)
    even = serve([GPU, slow], requests, Router.WEIGHTED, weights=[1.0, 1.0])
    mostly_fast = serve([GPU, slow], requests, Router.WEIGHTED, weights=[9.0, 1.0])
    assert np.median(mostly_fast.tpot_ms_i) < np.median(even.tpot_ms_i)
    slow_share = (mostly_fast.tpot_ms_i > 30.0).mean()
    assert slow_share == pytest.approx(0.1, abs=0.01)


def test_the_same_requests_give_the_same_latencies_to_the_last_bit() -> None:
    requests = poisson(0.02, 5_000, 700, 200)
    first, again = serve([GPU] * 3, requests), serve([GPU] * 3, requests)
    assert np.array_equal(first.e2e_ms_i, again.e2e_ms_i)


def test_a_request_too_long_for_the_cache_is_refused() -> None:
    small = Replica(GPU.step_time, 8, 100, 64)
    with pytest.raises(ValueError, match="a request of 130 tokens does not fit into a KV cache of 100"):
        serve([small], poisson(0.001, 2, 120, 10))


def test_random_routing_without_draws_is_refused() -> None:
    with pytest.raises(ValueError, match="needs draws_i"):
        serve([GPU, GPU], poisson(0.001, 2, 120, 10), Router.RANDOM)


@pytest.mark.parametrize("weights", [[1.0], [1.0, -1.0], [0.0, 0.0]])
def test_weights_that_are_no_shares_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="weights must be"):
        serve([GPU, GPU], poisson(0.001, 2, 120, 10), Router.WEIGHTED, weights)


def p95(seen: Latencies) -> float:
    return float(np.quantile(seen.tpot_ms_i, 0.95))
