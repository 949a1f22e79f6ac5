"""A plan stays as it is where something else is hardly cheaper; it moves for a saving that is one."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from plimsoll.domain import Deployment, Pool, PriceKind
from unit.builders import a_deployment, a_pool, a_variant
from unit.planning.case import counts, plan

RPS = {"old": 6.0, "new": 6.0}
OLD_POOL = a_pool("gpu-old", nodes=1, price_usd_per_hour=10.0)


def both_running(old: int, new: int, rps: float = 24.0) -> Deployment:
    """In the middle of a move nothing has to be started for either way, so no overlap keeps the plan where it is."""
    variants = [a_variant("old", pool="gpu-old", replicas=old), a_variant("new", pool="gpu-new", replicas=new)]
    return a_deployment(variants=variants, rps=rps)


def planned(chat: Deployment, pools: list[Pool], last: Mapping[str, int]) -> dict[str, int]:
    found = plan([chat], pools, RPS, last={v.key: last.get(v.name, 0) for v in chat.variants})
    return {name.removeprefix("chat/"): count for name, count in counts(found).items()}


@pytest.mark.parametrize(
    ("usd_per_hour", "taken"),
    # 10.00 USD/h are planned; 2% of it, 0.20, must be saved.
    [(9.99, "old"), (9.85, "old"), (9.75, "new"), (8.0, "new")],
)
def test_only_a_saving_of_more_than_two_percent_moves_a_plan(usd_per_hour: float, taken: str) -> None:
    pools = [OLD_POOL, a_pool("gpu-new", nodes=1, price_usd_per_hour=usd_per_hour)]
    assert planned(both_running(4, 4), pools, {"old": 4}) == {taken: 4}


def test_a_plan_does_not_swing_with_prices_that_swing_a_little() -> None:
    last, taken = {"old": 4}, []
    for usd_per_hour in (9.9, 10.1, 9.85, 10.15, 9.9):
        pools = [OLD_POOL, a_pool("gpu-new", nodes=1, price_usd_per_hour=usd_per_hour)]
        last = planned(both_running(4, 4), pools, last)
        taken.append(last)
    assert taken == [{"old": 4}] * 5


def test_what_is_paid_for_either_way_is_no_reason_to_move() -> None:
    # Neither costs anything more; the new one's amortised price is lower, which decides where nothing is planned yet.
    paid = [
        a_pool("gpu-old", nodes=1, max_nodes=1, price_kind=PriceKind.PAID, price_usd_per_hour=10.0),
        a_pool("gpu-new", nodes=1, max_nodes=1, price_kind=PriceKind.PAID, price_usd_per_hour=8.0),
    ]
    assert planned(both_running(4, 4), paid, {"old": 4}) == {"old": 4}
    assert planned(both_running(0, 0), paid, {}) == {"new": 4}


def test_a_paid_pool_is_taken_back_however_cheap_what_replaced_it_was() -> None:
    pools = [
        a_pool("gpu-old", nodes=1, price_usd_per_hour=0.05, price_kind=PriceKind.SPOT),
        a_pool("gpu-new", nodes=1, max_nodes=1, price_kind=PriceKind.PAID, price_usd_per_hour=40.0),
    ]
    assert planned(both_running(4, 4), pools, {"old": 4}) == {"new": 4}


@pytest.mark.parametrize(("usd_per_hour", "taken"), [(8.0, {"old": 4, "new": 4}), (5.0, {"new": 8})])
def test_a_deployment_that_grows_takes_the_cheapest_on_top(usd_per_hour: float, taken: dict[str, int]) -> None:
    pools = [replace(OLD_POOL, max_nodes=2), a_pool("gpu-new", price_usd_per_hour=usd_per_hour)]
    # 48 req/s need 8 replicas, 4 of them planned on the old pool's one node: a node more is cheaper on the new pool.
    # All of them there start 4 more: 2.00 USD/h less do not pay for that, 5.00 USD/h do.
    assert planned(both_running(4, 4, rps=48.0), pools, {"old": 4}) == taken


def test_fewer_replicas_of_the_same_need_no_saving() -> None:
    pools = [OLD_POOL, a_pool("gpu-new", price_usd_per_hour=10.0)]
    assert planned(both_running(4, 0, rps=12.0), pools, {"old": 4}) == {"old": 2}
