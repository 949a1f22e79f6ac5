"""What a router does to replicas of different speed, by hand."""

import pytest

from plimsoll.domain import CapacityTable, Routing, behind, carried_rps, carried_rps_each, in_percent, kept_rps

FAST, SLOW = CapacityTable((1, 2), (5.0, 12.0)), CapacityTable((1,), (2.0,))
NOTHING = CapacityTable((1,), (0.0,))


@pytest.mark.parametrize("routing", [Routing.LOAD_AWARE, Routing.HTTP_ROUTE])
def test_where_shares_follow_speed_what_variants_carry_adds_up(routing: Routing) -> None:
    # Two fast: 12, three slow: 6.
    assert carried_rps_each(routing, [(FAST, 2), (SLOW, 3)]) == (12.0, 6.0)
    assert carried_rps(routing, [(FAST, 2), (SLOW, 3)]) == 18.0
    assert behind(routing, FAST) is FAST


def test_behind_a_plain_service_the_slowest_in_use_says_what_every_pod_may_get() -> None:
    # 5 pods x 2.
    assert carried_rps_each(Routing.SERVICE, [(FAST, 2), (SLOW, 3)]) == (4.0, 6.0)
    assert carried_rps(Routing.SERVICE, [(FAST, 2), (SLOW, 0)]) == 10.0
    assert behind(Routing.SERVICE, FAST) == CapacityTable((1,), (5.0,))


def test_one_slow_pod_more_may_carry_less_behind_a_plain_service() -> None:
    assert carried_rps(Routing.SERVICE, [(FAST, 4), (SLOW, 0)]) == 20.0
    assert carried_rps(Routing.SERVICE, [(FAST, 4), (SLOW, 1)]) == 10.0


@pytest.mark.parametrize("routing", list(Routing))
def test_a_variant_without_a_safe_rate_counts_for_nothing_and_spoils_nothing(routing: Routing) -> None:
    assert carried_rps_each(routing, [(NOTHING, 3), (SLOW, 2)]) == (0.0, 4.0)
    assert carried_rps(routing, [(NOTHING, 3)]) == 0.0
    assert carried_rps(routing, []) == 0.0


def test_within_what_all_keep_everything_is_kept() -> None:
    assert kept_rps(Routing.SERVICE, [(FAST, 2), (SLOW, 3)], 10.0) == pytest.approx(10.0)
    assert kept_rps(Routing.LOAD_AWARE, [(FAST, 2), (SLOW, 3)], 18.0) == 18.0
    assert kept_rps(Routing.SERVICE, [], 5.0) == 0.0


def test_beyond_it_a_plain_service_leaves_each_its_share_and_another_router_all_that_is_carried() -> None:
    # Of 15 req/s each of 5 pods gets 3, and a slow one keeps 2 of them. Of 30 it is 6, too much for all.
    assert kept_rps(Routing.SERVICE, [(FAST, 2), (SLOW, 3)], 15.0) == 12.0
    assert kept_rps(Routing.SERVICE, [(FAST, 2), (SLOW, 3)], 30.0) == 16.0
    assert kept_rps(Routing.HTTP_ROUTE, [(FAST, 2), (SLOW, 3)], 30.0) == 18.0


def test_percentages_follow_rates_and_sum_to_a_hundred() -> None:
    assert in_percent([12.0, 6.0]) == (67, 33)
    assert in_percent([1.0, 1.0, 1.0]) == (34, 33, 33)
    assert in_percent([0.0, 4.0]) == (0, 100)


def test_a_tiny_share_is_not_rounded_to_none() -> None:
    # 0.1% would be 0: then the replica would run for nothing.
    assert in_percent([1000.0, 1.0]) == (99, 1)
    assert in_percent([1000.0, 1.0, 1.0]) == (98, 1, 1)


def test_nothing_to_share_out_is_said() -> None:
    assert in_percent([0.0, 0.0]) is None
    assert in_percent([]) is None
