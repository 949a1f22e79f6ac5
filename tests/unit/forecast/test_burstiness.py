"""Bursts are told from chance and from ramps, and what is told seldom changes."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from plimsoll.decide import decide
from plimsoll.domain import POISSON, Burstiness, DemandSample, Told
from plimsoll.engine.workload import Timeline
from plimsoll.forecast import burstiness, remember_demand
from plimsoll.forecast.burstiness import FEWEST_WINDOWS, LEVELS_CV2
from unit.builders import MIX, NOW_S, a_demand, a_deployment
from unit.forecast.histories import TICK_S, a_past

WINDOW_S = 60.0
TICKS_A_WINDOW = int(WINDOW_S / TICK_S)
TICKS_AN_HOUR = 360

Floats = NDArray[np.float64]


def looks(paces_rps: Floats, rng: np.random.Generator | None = None) -> list[DemandSample]:
    """What a window of 60 s shows every 10 s, of Poisson arrivals at these paces, one a tick; exact without `rng`."""
    arrived = paces_rps * TICK_S if rng is None else rng.poisson(paces_rps * TICK_S).astype(float)
    total = np.concatenate(([0.0], np.cumsum(arrived)))
    rates_rps = (total[TICKS_A_WINDOW:] - total[:-TICKS_A_WINDOW]) / WINDOW_S
    return [DemandSample(NOW_S + TICK_S * tick, rate, MIX) for tick, rate in enumerate(rates_rps.tolist())]


def burstiness_in_use(
    samples: Sequence[DemandSample], window_s: float | None, last: Burstiness = POISSON
) -> Burstiness:
    """Of one deployment."""
    at_s, rate_ds = np.array([one.at_s for one in samples]), np.array([[one.arrival_rate_rps for one in samples]])
    (found,) = burstiness.burstiness_in_use(at_s, rate_ds, window_s, [last])
    return found


def steady(rps: float, ticks: int = TICKS_AN_HOUR) -> Floats:
    return np.full(ticks + TICKS_A_WINDOW, rps)


def modulated(rps: float, rate_cv2: float, rng: np.random.Generator, ticks: int = TICKS_AN_HOUR) -> Floats:
    """A pace drawn anew each window."""
    windows = ticks // TICKS_A_WINDOW + 2
    return np.repeat(rng.gamma(1.0 / rate_cv2, rate_cv2 * rps, windows), TICKS_A_WINDOW)


def shares(of_seed: Callable[[np.random.Generator], bool], seeds: int = 100) -> int:
    return sum(of_seed(np.random.default_rng(seed)) for seed in range(seeds))


def told_tick_by_tick(samples: Sequence[DemandSample]) -> Iterator[Burstiness]:
    last = POISSON
    for end in range(1, len(samples) + 1):
        last = burstiness_in_use(samples[max(0, end - TICKS_AN_HOUR) : end], WINDOW_S, last)
        yield last


# --- What is no burst ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rps", [0.05, 0.5, 20.0])
@pytest.mark.parametrize("minutes", [10, 60])
def test_poisson_arrivals_are_told_as_poisson(rps: float, minutes: int) -> None:
    ticks = minutes * TICKS_A_WINDOW
    told = shares(lambda rng: burstiness_in_use(looks(steady(rps, ticks), rng), WINDOW_S) == POISSON)
    assert told >= 90


@pytest.mark.parametrize("rps", [0.5, 20.0])
def test_poisson_arrivals_are_told_as_poisson_from_extrapolated_rates(rps: float) -> None:
    # As Prometheus does at a scrape every 15 s: counts of 45 s, stretched to a minute.
    def is_poisson(rng: np.random.Generator) -> bool:
        total = np.concatenate(([0], np.cumsum(rng.poisson(rps * 5.0, 12 * 61))))
        scrapes = total[::3]
        rates_rps = (scrapes[3:] - scrapes[:-3]) / 45.0
        samples = [DemandSample(NOW_S + 15.0 * i, float(rate), MIX) for i, rate in enumerate(rates_rps)]
        return burstiness_in_use(samples, WINDOW_S) == POISSON

    assert shares(is_poisson) >= 90


@pytest.mark.parametrize("minutes", [10, 60])
def test_a_linear_ramp_is_no_burst(minutes: int) -> None:
    ramp = np.linspace(1.0, 50.0, minutes * TICKS_A_WINDOW + TICKS_A_WINDOW)
    assert burstiness_in_use(looks(ramp), WINDOW_S) == POISSON
    assert shares(lambda rng: burstiness_in_use(looks(ramp, rng), WINDOW_S) == POISSON) >= 90


def test_evenly_spaced_arrivals_and_no_arrivals_are_no_burst() -> None:
    assert burstiness_in_use(looks(steady(5.0)), WINDOW_S) == POISSON
    assert burstiness_in_use(looks(steady(0.0)), WINDOW_S) == POISSON
    assert burstiness_in_use([], WINDOW_S) == POISSON


def test_what_varies_by_less_than_the_headroom_holds_is_no_burst() -> None:
    # 5% up and down at 1000 req/s: far from chance, and not worth a replica.
    assert shares(lambda rng: burstiness_in_use(looks(modulated(1000.0, 0.0025, rng), rng), WINDOW_S) == POISSON) >= 90


# --- What is one -----------------------------------------------------------------------------------------------------


# At one request in two seconds a minute has 30, of which chance alone explains as much as a cv2 of 0.05 and more.
@pytest.mark.parametrize(("rps", "rate_cv2"), [(0.5, 0.4), (5.0, 0.1), (5.0, 0.4), (50.0, 0.1), (50.0, 0.4)])
def test_bursts_are_told_within_a_factor_of_two(rps: float, rate_cv2: float) -> None:
    def is_near(rng: np.random.Generator) -> bool:
        told = burstiness_in_use(looks(modulated(rps, rate_cv2, rng), rng), WINDOW_S)
        return rate_cv2 / 2.0 <= told.rate_cv2 <= rate_cv2 * 2.0 and told.window_s == WINDOW_S

    assert shares(is_near) >= 80


def test_a_step_of_the_grid_is_the_root_of_two() -> None:
    # Of two, paces that wander a little more than a level would be sized for as if their variance were twice as large.
    steps = [more / less for less, more in itertools.pairwise(LEVELS_CV2)]
    assert steps == pytest.approx([2.0**0.5] * len(steps), rel=0.025)


@pytest.mark.parametrize("rate_cv2", [0.2, 0.4])
def test_bursts_as_the_engine_plays_them_are_seldom_told_weaker_than_they_are(rate_cv2: float) -> None:
    def is_covered(rng: np.random.Generator) -> bool:
        span_s, rps = TICK_S * (TICKS_AN_HOUR + TICKS_A_WINDOW), 20.0
        played = Timeline.drawn(int(span_s * rps), Burstiness(rate_cv2, WINDOW_S), rng, span_s=span_s)
        arrivals_s = played.arrivals_ms(rps / 1000.0) / 1000.0
        paces_rps = np.histogram(arrivals_s, np.arange(0.0, span_s + 1.0, TICK_S))[0] / TICK_S
        return burstiness_in_use(looks(paces_rps), WINDOW_S).rate_cv2 >= rate_cv2

    assert shares(is_covered) >= 70


def test_idle_stretches_do_not_make_the_busy_ones_burstier() -> None:
    def is_as_busy(rng: np.random.Generator) -> bool:
        busy = modulated(50.0, 0.2, rng, TICKS_AN_HOUR // 2)
        idle = np.concatenate((busy, np.zeros(TICKS_AN_HOUR // 2)))
        told, beside_idle = (burstiness_in_use(looks(paces), WINDOW_S).rate_cv2 for paces in (busy, idle))
        return LEVELS_CV2.index(beside_idle) <= LEVELS_CV2.index(told) + 1

    # That they begin is itself a change, which now and then is a step; half of the mean rate would be two.
    assert shares(is_as_busy) >= 95


def test_what_is_told_is_bounded() -> None:
    paces = steady(0.1)
    paces[:: 10 * TICKS_A_WINDOW] = 500.0
    assert burstiness_in_use(looks(paces), WINDOW_S) == Burstiness(LEVELS_CV2[-1], WINDOW_S)


# --- What tells nothing ----------------------------------------------------------------------------------------------


def bursty(ticks: int = TICKS_AN_HOUR) -> list[DemandSample]:
    rng = np.random.default_rng(1)
    return looks(modulated(50.0, 0.8, rng, ticks), rng)[:ticks]


def test_too_few_windows_tell_nothing() -> None:
    enough = (FEWEST_WINDOWS - 1) * TICKS_A_WINDOW + 1
    assert burstiness_in_use(bursty()[:enough], WINDOW_S) != POISSON
    assert burstiness_in_use(bursty()[: enough - 1], WINDOW_S) == POISSON


def test_windows_with_gaps_between_them_are_no_neighbours() -> None:
    lonely = [sample._replace(at_s=NOW_S + 200.0 * i) for i, sample in enumerate(bursty()[::TICKS_A_WINDOW])]
    assert burstiness_in_use(lonely, WINDOW_S) == POISSON


def test_rates_over_an_unknown_window_tell_nothing() -> None:
    assert burstiness_in_use(bursty(), None) == POISSON


# --- How it moves ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate_cv2", [0.05, 0.14, 0.4])
def test_what_is_told_seldom_changes(rate_cv2: float) -> None:
    changes = []
    for seed in range(5):
        rng = np.random.default_rng(seed)
        told = list(told_tick_by_tick(looks(modulated(5.0, rate_cv2, rng, 3 * TICKS_AN_HOUR), rng)))[TICKS_AN_HOUR:]
        changes.append(sum(before != after for before, after in itertools.pairwise(told)))
    # In two hours, 720 ticks.
    assert max(changes) <= 4


def test_bursts_that_are_over_are_forgotten_within_the_hour_that_is_remembered() -> None:
    rng = np.random.default_rng(2)
    paces = np.concatenate((modulated(5.0, 0.8, rng), steady(5.0, TICKS_AN_HOUR + TICKS_A_WINDOW)))
    told = list(told_tick_by_tick(looks(paces, rng)))
    assert told[TICKS_AN_HOUR].rate_cv2 >= 0.4
    assert told[-1] == POISSON


# --- In the forecast -------------------------------------------------------------------------------------------------


def test_the_forecast_tells_bursts_and_keeps_them_while_demand_is_unknown() -> None:
    past = a_past(*[sample.arrival_rate_rps for sample in bursty(120)])
    told = past.forecast
    assert told.burstiness.rate_cv2 > 0.0
    assert "bursty: every 1 min the rate changes by about" in told.message
    assert past.then(a_demand(None)).then(a_demand(None), 600.0).forecast.burstiness == told.burstiness


def test_a_deployment_that_is_away_for_a_moment_keeps_its_bursts() -> None:
    past = a_past(*[sample.arrival_rate_rps for sample in bursty(120)])
    memory = remember_demand(replace(past.snapshot, deployments=()), past.memory)
    assert memory.burstiness[past.deployment.key].rate_cv2 > 0.0


def test_a_decision_hands_bursts_on_to_the_next() -> None:
    past = a_past(*[sample.arrival_rate_rps for sample in bursty(120)])
    assert decide(past.snapshot, past.memory).memory.burstiness == past.memory.burstiness != {}


def test_a_fresh_start_goes_on_with_the_bursts_that_the_status_tells() -> None:
    rates = [sample.arrival_rate_rps for sample in bursty(120)]
    told = a_past(*rates).forecast.burstiness
    again = a_past(rates[-1], deployment=a_deployment(told=Told(told.rate_cv2)))
    # Without them a few minutes of watching would be enough to take away most of what bursts need.
    assert again.forecast.burstiness == told != POISSON


def test_bursts_told_before_a_start_are_given_up_once_traffic_is_seen_to_be_steady() -> None:
    past = a_past(*[10.0] * (FEWEST_WINDOWS * TICKS_A_WINDOW), deployment=a_deployment(told=Told(0.8)))
    assert past.forecast.burstiness == POISSON


def test_a_told_burstiness_that_is_no_level_counts_as_the_next_one() -> None:
    told = [a_past(10.0, deployment=a_deployment(told=Told(cv2))).forecast.burstiness for cv2 in (0.21, 0.3, 99.0)]
    assert [one.rate_cv2 for one in told] == [0.28, 0.4, LEVELS_CV2[-1]]


def test_a_steady_forecast_says_nothing_of_bursts() -> None:
    told = a_past(*[10.0] * 120).forecast
    assert told.burstiness == POISSON
    assert "bursty" not in told.message
