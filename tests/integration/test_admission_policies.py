"""Do the ValidatingAdmissionPolicies refuse what they say, in words that help, and let everything else through?

They are rendered by the chart and bind the whole cluster, so they are there for this module alone.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from kubernetes.client import ApiClient, ApiException

from integration.world import MUCH_RPS, UP_WITHIN_S, World, install_crds
from plimsoll_testkit.chart import CHART, rendered
from plimsoll_testkit.control_plane import ControlPlane
from plimsoll_testkit.definitions import install_definitions
from plimsoll_testkit.json_api import MERGE_PATCH, SERVER_SIDE_APPLY, delete, request
from plimsoll_testkit.processes import wait_until
from unit.api.manifests import (
    REMOVED,
    Manifest,
    a_compute_pool,
    a_serving_profile,
    an_inference_deployment,
    changed,
)

IN_FORCE_WITHIN_S = 60.0
"""A new policy is in force a few seconds after it is written."""
ADMISSION = "/apis/admissionregistration.k8s.io/v1"
PLURALS = {
    "ValidatingAdmissionPolicy": f"{ADMISSION}/validatingadmissionpolicies",
    "ValidatingAdmissionPolicyBinding": f"{ADMISSION}/validatingadmissionpolicybindings",
    "InferenceDeployment": "/apis/plimsoll.dev/v1alpha1/namespaces/{namespace}/inferencedeployments",
    "ComputePool": "/apis/plimsoll.dev/v1alpha1/computepools",
    "ServingProfile": "/apis/plimsoll.dev/v1alpha1/servingprofiles",
    "HorizontalPodAutoscaler": "/apis/autoscaling/v2/namespaces/{namespace}/horizontalpodautoscalers",
    "ScaledObject": "/apis/keda.sh/v1alpha1/namespaces/{namespace}/scaledobjects",
}
SCALED_OBJECTS: dict[str, Any] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "scaledobjects.keda.sh"},
    "spec": {
        "group": "keda.sh",
        "scope": "Namespaced",
        "names": {"kind": "ScaledObject", "plural": "scaledobjects"},
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "properties": {
                                    "scaleTargetRef": {
                                        "type": "object",
                                        "properties": {"name": {"type": "string"}, "kind": {"type": "string"}},
                                    }
                                },
                            }
                        },
                    }
                },
            }
        ],
    },
}


def a_deployment(**changes: Any) -> Manifest:
    """One that every policy lets through; the keyword `a__b` changes spec.a.b."""
    made = changed(an_inference_deployment(), "spec/budget", {"perHour": "20.00"})
    for path, value in changes.items():
        made = changed(made, f"spec/{path.replace('__', '/')}", value)
    return made


def a_rival(kind: str, target: str) -> Manifest:
    version = {"HorizontalPodAutoscaler": "autoscaling/v2", "ScaledObject": "keda.sh/v1alpha1"}[kind]
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": target}
    spec: Manifest = {"scaleTargetRef": reference if kind == "HorizontalPodAutoscaler" else {"name": target}}
    if kind == "HorizontalPodAutoscaler":
        spec["maxReplicas"] = 3
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "rival"}, "spec": spec}


@dataclass(frozen=True)
class Case:
    """What one policy refuses, next to what it lets pass in the same place."""

    policy: str
    refused: Manifest
    told: str
    passes: tuple[Manifest, ...]
    labels: Mapping[str, str] = field(default_factory=dict)
    """Of the namespace."""
    present: tuple[Manifest, ...] = ()
    """What must be there before."""


BUDGET, CAP = {"plimsoll.dev/budget-per-hour": "25.00"}, {"plimsoll.dev/replicas-max": "24"}
PRODUCTION = {"plimsoll.dev/environment": "production"}
ESTIMATED = changed(a_serving_profile(), "spec/provenance", {"kind": "Estimated"})
CASES: Mapping[str, Case] = {
    "no budget": Case(
        "budget",
        a_deployment(budget=REMOVED),
        "spec.budget is missing: this namespace spends at most $25.00 an hour for each deployment, so add budget: "
        '{perHour: "25.00"} or less',
        (a_deployment(), a_deployment(budget=REMOVED, mode="Paused")),
        BUDGET,
    ),
    "too large a budget": Case(
        "budget",
        a_deployment(budget={"perHour": "25.01"}),
        "spec.budget.perHour is 25.01, this namespace allows 25.00: lower it",
        (a_deployment(budget={"perHour": "25"}),),
        BUDGET,
    ),
    "a budget label that is no number": Case(
        "budget",
        a_deployment(),
        'is "plenty": write US dollars an hour, such as "25.00"',
        (a_deployment(mode="Paused"),),
        {"plimsoll.dev/budget-per-hour": "plenty"},
    ),
    "too many replicas": Case(
        "replica-cap",
        a_deployment(variants__0__replicas__max=21),
        "the replicas.max of all variants are 25 together, this namespace allows 24: lower replicas.max",
        (a_deployment(), a_deployment(variants__0__replicas__max=21, mode="Paused")),
        CAP,
    ),
    "an estimated profile in production": Case(
        "measured-profiles",
        a_deployment(),
        "ServingProfile llama-h100 is only estimated, and this namespace is production: measure it",
        (a_deployment(mode="Recommend"), a_deployment(variants__0__profile="llama-other")),
        PRODUCTION,
        (ESTIMATED,),
    ),
    "a high priority without a spare replica": Case(
        "spare-replicas",
        a_deployment(priority=1000),
        "spec.priority is 1000, and the replicas.min of all variants are 1 together: set replicas.min",
        (a_deployment(priority=1000, variants__1__replicas__min=1), a_deployment(priority=999)),
    ),
    "an on-demand pool for nothing": Case(
        "priced-pools",
        changed(a_compute_pool(), "spec/price", {"onDemandPerHour": "0.00"}),
        "spec.price.onDemandPerHour is 0.00: write what a node costs an hour; for nodes already paid for",
        (a_compute_pool(), changed(a_compute_pool(), "spec/price", {"paid": {"amortisedPerHour": "0"}})),
    ),
    "a spot pool for nothing": Case(
        "priced-pools",
        changed(a_compute_pool(), "spec/price", {"spotPerHour": "0"}),
        "spec.price.spotPerHour is 0: write what a node costs an hour",
        (changed(a_compute_pool(), "spec/price", {"spotPerHour": "0.01"}),),
    ),
    "an HPA on a target": Case(
        "no-rival-hpa",
        a_rival("HorizontalPodAutoscaler", "chat-h100"),
        "Deployment/chat-h100 is scaled by InferenceDeployment chat: two autoscalers would undo each other",
        (a_rival("HorizontalPodAutoscaler", "web"),),
        present=(a_deployment(),),
    ),
    "an HPA on an owned Deployment": Case(
        "no-rival-hpa",
        a_rival("HorizontalPodAutoscaler", "chat-xeon"),
        "Deployment/chat-xeon is scaled by InferenceDeployment chat",
        (a_rival("HorizontalPodAutoscaler", "chat-elsewhere"),),
        present=(a_deployment(),),
    ),
    "a ScaledObject on a target": Case(
        "no-rival-scaledobject",
        a_rival("ScaledObject", "chat-h100"),
        "Deployment/chat-h100 is scaled by InferenceDeployment chat: two autoscalers would undo each other",
        (a_rival("ScaledObject", "web"),),
        present=(a_deployment(),),
    ),
}


@pytest.fixture(scope="module")
def policies(api: ApiClient) -> Iterator[list[Manifest]]:
    """All of them, as the chart renders them."""
    install_crds(api)
    install_definitions(api, [SCALED_OBJECTS], manager="user")
    values = {"admissionPolicies": {"enabled": True}}
    made = [one for one in rendered("trial", "default", values) if one["kind"].startswith("ValidatingAdmission")]
    for one in made:
        path = f"{PLURALS[one['kind']]}/{one['metadata']['name']}"
        request(api, "PATCH", path, one, {"fieldManager": "helm"}, SERVER_SIDE_APPLY)
    yield made
    for one in reversed(made):
        delete(api, f"{PLURALS[one['kind']]}/{one['metadata']['name']}")
    delete(api, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/scaledobjects.keda.sh")


def refusal(api: ApiClient, namespace: str, manifest: Manifest) -> str:
    """What the server says against a new object; empty where it would take it."""
    path = PLURALS[manifest["kind"]].format(namespace=namespace)
    try:
        request(api, "POST", path, placed(manifest, namespace), {"dryRun": "All"})
    except ApiException as error:
        return str(json.loads(error.body or "{}")["message"])
    return ""


def placed(manifest: Manifest, namespace: str) -> Manifest:
    metadata = {"name": manifest["metadata"]["name"]}
    is_namespaced = "{namespace}" in PLURALS[manifest["kind"]]
    return {**manifest, "metadata": metadata | ({"namespace": namespace} if is_namespaced else {})}


@pytest.mark.parametrize("name", CASES)
def test_one_object_is_refused_with_what_to_change_and_its_neighbours_pass(
    name: str, policies: list[Manifest], api: ApiClient, namespace: str
) -> None:
    case = CASES[name]
    request(
        api, "PATCH", f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": dict(case.labels)}}, None, MERGE_PATCH
    )
    for one in case.present:
        request(api, "POST", PLURALS[one["kind"]].format(namespace=namespace), placed(one, namespace))
    try:
        wait_until(lambda: refusal(api, namespace, case.refused) != "", f"a refusal of {name}", IN_FORCE_WITHIN_S)
        told = refusal(api, namespace, case.refused)
        assert f"ValidatingAdmissionPolicy 'plimsoll-{case.policy}'" in told
        assert case.told in told
        for one in case.passes:
            assert refusal(api, namespace, one) == ""
    finally:
        for one in case.present:
            delete(api, f"{PLURALS[one['kind']].format(namespace=namespace)}/{one['metadata']['name']}")


def test_every_policy_has_a_case_and_none_has_an_expression_that_the_server_doubts(
    policies: list[Manifest], api: ApiClient
) -> None:
    names = [one["metadata"]["name"] for one in policies if one["kind"] == "ValidatingAdmissionPolicy"]
    with_cases = {f"plimsoll-{case.policy}" for case in CASES.values()} | {
        "plimsoll-owned-scale",
        "plimsoll-owned-replicas",
    }
    assert set(names) == with_cases

    def checked(name: str) -> Mapping[str, Any] | None:
        status = request(api, "GET", f"{PLURALS['ValidatingAdmissionPolicy']}/{name}").get("status") or {}
        found: Mapping[str, Any] | None = status.get("typeChecking")
        return found

    for name in names:
        wait_until(lambda name=name: checked(name) is not None, f"{name} to be checked", IN_FORCE_WITHIN_S)  # type: ignore[misc]
        assert (checked(name) or {}).get("expressionWarnings") is None, name


def test_nobody_but_plimsoll_scales_what_it_owns_until_it_is_paused(
    policies: list[Manifest], world: World, control_plane: ControlPlane
) -> None:
    world.apply_templated_model("gpu")
    world.set_demand(MUCH_RPS)
    world.start_operator()
    world.wait(lambda: world.has("chat-gpu"), "the owned Deployment", UP_WITHIN_S)
    # The operator's own account is let through.
    world.wait_for_ready({"chat-gpu": 1}, UP_WITHIN_S)
    path = f"/apis/apps/v1/namespaces/{world.namespace}/deployments/chat-gpu"
    with an_editor(control_plane, world) as editor:
        for place in (f"{path}/scale", path):
            told = wait_for_refusal(lambda place=place: scale(editor, place, 3))  # type: ignore[misc]
            assert "Deployment chat-gpu is scaled by InferenceDeployment chat alone: change replicas.min" in told
        request(editor, "PATCH", path, {"metadata": {"annotations": {"note": "mine"}}}, None, MERGE_PATCH)
        world.apply_templated_model("gpu", mode="Paused")
        wait_until(lambda: scale(editor, f"{path}/scale", 2) == "", "a pause to free the replicas", IN_FORCE_WITHIN_S)
    assert world.replicas("chat-gpu") == 2


def an_editor(control_plane: ControlPlane, world: World) -> ApiClient:
    """Somebody with the role `edit` in the namespace."""
    binding = {
        "metadata": {"name": "editor"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "edit"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "eve"}],
    }
    path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{world.namespace}/rolebindings"
    request(world.api, "POST", path, binding)
    return control_plane.api_client(control_plane.kubeconfig_for_user("eve"))


def scale(api: ApiClient, path: str, replicas: int) -> str:
    """What the server says against it; empty where it is done."""
    try:
        request(api, "PATCH", path, {"spec": {"replicas": replicas}}, None, MERGE_PATCH)
    except ApiException as error:
        return str(json.loads(error.body or "{}")["message"])
    return ""


def wait_for_refusal(attempt: Callable[[], str]) -> str:
    """What was said at the first refusal by a policy; one that is not in force yet, or a missing right, is not one."""
    told: list[str] = []

    def is_refused() -> bool:
        told.append(attempt())
        return "ValidatingAdmissionPolicy" in told[-1]

    wait_until(is_refused, "a refusal", IN_FORCE_WITHIN_S)
    return told[-1]


def test_the_chart_can_begin_with_a_warning(api: ApiClient) -> None:
    values = {"admissionPolicies": {"enabled": True, "validationActions": ["Warn", "Audit"]}}
    bindings = [
        one for one in rendered("trial", "default", values) if one["kind"] == "ValidatingAdmissionPolicyBinding"
    ]
    files = sorted(Path(CHART / "files/policies/admission").glob("*.yaml"))
    assert len(bindings) >= len(files) > 0
    assert all(one["spec"]["validationActions"] == ["Warn", "Audit"] for one in bindings)
