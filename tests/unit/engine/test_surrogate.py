"""The estimate at once: close to what the kernel finds, careful where it errs, marked where it cannot know."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from plimsoll.domain import LatencyMetric, LatencyTarget, StepTime
from plimsoll.engine.case import Case
from plimsoll.engine.questions import METRICS, Physics
from plimsoll.engine.search import safe_rate_per_ms
from plimsoll.engine.serving import Replica
from plimsoll.engine.surrogate import MAX_LOAD_RATIO, Answer, normal_of, safe_rates
from plimsoll.engine.workload import Lengths
from unit.engine.cases import CHAT_OUTPUTS, CHAT_PROMPTS, E2E, H100, L4, TPOT, TTFT, XEON, a_case, a_target, slowed

DOCUMENTS = (Lengths(4_000.0, 9_000.0), Lengths(100.0, 200.0))


def _answers(*cases: Case) -> Answer:
    """The answers to the only target of each case."""
    targets = [case.slo[0] for case in cases]
    return safe_rates(
        Physics.of([(case.replica, case.prompts, case.outputs) for case in cases]),
        np.array([METRICS.index(target.metric) for target in targets]),
        np.array([target.quantile for target in targets]),
        np.array([target.limit_ms for target in targets]),
    )


def _estimate(case: Case) -> float:
    return float(_answers(case).rate_v[0])


def _doubted(case: Case) -> bool:
    return bool(_answers(case).needs_kernel_v[0])


def _unloaded_ms(case: Case) -> float:
    target = case.slo[0]
    physics = Physics.of([(case.replica, case.prompts, case.outputs)])
    metric_v = np.array([METRICS.index(target.metric)])
    return float(physics.unloaded_ms(metric_v, normal_of(np.array([target.quantile])))[0])


def _limited_to(case: Case, times_unloaded: float) -> Case:
    return replace(case, slo=(replace(case.slo[0], limit_ms=times_unloaded * _unloaded_ms(case)),))


@pytest.mark.parametrize("replica", [H100, L4, XEON], ids=["H100", "L4", "Xeon"])
@pytest.mark.parametrize("lengths", [(CHAT_PROMPTS, CHAT_OUTPUTS), DOCUMENTS], ids=["chat", "documents"])
@pytest.mark.parametrize("times_unloaded", [2.0, 4.0])
@pytest.mark.parametrize("metric", [TTFT, TPOT, E2E])
def test_estimates_are_close_to_what_the_kernel_finds(
    replica: Replica, lengths: tuple[Lengths, Lengths], metric: LatencyMetric, times_unloaded: float
) -> None:
    anyhow = a_case(a_target(metric, 1.0), replica=replica, prompts=lengths[0], outputs=lengths[1])
    case = _limited_to(anyhow, times_unloaded)
    estimate = _estimate(case)
    found = safe_rate_per_ms(case, 1, estimate, 16_000)
    # An error that promises too much breaks SLOs until the kernel has answered, one to the safe side costs money.
    assert 0.75 * found <= estimate <= 1.10 * found
    assert not _doubted(case)


@pytest.mark.parametrize(("metric", "tight", "loose"), [(TTFT, 1.45, 1.55), (TPOT, 1.05, 1.15), (E2E, 1.25, 1.35)])
def test_limits_close_to_the_unloaded_latency_are_left_to_the_kernel(
    metric: LatencyMetric, tight: float, loose: float
) -> None:
    case = a_case(a_target(metric, 1.0))
    assert _doubted(_limited_to(case, tight))
    assert not _doubted(_limited_to(case, loose))


@pytest.mark.parametrize(
    ("quantile", "doubted"), [(0.4, True), (0.5, False), (0.95, False), (0.97, True), (0.99, True)]
)
def test_quantiles_that_were_not_taught_are_left_to_the_kernel(quantile: float, doubted: bool) -> None:
    assert _doubted(a_case(a_target(TPOT, 70.0, quantile))) is doubted


@pytest.mark.parametrize(
    "odd",
    [
        a_case(replica=replace(L4, max_sequences=100_000, kv_cache_tokens=10**9)),
        a_case(replica=replace(L4, chunk_tokens=1)),
        a_case(a_target(TPOT, 1e6), replica=replace(L4, step_time=StepTime(30.0, 30_000.0, 0.1, 2e-4))),
        a_case(a_target(TTFT, 1e9), prompts=Lengths(1e6, 1e6)),
    ],
    ids=["slots", "chunk", "sequences that slow down", "prompts"],
)
def test_replicas_and_mixes_unlike_any_that_was_taught_are_left_to_the_kernel(odd: Case) -> None:
    assert _doubted(odd)


@pytest.mark.parametrize("metric", [TTFT, TPOT, E2E])
def test_a_limit_that_a_lone_request_misses_leaves_no_rate(metric: LatencyMetric) -> None:
    case = a_case(a_target(metric, 1.0))
    assert _estimate(_limited_to(case, 0.999)) == 0.0
    assert _estimate(_limited_to(case, 1.001)) > 0.0


def test_questions_answered_together_do_not_touch_each_other() -> None:
    cases = [a_case(a_target(TTFT, 900.0)), a_case(replica=XEON), a_case(a_target(E2E, 20_000.0), replica=H100)]
    together = _answers(*cases)
    assert together.rate_v.tolist() == pytest.approx([_estimate(case) for case in cases], rel=1e-12)
    assert together.needs_kernel_v.tolist() == [_doubted(case) for case in cases]


# --- Whatever is asked -----------------------------------------------------------------------------------------------


def _tokens(low: float, high: float, most_ratio: float = 6.0) -> st.SearchStrategy[Lengths]:
    ratios = st.floats(0.5, most_ratio)
    return st.builds(lambda mean, ratio: Lengths(mean, mean * ratio), st.floats(low, high), ratios)


def _zero_or(low: float, high: float) -> st.SearchStrategy[float]:
    return st.just(0.0) | st.floats(low, high)


laws = st.builds(StepTime, st.floats(1e-3, 1e5), _zero_or(1e-9, 1e4), _zero_or(1e-9, 1e4), _zero_or(1e-12, 10.0))
replicas = st.builds(Replica, laws, st.integers(1, 10_000), st.integers(1, 10**9), st.integers(1, 10**6))
targets = st.builds(LatencyTarget, st.sampled_from(METRICS), st.floats(1e-3, 0.9999), st.floats(1e-3, 1e9))
any_case = st.builds(
    lambda replica, prompts, outputs, target: Case(replica, prompts, outputs, (target,)),
    replicas,
    _tokens(1.0, 1e6),
    _tokens(1.0, 1e5),
    targets,
)
SANE_RATIOS = st.floats(1.01, 20.0)


@settings(max_examples=200, deadline=None)
@given(st.lists(any_case, min_size=1, max_size=5))
def test_every_answer_is_a_rate_below_the_capacity(cases: list[Case]) -> None:
    rate_v = _answers(*cases).rate_v
    capacity_v = Physics.of([(case.replica, case.prompts, case.outputs) for case in cases]).capacity_v
    assert np.isfinite(rate_v).all()
    assert (rate_v >= 0.0).all()
    assert (rate_v <= MAX_LOAD_RATIO * capacity_v).all()


sane_cases = st.builds(
    lambda replica, prompts, outputs, metric, quantile: a_case(
        a_target(metric, 1.0, quantile), replica=replica, prompts=prompts, outputs=outputs
    ),
    st.sampled_from([H100, L4, XEON]),
    _tokens(30.0, 4_000.0, most_ratio=2.5),
    _tokens(10.0, 1_000.0, most_ratio=2.5),
    st.sampled_from(METRICS),
    st.sampled_from([0.5, 0.9, 0.95]),
)


@settings(max_examples=100, deadline=None)
@given(sane_cases, SANE_RATIOS, st.floats(1.0, 3.0))
def test_a_looser_limit_hardly_lowers_the_estimate(case: Case, times: float, looser: float) -> None:
    tight, loose = _limited_to(case, times), _limited_to(case, times * looser)
    assume(not _doubted(tight) and not _doubted(loose))
    # Nothing forces the network to rise; it has learned to, but for ripples: 14% is the deepest of 1,500 random cases.
    assert _estimate(loose) >= 0.8 * _estimate(tight)


@settings(max_examples=100, deadline=None)
@given(sane_cases, st.floats(1.0, 1.1))
def test_a_tight_limit_never_allows_more_than_one_that_is_not(case: Case, times: float) -> None:
    first_that_is_not = {TTFT: 1.5, TPOT: 1.1, E2E: 1.3}[case.slo[0].metric]
    tight = _estimate(_limited_to(case, times))
    assert tight <= _estimate(_limited_to(case, first_that_is_not)) * (1.0 + 1e-9)


@settings(max_examples=100, deadline=None)
@given(sane_cases, SANE_RATIOS, st.floats(1e-3, 1e3))
def test_time_has_no_unit_of_its_own(case: Case, times_unloaded: float, pace: float) -> None:
    asked = _limited_to(case, times_unloaded)
    slower = replace(
        asked,
        replica=slowed(case.replica, pace),
        slo=(replace(asked.slo[0], limit_ms=asked.slo[0].limit_ms * pace),),
    )
    assert _estimate(slower) == pytest.approx(_estimate(asked) / pace, rel=1e-6)
