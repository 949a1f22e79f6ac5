"""A turning point is where the real planner decides otherwise, and arithmetic agrees wherever it is exact."""

from dataclasses import replace

import pytest

from plimsoll.domain import Mode, Plan, PriceKind
from plimsoll.what_if import Quantity, Situation, TurningPoint, counts_text, turning_points
from unit.what_if.situations import CHAT, H100, L4, a_chat, a_situation


def decide(situation: Situation) -> Plan:
    return situation.decided()


def found(situation: Situation) -> dict[str, TurningPoint]:
    points = turning_points(situation, CHAT, decide)
    return {one.pool or ("more" if one.reach > one.now else "less"): one for one in points}


def runs(situation: Situation) -> str:
    return counts_text(decide(situation).deployments[0])


def test_the_price_at_which_the_next_best_wins_is_the_one_arithmetic_gives() -> None:
    # One node of either: the same cost at 1 USD/h for the H100, or at 12 USD/h for the L4.
    points = found(a_situation(pools=(H100, replace(L4, price_usd_per_hour=4.0))))
    own, other = points["gpu-h100"], points["gpu-l4"]
    assert (own.quantity, own.now, own.by_arithmetic) == (Quantity.PRICE, 12.0, 4.0)
    assert other.by_arithmetic == 12.0
    # A plan stays while another saves less than 2%, and the value itself is found within 0.5%.
    assert own.at == pytest.approx(4.0, rel=0.035)
    assert own.at is not None
    assert own.at <= 4.0
    assert other.at == pytest.approx(12.0, rel=0.035)
    assert other.at is not None
    assert other.at >= 12.0
    assert (own.then, other.then) == ("1 x h100", "1 x h100")


def test_on_either_side_of_the_turning_point_the_planner_decides_as_told() -> None:
    situation = a_situation()
    at = found(situation)["gpu-h100"].at
    assert at is not None
    assert runs(situation.with_pool(replace(H100, price_usd_per_hour=at))) == "1 x h100"
    assert runs(situation.with_pool(replace(H100, price_usd_per_hour=at * 1.01))) == "1 x l4"


def test_demand_turns_where_not_all_of_it_finds_room() -> None:
    small = a_situation(pools=(replace(L4, max_nodes=2),))
    more = found(small)["more"]
    assert more.at is not None
    assert more.is_short
    assert decide(small.with_rate(CHAT, more.at)).deployments[0].shortfall_rps > 0
    assert decide(small.with_rate(CHAT, more.at * 0.98)).deployments[0].shortfall_rps == 0


def test_what_turns_nothing_within_reach_says_how_far_was_looked() -> None:
    less = found(a_situation())["less"]
    assert (less.at, less.then, less.is_short) == (None, "1 x l4", False)
    assert less.reach == pytest.approx(10.0 / 1.25**12)


def test_a_pool_that_is_paid_for_has_no_price_to_turn() -> None:
    paid = replace(L4, price_kind=PriceKind.PAID)
    assert set(found(a_situation(pools=(H100, paid)))) == {"gpu-h100", "less", "more"}


def test_no_price_is_low_enough_where_the_plan_costs_nothing() -> None:
    paid = replace(L4, price_kind=PriceKind.PAID)
    own = found(a_situation(pools=(H100, paid)))["gpu-h100"]
    assert (own.at, own.reach, own.by_arithmetic) == (None, 0.12, None)


def test_nothing_turns_without_demand_and_without_anything_that_lost() -> None:
    alone = a_chat(variants=[a_chat().variants[1]], rps=None)
    assert turning_points(a_situation(alone), CHAT, decide) == ()


def test_a_paused_deployment_turns_at_no_price() -> None:
    paused = a_chat(mode=Mode.PAUSED, variants=[a_chat().variants[0], replace(a_chat().variants[1], replicas=1)])
    points = found(a_situation(paused))
    assert all(one.at is None for name, one in points.items() if name.startswith("gpu"))


def test_what_runs_stays_until_another_plan_pays_for_the_move() -> None:
    # One L4 node runs at 12 USD/h. The H100 costs the same at 12, but its move counts 240 s of overlap, a tenth more
    # for starts that fail and 600 s of idling at the end over 1800 s of dwell, and a plan gives way for 2% at least:
    # 12 x (1 - 0.02) / (1 + 864/1800) = 7.95 USD/h.
    h100, l4 = a_chat().variants
    running = a_chat(variants=[h100, replace(l4, replicas=1)])
    pools = (replace(H100, price_usd_per_hour=15.0), replace(L4, price_usd_per_hour=12.0))
    own = found(a_situation(running, pools=pools))["gpu-h100"]
    assert own.by_arithmetic == 12.0
    assert own.at == pytest.approx(7.95, rel=0.02)
