"""Quick replicas carry demand until slow ones are ready, where that is worth its price, and leave afterwards."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from plimsoll.domain import Deployment, ForecastBasis, Mode, Pool, PriceKind, Reason, Routing, StockOut, Variant
from plimsoll.rollout import Rollout
from unit.builders import NOW_S, a_deployment, a_forecast, a_node, a_pod, a_policy, a_pool, a_variant
from unit.rollout.case import changes, message, reason, rolled_out

GPU_STARTS_S, CPU_STARTS_S = 240.0, 30.0
CPU_PRICE = 3.0


def pools(cpu_nodes: int = 2, **cpu: object) -> tuple[Pool, ...]:
    """A GPU node with room; CPU nodes of 4 replicas each, at 3 USD an hour."""
    cpu = {"price_usd_per_hour": CPU_PRICE, "max_nodes": 10, **cpu}
    return a_pool("gpu-h100", nodes=1), a_pool("cpu-amx", nodes=cpu_nodes, **cpu)


def chat(h100: Variant | None = None, xeon: Variant | None = None, **overrides: object) -> Deployment:
    """h100 (6 req/s a replica) starts in 4 min, xeon (2 req/s) in 30 s."""
    h100 = h100 or a_variant("h100", replicas=1, startup_s=GPU_STARTS_S)
    xeon = xeon or a_variant("xeon", pool="cpu-amx", startup_s=CPU_STARTS_S)
    return a_deployment(variants=[h100, xeon], **overrides)  # type: ignore[arg-type]


def bridged(deployment: Deployment, wanted: Mapping[str, int], rps: float, **overrides: object) -> Rollout:
    return rolled_out(deployment, wanted, rps=rps, **{"pools": pools(), **overrides})  # type: ignore[arg-type]


def test_quick_replicas_carry_what_slow_ones_cannot_yet() -> None:
    rollout = bridged(chat(), {"h100": 2}, rps=11.0)
    # 5 of 11 req/s have no capacity from 30 s, when xeons are ready, to 240 s: three xeons, 1050 requests.
    assert changes(rollout) == {"h100": (1, 2), "xeon": (0, 3)}
    assert reason(rollout, "xeon") is Reason.BRIDGING
    # A quarter of a node each: 2.25 USD an hour for 240 s and 60 s until they are gone; 0.001 USD a request.
    assert message(rollout, "xeon") == (
        "0 to 3 replicas: 3 of them bridge until slower replicas are ready: up to 5.0 req/s would have no capacity for "
        "210 s, they carry 6.0 from 30 s on; that costs 0.19 USD and avoids 1050 violations worth 1.05 USD"
    )


def test_demand_that_has_gone_is_not_bridged_while_the_forecast_still_remembers_it() -> None:
    # 4 req/s come, the one h100 carries 6; a minute ago there were 11, and the plan still wants a second one for them.
    deployment = chat(rps=4.0)
    remembered = a_forecast(deployment, 11.0)
    rollout = rolled_out(deployment, {"h100": 2}, forecast=remembered, pools=pools())
    assert changes(rollout) == {"h100": (1, 2)}
    assert reason(rollout, "xeon") is Reason.STEADY


def test_only_what_still_comes_is_bridged() -> None:
    # 9 of the remembered 11 req/s come: 3 of them have no capacity until the second h100 is ready, so two xeons.
    deployment = chat(rps=9.0)
    rollout = rolled_out(deployment, {"h100": 2}, forecast=a_forecast(deployment, 11.0), pools=pools())
    assert changes(rollout)["xeon"] == (0, 2)


def test_what_was_asked_for_is_not_asked_for_again_while_it_starts() -> None:
    h100 = a_variant("h100", startup_s=GPU_STARTS_S, replicas=2, pods=(a_pod(), young("late", 10.0)))
    xeon = a_variant(
        "xeon", pool="cpu-amx", startup_s=CPU_STARTS_S, replicas=3, pods=tuple(young(f"x{i}", 10.0) for i in range(3))
    )
    assert changes(bridged(chat(h100, xeon), {"h100": 2}, rps=11.0)) == {}


def young(name: str, age_s: float, *, ready: bool = False) -> object:
    return a_pod(name, ready=ready, created_s=NOW_S - age_s, ready_since_s=NOW_S if ready else None)


def test_a_bridge_stands_until_the_slow_are_ready_and_says_so() -> None:
    h100 = a_variant("h100", startup_s=GPU_STARTS_S, replicas=2, pods=(a_pod(), young("late", 100.0)))
    xeon = a_variant(
        "xeon",
        pool="cpu-amx",
        startup_s=CPU_STARTS_S,
        replicas=3,
        pods=tuple(young(f"x{i}", 100.0, ready=True) for i in range(3)),
    )
    rollout = bridged(chat(h100, xeon), {"h100": 2}, rps=11.0)
    assert changes(rollout) == {}
    assert reason(rollout, "xeon") is Reason.BRIDGING
    assert "xeon leaves when 11.0 req/s are covered without it (now 6.0)" in message(rollout, "xeon")


def test_a_bridge_leaves_at_once_when_the_slow_are_ready() -> None:
    xeon = a_variant("xeon", pool="cpu-amx", startup_s=CPU_STARTS_S, replicas=3)
    ready = a_variant("h100", startup_s=GPU_STARTS_S, replicas=2)
    assert changes(bridged(chat(ready, xeon), {"h100": 2}, rps=11.0)) == {"xeon": (3, 0)}


def test_a_bridge_that_costs_more_than_it_avoids_is_refused_and_told() -> None:
    cheap = a_policy(violation_usd_per_million_requests=100.0)
    rollout = bridged(chat(policy=cheap), {"h100": 2}, rps=11.0)
    assert changes(rollout) == {"h100": (1, 2)}
    assert reason(rollout, "xeon") is Reason.BRIDGE_DOES_NOT_PAY
    assert message(rollout, "xeon") == (
        "stays at 0 replicas: up to 5.0 req/s have no capacity for 210 s, but 3 more to carry them would cost 0.19 USD "
        "and avoid 1050 violations worth 0.10 USD (payBack.violationPricePerMillionRequests is 100)"
    )


def test_on_nodes_that_are_paid_for_a_bridge_pays_however_cheap_a_violation_is() -> None:
    cheap = a_policy(violation_usd_per_million_requests=0.01)
    paid = pools(price_kind=PriceKind.PAID)
    assert changes(bridged(chat(policy=cheap), {"h100": 2}, rps=11.0, pools=paid))["xeon"] == (0, 3)


def test_a_bridge_is_no_larger_than_pays() -> None:
    # 11 req/s missing, 4 replicas fit on the present node; none of them carries more than it is worth.
    one_node = pools(cpu_nodes=1)
    assert changes(bridged(chat(), {"h100": 3}, rps=17.0, pools=one_node))["xeon"] == (0, 4)


def test_a_bridge_keeps_to_the_room_that_the_plan_leaves() -> None:
    taken = a_node("cpu-amx-0", {"cpu": 64.0, "memory": 2.0**38}, foreign_requests={"cpu": 24.0})
    full = (pools()[0], a_pool("cpu-amx", nodes=(taken,), max_nodes=1, price_usd_per_hour=CPU_PRICE))
    # Room for two; the plan itself wants one of them.
    assert changes(bridged(chat(), {"h100": 2, "xeon": 1}, rps=13.0, pools=full))["xeon"] == (0, 2)


def test_a_bridge_never_exceeds_the_largest_count_that_the_user_allows_nor_the_step_limit() -> None:
    few = a_variant("xeon", pool="cpu-amx", startup_s=CPU_STARTS_S, max_replicas=2)
    assert changes(bridged(chat(xeon=few), {"h100": 2}, rps=11.0))["xeon"] == (0, 2)
    careful = chat(policy=a_policy(max_scale_up_replicas_per_tick=2))
    assert changes(bridged(careful, {"h100": 2}, rps=11.0)) == {"h100": (1, 2), "xeon": (0, 1)}


def test_where_no_node_has_room_a_bridge_counts_the_boot_and_whole_nodes() -> None:
    # 30 s and 60 s of boot; four replicas to a node of 3 USD an hour: two nodes for 300 s.
    rollout = bridged(chat(), {"h100": 3}, rps=17.0, pools=pools(cpu_nodes=0, provisioning_s=60.0))
    assert changes(rollout)["xeon"] == (0, 6)
    assert "up to 11.0 req/s would have no capacity for 150 s" in message(rollout, "xeon")
    assert "that costs 0.50 USD and avoids 1650 violations" in message(rollout, "xeon")


@pytest.mark.parametrize("startup_s", [235.0, 240.0, 400.0])
def test_what_is_not_clearly_quicker_bridges_nothing(startup_s: float) -> None:
    slow = a_variant("xeon", pool="cpu-amx", startup_s=startup_s)
    assert changes(bridged(chat(xeon=slow), {"h100": 2}, rps=11.0)) == {"h100": (1, 2)}


def test_rising_demand_is_bridged_when_its_time_has_come_and_not_before() -> None:
    deployment = chat()
    rising = a_forecast(deployment, 5.0, at_lead_rps={"h100": 11.0, "xeon": 5.75})
    # Demand exceeds the one h100 in 38 s, xeons take 30: now. At half the slope it is 80 s: later.
    later = a_forecast(deployment, 5.0, at_lead_rps={"h100": 8.0, "xeon": 5.375})
    assert changes(bridged(deployment, {"h100": 2}, 11.0, forecast=rising))["xeon"][1] > 0
    assert changes(bridged(deployment, {"h100": 2}, 8.0, forecast=later)) == {"h100": (1, 2)}


def test_what_the_plan_cannot_cover_either_is_not_bridged() -> None:
    # 14 of 20 req/s stay without capacity whatever becomes ready.
    rollout = bridged(chat(), {"h100": 1}, rps=20.0, shortfall_rps=14.0)
    assert changes(rollout) == {}


def test_a_pool_that_is_sold_out_bridges_with_the_nodes_it_has() -> None:
    mark = {"cpu-amx": StockOut(NOW_S - 10.0, NOW_S + 300.0, 1)}
    assert changes(bridged(chat(), {"h100": 3}, rps=17.0, pools=pools(1), stock_outs=mark))["xeon"] == (0, 4)
    none = pools(0, provisioning_s=60.0)
    assert "xeon" not in changes(bridged(chat(), {"h100": 3}, rps=17.0, pools=none, stock_outs=mark))


def test_a_bridge_keeps_to_the_budget() -> None:
    assert changes(bridged(chat(budget_usd_per_hour=1.6), {"h100": 2}, rps=11.0))["xeon"] == (0, 2)


def test_nothing_is_bridged_while_demand_is_unknown_or_nothing_is_applied() -> None:
    unknown = a_forecast(chat(), 11.0, basis=ForecastBasis.HELD)
    assert changes(bridged(chat(), {"h100": 2}, 11.0, forecast=unknown)) == {"h100": (1, 2)}
    assert changes(bridged(chat(mode=Mode.RECOMMEND), {"h100": 2}, rps=11.0)) == {"h100": (1, 2)}


def test_the_cheaper_of_two_quick_variants_goes_first_and_the_other_carries_the_rest() -> None:
    l4 = a_variant("l4", pool="gpu-l4", startup_s=20.0, per_replica={"cpu": 16.0})
    few = a_variant("xeon", pool="cpu-amx", startup_s=CPU_STARTS_S, max_replicas=2)
    both = replace(chat(), variants=(*chat(xeon=few).variants, *a_deployment(variants=[l4]).variants))
    three = (*pools(), a_pool("gpu-l4", nodes=2, node_resources={"cpu": 64.0}, price_usd_per_hour=8.0))
    # xeons carry 4 of the 5 req/s; an l4 carries 1.
    assert changes(bridged(both, {"h100": 2}, rps=11.0, pools=three)) == {"h100": (1, 2), "xeon": (0, 2), "l4": (0, 1)}


def test_behind_a_plain_service_a_slow_replica_takes_load_off_one_that_is_overloaded() -> None:
    # Of 11 req/s an h100 keeps 6. Beside one xeon each gets 5.5: the h100 keeps them, and the xeon 2.
    alone = a_variant("xeon", pool="cpu-amx", startup_s=CPU_STARTS_S, max_replicas=1)
    assert changes(bridged(chat(xeon=alone, routing=Routing.SERVICE), {"h100": 2}, rps=11.0))["xeon"] == (0, 1)


def test_behind_a_plain_service_slower_replicas_that_only_take_from_the_others_are_not_started() -> None:
    # Until five more h100s are there, four (6 req/s) and one xeon (2) get 4 of 20 req/s each, and keep 16 + 2. With a
    # second xeon it would be 13.3 + 4.
    four = a_variant("h100", replicas=4, startup_s=GPU_STARTS_S, max_replicas=9)
    two = a_variant("xeon", pool="cpu-amx", startup_s=CPU_STARTS_S, max_replicas=2, replicas=1)
    rollout = bridged(chat(h100=four, xeon=two, routing=Routing.SERVICE), {"h100": 9, "xeon": 1}, rps=20.0)
    assert changes(rollout) == {"h100": (4, 9)}
