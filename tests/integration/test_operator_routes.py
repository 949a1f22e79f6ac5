"""An HTTPRoute of the user's follows what ready replicas carry, and says on the model where it does not reach them."""

from typing import Any

import pytest
from kubernetes.client import ApiClient

from integration.world import DOWN_WITHIN_S, LITTLE_RPS, MUCH_RPS, UP_WITHIN_S, World
from plimsoll_testkit.definitions import install_definitions
from plimsoll_testkit.json_api import SERVER_SIDE_APPLY, request

GROUP, VERSION = "gateway.networking.k8s.io", "v1"


def http_routes() -> dict[str, Any]:
    """The part of Gateway API's HTTPRoute that matters here, with its defaults, bounds and list types.

    Source: kubernetes-sigs/gateway-api, apis/v1/httproute_types.go and shared_types.go.
    """
    backend = {
        "type": "object",
        "required": ["name"],
        "properties": {
            "group": {"type": "string", "default": "", "maxLength": 253},
            "kind": {"type": "string", "default": "Service", "minLength": 1, "maxLength": 63},
            "name": {"type": "string", "minLength": 1, "maxLength": 253},
            "namespace": {"type": "string", "minLength": 1, "maxLength": 63},
            "port": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 65535},
            "weight": {"type": "integer", "format": "int32", "default": 1, "minimum": 0, "maximum": 1_000_000},
        },
    }
    rule = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "matches": {
                "type": "array",
                "x-kubernetes-list-type": "atomic",
                "items": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
            "backendRefs": {"type": "array", "x-kubernetes-list-type": "atomic", "maxItems": 16, "items": backend},
        },
    }
    rules = {"type": "array", "x-kubernetes-list-type": "atomic", "minItems": 1, "maxItems": 16, "items": rule}
    hostnames = {"type": "array", "items": {"type": "string"}}
    spec = {"type": "object", "properties": {"hostnames": hostnames, "rules": rules}}
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": {"type": "object", "required": ["spec"], "properties": {"spec": spec}}},
    }
    names = {"kind": "HTTPRoute", "listKind": "HTTPRouteList", "plural": "httproutes", "singular": "httproute"}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"httproutes.{GROUP}",
            # Names of this group are the Kubernetes project's, and the API server wants to see that it agreed.
            "annotations": {"api-approved.kubernetes.io": "https://github.com/kubernetes-sigs/gateway-api/pull/2245"},
        },
        "spec": {"group": GROUP, "scope": "Namespaced", "names": names, "versions": [version]},
    }


class Route:
    """One HTTPRoute with a rule for each of two paths, as its user keeps it in Git."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._path = f"/apis/{GROUP}/{VERSION}/namespaces/{world.namespace}/httproutes/chat"

    def apply(self, *services: str) -> None:
        backends = [{"name": service, "port": 8000} for service in services]
        matches = [[{"path": {"type": "PathPrefix", "value": path}}] for path in ("/a", "/b")]
        manifest = {
            "apiVersion": f"{GROUP}/{VERSION}",
            "kind": "HTTPRoute",
            "metadata": {"name": "chat", "namespace": self._world.namespace},
            "spec": {
                "hostnames": ["chat.example.org"],
                "rules": [{"matches": one, "backendRefs": backends} for one in matches],
            },
        }
        # Rules are one atomic field: whoever wrote a weight owns them all, and a GitOps tool takes them back by force.
        query = {"fieldManager": "user", "force": "true"}
        request(self._world.api, "PATCH", self._path, manifest, query, SERVER_SIDE_APPLY)

    @property
    def spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = request(self._world.api, "GET", self._path)["spec"]
        return spec

    @property
    def weights(self) -> list[dict[str, int]]:
        return [{one["name"]: one["weight"] for one in rule["backendRefs"]} for rule in self.spec["rules"]]

    def wait_for(self, timeout_s: float, **weights: int) -> None:
        wanted = [{name.replace("_", "-"): weight for name, weight in weights.items()}] * 2
        self._world.wait(lambda: self.weights == wanted, f"weights {weights}", timeout_s)


@pytest.fixture
def route(world: World, api: ApiClient) -> Route:
    install_definitions(api, [http_routes()], manager="user")
    return Route(world)


@pytest.mark.waits_long
def test_weights_follow_what_is_ready_through_a_move(world: World, route: Route) -> None:
    route.apply("chat-cpu", "chat-gpu")
    world.add_model(routing={"type": "HTTPRoute", "httpRoute": "chat"})
    world.set_demand(LITTLE_RPS)
    world.start_operator()
    world.wait_for_ready({"chat-cpu": 1}, UP_WITHIN_S)
    route.wait_for(UP_WITHIN_S, chat_cpu=100, chat_gpu=0)
    world.set_demand(MUCH_RPS)
    world.wait_for_ready({"chat-gpu": 1, "chat-cpu": 0}, DOWN_WITHIN_S)
    route.wait_for(UP_WITHIN_S, chat_cpu=0, chat_gpu=100)
    spec = route.spec
    assert spec["hostnames"] == ["chat.example.org"]
    assert [rule["matches"][0]["path"]["value"] for rule in spec["rules"]] == ["/a", "/b"]
    assert all(one["port"] == 8000 for rule in spec["rules"] for one in rule["backendRefs"])


def test_a_missing_route_and_a_missing_backend_are_told_on_the_model(world: World, route: Route) -> None:
    world.add_model(routing={"type": "HTTPRoute", "httpRoute": "chat"})
    world.set_demand(MUCH_RPS)
    world.start_operator()
    world.wait(lambda: world.condition("Stalled").get("reason") == "RouteMissing", "a missing route", UP_WITHIN_S)
    assert "create the route" in world.condition("Ready")["message"]
    # Replicas are scaled all the same.
    world.wait_for_ready({"chat-gpu": 1}, UP_WITHIN_S)

    route.apply("chat-gpu")
    world.wait(lambda: world.condition("Stalled").get("reason") == "BackendMissing", "a missing backend", UP_WITHIN_S)
    assert "no backendRef to Service chat-cpu" in world.condition("Ready")["message"]

    route.apply("chat-gpu", "chat-cpu")
    world.wait(lambda: world.condition("Ready").get("status") == "True", "Ready", UP_WITHIN_S)
    route.wait_for(UP_WITHIN_S, chat_gpu=100, chat_cpu=0)
