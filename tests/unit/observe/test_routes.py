"""A route that does not reach a variant is told, and replicas that get no request are not counted on."""

from plimsoll.domain import ExternalUse, Reason, Routing
from plimsoll.observe.views import BackendView, route_view
from unit.observe.manifests import (
    Manifest,
    a_cluster,
    a_deployment_manifest,
    a_route_manifest,
    a_variant_spec,
    a_workload,
)

ROUTED = a_deployment_manifest(
    routing={"type": "HTTPRoute", "httpRoute": "chat"},
    variants=[
        a_variant_spec(service="chat-h100"),
        a_variant_spec("second", target="chat-second", service="chat-second"),
    ],
)
WORKLOADS: list[tuple[str, Manifest]] = [("Deployment", a_workload()), ("Deployment", a_workload("chat-second"))]


def test_a_plain_service_is_what_is_assumed_unless_the_spec_says_otherwise() -> None:
    (plain,) = a_cluster(("InferenceDeployment", a_deployment_manifest()), WORKLOADS[0]).deployments
    assert (plain.routing, plain.http_route, plain.variants[0].service) == (Routing.SERVICE, None, None)
    aware = a_deployment_manifest(routing={"type": "LoadAware"})
    (aware_one,) = a_cluster(("InferenceDeployment", aware), WORKLOADS[0]).deployments
    assert aware_one.routing is Routing.LOAD_AWARE


def test_the_use_of_the_external_api_arrives() -> None:
    api = {"inputPerMillion": "0.15", "outputPerMillion": "0.60"}
    for spec, use in ((api, ExternalUse.COMPARE), (api | {"use": "Overflow"}, ExternalUse.OVERFLOW)):
        manifest = a_deployment_manifest(externalAPI=spec)
        (deployment,) = a_cluster(("InferenceDeployment", manifest), WORKLOADS[0]).deployments
        assert deployment.external_price is not None
        assert deployment.external_price.use is use


def test_a_route_with_every_backend_leaves_nothing_to_say() -> None:
    route = ("HTTPRoute", a_route_manifest(chat_h100=1, chat_second=0))
    cluster = a_cluster(("InferenceDeployment", ROUTED), *WORKLOADS, route)
    (deployment,) = cluster.deployments
    assert cluster.findings == ()
    assert (deployment.routing, deployment.http_route) == (Routing.HTTP_ROUTE, "chat")
    assert [variant.service for variant in deployment.variants] == ["chat-h100", "chat-second"]


def test_a_variant_without_a_backend_is_left_out_and_says_what_to_add() -> None:
    cluster = a_cluster(("InferenceDeployment", ROUTED), *WORKLOADS, ("HTTPRoute", a_route_manifest(chat_h100=1)))
    (deployment,), (finding,) = cluster.deployments, cluster.findings
    assert [variant.name for variant in deployment.variants] == ["h100"]
    assert (finding.reason, finding.variant) == (Reason.BACKEND_MISSING, "second")
    assert "no backendRef to Service chat-second" in finding.message


def test_a_missing_route_is_told_and_scaling_goes_on() -> None:
    cluster = a_cluster(("InferenceDeployment", ROUTED), *WORKLOADS)
    (deployment,), (finding,) = cluster.deployments, cluster.findings
    assert len(deployment.variants) == 2
    assert (finding.reason, finding.variant) == (Reason.ROUTE_MISSING, None)
    assert "no such HTTPRoute in namespace team-a" in finding.message


def test_only_services_of_the_routes_own_namespace_are_backends() -> None:
    manifest = a_route_manifest(plain=None, weighted=7)
    backends = manifest["spec"]["rules"][0]["backendRefs"]
    backends.append({"name": "elsewhere", "namespace": "other"})
    backends.append({"name": "pool", "group": "inference.networking.k8s.io", "kind": "InferencePool"})
    manifest["spec"]["rules"].append({"filters": [{"type": "RequestRedirect"}]})
    assert route_view(manifest).backends == (BackendView(0, "plain", 1), BackendView(0, "weighted", 7))
