"""What one decision says, and that it says the same whenever it is asked the same."""

from dataclasses import replace

import pytest

from plimsoll.decide import decide
from plimsoll.domain import (
    Deployment,
    ExternalPrice,
    Finding,
    LatencyMetric,
    LatencyTarget,
    Memory,
    Mode,
    Phase,
    PriceKind,
    Reason,
    Snapshot,
    StockOut,
    TargetSample,
    Variant,
)
from plimsoll.planning import SolveLimits
from unit.builders import (
    CPU_NODE,
    NOW_S,
    a_demand,
    a_deployment,
    a_node,
    a_pod,
    a_pool,
    a_snapshot,
    a_variant,
)

CHAT = a_deployment(variants=[a_variant("h100"), a_variant("l4", pool="gpu-l4")], rps=10.0)
POOLS = [a_pool("gpu-h100"), a_pool("gpu-l4", price_usd_per_hour=2.0)]


def test_every_variant_and_every_pool_is_spoken_of() -> None:
    plan = decide(a_snapshot([CHAT], POOLS), Memory()).plan
    (chat,) = plan.deployments
    assert [variant.key for variant in chat.variants] == [variant.key for variant in CHAT.variants]
    assert all(variant.message for variant in chat.variants)
    assert [pool.name for pool in plan.pools] == ["gpu-h100", "gpu-l4"]
    assert sum(pool.target_nodes * pool.price_usd_per_hour for pool in plan.pools) == chat.usd_per_hour


def test_the_same_snapshot_gives_the_same_decision_in_whatever_order_variants_come() -> None:
    other = replace(CHAT, variants=CHAT.variants[::-1])
    one, two = (decide(a_snapshot([chat], POOLS), Memory()).plan for chat in (CHAT, other))
    assert one.deployments[0].steps == two.deployments[0].steps
    assert one.deployments[0].alternatives == two.deployments[0].alternatives
    assert set(one.deployments[0].variants) == set(two.deployments[0].variants)


def test_predictions_are_for_the_share_of_the_load_that_a_replica_gets() -> None:
    (chat,) = decide(a_snapshot([CHAT], POOLS), Memory()).plan.deployments
    for variant in chat.variants:
        assert bool(variant.predicted) == (variant.target > 0)
        for latency in variant.predicted:
            limit = next(target.limit_ms for target in CHAT.slo if target.metric is latency.metric)
            assert 0 < latency.value_ms <= limit


def test_the_external_api_is_priced_at_present_demand() -> None:
    priced = replace(CHAT, external_price=ExternalPrice(0.15, 0.60))
    (chat,) = decide(a_snapshot([priced], POOLS), Memory()).plan.deployments
    # 10 req/s x 3600 s x (512 x 0.15 + 128 x 0.60) USD / 1e6 = 36,000 x 153.6e-6.
    assert chat.external_usd_per_hour == pytest.approx(5.5296)
    unknown = replace(priced, demand=a_demand(None))
    assert decide(a_snapshot([unknown], POOLS), Memory()).plan.deployments[0].external_usd_per_hour is None


def test_pools_tell_what_is_requested_of_the_nodes_that_are_there() -> None:
    node = a_node("n", CPU_NODE, foreign_requests={"cpu": 4.0})
    pool = a_pool("cpu-amx", nodes=(node, a_node("m", CPU_NODE, ready=False)), price_kind=PriceKind.PAID)
    xeon = a_variant("xeon", pool="cpu-amx", replicas=2, pods=(a_pod(node="n"), a_pod("waits", ready=False)))
    (told,) = decide(a_snapshot([a_deployment(variants=[xeon])], [pool]), Memory()).plan.pools
    # 4 of foreign pods and 16 of the one replica that is placed.
    assert (told.requested["cpu"], told.allocatable["cpu"]) == (20.0, 128.0)
    assert (told.nodes, told.ready_nodes, told.usd_per_hour) == (2, 1, 6.0)


def test_a_stock_out_is_told_only_while_it_lasts() -> None:
    snapshot = a_snapshot([CHAT], POOLS)
    now = {"gpu-h100": StockOut(NOW_S - 10.0, NOW_S + 290.0, 1)}
    over = {"gpu-h100": StockOut(NOW_S - 400.0, NOW_S - 100.0, 1)}
    assert decide(snapshot, Memory(stock_outs=now)).plan.pools[0].stocked_out_until_s == NOW_S + 290.0
    ended = decide(snapshot, Memory(stock_outs=over))
    assert ended.plan.pools[0].stocked_out_until_s is None
    assert ended.memory.stock_outs == over


def test_a_variant_that_cannot_meet_the_slo_says_so_in_findings_and_alternatives() -> None:
    tight = replace(CHAT, slo=(LatencyTarget(LatencyMetric.TPOT, 0.95, 0.001),))
    (chat,) = decide(a_snapshot([tight], POOLS), Memory()).plan.deployments
    reasons = [finding.reason for finding in chat.findings]
    assert reasons.count(Reason.SLO_UNREACHABLE) == 2
    assert Reason.CAPACITY_SHORT in reasons
    assert chat.phase is Phase.SHORT


def test_findings_about_objects_that_are_not_planned_are_passed_on() -> None:
    lost = Finding(CHAT.key, Reason.POOL_MISSING, "pool gpu-x is not there", "x")
    snapshot = a_snapshot([CHAT], POOLS, findings=(lost,))
    assert decide(snapshot, Memory()).plan.findings == (lost,)


def test_findings_and_steps_belong_to_their_deployment() -> None:
    short = a_deployment("short", variants=[a_variant("h100", max_replicas=0)], rps=5.0)
    plans = {d.key.name: d for d in decide(a_snapshot([CHAT, short], POOLS), Memory()).plan.deployments}
    assert [finding.reason for finding in plans["short"].findings] == [Reason.CAPACITY_SHORT]
    assert plans["chat"].findings == ()
    assert {step.key.deployment for step in plans["chat"].steps} == {"chat"}
    assert plans["short"].steps == ()


def test_phases_follow_what_matters_most() -> None:
    def phase(snapshot: Snapshot) -> Phase:
        return decide(snapshot, Memory()).plan.deployments[0].phase

    assert phase(a_snapshot([CHAT], POOLS)) is Phase.MOVING
    assert phase(a_snapshot([replace(CHAT, mode=Mode.PAUSED)], POOLS)) is Phase.PAUSED
    assert phase(a_snapshot([replace(CHAT, demand=a_demand(None))], POOLS)) is Phase.HELD
    assert phase(a_snapshot([CHAT], [])) is Phase.SHORT
    idle = a_deployment(variants=[a_variant("h100")], rps=0.0)
    assert phase(a_snapshot([idle], POOLS)) is Phase.STEADY


def test_a_recommendation_that_differs_from_what_runs_is_no_move() -> None:
    recommended = replace(CHAT, mode=Mode.RECOMMEND)
    (chat,) = decide(a_snapshot([recommended], POOLS), Memory()).plan.deployments
    assert chat.steps
    assert chat.phase is Phase.RECOMMENDED


def test_what_runs_as_recommended_is_steady_while_somebody_else_starts_it() -> None:
    starting = a_deployment(variants=[a_variant("h100", replicas=1, ready=0)], rps=1.0, mode=Mode.RECOMMEND)
    (chat,) = decide(a_snapshot([starting], POOLS), Memory()).plan.deployments
    assert [variant.target for variant in chat.variants] == [1]
    assert chat.phase is Phase.STEADY


@pytest.mark.parametrize("mode", [Mode.RECOMMEND, Mode.PAUSED])
def test_what_is_not_scaled_takes_no_capacity_from_what_is(mode: Mode) -> None:
    # One node of four GPUs, three of them in use by the one that is scaled; the other, more important, runs one.
    pool = a_pool("gpu-h100", nodes=1, max_nodes=1)
    busy = a_deployment("busy", variants=[a_running("h100", 3)], rps=60.0)
    shown = a_deployment("shown", variants=[a_running("h100", 1)], rps=60.0, mode=mode, priority=900)
    plan = decide(a_snapshot([busy, shown], [pool]), _watched(busy, shown)).plan
    targets = {v.key.deployment: v.target for d in plan.deployments for v in d.variants}
    assert targets["busy"] == 3
    assert plan.steps_to_apply == ()


@pytest.mark.parametrize("mode", [Mode.RECOMMEND, Mode.PAUSED])
def test_what_serves_on_a_cordoned_node_does_not_go_for_what_is_not_scaled(mode: Mode) -> None:
    cordoned = a_node("gpu-h100-0", schedulable=False)
    pool = a_pool("gpu-h100", nodes=(cordoned,), max_nodes=1)
    busy = a_deployment("busy", variants=[a_running("h100", 3)], rps=60.0)
    waiting = a_variant("h100", replicas=1, ready=0)
    shown = a_deployment("shown", variants=[waiting], rps=60.0, mode=mode, priority=900)
    plan = decide(a_snapshot([busy, shown], [pool]), _watched(busy, shown)).plan
    assert plan.steps_to_apply == ()


def a_running(name: str, replicas: int) -> Variant:
    return a_variant(
        name, replicas=replicas, pods=tuple(a_pod(f"{name}-{i}", node="gpu-h100-0") for i in range(replicas))
    )


def _watched(*deployments: Deployment) -> Memory:
    """A memory in which nothing has been wanted for an hour: whatever holds a replica, it is not stabilisation."""
    return Memory(targets={v.key: (TargetSample(NOW_S - 3600.0, 0),) for d in deployments for v in d.variants})


def test_a_limit_on_solving_time_is_passed_to_the_solver() -> None:
    plan = decide(a_snapshot([CHAT], POOLS), Memory(), SolveLimits(time_limit_s=0.0)).plan
    assert plan.solver.outcome is Reason.SOLVE_TIMED_OUT
    assert plan.deployments[0].shortfall_rps == 0.0


def test_an_empty_cluster_has_an_empty_plan() -> None:
    decision = decide(a_snapshot(), Memory())
    assert (decision.plan.deployments, decision.plan.pools, decision.plan.steps_to_apply) == ((), (), ())
