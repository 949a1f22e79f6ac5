"""What time taught an operator outlives it: the next process reads it from the status, and goes on from there."""

from dataclasses import replace
from typing import Any

import pytest

from plimsoll.apply.status import deployment_status, differs
from plimsoll.domain import NOTHING_TOLD, Decision, Memory
from plimsoll.explain import verdicts
from plimsoll.observe.told import told_by
from unit.builders import a_deployment, a_policy, a_pool, a_variant
from unit.decide.world import World

STARTS_S = 90.0


def a_world(violation_usd: float = 0.0) -> World:
    """A cheap small pool for little traffic, and a large one whose nodes have to be booted."""
    h100 = a_variant("h100", startup_s=STARTS_S, max_replicas=8)
    xeon = a_variant("xeon", pool="cpu-amx", startup_s=STARTS_S, max_replicas=2)
    pools = [
        a_pool("gpu-h100", nodes=0, price_usd_per_hour=12.0, max_nodes=2),
        a_pool("cpu-amx", nodes=1, price_usd_per_hour=0.1, min_nodes=1, max_nodes=1),
    ]
    policy = a_policy(
        scale_down_stabilization_s=60.0, expected_dwell_s=1800.0, violation_usd_per_million_requests=violation_usd
    )
    return World([a_deployment(variants=[h100, xeon], policy=policy)], pools)


def status_of(decision: Decision, old: dict[str, Any] | None = None) -> dict[str, Any]:
    (plan,) = decision.plan.deployments
    found = verdicts(plan, decision.plan.findings, decision.plan.pools)
    return deployment_status(plan, found, old, decision.plan.now_s, decision.plan.solver)


def restarted(world: World, status: dict[str, Any]) -> None:
    """A new process: nothing remembered but what the status tells."""
    world.memory = Memory()
    told = told_by({"status": status}) or NOTHING_TOLD
    world.deployments = [replace(one, told=told) for one in world.deployments]


@pytest.fixture
def lived() -> tuple[World, Decision]:
    """A world that moved to the large pool and back, and is still now."""
    world = a_world()
    for rps in (*[2.0] * 30, *[60.0] * 60, *[2.0] * 90):
        decision = world.tick(rps)
    return world, decision


def test_a_restart_keeps_lead_times_and_the_dwell_that_is_expected(lived: tuple[World, Decision]) -> None:
    world, before = lived
    restarted(world, status_of(before))
    after = world.tick(2.0)
    (old,), (new,) = before.plan.deployments, after.plan.deployments
    # By the tick of 10 s, pods were ready after 100 s; on the other pool a node had to be booted, for 180 s.
    assert [v.lead and v.lead.seen_on_node_s for v in new.variants] == [None, 100.0]
    assert [v.lead and v.lead.seen_with_node_s for v in new.variants] == [280.0, None]
    assert [v.lead and v.lead.seconds for v in new.variants] == [v.lead and v.lead.seconds for v in old.variants]
    assert old.dwell is not None
    assert new.dwell is not None
    assert (new.dwell.places, new.dwell.since_s) == (old.dwell.places, old.dwell.since_s)
    # The mean of two plans is told with two digits.
    assert (sum(old.dwell.lasted_s), sum(new.dwell.lasted_s)) == (1010.0, 1020.0)


def test_what_was_learned_is_told_in_the_same_words_after_every_restart(lived: tuple[World, Decision]) -> None:
    world, before = lived
    old = status_of(before)
    for _ in range(3):
        restarted(world, old)
        new = status_of(world.tick(2.0), old)
        assert new["plan"]["dwell"] == old["plan"]["dwell"]
        assert [one.get("startUps") for one in new["variants"]] == [one.get("startUps") for one in old["variants"]]


def test_a_second_process_that_has_watched_by_itself_goes_by_what_it_saw(lived: tuple[World, Decision]) -> None:
    world, before = lived
    told = told_by({"status": {"variants": [{"name": "xeon", "startUps": {"onNode": "900s"}}]}})
    assert told is not None
    world.deployments = [replace(one, told=told) for one in world.deployments]
    assert world.tick(2.0).memory.start_ups.done == before.memory.start_ups.done


def fed_back(world: World, decision: Decision) -> Decision:
    """One more tick of 2 req/s after the watch has delivered the status that was just written."""
    told = told_by({"status": status_of(decision)}) or NOTHING_TOLD
    world.deployments = [replace(one, told=told) for one in world.deployments]
    return world.tick(2.0)


def risen() -> tuple[World, Decision]:
    """A rise that found too little, ten minutes ago."""
    world = a_world(violation_usd=10_000.0)
    for rps in (*[2.0] * 30, *[60.0] * 60, *[2.0] * 60):
        decision = world.tick(rps)
    return world, decision


def test_a_restart_goes_on_keeping_what_is_ready_for_the_next_rise() -> None:
    world, before = risen()
    kept, old = world.replicas(), status_of(before)
    assert sum(kept.values()) == 3
    restarted(world, old)
    for _ in range(60):
        after = world.tick(2.0)
    assert world.replicas() == kept
    assert status_of(after)["plan"]["standby"]["since"] == old["plan"]["standby"]["since"]


def test_what_was_given_up_does_not_come_back_with_the_status_that_told_of_it() -> None:
    world, decision = risen()
    kept = world.replicas()
    for _ in range(720):
        decision = fed_back(world, decision)
    assert world.replicas() != kept
    assert decision.plan.deployments[0].standby is None
    assert "standby" not in status_of(decision)["plan"]


def test_that_demand_is_over_and_what_it_cost_is_written_when_it_changes() -> None:
    world, _ = risen()
    old = status_of(world.tick(2.0))
    told = old["plan"]["standby"]
    dearer = {**told, "worth": "900.00"}
    needed = {name: value for name, value in told.items() if name != "since"}
    for standby in (dearer, needed):
        assert differs({**old, "plan": {**old["plan"], "standby": standby}}, old, 0.0)
    assert not differs({**old, "plan": {**old["plan"], "standby": {**told, "idled": "0.99"}}}, old, 0.0)
