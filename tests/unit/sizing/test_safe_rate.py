"""The safe rate: it holds, nothing higher does, and remembering answers changes no answer."""

import numpy as np
import pytest

from plimsoll.domain import LatencyTarget
from plimsoll.sizing.safe_rate import (
    MAX_LOAD_RATIO,
    Answers,
    Case,
    highest_rate_per_ms,
    latencies,
    safe_rates,
    solve,
)
from unit.sizing.cases import BY_HAND, E2E, PUBLISHED, TPOT, TTFT, a_case, a_chain, a_target


def _met(case: Case, rate_rps: float) -> bool:
    seen = latencies(case, rate_rps)
    return all(each.value_ms <= target.limit_ms for each, target in zip(seen, case.slo, strict=True))


@pytest.mark.parametrize(
    "slo",
    [
        (a_target(TTFT, 200.0),),
        (a_target(TPOT, 20.0),),
        (a_target(E2E, 3000.0, 0.99),),
        (a_target(TTFT, 500.0), a_target(TPOT, 22.0), a_target(TTFT, 100.0, 0.5)),
    ],
)
def test_every_promise_holds_at_the_safe_rate_and_one_breaks_just_above(slo: tuple[LatencyTarget, ...]) -> None:
    case = a_case(slo=slo)
    rate_rps = safe_rates([case])[case].rate_rps

    assert _met(case, rate_rps)
    assert not _met(case, rate_rps * 1.0001)


def test_one_slot_by_hand() -> None:
    # p95 TTFT at 5/s is 480.47 ms (see the percentiles), so this limit gives 5/s.
    case = a_case(BY_HAND, slo=(a_target(TTFT, 480.468),))

    assert safe_rates([case])[case].rate_rps == pytest.approx(5.0, rel=1e-4)


def test_a_lone_request_that_is_too_slow_leaves_no_safe_rate() -> None:
    case = a_case(BY_HAND, slo=(a_target(TTFT, 19.9),))
    answer = safe_rates([case])[case]

    assert answer.rate_rps == 0.0
    assert [each.value_ms for each in answer.unloaded] == [pytest.approx(20.0)]


def test_the_loosest_slo_still_keeps_the_queue_bounded() -> None:
    case = a_case(BY_HAND, slo=(a_target(TPOT, 1e6),))

    assert safe_rates([case])[case].rate_rps == pytest.approx(MAX_LOAD_RATIO * 10.0, rel=1e-4)


def test_a_very_high_quantile_still_has_a_rate() -> None:
    # All but a millionth of the steps may hold one request only: rare arrivals, but not none.
    limit_ms = float(a_chain(PUBLISHED).replicas.decode_step_ms(1.0)[0])
    case = a_case(slo=(a_target(TPOT, limit_ms, 0.999999),))

    assert 0.0 < safe_rates([case])[case].rate_rps < 1e-3


def test_answers_do_not_depend_on_the_company() -> None:
    cases = [a_case(slots=slots, slo=(a_target(TTFT, 300.0 + slots),)) for slots in (1, 3, 700, 64)]
    cases += [a_case(slo=(a_target(TPOT, 20.0), a_target(TTFT, 900.0)))]
    together = solve(cases)

    for case in cases:
        assert together[case].rate_rps == pytest.approx(solve([case])[case].rate_rps)


def test_more_cases_than_fit_at_once_are_all_answered() -> None:
    cases = [a_case(slots=8, slo=(a_target(TTFT, 100.0 + n),)) for n in range(10)]

    # 9 states each: three cases a batch, and one batch of a single case.
    in_batches, at_once = solve(cases, states_at_once=30), solve(cases)

    assert [in_batches[case].rate_rps for case in cases] == pytest.approx([at_once[case].rate_rps for case in cases])


def test_a_case_larger_than_a_batch_is_answered() -> None:
    case = a_case(slots=8, slo=(a_target(TTFT, 100.0),))

    assert solve([case], states_at_once=1) == solve([case])


def test_the_memory_of_answers_is_bounded_and_forgets_the_least_used() -> None:
    answers = Answers(bound=2)
    first, second, third = (a_case(slots=2, slo=(a_target(TTFT, limit),)) for limit in (100.0, 200.0, 300.0))
    safe_rates([first, second], answers)
    safe_rates([first], answers)

    safe_rates([third], answers)

    assert len(answers) == 2
    assert answers.get(second) is None
    assert answers.get(first) == solve([first])[first]


def test_more_cases_than_are_remembered_are_all_answered() -> None:
    cases = [a_case(slots=2, slo=(a_target(TTFT, limit),)) for limit in (100.0, 200.0, 300.0)]

    assert safe_rates([*cases, cases[0]], Answers(bound=1)) == solve(cases)


def test_no_cases_have_no_answers() -> None:
    assert safe_rates([]) == {}


def test_the_search_finds_every_threshold() -> None:
    threshold_v = np.array([1e-6, 0.3, 0.9999])

    found_v = highest_rate_per_ms(lambda rate_v: rate_v <= threshold_v, np.ones(3))

    assert found_v == pytest.approx(threshold_v, rel=1e-5)
    assert (found_v <= threshold_v).all()
