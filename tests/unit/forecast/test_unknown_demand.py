"""Demand that is not known: held, then the policy's fallback, and never taken for zero."""

from dataclasses import replace

import pytest

from plimsoll.domain import DemandState, FallbackAction, ForecastBasis, Policy
from unit.builders import MIX, a_demand, a_deployment, a_policy
from unit.forecast.histories import Past, a_past

PEAK = a_policy(fallback=FallbackAction.PEAK)
RATES = (*[40.0] * 3, *[10.0] * 100, 12.0)
"""A peak a quarter of an hour ago, then calm: p90 of the last ten minutes is 10."""


def _past(fallback: FallbackAction = FallbackAction.HOLD) -> Past:
    return a_past(*RATES, deployment=a_deployment(policy=a_policy(fallback=fallback)), start_s=999_999_000.0)


@pytest.mark.parametrize("state", [state for state in DemandState if state is not DemandState.KNOWN])
@pytest.mark.parametrize("fallback", list(FallbackAction))
@pytest.mark.parametrize("unknown_for_s", [0.0, 599.0, 600.0, 1e6])
def test_unknown_demand_is_never_forecast_below_what_was_last_known(
    state: DemandState, fallback: FallbackAction, unknown_for_s: float
) -> None:
    past = _past(fallback)
    unknown = a_demand(None, state=state)
    found = past.then(unknown).then(unknown, unknown_for_s).forecast

    assert found.now_rps >= past.forecast.now_rps
    assert found.at_lead_rps == {"h100": found.now_rps}
    assert found.tokens == MIX


def test_the_last_known_demand_is_held_until_the_policy_s_hold_time_is_over() -> None:
    found = [_past().unknown(for_s).forecast for for_s in (0.0, 599.0, 600.0)]

    assert [each.basis for each in found] == [ForecastBasis.HELD, ForecastBasis.HELD, ForecastBasis.FALLBACK]
    assert [each.now_rps for each in found] == [12.0, 12.0, 12.0]


def test_a_past_that_is_held_does_not_fade_with_its_age() -> None:
    dip = a_past(*[10.0] * 60, 2.0)

    assert dip.unknown(5000.0).forecast.now_rps == dip.forecast.now_rps == pytest.approx(10.0, abs=0.02)


def test_the_fallback_to_the_peak_takes_the_highest_rate_remembered() -> None:
    past = _past(FallbackAction.PEAK)

    assert past.unknown(599.0).forecast.now_rps == 12.0
    assert past.unknown(600.0).forecast.now_rps == 40.0
    assert past.unknown(600.0).forecast.basis is ForecastBasis.FALLBACK


def test_a_rise_is_not_carried_on_without_data() -> None:
    rising = a_past(*[float(tick) for tick in range(61)])

    assert rising.forecast.at_lead_rps["h100"] > 60.0
    assert rising.unknown(0.0).forecast.at_lead_rps == {"h100": 60.0}


def test_data_that_come_back_count_at_once() -> None:
    found = _past().unknown(3000.0).then(a_demand(5.0)).forecast

    assert (found.basis, found.now_rps) == (ForecastBasis.KNOWN, 5.0)


@pytest.mark.parametrize("policy", [a_policy(), PEAK])
@pytest.mark.parametrize("unknown_for_s", [0.0, 1e6])
def test_where_nothing_was_ever_known_nothing_is_made_up(policy: Policy, unknown_for_s: float) -> None:
    past = a_past(None, deployment=a_deployment(policy=policy))
    found = past.then(a_demand(None), unknown_for_s).forecast

    assert found.basis is (ForecastBasis.HELD if unknown_for_s == 0.0 else ForecastBasis.FALLBACK)
    assert (found.now_rps, found.tokens) == (0.0, None)


def test_a_forecast_without_remembered_start_of_the_outage_holds_from_now() -> None:
    past = _past()
    unknown = replace(past.deployment, demand=a_demand(None))

    found = Past(replace(past.snapshot, deployments=(unknown,)), past.memory).forecast

    assert found.basis is ForecastBasis.HELD


@pytest.mark.parametrize(
    ("fallback", "unknown_for_s", "expected"),
    [
        (
            FallbackAction.HOLD,
            300.0,
            "demand unknown since 2001-09-09T01:47:20Z: holding the last known 12.00 req/s until 2001-09-09T01:57:20Z, "
            "and beyond (policy balanced, fallback Hold)",
        ),
        (
            FallbackAction.PEAK,
            300.0,
            "demand unknown since 2001-09-09T01:47:20Z: holding the last known 12.00 req/s until 2001-09-09T01:57:20Z, "
            "then the peak remembered (policy balanced, fallback Peak)",
        ),
        (
            FallbackAction.HOLD,
            900.0,
            "demand unknown since 2001-09-09T01:47:20Z: held until 2001-09-09T01:57:20Z, still holding the last known "
            "12.00 req/s (policy balanced, fallback Hold)",
        ),
        (
            FallbackAction.PEAK,
            900.0,
            "demand unknown since 2001-09-09T01:47:20Z: held until 2001-09-09T01:57:20Z, now ready for the highest "
            "remembered rate, 40.00 req/s (policy balanced, fallback Peak)",
        ),
    ],
)
def test_the_message_tells_since_when_and_what_is_next(
    fallback: FallbackAction, unknown_for_s: float, expected: str
) -> None:
    # 999,999,000 is 2001-09-09T01:30:00Z; 104 ticks of 10 s later demand is gone.
    assert _past(fallback).unknown(unknown_for_s).forecast.message == expected


def test_the_message_of_an_outage_does_not_change_from_tick_to_tick() -> None:
    # A status that changed with every tick would be written with every tick.
    gone = _past().unknown(100.0)

    assert gone.forecast == gone.then(a_demand(None)).forecast


def test_the_message_where_nothing_was_ever_known() -> None:
    found = a_past(None, start_s=999_999_000.0).forecast

    assert found.message == (
        "demand unknown since 2001-09-09T01:30:00Z: holding what runs (no demand was ever seen) until "
        "2001-09-09T01:40:00Z, and beyond (policy balanced, fallback Hold)"
    )
