"""What is only cheaper waits until the wish for it has stood; what is needed does not."""

import pytest

from plimsoll.domain import Deployment, Memory, PriceKind, Reason, TargetSample
from plimsoll.forecast.last_hour import SAMPLE_S
from plimsoll.rollout.situation import PASSING_S
from unit.builders import NOW_S, a_deployment, a_policy, a_pool, a_variant
from unit.rollout.case import POOLS, changes, message, reason, rolled_out


def on_h100(replicas: int = 2, **policy: float) -> Deployment:
    """h100 (6 req/s a replica) serves; a xeon (2 req/s) starts in 60 s on a pool that delivers at once."""
    variants = [a_variant("h100", replicas=replicas), a_variant("xeon", pool="cpu-amx")]
    return a_deployment(variants=variants, policy=a_policy(**policy))


AT_ONCE = (POOLS[0], a_pool("cpu-amx", provisioning_s=0.0), POOLS[2])


def wished_for(chat: Deployment, since_s: float, xeon: int = 6) -> Memory:
    """The move to xeons has been wanted for so long, the h100s before."""
    before = NOW_S - 7200.0
    return Memory(
        targets={
            chat.variants[0].key: (TargetSample(before, 2), TargetSample(NOW_S - since_s, 0)),
            chat.variants[1].key: (TargetSample(before, 0), TargetSample(NOW_S - since_s, xeon)),
        }
    )


def test_a_cheaper_place_is_started_so_late_that_the_old_may_leave_when_it_is_ready() -> None:
    chat = on_h100(scale_down_stabilization_s=300.0)
    # 300 s until the h100s may leave, 60 s to start a xeon.
    early = rolled_out(chat, {"xeon": 6}, rps=12.0, pools=AT_ONCE, memory=wished_for(chat, 239.0))
    assert changes(early) == {}
    assert reason(early, "xeon") is Reason.WAITS_FOR_STABILISATION
    assert message(early, "xeon") == (
        "waits: goes up to 6 replicas once they have been wanted for 240 s, because they are only cheaper: what is "
        "asked for carries 12.0 req/s"
    )
    due = rolled_out(chat, {"xeon": 6}, rps=12.0, pools=AT_ONCE, memory=wished_for(chat, 241.0))
    assert changes(due) == {"xeon": (0, 6)}


def test_a_plan_between_two_samples_of_demand_starts_nothing_however_short_the_window() -> None:
    assert PASSING_S >= 2.0 * SAMPLE_S
    chat = on_h100(scale_down_stabilization_s=0.0)
    assert changes(rolled_out(chat, {"xeon": 6}, rps=12.0, memory=wished_for(chat, 19.0))) == {}
    assert changes(rolled_out(chat, {"xeon": 6}, rps=12.0, memory=wished_for(chat, 21.0))) == {"xeon": (0, 6)}


def test_only_as_much_is_started_as_was_wanted_throughout() -> None:
    chat = on_h100(scale_down_stabilization_s=30.0)
    xeon, memory = chat.variants[1].key, wished_for(chat, 25.0, xeon=5)
    shrinking = Memory(targets={**memory.targets, xeon: (*memory.targets[xeon], TargetSample(NOW_S - 5.0, 3))})
    assert changes(rolled_out(chat, {"xeon": 3}, rps=5.0, memory=shrinking))["xeon"] == (0, 3)
    growing = Memory(targets={**memory.targets, xeon: (*memory.targets[xeon], TargetSample(NOW_S - 5.0, 6))})
    assert changes(rolled_out(chat, {"xeon": 6}, rps=12.0, memory=growing)) == {"xeon": (0, 5)}


@pytest.mark.parametrize(("rps", "starts"), [(11.0, False), (13.0, True)])
def test_what_is_needed_for_capacity_is_started_at_once(rps: float, starts: bool) -> None:
    chat = on_h100()
    rollout = rolled_out(chat, {"xeon": 7}, rps=rps, pools=AT_ONCE, memory=wished_for(chat, 0.0, xeon=7))
    assert changes(rollout) == ({"xeon": (0, 7)} if starts else {})


def test_after_a_restart_a_cheaper_place_waits_until_the_wish_for_it_has_stood() -> None:
    assert changes(rolled_out(on_h100(), {"xeon": 6}, rps=12.0, memory=Memory())) == {}


def test_what_the_loss_of_a_spot_pool_must_leave_is_started_at_once() -> None:
    chat = on_h100(spot_loss_tolerated_ratio=0.5)
    spot = (a_pool("gpu-h100", price_kind=PriceKind.SPOT), *AT_ONCE[1:])
    memory = wished_for(chat, 0.0, xeon=3)
    assert changes(rolled_out(chat, {"h100": 1, "xeon": 3}, rps=12.0, memory=memory)) == {}
    assert changes(rolled_out(chat, {"h100": 1, "xeon": 3}, rps=12.0, pools=spot, memory=memory)) == {"xeon": (0, 3)}
