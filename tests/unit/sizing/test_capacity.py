"""How latencies are read off an answer: by load of one replica, whatever the number of them."""

from typing import Any

import pytest

from plimsoll.domain import CapacityTable, SizedBy
from plimsoll.sizing import Capacity


def a_capacity(**overrides: Any) -> Capacity:
    """One replica carries 10 req/s, two 24, four 56; one latency of 100 ms unloaded and 500 ms at the safe rate."""
    told: dict[str, Any] = {
        "replicas": (1, 2, 4),
        "rate_rps": (10.0, 24.0, 56.0),
        "latency_ms": ((100.0, 130.0, 200.0, 350.0, 500.0, 900.0),),
        "full_rps": 10.0,
        "sized_by": SizedBy.SIMULATION,
    }
    return Capacity(**told | overrides)


@pytest.mark.parametrize(
    ("rate_rps", "expected_ms"),
    [
        (0.0, 100.0),
        (3.0, 130.0),
        (4.5, 165.0),  # halfway between shares .3 and .6
        (10.0, 500.0),
        (10.5, 700.0),  # halfway between 1 and 1.1
        (11.0, 900.0),
        (12.0, 1_300.0),  # as steep as from 1 to 1.1: 400 ms for each tenth
    ],
)
def test_latencies_of_a_lone_replica_by_hand(rate_rps: float, expected_ms: float) -> None:
    assert a_capacity().latencies_ms(rate_rps, 1) == pytest.approx((expected_ms,))


def test_a_curve_that_ends_flat_stays_flat() -> None:
    flat = a_capacity(latency_ms=((100.0, 100.0, 100.0, 100.0, 100.0, 100.0),))
    assert flat.latencies_ms(1_000.0, 1) == (100.0,)


@pytest.mark.parametrize("replicas", [1, 2, 3, 4, 7])
def test_at_what_the_planner_is_told_is_safe_a_replica_sees_the_latencies_of_its_safe_rate(replicas: int) -> None:
    # Of three: 24 + 32/2 = 40 req/s together, 13.33 each. Of seven: 14 each, as of four.
    capacity = a_capacity()
    told = CapacityTable(capacity.replicas, capacity.rate_rps).total_rps(replicas)
    assert capacity.latencies_ms(told / replicas, replicas) == pytest.approx((500.0,))


def test_without_a_safe_rate_load_is_told_by_the_full_rate() -> None:
    hopeless = a_capacity(rate_rps=(0.0, 0.0, 0.0), full_rps=20.0)
    assert hopeless.latencies_ms(6.0, 4) == pytest.approx((130.0,))


def test_each_target_has_a_curve_of_its_own() -> None:
    both = a_capacity(latency_ms=((100.0, 130.0, 200.0, 350.0, 500.0, 900.0), (5.0, 6.0, 7.0, 8.0, 9.0, 10.0)))
    assert both.unloaded_ms == (100.0, 5.0)
    assert both.latencies_ms(6.0, 1) == pytest.approx((200.0, 7.0))
