"""A plan that stands for one look boots no node: that one would be paid for long after the plan has gone."""

from collections.abc import Mapping
from typing import Any

import pytest

from plimsoll.domain import Deployment, Memory, Pool, PriceKind, Reason, StockOut, TargetSample
from unit.builders import NOW_S, a_deployment, a_node, a_pod, a_policy, a_pool, a_variant
from unit.rollout.case import changes, message, reason, rolled_out

FULL = (a_pool("gpu-h100", nodes=(a_node("full"),)), a_pool("cpu-amx", nodes=1, price_usd_per_hour=1.0))
"""One node of four GPUs, on all of which a replica runs; a CPU node with room for four."""
ROOMY = (a_pool("gpu-h100", nodes=2), *FULL[1:])


def chat(violation_usd: float = 0.0, h100: Mapping[str, Any] | None = None, **policy: Any) -> Deployment:
    """Four h100s (6 req/s a replica) fill their node; a xeon (2 req/s) starts in 30 s."""
    pods = tuple(a_pod(f"h100-{place}", node="full") for place in range(4))
    given: dict[str, Any] = {"pods": pods, "startup_s": 240.0, **(h100 or {})}
    return a_deployment(
        variants=[a_variant("h100", replicas=4, **given), a_variant("xeon", pool="cpu-amx", startup_s=30.0)],
        policy=a_policy(violation_usd_per_million_requests=violation_usd, **policy),
    )


H100, XEON = (variant.key for variant in chat().variants)


def wanted_for(*h100: tuple[int, float], xeon: tuple[tuple[int, float], ...] = ()) -> Memory:
    """So many have been wanted since so many seconds, the oldest first; four h100s and no xeon before."""
    return Memory(targets={H100: history(4, h100), XEON: history(0, xeon)})


def history(before: int, stood: tuple[tuple[int, float], ...]) -> tuple[TargetSample, ...]:
    return TargetSample(NOW_S - 7200.0, before), *(TargetSample(NOW_S - since_s, count) for count, since_s in stood)


def steps(
    deployment: Deployment, wanted: int, memory: Memory, pools: tuple[Pool, ...] = FULL
) -> dict[str, tuple[int, int]]:
    return changes(rolled_out(deployment, {"h100": wanted}, rps=6.0 * wanted, memory=memory, pools=pools))


def test_a_node_is_booted_once_the_plan_has_stood() -> None:
    assert steps(chat(), 6, wanted_for((6, 19.0))) == {}
    assert steps(chat(), 6, wanted_for((6, 20.0))) == {"h100": (4, 6)}


def test_where_nodes_boot_within_seconds_it_is_waited_for_a_quarter_of_that() -> None:
    quick = (a_pool("gpu-h100", nodes=(a_node("full"),), provisioning_s=8.0), FULL[1])
    booting = chat(h100={"startup_s": 8.0})
    assert steps(booting, 6, wanted_for((6, 3.0)), quick) == {}
    assert steps(booting, 6, wanted_for((6, 4.0)), quick) == {"h100": (4, 6)}


def test_until_then_it_says_what_it_waits_for() -> None:
    rollout = rolled_out(chat(), {"h100": 6}, rps=36.0, memory=wanted_for((6, 10.0)), pools=FULL)
    assert reason(rollout, "h100") is Reason.WAITS_FOR_STABILISATION
    assert message(rollout, "h100") == (
        "waits: goes up to 6 replicas once they have been wanted for 20 s, because a node of pool gpu-h100 has to be "
        "booted for them"
    )


def test_what_has_stood_is_started_without_what_has_not() -> None:
    rollout = rolled_out(chat(), {"h100": 9}, rps=54.0, memory=wanted_for((6, 30.0), (9, 10.0)), pools=FULL)
    assert changes(rollout) == {"h100": (4, 6)}
    words = message(rollout, "h100")
    assert "(of 9 wanted: the rest boots nodes, and is asked for once it has been wanted for 20 s)" in words


def test_the_step_limit_is_told_where_it_is_what_limits() -> None:
    deployment = chat(max_scale_up_replicas_per_tick=1)
    rollout = rolled_out(deployment, {"h100": 6}, rps=36.0, memory=wanted_for((6, 30.0)), pools=FULL)
    assert changes(rollout) == {"h100": (4, 5)}
    assert "(of 6 wanted: as many as the policy allows at once)" in message(rollout, "h100")


def test_on_a_node_that_is_there_nothing_waits() -> None:
    assert steps(chat(), 6, wanted_for((6, 0.0)), ROOMY) == {"h100": (4, 6)}


def test_where_nothing_serves_nothing_waits() -> None:
    starting = tuple(a_pod(f"h100-{place}", node="full", ready=False) for place in range(4))
    assert steps(chat(h100={"pods": starting}), 6, wanted_for((6, 0.0))) == {"h100": (4, 6)}


def test_a_process_that_has_just_started_knows_no_other_plan_and_waits_for_none() -> None:
    assert steps(chat(), 6, Memory()) == {"h100": (4, 6)}


def test_what_is_quick_bridges_while_the_plan_for_what_is_slow_has_not_stood_yet() -> None:
    deployment = chat(violation_usd=1000.0)
    rollout = rolled_out(deployment, {"h100": 5}, rps=30.0, memory=wanted_for((5, 0.0)), pools=FULL)
    assert changes(rollout) == {"xeon": (0, 3)}
    assert reason(rollout, "xeon") is Reason.BRIDGING


def test_a_tight_step_limit_is_left_to_the_bridge_while_the_plan_waits() -> None:
    deployment = chat(violation_usd=1000.0, max_scale_up_replicas_per_tick=2)
    rollout = rolled_out(deployment, {"h100": 6}, rps=36.0, memory=wanted_for((6, 0.0)), pools=FULL)
    assert changes(rollout) == {"xeon": (0, 2)}


BOOTING_XEONS = (FULL[0], a_pool("cpu-amx", price_usd_per_hour=1.0, provisioning_s=20.0))
"""The same without a CPU node."""


def test_what_bridges_brings_along_what_is_planned_of_it() -> None:
    # Four xeons are planned and would boot a node; three more carry until the fifth h100 is ready.
    memory = wanted_for((5, 0.0), xeon=((4, 0.0),))
    deployment = chat(violation_usd=1000.0)
    rollout = rolled_out(deployment, {"h100": 5, "xeon": 4}, rps=38.0, memory=memory, pools=BOOTING_XEONS)
    assert changes(rollout) == {"xeon": (0, 7)}


def test_a_need_that_stands_waits_for_no_plan_to_settle() -> None:
    # Another plan at every look, each for 36 req/s and more; 24 are asked for.
    xeons = ((7, 45.0), (0, 35.0), (6, 25.0), (0, 15.0), (9, 5.0))
    h100s = ((4, 45.0), (6, 35.0), (4, 25.0), (6, 15.0), (4, 5.0))
    memory = wanted_for(*h100s, xeon=xeons)
    wanted = {"h100": 4, "xeon": 9}
    # What has stood are 36 req/s: six xeons beside the h100s.
    assert changes(rolled_out(chat(), wanted, rps=42.0, memory=memory, pools=BOOTING_XEONS)) == {"xeon": (0, 6)}
    once = wanted_for(xeon=((9, 5.0),))
    assert changes(rolled_out(chat(), wanted, rps=42.0, memory=once, pools=BOOTING_XEONS)) == {}


def test_what_takes_the_place_of_replicas_that_are_about_to_go_waits_for_nothing() -> None:
    pods = tuple(a_pod(f"h100-{place}", node="full", leaving=place < 3) for place in range(4))
    memory = wanted_for((1, 0.0), xeon=((9, 0.0),))
    rollout = rolled_out(
        chat(h100={"pods": pods}), {"h100": 1, "xeon": 9}, rps=24.0, memory=memory, pools=BOOTING_XEONS
    )
    assert changes(rollout) == {"xeon": (0, 9)}


def test_what_takes_the_place_of_replicas_that_wait_for_a_sold_out_pool_waits_for_nothing() -> None:
    stuck = a_pod("h100-3", ready=False, unschedulable_since_s=NOW_S - 300.0)
    pods = (*(a_pod(f"h100-{place}", node="full") for place in range(3)), stuck)
    memory = wanted_for((3, 0.0), xeon=((3, 0.0),))
    rollout = rolled_out(
        chat(h100={"pods": pods}),
        {"h100": 3, "xeon": 3},
        rps=24.0,
        memory=memory,
        pools=BOOTING_XEONS,
        stock_outs={"gpu-h100": StockOut(NOW_S - 10.0, NOW_S + 300.0, 1)},
    )
    assert changes(rollout)["xeon"] == (0, 3)


@pytest.mark.parametrize("overrides", [{"price_kind": PriceKind.PAID}, {"max_nodes": 1}])
def test_where_no_node_is_bought_nothing_waits(overrides: dict[str, Any]) -> None:
    pools = (a_pool("gpu-h100", nodes=(a_node("full"),), **overrides), FULL[1])
    assert steps(chat(), 6, wanted_for((6, 0.0)), pools) == {"h100": (4, 6)}


def test_a_raised_minimum_waits_for_nothing() -> None:
    assert steps(chat(h100={"min_replicas": 6}), 6, wanted_for((6, 0.0))) == {"h100": (4, 6)}


def test_a_shorter_window_for_going_up_is_told_as_the_longer_one_it_becomes() -> None:
    deployment = chat(scale_up_stabilization_s=10.0)
    rollout = rolled_out(deployment, {"h100": 6}, rps=36.0, memory=wanted_for((6, 5.0)), pools=FULL)
    assert "once they have been wanted for 20 s" in message(rollout, "h100")
