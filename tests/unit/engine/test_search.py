"""The safe rate by play: right up to the limit, wherever the search starts, and moved by nothing but what moves it.

Most plays are short: the properties hold for any requests, and those of one case are the same at every rate.
"""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.domain import Burstiness, LatencyMetric, LatencyTarget, StepTime
from plimsoll.engine.case import Case
from plimsoll.engine.search import Trial, requests_for, safe_rate_per_ms
from plimsoll.engine.serving import Replica, Router
from plimsoll.engine.surrogate import MAX_LOAD_RATIO
from plimsoll.engine.workload import Lengths
from unit.engine.cases import E2E, H100, L4, TPOT, TTFT, XEON, a_case, a_target, slowed

FEW = 8_000
GUESS_PER_MS = 0.003
SAMPLING = 0.02
"""What a few thousand requests leave to chance where two cases draw different lengths."""

BOUND_BY = [a_target(TTFT, 400.0), a_target(TPOT, 70.0), a_target(E2E, 20_000.0)]


def _rate(case: Case, replicas: int = 1, guess_per_ms: float = GUESS_PER_MS, requests: int | None = FEW) -> float:
    return safe_rate_per_ms(case, replicas, guess_per_ms * replicas, requests)


@pytest.mark.parametrize("replicas", [1, 4])
@pytest.mark.parametrize("target", BOUND_BY, ids=str)
def test_the_safe_rate_keeps_the_slo_and_five_percent_more_break_it(target: LatencyTarget, replicas: int) -> None:
    case = a_case(target)
    trial = Trial(case, replicas, FEW)
    rate = _rate(case, replicas)
    assert trial.observations(rate)[0].value_ms <= target.limit_ms
    assert trial.observations(1.05 * rate)[0].value_ms > target.limit_ms


def test_of_several_targets_the_hardest_decides() -> None:
    easy, hard = a_target(TTFT, 4_000.0), a_target(TPOT, 60.0)
    assert _rate(a_case(easy, hard)) == _rate(a_case(hard)) < 0.9 * _rate(a_case(easy))


@pytest.mark.parametrize("target", BOUND_BY, ids=str)
@pytest.mark.parametrize("off", [0.2, 5.0])
def test_a_guess_far_off_finds_the_same_rate(target: LatencyTarget, off: float) -> None:
    case = a_case(target)
    right = _rate(case)
    assert _rate(case, guess_per_ms=off * right) == pytest.approx(right, rel=0.01)


@pytest.mark.parametrize("target", [a_target(TTFT, 50.0), a_target(TPOT, 30.0), a_target(E2E, 300.0)], ids=str)
def test_what_a_lone_request_misses_has_no_safe_rate(target: LatencyTarget) -> None:
    assert _rate(a_case(target)) == 0.0


@pytest.mark.parametrize("metric", [TTFT, TPOT, E2E])
@pytest.mark.parametrize("guess_per_ms", [1e-6, 1.0])
def test_the_loosest_slo_still_leaves_a_queue_that_settles(metric: LatencyMetric, guess_per_ms: float) -> None:
    case = a_case(a_target(metric, 1e12))
    completes_per_ms = Trial(case, 1, FEW).completes_per_ms
    assert _rate(case, guess_per_ms=guess_per_ms) == pytest.approx(MAX_LOAD_RATIO * completes_per_ms)


@pytest.mark.parametrize(("kv_cache_tokens", "fit"), [(10_000, 1), (17_000, 2)])
def test_no_more_is_safe_than_is_completed_where_few_requests_fit_the_cache(kv_cache_tokens: int, fit: int) -> None:
    # 6,000 tokens a request. The time per output token never shows the queue that grows while nothing more fits.
    small = replace(L4, kv_cache_tokens=kv_cache_tokens)
    case = a_case(a_target(TPOT, 1e6), replica=small, prompts=Lengths(4e3, 4e3), outputs=Lengths(2e3, 2e3))
    alone_ms = Trial(case, 1, 100).latencies(1e-9).e2e_ms_i.max()
    assert 0.0 < _rate(case, guess_per_ms=1e-4, requests=1_000) < fit / alone_ms


def test_outputs_of_one_token_have_no_time_between_tokens_to_break() -> None:
    case = a_case(a_target(TPOT, 1.0), outputs=Lengths(1.0, 1.0))
    assert _rate(case) == pytest.approx(MAX_LOAD_RATIO * Trial(case, 1, FEW).completes_per_ms)


@pytest.mark.parametrize("replica", [L4, XEON])
@pytest.mark.parametrize("metric", [TTFT, TPOT, E2E])
def test_bursts_never_raise_the_safe_rate(replica: Replica, metric: LatencyMetric) -> None:
    steps_allowed = {TTFT: 30.0, TPOT: 3.0, E2E: 650.0}[metric]
    steady = a_case(a_target(metric, steps_allowed * replica.step_time.alpha_ms), replica=replica)
    bursty = replace(steady, burstiness=Burstiness(0.4, 15.0))
    assert 0.0 < _rate(bursty) <= _rate(steady)


@pytest.mark.parametrize("replica", [H100, L4, XEON], ids=["H100", "L4", "Xeon"])
def test_twice_as_long_prompts_or_outputs_leave_a_lower_rate_for_the_first_token(replica: Replica) -> None:
    case = a_case(a_target(TTFT, 30.0 * replica.step_time.alpha_ms), replica=replica)
    short, longer_prompts, longer_outputs = (
        _rate(one, guess_per_ms=0.8 * Trial(one, 1, FEW).capacity_per_ms)
        for one in (case, replace(case, prompts=Lengths(1024.0, 2048.0)), replace(case, outputs=Lengths(256.0, 768.0)))
    )
    assert longer_prompts < 0.95 * short
    assert longer_outputs < 0.7 * short


@pytest.mark.parametrize("target", BOUND_BY, ids=str)
def test_replicas_behind_a_router_carry_at_least_what_they_carry_apart(target: LatencyTarget) -> None:
    alone, two, four = (_rate(a_case(target), replicas) / replicas for replicas in (1, 2, 4))
    assert alone <= two * 1.005
    assert two <= four * 1.005
    assert four > 1.02 * alone


def test_a_router_that_looks_carries_more_than_chance() -> None:
    looking, by_chance = (_rate(a_case(router=router), 4) for router in (Router.LEAST_LOADED, Router.RANDOM))
    assert by_chance < looking


def test_the_same_case_has_the_same_answer_to_the_last_bit() -> None:
    case = a_case(a_target(TTFT, 400.0), burstiness=Burstiness(0.4, 15.0), router=Router.RANDOM)
    assert _rate(case, 3) == _rate(case, 3) > 0.0


def test_the_warm_up_is_left_out() -> None:
    assert Trial(a_case(), 1, 1_000).latencies(GUESS_PER_MS).ttft_ms_i.size == 900


@pytest.mark.parametrize("kv_cache_tokens", [2, 100, 900])
def test_requests_that_do_not_fit_the_cache_are_cut(kv_cache_tokens: int) -> None:
    small = replace(L4, kv_cache_tokens=kv_cache_tokens)
    assert _rate(a_case(a_target(TTFT, 60_000.0), replica=small), requests=2_000) > 0.0


# 40,000 requests as a rule, 60,000 for tails, half of it for two replicas or more; 10 for each slot; 200 windows of a
# wandering rate; 400,000 at most.
@pytest.mark.parametrize(
    ("case", "replicas", "expected"),
    [
        (a_case(a_target(TPOT, 70.0, 0.97)), 1, 40_000),
        (a_case(a_target(TPOT, 70.0), a_target(TTFT, 900.0, 0.99)), 1, 60_000),
        (a_case(replica=H100), 4, 20_000),
        (a_case(replica=H100), 8, 20_480),  # 10 x 8 x 256
        (a_case(burstiness=Burstiness(0.4, 60.0)), 1, 48_000),  # 200 x 60,000 ms x .004
        (a_case(burstiness=Burstiness(0.4, 900.0)), 1, 400_000),
    ],
)
def test_as_many_requests_are_played_as_the_quantile_the_slots_and_the_bursts_need(
    case: Case, replicas: int, expected: int
) -> None:
    assert requests_for(case, replicas, 0.004) == expected


# --- Properties of any replica ---------------------------------------------------------------------------------------

lengths = st.builds(lambda mean, ratio: Lengths(mean, mean * ratio), st.floats(30.0, 600.0), st.floats(1.0, 3.0))
laws = st.builds(
    StepTime,
    st.floats(5.0, 80.0),
    st.floats(0.0, 2.0),
    st.floats(0.01, 0.6),
    st.floats(0.0, 2e-4),
)
roomy_replicas = st.builds(
    lambda law, slots, chunk: Replica(law, slots, 10**7, chunk), laws, st.integers(4, 64), st.integers(256, 2048)
)


@st.composite
def cases(draw: st.DrawFn, metrics: Sequence[LatencyMetric] = (TTFT, TPOT, E2E)) -> Case:
    replica, prompts, outputs = draw(roomy_replicas), draw(lengths), draw(lengths)
    metric, loose = draw(st.sampled_from(metrics)), draw(st.floats(2.0, 6.0))
    case = Case(replica, prompts, outputs, (a_target(metric, 1.0),))
    lone_ms = Trial(case, 1, 500).observations(1e-9)[0].value_ms
    return replace(case, slo=(a_target(metric, loose * lone_ms),))


def _found(case: Case, replicas: int = 1) -> float:
    return safe_rate_per_ms(case, replicas, 0.6 * Trial(case, replicas, 2_000).capacity_per_ms, 2_000)


def _relaxed(case: Case, times: float) -> Case:
    return replace(case, slo=tuple(replace(one, limit_ms=one.limit_ms * times) for one in case.slo))


few_examples = settings(max_examples=25, deadline=None)


@few_examples
@given(cases(), st.floats(1.0, 3.0))
def test_a_looser_slo_never_lowers_the_safe_rate(case: Case, times: float) -> None:
    assert _found(_relaxed(case, times)) >= _found(case) * (1.0 - SAMPLING)


@few_examples
@given(cases((TPOT, E2E)), st.floats(1.0, 3.0))
def test_longer_prompts_never_raise_the_safe_rate(case: Case, times: float) -> None:
    longer = replace(case, prompts=Lengths(case.prompts.mean * times, case.prompts.p95 * times))
    assert _found(longer) <= _found(case) * (1.0 + SAMPLING)


@few_examples
@given(cases((E2E,)), st.floats(1.0, 3.0))
def test_longer_outputs_never_raise_the_safe_rate(case: Case, times: float) -> None:
    # Not so for TPOT, the mean of one request's steps: over more of them a foreign prefill weighs less.
    longer = replace(case, outputs=Lengths(case.outputs.mean * times, case.outputs.p95 * times))
    assert _found(longer) <= _found(case) * (1.0 + SAMPLING)


@few_examples
@given(cases(), st.sampled_from([0.125, 0.5, 2.0, 16.0]), st.sampled_from([1, 3]))
def test_time_has_no_unit_of_its_own(case: Case, times: float, replicas: int) -> None:
    slower = replace(_relaxed(case, times), replica=slowed(case.replica, times))
    # Powers of two change no digit, and so no step of the search.
    assert _found(slower, replicas) == _found(case, replicas) / times
