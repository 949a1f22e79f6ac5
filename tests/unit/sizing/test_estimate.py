"""The answer at once: curves through what is known, answers that are remembered, doubts that are told."""

from dataclasses import replace

import pytest

from plimsoll.domain import Burstiness, LatencyMetric, SizedBy
from plimsoll.engine.case import Case
from plimsoll.sizing import Capacity
from plimsoll.sizing.estimate import Answers, estimate, estimates
from unit.engine.cases import E2E, H100, TPOT, TTFT, XEON, a_case, a_target

EACH_METRIC = pytest.mark.parametrize(
    "case",
    [
        a_case(a_target(TTFT, 900.0)),
        a_case(a_target(TPOT, 70.0)),
        a_case(a_target(E2E, 20_000.0)),
        a_case(a_target(TPOT, 1e9)),  # as much as it completes
    ],
    ids=["ttft", "tpot", "e2e", "no limit"],
)


def _estimate(case: Case) -> Capacity:
    return estimate([case])[case]


@EACH_METRIC
def test_curves_pass_through_the_limit_at_the_safe_rate(case: Case) -> None:
    found = _estimate(case)
    assert found.rate_rps[0] > 0.0
    assert found.latencies_ms(found.rate_rps[0], 1) == pytest.approx((case.slo[0].limit_ms,))
    assert found.latencies_ms(found.rate_rps[0], 5) == pytest.approx((case.slo[0].limit_ms,))


@EACH_METRIC
def test_curves_rise_from_the_unloaded_latency(case: Case) -> None:
    found = _estimate(case)
    (curve_ms,) = found.latency_ms
    assert found.latencies_ms(0.0, 1) == found.unloaded_ms == (curve_ms[0],)
    assert list(curve_ms) == sorted(set(curve_ms))


def test_the_unloaded_latency_is_that_of_a_lone_request_by_hand() -> None:
    # 30 + .1 x 1024 for the p95 prompt, in one chunk.
    assert _estimate(a_case(a_target(TTFT, 900.0))).unloaded_ms == pytest.approx((132.4,))


def test_the_hardest_target_decides_and_the_others_stay_below_their_limits() -> None:
    hard, easy = a_target(TPOT, 50.0), a_target(TTFT, 5_000.0)
    found = _estimate(a_case(easy, hard))
    easy_ms, hard_ms = found.latencies_ms(found.rate_rps[0], 1)
    assert found.rate_rps == _estimate(a_case(hard)).rate_rps
    assert hard_ms == pytest.approx(50.0)
    assert easy_ms < 5_000.0


@pytest.mark.parametrize(("metric", "limit_ms"), [(TTFT, 100.0), (TPOT, 30.0), (E2E, 500.0)])
def test_out_of_reach_there_is_no_rate_but_latencies_that_rise_with_the_load(
    metric: LatencyMetric, limit_ms: float
) -> None:
    # The easy target next to it changes nothing.
    found = _estimate(a_case(a_target(TPOT, 1e6), a_target(metric, limit_ms)))
    assert found.rate_rps == (0.0,)
    assert found.full_rps > 0.0
    curve_ms = found.latency_ms[1]
    assert limit_ms < curve_ms[0]
    assert list(curve_ms) == sorted(set(curve_ms))


def test_one_replica_stands_for_all() -> None:
    found = _estimate(a_case())
    assert found.replicas == (1,)
    assert found.sized_by is SizedBy.ESTIMATE


def test_bursts_are_not_seen_and_so_doubtful() -> None:
    steady = a_case()
    bursty = replace(steady, burstiness=Burstiness(0.4, 15.0))
    assert not _estimate(steady).doubtful
    assert _estimate(bursty).doubtful
    assert _estimate(bursty).rate_rps == _estimate(steady).rate_rps


def test_one_doubtful_target_makes_the_answer_doubtful() -> None:
    assert _estimate(a_case(a_target(TPOT, 70.0), a_target(TTFT, 900.0, 0.99))).doubtful


def test_cases_worked_out_together_do_not_touch_each_other() -> None:
    cases = [
        a_case(a_target(TTFT, 900.0), a_target(TPOT, 70.0)),
        a_case(a_target(TPOT, 10.0)),
        a_case(a_target(E2E, 9_000.0), replica=H100),
        a_case(a_target(TTFT, 3_000.0), a_target(E2E, 60_000.0), replica=XEON),
    ]
    together = estimate(cases)
    assert list(together) == cases
    for case in cases:
        assert together[case].rate_rps == pytest.approx(_estimate(case).rate_rps, rel=1e-12)
        assert together[case].doubtful == _estimate(case).doubtful


def test_nothing_asked_is_nothing_answered() -> None:
    assert estimate([]) == {}
    assert estimates([], Answers(10)) == {}


def test_a_case_is_worked_out_once() -> None:
    answers = Answers(10)
    first = estimates([a_case(), a_case()], answers)[a_case()]
    assert len(answers) == 1
    assert estimates([a_case()], answers)[a_case()] is first


def test_a_remembered_answer_counts_beside_a_fresh_one() -> None:
    answers, told = Answers(10), replace(_estimate(a_case()), rate_rps=(123.0,))
    answers.remember(a_case(), told)
    found = estimates([a_case(replica=XEON), a_case()], answers)
    assert found[a_case()] is told
    assert found[a_case(replica=XEON)].rate_rps[0] > 0.0


def test_the_answer_not_asked_for_the_longest_is_forgotten() -> None:
    answers = Answers(2)
    first, second, third = (a_case(a_target(TPOT, limit_ms)) for limit_ms in (60.0, 70.0, 80.0))
    estimates([first, second], answers)
    estimates([first], answers)
    estimates([third], answers)
    assert len(answers) == 2
    assert [answers.get(case) is not None for case in (first, second, third)] == [True, False, True]


def test_forgetting_at_once_changes_no_answer() -> None:
    cases = [a_case(a_target(TPOT, limit_ms)) for limit_ms in (60.0, 70.0, 80.0)]
    assert estimates(cases, Answers(1)) == estimate(cases)
