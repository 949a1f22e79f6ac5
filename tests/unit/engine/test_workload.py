"""Arrivals and token lengths that the engine is asked about."""

import math

import numpy as np
import pytest

from plimsoll.domain import POISSON, Burstiness
from plimsoll.engine.workload import Lengths, Timeline, burstiness_of_counts


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.5, 3.5])
def test_drawn_lengths_have_the_mean_and_the_quantile_asked_for(ratio: float) -> None:
    drawn = Lengths(500.0, 500.0 * ratio).drawn(200_000, np.random.default_rng(1), longest=10**6)
    assert drawn.mean() == pytest.approx(500.0, rel=0.02)
    assert np.quantile(drawn, 0.95) == pytest.approx(500.0 * ratio, rel=0.02)


def test_lengths_are_whole_tokens_within_bounds() -> None:
    drawn = Lengths(2.0, 7.0).drawn(10_000, np.random.default_rng(1), longest=20)
    assert drawn.dtype == np.int64
    assert (drawn.min(), drawn.max()) == (1, 20)


def test_a_tail_longer_than_log_normal_is_taken_as_the_longest_there_is() -> None:
    assert Lengths(100.0, 900.0).sigma == pytest.approx(1.645, abs=0.01)


def test_lengths_that_end_have_no_tail_beyond_their_largest() -> None:
    # The prompts of the Azure conversation hour; without the end one in a hundred would be above 8,000.
    drawn = Lengths(1150.0, 4080.0, 4096.0).drawn(200_000, np.random.default_rng(1), longest=10**6)
    assert drawn.max() == 4096
    assert np.quantile(Lengths(1150.0, 4080.0).drawn(200_000, np.random.default_rng(1), longest=10**6), 0.99) > 8000.0


@pytest.mark.parametrize(
    ("mean", "p95", "most"),
    [
        (1150.0, 4080.0, 4096.0),
        (1150.0, 4600.0, 5000.0),  # 4.0 times the mean: no log-normal without an end has that
        (1150.0, 4096.0, 4096.0),
        (500.0, 1250.0, 1300.0),
        (500.0, 1250.0, 20_000.0),
        (500.0, 510.0, 520.0),
    ],
)
def test_lengths_that_end_have_the_mean_and_the_quantile_asked_for(mean: float, p95: float, most: float) -> None:
    lengths = Lengths(mean, p95, most)
    drawn = lengths.drawn(200_000, np.random.default_rng(1), longest=10**6)
    assert drawn.mean() == pytest.approx(mean, rel=0.005)
    assert np.quantile(drawn, 0.95) == pytest.approx(p95, rel=0.005)
    assert drawn.std() / drawn.mean() == pytest.approx(math.sqrt(math.expm1(lengths.spread**2)), rel=0.01)


def test_a_largest_length_that_is_not_known_changes_nothing() -> None:
    normal_i = np.random.default_rng(1).standard_normal(1000)
    lengths, sigma = Lengths(500.0, 1250.0, math.inf), Lengths(500.0, 1250.0).sigma
    assert (lengths.at(normal_i) == 500.0 * np.exp(sigma * normal_i - sigma**2 / 2.0)).all()
    assert (lengths.uncut_mean, lengths.spread) == (500.0, sigma)


@pytest.mark.parametrize("p95", [300.0, 500.0, 900.0, 1900.0])
def test_a_largest_length_far_above_all_others_changes_next_to_nothing(p95: float) -> None:
    far, without = Lengths(500.0, p95, 1e9), Lengths(500.0, p95)
    assert far.sigma == pytest.approx(without.sigma, abs=1e-3)
    assert far.spread == pytest.approx(without.spread, abs=2e-2)
    assert far.uncut_mean == pytest.approx(500.0, rel=1e-3)


@pytest.mark.parametrize("most", [50.0, 100.0, 160.0])
def test_a_quantile_above_the_largest_length_is_the_largest_length(most: float) -> None:
    # Buckets are wide, and the largest may be of another hour than the mean: the mean is what is kept.
    drawn = Lengths(100.0, 200.0, most).drawn(100_000, np.random.default_rng(1), longest=10**6)
    assert drawn.mean() == pytest.approx(100.0, rel=0.005)
    assert drawn.max() == np.quantile(drawn, 0.95) == max(most, 100.0)


def test_a_tail_longer_than_there_is_keeps_its_mean_and_its_end() -> None:
    lengths = Lengths(100.0, 900.0, 1000.0)
    drawn = lengths.drawn(200_000, np.random.default_rng(1), longest=10**6)
    assert lengths.sigma == pytest.approx(1.645, abs=0.001)
    assert drawn.mean() == pytest.approx(100.0, rel=0.005)
    assert drawn.max() == 1000


@pytest.mark.parametrize("most", [1300.0, 2000.0, 1e4])
def test_a_larger_largest_length_spreads_lengths_more(most: float) -> None:
    assert Lengths(500.0, 1250.0, most).spread < Lengths(500.0, 1250.0, 1.5 * most).spread


def test_evenly_spaced_arrivals_are_evenly_spaced() -> None:
    timeline = Timeline.drawn(100, POISSON, np.random.default_rng(1), interval_cv=0.0)
    assert np.diff(timeline.arrivals_ms(0.01)) == pytest.approx(np.full(99, 100.0))


@pytest.mark.parametrize("interval_cv", [0.5, 1.0, 2.0])
def test_intervals_have_the_rate_and_the_variation_asked_for(interval_cv: float) -> None:
    timeline = Timeline.drawn(200_000, POISSON, np.random.default_rng(1), interval_cv)
    intervals_ms = np.diff(timeline.arrivals_ms(0.01))
    assert intervals_ms.mean() == pytest.approx(100.0, rel=0.02)
    assert intervals_ms.std() / intervals_ms.mean() == pytest.approx(interval_cv, rel=0.03)


@pytest.mark.parametrize("rate_per_ms", [0.002, 0.02])
def test_bursts_show_again_what_they_were_drawn_from(rate_per_ms: float) -> None:
    asked, count = Burstiness(rate_cv2=0.4, window_s=1.0), 400_000
    timeline = Timeline.drawn(count, asked, np.random.default_rng(1), span_s=count / rate_per_ms / 1000.0)
    arrivals_ms = timeline.arrivals_ms(rate_per_ms)
    counts_k = np.histogram(arrivals_ms, np.arange(0.0, arrivals_ms[-1], 1_000.0))[0].astype(np.float64)
    assert counts_k.mean() == pytest.approx(rate_per_ms * 1_000.0, rel=0.05)
    beyond_poisson = (counts_k.var() - counts_k.mean()) / counts_k.mean() ** 2
    assert beyond_poisson == pytest.approx(0.4, rel=0.15)


def test_a_higher_rate_makes_every_arrival_earlier() -> None:
    timeline = Timeline.drawn(1_000, Burstiness(0.5, 15.0, (0.2,)), np.random.default_rng(1), span_s=100.0)
    assert (timeline.arrivals_ms(0.02) < timeline.arrivals_ms(0.01)).all()


def test_bursts_go_on_within_the_window_that_they_were_seen_in() -> None:
    # A gateway scraped every minute does not see what happens within it, and it is not steady.
    timeline = Timeline.drawn(100_000, Burstiness(0.4, 60.0), np.random.default_rng(1), span_s=10_000.0)
    arrivals_ms = timeline.arrivals_ms(0.01)
    counts_k = np.histogram(arrivals_ms, np.arange(0.0, arrivals_ms[-1], 15_000.0))[0].astype(np.float64)
    in_minutes = counts_k[: counts_k.size // 4 * 4].reshape(-1, 4)
    within = in_minutes.var(axis=1, ddof=1).mean() / counts_k.mean() ** 2
    assert within > 0.2


def test_slower_wandering_is_seen_over_longer_windows() -> None:
    timeline = Timeline.drawn(400_000, Burstiness(0.0, 5.0, (0.0, 0.3)), np.random.default_rng(1), span_s=40_000.0)
    arrivals_ms = timeline.arrivals_ms(0.01)
    counts_k = np.histogram(arrivals_ms, np.arange(0.0, arrivals_ms[-1], 80_000.0))[0].astype(np.float64)
    assert (counts_k.var() - counts_k.mean()) / counts_k.mean() ** 2 == pytest.approx(0.3, rel=0.2)


def test_a_rate_that_wanders_needs_to_know_for_how_long() -> None:
    with pytest.raises(ValueError, match="span_s"):
        Timeline.drawn(100, Burstiness(0.4, 60.0), np.random.default_rng(1))


def counts_of(burstiness: Burstiness, seed: int) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    timeline = Timeline.drawn(2_000_000, burstiness, np.random.default_rng(seed), span_s=20_000.0)
    arrivals_ms = timeline.arrivals_ms(0.1)
    return np.histogram(arrivals_ms, np.arange(0.0, arrivals_ms[-1], 1_000.0))[0].astype(np.float64)


def test_traffic_played_from_what_was_measured_wanders_at_least_as_much_on_every_scale() -> None:
    seen_k = counts_of(Burstiness(0.3, 1.0, (0.0, 0.2)), seed=3)
    played_k = counts_of(burstiness_of_counts(seen_k, 1.0), seed=4)
    assert played_k.var() == pytest.approx(seen_k.var(), rel=0.1)
    for windows in (4, 16):
        seen, played = (k[: k.size // windows * windows].reshape(-1, windows).sum(axis=1) for k in (seen_k, played_k))
        assert 0.95 * seen.var() < played.var() < 1.5 * seen.var()


@pytest.mark.parametrize("counts", [[], [3.0] * 7, [0.0] * 20])
def test_too_little_to_tell_bursts_is_poisson(counts: list[float]) -> None:
    assert burstiness_of_counts(np.array(counts), 15.0).is_steady


def test_bursts_at_a_slow_replica_are_drawn_for_some_days_and_repeat_for_months() -> None:
    # 40,000 requests at one in five minutes take 139 days: 12.8 million windows of 0.94 s.
    months = Timeline.drawn(40_000, Burstiness(0.4, 15.0), np.random.default_rng(1), span_s=1.2e7)
    assert months.pace_k.size == 200_000
    arrivals = months.arrivals_ms(40_000 / 1.2e10)
    assert arrivals[-1] == pytest.approx(1.2e10, rel=0.01)
    assert (np.diff(arrivals) >= 0.0).all()
