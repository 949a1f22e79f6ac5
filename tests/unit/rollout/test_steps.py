"""Up at once, down only what is not missed: the steps of one tick, each case by hand."""

from dataclasses import replace
from typing import Any

import pytest

from plimsoll.domain import (
    Alternative,
    CapacityTable,
    Deployment,
    Finding,
    ForecastBasis,
    LeadTime,
    Memory,
    Mode,
    Reason,
    StockOut,
    Target,
    TargetSample,
)
from plimsoll.rollout import roll_out
from unit.builders import (
    NOW_S,
    a_demand,
    a_deployment,
    a_forecast,
    a_pod,
    a_policy,
    a_pool,
    a_snapshot,
    a_variant,
    an_option,
    options_for,
)
from unit.rollout.case import POOLS, RPS, an_allocation, changes, message, reason, rolled_out, watched


def two(h100: int = 0, xeon: int = 0, *, xeon_ready: int | None = None, **overrides: Any) -> Deployment:
    """Deployment chat with variants h100 (6 req/s a replica) and xeon (2 req/s)."""
    variants = [a_variant("h100", replicas=h100), a_variant("xeon", pool="cpu-amx", replicas=xeon, ready=xeon_ready)]
    return a_deployment(variants=variants, **overrides)


# --- Up --------------------------------------------------------------------------------------------------------------


def test_more_replicas_are_asked_for_at_once_even_after_a_restart() -> None:
    rollout = rolled_out(two(h100=1), {"h100": 3}, rps=18.0, memory=Memory())
    assert changes(rollout) == {"h100": (1, 3)}
    (step,) = rollout.steps
    assert (step.reason, step.target.name) == (Reason.SCALE_UP, "chat-h100")
    assert step.message == "1 to 3 replicas: 18.0 req/s are expected, each replica carries 6.0"


def test_a_scale_up_keeps_to_the_step_limit_and_says_so() -> None:
    chat = two(h100=1, policy=a_policy(max_scale_up_replicas_per_tick=2))
    rollout = rolled_out(chat, {"h100": 5, "xeon": 1}, rps=30.0)
    # Both start alike on paper; the pool of the h100 takes no longer, and its name comes first.
    assert changes(rollout) == {"h100": (1, 3)}
    assert "(of 5 wanted: as many as the policy allows at once)" in message(rollout, "h100")
    assert reason(rollout, "xeon") is Reason.WAITS_FOR_STEP_LIMIT


def test_the_variant_that_is_ready_soonest_is_asked_for_first() -> None:
    chat = a_deployment(
        variants=[a_variant("h100", startup_s=300.0), a_variant("xeon", pool="cpu-amx", startup_s=20.0)],
        policy=a_policy(max_scale_up_replicas_per_tick=1),
    )
    assert changes(rolled_out(chat, {"h100": 1, "xeon": 1})) == {"xeon": (0, 1)}


def test_a_scale_up_waits_where_the_policy_wants_it_to() -> None:
    chat = two(h100=1, policy=a_policy(scale_up_stabilization_s=60.0))
    key = chat.variants[0].key
    short = Memory(targets={key: (TargetSample(NOW_S - 600.0, 1), TargetSample(NOW_S - 30.0, 3))})
    rollout = rolled_out(chat, {"h100": 3}, memory=short)
    assert changes(rollout) == {}
    assert reason(rollout, "h100") is Reason.WAITS_FOR_STABILISATION
    long = Memory(targets={key: (TargetSample(NOW_S - 600.0, 1), TargetSample(NOW_S - 60.0, 3))})
    assert changes(rolled_out(chat, {"h100": 3}, memory=long)) == {"h100": (1, 3)}


def test_replicas_below_the_minimum_are_never_waited_for() -> None:
    chat = a_deployment(
        variants=[a_variant("h100", replicas=0, min_replicas=2)], policy=a_policy(scale_up_stabilization_s=60.0)
    )
    memory = Memory(targets={chat.variants[0].key: (TargetSample(NOW_S - 600.0, 0),)})
    assert changes(rolled_out(chat, {"h100": 2}, memory=memory)) == {"h100": (0, 2)}


# --- Down ------------------------------------------------------------------------------------------------------------


def test_fewer_replicas_are_asked_for_when_the_ready_ones_carry_demand_without_them() -> None:
    rollout = rolled_out(two(h100=5), {"h100": 3}, rps=15.0)
    assert changes(rollout) == {"h100": (5, 3)}
    (step,) = rollout.steps
    assert step.reason is Reason.SCALE_DOWN
    assert step.message == "5 to 3 replicas: ready replicas carry 18.0 req/s without the rest, 15.0 are needed"
    assert len(step.delete_first) == 2


def test_a_move_starts_the_new_first_and_removes_nothing_before_it_is_ready() -> None:
    start = rolled_out(two(h100=2), {"xeon": 6}, rps=12.0)
    assert changes(start) == {"xeon": (0, 6)}
    assert reason(start, "xeon") is Reason.MOVE_IN
    assert reason(start, "h100") is Reason.WAITS_FOR_READY
    assert message(start, "h100") == (
        "waits: 0 of 6 xeon replicas are ready; h100 leaves when 12.0 req/s are covered without it (now 0.0)"
    )


def test_a_move_gives_up_the_old_piece_by_piece_as_the_new_becomes_ready() -> None:
    # 12 req/s: 3 ready xeons carry 6, so one of two h100 can go; 6 carry 12, so both can.
    half = rolled_out(two(h100=2, xeon=6, xeon_ready=3), {"xeon": 6}, rps=12.0)
    assert changes(half) == {"h100": (2, 1)}
    done = rolled_out(two(h100=2, xeon=6), {"xeon": 6}, rps=12.0)
    assert changes(done) == {"h100": (2, 0)}
    assert reason(done, "h100") is Reason.MOVE_OUT


def test_nothing_goes_down_while_ready_capacity_is_below_demand() -> None:
    rollout = rolled_out(two(h100=3, xeon=1), {"h100": 3}, rps=30.0)
    assert changes(rollout) == {}
    assert reason(rollout, "xeon") is Reason.WAITS_FOR_READY


def test_replicas_that_are_not_ready_count_for_nothing() -> None:
    chat = a_deployment(variants=[a_variant("h100", replicas=5, ready=2)])
    # Unready pods go first: 2 ready ones stay and carry 12.
    assert changes(rolled_out(chat, {"h100": 2}, rps=12.0)) == {"h100": (5, 2)}
    assert changes(rolled_out(chat, {"h100": 1}, rps=12.0)) == {"h100": (5, 2)}


def test_a_stateful_set_is_taken_to_lose_ready_replicas_first() -> None:
    target = Target("apps/v1", "StatefulSet", "team-a", "chat-h100", owned=False)
    chat = a_deployment(variants=[a_variant("h100", replicas=5, ready=3, target=target)])
    # It removes its highest ordinals whether they are ready or not: after one, two ready ones are certain.
    rollout = rolled_out(chat, {"h100": 2}, rps=12.0)
    assert changes(rollout) == {"h100": (5, 4)}
    assert rollout.steps[0].delete_first == ()


def test_what_is_planned_for_later_is_kept_ready_too() -> None:
    chat = two(h100=5)
    rising = a_forecast(chat, 6.0, at_lead_rps={"h100": 24.0})
    assert changes(rolled_out(chat, {"h100": 3}, forecast=rising)) == {"h100": (5, 4)}


def test_the_last_ready_replica_stays_until_another_is_ready() -> None:
    chat = a_deployment(variants=[a_variant("h100"), a_variant("old", pool="cpu-amx", replicas=1)], rps=0.0)
    options = options_for([chat], {"h100": 6.0, "old": 0.0})
    rollout = rolled_out(chat, {"h100": 1}, options=options)
    # The old one cannot meet the SLO and counts for nothing; all the same it serves until the h100 does.
    assert changes(rollout) == {"h100": (0, 1)}
    replaced = replace(chat, variants=(replace(chat.variants[0], replicas=1, pods=(a_pod(),)), chat.variants[1]))
    assert changes(rolled_out(replaced, {"h100": 1}, options=options)) == {"old": (1, 0)}


def test_all_replicas_go_where_none_is_wanted() -> None:
    assert changes(rolled_out(two(h100=2, rps=0.0), {}, rps=0.0)) == {"h100": (2, 0)}


def test_a_scale_down_keeps_to_the_step_limit() -> None:
    chat = two(h100=6, xeon=6, policy=a_policy(max_scale_down_replicas_per_tick=4))
    rollout = rolled_out(chat, {"h100": 3}, rps=1.0)
    # The xeons leave altogether and go first; the limit is used up.
    assert changes(rollout) == {"xeon": (6, 2)}
    assert reason(rollout, "h100") is Reason.WAITS_FOR_STEP_LIMIT


def test_dear_nodes_are_given_up_first() -> None:
    chat = two(h100=2, xeon=2, policy=a_policy(max_scale_down_replicas_per_tick=1), rps=0.5)
    assert changes(rolled_out(chat, {"h100": 1, "xeon": 1})) == {"h100": (2, 1)}


def test_a_minimum_is_never_gone_below() -> None:
    chat = a_deployment(variants=[a_variant("h100", replicas=4, min_replicas=2)], rps=0.0)
    assert changes(rolled_out(chat, {"h100": 0})) == {"h100": (4, 2)}


def test_a_plan_that_is_short_is_no_reason_to_take_away_what_serves() -> None:
    # Cordoned nodes, say: the plan sees no room for what runs.
    rollout = rolled_out(two(h100=5), {}, rps=30.0, shortfall_rps=30.0)
    assert changes(rollout) == {}
    assert reason(rollout, "h100") is Reason.CAPACITY_SHORT
    assert message(rollout, "h100") == (
        "stays at 5 replicas: 30.0 req/s have no capacity elsewhere, so nothing is taken away"
    )


# --- Who gives way ---------------------------------------------------------------------------------------------------


def next_to_a_waiting_one(priority: int, *, ready: int = 0, mode: Mode = Mode.AUTO) -> dict[str, tuple[int, int]]:
    """The steps of a deployment of priority 100 that is to go from 5 to 2, beside another that wants 3 in its pool."""
    low = two(h100=5)
    waiting = a_variant("h100", replicas=3, ready=ready)
    other = a_deployment("other", variants=[waiting], priority=priority, mode=mode, rps=18.0)
    fleet = (low, other)
    plans = [an_allocation(low, {"h100": 2}, shortfall_rps=18.0), an_allocation(other, {"h100": 3})]
    rollout = roll_out(
        a_snapshot(fleet, POOLS),
        {low.key: a_forecast(low, 30.0), other.key: a_forecast(other)},
        options_for(fleet, RPS),
        replace(plans[0], replicas={**plans[0].replicas, **plans[1].replicas}),
        {},
        Memory(targets={**watched(low, {"h100": 2}).targets, **watched(other, {"h100": 3}).targets}),
    )
    return {step.key.deployment: (step.from_replicas, step.to_replicas) for step in rollout.steps}


def test_a_lower_priority_gives_way_to_a_higher_one_that_waits_for_its_pool() -> None:
    assert next_to_a_waiting_one(priority=200) == {"chat": (5, 2)}


@pytest.mark.parametrize(("priority", "ready"), [(100, 0), (50, 0), (200, 3)])
def test_nobody_gives_way_to_an_equal_or_lower_priority_or_to_one_that_is_served(priority: int, ready: int) -> None:
    assert next_to_a_waiting_one(priority=priority, ready=ready) == {}


@pytest.mark.parametrize("mode", [Mode.RECOMMEND, Mode.PAUSED])
def test_nobody_gives_way_to_one_that_is_not_scaled(mode: Mode) -> None:
    assert next_to_a_waiting_one(priority=200, mode=mode) == {}


def test_a_budget_is_kept_although_demand_is_not_covered() -> None:
    chat = two(h100=5)
    allocation = an_allocation(chat, {"h100": 2}, shortfall_rps=18.0)
    over = Finding(chat.key, Reason.OVER_BUDGET, "over")
    rollout = roll_out(
        a_snapshot([chat], POOLS),
        {chat.key: a_forecast(chat, 30.0)},
        options_for([chat], RPS),
        replace(allocation, findings=(over,)),
        {},
        watched(chat, {"h100": 2}),
    )
    assert changes(rollout) == {"h100": (5, 2)}


def test_a_lowered_maximum_is_kept_although_demand_is_not_covered() -> None:
    chat = a_deployment(variants=[a_variant("h100", replicas=5, max_replicas=3)])
    assert changes(rolled_out(chat, {"h100": 3}, rps=30.0, shortfall_rps=12.0)) == {"h100": (5, 3)}


# --- Stabilisation ---------------------------------------------------------------------------------------------------


def test_nothing_goes_down_before_a_window_has_been_watched_in_full() -> None:
    for memory in (Memory(), watched(two(), {"h100": 1}, since_s=NOW_S - 299.0)):
        rollout = rolled_out(two(h100=5), {"h100": 1}, rps=1.0, memory=memory)
        assert changes(rollout) == {}
        assert reason(rollout, "h100") is Reason.WAITS_FOR_STABILISATION
        assert "watched for 300 s" in message(rollout, "h100")
    full = watched(two(), {"h100": 1}, since_s=NOW_S - 300.0)
    assert changes(rolled_out(two(h100=5), {"h100": 1}, rps=1.0, memory=full)) == {"h100": (5, 1)}


def test_a_target_goes_down_only_to_the_highest_wanted_within_the_window() -> None:
    chat = two(h100=5)
    history = (TargetSample(NOW_S - 900.0, 5), TargetSample(NOW_S - 400.0, 2), TargetSample(NOW_S - 200.0, 4))
    memory = Memory(targets={**watched(chat, {}).targets, chat.variants[0].key: history})
    assert changes(rolled_out(chat, {"h100": 1}, rps=1.0, memory=memory)) == {"h100": (5, 4)}
    lower = two(h100=4)
    rollout = rolled_out(lower, {"h100": 1}, rps=1.0, memory=memory)
    assert changes(rollout) == {}
    assert message(rollout, "h100").startswith("waits: 4 replicas were wanted within the last 300 s")


def test_a_move_is_stabilised_like_any_scale_down() -> None:
    chat = two(h100=2, xeon=6)
    history = (TargetSample(NOW_S - 900.0, 2), TargetSample(NOW_S - 100.0, 0))
    memory = Memory(targets={**watched(chat, {"xeon": 6}).targets, chat.variants[0].key: history})
    assert changes(rolled_out(chat, {"xeon": 6}, rps=12.0, memory=memory)) == {}


def test_what_is_wanted_is_remembered_for_the_window_and_no_longer() -> None:
    chat = two(h100=5)
    key = chat.variants[0].key
    history = (TargetSample(NOW_S - 900.0, 9), TargetSample(NOW_S - 600.0, 5), TargetSample(NOW_S - 100.0, 4))
    rollout = rolled_out(chat, {"h100": 3}, memory=Memory(targets={key: history}))
    # 5 stood when the window of 300 s began.
    assert rollout.targets[key] == (*history[1:], TargetSample(NOW_S, 3))
    again = rolled_out(chat, {"h100": 4}, memory=Memory(targets={key: history}))
    assert again.targets[key] == history[1:]


def test_samples_from_the_future_are_dropped() -> None:
    chat = two(h100=5)
    memory = watched(chat, {"h100": 1}, since_s=NOW_S + 50.0)
    rollout = rolled_out(chat, {"h100": 1}, rps=1.0, memory=memory)
    assert changes(rollout) == {}
    assert rollout.targets[chat.variants[0].key] == (TargetSample(NOW_S, 1),)


# --- Who is left alone -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("basis", [ForecastBasis.HELD, ForecastBasis.FALLBACK])
def test_unknown_demand_never_takes_a_replica_away(basis: ForecastBasis) -> None:
    chat = two(h100=3, xeon=1)
    held = a_forecast(chat, 0.0, basis=basis, message="no series for 30 s")
    rollout = rolled_out(chat, {"h100": 1, "xeon": 2}, forecast=held)
    assert changes(rollout) == {"xeon": (1, 2)}
    assert reason(rollout, "h100") is Reason.HELD
    assert "no series for 30 s" in message(rollout, "h100")
    same = rolled_out(chat, {"h100": 3, "xeon": 1}, forecast=held)
    assert reason(same, "h100") is Reason.HELD


def test_pinned_and_paused_targets_get_no_steps() -> None:
    pinned = a_deployment(variants=[a_variant("h100", replicas=3, pinned=True)])
    assert changes(rolled_out(pinned, {"h100": 1})) == {}
    assert reason(rolled_out(pinned, {"h100": 1}), "h100") is Reason.PINNED
    paused = two(h100=3, mode=Mode.PAUSED)
    assert changes(rolled_out(paused, {"h100": 5})) == {}
    assert reason(rolled_out(paused, {"h100": 5}), "xeon") is Reason.PAUSED


def test_recommended_steps_are_shown_as_such() -> None:
    rollout = rolled_out(two(h100=1, mode=Mode.RECOMMEND), {"h100": 3}, rps=18.0)
    assert changes(rollout) == {"h100": (1, 3)}
    assert rollout.steps[0].reason is Reason.RECOMMEND_ONLY
    assert message(rollout, "h100").startswith("3 replicas are recommended, 1 is asked for: ")
    assert message(rollout, "h100").endswith("; not applied: mode is Recommend; set mode: Auto to apply")


def test_what_is_recommended_waits_for_nothing() -> None:
    rollout = rolled_out(two(h100=2, mode=Mode.RECOMMEND), {"xeon": 6}, rps=10.0)
    assert reason(rollout, "h100") is Reason.RECOMMEND_ONLY
    assert message(rollout, "h100").startswith("0 replicas are recommended, 2 are asked for")
    assert "waits" not in message(rollout, "h100")
    assert "waits" not in message(rollout, "xeon")


# --- Stock-outs ------------------------------------------------------------------------------------------------------

SOLD_OUT = {"gpu-h100": StockOut(NOW_S - 60.0, NOW_S + 240.0, 1)}


def with_stuck(stuck: int, ready: int = 1) -> Deployment:
    pods = (
        *(a_pod(f"ready-{i}") for i in range(ready)),
        *(a_pod(f"stuck-{i}", ready=False, unschedulable_since_s=NOW_S - 320.0) for i in range(stuck)),
    )
    h100 = a_variant("h100", replicas=ready + stuck, pods=pods)
    return a_deployment(variants=[h100, a_variant("xeon", pool="cpu-amx")])


def test_pods_stuck_in_a_sold_out_pool_are_withdrawn_once_others_are_asked_for() -> None:
    chat = with_stuck(2)
    rollout = rolled_out(chat, {"h100": 1, "xeon": 6}, rps=18.0, stock_outs=SOLD_OUT, memory=Memory())
    # Demand is not covered yet, and nothing has been watched: what never started is not missed.
    assert changes(rollout) == {"xeon": (0, 6), "h100": (3, 1)}
    assert [step.key.variant for step in rollout.steps] == ["xeon", "h100"]
    assert reason(rollout, "h100") is Reason.STOCK_OUT
    assert rollout.steps[1].delete_first == ("stuck-0", "stuck-1")
    (finding,) = rollout.findings
    assert (finding.reason, finding.variant) == (Reason.STOCK_OUT, "h100")
    assert "2 pods of h100 have waited up to 320 s" in finding.message


def test_pods_stuck_in_a_sold_out_pool_go_on_waiting_where_nothing_replaces_them() -> None:
    rollout = rolled_out(with_stuck(2), {"h100": 1}, rps=18.0, stock_outs=SOLD_OUT, shortfall_rps=12.0)
    assert changes(rollout) == {}
    assert reason(rollout, "h100") is Reason.STOCK_OUT
    assert message(rollout, "h100") == (
        "2 of 3 replicas wait for pool gpu-h100, sold out for another 240 s; "
        "12.0 req/s have no capacity elsewhere, so they go on waiting"
    )


def test_pods_stuck_in_a_pool_that_is_not_sold_out_are_waited_for() -> None:
    chat = with_stuck(2)
    assert changes(rolled_out(chat, {"h100": 1, "xeon": 6}, rps=18.0)) == {"xeon": (0, 6)}
    waiting = rolled_out(chat, {"h100": 3}, rps=18.0)
    assert reason(waiting, "h100") is Reason.WAITS_FOR_READY
    assert message(waiting, "h100") == "1 of 3 replicas are ready (2 wait for a node)"


def test_a_variant_that_stays_in_a_sold_out_pool_says_what_it_waits_for() -> None:
    rollout = rolled_out(with_stuck(2), {"h100": 3}, rps=18.0, stock_outs=SOLD_OUT)
    assert reason(rollout, "h100") is Reason.STOCK_OUT
    assert message(rollout, "h100") == "2 of 3 replicas wait for pool gpu-h100, sold out for another 240 s"


# --- What is told of those that stay ---------------------------------------------------------------------------------


def test_a_steady_variant_says_what_it_carries() -> None:
    rollout = rolled_out(two(h100=2), {"h100": 2}, rps=10.0)
    assert reason(rollout, "h100") is Reason.CHEAPEST
    assert message(rollout, "h100") == "2 ready replicas carry up to 12.0 req/s; 10.0 req/s are expected in all"


def test_an_unused_variant_says_why_it_lost() -> None:
    chat = two(h100=2)
    lost = Alternative("xeon", {"xeon": 5}, 5.0, Reason.DEARER, "2.00 USD/h more")
    rollout = rolled_out(chat, {"h100": 2}, alternatives=(lost,))
    assert (reason(rollout, "xeon"), message(rollout, "xeon")) == (Reason.DEARER, "not used: 2.00 USD/h more")
    assert reason(rolled_out(chat, {"h100": 2}), "xeon") is Reason.STEADY
    options = options_for([chat], RPS)
    slow = Finding(chat.key, Reason.SLO_UNREACHABLE, "xeon is too slow", "xeon")
    options[chat.variants[1].key] = an_option(chat.variants[1], capacity=CapacityTable((1,), (0.0,)), finding=slow)
    assert message(rolled_out(chat, {"h100": 2}, options=options), "xeon") == "xeon is too slow"


def test_the_one_replica_that_keeps_demand_visible_says_so() -> None:
    chat = two(h100=1, rps=0.0)
    blind = replace(chat, demand=a_demand(0.0, sees_zero_replicas=False))
    assert reason(rolled_out(blind, {"h100": 1}), "h100") is Reason.KEEPS_ONE_REPLICA
    assert reason(rolled_out(chat, {"h100": 1}), "h100") is Reason.CHEAPEST


def test_a_variant_of_a_pool_that_is_gone_is_still_rolled_out() -> None:
    rollout = rolled_out(two(h100=3), {"h100": 1, "xeon": 1}, rps=1.0, pools=())
    assert changes(rollout) == {"h100": (3, 1), "xeon": (0, 1)}


# --- Nodes that are about to go ---------------------------------------------------------------------------------------


def on_leaving_node(replicas: int, leaving: int, *, ready: int | None = None, **overrides: Any) -> Deployment:
    """h100 with so many replicas, the first `leaving` of them on a node that is about to go."""
    ready = replicas if ready is None else ready
    pods = tuple(a_pod(f"h100-{i}", leaving=i < leaving, ready=i < ready) for i in range(replicas))
    xeon = a_variant("xeon", pool="cpu-amx")
    return a_deployment(variants=[a_variant("h100", replicas=replicas, pods=pods, **overrides), xeon])


def test_what_replaces_pods_on_a_node_that_is_about_to_go_is_asked_for_before_it_is_gone() -> None:
    rollout = rolled_out(on_leaving_node(2, 1), {"h100": 2}, rps=12.0)
    assert changes(rollout)["h100"] == (2, 3)
    assert reason(rollout, "h100") is Reason.NODE_LEAVING
    assert message(rollout, "h100") == (
        "2 to 3 replicas: 1 of 2 sit on nodes that are about to go, what replaces them is started before"
    )


def test_replacements_are_asked_for_once() -> None:
    # 3 replicas, of which one leaves and one is the replacement, not ready yet.
    assert "h100" not in changes(rolled_out(on_leaving_node(3, 1, ready=2), {"h100": 2}, rps=12.0))


def test_when_the_replacement_is_ready_the_pod_on_the_node_that_goes_is_the_one_that_leaves() -> None:
    rollout = rolled_out(on_leaving_node(3, 1), {"h100": 2}, rps=12.0)
    assert changes(rollout) == {"h100": (3, 2)}
    assert rollout.steps[0].delete_first == ("h100-0",)


def test_what_is_on_a_node_that_is_about_to_go_carries_nothing() -> None:
    # Two xeons could go were both h100s to stay.
    xeon = a_variant("xeon", pool="cpu-amx", replicas=2)
    h100 = on_leaving_node(2, 1).variants[0]
    chat = a_deployment(variants=[h100, xeon])
    assert "xeon" not in changes(rolled_out(chat, {"h100": 2}, rps=10.0))


def test_replacements_keep_to_the_largest_count_that_the_user_allows() -> None:
    assert changes(rolled_out(on_leaving_node(2, 2, max_replicas=3), {"h100": 2}, rps=12.0))["h100"] == (2, 3)


def test_quick_replicas_bridge_until_replacements_are_ready() -> None:
    # 6 of 12 req/s are about to go: three xeons from 60 s on, the h100's replacement starts in 240 s.
    chat = on_leaving_node(2, 1)
    slow = replace(chat, variants=(replace(chat.variants[0], lead=LeadTime(240.0)), chat.variants[1]))
    pools = (a_pool("gpu-h100", nodes=1), a_pool("cpu-amx", nodes=1, price_usd_per_hour=1.0))
    assert changes(rolled_out(slow, {"h100": 2}, rps=12.0, pools=pools)) == {"h100": (2, 3), "xeon": (0, 3)}
