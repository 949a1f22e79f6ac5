"""Whole stretches of time with the real stations in a toy cluster: what must be true at every tick."""

from collections.abc import Iterator
from dataclasses import replace

from plimsoll.domain import Decision, DemandState, Memory, Mode, Phase, PriceKind, Reason, StepTime
from unit.builders import a_demand, a_deployment, a_policy, a_pool, a_profile, a_variant
from unit.decide.world import World

H100 = a_variant("h100", startup_s=60.0)
"""About 22 req/s a replica within the SLO of the builders."""
XEON = a_variant(
    "xeon",
    pool="cpu-amx",
    profile=a_profile(
        "xeon", hardware="intel-xeon-amx", step_time=StepTime(25.0, 0.6, 0.5, 0.0004), max_sequences=16, startup_s=30.0
    ),
)
"""About 0.7 req/s a replica, but on nodes that are paid for."""
BUSY_RPS, QUIET_RPS = 18.0, 1.5


def a_world(**overrides: object) -> World:
    """Nothing is kept for the next rise unless a policy is given: what is shown here are the other rules."""
    overrides = {"policy": a_policy(longest_standby_s=0.0), **overrides}
    pools = [
        a_pool("gpu-h100", provisioning_s=60.0, max_nodes=2),
        a_pool("cpu-amx", nodes=2, price_kind=PriceKind.PAID, min_nodes=2, max_nodes=2, provisioning_s=0.0),
    ]
    return World([a_deployment(variants=[H100, XEON], **overrides)], pools)  # type: ignore[arg-type]


def run(world: World, rps: float, ticks: int) -> Iterator[Decision]:
    """Ticks with steady demand; no step of any of them takes ready capacity below what is needed."""
    for _ in range(ticks):
        before = {variant.key: world.ready(variant) for variant in world.variants}
        decision = world.tick(rps)
        (plan,) = decision.plan.deployments
        rates = {variant.key: variant.safe_rate_rps for variant in plan.variants}
        before_rps = sum(rates[key] * ready for key, ready in before.items())
        needed_rps = min(before_rps, plan.forecast.required_rps - plan.shortfall_rps)
        assert world.ready_rps(decision) >= needed_rps - 1e-4
        yield decision


def settle(world: World, rps: float, ticks: int = 60) -> Decision:
    *_, last = run(world, rps, ticks)
    return last


def test_work_moves_to_the_gpu_when_busy_and_back_to_paid_cpus_when_quiet() -> None:
    world = a_world()
    settle(world, QUIET_RPS)
    assert set(world.replicas()) == {"xeon"}
    settle(world, BUSY_RPS)
    assert set(world.replicas()) == {"h100"}
    settle(world, QUIET_RPS, 150)
    assert set(world.replicas()) == {"xeon"}
    assert [len(world.nodes[name]) for name in ("gpu-h100", "cpu-amx")] == [0, 2]


def test_a_steady_cluster_sees_no_steps_and_the_same_plan_at_every_tick() -> None:
    world = a_world()
    settle(world, BUSY_RPS)
    for decision in run(world, BUSY_RPS, 30):
        (plan,) = decision.plan.deployments
        assert decision.plan.steps_to_apply == ()
        assert plan.phase is Phase.STEADY
        assert plan.usd_per_hour == 12.0


def test_a_stock_out_is_bridged_on_cpus_and_left_when_nodes_come_again() -> None:
    world = a_world()
    settle(world, QUIET_RPS)
    world.sold_out = {"gpu-h100"}
    settle(world, BUSY_RPS, 12)
    assert world.replicas() == {"h100": 1, "xeon": 8}
    during = settle(world, 5.0, 70)
    (plan,) = during.plan.deployments
    # The peak is forgotten; all 8 paid slots carry about 5.6 req/s; the GPU that never came is taken back.
    assert world.replicas() == {"xeon": 8}
    assert plan.shortfall_rps == 0.0
    assert during.plan.pools[1].stocked_out_until_s is not None
    assert {a.label: a.reason for a in plan.alternatives} == {"h100": Reason.STOCK_OUT}
    world.sold_out = set()
    settle(world, BUSY_RPS, 80)
    assert "h100" in world.replicas()
    assert world.memory.stock_outs == {}


def test_replicas_that_wait_for_a_sold_out_pool_keep_asking_while_demand_is_short() -> None:
    world = a_world()
    settle(world, QUIET_RPS)
    world.sold_out = {"gpu-h100"}
    during = settle(world, BUSY_RPS, 60)
    (plan,) = during.plan.deployments
    assert plan.phase is Phase.SHORT
    assert plan.shortfall_rps > 10.0
    assert {finding.reason for finding in plan.findings} == {Reason.CAPACITY_SHORT, Reason.STOCK_OUT}
    world.sold_out = set()
    settle(world, BUSY_RPS, 20)
    # A node within a minute, a start within another: no need to wait for the end of the mark.
    assert world.ready(world.variants[0]) == 1


def test_missing_metrics_hold_everything_however_long_they_are_missing() -> None:
    world = a_world()
    settle(world, BUSY_RPS)
    before = world.replicas()
    gone = a_demand(None, state=DemandState.UNREACHABLE, message="no answer from Prometheus")
    for _ in range(120):
        decision = world.tick(gone)
        assert world.replicas() == before
        assert decision.plan.deployments[0].phase is Phase.HELD


def test_a_restart_in_the_middle_of_a_move_neither_doubles_nor_drops_anything() -> None:
    world = a_world()
    settle(world, QUIET_RPS)
    settle(world, BUSY_RPS, 5)
    halfway = world.replicas()
    assert set(halfway) == {"h100", "xeon"}
    world.memory = Memory()
    for _ in run(world, BUSY_RPS, 29):
        assert world.replicas() == halfway
    settle(world, BUSY_RPS, 10)
    assert set(world.replicas()) == {"h100"}


def test_recommendations_and_pauses_change_nothing() -> None:
    for mode in (Mode.RECOMMEND, Mode.PAUSED):
        world = a_world(mode=mode)
        decision = settle(world, BUSY_RPS, 40)
        assert world.replicas() == {}
        assert decision.plan.steps_to_apply == ()
        assert bool(decision.plan.deployments[0].steps) == (mode is Mode.RECOMMEND)


def test_a_move_that_does_not_pay_back_is_refused_and_made_once_it_does() -> None:
    # The same GPUs, two minutes away. A quarter of a node starts for 2.95 USD/h x 120 s x 1.1 = 0.11 USD, 0.65 USD an
    # hour over ten minutes: that is more than a node at 11.80 instead of 12 saves, and less than one at 6 does.
    for price, moves in ((11.8, False), (6.0, True)):
        elsewhere = a_variant("elsewhere", pool="gpu-elsewhere", startup_s=60.0)
        world = World(
            [a_deployment(variants=[H100, elsewhere], policy=a_policy(expected_dwell_s=600.0))],
            [
                a_pool("gpu-h100", provisioning_s=60.0, max_nodes=2),
                a_pool("gpu-elsewhere", provisioning_s=60.0, max_nodes=2, price_usd_per_hour=30.0),
            ],
        )
        settle(world, BUSY_RPS)
        assert set(world.replicas()) == {"h100"}
        world.pools[1] = replace(world.pools[1], price_usd_per_hour=price)
        (plan,) = settle(world, BUSY_RPS, 80).plan.deployments
        assert set(world.replicas()) == {"elsewhere" if moves else "h100"}
        refused = {one.label for one in plan.alternatives if one.reason is Reason.CHANGE_DOES_NOT_PAY}
        assert refused == (set() if moves else {"elsewhere"})


def test_memory_does_not_grow_with_time() -> None:
    world = a_world()
    for decision in run(world, BUSY_RPS, 200):
        assert all(len(history) <= 35 for history in decision.memory.targets.values())
        assert all(len(samples) <= 361 for samples in decision.memory.demand.values())
