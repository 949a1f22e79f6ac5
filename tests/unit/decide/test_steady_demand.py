"""Demand that only trembles moves nothing, and nobody is told of it: no replica to and fro, no status anew."""

from random import Random
from typing import Any

import pytest

from plimsoll.apply.status import deployment_status, differs
from plimsoll.domain import Decision, Routing
from plimsoll.explain import verdicts
from unit.builders import a_deployment, a_pool, a_variant
from unit.decide.world import World

SETTLED_TICKS, WATCHED_TICKS = 60, 50
"""Ten minutes: twice the policy's window, and long after the last start-up."""


def a_world(routing: Routing) -> World:
    chat = a_deployment(
        variants=[a_variant(startup_s=120.0), a_variant("xeon", pool="cpu-amx", startup_s=20.0)], routing=routing
    )
    return World([chat], [a_pool("gpu-h100", nodes=1), a_pool("cpu-amx", nodes=1)])


@pytest.mark.parametrize("routing", [Routing.LOAD_AWARE, Routing.SERVICE])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_noisy_steady_demand_makes_replicas_neither_come_nor_go(routing: Routing, seed: int) -> None:
    world, rng = a_world(routing), Random(seed)
    turns: list[str] = []
    for tick in range(200):
        decision = world.tick(20.0 * (1.0 + 0.05 * rng.uniform(-1.0, 1.0)))
        if tick >= SETTLED_TICKS:
            turns += [f"{tick}: {step.message}" for step in decision.plan.steps_to_apply]
    assert len(turns) <= 1, turns


def test_a_steady_deployment_sees_no_status_written() -> None:
    world = a_world(Routing.LOAD_AWARE)
    old: dict[str, Any] | None = None
    written_s, writes = 0.0, []
    for tick in range(SETTLED_TICKS + WATCHED_TICKS):
        decision = world.tick(20.0)
        new = _status(decision, old)
        if differs(new, old, decision.plan.now_s - written_s):
            writes.append(tick)
            old, written_s = new, decision.plan.now_s
    assert [tick for tick in writes if tick >= SETTLED_TICKS] == []


def _status(decision: Decision, old: dict[str, Any] | None) -> dict[str, Any]:
    plan = decision.plan
    one = plan.deployments[0]
    pools = {pool.name: pool for pool in plan.pools}
    return deployment_status(one, verdicts(one, plan.findings, plan.pools), old, plan.now_s, plan.solver, pools)
