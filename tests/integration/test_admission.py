"""Does a real API server take our kinds, fill in their defaults, and refuse what is wrong with our words?

In: crds/, policies/ and examples/quickstart as users apply them, and the table of refusals that `parse` is tested with.
"""

import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from kubernetes.client import ApiClient

from plimsoll.api import GROUP, KINDS, VERSION, Condition, Timestamp, parse
from plimsoll.api.crd import definition
from unit.api.manifests import (
    Manifest,
    a_compute_pool,
    a_scaling_policy,
    a_serving_profile,
    an_inference_deployment,
    changed,
)
from unit.api.refusals import REFUSALS, Refusal

ROOT = Path(__file__).parents[2]
NAMESPACE = "default"
ESTABLISHED_WITHIN_S = 20.0
"""It takes well under a second on an idle machine; a guess that leaves room for a busy one."""


class Answer(NamedTuple):
    status: int
    body: dict[str, Any]


class Server:
    """The API server, as `kubectl create --validate=false` sees it: nothing is checked on the way."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api

    def send(self, method: str, path: str, body: Manifest | None = None, *, dry_run: bool = False) -> Answer:
        """One request with a plain dictionary, answered by one."""
        request = self._api.param_serialize(
            method,
            path,
            query_params=[("dryRun", "All")] if dry_run else [],
            header_params={
                "Accept": "application/json",
                "Content-Type": "application/merge-patch+json" if method == "PATCH" else "application/json",
            },
            body=body,
            auth_settings=["BearerToken"],
        )
        response = self._api.call_api(*request)
        response.read()  # type: ignore[no-untyped-call]
        assert response.data is not None
        return Answer(response.status, json.loads(response.data))

    def create(self, manifest: Manifest, *, dry_run: bool = True) -> Manifest:
        """The object as the server stores it (or would)."""
        answer = self.send("POST", path_of(manifest), manifest, dry_run=dry_run)
        assert answer.status == 201, answer.body
        return answer.body

    def refusal(self, manifest: Manifest) -> str:
        """What the server says against the object."""
        answer = self.send("POST", path_of(manifest), manifest)
        assert answer.status == 422, answer.body
        return str(answer.body["message"])


def path_of(manifest: Manifest) -> str:
    namespace = manifest["metadata"].get("namespace")
    place = f"namespaces/{namespace}/" if namespace else ""
    if manifest["kind"] in KINDS:
        return f"/apis/{GROUP}/{VERSION}/{place}{KINDS[manifest['kind']].definition.plural}"
    assert (manifest["apiVersion"], manifest["kind"]) == ("apps/v1", "Deployment")
    return f"/apis/apps/v1/{place}deployments"


@pytest.fixture(scope="module")
def server(api: ApiClient) -> Server:
    server = Server(api)
    for path in sorted((ROOT / "crds").glob("*.yaml")):
        install(server, yaml.safe_load(path.read_text()))
    return server


DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


def install(server: Server, crd: Manifest) -> None:
    name = crd["metadata"]["name"]
    answer = server.send("POST", DEFINITIONS, crd)
    if answer.status == 409:
        # Another test of this run installed it; the last one to ask gets the present text.
        answer = server.send("PATCH", f"{DEFINITIONS}/{name}", crd)
    assert answer.status in (200, 201), answer.body
    deadline = time.monotonic() + ESTABLISHED_WITHIN_S
    while "Established" not in true_conditions(server, name):
        assert time.monotonic() < deadline, f"{name} is not established: {true_conditions(server, name)}"
        time.sleep(0.1)


def true_conditions(server: Server, crd_name: str) -> set[str]:
    stored = server.send("GET", f"{DEFINITIONS}/{crd_name}").body
    return {item["type"] for item in stored["status"].get("conditions") or () if item["status"] == "True"}


def unnamed(manifest: Manifest) -> Manifest:
    """The manifest in a namespace that is there, under a name of the server's choice: tests cannot collide."""
    placed = changed(manifest, "metadata", {"generateName": "admission-"})
    return changed(placed, "metadata/namespace", NAMESPACE) if manifest["kind"] == "InferenceDeployment" else placed


GOOD = (an_inference_deployment(), a_compute_pool(), a_serving_profile(), a_scaling_policy())


@pytest.mark.parametrize("kind", KINDS)
def test_a_definition_is_established_and_structural(server: Server, kind: str) -> None:
    conditions = true_conditions(server, definition(KINDS[kind])["metadata"]["name"])
    assert {"Established", "NamesAccepted"} <= conditions
    assert "NonStructuralSchema" not in conditions


@pytest.mark.parametrize("kind", KINDS)
def test_the_server_serves_each_kind_as_we_name_it(server: Server, kind: str) -> None:
    resources = server.send("GET", f"/apis/{GROUP}/{VERSION}").body["resources"]
    served = {item["name"]: item for item in resources}
    ours = KINDS[kind].definition
    theirs = served[ours.plural]
    assert (theirs["kind"], theirs["singularName"], theirs["shortNames"], theirs["categories"]) == (
        kind,
        ours.singular,
        [ours.short_name],
        ["plimsoll"],
    )
    assert theirs["namespaced"] is (ours.scope == "Namespaced")
    assert (f"{ours.plural}/status" in served) is ("status" in KINDS[kind].model_fields)


@pytest.mark.parametrize("manifest", GOOD, ids=lambda manifest: manifest["kind"])
def test_server_and_parse_fill_in_the_same_defaults(server: Server, manifest: Manifest) -> None:
    stored = server.create(unnamed(manifest))
    ours = parse(manifest["kind"], manifest).model_dump(mode="json", by_alias=True, exclude_none=True)
    assert comparable(stored["spec"]) == comparable(ours["spec"])


def comparable(value: Any, of: str = "") -> Any:
    """Without empty lists and maps, which mean the same as absent ones, and with all quantities as text."""
    if isinstance(value, dict):
        inner = {key: comparable(item, of=key) for key, item in value.items()}
        kept = {key: item for key, item in inner.items() if item not in ({}, [])}
        return {key: str(item) for key, item in kept.items()} if of in ("resources", "perReplica") else kept
    return [comparable(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("refusal", [r for r in REFUSALS if r.server_says], ids=lambda refusal: refusal.label)
def test_the_server_refuses_a_wrong_object_and_says_what_to_change(server: Server, refusal: Refusal) -> None:
    manifest = unnamed(refusal.manifest)
    if refusal.path == "metadata/name":
        manifest["metadata"] = {"name": refusal.value, "namespace": NAMESPACE}
    assert refusal.server_says is not None
    assert refusal.server_says in server.refusal(manifest)


@pytest.mark.parametrize("refusal", [r for r in REFUSALS if not r.server_says], ids=lambda refusal: refusal.label)
def test_the_server_prunes_what_it_does_not_know(server: Server, refusal: Refusal) -> None:
    stored = server.create(unnamed(refusal.manifest))
    assert stored["spec"] == server.create(unnamed(refusal.good()))["spec"]


def test_the_server_drops_nulls_as_parse_does(server: Server) -> None:
    manifest = changed(changed(an_inference_deployment(), "spec/mode", None), "spec/budget", None)
    stored = server.create(unnamed(manifest))
    assert stored["spec"]["mode"] == "Auto"
    assert "budget" not in stored["spec"]


def test_a_pod_template_is_stored_unpruned(server: Server) -> None:
    manifest = an_inference_deployment()
    stored = server.create(unnamed(manifest))
    assert stored["spec"]["variants"][1]["template"] == manifest["spec"]["variants"][1]["template"]


def shipped(folder: str) -> list[Manifest]:
    return [
        manifest for path in sorted((ROOT / folder).glob("*.yaml")) for manifest in yaml.safe_load_all(path.read_text())
    ]


@pytest.mark.parametrize(
    "manifest",
    [item for item in shipped("policies") if item["kind"] == "ScalingPolicy"] + shipped("examples/quickstart"),
    ids=lambda manifest: f"{manifest['kind']}-{manifest['metadata']['name']}",
)
def test_what_we_ship_is_accepted(server: Server, manifest: Manifest) -> None:
    stored = server.create(manifest)
    assert stored["metadata"]["name"] == manifest["metadata"]["name"]


def test_a_status_is_written_apart_and_a_wrong_one_refused(server: Server) -> None:
    pool = server.create(unnamed(a_compute_pool()), dry_run=False)
    path = f"{path_of(pool)}/{pool['metadata']['name']}"
    ready = Condition(
        type="Ready", status="True", reason="Steady", message="2 nodes", last_transition_time=Timestamp.of(1000.0)
    )
    try:
        status = {"nodes": 2, "conditions": [ready.to_wire()]}
        answer = server.send("PATCH", f"{path}/status", {"status": status})
        assert answer.body["status"] == status
        assert answer.body["metadata"]["generation"] == pool["metadata"]["generation"]
        refused = server.send("PATCH", f"{path}/status", {"status": {"costPerHour": 2.5}})
        assert refused.status == 422
        assert "costPerHour in body must be of type string" in refused.body["message"]
    finally:
        server.send("DELETE", path)


def test_sixteen_variants_stay_within_the_cost_of_the_rules(server: Server) -> None:
    variant = changed(an_inference_deployment()["spec"]["variants"][0], "name", "v")
    variants = [changed(changed(variant, "name", f"v{n}"), "targetRef/name", f"{'long' * 50}-{n}") for n in range(16)]
    stored = server.create(unnamed(changed(an_inference_deployment(), "spec/variants", variants)))
    assert len(stored["spec"]["variants"]) == 16
    too_many = [*variants, changed(changed(variant, "name", "v16"), "targetRef/name", "one-more")]
    assert "spec.variants: Too many: 17: must have at most 16 items" in server.refusal(
        unnamed(changed(an_inference_deployment(), "spec/variants", too_many))
    )
