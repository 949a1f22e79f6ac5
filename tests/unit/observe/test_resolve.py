"""What stands in the way of an object is a finding that says what to change, and never stops the others."""

from dataclasses import replace
from typing import Any

import pytest

from plimsoll.api import Engine
from plimsoll.domain import Demand, DemandState, Mode, ObjectKey, Reason, Target
from plimsoll.observe import Cluster, with_demand
from plimsoll.observe.demand import Observed
from plimsoll.observe.targets import Scale, Unavailable, identity
from plimsoll.observe.views import Selector
from unit.builders import GIB
from unit.observe.manifests import (
    Manifest,
    a_budget_manifest,
    a_cluster,
    a_deployment_manifest,
    a_node_manifest,
    a_pod_manifest,
    a_pool_manifest,
    a_profile_manifest,
    a_template,
    a_variant_spec,
    a_workload,
    an_autoscaler,
    reasons,
)

CHAT = ("InferenceDeployment", a_deployment_manifest())
WORKLOAD = ("Deployment", a_workload())


def chat(*variants: Manifest, **spec: Any) -> tuple[str, Manifest]:
    if variants:
        spec["variants"] = list(variants)
    return "InferenceDeployment", a_deployment_manifest(**spec)


def only_finding(cluster: Cluster) -> str:
    """The message of the one finding on a variant; the deployment then has no usable one, which is the second."""
    first, second = cluster.findings
    assert second.reason is Reason.NO_USABLE_VARIANT
    assert first.message in second.message
    return first.message


def test_a_sound_deployment_is_there_without_findings() -> None:
    cluster = a_cluster(CHAT, WORKLOAD, ("Pod", a_pod_manifest()), ("Node", a_node_manifest()))
    (deployment,) = cluster.deployments
    (variant,) = deployment.variants
    assert cluster.findings == ()
    assert (variant.replicas, variant.ready_replicas, variant.pinned) == (2, 1, False)
    assert variant.per_replica == {"cpu": 8.0, "nvidia.com/gpu": 1.0}
    assert str(variant.target) == "Deployment/chat-h100"
    assert deployment.policy.name == "balanced"
    assert deployment.demand.state is DemandState.ABSENT


def test_all_that_the_spec_says_arrives() -> None:
    spec = {
        "mode": "Recommend",
        "priority": 7,
        "budget": {"perHour": "12.50"},
        "externalAPI": {"inputPerMillion": "0.15", "outputPerMillion": "0.60"},
        "demand": {"engine": "Gateway", "modelName": "chat"},
    }
    cluster = a_cluster(chat(**spec), WORKLOAD)
    (deployment,), (asked,) = cluster.deployments, cluster.asked
    assert (deployment.mode, deployment.priority, deployment.budget_usd_per_hour) == (Mode.RECOMMEND, 7, 12.5)
    assert deployment.external_price is not None
    assert deployment.demand.sees_zero_replicas
    assert (asked.source, asked.model) == (Engine.GATEWAY, "chat")


def test_the_burstiness_in_a_status_is_read_back() -> None:
    manifest = a_deployment_manifest()
    for status, told in (({"forecast": {"basis": "Known", "burstiness": "0.4"}}, 0.4), ({"forecast": {}}, 0.0)):
        (deployment,) = a_cluster(("InferenceDeployment", {**manifest, "status": status}), WORKLOAD).deployments
        assert deployment.told.rate_cv2 == told


# --- Objects that cannot be worked with ------------------------------------------------------------------------------


def test_an_invalid_spec_is_a_finding_and_leaves_the_others() -> None:
    bad = ("InferenceDeployment", a_deployment_manifest("bad", slo={}))
    cluster = a_cluster(bad, CHAT, WORKLOAD)
    assert [deployment.key.name for deployment in cluster.deployments] == ["chat"]
    (finding,) = cluster.findings
    assert (finding.deployment.name, finding.reason) == ("bad", Reason.INVALID_SPEC)


def test_a_missing_pool_is_named() -> None:
    cluster = a_cluster(chat(a_variant_spec(pool="gpu-b200")), WORKLOAD)
    assert cluster.findings[0].reason is Reason.POOL_MISSING
    assert only_finding(cluster).startswith("spec.variants[h100].pool is gpu-b200")


def test_an_invalid_pool_is_told_to_whoever_uses_it() -> None:
    broken = ("ComputePool", a_pool_manifest(price={}))
    cluster = a_cluster(broken, CHAT, WORKLOAD)
    assert "ComputePool gpu-h100 is not valid" in only_finding(cluster)
    assert cluster.pools == ()


def test_a_pool_of_which_nothing_is_known_cannot_be_planned() -> None:
    cluster = a_cluster(("ComputePool", a_pool_manifest(resources=None)), CHAT, WORKLOAD)
    assert "set spec.resources" in only_finding(cluster)


def test_a_missing_profile_is_named() -> None:
    cluster = a_cluster(chat(a_variant_spec(profile="nope")), WORKLOAD)
    assert cluster.findings[0].reason is Reason.PROFILE_MISSING
    assert "profile is nope" in only_finding(cluster)


def test_an_invalid_profile_is_told_to_whoever_uses_it() -> None:
    cluster = a_cluster(("ServingProfile", a_profile_manifest(maxSequences=0)), CHAT, WORKLOAD)
    assert cluster.findings[0].reason is Reason.PROFILE_MISSING
    assert "spec.maxSequences" in only_finding(cluster)


@pytest.mark.parametrize(
    ("profile", "words"),
    [
        (a_profile_manifest(model="other/model"), "made for model other/model"),
        (a_profile_manifest(hardware="l4"), "made on l4, but pool gpu-h100 has h100"),
    ],
)
def test_a_profile_of_something_else_is_refused(profile: Manifest, words: str) -> None:
    cluster = a_cluster(("ServingProfile", profile), CHAT, WORKLOAD)
    assert cluster.findings[0].reason is Reason.PROFILE_MISMATCH
    assert words in only_finding(cluster)


def test_a_missing_policy_leaves_the_deployment_at_the_defaults() -> None:
    cluster = a_cluster(chat(policy="reckless"), WORKLOAD)
    assert reasons(cluster.findings) == [Reason.POLICY_MISSING]
    assert cluster.deployments[0].policy.name == "balanced"


def test_an_invalid_policy_leaves_the_deployment_at_the_defaults() -> None:
    policy = ("ScalingPolicy", {"metadata": {"name": "balanced"}, "spec": {"headroom": 2.0}})
    cluster = a_cluster(policy, CHAT, WORKLOAD)
    assert reasons(cluster.findings) == [Reason.POLICY_MISSING]
    assert "spec.headroom" in cluster.findings[0].message


def test_a_policy_is_taken_by_its_name() -> None:
    policy = ("ScalingPolicy", {"metadata": {"name": "careful"}, "spec": {"headroom": 0.4}})
    cluster = a_cluster(policy, chat(policy="careful"), WORKLOAD)
    assert cluster.findings == ()
    assert cluster.deployments[0].policy.headroom_ratio == 0.4


def test_one_unusable_variant_leaves_the_others() -> None:
    cluster = a_cluster(chat(a_variant_spec(), a_variant_spec("l4", target="chat-l4", pool="gpu-l4")), WORKLOAD)
    assert [variant.name for variant in cluster.deployments[0].variants] == ["h100"]
    assert [(one.variant, one.reason) for one in cluster.findings] == [("l4", Reason.POOL_MISSING)]


def test_an_object_on_its_way_out_is_left_alone() -> None:
    leaving = a_deployment_manifest()
    leaving["metadata"]["deletionTimestamp"] = "2026-11-02T00:00:00Z"
    cluster = a_cluster(("InferenceDeployment", leaving), WORKLOAD)
    assert (cluster.deployments, cluster.findings) == ((), ())


# --- Targets ---------------------------------------------------------------------------------------------------------


def test_a_missing_target_is_named() -> None:
    cluster = a_cluster(CHAT)
    assert cluster.findings[0].reason is Reason.TARGET_MISSING
    assert "Deployment/chat-h100 is not there in namespace team-a" in only_finding(cluster)


def test_a_stateful_set_is_a_target_like_a_deployment() -> None:
    cluster = a_cluster(chat(a_variant_spec(kind="StatefulSet")), ("StatefulSet", a_workload(replicas=4)))
    assert cluster.deployments[0].variants[0].replicas == 4


def test_of_two_claims_the_older_object_keeps_the_target() -> None:
    elder = a_deployment_manifest("zelda", created="2026-10-01T00:00:00Z", variants=[a_variant_spec()])
    cluster = a_cluster(CHAT, ("InferenceDeployment", elder), WORKLOAD)
    assert [deployment.key.name for deployment in cluster.deployments] == ["zelda"]
    assert cluster.findings[0].reason is Reason.TARGET_CONTESTED
    assert "InferenceDeployment zelda" in cluster.findings[0].message


def test_of_two_claims_as_old_the_first_by_name_keeps_the_target() -> None:
    other = ("InferenceDeployment", a_deployment_manifest("also", variants=[a_variant_spec()]))
    assert [deployment.key.name for deployment in a_cluster(CHAT, other, WORKLOAD).deployments] == ["also"]


def test_an_invalid_object_claims_nothing() -> None:
    elder = a_deployment_manifest("also", created="2026-10-01T00:00:00Z", variants=[a_variant_spec()], slo={})
    cluster = a_cluster(CHAT, ("InferenceDeployment", elder), WORKLOAD)
    assert [deployment.key.name for deployment in cluster.deployments] == ["chat"]


@pytest.mark.parametrize("kind", ["HorizontalPodAutoscaler", "ScaledObject"])
def test_a_rival_autoscaler_pins_the_variant(kind: str) -> None:
    cluster = a_cluster(CHAT, WORKLOAD, (kind, an_autoscaler("greedy", "chat-h100")))
    (variant,) = cluster.deployments[0].variants
    assert variant.pinned
    assert variant.replicas == 2
    assert reasons(cluster.findings) == [Reason.RIVAL_AUTOSCALER]
    assert f"delete {kind} greedy" in cluster.findings[0].message


@pytest.mark.parametrize("kind", ["HorizontalPodAutoscaler", "ScaledObject"])
def test_where_nothing_is_written_another_autoscaler_is_no_rival(kind: str) -> None:
    """Or nothing could be recommended to who has one, and none could act on plimsoll_desired_replicas."""
    cluster = a_cluster(chat(mode="Recommend"), WORKLOAD, (kind, an_autoscaler("greedy", "chat-h100")))
    (variant,) = cluster.deployments[0].variants
    assert not variant.pinned
    assert cluster.findings == ()


def test_an_autoscaler_of_another_target_is_no_rival() -> None:
    rivals = [
        ("HorizontalPodAutoscaler", an_autoscaler("a", "web")),
        ("HorizontalPodAutoscaler", an_autoscaler("b", "chat-h100", kind="StatefulSet")),
    ]
    assert a_cluster(CHAT, WORKLOAD, *rivals).findings == ()


def test_an_owned_target_that_is_not_there_yet_has_no_replicas() -> None:
    cluster = a_cluster(chat(a_variant_spec(targetRef=None, template=a_template())))
    (variant,) = cluster.deployments[0].variants
    assert variant.target == Target("apps/v1", "Deployment", "team-a", "chat-h100", owned=True)
    assert (variant.replicas, variant.per_replica) == (0, {"cpu": 8.0})


def test_an_owned_target_is_recognised_by_its_controller() -> None:
    owned = chat(a_variant_spec(targetRef=None, template=a_template()))
    cluster = a_cluster(owned, ("Deployment", a_workload(controller_uid="uid-chat")))
    assert cluster.deployments[0].variants[0].replicas == 2


def a_retired_workload(**metadata: Any) -> Manifest:
    """Deployment chat-old, made for a variant that is gone, whose pods are of app chat-old."""
    workload = a_workload("chat-old", controller_uid="uid-chat")
    workload["metadata"] |= {
        "labels": {"app.kubernetes.io/managed-by": "plimsoll", "plimsoll.dev/deployment": "chat"}
        | {"plimsoll.dev/variant": "h100"},
        "annotations": {"plimsoll.dev/engine": "OpenVINO"},
        **metadata,
    }
    return workload


def test_pods_whose_variant_is_gone_still_count_where_demand_is_read() -> None:
    pods = [("Pod", a_pod_manifest(f"chat-old-{name}", app="chat-old")) for name in "ab"]
    cluster = a_cluster(CHAT, WORKLOAD, ("Pod", a_pod_manifest()), ("Deployment", a_retired_workload()), *pods)
    staying, leaving = cluster.asked[0].servers
    assert [pod.name for pod in staying.pods] == ["chat-h100-0"]
    assert (leaving.engine, leaving.workload) == (Engine.OPENVINO, "chat-old")
    assert [pod.name for pod in leaving.pods] == ["chat-old-a", "chat-old-b"]
    assert leaving.variant != staying.variant


def test_pods_whose_variant_is_gone_take_room_as_a_stranger_s() -> None:
    pod = a_pod_manifest("chat-old-a", app="chat-old", cpu="24")
    node = ("Node", a_node_manifest())
    cluster = a_cluster(CHAT, WORKLOAD, node, ("Deployment", a_retired_workload()), ("Pod", pod))
    assert cluster.pools[0].nodes[0].foreign_requests == {"cpu": 24.0}
    assert [variant.name for variant in cluster.deployments[0].variants] == ["h100"]


@pytest.mark.parametrize("engine", ["", "SomethingNew"])
def test_pods_of_an_engine_that_nobody_knows_are_not_read(engine: str) -> None:
    retired = a_retired_workload(annotations={"plimsoll.dev/engine": engine})
    (asked,) = a_cluster(CHAT, WORKLOAD, ("Deployment", retired)).asked
    assert [server.variant for server in asked.servers] == ["h100"]


@pytest.mark.parametrize("controller_uid", [None, "uid-of-another"])
def test_a_strangers_deployment_under_our_name_is_never_taken_over(controller_uid: str | None) -> None:
    owned = chat(a_variant_spec(targetRef=None, template=a_template()))
    cluster = a_cluster(owned, ("Deployment", a_workload(controller_uid=controller_uid)))
    assert cluster.findings[0].reason is Reason.TARGET_FOREIGN
    assert "rename" in only_finding(cluster)


def test_nonsense_in_a_template_is_a_finding() -> None:
    cluster = a_cluster(chat(a_variant_spec(targetRef=None, template=a_template("lots"))))
    assert cluster.findings[0].reason is Reason.INVALID_SPEC
    assert "cpu: 500m" in only_finding(cluster)


GROUP = Target("leaderworkerset.x-k8s.io/v1", "LeaderWorkerSet", "team-a", "chat-h100", owned=False)


def a_group_variant(**fields: Any) -> tuple[str, Manifest]:
    reference = {"apiVersion": GROUP.api_version, "kind": GROUP.kind, "name": GROUP.name}
    return chat(a_variant_spec(targetRef=reference, **fields))


def test_a_kind_with_a_scale_is_a_target_like_any_other() -> None:
    scale = Scale(3, Selector(equal=(("app", "chat-h100"),)))
    cluster = a_cluster(
        a_group_variant(perReplica={"nvidia.com/gpu": 2, "cpu": "16", "ephemeral-storage": "1Gi"}),
        ("Pod", a_pod_manifest()),
        scales={identity(GROUP): scale},
    )
    (variant,) = cluster.deployments[0].variants
    assert (variant.replicas, len(variant.pods)) == (3, 1)
    assert variant.per_replica == {"nvidia.com/gpu": 2.0, "cpu": 16.0}


def test_a_kind_that_keeps_its_template_elsewhere_needs_per_replica() -> None:
    cluster = a_cluster(a_group_variant(), scales={identity(GROUP): Scale(3, Selector())})
    assert cluster.findings[0].reason is Reason.INVALID_SPEC
    assert "set spec.variants[h100].perReplica" in only_finding(cluster)


def test_a_target_without_a_scale_is_told_as_it_was_found() -> None:
    refusal = Unavailable(Reason.TARGET_NOT_SCALABLE, "no scale subresource")
    cluster = a_cluster(a_group_variant(), scales={identity(GROUP): refusal})
    assert (cluster.findings[0].reason, only_finding(cluster)) == (refusal.reason, refusal.message)


def test_a_target_not_looked_up_is_left_out_not_guessed() -> None:
    assert a_cluster(a_group_variant()).findings[0].reason is Reason.TARGET_MISSING


def test_a_replica_larger_than_a_node_says_by_how_much() -> None:
    cluster = a_cluster(chat(a_variant_spec(perReplica={"nvidia.com/gpu": 8, "memory": "640Gi"})), WORKLOAD)
    assert cluster.findings[0].reason is Reason.REPLICA_DOES_NOT_FIT
    assert "memory 640Gi of 512Gi, nvidia.com/gpu 8 of 4" in only_finding(cluster)


def test_a_replica_that_asks_for_what_the_pool_has_not_does_not_fit() -> None:
    cluster = a_cluster(chat(a_variant_spec(perReplica={"habana.ai/gaudi": 1})), WORKLOAD)
    assert cluster.findings[0].reason is Reason.REPLICA_DOES_NOT_FIT


def test_a_replica_of_exactly_a_node_fits() -> None:
    whole = {"cpu": 64, "memory": "512Gi", "nvidia.com/gpu": 4}
    assert a_cluster(chat(a_variant_spec(perReplica=whole)), WORKLOAD).findings == ()


def test_a_pod_template_without_requests_cannot_be_placed() -> None:
    workload = a_workload()
    workload["spec"]["template"]["spec"]["containers"][0]["resources"] = {}
    cluster = a_cluster(CHAT, ("Deployment", workload))
    assert cluster.findings[0].reason is Reason.INVALID_SPEC


# --- Pods and nodes --------------------------------------------------------------------------------------------------


def test_pods_belong_to_the_target_whose_selector_they_match() -> None:
    pods = [
        ("Pod", a_pod_manifest("chat-h100-1")),
        ("Pod", a_pod_manifest("chat-h100-0")),
        ("Pod", a_pod_manifest("web-0", app="web")),
        ("Pod", a_pod_manifest("chat-h100-0", namespace="team-b")),
    ]
    (variant,) = a_cluster(CHAT, WORKLOAD, *pods).deployments[0].variants
    assert [pod.name for pod in variant.pods] == ["chat-h100-0", "chat-h100-1"]


def test_foreign_requests_are_those_of_pods_without_a_variant() -> None:
    objects = [
        ("Node", a_node_manifest()),
        ("Pod", a_pod_manifest("chat-h100-0", cpu="8")),
        ("Pod", a_pod_manifest("web-0", app="web", cpu="3")),
        ("Pod", a_pod_manifest("agent-0", app="agent", cpu="500m", owner_kind="DaemonSet", namespace="kube-system")),
        ("Pod", a_pod_manifest("elsewhere-0", app="web", cpu="9", node="other")),
    ]
    (pool,) = a_cluster(CHAT, WORKLOAD, *objects).pools
    (node,) = pool.nodes
    assert node.foreign_requests == {"cpu": 3.5}
    assert node.allocatable == {"cpu": 64.0, "memory": 512 * GIB, "nvidia.com/gpu": 4.0}


def test_nodes_belong_to_the_pool_whose_whole_selector_they_match() -> None:
    both = a_pool_manifest(nodeSelector={"pool": "gpu-h100", "zone": "a"})
    inside, outside = a_node_manifest("in"), a_node_manifest("out")
    inside["metadata"]["labels"]["zone"] = "a"
    (pool,) = a_cluster(("ComputePool", both), ("Node", inside), ("Node", outside)).pools
    assert [node.name for node in pool.nodes] == ["in"]


def test_without_stated_resources_a_node_offers_the_least_of_those_present() -> None:
    small = a_node_manifest("small", allocatable={"cpu": "32", "memory": "512Gi", "nvidia.com/gpu": "4"})
    daemon = a_pod_manifest("agent", app="agent", cpu="2", node="small", owner_kind="DaemonSet")
    unstated = ("ComputePool", a_pool_manifest(resources=None))
    (pool,) = a_cluster(unstated, ("Node", a_node_manifest()), ("Node", small), ("Pod", daemon)).pools
    assert pool.node_resources == {"cpu": 30.0, "memory": 512 * GIB, "nvidia.com/gpu": 4.0}


def test_stated_resources_stand_above_what_nodes_report() -> None:
    (pool,) = a_cluster(("Node", a_node_manifest(allocatable={"cpu": "1"}))).pools
    assert pool.node_resources["cpu"] == 64.0


# --- Together --------------------------------------------------------------------------------------------------------


def test_the_order_in_which_objects_come_does_not_matter() -> None:
    objects = [
        CHAT,
        ("InferenceDeployment", a_deployment_manifest("also")),
        WORKLOAD,
        ("Deployment", a_workload("also-h100")),
        ("Pod", a_pod_manifest("chat-h100-0")),
        ("Pod", a_pod_manifest("chat-h100-1")),
        ("Node", a_node_manifest("b")),
        ("Node", a_node_manifest("a")),
        ("ComputePool", a_pool_manifest("cpu-amx", hardware="xeon")),
    ]
    assert a_cluster(*objects) == a_cluster(*reversed(objects))


def test_what_metrics_say_is_put_where_it_belongs() -> None:
    cluster = a_cluster(CHAT, WORKLOAD)
    demand = Demand(DemandState.KNOWN, "fresh", False, 5.0)
    observed = Observed(demand, arrival_rate_rps={"h100": 5.0}, kv_cache_use_ratio={"h100": 0.5})
    snapshot = with_demand(cluster, {ObjectKey("team-a", "chat"): observed}, 123.0)
    (deployment,) = snapshot.deployments
    assert snapshot.now_s == 123.0
    assert deployment.demand == demand
    assert deployment.variants[0].arrival_rate_rps == 5.0
    assert deployment.variants[0].kv_cache_use_ratio == 0.5


def test_a_deployment_of_which_metrics_say_nothing_keeps_absent_demand() -> None:
    cluster = a_cluster(CHAT, WORKLOAD)
    assert with_demand(cluster, {}, 1.0).deployments[0].demand.state is DemandState.ABSENT


def test_a_version_of_a_target_is_the_same_target() -> None:
    assert identity(GROUP) == identity(replace(GROUP, api_version="leaderworkerset.x-k8s.io/v2"))


def test_pods_on_a_node_that_is_about_to_go_are_told_apart() -> None:
    notice = {"taints": [{"key": "aws-node-termination-handler/spot-itn", "effect": "NoSchedule"}]}
    nodes = [("Node", a_node_manifest("gpu-0", spec=notice)), ("Node", a_node_manifest("gpu-1"))]
    pods = [("Pod", a_pod_manifest("a", node="gpu-0")), ("Pod", a_pod_manifest("b", node="gpu-1"))]
    cluster = a_cluster(CHAT, WORKLOAD, *nodes, *pods)
    (variant,) = cluster.deployments[0].variants
    assert [pod.leaving for pod in variant.pods] == [True, False]
    assert [node.leaving for node in cluster.pools[0].nodes] == [True, False]
    assert (variant.leaving_replicas, variant.staying_ready_replicas, variant.ready_replicas) == (1, 1, 2)


@pytest.mark.parametrize(
    ("spec", "pods"),
    [
        pytest.param({"selector": {"matchLabels": {"app": "chat-h100"}}}, {"a", "b"}, id="by label"),
        pytest.param({"selector": {}}, {"a", "b"}, id="all of the namespace"),
        pytest.param(
            {"selector": {"matchExpressions": [{"key": "app", "operator": "Exists"}]}}, {"a", "b"}, id="exists"
        ),
        pytest.param({"selector": {"matchLabels": {"app": "other"}}}, None, id="others"),
        pytest.param({}, None, id="without a selector"),
    ],
)
def test_a_disruption_budget_names_the_pods_it_protects(spec: Manifest, pods: set[str] | None) -> None:
    budget = a_budget_manifest(allowed=1, **spec)
    own = [("Pod", a_pod_manifest("a")), ("Pod", a_pod_manifest("b"))]
    cluster = a_cluster(CHAT, WORKLOAD, ("PodDisruptionBudget", budget), *own)
    assert [(set(one.pods), one.allowed) for one in cluster.disruption_budgets] == ([] if pods is None else [(pods, 1)])


def test_a_disruption_budget_whose_status_is_out_of_date_allows_nothing() -> None:
    spec = {"selector": {"matchLabels": {"app": "chat-h100"}}}
    late = a_budget_manifest(allowed=1, observed=1, **spec)
    cluster = a_cluster(CHAT, WORKLOAD, ("PodDisruptionBudget", late), ("Pod", a_pod_manifest("a")))
    snapshot = with_demand(cluster, {}, 0.0)
    assert [one.allowed for one in snapshot.disruption_budgets] == [0]
