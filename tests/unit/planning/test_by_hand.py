"""Plans small enough to be worked out on paper; the arithmetic stands beside each expectation."""

from dataclasses import replace

import pytest

from plimsoll.domain import (
    CapacityTable,
    Finding,
    ForecastBasis,
    Mode,
    Node,
    PriceKind,
    Reason,
    StockOut,
)
from plimsoll.explain import proven_gap_ratio
from plimsoll.planning import SolveLimits
from unit.builders import (
    CPU_NODE,
    GIB,
    NOW_S,
    a_deployment,
    a_forecast,
    a_node,
    a_policy,
    a_pool,
    a_variant,
    an_option,
    options_for,
)
from unit.planning.case import counts, plan

H100 = a_variant("h100")
XEON = a_variant("xeon", pool="cpu-amx", startup_s=30.0)
GPU_POOL = a_pool("gpu-h100")
"""On demand, 12 USD/h a node of 4 GPUs, at most 10 nodes."""
PAID_XEONS = a_pool("cpu-amx", nodes=2, price_kind=PriceKind.PAID, min_nodes=2, max_nodes=2, provisioning_s=0.0)
"""2 paid nodes of 64 cores: 4 replicas of 16 cores each."""
RPS = {"h100": 6.0, "xeon": 1.5}


def reasons(findings: tuple[Finding, ...]) -> list[Reason]:
    return [finding.reason for finding in findings]


def test_paid_nodes_are_used_before_dear_ones() -> None:
    chat = a_deployment(variants=[H100, XEON], rps=10.0)
    allocation = plan([chat], [GPU_POOL, PAID_XEONS], RPS)
    # 10 / 1.5 = 6.7: 7 xeons, which fit into 2 x 4 slots and cost nothing more; 2 h100 would open a 12 USD/h node.
    assert counts(allocation) == {"chat/xeon": 7}
    assert allocation.usd_per_hour[chat.key] == 0.0
    assert allocation.solver.outcome is Reason.SOLVED
    assert allocation.solver.gap_ratio == pytest.approx(0.0, abs=1e-6)


def test_cpu_gets_nothing_where_a_gpu_is_cheaper() -> None:
    chat = a_deployment(variants=[H100, XEON], rps=20.0)
    allocation = plan([chat], [GPU_POOL, a_pool("cpu-amx", price_usd_per_hour=5.0)], RPS)
    # 20 / 6 -> 4 h100 on one node: 12 USD/h. 14 xeons on 4 nodes: 20 USD/h.
    assert counts(allocation) == {"chat/h100": 4}
    assert allocation.nodes == {"gpu-h100": 1, "cpu-amx": 0}
    assert allocation.solver.cost_usd_per_hour == pytest.approx(12.0)


def test_half_empty_nodes_cost_their_full_price_so_models_share_them() -> None:
    big, small = a_variant("big", pool="cpu-big"), a_variant("small", pool="cpu-small")
    pools = [a_pool("cpu-big", price_usd_per_hour=4.0), a_pool("cpu-small", price_usd_per_hour=3.0)]
    fleet = [a_deployment(name, variants=[big, small], rps=2.0) for name in ("a", "b", "c")]
    fleet.append(a_deployment("d", variants=[big], rps=2.0))
    allocation = plan(fleet, pools, {"big": 2.0, "small": 2.0})
    # d must have a 4 USD/h node of 4 slots, whose other 3 slots are free for a, b and c: 4 instead of 4 + 3 USD/h.
    assert counts(allocation) == {"a/big": 1, "b/big": 1, "c/big": 1, "d/big": 1}
    assert allocation.solver.cost_usd_per_hour == pytest.approx(4.0)
    assert set(allocation.usd_per_hour.values()) == {1.0}


def test_a_replica_never_straddles_two_nodes() -> None:
    large = a_variant("large", pool="cpu-amx", per_replica={"cpu": 40.0, "memory": GIB})
    chat = a_deployment(variants=[large], rps=3.0)
    allocation = plan([chat], [a_pool("cpu-amx")], {"large": 1.0})
    # 3 x 40 cores are 1.9 nodes of 64 by sum, but only one replica fits on each.
    assert allocation.nodes["cpu-amx"] == 3


def test_room_taken_by_foreign_pods_is_not_planned_with() -> None:
    taken = a_node("taken", CPU_NODE, foreign_requests={"cpu": 60.0})
    pool = a_pool("cpu-amx", nodes=(taken, a_node("free", CPU_NODE)), price_kind=PriceKind.PAID, max_nodes=2)
    allocation = plan([a_deployment(variants=[XEON], rps=12.0)], [pool], RPS)
    # The free node holds 4 x 16 cores; on the other 4 cores are left.
    assert counts(allocation) == {"chat/xeon": 4}
    assert [finding.reason for finding in allocation.findings] == [Reason.CAPACITY_SHORT]
    assert allocation.shortfall_rps == {a_deployment().key: 6.0}


@pytest.mark.parametrize(
    "node",
    [a_node("broken", CPU_NODE, ready=False), a_node("cordoned", CPU_NODE, schedulable=False)],
    ids=lambda node: node.name,
)
def test_nodes_that_take_no_pods_are_not_planned_with(node: Node) -> None:
    pool = a_pool("cpu-amx", nodes=(node,), price_kind=PriceKind.PAID, max_nodes=1)
    assert counts(plan([a_deployment(variants=[XEON])], [pool], RPS)) == {}


def test_a_node_that_still_boots_counts_as_room() -> None:
    booting = a_node("booting", CPU_NODE, ready=False, created_s=NOW_S - 60.0)
    pool = a_pool("cpu-amx", nodes=(booting,), max_nodes=1)
    assert counts(plan([a_deployment(variants=[XEON], rps=3.0)], [pool], RPS)) == {"chat/xeon": 2}


def test_a_sold_out_pool_is_capped_to_the_nodes_it_has() -> None:
    chat = a_deployment(variants=[H100, XEON], rps=30.0)
    pools = [a_pool("gpu-h100", nodes=1), a_pool("cpu-amx", price_usd_per_hour=15.0)]
    mark = {"gpu-h100": StockOut(NOW_S - 60.0, NOW_S + 240.0, 1)}
    # Free: a fifth h100 opens a node for 12 USD/h. Capped: 4 h100 (24 req/s), and 6 / 1.5 = 4 xeons for 15 USD/h.
    assert counts(plan([chat], pools, RPS)) == {"chat/h100": 5}
    assert counts(plan([chat], pools, RPS, stock_outs=mark)) == {"chat/h100": 4, "chat/xeon": 4}
    ended = {"gpu-h100": StockOut(NOW_S - 600.0, NOW_S - 1.0, 1)}
    assert counts(plan([chat], pools, RPS, stock_outs=ended)) == {"chat/h100": 5}


def test_the_highest_priority_keeps_capacity_first() -> None:
    high = a_deployment("high", variants=[H100], rps=12.0, priority=200)
    low = a_deployment("low", variants=[a_variant("h100", replicas=4)], rps=600.0, priority=100)
    allocation = plan([low, high], [a_pool("gpu-h100", max_nodes=1)], {"h100": 6.0})
    # 4 GPUs in all; high needs 2 of them, whatever low could do with them.
    assert counts(allocation) == {"high/h100": 2, "low/h100": 2}
    assert allocation.shortfall_rps == {low.key: pytest.approx(588.0)}
    (finding,) = allocation.findings
    assert finding.reason is Reason.CAPACITY_SHORT
    assert "12.0 of 600.0 req/s have capacity" in finding.message
    assert "1 of at most 1 nodes" in finding.message


def test_no_number_of_low_priority_requests_buys_one_high_priority_request() -> None:
    high = a_deployment("high", variants=[a_variant("h100")], rps=0.1, priority=101)
    low = a_deployment("low", variants=[a_variant("h100")], rps=1000.0, priority=100)
    pool = a_pool("gpu-h100", max_nodes=1, node_resources={"cpu": 8.0, "memory": 64 * GIB, "nvidia.com/gpu": 1.0})
    assert counts(plan([high, low], [pool], {"h100": 1000.0})) == {"high/h100": 1}


def test_minimum_replicas_of_low_priority_yield_to_demand_of_high_priority() -> None:
    high = a_deployment("high", variants=[H100], rps=18.0, priority=200)
    low = a_deployment("low", variants=[a_variant("h100", min_replicas=3)], rps=0.0, priority=100)
    allocation = plan([high, low], [a_pool("gpu-h100", max_nodes=1)], {"h100": 6.0})
    # high: 3 of 4 GPUs. low asks for its 3 all the same, never less than replicas.min, though only one has a seat.
    assert counts(allocation) == {"high/h100": 3, "low/h100": 3}
    assert high.key not in allocation.shortfall_rps


def test_a_shortage_beyond_the_replica_limit_names_the_limit() -> None:
    chat = a_deployment(variants=[a_variant("h100", max_replicas=2)], rps=30.0)
    (finding,) = plan([chat], [GPU_POOL], RPS).findings
    assert "h100 is at replicas.max 2" in finding.message


def test_a_deployment_that_is_blind_at_zero_keeps_its_cheapest_replica() -> None:
    chat = a_deployment(variants=[H100, a_variant("l4", pool="gpu-l4")], rps=0.0)
    pools = [GPU_POOL, a_pool("gpu-l4", price_usd_per_hour=2.0)]
    rps = {"h100": 6.0, "l4": 1.0}
    blind = replace(chat, demand=replace(chat.demand, sees_zero_replicas=False))
    assert counts(plan([chat], pools, rps)) == {}
    assert counts(plan([blind], pools, rps)) == {"chat/l4": 1}


def test_unknown_demand_never_lowers_a_replica_count() -> None:
    chat = a_deployment(
        variants=[a_variant("h100", replicas=3), a_variant("xeon", pool="cpu-amx", replicas=2)], rps=1.0
    )
    held = {chat.key: a_forecast(chat, 0.0, basis=ForecastBasis.HELD)}
    assert counts(plan([chat], [GPU_POOL, PAID_XEONS], RPS, forecasts=held)) == {"chat/h100": 3, "chat/xeon": 2}
    peak = {chat.key: a_forecast(chat, 40.0, basis=ForecastBasis.FALLBACK)}
    allocation = plan([chat], [GPU_POOL, PAID_XEONS], RPS, forecasts=peak)
    # 3 x 6 + 2 x 1.5 = 21 are there; the missing 19 come from 6 more xeons (9) on paid nodes and 2 more h100 (12).
    assert sum(RPS[name.removeprefix("chat/")] * n for name, n in counts(allocation).items()) >= 40.0
    assert counts(allocation)["chat/h100"] >= 3


def test_pinned_and_paused_replicas_stay_as_they_are() -> None:
    pinned = a_deployment("pinned", variants=[a_variant("h100", replicas=1, pinned=True), XEON], rps=9.0)
    paused = a_deployment("paused", variants=[a_variant("h100", replicas=2), XEON], rps=90.0, mode=Mode.PAUSED)
    allocation = plan([pinned, paused], [GPU_POOL, PAID_XEONS], RPS)
    # pinned: 9 - 6 = 3 req/s are left for 2 xeons.
    assert counts(allocation) == {"pinned/h100": 1, "pinned/xeon": 2, "paused/h100": 2}


def test_recommendations_do_not_disturb_what_is_applied() -> None:
    auto = a_deployment("auto", variants=[H100, XEON], rps=9.0)
    shown = a_deployment("shown", variants=[H100, a_variant("xeon", pool="cpu-amx", replicas=4)], rps=3.0)
    shown = replace(shown, mode=Mode.RECOMMEND)
    allocation = plan([auto, shown], [GPU_POOL, PAID_XEONS], RPS)
    # shown runs 4 xeons and is counted with them: 4 slots are left, 6 req/s, too few for auto, which opens a GPU node
    # (2 x h100). If shown were free, 2 of its xeons would do, and auto would get the other 6 for its 9 req/s.
    assert counts(allocation)["shown/xeon"] == 2
    assert counts(allocation)["auto/h100"] >= 1
    assert allocation.nodes["gpu-h100"] == 1


def test_enough_survives_the_loss_of_any_one_spot_pool() -> None:
    one_gpu = {"cpu": 16.0, "memory": 128 * GIB, "nvidia.com/gpu": 1.0}
    spot = a_pool("gpu-spot", price_kind=PriceKind.SPOT, price_usd_per_hour=1.0, node_resources=one_gpu)
    steady = a_pool("gpu-h100", price_usd_per_hour=3.0, node_resources=one_gpu)
    chat = a_deployment(
        variants=[a_variant("spot", pool="gpu-spot"), H100],
        rps=24.0,
        policy=a_policy(spot_loss_tolerated_ratio=0.5),
    )
    allocation = plan([chat], [steady, spot], {"spot": 6.0, "h100": 6.0})
    # Half of 24 must stand outside the spot pool: 2 of 4 replicas.
    assert counts(allocation) == {"chat/spot": 2, "chat/h100": 2}


def test_a_single_spot_pool_still_serves_and_says_what_is_at_risk() -> None:
    spot = a_pool("gpu-spot", price_kind=PriceKind.SPOT)
    policy = a_policy(spot_loss_tolerated_ratio=0.5)
    chat = a_deployment(variants=[a_variant("spot", pool="gpu-spot")], rps=24.0, policy=policy)
    allocation = plan([chat], [spot], {"spot": 6.0})
    assert counts(allocation) == {"chat/spot": 4}
    assert reasons(allocation.findings) == [Reason.SPOT_RISK]
    assert "12.0 req/s" in allocation.findings[0].message


def test_a_budget_includes_the_empty_rest_of_its_nodes() -> None:
    chat = a_deployment(variants=[H100, XEON], rps=15.0, budget_usd_per_hour=11.0)
    allocation = plan([chat], [GPU_POOL, PAID_XEONS], RPS)
    # One h100 is a quarter of a 12 USD/h node, but alone on it pays for all of it: over 11. 8 paid xeons carry 12.
    assert counts(allocation) == {"chat/xeon": 8}
    assert reasons(allocation.findings) == [Reason.CAPACITY_SHORT, Reason.OVER_BUDGET]
    assert "budget.perHour is 11.00, and 3.0 req/s have no capacity" in allocation.findings[1].message
    enough = replace(chat, budget_usd_per_hour=12.0)
    assert allocation.shortfall_rps == {chat.key: pytest.approx(3.0)}
    assert plan([enough], [GPU_POOL, PAID_XEONS], RPS).shortfall_rps == {}


def test_a_budget_is_spent_on_the_smaller_variant_where_the_larger_one_is_too_dear() -> None:
    small = a_variant("xeon", pool="cpu-amx", max_replicas=1, per_replica={"cpu": 32.0})
    chat = a_deployment(variants=[H100, small], rps=3.0, budget_usd_per_hour=8.0)
    pools = [GPU_POOL, a_pool("cpu-amx", price_usd_per_hour=5.0)]
    # The h100 carries all of it, but alone it pays for its 12 USD/h node; the xeon pays 5 and carries half.
    allocation = plan([chat], pools, RPS)
    assert counts(allocation) == {"chat/xeon": 1}
    assert allocation.shortfall_rps == {chat.key: pytest.approx(1.5)}


def test_a_plan_short_of_what_its_bound_was_proven_for_is_not_called_proven() -> None:
    chat = a_deployment(variants=[H100], rps=3.0, budget_usd_per_hour=8.0)
    # The solver counts one slot of 3 USD/h; the whole node is over budget, so that nothing runs, at no cost.
    allocation = plan([chat], [GPU_POOL], RPS)
    assert counts(allocation) == {}
    assert allocation.shortfall_rps == {chat.key: pytest.approx(3.0)}
    assert proven_gap_ratio(allocation.solver) is None


def test_a_budget_never_takes_what_must_run_in_any_case() -> None:
    chat = a_deployment(variants=[a_variant("h100", min_replicas=1)], rps=3.0, budget_usd_per_hour=1.0)
    allocation = plan([chat], [GPU_POOL], RPS)
    assert counts(allocation) == {"chat/h100": 1}
    assert reasons(allocation.findings) == [Reason.OVER_BUDGET]
    assert "lower replicas.min" in allocation.findings[0].message


def test_a_move_happens_only_when_it_pays_back_within_the_dwell() -> None:
    old, new = a_variant("old", pool="gpu-old", replicas=4), a_variant("new", pool="gpu-new", startup_s=180.0)
    pools = [
        a_pool("gpu-old", nodes=1, price_usd_per_hour=12.0),
        a_pool("gpu-new", price_usd_per_hour=11.0, provisioning_s=180.0),
    ]
    chat = a_deployment(variants=[old, new], rps=24.0)
    rps = {"old": 6.0, "new": 6.0}
    # The move saves 1 USD/h, of which 2% of 12 USD/h must remain: 0.76. It overlaps 11 USD/h for 180 + 180 s and a
    # tenth more, and its nodes will idle for 600 s once left: 11 x 996 s are 3.04 USD, in 3.5 h 0.87 USD/h.
    shorter = replace(chat, policy=a_policy(expected_dwell_s=3.5 * 3600.0))
    assert counts(plan([shorter], pools, rps)) == {"chat/old": 4}
    # In four and a half it is 0.68.
    longer = replace(chat, policy=a_policy(expected_dwell_s=4.5 * 3600.0))
    assert counts(plan([longer], pools, rps)) == {"chat/new": 4}


def test_a_variant_that_misses_the_slo_is_left_for_one_that_meets_it() -> None:
    slow = a_variant("xeon", pool="cpu-amx", replicas=5)
    chat = a_deployment(variants=[H100, slow], rps=6.0)
    assert counts(plan([chat], [GPU_POOL, PAID_XEONS], {"h100": 6.0, "xeon": 0.0})) == {"chat/h100": 1}


def test_what_runs_is_kept_where_no_variant_meets_the_slo() -> None:
    chat = a_deployment(variants=[a_variant("h100", replicas=2)], rps=6.0)
    allocation = plan([chat], [GPU_POOL], {"h100": 0.0})
    assert counts(allocation) == {"chat/h100": 2}
    assert allocation.shortfall_rps == {chat.key: 6.0}
    assert "no variant meets the SLO" in allocation.findings[0].message


def test_a_capacity_table_with_several_points_is_covered_by_the_table() -> None:
    chat = a_deployment(variants=[H100], rps=20.0)
    (variant,) = chat.variants
    # Behind one router two carry more than twice one; a plan must hold by the table, not by its last slope.
    table = CapacityTable((1, 2, 4), (4.0, 9.0, 20.0))
    allocation = plan([chat], [GPU_POOL], {}, options={variant.key: an_option(variant, capacity=table)})
    assert table.total_rps(allocation.replicas[variant.key]) >= 20.0
    assert allocation.shortfall_rps == {}


def test_a_variant_of_a_pool_that_is_not_there_gets_nothing() -> None:
    chat = a_deployment(variants=[a_variant("lost", pool="gpu-gone"), H100], rps=6.0)
    allocation = plan([chat], [GPU_POOL], {"lost": 100.0, "h100": 6.0})
    assert counts(allocation) == {"chat/h100": 1}
    (alternative,) = allocation.alternatives[chat.key]
    assert alternative.reason is Reason.POOL_FULL


def test_free_slots_are_not_filled_for_nothing() -> None:
    allocation = plan([a_deployment(variants=[H100], rps=1.0)], [a_pool("gpu-h100", nodes=4, min_nodes=4)], RPS)
    assert counts(allocation) == {"chat/h100": 1}
    assert allocation.nodes["gpu-h100"] == 4


def test_equal_variants_are_taken_in_order_of_name_in_whatever_order_they_come() -> None:
    one, two = a_variant("one", pool="gpu-h100"), a_variant("two", pool="gpu-h100")
    for variants in ([one, two], [two, one]):
        chat = a_deployment(variants=variants, rps=12.0)
        assert counts(plan([chat], [GPU_POOL], {"one": 6.0, "two": 6.0})) == {"chat/one": 2}


def test_an_empty_fleet_has_an_empty_plan() -> None:
    allocation = plan([], [GPU_POOL], {})
    assert (allocation.replicas, allocation.nodes) == ({}, {"gpu-h100": 0})
    assert plan([], [], {}).solver.outcome is Reason.SOLVED


def test_options_are_looked_up_for_every_variant() -> None:
    chat = a_deployment(variants=[H100], rps=6.0)
    with pytest.raises(KeyError):
        plan([chat], [GPU_POOL], {}, options=options_for([a_deployment("other")], RPS))


def test_the_gap_of_a_recommendation_counts_as_that_of_the_plan() -> None:
    # Stopped at the first plan found; what is applied runs nothing, costs nothing and is proven.
    careless = SolveLimits(exact_up_to_columns=0, gap_ratio=10.0, max_branch_nodes=0)
    fleet = [a_deployment(f"chat-{i}", variants=[H100, XEON], rps=7.0 + 5.0 * i, mode=Mode.RECOMMEND) for i in range(4)]
    allocation = plan(fleet, [GPU_POOL, a_pool("cpu-amx", price_usd_per_hour=5.0)], RPS, limits=careless)
    assert allocation.solver.gap_ratio > 0
    assert allocation.solver.cost_usd_per_hour > 0
