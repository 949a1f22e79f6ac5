"""One simulated replica serves as the step-time law says, and no request is lost or served twice."""

import numpy as np
import pytest

from plimsoll_testkit.engines.arrivals import Mix, Traffic, conversation_mix
from plimsoll_testkit.engines.configuration import ModelConfig, Slo, VariantConfig
from plimsoll_testkit.engines.engine import Engine, Hardware, Request
from plimsoll_testkit.engines.fleet import Model, SeenPod

LAW = Hardware(alpha_ms=10.0, beta_ms=2.0, pi_ms=0.1, kappa_ms=0.01, max_sequences=2, kv_cache_tokens=1000)


def test_three_requests_are_served_as_computed_by_hand() -> None:
    engine = Engine(LAW)
    first, second, third = Request(0.0, 100, 3), Request(0.005, 50, 2), Request(0.006, 10, 1)
    for request in (first, second, third):
        engine.take(request)
    engine.advance(10.0)
    # Step 1 from 0: no decode, prefill 100 -> 10 + 0.1*100 + 0.01*100 = 21 ms. First token of the first at 21 ms.
    # Step 2: one decode, prefill 50, resident 101 -> 10 + 2 + 5 + 0.01*(101+50) = 18.51 ms; ends at 39.51 ms.
    # Step 3: two decode, resident 102+51 -> 10 + 4 + 1.53 = 15.53 ms; ends at 55.04 ms: both end, the third waited.
    # Step 4: prefill 10 -> 10 + 1 + 0.1 = 11.1 ms; ends at 66.14 ms with its only token.
    assert first.first_token_s == pytest.approx(0.021)
    assert second.first_token_s == pytest.approx(0.03951)
    assert [first.end_s, second.end_s] == pytest.approx([0.05504, 0.05504])
    assert first.tpot_s == pytest.approx(0.01702)
    assert [third.first_token_s, third.end_s] == pytest.approx([0.06614, 0.06614])
    assert third.tpot_s is None
    assert engine.running == 0
    assert engine.kv_use_ratio == 0.0


def test_advancing_in_small_steps_changes_nothing() -> None:
    requests = [Request(0.004 * i, 20 + i, 5 + i) for i in range(20)]
    again = [Request(one.arrival_s, one.prompt_tokens, one.output_tokens) for one in requests]
    whole, pieces = Engine(LAW), Engine(LAW)
    for one, two in zip(requests, again, strict=True):
        whole.take(one)
        pieces.take(two)
    whole.advance(60.0)
    for tick in range(6000):
        pieces.advance(tick / 100.0)
    assert [one.end_s for one in again] == pytest.approx([one.end_s for one in requests])


def test_one_slot_with_equal_requests_waits_like_a_queue_with_fixed_service_time() -> None:
    # Service of a one-token request of 100 tokens: 10 + 0.1*100 + 0.01*100 = 21 ms. At 30 requests per second the slot
    # is busy 0.63 of the time; M/D/1 waits 0.63 * 21 / (2 * (1 - 0.63)) = 17.88 ms on average (Pollaczek-Khinchine).
    law = Hardware(alpha_ms=10.0, beta_ms=2.0, pi_ms=0.1, kappa_ms=0.01, max_sequences=1, kv_cache_tokens=1000)
    requests = list(Traffic([(0.0, 30.0)], Mix([100], [1], "one"), np.random.default_rng(3)).until(1000.0))
    engine = Engine(law)
    for request in requests:
        engine.take(request)
    engine.advance(2000.0)
    waits_ms = [request.ttft_s * 1000.0 - 21.0 for request in requests if request.ttft_s is not None]
    assert len(waits_ms) == len(requests)
    # 30,000 waits, correlated over some ten requests each: the mean of seeds scatters by about 2 %.
    assert np.mean(waits_ms) == pytest.approx(17.88, rel=0.06)


def test_arrivals_come_at_the_rate_of_the_moment() -> None:
    traffic = Traffic([(0.0, 10.0), (100.0, 10.0), (100.001, 30.0)], Mix([5], [7], "one"), np.random.default_rng(1))
    before = list(traffic.until(100.0))
    after = list(traffic.until(200.0))
    # Counts of 1,000 and 3,000 have standard deviations of 32 and 55; four of them leave one failure in 16,000.
    assert len(before) == pytest.approx(1000, abs=130)
    assert len(after) == pytest.approx(3000, abs=220)
    times = [request.arrival_s for request in (*before, *after)]
    assert times == sorted(times)


def test_without_the_trace_lengths_have_its_mean_and_its_95th_percentile() -> None:
    mix = conversation_mix(np.random.default_rng(1), 1.0, 20_000, None)
    assert mix.source.startswith("generated")
    # The Azure conversation hour: means 1,155 and 211 tokens, 95th percentiles 4,083 and 451. Straight lines between
    # quantiles add up to 3 % to the means, and 20,000 draws scatter by 1 %.
    assert np.mean(mix.prompt_tokens) == pytest.approx(1155, rel=0.05)
    assert np.mean(mix.output_tokens) == pytest.approx(211, rel=0.05)
    assert np.quantile(mix.prompt_tokens, 0.95) == pytest.approx(4083, rel=0.02)
    assert np.quantile(mix.output_tokens, 0.95) == pytest.approx(451, rel=0.02)


def test_a_trace_is_replayed_in_its_order_at_the_rate_of_the_moment() -> None:
    mix = Mix([10, 20, 30], [1, 2, 3], "three rows", intervals=[0.5, 1.0, 1.5])
    requests = list(Traffic([(0.0, 2.0)], mix, np.random.default_rng(5)).until(30.0))
    start = requests[0].output_tokens - 1
    order = [(start + number) % 3 for number in range(len(requests))]
    assert [request.prompt_tokens for request in requests] == [mix.prompt_tokens[row] for row in order]
    gaps = np.diff([request.arrival_s for request in requests])
    # At 2 requests a second an interval of mean 1 takes half a second.
    assert gaps == pytest.approx([mix.intervals[row] / 2.0 for row in order[:-1]])
    assert len(requests) == pytest.approx(60, abs=1)


def test_requests_of_a_pod_that_is_gone_start_again_elsewhere_and_count_from_their_arrival() -> None:
    model = a_model(rate_rps=20.0)
    model.set_pods([a_pod("a")], 0.0)
    model.advance(1.0)
    arrived = model.arrived
    in_flight = arrived - len(model.ended)
    assert in_flight > 0
    model.set_pods([a_pod("b")], 1.0)
    assert model.retried == in_flight
    model.traffic.multiplier = 0.0
    model.advance(60.0)
    assert len(model.ended) == arrived
    late = [request for _, request in model.ended if request.retries]
    assert all(request.ttft_s is not None and request.end_s is not None and request.end_s > 1.0 for request in late)


def test_a_terminating_pod_finishes_what_it_has_and_gets_nothing_new() -> None:
    model = a_model(rate_rps=20.0)
    model.set_pods([a_pod("a")], 0.0)
    model.advance(1.0)
    had = model.arrived
    model.set_pods([a_pod("a", terminating=True)], 1.0)
    model.advance(60.0)
    assert len(model.ended) == had
    assert model.retried == 0
    assert len(model.backlog) == model.arrived - had


def a_model(rate_rps: float) -> Model:
    variant = VariantConfig("cpu", {"app": "x"}, LAW)
    config = ModelConfig("ns", "chat", "acme", Slo(ttft_ms=500.0), (variant,), ((0.0, rate_rps),), 1.0, 1.0, 100)
    return Model(config, Traffic(config.rate_points, Mix([20], [10], "one"), np.random.default_rng(2)))


def a_pod(name: str, terminating: bool = False) -> SeenPod:
    return SeenPod("ns", name, {"app": "x"}, ready=True, terminating=terminating)
