"""Behind a plain Service the first slow pod slows down all that are ready: no step lets that cost the demand."""

from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from plimsoll.domain import CapacityTable, Deployment, Memory, Reason, Routing, Variant, carried_rps
from plimsoll.rollout import roll_out
from unit.builders import a_deployment, a_forecast, a_policy, a_snapshot, a_variant, options_for
from unit.rollout.case import POOLS, RPS, an_allocation, changes, rolled_out
from unit.rollout.test_never_under_capacity import TICK_S, ToyCluster, cycle

DEMAND_RPS = 8.0
STEP_S = 5.0
"""Delays of pods are multiples of it: every moment at which one becomes ready is looked at."""


def behind_a_service(fast: Variant, slow: Variant, rps: float) -> Deployment:
    """An h100 carries 6 req/s, a xeon 2."""
    return a_deployment(variants=[fast, slow], rps=rps, routing=Routing.SERVICE)


def xeon(replicas: int = 0, ready: int | None = None) -> Variant:
    return a_variant("xeon", pool="cpu-amx", replicas=replicas, ready=ready)


def test_a_move_to_slower_replicas_waits_where_the_first_would_slow_down_what_serves() -> None:
    rollout = rolled_out(behind_a_service(a_variant(replicas=3), xeon(), 16.0), {"xeon": 8})
    assert changes(rollout) == {}
    reason, message = rollout.reasons[xeon().key]
    assert reason is Reason.ROUTED_EQUALLY
    assert "set spec.routing.type to HTTPRoute or LoadAware" in message


def test_the_same_move_goes_on_where_a_router_knows_the_difference() -> None:
    chat = replace(behind_a_service(a_variant(replicas=3), xeon(), 16.0), routing=Routing.LOAD_AWARE)
    assert changes(rolled_out(chat, {"xeon": 8})) == {"xeon": (0, 8)}


def test_it_goes_on_where_equal_shares_carry_the_demand_all_the_way() -> None:
    rollout = rolled_out(behind_a_service(a_variant(replicas=4), xeon(), DEMAND_RPS), {"xeon": 4})
    assert changes(rollout)["xeon"] == (0, 4)


def test_what_is_missing_now_is_asked_for_however_slow() -> None:
    assert changes(rolled_out(behind_a_service(a_variant(replicas=3), xeon(), 40.0), {"h100": 3, "xeon": 17})) == {
        "xeon": (0, 17)
    }


def test_fast_replicas_stay_while_a_slow_one_is_on_its_way_that_needs_them_for_its_share() -> None:
    # Two h100 would carry 12 req/s, but with the first xeon only 3 x 2: three have to stay.
    rollout = rolled_out(behind_a_service(a_variant(replicas=4), xeon(4, ready=0), DEMAND_RPS), {"xeon": 4})
    assert changes(rollout) == {"h100": (4, 3)}


plans = st.lists(st.sampled_from([(2, 0), (0, 4), (4, 0), (1, 3), (3, 1), (0, 6)]), min_size=2, max_size=6)
delays = st.lists(st.sampled_from([0.0, 5.0, 25.0, 70.0, 1e9]), min_size=1, max_size=8)


@settings(max_examples=80, deadline=None)
@given(plans, delays)
@example([(4, 0), (0, 4)], [25.0])
def test_no_step_lets_equal_shares_fall_below_demand(plans: list[tuple[int, int]], delays: list[float]) -> None:
    cluster, memory = ToyCluster(cycle(delays)), Memory()
    cluster.pods["h100"] = {f"h100-old-{i}": 0.0 for i in range(2)}
    policy = a_policy(scale_down_stabilization_s=30.0, max_scale_down_replicas_per_tick=2)
    for h100, xeons in (plan for plan in plans for _ in range(8)):
        variants = [replace(cluster.variant(name), min_replicas=0, max_replicas=8) for name in ("h100", "xeon")]
        chat = a_deployment(variants=variants, rps=DEMAND_RPS, policy=policy, routing=Routing.SERVICE)
        rollout = roll_out(
            a_snapshot([chat], POOLS, now_s=cluster.now_s),
            {chat.key: a_forecast(chat)},
            options_for([chat], RPS),
            an_allocation(chat, {"h100": h100, "xeon": xeons}),
            {},
            memory,
        )
        memory = Memory(targets=rollout.targets)
        for step in rollout.steps:
            cluster.apply(step)
        for _ in range(int(TICK_S / STEP_S)):
            assert _carried_rps(cluster) >= DEMAND_RPS - 1e-4
            cluster.now_s += STEP_S


def _carried_rps(cluster: ToyCluster) -> float:
    fleet = [
        (CapacityTable((1,), (RPS[name],)), sum(at_s <= cluster.now_s for at_s in pods.values()))
        for name, pods in cluster.pods.items()
    ]
    return carried_rps(Routing.SERVICE, fleet)
