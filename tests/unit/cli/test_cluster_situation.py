"""What the statuses tell is enough to decide as the operator did, and to ask what would be if."""

from dataclasses import replace
from typing import Any

from plimsoll.apply.status import deployment_status
from plimsoll.cli.cluster_situation import situation_as_told
from plimsoll.decide import decide
from plimsoll.domain import DemandState, ForecastBasis, Memory, ObjectKey, VariantKey
from plimsoll.observe import ClusterCache, Observed, resolve, with_demand
from plimsoll.what_if import assume
from unit.builders import MIX, NOW_S, a_demand
from unit.observe.manifests import a_cache, a_deployment_manifest, a_node_manifest, a_pod_manifest, a_workload

CHAT = ObjectKey("team-a", "chat")
RPS = 30.0


def a_cluster_cache(status: dict[str, Any] | None = None, **spec: Any) -> ClusterCache:
    deployment = a_deployment_manifest(**spec) | ({"status": status} if status else {})
    return a_cache(
        ("InferenceDeployment", deployment),
        ("Deployment", a_workload(replicas=1)),
        ("Node", a_node_manifest()),
        ("Pod", a_pod_manifest()),
    )


def the_operators(rps: float | None = RPS, **demand: Any) -> dict[str, Any]:
    """The status that the operator writes of this world."""
    cluster = resolve(a_cluster_cache().contents(), {})
    snapshot = with_demand(cluster, {CHAT: Observed(a_demand(rps, **demand))}, NOW_S)
    plan = decide(snapshot, Memory()).plan
    return deployment_status(plan.deployments[0], (), None, NOW_S, plan.solver)


def test_the_plan_decided_anew_is_the_one_the_operator_told() -> None:
    told = the_operators()
    plan = situation_as_told(a_cluster_cache(told), {}, NOW_S).decided()
    again = deployment_status(plan.deployments[0], (), None, NOW_S, plan.solver)
    for part in ("variants", "cost", "targetReplicas"):
        assert again[part] == told[part]
    assert plan.deployments[0].forecast.required_rps == RPS


def test_what_was_planned_for_counts_and_not_what_arrives() -> None:
    told = the_operators()
    told["forecast"]["requiredRate"] = "90"
    told["forecast"]["burstiness"] = "0.5"
    situation = situation_as_told(a_cluster_cache(told), {}, NOW_S)
    made = situation.forecasts[CHAT]
    assert (made.now_rps, made.required_rps, made.burstiness.rate_cv2) == (RPS, 90.0, 0.5)
    assert situation.deployment(CHAT).demand.arrival_rate_rps == RPS
    assert situation.decided().deployments[0].forecast.required_rps == 90.0


def test_requests_are_as_long_as_the_operator_told() -> None:
    mix = replace(MIX, prompt_tokens_most=5000.0)
    situation = situation_as_told(a_cluster_cache(the_operators(tokens=mix)), {}, NOW_S)
    assert situation.deployment(CHAT).demand.tokens == mix


def test_unknown_demand_is_held_as_the_operator_holds_it() -> None:
    told = the_operators(None, state=DemandState.STALE)
    plan = situation_as_told(a_cluster_cache(told), {}, NOW_S).decided().deployments[0]
    assert (plan.demand.state, plan.forecast.basis) == (DemandState.STALE, ForecastBasis.HELD)


def test_the_last_plan_and_what_requests_taught_are_taken_over() -> None:
    told = the_operators()
    told["variants"][0]["correction"] = "1.2"
    situation = situation_as_told(a_cluster_cache(told), {}, NOW_S)
    assert situation.memory.replicas == {VariantKey(*CHAT, "h100"): told["variants"][0]["target"]}
    assert situation.decided().deployments[0].variants[0].correction == 1.2


def test_a_deployment_without_a_status_is_there_without_demand() -> None:
    situation = situation_as_told(a_cluster_cache(), {}, NOW_S)
    assert situation.deployment(CHAT).demand.state is DemandState.ABSENT
    changed, _ = assume(situation, ["rate=30"], CHAT)
    assert changed.decided().deployments[0].forecast.required_rps == RPS


def test_a_gateway_sees_demand_at_no_replicas() -> None:
    situation = situation_as_told(a_cluster_cache(the_operators(), demand={"engine": "Gateway"}), {}, NOW_S)
    assert situation.deployment(CHAT).demand.sees_zero_replicas
