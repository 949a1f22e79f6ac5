"""The recent quantile stands until another way has been clearly better, and then only ahead of now."""

import math
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import default_rng as random

from plimsoll.decide import decide
from plimsoll.domain import DemandState, Forecast, ForecastBasis, ForecastWay, Memory, Snapshot
from plimsoll.forecast import forecast, remember_demand, remember_forecasts
from plimsoll.forecast.chance import Chance
from plimsoll.forecast.history import LEADS_S, DemandHistory
from plimsoll.forecast.outlook import Outlook, ahead
from unit.builders import a_demand, a_deployment, a_snapshot, a_variant
from unit.forecast.histories import a_past

SLOW = a_variant("xeon", startup_s=1800.0)
NO_CHANCE = Chance(averaged_s=60.0, shorter_cv2=0.0, deviations=0.0)


def an_outlook(loss: float = 1.0, recent_loss: float = 2.0, rate_rps: float = 40.0) -> Outlook:
    return Outlook((rate_rps,) * 4, (ForecastWay.DAILY_SHAPE,) * 4, (loss,) * 4, (recent_loss,) * 4)


@pytest.mark.parametrize(
    ("loss", "recent_loss", "better"),
    [(1.0, 2.0, True), (1.99, 2.0, False), (3.0, 2.0, False), (math.inf, 2.0, False), (1.0, math.inf, False)],
)
def test_another_way_is_used_where_it_was_clearly_better(loss: float, recent_loss: float, better: bool) -> None:
    (*_, last) = an_outlook(loss, recent_loss).scores(LEADS_S, LEADS_S, NO_CHANCE)

    assert last.way is (ForecastWay.DAILY_SHAPE if better else ForecastWay.RECENT_QUANTILE)
    assert last.rate_rps == (40.0 if better else 1800.0)


def test_chance_is_taken_off_what_is_planned_for_and_left_in_what_is_told() -> None:
    # At 30 req/s a minute's mean over looks of a minute varies by 30/90 (req/s)^2 by chance, ten minutes' by 29/600.
    outlook = replace(an_outlook(rate_rps=32.0), expected_rps=(30.0,) * 4)
    scores = outlook.scores((0.0,) * 4, (0.0,) * 4, Chance(averaged_s=60.0, shorter_cv2=0.0, deviations=1.2816))

    assert [score.rate_rps for score in scores] == [32.0] * 4
    minutes_rps, tens_rps = (
        (4.0 - 1.2816**2 * 30.0 * each) ** 0.5 for each in (1.0 / 90.0, (1.0 - 1.0 / 30.0) / 600.0)
    )
    assert [score.planned_rps for score in scores] == pytest.approx([30.0 + minutes_rps] * 2 + [30.0 + tens_rps] * 2)


def test_a_rate_that_is_not_known_is_not_used() -> None:
    scores = an_outlook(rate_rps=math.nan).scores((7.0,) * 4, (7.0,) * 4, NO_CHANCE)

    assert {score.way for score in scores} == {ForecastWay.RECENT_QUANTILE}
    assert ahead(scores, 900.0) is None


def test_between_lead_times_the_rate_is_between() -> None:
    scores = replace(an_outlook(), rate_rps=(10.0, 20.0, 30.0, 60.0)).scores((0.0,) * 4, (0.0,) * 4, NO_CHANCE)
    found = {lead_s: ahead(scores, lead_s) for lead_s in (60.0, 180.0, 1200.0, 1800.0)}

    assert {lead_s: each and each[0] for lead_s, each in found.items()} == {
        60.0: 10.0,
        180.0: 15.0,
        1200.0: 45.0,
        1800.0: 60.0,
    }
    assert ahead(scores, 30.0) is None
    assert ahead(scores, 1801.0) is None


@dataclass(frozen=True)
class Morning:
    """What is expected of an office at eight, and what it is based on."""

    snapshot: Snapshot
    memory: Memory
    forecast: Forecast
    rate_rps: float


def paces_rps(at_s: float) -> float:
    """Twenty times as much at noon as at midnight."""
    return float(20.0 * np.exp(-1.5 * np.cos(2.0 * np.pi * at_s / 86400.0)))


@pytest.fixture(scope="module")
def morning() -> Morning:
    """The fourth day, a look every ten minutes."""
    deployment, memory, rng = a_deployment(variants=[SLOW, a_variant("h100", startup_s=20.0)]), Memory(), random(1)
    for tick in range(3 * 144 + 48):
        rate_rps = paces_rps(tick * 600.0) * float(rng.lognormal(0.0, 0.06))
        snapshot = a_snapshot([replace(deployment, demand=a_demand(rate_rps))], now_s=tick * 600.0)
        remembered = remember_demand(snapshot, memory)
        made = forecast(snapshot, remembered)
        memory = replace(remembered, past=remember_forecasts(made, remembered, memory))
    return Morning(snapshot, memory, made[deployment.key], rate_rps)


def test_a_morning_is_expected_before_recent_minutes_show_it(morning: Morning) -> None:
    found = morning.forecast
    comes_rps = paces_rps(morning.snapshot.now_s + 1800.0)

    assert found.scores[-1].way is ForecastWay.DAILY_SHAPE
    assert comes_rps * 0.97 < found.at_lead_rps["xeon"] < comes_rps * 1.2
    assert found.recent_quantile_rps[-1] < comes_rps * 0.9


def test_what_is_used_and_how_good_it_was_is_told(morning: Morning) -> None:
    score = morning.forecast.scores[-1]

    assert score.loss_rps is not None
    assert score.recent_quantile_loss_rps is not None
    assert score.loss_rps < 0.5 * score.recent_quantile_loss_rps
    assert "req/s expected by DailyShape when xeon is ready in 30 min (its recent loss" in morning.forecast.message


def test_a_variant_that_starts_at_once_is_forecast_by_the_recent_past(morning: Morning) -> None:
    assert morning.forecast.at_lead_rps["h100"] == morning.forecast.now_rps


def test_another_way_never_lowers_what_is_needed_now(morning: Morning) -> None:
    # A peak that nothing foresaw: however the day goes on, what is there now must be carried.
    key = morning.snapshot.deployments[0].key
    busy = replace(morning.snapshot.deployments[0], demand=a_demand(500.0))
    snapshot = replace(morning.snapshot, deployments=(busy,))

    found = forecast(snapshot, remember_demand(snapshot, morning.memory))[key]

    # But for what chance may have added to 30 000 requests.
    assert found.now_rps == pytest.approx(500.0 - 1.5 * math.sqrt(30_000.0) / 60.0)
    assert min(found.at_lead_rps.values()) >= found.now_rps


@pytest.mark.parametrize("state", [state for state in DemandState if state is not DemandState.KNOWN])
def test_no_way_forecasts_demand_that_is_not_known(morning: Morning, state: DemandState) -> None:
    gone = replace(morning.snapshot.deployments[0], demand=a_demand(None, state=state))
    snapshot = replace(morning.snapshot, deployments=(gone,), now_s=morning.snapshot.now_s + 10.0)

    found = forecast(snapshot, remember_demand(snapshot, morning.memory))[gone.key]

    assert found.basis is ForecastBasis.HELD
    assert found.scores == ()
    assert set(found.at_lead_rps.values()) == {morning.forecast.now_rps}


def test_a_deployment_that_is_away_for_a_moment_keeps_its_days(morning: Morning) -> None:
    key = morning.snapshot.deployments[0].key
    away = replace(morning.snapshot, deployments=(), now_s=morning.snapshot.now_s + 600.0)
    back = replace(morning.snapshot, now_s=morning.snapshot.now_s + 1200.0)

    memory = remember_demand(back, remember_demand(away, morning.memory))

    assert isinstance(memory.past, DemandHistory)
    assert np.isfinite(memory.past.tens.rate_ds[memory.past.row[key], -200:-2]).all()


def test_a_decision_hands_days_on_with_what_it_said() -> None:
    past = a_past(*[10.0] * 6)
    memory = decide(past.snapshot, Memory()).memory
    later = replace(past.snapshot, now_s=past.snapshot.now_s + 60.0)
    memory = decide(later, memory).memory

    assert isinstance(memory.past, DemandHistory)
    assert memory.past.minutes.rate_ds[0, -1] == 10.0
    assert memory.past.minutes.said_lds[:, 0, -1].tolist() == [10.0] * 4


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(0.0, 1e4), min_size=1, max_size=30))
def test_with_little_history_it_is_the_recent_quantile_and_its_trend(rates: list[float]) -> None:
    memory, deployment = Memory(), a_deployment(variants=[a_variant(startup_s=float(LEADS_S[2]))])
    for tick, rate_rps in enumerate(rates):
        snapshot = a_snapshot([replace(deployment, demand=a_demand(rate_rps))], now_s=60.0 * tick)
        remembered = remember_demand(snapshot, memory)
        made = forecast(snapshot, remembered)
        memory = replace(remembered, past=remember_forecasts(made, remembered, memory))
        found = made[deployment.key]
        assert {score.way for score in found.scores} == {ForecastWay.RECENT_QUANTILE}
        assert found.at_lead_rps["h100"] == found.scores[2].planned_rps
        assert found.recent_quantile_rps[2] == found.scores[2].rate_rps >= found.scores[2].planned_rps
