"""The price at which what lost would cost as much as the plan is arithmetic on the nodes that both differ in."""

from collections.abc import Mapping

import pytest

from plimsoll.domain import Alternative, PriceKind, Reason
from plimsoll.explain import BreakEven, break_evens
from unit.explain.plans import a_deployment_plan, a_pool_plan

H100 = a_pool_plan("gpu-h100", price_usd_per_hour=12.0)
L4 = a_pool_plan("gpu-l4", price_usd_per_hour=4.0)
POOLS = {pool.name: pool for pool in (H100, L4)}


def lost(usd_per_hour: float | None, nodes: Mapping[str, int], reason: Reason = Reason.DEARER) -> Alternative:
    return Alternative("l4", {"l4": 6}, usd_per_hour, reason, "it lost", nodes)


def found(*alternatives: Alternative) -> list[tuple[str, float, bool]]:
    plan = a_deployment_plan(alternatives=alternatives)
    return [(one.pool, one.usd_per_hour, one.wins_below) for one in break_evens(plan, POOLS)]


def test_the_next_best_wins_when_its_own_pool_gets_cheaper_or_the_plans_dearer() -> None:
    # The plan costs 12, six l4 nodes instead of one h100 node 24: 12 USD/h more. 4 - 12/6 = 2; 12 + 12/1 = 24.
    assert found(lost(24.0, {"gpu-l4": 6, "gpu-h100": -1})) == [("gpu-h100", 24.0, False), ("gpu-l4", 2.0, True)]


def test_at_the_break_even_price_both_cost_the_same() -> None:
    (own,) = [one for one in break_evens(a_deployment_plan(alternatives=(lost(24.0, {"gpu-l4": 6}),)), POOLS)]
    assert own == BreakEven("gpu-l4", 4.0, 2.0)
    assert 24.0 + 6 * (own.usd_per_hour - own.now_usd_per_hour) == 12.0


def test_no_price_is_told_that_is_below_nothing() -> None:
    assert found(lost(62.0, {"gpu-l4": 6})) == []  # 50 more over six nodes of 4 USD/h


@pytest.mark.parametrize("reason", [Reason.SLO_UNREACHABLE, Reason.POOL_FULL, Reason.CHANGE_DOES_NOT_PAY])
def test_what_lost_by_something_else_than_its_price_has_no_break_even(reason: Reason) -> None:
    assert found(lost(24.0, {"gpu-l4": 6}, reason)) == []


def test_only_the_cheapest_of_what_lost_is_asked() -> None:
    assert found(lost(24.0, {"gpu-l4": 6}), lost(18.0, {})) == []


def test_a_pool_that_is_paid_for_has_no_price_that_counts() -> None:
    paid = {"gpu-l4": a_pool_plan("gpu-l4", price_kind=PriceKind.PAID)}
    assert break_evens(a_deployment_plan(alternatives=(lost(24.0, {"gpu-l4": 6}),)), paid) == ()


def test_a_pool_that_is_not_known_is_passed_over() -> None:
    assert found(lost(24.0, {"elsewhere": 6})) == []


def test_without_anything_that_lost_there_is_no_break_even() -> None:
    assert found() == []
    assert found(lost(None, {})) == []
