"""What is kept for a rise that found no capacity, for how long, and what never is."""

from dataclasses import replace
from typing import Any

import pytest

from plimsoll.domain import Deployment, Forecast, ForecastBasis, Standby, Told
from plimsoll.readiness import known_standbys, remember_standbys, with_standbys
from unit.builders import NOW_S, a_deployment, a_forecast, a_policy, a_snapshot, a_variant, options_for

RPS_EACH = 5.0
USD_PER_HOUR = 3.6
"""A tenth of a cent a second."""


def chat(ready: int, told: Standby | None = None, **policy: Any) -> Deployment:
    """So many ready replicas, 5 req/s each."""
    deployment = a_deployment(variants=[a_variant("h100", replicas=ready)], policy=a_policy(**policy))
    return replace(deployment, told=Told(standby=told))


def seen(deployment: Deployment, rps: float, expected_rps: float | None = None, **overrides: Any) -> Forecast:
    """So much arrives now; what is expected is more while the recent past remembers it."""
    return a_forecast(deployment, expected_rps or rps, surely_rps=rps, **overrides)


def a_standby(worth_usd: float = 2.0, **overrides: Any) -> Standby:
    return replace(Standby(20.0, worth_usd, NOW_S - 100.0, NOW_S - 10.0), **overrides)


def remembered(
    deployment: Deployment, forecast: Forecast, before: Standby | None, usd_per_hour: float = USD_PER_HOUR
) -> Standby | None:
    key = deployment.key
    options = options_for([deployment], {"h100": RPS_EACH})
    found = remember_standbys(
        a_snapshot([deployment]), {key: forecast}, options, {key: usd_per_hour}, {} if before is None else {key: before}
    )
    return found.get(key)


def needed(deployment: Deployment, forecast: Forecast, standby: Standby) -> Forecast:
    options = options_for([deployment], {"h100": RPS_EACH})
    return with_standbys(a_snapshot([deployment]), {deployment.key: forecast}, options, {deployment.key: standby})[
        deployment.key
    ]


def test_demand_well_above_what_is_ready_is_counted_by_what_finds_no_capacity() -> None:
    # Two replicas carry 10 of 20 req/s; 100 requests in 10 s, a tenth of a cent each.
    began = remembered(chat(ready=2), seen(chat(2), 20.0), None)
    assert began == Standby(20.0, 0.0, NOW_S, NOW_S)
    after = remembered(chat(ready=2), seen(chat(2), 20.0), replace(began, at_s=NOW_S - 10.0))
    assert after is not None
    assert after.worth_usd == pytest.approx(0.1)
    assert replace(after, worth_usd=0.0) == began


def test_demand_within_the_headroom_is_no_shortage() -> None:
    assert remembered(chat(ready=2), seen(chat(2), 12.0), None) is None


def test_where_violations_cost_nothing_nothing_is_kept() -> None:
    deployment = chat(ready=2, violation_usd_per_million_requests=0.0)
    found = remembered(deployment, seen(deployment, 20.0), a_standby(worth_usd=0.0))
    assert found is not None
    assert found.worth_usd == 0.0
    assert needed(deployment, seen(deployment, 2.0), found).required_rps == 2.0


@pytest.mark.parametrize(("idle_s", "kept"), [(2400.0, True), (2500.0, False)])
def test_it_is_kept_until_idling_has_cost_what_the_rise_did(idle_s: float, kept: bool) -> None:
    # Of 20 req/s that are ready 4 are expected: four fifths of 3.60 USD an hour idle, and 2 USD last 2500 s.
    deployment, standby = chat(ready=4), a_standby(needed_s=NOW_S - idle_s)
    forecast = needed(deployment, seen(deployment, 4.0), standby)
    assert (remembered(deployment, forecast, standby) is not None) is kept


def test_a_policy_may_keep_nothing() -> None:
    deployment, standby = chat(ready=4, longest_standby_s=0.0), a_standby()
    assert remembered(deployment, needed(deployment, seen(deployment, 4.0), standby), standby) is None
    assert remembered(deployment, seen(deployment, 25.0), standby) is None


def test_what_idles_on_nodes_that_are_paid_for_is_given_up_after_two_hours_all_the_same() -> None:
    deployment = chat(ready=4)
    for idle_s, kept in ((7190.0, True), (7200.0, False)):
        standby = a_standby(needed_s=NOW_S - idle_s)
        forecast = needed(deployment, seen(deployment, 4.0), standby)
        assert (remembered(deployment, forecast, standby, usd_per_hour=0.0) is not None) is kept


def test_when_the_rate_comes_again_and_finds_capacity_the_time_begins_anew() -> None:
    deployment = chat(ready=4)
    found = remembered(deployment, seen(deployment, 16.0), a_standby())
    assert found == a_standby(needed_s=NOW_S, at_s=NOW_S)


def test_a_time_that_nobody_saw_teaches_nothing_and_forgets_nothing() -> None:
    deployment = chat(ready=4)
    held = seen(deployment, 0.0, basis=ForecastBasis.HELD)
    standby = a_standby(needed_s=NOW_S - 5000.0)
    assert remembered(deployment, held, standby) == replace(standby, at_s=NOW_S)
    assert needed(deployment, held, standby) == held


def test_what_is_ready_is_kept_and_nothing_is_started_for_it() -> None:
    kept = needed(chat(ready=4), seen(chat(4), 2.0), a_standby())
    assert (kept.standby_rps, kept.required_rps, kept.expected_rps) == (20.0, 20.0, 2.0)
    fewer = needed(chat(ready=2), seen(chat(2), 2.0), a_standby())
    assert fewer.required_rps == 10.0
    assert "what is ready for 10.00 req/s is kept, as the rise to 20.00 req/s" in fewer.message
    assert "found no capacity: that cost 2.00 USD" in fewer.message


def test_what_is_expected_anyway_is_not_told_as_kept() -> None:
    forecast = seen(chat(4), 2.0, expected_rps=25.0)
    kept = needed(chat(ready=4), forecast, a_standby())
    assert (kept.required_rps, kept.message) == (25.0, forecast.message)
    assert kept.standby is not None


def test_what_cost_less_than_a_cent_is_neither_told_nor_kept() -> None:
    forecast = seen(chat(4), 2.0)
    assert needed(chat(ready=4), forecast, a_standby(worth_usd=0.009)) == forecast


def test_after_a_restart_what_the_status_tells_goes_on() -> None:
    told = Standby(20.0, 2.0, None)
    deployment = chat(ready=4, told=told)
    known = known_standbys(a_snapshot([deployment]), {})
    assert known == {deployment.key: told}
    # The status tells no end of the rise: it is taken for now.
    assert remembered(deployment, seen(deployment, 4.0), told) == Standby(20.0, 2.0, NOW_S, NOW_S)
    # A shortage is counted from the first look on, not from when the status was written.
    assert remembered(chat(ready=1), seen(chat(1), 20.0), told) == Standby(20.0, 2.0, NOW_S, NOW_S)


def test_what_is_remembered_goes_before_what_the_status_tells() -> None:
    deployment = chat(ready=4, told=Standby(99.0, 9.0, None))
    assert known_standbys(a_snapshot([deployment]), {deployment.key: a_standby()}) == {deployment.key: a_standby()}
