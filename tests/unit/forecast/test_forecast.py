"""Known demand: at once up, slowly down, ahead of a clear rise, and calm in noise.

Rates are of a minute, of which the chance of counting is sqrt(rate / 60): 0.4 at 10 req/s.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plimsoll.domain import ForecastBasis, Memory
from plimsoll.forecast import forecast, remember_demand
from unit.builders import MIX, a_demand, a_deployment, a_policy, a_snapshot, a_variant
from unit.forecast.histories import a_past


def test_steady_demand_is_forecast_as_it_is() -> None:
    found = a_past(*[10.0] * 30).forecast

    assert found.basis is ForecastBasis.KNOWN
    assert found.now_rps == 10.0
    assert found.at_lead_rps == {"h100": 10.0}
    assert found.tokens == MIX
    assert found.message == "10.00 req/s arrive; p90 of the last 10 min less chance is 10.00 req/s; no rising trend"


def test_a_jump_counts_at_once_but_for_what_chance_may_have_added() -> None:
    # Of 80 req/s over a minute, 4800 requests, 1.5 x sqrt(4800) may be chance: 1.7 req/s.
    jump = a_past(*[10.0] * 60, 80.0).forecast

    assert jump.now_rps == pytest.approx(80.0 - 1.5 * math.sqrt(4800.0) / 60.0)
    assert jump.at_lead_rps == {"h100": jump.now_rps}


def test_a_jump_that_was_counted_for_longer_counts_for_more() -> None:
    def now_rps(window_s: float) -> float:
        return a_past(*[10.0] * 60).then(a_demand(80.0, window_s=window_s)).forecast.now_rps

    assert [80.0 - now_rps(window_s) for window_s in (15.0, 60.0, 240.0)] == pytest.approx([3.46, 1.73, 0.87], abs=0.01)


def test_a_minute_that_chance_explains_needs_nothing_more() -> None:
    assert a_past(*[10.0] * 60, 10.5).forecast.now_rps == pytest.approx(10.0, abs=0.01)


@pytest.mark.parametrize("requests", [1.0, 2.0, 3.0])
@pytest.mark.parametrize("silent_looks", [0, 1, 6, 60, 360])
def test_the_first_request_after_silence_is_served(requests: float, silent_looks: int) -> None:
    # Even one of which all may be chance: a deployment that went to zero starts by it.
    found = a_past(*[0.0] * silent_looks, requests / 60.0).forecast
    assert 0.0 < found.required_rps <= requests / 60.0


@pytest.mark.parametrize("requests", [1.0, 2.0, 600.0])
def test_the_first_requests_of_all_count_before_any_has_told_its_mix(requests: float) -> None:
    found = a_past(None, deployment=a_deployment()).then(a_demand(requests / 60.0, tokens=None)).forecast

    assert (found.tokens, found.now_rps) == (None, requests / 60.0)


def counted(paces_rps: Sequence[float], rng: np.random.Generator) -> list[float]:
    """Rates of a minute each, of Poisson arrivals at these paces."""
    return [float(count) / 60.0 for count in rng.poisson(np.array(paces_rps) * 60.0)]


@pytest.mark.parametrize("rps", [0.5, 10.0, 100.0])
def test_the_chance_of_counting_is_not_ready_for(rps: float) -> None:
    # Sizing plays it. The p90 of 61 counts would be 1.2 of their deviations above the mean.
    rng = np.random.default_rng(7)
    above = [a_past(*counted([rps] * 61, rng)).forecast.now_rps / rps - 1.0 for _ in range(50)]

    assert abs(np.mean(above)) < 0.35 / math.sqrt(60.0 * rps)


def test_what_changes_beyond_chance_is_ready_for() -> None:
    # Minutes of 7 and of 13 req/s in turn: the deviation is 3, that of chance 0.4, and p90 is 13.
    rng = np.random.default_rng(7)
    found = [a_past(*counted([7.0, 13.0] * 30 + [7.0], rng)).forecast.now_rps for _ in range(20)]

    assert np.mean(found) == pytest.approx(13.2, abs=0.2)


def test_the_first_look_is_enough() -> None:
    assert a_past(7.0).forecast.required_rps == 7.0


def test_one_dip_hardly_lowers_the_forecast() -> None:
    # By what chance has in a spread of 1.8 around 9.7: 0.01.
    assert a_past(*[10.0] * 30, 0.0).forecast.now_rps == pytest.approx(10.0, abs=0.01)


def test_the_quantile_is_that_of_the_policy() -> None:
    # 60 samples falling from 60 to 1, then 1: the last 10 min hold 61; of 1, 1, 2 .. 60 the median is 30, p90 is 54.
    # Beside what they change by, chance is nothing, and a slow change is no burst.
    rates = np.arange(60.0, 0.0, -1.0).tolist()

    for quantile, rps in ((0.5, 30.0), (0.9, 54.0)):
        deployment = a_deployment(policy=a_policy(forecast_quantile=quantile))
        assert a_past(*rates, 1.0, deployment=deployment).forecast.now_rps == pytest.approx(rps, rel=1e-3)


def test_bursts_that_sizing_plays_are_taken_off_the_quantile() -> None:
    # As above, but shuffled: from one window to the next the rate jumps, and p90 less the mean of 30 is 24.
    rates = np.random.default_rng(1).permutation(np.arange(1.0, 61.0)).tolist()
    found = a_past(*rates, 1.0).forecast
    seen = np.array([*rates, 1.0])
    shorter_cv2 = 0.306 * min(found.burstiness.rate_cv2, 0.4)
    genuine = 1.0 - (seen.mean() / 60.0 + shorter_cv2 * (seen**2).mean()) / seen.var()

    assert found.burstiness.rate_cv2 > 0.0
    assert found.now_rps == pytest.approx(seen.mean() + (54.0 - seen.mean()) * genuine**0.5, rel=1e-3)


@pytest.mark.parametrize(
    ("stabilization_s", "remembered_s"), [(0.0, 60.0), (30.0, 60.0), (300.0, 600.0), (3600.0, 1800.0)]
)
def test_how_slowly_demand_is_forgotten_follows_the_stabilisation(stabilization_s: float, remembered_s: float) -> None:
    policy = a_policy(scale_down_stabilization_s=stabilization_s, forecast_quantile=0.999999)
    past = a_past(80.0, deployment=a_deployment(policy=policy))

    assert past.then(a_demand(10.0), remembered_s).forecast.now_rps == pytest.approx(80.0, rel=1e-3)
    assert past.then(a_demand(10.0), remembered_s + 1.0).forecast.now_rps == 10.0


def test_a_clear_rise_is_extrapolated_to_each_variants_lead_time() -> None:
    # 0.1 req/s more every 10 s up to 16: .01 req/s per s. h100 starts in 60 s, xeon in 200 s.
    deployment = a_deployment(variants=[a_variant("h100", startup_s=60.0), a_variant("xeon", startup_s=200.0)])
    found = a_past(*[10.0 + 0.1 * tick for tick in range(61)], deployment=deployment).forecast

    # p90 is 15.4, 2.4 above the mean; of the variance of 3.1 chance is 13 / 60: 13 + 2.4 x sqrt(1 - 0.070) = 15.31.
    assert found.now_rps == pytest.approx(15.31, abs=0.01)
    assert found.at_lead_rps == {
        "h100": pytest.approx(found.now_rps + 0.6),
        "xeon": pytest.approx(found.now_rps + 2.0),
    }
    assert found.required_rps == found.at_lead_rps["xeon"]
    assert found.message == (
        "16.00 req/s arrive; p90 of the last 10 min less chance is 15.31 req/s; rising by 0.60 req/s a minute: 17.31 "
        "req/s expected when xeon, the slowest to start, is ready in 200 s"
    )


def test_a_rise_is_not_extrapolated_beyond_twice_the_recent_peak() -> None:
    deployment = a_deployment(variants=[a_variant(startup_s=3600.0)])

    # Two minutes of silence, then 1.25 req/s more every 10 s up to 60: by the line ten minutes later it would be 133.
    found = a_past(*[max(0.0, 1.25 * (tick - 12)) for tick in range(61)], deployment=deployment).forecast

    assert found.at_lead_rps == {"h100": 120.0}


def test_a_fall_is_not_extrapolated() -> None:
    found = a_past(*[70.0 - tick for tick in range(61)]).forecast

    assert found.at_lead_rps == {"h100": found.now_rps}
    assert found.now_rps == pytest.approx(64.0, abs=0.05)  # p90 of 10 .. 70


def test_one_burst_is_no_trend() -> None:
    found = a_past(*[10.0] * 40, *[50.0] * 10).forecast

    # Sizing plays such bursts from now on, so that less of p90 is planned for than is sure of the latest rate.
    assert found.burstiness.rate_cv2 == 0.28
    assert found.now_rps == pytest.approx(50.0 - 1.5 * (50.0 / 60.0) ** 0.5)
    assert found.at_lead_rps == {"h100": found.now_rps}


def test_few_samples_are_no_trend() -> None:
    def rise_rps(*rates_rps: float) -> float:
        past = a_past(rates_rps[0])
        for rate_rps in rates_rps:
            past = past.then(a_demand(rate_rps, window_s=10.0))
        return past.forecast.at_lead_rps["h100"] - past.forecast.now_rps

    assert rise_rps(10.0, 20.0, 30.0, 40.0) == 0.0
    assert rise_rps(10.0, 20.0, 30.0, 40.0, 50.0) > 10.0


def test_a_step_that_fills_the_window_of_a_rate_is_no_trend() -> None:
    # 60 req/s from one moment on, as a rate over a minute shows them.
    for since in range(1, 12):
        found = a_past(*[10.0 * min(tick, 6) for tick in range(1, since + 1)]).forecast

        assert found.at_lead_rps == {"h100": found.now_rps}


def test_a_rise_is_not_expected_to_go_on_for_longer_than_it_was_seen() -> None:
    deployment = a_deployment(variants=[a_variant(startup_s=3600.0)])

    # 1 req/s more every 10 s, for 200 s.
    found = a_past(*[100.0 + tick for tick in range(21)], deployment=deployment).forecast

    assert found.at_lead_rps == {"h100": pytest.approx(found.now_rps + 20.0)}


def test_few_samples_must_all_rise_to_be_a_trend() -> None:
    found = a_past(1.0, 3.0, 2.0, 5.0, 4.0, 6.0).forecast

    assert found.at_lead_rps == {"h100": found.now_rps}


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
def test_the_latest_rate_is_never_undercut_by_more_than_chance_nor_the_peak_doubled(rates: list[float]) -> None:
    found = a_past(*rates).forecast

    assert found.now_rps >= rates[-1] - 1.51 * math.sqrt(rates[-1] / 60.0)
    assert found.now_rps <= max(rates) * (1.0 + 1e-9)
    assert all(found.now_rps <= rate <= 2.0 * max(rates) for rate in found.at_lead_rps.values())


def test_each_deployment_is_forecast_on_its_own() -> None:
    deployments = [a_deployment("chat", rps=10.0), a_deployment("code", rps=3.0)]

    snapshot = a_snapshot(deployments)
    found = forecast(snapshot, remember_demand(snapshot, Memory()))

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

    found = a_past(10.0, deployment=deployment).forecast

    assert (found.at_lead_rps, found.required_rps) == ({}, 10.0)
