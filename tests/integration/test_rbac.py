"""Does the chart's role grant what the operator asks for, and nothing besides?

One operator with the chart's own service account goes through everything that it ever does; the API server's audit log
of that account is then held against the rules of its roles.
"""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

import pytest
from kubernetes.client import ApiClient

from integration.world import DOWN_WITHIN_S, LITTLE_RPS, MUCH_RPS, UP_WITHIN_S, World
from plimsoll.api import DELETION_COST_ANNOTATION
from plimsoll.api_server import FIELD_MANAGER
from plimsoll_testkit.chart import Release
from plimsoll_testkit.control_plane import ControlPlane
from plimsoll_testkit.definitions import install_definitions
from plimsoll_testkit.json_api import MERGE_PATCH, SERVER_SIDE_APPLY, delete, exists, request

LEADER_WORKER_SETS = {"apiGroup": "leaderworkerset.x-k8s.io", "resource": "leaderworkersets"}
RETIRED_WITHIN_S = 90.0
EVERYBODYS = ("system:discovery", "system:basic-user", "system:public-info-viewer", "system:service-account-issuer")
"""Cluster roles that every authenticated user has; by these the kinds that are served are looked up."""


class Right(NamedTuple):
    """One verb on one resource; the namespace is empty for the whole cluster."""

    namespace: str
    group: str
    resource: str
    verb: str


def a_kind(group: str, kind: str, plural: str, scale: bool = False) -> dict[str, Any]:
    """A definition for a kind of somebody else's, as loose as can be."""
    loose = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version: dict[str, Any] = {"name": "v1alpha1" if group == "keda.sh" else "v1", "served": True, "storage": True}
    version["schema"] = {"openAPIV3Schema": {"type": "object", "properties": {"spec": loose, "status": loose}}}
    if scale:
        version["subresources"] = {
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            }
        }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        # Groups of Kubernetes itself may only be served with a word on who agreed.
        "metadata": {
            "name": f"{plural}.{group}",
            "annotations": {"api-approved.kubernetes.io": "unapproved, for tests"},
        },
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [version],
        },
    }


@pytest.fixture
def scale_targets(api: ApiClient) -> Iterator[Sequence[Mapping[str, str]]]:
    """One more scalable kind, which the values of the chart name; KEDA's and the Gateway API's are there too."""
    definitions = [
        a_kind("leaderworkerset.x-k8s.io", "LeaderWorkerSet", "leaderworkersets", scale=True),
        a_kind("keda.sh", "ScaledObject", "scaledobjects"),
        a_kind("gateway.networking.k8s.io", "HTTPRoute", "httproutes"),
    ]
    install_definitions(api, definitions, manager="user")
    yield [LEADER_WORKER_SETS]
    for definition in definitions:
        delete(api, f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{definition['metadata']['name']}")


@pytest.mark.waits_long
def test_every_right_is_used_and_no_request_is_refused(world: World, control_plane: ControlPlane) -> None:
    go_through_everything(world)
    audit = [one for one in control_plane.audit_log() if is_of(one, world.namespace)]
    refused = [one["requestURI"] for one in audit if decision(one) == "forbid"]
    assert refused == []
    granted = rights_of(world.release)
    used = {right for one in audit for right in rights_used(one)}
    assert granted <= used, f"granted by the chart and never used, so take it away: {told(granted - used)}"
    assert used <= granted, f"allowed by something else than the chart: {told(used - granted)}"


def test_an_operator_of_the_whole_cluster_gets_along_without_roles_in_namespaces(
    world: World, control_plane: ControlPlane
) -> None:
    role = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{world.namespace}/roles/plimsoll"
    delete(world.api, role)
    world.serve([])
    assert not exists(world.api, role)
    world.add_model()
    world.set_demand(LITTLE_RPS)
    operator = world.start_operator()
    world.wait_for_ready({"chat-cpu": 1}, UP_WITHIN_S)
    world.wait(lambda: world.condition("Ready").get("status") == "True", "Ready", UP_WITHIN_S)
    operator.stop()
    audit = [one for one in control_plane.audit_log() if is_of(one, world.namespace)]
    assert [one["requestURI"] for one in audit if decision(one) == "forbid"] == []
    used = {right for one in audit for right in rights_used(one)}
    assert {right.namespace for right in used} == {"", world.namespace}
    assert {right.resource for right in used if right.namespace} == {"leases"}


@pytest.mark.parametrize(("role", "may_write"), [("view", False), ("edit", True)], ids=["who may view", "who may edit"])
def test_people_have_upon_models_the_rights_they_have_upon_all_else_in_their_namespace(
    role: str, may_write: bool, world: World, control_plane: ControlPlane
) -> None:
    world.add_model()
    binding = {
        "metadata": {"name": role},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "pat"}],
    }
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{world.namespace}/rolebindings"
    request(world.api, "POST", path, binding)

    def may(verb: str, resource: str, subresource: str = "", group: str = "plimsoll.dev") -> bool:
        asked = {"namespace": world.namespace, "verb": verb, "group": group, "resource": resource}
        spec = {"user": "pat", "resourceAttributes": {**asked, "subresource": subresource}}
        answer = request(world.api, "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", {"spec": spec})
        return bool(answer["status"]["allowed"])

    # A controller adds the chart's rules to the roles of Kubernetes; another test's release may just be taken away.
    world.wait(lambda: may("list", "inferencedeployments"), "the right to see models", UP_WITHIN_S)
    world.wait(lambda: may("patch", "inferencedeployments") is may_write, "the right to change them", UP_WITHIN_S)
    # As upon Deployments, of which a template of a variant makes some.
    assert may("create", "inferencedeployments") is may_write is may("create", "deployments", group="apps")
    assert not may("patch", "inferencedeployments", "status")
    assert not any(may("patch", one) for one in ("computepools", "servingprofiles", "scalingpolicies"))


def go_through_everything(world: World) -> None:
    """An owned Deployment made, moved and retired, three kinds scaled up and down, a lease taken and left."""
    world.add_model()
    share_out_by_a_route(world)
    world.apply_templated_model("gpu", name="owned")
    add_stateful_set(world)
    add_leader_worker_set(world)
    world.set_demand(MUCH_RPS)
    operator = world.start_operator()
    world.wait(lambda: world.has("owned-gpu"), "the owned Deployment", UP_WITHIN_S)
    world.wait_for_ready({"chat-gpu": 1, "owned-gpu": 1}, UP_WITHIN_S)
    world.wait(
        lambda: leader_worker_set(world)["spec"]["replicas"] > 0, "the LeaderWorkerSet to be scaled", UP_WITHIN_S
    )
    world.wait(lambda: world.replicas("stateful-cpu", "StatefulSet") > 1, "the StatefulSet to be scaled", UP_WITHIN_S)
    world.wait(lambda: weights_of_route(world) != [1, 1], "the route to be weighed", UP_WITHIN_S)
    leave_a_mark(world)
    world.apply_templated_model("h100", name="owned")
    world.wait(lambda: not world.has("owned-gpu"), "the retired Deployment to be gone", RETIRED_WITHIN_S)
    world.set_demand(LITTLE_RPS)
    world.wait(lambda: world.replicas("stateful-cpu", "StatefulSet") == 1, "less of the StatefulSet", DOWN_WITHIN_S)
    world.wait(lambda: replicas_of_chat(world) == 1, "less of the Deployments", DOWN_WITHIN_S)
    world.wait(lambda: not is_marked(world), "the mark that no step wants to be taken back", DOWN_WITHIN_S)
    operator.stop()


def share_out_by_a_route(world: World) -> None:
    """The model's two variants have a Service each, between which a route chooses by weight."""
    manifest = world.model_manifest("chat")
    services = [f"chat-{variant['name']}" for variant in manifest["spec"]["variants"]]
    for variant, service in zip(manifest["spec"]["variants"], services, strict=True):
        variant["service"] = service
    manifest["spec"]["routing"] = {"type": "HTTPRoute", "httpRoute": "chat"}
    request(world.api, "POST", routes(world), a_route(services))
    query = {"fieldManager": "user"}
    request(world.api, "PATCH", f"{world.models_path}/chat", manifest, query, SERVER_SIDE_APPLY)


def a_route(services: Sequence[str]) -> dict[str, Any]:
    backends = [{"name": service, "port": 80, "weight": 1} for service in services]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": "chat"},
        "spec": {"rules": [{"backendRefs": backends}]},
    }


def routes(world: World) -> str:
    return f"/apis/gateway.networking.k8s.io/v1/namespaces/{world.namespace}/httproutes"


def weights_of_route(world: World) -> list[int]:
    (rule,) = request(world.api, "GET", f"{routes(world)}/chat")["spec"]["rules"]
    return [backend["weight"] for backend in rule["backendRefs"]]


def pod_of_stateful_set(world: World) -> str:
    return f"/api/v1/namespaces/{world.namespace}/pods/stateful-cpu-0"


def leave_a_mark(world: World) -> None:
    """As an operator does that ends between marking a pod and the step down."""
    wish = {"metadata": {"annotations": {DELETION_COST_ANNOTATION: "-100"}}}
    query = {"fieldManager": FIELD_MANAGER}
    request(world.api, "PATCH", pod_of_stateful_set(world), wish, query, MERGE_PATCH)
    assert is_marked(world)


def is_marked(world: World) -> bool:
    metadata = request(world.api, "GET", pod_of_stateful_set(world))["metadata"]
    return DELETION_COST_ANNOTATION in metadata.get("annotations", {})


def replicas_of_chat(world: World) -> int:
    return world.replicas("chat-cpu") + world.replicas("chat-gpu")


def add_stateful_set(world: World) -> None:
    world.add_workload("stateful-cpu", world.cpu, {"cpu": "1"}, "StatefulSet")
    variant = {
        "name": "cpu",
        "pool": world.cpu,
        "profile": f"{world.namespace}-cpu",
        "targetRef": {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": "stateful-cpu"},
        "replicas": {"min": 1, "max": 3},
    }
    world.apply_variants("stateful", [variant])


def add_leader_worker_set(world: World) -> None:
    """A model of a kind that no controller here serves, so that its replicas are all there is to see, and one variant
    whose workload is missing."""
    manifest = {
        "apiVersion": "leaderworkerset.x-k8s.io/v1",
        "kind": "LeaderWorkerSet",
        "metadata": {"name": "groups"},
        "spec": {"replicas": 0},
        "status": {"replicas": 0, "selector": "app=groups"},
    }
    request(world.api, "POST", leader_worker_sets(world), manifest)
    variant: dict[str, Any] = {
        "name": "groups",
        "pool": world.cpu,
        "profile": f"{world.namespace}-cpu",
        "targetRef": {"apiVersion": "leaderworkerset.x-k8s.io/v1", "kind": "LeaderWorkerSet", "name": "groups"},
        "perReplica": {"cpu": "1"},
        "replicas": {"min": 0, "max": 2},
    }
    missing = variant | {"name": "missing", "targetRef": variant["targetRef"] | {"name": "nowhere"}}
    world.apply_variants("grouped", [variant, missing])


def leader_worker_sets(world: World) -> str:
    return f"/apis/leaderworkerset.x-k8s.io/v1/namespaces/{world.namespace}/leaderworkersets"


def leader_worker_set(world: World) -> dict[str, Any]:
    return request(world.api, "GET", f"{leader_worker_sets(world)}/groups")


# --- Rights granted and used -----------------------------------------------------------------------------------------


def told(rights: set[Right]) -> str:
    return "; ".join(f"{one.verb} {one.group}/{one.resource} in {one.namespace or 'all'}" for one in sorted(rights))


def rights_of(release: Release) -> set[Right]:
    """What the roles of the release that are bound grant; the others are for people."""
    bound = {(one["roleRef"]["kind"], one["roleRef"]["name"]) for one in release.manifests if "roleRef" in one}
    granted = set()
    for role in release.manifests:
        if (role["kind"], role["metadata"]["name"]) not in bound:
            continue
        namespace = role["metadata"].get("namespace", "")
        for rule in role["rules"]:
            granted |= {
                Right(namespace, group, resource, verb)
                for group in rule["apiGroups"]
                for resource in rule["resources"]
                for verb in rule["verbs"]
            }
    return granted


def rights_used(audited: Mapping[str, Any]) -> list[Right]:
    """The rights that one request took; none for what everybody may do."""
    reason = audited["annotations"].get("authorization.k8s.io/reason", "")
    if "objectRef" not in audited or any(f'"{role}"' in reason for role in EVERYBODYS):
        return []
    ref = audited["objectRef"]
    resource = "/".join(filter(None, (ref["resource"], ref.get("subresource"))))
    whole = Right("", ref.get("apiGroup", ""), resource, audited["verb"])
    here = whole._replace(namespace=ref.get("namespace", ""))
    # The server names the binding that let it pass: one of the whole cluster comes first.
    taken = whole if "ClusterRoleBinding" in reason else here
    # An apply of what is not there asks for a second right, of which the log does not tell.
    created = audited["verb"] == "patch" and audited.get("responseStatus", {}).get("code") == HTTPStatus.CREATED
    return [taken, taken._replace(verb="create")] if created else [taken]


def is_of(audited: Mapping[str, Any], namespace: str) -> bool:
    return bool(audited["user"]["username"] == f"system:serviceaccount:{namespace}:plimsoll")


def decision(audited: Mapping[str, Any]) -> str:
    return str(audited.get("annotations", {}).get("authorization.k8s.io/decision", ""))
