"""The way that has been best is used, its quantile is its own past errors', and nothing breaks it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from plimsoll.forecast.candidates import Way, choose, expect
from plimsoll.forecast.history import RECENT_SLOTS

Floats = NDArray[np.float32]

DAY = 144
LEADS = (1, 3)
RNG_SEED = 3


def daily(days: float, noise: float = 0.02, seed: int = RNG_SEED) -> Floats:
    """10 req/s on average, ten times as much at noon as at midnight, ten minutes a slot."""
    t = np.arange(round(days * DAY))
    rng = np.random.default_rng(seed)
    return (10.0 * np.exp(-1.15 * np.cos(2 * np.pi * t / DAY)) * rng.lognormal(0.0, noise, len(t))).astype(np.float32)


def chosen_and_expected(rate_s: Floats, q: float = 0.9, shape: bool = True) -> tuple[list[Way], list[float]]:
    """Of one series, whose first slot is midnight."""
    rate_ds = rate_s[None, :]
    chosen = choose(rate_ds, 0, LEADS, np.array([q], np.float32), with_shape=shape)
    expected = expect(chosen, rate_ds[:, -RECENT_SLOTS:], float(len(rate_s) - 1)).quantile_dl
    return [Way(way) for way in chosen.way_dl[0]], expected[0].tolist()


def test_a_daily_rise_is_expected_before_it_begins() -> None:
    # At 8 in the morning of the eighth day; half an hour later it is exp(1.15 (cos 120 - cos 127.5 degrees)) higher.
    rate_s = daily(7.0 + 1.0 / 3.0)
    ways, expected = chosen_and_expected(rate_s, q=0.5)

    assert ways[1] is Way.DAILY_SHAPE
    assert expected[1] / rate_s[-1] == pytest.approx(
        np.exp(1.15 * (np.cos(np.radians(120)) - np.cos(np.radians(127.5)))), rel=0.05
    )


def test_noise_around_a_level_is_forecast_by_the_level() -> None:
    rate_s = (10.0 * np.random.default_rng(RNG_SEED).lognormal(0.0, 0.2, 4 * DAY)).astype(np.float32)
    ways, expected = chosen_and_expected(rate_s, q=0.5)

    assert Way.LAST_VALUE not in ways
    assert expected == pytest.approx([10.0, 10.0], rel=0.15)


def test_a_random_walk_is_forecast_by_its_last_value() -> None:
    walk = np.random.default_rng(RNG_SEED).normal(0.0, 0.05, 6 * DAY).cumsum()
    ways, _ = chosen_and_expected((10.0 * np.exp(walk)).astype(np.float32))

    assert ways[0] is Way.LAST_VALUE


@pytest.mark.parametrize("q", [0.5, 0.9])
def test_as_many_lie_below_the_quantile_as_it_says(q: float) -> None:
    # 400 series of a walk, each forecast once: 1.96 standard deviations of a share of 400 are .049 and .029.
    rng = np.random.default_rng(RNG_SEED)
    rate_ds = (10.0 * np.exp(rng.normal(0.0, 0.05, (400, 3 * DAY)).cumsum(axis=1))).astype(np.float32)
    chosen = choose(rate_ds[:, :-3], 0, LEADS, np.full(400, q, np.float32))
    expected_dl = expect(chosen, rate_ds[:, -RECENT_SLOTS - 3 : -3], 3.0 * DAY - 4.0).quantile_dl

    for at, lead in enumerate(LEADS):
        assert (rate_ds[:, lead - 4] <= expected_dl[:, at]).mean() == pytest.approx(q, abs=0.05)


def test_what_is_forecast_knows_nothing_of_what_came_after() -> None:
    rate_s = daily(6.0)
    other = rate_s.copy()
    other[-DAY:] *= 3.0
    assert chosen_and_expected(rate_s[:-DAY]) == chosen_and_expected(other[:-DAY])


def test_scale_does_not_matter() -> None:
    ways, expected = chosen_and_expected(daily(5.3) * 100.0)
    same_ways, same = chosen_and_expected(daily(5.3))

    assert ways == same_ways
    assert expected == pytest.approx([100.0 * each for each in same], rel=1e-2)


def test_each_series_is_forecast_on_its_own() -> None:
    both = np.stack([daily(5.0, seed=1), daily(5.0, 0.3, seed=2)])
    together = choose(both, 0, LEADS, np.full(2, 0.9, np.float32))
    for row in (0, 1):
        alone = choose(both[row : row + 1], 0, LEADS, np.full(1, 0.9, np.float32))
        assert alone.way_dl.tolist() == together.way_dl[row : row + 1].tolist()
        assert alone.add_dl == pytest.approx(together.add_dl[row : row + 1], abs=1e-4)


# --- What must not break it ------------------------------------------------------------------------------------------


def test_nothing_known_is_no_forecast() -> None:
    assert all(np.isnan(chosen_and_expected(np.full(3 * DAY, np.nan, np.float32))[1]))
    assert all(np.isnan(chosen_and_expected(daily(20.0 / DAY))[1]))


def test_silence_is_forecast_as_silence() -> None:
    assert chosen_and_expected(np.zeros(3 * DAY, np.float32))[1] == pytest.approx([0.0, 0.0], abs=1e-3)


def test_the_first_day_is_forecast_without_a_shape() -> None:
    ways, expected = chosen_and_expected(daily(0.9))

    assert Way.DAILY_SHAPE not in ways
    assert np.isfinite(expected).all()


def test_a_gap_of_a_night_changes_little() -> None:
    rate_s = daily(7.35)
    gap = rate_s.copy()
    gap[-DAY : -DAY // 2] = np.nan
    gap[2 * DAY : 2 * DAY + 20] = np.nan

    assert chosen_and_expected(gap)[1] == pytest.approx(chosen_and_expected(rate_s)[1], rel=0.1)


def test_a_level_shift_is_followed() -> None:
    rate_s = daily(7.0)
    rate_s[-36:] *= 5.0

    _, expected = chosen_and_expected(rate_s)

    assert all(0.8 * rate_s[-1] < each < 2.5 * rate_s[-1] for each in expected)


def test_a_holiday_does_not_end_in_a_rise_that_never_comes() -> None:
    # The ninth day stays at the level of its night: at ten the forecast is what is there, not three times as much.
    rate_s = daily(8.0 + 10.0 / 24.0)
    rate_s[8 * DAY :] = 3.2

    _, expected = chosen_and_expected(rate_s)

    assert all(3.0 < each < 6.0 for each in expected)


def test_a_few_requests_an_hour_are_forecast_by_their_level_and_not_by_their_noise() -> None:
    # 0.05 req/s: 30 requests in ten minutes, of which chance leaves 37 or fewer nine times in ten. The last value would
    # need 1.28 sqrt(60) = 10 requests more than it, whatever it is.
    counts = np.random.default_rng(RNG_SEED).poisson(30.0, (200, 4 * DAY))
    rate_ds = (counts / 600.0).astype(np.float32)
    chosen = choose(rate_ds[:, :-3], 0, LEADS, np.full(200, 0.9, np.float32))
    expected_dl = expect(chosen, rate_ds[:, -RECENT_SLOTS - 3 : -3], 4.0 * DAY - 4.0).quantile_dl

    assert (chosen.way_dl == Way.LAST_VALUE).mean() < 0.05
    assert expected_dl.mean() * 600.0 == pytest.approx(38.0, abs=2.0)
    for at, lead in enumerate(LEADS):
        # 2.5 standard deviations of a share of 200.
        assert (rate_ds[:, lead - 4] <= expected_dl[:, at]).mean() == pytest.approx(0.9, abs=0.053)


def test_a_request_an_hour_does_not_call_for_more_than_a_few() -> None:
    # 1 in 3,600 s: nine of ten times none arrives in ten minutes, and then one, 1/600 req/s.
    counts = np.random.default_rng(RNG_SEED).poisson(1.0 / 6.0, (50, 4 * DAY))
    rate_ds = (counts / 600.0).astype(np.float32)
    chosen = choose(rate_ds, 0, LEADS, np.full(50, 0.9, np.float32))
    expected_dl = expect(chosen, rate_ds[:, -RECENT_SLOTS:], 4.0 * DAY - 1.0).quantile_dl

    assert (expected_dl * 600.0 <= 3.0).all()


def test_a_weekend_is_not_forecast_as_a_working_day() -> None:
    # Two weeks of working days, two days at a fifth of them each; on Sunday at ten the third Monday is not there yet.
    rate_s = daily(13.0 + 10.0 / 24.0)
    rate_s[5 * DAY : 7 * DAY] *= 0.2
    rate_s[12 * DAY :] *= 0.2

    _, expected = chosen_and_expected(rate_s)

    assert all(rate_s[-1] < each < 2.0 * rate_s[-1] for each in expected)


def test_the_first_hours_are_forecast_by_what_they_show() -> None:
    _, expected = chosen_and_expected(daily(0.4))

    assert all(np.isfinite(expected))
    assert all(0.5 * daily(0.4)[-1] < each < 2.0 * daily(0.4)[-1] for each in expected)


def test_minutes_have_no_daily_shape() -> None:
    ways, _ = chosen_and_expected(daily(3.0), shape=False)

    assert Way.DAILY_SHAPE not in ways


def test_errors_of_rises_from_low_to_high_carry_what_is_high_to_nothing_new() -> None:
    # Four hours at 2 req/s and two at 10, in turn: the last value is wrong by a factor of 5 one time in six.
    rate_s = np.tile(np.repeat(np.array([2.0, 10.0], np.float32), [24, 12]), 16)
    noise = np.random.default_rng(RNG_SEED).lognormal(0.0, 0.02, len(rate_s))
    _, expected = chosen_and_expected((rate_s * noise).astype(np.float32)[:-8], shape=False)

    assert all(rate < 1.3 * 10.6 for rate in expected)
