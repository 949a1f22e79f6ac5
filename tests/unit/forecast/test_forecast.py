"""Known demand: at once up, slowly down, ahead of a clear rise, and calm in noise."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.domain import ForecastBasis, Memory
from plimsoll.forecast import forecast
from unit.builders import MIX, NOW_S, a_demand, a_deployment, a_policy, a_snapshot, a_variant
from unit.forecast.histories import a_past


def test_steady_demand_is_forecast_as_it_is() -> None:
    found = a_past(*[10.0] * 30).forecast

    assert found.basis is ForecastBasis.KNOWN
    assert found.now_rps == 10.0
    assert found.at_lead_rps == {"h100": 10.0}
    assert found.tokens == MIX
    assert found.message == "10.00 req/s arrive; p90 of the last 10 min is 10.00 req/s; no rising trend"


def test_a_jump_counts_at_once() -> None:
    assert a_past(*[10.0] * 60, 80.0).forecast.now_rps == 80.0


def test_the_first_look_is_enough() -> None:
    assert a_past(7.0).forecast.required_rps == 7.0


def test_one_dip_does_not_lower_the_forecast() -> None:
    assert a_past(*[10.0] * 30, 0.0).forecast.now_rps == 10.0


def test_the_quantile_is_that_of_the_policy() -> None:
    # 60 samples 1 .. 60 shuffled, then 1: the last 10 min hold 61 samples; the median of 1, 1, 2 .. 60 is 30.
    rates = np.random.default_rng(1).permutation(np.arange(1.0, 61.0)).tolist()
    deployment = a_deployment(policy=a_policy(forecast_quantile=0.5))

    assert a_past(*rates, 1.0, deployment=deployment).forecast.now_rps == 30.0


@pytest.mark.parametrize(
    ("stabilization_s", "remembered_s"), [(0.0, 60.0), (30.0, 60.0), (300.0, 600.0), (3600.0, 1800.0)]
)
def test_how_slowly_demand_is_forgotten_follows_the_stabilisation(stabilization_s: float, remembered_s: float) -> None:
    policy = a_policy(scale_down_stabilization_s=stabilization_s, forecast_quantile=0.999999)
    past = a_past(80.0, deployment=a_deployment(policy=policy))

    assert past.then(a_demand(10.0), remembered_s).forecast.now_rps == pytest.approx(80.0, rel=1e-4)
    assert past.then(a_demand(10.0), remembered_s + 1.0).forecast.now_rps == 10.0


def test_a_clear_rise_is_extrapolated_to_each_variants_lead_time() -> None:
    # 0.1 req/s more every 10 s up to 16: .01 req/s per s. h100 starts in 60 s, xeon in 200 s.
    deployment = a_deployment(variants=[a_variant("h100", startup_s=60.0), a_variant("xeon", startup_s=200.0)])
    found = a_past(*[10.0 + 0.1 * tick for tick in range(61)], deployment=deployment).forecast

    assert found.now_rps == pytest.approx(16.0)
    assert found.at_lead_rps == {"h100": pytest.approx(16.6), "xeon": pytest.approx(18.0)}
    assert found.required_rps == pytest.approx(18.0)
    assert found.message == (
        "16.00 req/s arrive; p90 of the last 10 min is 15.40 req/s; rising by 0.60 req/s a minute: 18.00 req/s "
        "expected when xeon, the slowest to start, is ready in 200 s"
    )


def test_a_rise_is_not_extrapolated_beyond_twice_the_recent_peak() -> None:
    deployment = a_deployment(variants=[a_variant(startup_s=3600.0)])

    found = a_past(*[float(tick) for tick in range(61)], deployment=deployment).forecast

    assert found.at_lead_rps == {"h100": 120.0}


def test_a_fall_is_not_extrapolated() -> None:
    found = a_past(*[70.0 - tick for tick in range(61)]).forecast

    assert found.at_lead_rps == {"h100": found.now_rps}
    assert found.now_rps == pytest.approx(64.0)  # p90 of 10 .. 70


def test_one_burst_is_no_trend() -> None:
    found = a_past(*[10.0] * 40, *[50.0] * 10).forecast

    assert found.at_lead_rps == {"h100": 50.0}


def test_few_samples_are_no_trend() -> None:
    def expected_rps(*rates_rps: float) -> float:
        past = a_past(rates_rps[0])
        for rate_rps in rates_rps:
            past = past.then(a_demand(rate_rps, window_s=10.0))
        return past.forecast.at_lead_rps["h100"]

    assert expected_rps(10.0, 20.0, 30.0, 40.0) == 40.0
    assert expected_rps(10.0, 20.0, 30.0, 40.0, 50.0) > 50.0


def test_a_step_that_fills_the_window_of_a_rate_is_no_trend() -> None:
    # 60 req/s from one moment on, as a rate over a minute shows them.
    for since in range(1, 12):
        rates = [10.0 * min(tick, 6) for tick in range(1, since + 1)]

        assert a_past(*rates).forecast.at_lead_rps == {"h100": rates[-1]}


def test_a_rise_is_not_expected_to_go_on_for_longer_than_it_was_seen() -> None:
    deployment = a_deployment(variants=[a_variant(startup_s=3600.0)])

    # 1 req/s more every 10 s, for 200 s.
    found = a_past(*[100.0 + tick for tick in range(21)], deployment=deployment).forecast

    assert found.at_lead_rps == {"h100": pytest.approx(140.0)}


def test_few_samples_must_all_rise_to_be_a_trend() -> None:
    assert a_past(1.0, 3.0, 2.0, 5.0, 4.0, 6.0).forecast.at_lead_rps == {"h100": 6.0}


def test_noise_without_a_trend_is_seldom_taken_for_one() -> None:
    # Poisson counts of 10 s at 10 req/s, 200 series of ten minutes: expected false alarms well below 1%.
    rng = np.random.default_rng(4)
    alarms = 0
    for _ in range(200):
        found = a_past(*(rng.poisson(100.0, 61) / 10.0).tolist()).forecast
        alarms += found.at_lead_rps["h100"] > found.now_rps

    assert alarms <= 2


def test_chance_that_is_seen_again_in_every_overlapping_window_is_seldom_taken_for_a_trend() -> None:
    # Poisson arrivals at 5 req/s, counted over a minute every 10 s, from 100 s to ten minutes of looks.
    rng = np.random.default_rng(4)
    alarms = 0
    for series in range(200):
        arrivals = np.concatenate(([0], np.cumsum(rng.poisson(50.0, 66))))
        rates = (arrivals[6:] - arrivals[:-6]) / 60.0
        found = a_past(*rates[: 10 + series % 52].tolist()).forecast
        alarms += found.at_lead_rps["h100"] > found.now_rps

    assert alarms <= 4


def test_a_doubling_within_three_minutes_at_a_high_rate_is_seen() -> None:
    # From 100 to 200 req/s, as rates over a minute show it, with Poisson's noise.
    rng = np.random.default_rng(4)
    arrivals = np.cumsum([0, *rng.poisson([1000.0 + max(0.0, 1000.0 * (tick - 6) / 18.0) for tick in range(25)])])

    found = a_past(*((arrivals[6:] - arrivals[:-6]) / 60.0).tolist()).forecast

    assert found.at_lead_rps["h100"] - found.now_rps == pytest.approx(33.0, abs=7.0)


def test_a_rise_in_noise_is_seen() -> None:
    # From 10 to 20 req/s in ten minutes, Poisson counts of 10 s: after 60 s it is 1 req/s more.
    rng = np.random.default_rng(4)
    rates = (rng.poisson([100.0 + 100.0 * tick / 60.0 for tick in range(61)]) / 10.0).tolist()

    found = a_past(*rates).forecast

    assert found.at_lead_rps["h100"] - found.now_rps == pytest.approx(1.0, abs=0.3)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(0.0, 1e5), min_size=1, max_size=70))
def test_the_latest_rate_is_never_undercut_nor_the_peak_doubled(rates: list[float]) -> None:
    found = a_past(*rates).forecast

    assert found.now_rps >= rates[-1]
    assert all(found.now_rps <= rate <= 2.0 * max(rates) for rate in found.at_lead_rps.values())


def test_each_deployment_is_forecast_on_its_own() -> None:
    deployments = [a_deployment("chat", rps=10.0), a_deployment("code", rps=3.0)]

    found = forecast(a_snapshot(deployments), Memory())

    assert {key.name: each.now_rps for key, each in found.items()} == {"chat": 10.0, "code": 3.0}


def test_requests_of_no_rate_do_not_make_the_mix() -> None:
    assert a_past(0.0, 0.0).forecast.tokens == MIX


def test_known_silence_before_the_first_request_has_no_mix() -> None:
    deployment = a_deployment(demand=a_demand(0.0, tokens=None))

    found = forecast(a_snapshot([deployment]), Memory())[deployment.key]

    assert (found.basis, found.now_rps, found.tokens) == (ForecastBasis.KNOWN, 0.0, None)


def test_silence_after_requests_keeps_their_mix() -> None:
    assert a_past(10.0).then(a_demand(0.0, tokens=None)).forecast.tokens == MIX


def test_a_deployment_without_variants_has_no_lead_times() -> None:
    deployment = replace(a_deployment(), variants=())

    found = forecast(a_snapshot([deployment], now_s=NOW_S), Memory())[deployment.key]

    assert found.required_rps == 10.0
