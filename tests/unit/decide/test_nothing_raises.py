"""Whatever a cluster looks like, a tick ends with a plan, and the plan can be told: status, metrics, page."""

import io
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from plimsoll.apply.pool_status import pool_status
from plimsoll.apply.status import deployment_status, differs
from plimsoll.cli.explain_page import tell_status
from plimsoll.cli.page import Page
from plimsoll.decide import decide
from plimsoll.domain import Memory, Mode, Plan, Snapshot
from plimsoll.explain import summary, verdicts
from plimsoll.telemetry import Metrics
from unit.decide.odd_clusters import draw_snapshot, follow

TICKS = 3


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), between_s=st.sampled_from((10.0, 700.0, 100_000.0, -5.0)))
def test_no_cluster_makes_a_tick_fail_and_every_plan_can_be_told(seed: int, between_s: float) -> None:
    rng, memory, metrics = Random(seed), Memory(), Metrics()
    snapshot = draw_snapshot(rng)
    before: dict[str, Any] = {}
    for _ in range(TICKS):
        decision = decide(snapshot, memory)
        memory = decision.memory
        _keeps_to_what_is_allowed(snapshot, decision.plan)
        metrics.show(decision.plan)
        metrics.page()
        before = _tell(decision.plan, before)
        snapshot = follow(rng, snapshot, snapshot.now_s + between_s)


def _keeps_to_what_is_allowed(snapshot: Snapshot, plan: Plan) -> None:
    variants = {variant.key: variant for one in snapshot.deployments for variant in one.variants}
    for one in plan.deployments:
        for step in one.steps:
            variant = variants[step.key]
            assert not variant.pinned, "nobody writes what somebody else scales"
            assert step.to_replicas >= min(variant.min_replicas, step.from_replicas)
            assert step.to_replicas <= max(variant.max_replicas, step.from_replicas)
    auto = {one.key for one in snapshot.deployments if one.mode is Mode.AUTO}
    assert {step.key.deployment_key for step in plan.steps_to_apply} <= auto


def _tell(plan: Plan, before: dict[str, Any]) -> dict[str, Any]:
    """Everything that is told of a plan; the statuses by deployment."""
    pools, told = {pool.name: pool for pool in plan.pools}, {}
    for pool in plan.pools:
        pool_status(pool, 1, None, plan.now_s)
    for one in plan.deployments:
        old = before.get(str(one.key))
        status = deployment_status(one, verdicts(one, plan.findings, plan.pools), old, plan.now_s, plan.solver, pools)
        differs(status, old, 60.0)
        assert summary(one)
        raw = {"metadata": {"namespace": one.key.namespace, "name": one.key.name}, "spec": {"model": "m"}}
        tell_status(Page(Console(file=io.StringIO(), width=120)), raw, status)
        told[str(one.key)] = status
    return told
