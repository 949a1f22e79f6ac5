"""What chance alone shows in rates is taken off a forecast, and no more than that."""

import numpy as np
import pytest

from plimsoll.domain import POISSON, Burstiness
from plimsoll.engine.workload import Timeline, within_window
from plimsoll.forecast.chance import Chance, shorter_cv2, variance_of_looks

WINDOW_S = 60.0
P90 = 1.2816


def looks_rps(arrivals_s: np.ndarray, every_s: float = 15.0) -> np.ndarray:
    """Averages over a minute, a look every quarter of one."""
    at_s = np.arange(WINDOW_S, arrivals_s[-1], every_s)
    counts = np.searchsorted(arrivals_s, at_s) - np.searchsorted(arrivals_s, at_s - WINDOW_S)
    rates: np.ndarray = counts / WINDOW_S
    return rates


def looks_at_what_sizing_plays(rate_cv2: float, seed: int) -> tuple[Burstiness, np.ndarray]:
    """400 hours of looks at 0.5 req/s, the rate wandering within each minute as sizing has it wander."""
    bursts = Burstiness(rate_cv2, WINDOW_S) if rate_cv2 else POISSON
    requests, rng = 720_000, np.random.default_rng(seed)
    timeline = Timeline.drawn(requests, within_window(bursts), rng, span_s=requests / 0.5)
    return bursts, looks_rps(timeline.arrivals_ms(0.5e-3) / 1e3)


def in_slots(looks: np.ndarray, slot_s: float) -> np.ndarray:
    """Means of the looks in slots of that length."""
    each = round(slot_s / 15.0)
    means: np.ndarray = looks[: len(looks) // each * each].reshape(-1, each).mean(axis=1)
    return means


@pytest.mark.parametrize("rate_cv2", [0.0, 0.1, 0.4, 1.6])
def test_looks_at_what_sizing_plays_vary_by_the_chance_that_is_told(rate_cv2: float) -> None:
    bursts, looks = looks_at_what_sizing_plays(rate_cv2, seed=1)

    told = variance_of_looks(float(looks.mean()), float(looks.mean()) ** 2, WINDOW_S, shorter_cv2(bursts))

    # Never more than there is; paces multiply, so that a sum tells up to a seventh less where they wander most.
    assert looks.var() / 1.17 < told < 1.05 * looks.var()


@pytest.mark.parametrize("slot_s", [60.0, 600.0])
@pytest.mark.parametrize("rate_cv2", [0.0, 0.4])
def test_what_is_taken_off_is_what_means_in_slots_vary_by_chance(slot_s: float, rate_cv2: float) -> None:
    bursts, looks = looks_at_what_sizing_plays(rate_cv2, seed=2)
    slots = in_slots(looks, slot_s)
    mean_rps, distance_rps = float(slots.mean()), 10.0

    left_rps = (
        Chance(WINDOW_S, shorter_cv2(bursts), P90).taken_off(mean_rps + distance_rps, mean_rps, slot_s) - mean_rps
    )

    # Never more than there is; with bursts up to a fifth of the variance less, since paces multiply.
    told_variance = (distance_rps**2 - left_rps**2) / P90**2
    assert slots.var() / 1.3 < told_variance < 1.05 * slots.var()


def test_where_all_is_chance_nothing_is_left() -> None:
    assert Chance(WINDOW_S, 0.0, P90).taken_off(10.4, 10.0, 60.0) == 10.0


def test_what_is_no_chance_stays() -> None:
    # At 1,000 req/s a minute tells the rate to within 0.4%: of 100 more, chance is 5.2 by quadrature.
    left_rps = Chance(WINDOW_S, 0.0, P90).taken_off(1100.0, 1000.0, 60.0)

    assert left_rps == pytest.approx(1000.0 + (100.0**2 - P90**2 * 1000.0 / 90.0) ** 0.5)


def test_a_median_and_a_fall_are_left_alone() -> None:
    assert Chance(WINDOW_S, 0.1, 0.0).taken_off(12.0, 10.0, 60.0) == 12.0
    assert Chance(WINDOW_S, 0.1, P90).taken_off(8.0, 10.0, 60.0) == 8.0


def test_bursts_from_window_to_window_are_no_chance() -> None:
    # Sizing plays those within a window only, and those up to a CV2 of 0.4.
    assert shorter_cv2(POISSON) == 0.0
    assert shorter_cv2(Burstiness(0.1, WINDOW_S)) == pytest.approx(0.1 * 0.306, rel=0.01)
    assert shorter_cv2(Burstiness(1.6, WINDOW_S)) == pytest.approx(0.4 * 0.306, rel=0.01)
