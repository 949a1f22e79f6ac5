"""A plan that stands for one look boots no node: that one would be paid for long after the plan has gone."""

from plimsoll.domain import Deployment, Memory, Pool, Reason, TargetSample
from unit.builders import NOW_S, a_deployment, a_node, a_pod, a_policy, a_pool, a_variant
from unit.rollout.case import changes, message, reason, rolled_out

FULL = (a_pool("gpu-h100", nodes=(a_node("full"),)), a_pool("cpu-amx", nodes=1, price_usd_per_hour=1.0))
"""One node of four GPUs, on all of which a replica runs; a CPU node with room for four."""
ROOMY = (a_pool("gpu-h100", nodes=2), *FULL[1:])


def chat(replicas: int = 4, ready: bool = True, **policy: int) -> Deployment:
    """h100 (6 req/s a replica) fills its node; a xeon (2 req/s) starts in 30 s."""
    pods = tuple(a_pod(f"h100-{place}", node="full", ready=ready) for place in range(replicas))
    h100 = a_variant("h100", replicas=replicas, pods=pods, startup_s=240.0)
    return a_deployment(
        variants=[h100, a_variant("xeon", pool="cpu-amx", startup_s=30.0)],
        policy=a_policy(violation_usd_per_million_requests=0.0, **policy),
    )


def wanted_for(*stood: tuple[int, float]) -> Memory:
    """So many h100s have been wanted for so many seconds each, the oldest first; four before."""
    key = chat().variants[0].key
    samples = [TargetSample(NOW_S - 7200.0, 4), *(TargetSample(NOW_S - since_s, count) for count, since_s in stood)]
    return Memory(targets={key: tuple(samples), chat().variants[1].key: (TargetSample(NOW_S - 7200.0, 0),)})


def steps(deployment: Deployment, wanted: int, memory: Memory, pools: tuple[Pool, ...] = FULL) -> dict[str, object]:
    return dict(changes(rolled_out(deployment, {"h100": wanted}, rps=6.0 * wanted, memory=memory, pools=pools)))


def test_a_node_is_booted_once_the_plan_has_stood() -> None:
    assert steps(chat(), 6, wanted_for((6, 19.0))) == {}
    assert steps(chat(), 6, wanted_for((6, 20.0))) == {"h100": (4, 6)}


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
    assert "(of 9 wanted: nodes are booted for as many as have been wanted for 20 s)" in message(rollout, "h100")


def test_the_step_limit_is_told_where_it_is_what_limits() -> None:
    deployment = chat(max_scale_up_replicas_per_tick=1)
    rollout = rolled_out(deployment, {"h100": 6}, rps=36.0, memory=wanted_for((6, 30.0)), pools=FULL)
    assert changes(rollout) == {"h100": (4, 5)}
    assert "(of 6 wanted: as many as the policy allows at once)" in message(rollout, "h100")


def test_on_a_node_that_is_there_nothing_waits() -> None:
    assert steps(chat(), 6, wanted_for((6, 0.0)), ROOMY) == {"h100": (4, 6)}


def test_where_nothing_serves_nothing_waits() -> None:
    assert steps(chat(ready=False), 6, wanted_for((6, 0.0))) == {"h100": (4, 6)}


def test_a_process_that_has_just_started_knows_no_other_plan_and_waits_for_none() -> None:
    assert steps(chat(), 6, Memory()) == {"h100": (4, 6)}


def test_what_is_quick_bridges_while_the_plan_for_what_is_slow_has_not_stood_yet() -> None:
    deployment = chat()
    priced = a_deployment(variants=deployment.variants, policy=a_policy())
    rollout = rolled_out(priced, {"h100": 5}, rps=30.0, memory=wanted_for((5, 0.0)), pools=FULL)
    assert changes(rollout) == {"xeon": (0, 3)}
    assert reason(rollout, "xeon") is Reason.BRIDGING
