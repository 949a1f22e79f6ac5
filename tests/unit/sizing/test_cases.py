"""What of the bursts is asked about, where the planned rate already holds a part of them."""

import numpy as np
import pytest

from plimsoll.domain import POISSON, Burstiness, LatencyMetric, LatencyTarget, StepTime
from plimsoll.engine.case import Case
from plimsoll.engine.search import safe_rate_per_ms
from plimsoll.engine.serving import Replica, Requests, serve
from plimsoll.engine.workload import Lengths, within_window
from plimsoll.forecast.burstiness import burstiness_in_use

WINDOW_S, TICK_S, HEADROOM_RATIO = 60.0, 10.0, 0.25
REPLICA = Replica(StepTime(6.68, 0.0186, 0.0197, 5.8e-5), 256, 440_000, 2048)
PROMPTS, OUTPUTS = Lengths(1024.0, 2048.0), Lengths(128.0, 384.0)


def test_steady_traffic_is_asked_about_as_it_is() -> None:
    assert within_window(POISSON) == POISSON


def test_only_bursts_shorter_than_the_window_are_asked_about() -> None:
    assert within_window(Burstiness(0.4, 60.0, (0.2, 0.1))) == Burstiness(0.4, 15.0)


# Sized for Poisson arrivals the last one misses by 8%.
@pytest.mark.parametrize(
    ("interval_cv", "rps", "limit_ms"), [(2.0, 2.0, 1000.0), (4.0, 8.0, 1000.0), (4.0, 30.0, 400.0)]
)
def test_replicas_planned_for_bursts_within_seconds_keep_their_percentile(
    interval_cv: float, rps: float, limit_ms: float
) -> None:
    ttft = LatencyTarget(LatencyMetric.TTFT, 0.95, limit_ms)
    rng = np.random.default_rng(7)
    shape = 1.0 / interval_cv**2
    arrival_ms_i = np.cumsum(rng.gamma(shape, 1000.0 / rps / shape, int(rps * 3600.0)))
    ends_s = np.arange(WINDOW_S, arrival_ms_i[-1] / 1000.0, TICK_S)
    came = [np.searchsorted(arrival_ms_i, 1000.0 * edge_s) for edge_s in (ends_s, ends_s - WINDOW_S)]
    rates_rps = (came[0] - came[1]) / WINDOW_S
    (bursts,) = burstiness_in_use(ends_s, rates_rps[None, :], WINDOW_S, [POISSON])
    case = Case(REPLICA, PROMPTS, OUTPUTS, (ttft,), within_window(bursts))
    # As planned: the least that carry the policy's quantile of the rate with its headroom to spare.
    required_rps = float(np.quantile(rates_rps, 0.9))
    replicas = next(
        count
        for count in range(1, 20)
        if safe_rate_per_ms(case, count, 0.005 * count, 20_000) * 1000.0 * (1.0 - HEADROOM_RATIO) >= required_rps
    )
    lengths = [one.drawn(arrival_ms_i.size, rng, 20_000) for one in (PROMPTS, OUTPUTS)]
    seen = serve([REPLICA] * replicas, Requests(arrival_ms_i, *lengths))
    assert float(np.quantile(seen.ttft_ms_i, ttft.quantile)) <= ttft.limit_ms
