"""Slices of time change nothing, requests wait for a replica, and clients lose their patience."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.domain import Profile, StepTime
from plimsoll.engine.serving import Replica, Requests, Router, serve
from plimsoll.simulator.serving import Service
from plimsoll.simulator.traffic import Traffic

PATIENT = np.inf


def a_profile(law: StepTime, slots: int = 4, kv_tokens: int = 2_000, chunk: int = 64) -> Profile:
    return Profile("p", "m", "vLLM", "h", "bf16", law, slots, kv_tokens, 0.0, "Fitted", chunk_tokens=chunk)


def some_traffic(seed: int, count: int = 60, rate_rps: float = 5.0) -> Traffic:
    rng = np.random.default_rng(seed)
    return Traffic(
        np.cumsum(rng.exponential(1.0 / rate_rps, count)), rng.integers(1, 200, count), rng.integers(1, 60, count)
    )


def a_service(traffic: Traffic, router: Router = Router.LEAST_LOADED, patience_ms: float = PATIENT) -> Service:
    return Service(traffic, router, patience_ms, max_sequences=8, rng=np.random.default_rng(1))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 1000),
    st.integers(1, 12),
    st.sampled_from([Router.ROUND_ROBIN, Router.LEAST_LOADED, Router.WEIGHTED]),
    st.lists(st.floats(0.01, 20.0), max_size=12),
)
def test_any_slices_give_what_the_kernel_gives_in_one_go(
    seed: int, replicas: int, router: Router, cuts_s: list[float]
) -> None:
    law, traffic = StepTime(20.0, 1.0, 0.2, 0.001), some_traffic(seed)
    service = a_service(traffic, router)
    for _ in range(replicas):
        service.start(a_profile(law), 1.0)
    for cut_s in sorted(cuts_s):
        service.advance(cut_s)
    service.finish()
    whole = serve(
        [Replica(law, 4, 2_000, 64)] * replicas,
        Requests(traffic.arrival_s_i * 1000.0, traffic.prompt_tokens_i, traffic.output_tokens_i),
        router,
    )
    # Sums of steps that are cut in two differ in the last digits.
    np.testing.assert_allclose(service.first_ms_i - service.arrival_ms_i, whole.ttft_ms_i, atol=1e-6)
    np.testing.assert_allclose(service.last_ms_i - service.arrival_ms_i, whole.e2e_ms_i, atol=1e-6)


def at(*arrival_s: float, prompt: int = 10, output: int = 1) -> Traffic:
    count = len(arrival_s)
    return Traffic(np.array(arrival_s), np.full(count, prompt), np.full(count, output))


STEADY = StepTime(100.0, 0.0, 0.0, 0.0)
"""Every step takes 100 ms, whatever it holds."""


def test_requests_wait_at_the_router_until_a_replica_is_ready() -> None:
    service = a_service(at(1.0, 2.0))
    service.advance(5.0)
    assert service.queued() == 2
    service.start(a_profile(STEADY), 1.0)
    service.finish()
    # Both go to the replica at 5 s and are in its first step.
    assert service.first_ms_i.tolist() == [5100.0, 5100.0]


def test_a_client_that_finds_no_replica_goes_away_after_its_patience() -> None:
    service = a_service(at(1.0, 4.5), patience_ms=3_000.0)
    service.advance(5.0)
    assert service.queued() == 1  # the first one left at 4 s
    service.start(a_profile(STEADY), 1.0)
    service.finish()
    assert service.first_ms_i.tolist() == [np.inf, 5100.0]


def test_a_client_in_an_engines_queue_goes_away_after_its_patience() -> None:
    # One slot. The first request holds it for 30 steps, 3 s; the second has waited 2.9 s by then, the third 1.5 s.
    traffic = Traffic(np.array([0.0, 0.1, 1.5]), np.full(3, 10), np.array([30, 1, 1]))
    service = a_service(traffic, patience_ms=2_000.0)
    service.start(a_profile(STEADY, slots=1), 1.0)
    service.finish()
    assert service.last_ms_i.tolist() == [3000.0, np.inf, 3100.0]


def test_a_client_that_leaves_a_chunked_queue_takes_nobody_along() -> None:
    # Two slots, chunks of 10: the first two are admitted, the third waits and leaves, the fourth is served.
    traffic = Traffic(np.array([0.0, 0.0, 0.05, 2.4]), np.array([200, 200, 10, 10]), np.array([2, 2, 1, 1]))
    service = a_service(traffic, patience_ms=2_000.0)
    service.start(a_profile(STEADY, slots=2, chunk=10), 1.0)
    service.finish()
    assert np.isinf(service.first_ms_i[2])
    assert np.isfinite(service.last_ms_i[[0, 1, 3]]).all()


def test_a_request_that_fits_into_no_cache_is_refused_and_holds_nobody_up() -> None:
    traffic = Traffic(np.array([0.0, 0.0]), np.array([5_000, 10]), np.array([1, 1]))
    service = a_service(traffic)
    service.start(a_profile(STEADY), 1.0)
    service.finish()
    assert service.first_ms_i.tolist() == [np.inf, 100.0]


def test_a_draining_replica_gets_no_request_and_finishes_those_it_has() -> None:
    service = a_service(at(0.0, 0.2, output=10))
    first = service.start(a_profile(STEADY), 1.0)
    service.advance(0.1)
    assert service.drain(first) == pytest.approx(1000.0)  # ten tokens, 100 ms each
    service.start(a_profile(STEADY), 1.0)
    service.finish()
    assert service.replica_i.tolist() != [first, first]
    assert service.last_ms_i.tolist() == pytest.approx([1000.0, 1200.0])


def test_what_a_stopped_replica_has_not_finished_is_lost() -> None:
    service = a_service(at(0.0, 0.0, output=10))
    slot = service.start(a_profile(STEADY), 1.0)
    service.advance(0.55)
    assert service.stop(slot) == 2
    assert np.isinf(service.last_ms_i).all()


def test_slots_are_used_again_and_grow() -> None:
    service = a_service(at(0.0))
    slots = [service.start(a_profile(STEADY), 1.0) for _ in range(20)]
    assert len(set(slots)) == 20
    service.drain(slots[3])
    service.stop(slots[3])
    service.free(slots[3])
    assert service.start(a_profile(STEADY), 1.0) == slots[3]


def test_a_router_of_least_load_sends_a_stronger_replica_more() -> None:
    service = a_service(some_traffic(1, count=300, rate_rps=30.0))
    weak = service.start(a_profile(STEADY), 1.0)
    strong = service.start(a_profile(STEADY), 3.0)
    service.finish()
    shares = np.bincount(service.replica_i, minlength=2)
    assert shares[strong] > 1.5 * shares[weak]
