"""What is to be written to an HTTPRoute, and what is told of requests that go to an external API."""

from dataclasses import replace

import pytest

from plimsoll.decide import decide
from plimsoll.domain import (
    Deployment,
    ExternalPrice,
    ExternalUse,
    Memory,
    Mode,
    ObjectKey,
    Overflow,
    RouteWeights,
    Routing,
    Step,
    TargetSample,
)
from unit.builders import NOW_S, a_deployment, a_pool, a_profile, a_snapshot, a_variant

POOLS = [a_pool("gpu-h100"), a_pool("gpu-l4", price_usd_per_hour=2.0)]
A_SLOW_ONE = a_profile("slow", step_time=replace(a_profile().step_time, alpha_ms=20.0, beta_ms_per_sequence=0.5))
FREE = ExternalPrice(0.0001, 0.0001, ExternalUse.OVERFLOW)


def routed(fast: int, slow: int, **overrides: object) -> Deployment:
    variants = [
        a_variant("fast", replicas=fast, max_replicas=fast, service="chat-fast"),
        a_variant("slow", pool="gpu-l4", replicas=slow, max_replicas=slow, service="chat-slow", profile=A_SLOW_ONE),
    ]
    fields = {"variants": variants, "routing": Routing.HTTP_ROUTE, "http_route": "chat", "mode": Mode.PAUSED}
    return a_deployment(**(fields | overrides))  # type: ignore[arg-type]


def weights(deployment: Deployment) -> RouteWeights | None:
    return decide(a_snapshot([deployment], POOLS), Memory()).plan.deployments[0].weights


def test_weights_follow_what_the_ready_replicas_of_each_variant_carry() -> None:
    plan = decide(a_snapshot([routed(2, 1)], POOLS), Memory()).plan.deployments[0]
    fast_rps, slow_rps = (variant.ready_rps for variant in plan.variants)
    assert plan.weights is not None
    assert plan.weights.route == ObjectKey("team-a", "chat")
    assert fast_rps > 2 * slow_rps > 0
    share = 100.0 * fast_rps / (fast_rps + slow_rps)
    assert plan.weights.percent["chat-fast"] == pytest.approx(share, abs=0.5)
    assert sum(plan.weights.percent.values()) == 100


def test_a_variant_without_a_ready_replica_gets_no_request() -> None:
    deployment = routed(2, 1)
    unready = replace(deployment.variants[1], pods=())
    told = weights(replace(deployment, variants=(deployment.variants[0], unready)))
    assert told is not None
    assert told.percent == {"chat-fast": 100, "chat-slow": 0}


def test_where_nothing_is_ready_weights_stay_as_they_are() -> None:
    deployment = routed(2, 1)
    assert weights(replace(deployment, variants=tuple(replace(one, pods=()) for one in deployment.variants))) is None


def test_requests_leave_a_variant_in_the_tick_in_which_its_replicas_go() -> None:
    deployment = routed(2, 1, mode=Mode.AUTO, rps=0.5)
    long_ago = {variant.key: (TargetSample(NOW_S - 3600.0, 0),) for variant in deployment.variants}
    plan = decide(a_snapshot([deployment], POOLS), Memory(targets=long_ago)).plan.deployments[0]
    left = {one.key.variant: one.current for one in plan.variants} | {s.key.variant: s.to_replicas for s in plan.steps}
    assert any(isinstance(step, Step) and step.to_replicas == 0 for step in plan.steps)
    assert plan.weights is not None
    assert {name for name, share in plan.weights.percent.items() if share} == {
        f"chat-{name}" for name, count in left.items() if count
    }


def test_any_other_routing_has_no_weights() -> None:
    assert weights(routed(2, 1, routing=Routing.LOAD_AWARE, http_route=None)) is None


def test_requests_that_go_to_the_api_are_told_with_their_price() -> None:
    chat = a_deployment(rps=10.0, external_price=FREE)
    (plan,) = decide(a_snapshot([chat], POOLS), Memory()).plan.deployments
    assert plan.overflow is not None
    assert plan.overflow.rate_rps == pytest.approx(plan.forecast.required_rps)
    assert plan.usd_per_hour == plan.overflow.usd_per_hour > 0
    assert [variant.target for variant in plan.variants] == [0]
    assert plan.findings == ()


def test_replicas_leave_for_a_cheaper_api_once_the_window_is_over() -> None:
    running = a_variant("h100", replicas=2)
    chat = a_deployment(variants=[running], rps=10.0, external_price=FREE)
    memory = Memory(targets={chat.variants[0].key: (TargetSample(NOW_S - 3600.0, 0),)})
    (plan,) = decide(a_snapshot([chat], POOLS), memory).plan.deployments
    assert [(step.from_replicas, step.to_replicas) for step in plan.steps] == [(2, 0)]


def test_where_requests_overflow_but_none_needs_to_it_is_told_as_nothing() -> None:
    dear = ExternalPrice(500.0, 500.0, ExternalUse.OVERFLOW)
    (plan,) = decide(a_snapshot([a_deployment(rps=10.0, external_price=dear)], POOLS), Memory()).plan.deployments
    assert plan.overflow == Overflow(0.0, 0.0)
    compared = a_deployment(rps=10.0, external_price=replace(FREE, use=ExternalUse.COMPARE))
    (plan,) = decide(a_snapshot([compared], POOLS), Memory()).plan.deployments
    assert plan.overflow is None


def test_ready_replicas_behind_a_plain_service_are_told_as_they_share() -> None:
    shared = routed(2, 1, routing=Routing.SERVICE, http_route=None)
    (plan,) = decide(a_snapshot([shared], POOLS), Memory()).plan.deployments
    fast, slow = plan.variants
    # Each of the three pods gets what the slow one may.
    assert fast.ready_rps == pytest.approx(2 * slow.ready_rps)
