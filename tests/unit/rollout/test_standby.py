"""What of that which is ready is kept for a rise that found too little, for how long, and when it never is."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from plimsoll.domain import (
    Deployment,
    ExternalPrice,
    ExternalUse,
    ForecastBasis,
    Mode,
    Reason,
    Standby,
    Told,
)
from plimsoll.rollout import Rollout, roll_out
from plimsoll.rollout.standby import contested_pools, gives_room
from unit.builders import (
    NOW_S,
    a_deployment,
    a_forecast,
    a_pod,
    a_policy,
    a_pool,
    a_snapshot,
    a_variant,
    options_for,
)
from unit.rollout.case import an_allocation, watched

RPS_EACH = 5.0
POOLS = (a_pool("gpu-h100", price_usd_per_hour=4.0, max_nodes=10), a_pool("cpu-amx", price_usd_per_hour=1.0))


def chat(
    ready: int, told: Standby | None = None, policy: Mapping[str, Any] | None = None, **overrides: Any
) -> Deployment:
    """So many ready replicas, 5 req/s each, and a xeon that may take their place."""
    variants = [a_variant("h100", replicas=ready), a_variant("xeon", pool="cpu-amx", replicas=0)]
    made = a_deployment(variants=variants, policy=a_policy(**(policy or {})), **overrides)
    return replace(made, told=Told(standby=told))


def a_standby(**overrides: Any) -> Standby:
    return replace(Standby(20.0, 2.0, NOW_S - 100.0, 0.0, NOW_S - 10.0), **overrides)


def seen(
    deployment: Deployment,
    rps: float,
    before: Standby | None = None,
    wanted: Mapping[str, int] | None = None,
    basis: ForecastBasis = ForecastBasis.KNOWN,
    remembered: bool = True,
) -> Rollout:
    """What is done when so much arrives; all that is ready was wanted until ten minutes ago."""
    counts = {"h100": 1, "xeon": 0, **(wanted or {})}
    memory = replace(watched(deployment, counts), standbys={deployment.key: before} if remembered else {})
    forecast = a_forecast(deployment, rps, surely_rps=rps, basis=basis)
    options = options_for([deployment], {"h100": RPS_EACH, "xeon": RPS_EACH})
    snapshot = a_snapshot([deployment], POOLS)
    return roll_out(snapshot, {deployment.key: forecast}, options, an_allocation(deployment, counts), {}, memory)


def remembered(rollout: Rollout) -> Standby | None:
    (found,) = rollout.standbys.values()
    return found


def steps(rollout: Rollout) -> dict[str, tuple[int, int]]:
    return {step.key.variant: (step.from_replicas, step.to_replicas) for step in rollout.steps}


def test_demand_well_above_what_is_ready_is_counted_by_what_finds_no_capacity() -> None:
    # Two replicas carry 10 of 20 req/s; 100 requests in 10 s, a tenth of a cent each.
    began = remembered(seen(chat(ready=2), 20.0))
    assert began == Standby(20.0, 0.0, NOW_S, 0.0, NOW_S)
    after = remembered(seen(chat(ready=2), 20.0, replace(began, at_s=NOW_S - 10.0)))
    assert after is not None
    assert after.worth_usd == pytest.approx(0.1)
    assert replace(after, worth_usd=0.0) == began


def test_what_was_missing_while_nobody_looked_is_not_known() -> None:
    after = remembered(seen(chat(ready=2), 20.0, a_standby(worth_usd=0.0, at_s=NOW_S - 3600.0)))
    assert after is not None
    assert after.worth_usd == pytest.approx(0.6)  # a minute's worth, not an hour's


@pytest.mark.parametrize(
    ("deployment", "rps"),
    [
        (chat(ready=2), 12.0),
        (chat(ready=0), 20.0),
        (chat(ready=2, mode=Mode.RECOMMEND), 20.0),
        (chat(ready=2, external_price=ExternalPrice(1.0, 1.0, ExternalUse.OVERFLOW)), 20.0),
        (chat(ready=2, policy={"violation_usd_per_million_requests": 0.0}), 20.0),
        (chat(ready=2, policy={"longest_standby_s": 0.0}), 20.0),
    ],
    ids=["within headroom", "first start", "recommended only", "served by an API", "violations are free", "turned off"],
)
def test_what_is_no_rise_that_plimsoll_could_have_been_ready_for_is_not_counted(
    deployment: Deployment, rps: float
) -> None:
    assert remembered(seen(deployment, rps)) is None


def test_what_is_ready_stays_though_the_plan_wants_less() -> None:
    deployment = chat(ready=4)
    assert steps(seen(deployment, 2.0)) == {"h100": (4, 1)}
    kept = seen(deployment, 2.0, a_standby())
    assert steps(kept) == {}
    reason, message = next(told for key, told in kept.reasons.items() if key.variant == "h100")
    assert reason is Reason.KEPT_FOR_NEXT_RISE
    assert "stays at 4 replicas, 1 are wanted: the last rise, to 20.0 req/s, found too little, at 2.00 USD" in message
    assert "(payBack.longestStandby)" in message


def test_what_is_ready_beyond_the_rise_goes() -> None:
    assert steps(seen(chat(ready=6), 2.0, a_standby())) == {"h100": (6, 4)}


def test_nothing_is_started_for_it_and_nothing_that_is_only_cheaper_beside_it() -> None:
    assert steps(seen(chat(ready=2), 2.0, a_standby())) == {}
    assert steps(seen(chat(ready=4), 2.0, wanted={"h100": 0, "xeon": 1})) != {}
    kept = seen(chat(ready=4), 2.0, a_standby(), wanted={"h100": 0, "xeon": 1})
    assert steps(kept) == {}
    told = {key.variant: one for key, one in kept.reasons.items()}
    assert told["xeon"][0] is Reason.KEPT_FOR_NEXT_RISE
    assert "1 replica is wanted, but more than enough is ready" in told["xeon"][1]


def test_it_is_given_up_once_idling_has_cost_what_the_rise_did() -> None:
    # Three idle replicas of a quarter of a node of 4 USD an hour: 3 USD an hour, 0.0083 USD in 10 s.
    found = remembered(seen(chat(ready=4), 2.0, a_standby(idled_usd=1.0)))
    assert found is not None
    assert found.idled_usd == pytest.approx(1.0 + 3.0 * 10.0 / 3600.0)
    spent = seen(chat(ready=4), 2.0, a_standby(idled_usd=1.995))
    assert remembered(spent) is None
    assert steps(spent) == {"h100": (4, 1)}


@pytest.mark.parametrize(("ago_s", "kept"), [(7190.0, True), (7200.0, False)])
def test_it_is_given_up_after_the_policys_time_though_idling_may_cost_nothing(ago_s: float, kept: bool) -> None:
    assert (remembered(seen(chat(ready=1), 2.0, a_standby(needed_s=NOW_S - ago_s))) is not None) is kept


def test_after_a_clock_was_set_back_its_end_still_comes() -> None:
    found = remembered(seen(chat(ready=4), 2.0, a_standby(needed_s=NOW_S + 1e7)))
    assert found is not None
    assert found.needed_s == NOW_S


def test_when_the_rate_comes_again_and_finds_capacity_the_time_begins_anew() -> None:
    found = remembered(seen(chat(ready=4), 16.0, a_standby(idled_usd=1.5)))
    assert found == a_standby(needed_s=NOW_S, at_s=NOW_S)


def test_a_time_that_nobody_saw_teaches_nothing_and_forgets_nothing() -> None:
    standby = a_standby(needed_s=NOW_S - 5000.0, idled_usd=1.0)
    found = remembered(seen(chat(ready=4), 0.0, standby, basis=ForecastBasis.HELD))
    assert found == replace(standby, at_s=NOW_S)


def test_what_cost_less_than_a_cent_is_not_kept_for() -> None:
    assert steps(seen(chat(ready=4), 2.0, a_standby(worth_usd=0.009))) == {"h100": (4, 1)}


def test_who_is_short_of_room_gets_what_idles_beside_it() -> None:
    idle = chat(ready=4)
    waiting = a_pod(ready=False, unschedulable_since_s=NOW_S - 5.0)
    busy = a_deployment("busy", variants=[a_variant("h100", replicas=1, pods=(waiting,))])
    alone = an_allocation(idle, {})
    assert not gives_room(idle, contested_pools(a_snapshot([idle], POOLS), alone))
    contested = contested_pools(a_snapshot([idle, busy], POOLS), alone)
    assert gives_room(idle, contested)
    assert not gives_room(busy, contested)
    elsewhere = a_deployment("busy", variants=[a_variant("xeon", pool="cpu-amx", replicas=1, pods=(waiting,))])
    assert not gives_room(idle, contested_pools(a_snapshot([idle, elsewhere], POOLS), alone))


def test_after_a_restart_what_the_status_tells_goes_on() -> None:
    deployment = chat(ready=4, told=Standby(20.0, 2.0, None))
    # The status tells no end of the rise: it is taken for now.
    assert remembered(seen(deployment, 2.0, remembered=False)) == Standby(20.0, 2.0, NOW_S, 0.0, NOW_S)
    # A shortage is counted from the first look on, not from when the status was written.
    short = chat(ready=1, told=Standby(20.0, 2.0, None))
    assert remembered(seen(short, 20.0, remembered=False)) == Standby(20.0, 2.0, NOW_S, 0.0, NOW_S)


def test_what_was_given_up_is_not_taken_back_from_the_status() -> None:
    deployment = chat(ready=4, told=a_standby())
    gone = seen(deployment, 2.0, None)
    assert remembered(gone) is None
    assert steps(gone) == {"h100": (4, 1)}
