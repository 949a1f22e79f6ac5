"""Does Git keep all of its fields, and Plimsoll the replicas, with Flux's real controller between them?"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.client import ApiClient

from integration.world import DOWN_WITHIN_S, LITTLE_RPS, UP_WITHIN_S, World
from plimsoll_testkit.control_plane import ControlPlane
from plimsoll_testkit.flux import Flux
from plimsoll_testkit.json_api import SERVER_SIDE_APPLY, exists, request

ROOT = Path(__file__).resolve().parents[2]
ROUNDS = 5
MORE_THAN_ONE_RPS = 100.0
"""More than one GPU replica carries, so that Plimsoll has to write a number: without one it is 1."""


@pytest.fixture
def flux(control_plane: ControlPlane, api: ApiClient, world: World) -> Iterator[Flux]:
    with Flux(control_plane, api, world.namespace) as running:
        yield running


def kustomization() -> Mapping[str, Any]:
    """The example's, but quicker."""
    spec: dict[str, Any] = yaml.safe_load((ROOT / "examples/gitops/flux/kustomization.yaml").read_text())["spec"]
    return {**spec, "timeout": "2m", "retryInterval": "5s"}


def in_git(world: World, folder: Path, image: str = "engine:1") -> Path:
    """A folder as Git holds it: two workloads without replicas, and the model that may run on either."""
    folder.mkdir(exist_ok=True)
    workloads = [
        world.workload_manifest("chat-gpu", world.gpu, {"cpu": "8", "nvidia.com/gpu": "1"}),
        world.workload_manifest("chat-cpu", world.cpu, {"cpu": "12"}),
    ]
    for one in workloads:
        one["spec"]["template"]["spec"]["containers"][0]["image"] = image
    text = yaml.safe_dump_all([*workloads, world.model_manifest("chat")])
    (folder / "models.yaml").write_text(text)
    return folder


def managers_of_replicas(workload: Mapping[str, Any]) -> set[str]:
    entries = workload["metadata"]["managedFields"]
    return {one["manager"] for one in entries if "f:replicas" in one["fieldsV1"].get("f:spec", {})}


@pytest.mark.waits_long
def test_flux_and_plimsoll_never_fight_over_replicas(world: World, flux: Flux, tmp_path: Path) -> None:
    world.set_demand(MORE_THAN_ONE_RPS)
    world.start_operator()
    flux.push(in_git(world, tmp_path / "git"), kustomization())
    # Done only once Plimsoll has brought up what the demand takes.
    flux.wait_until_applied()
    assert world.condition("Ready")["status"] == "True"
    world.wait_for_ready({"chat-gpu": 2}, UP_WITHIN_S)
    generation = world.model()["metadata"]["generation"]
    record = world.record_capacity()
    for _ in range(ROUNDS):
        flux.reconcile()
    assert world.model()["metadata"]["generation"] == generation
    assert "kustomize-controller" not in managers_of_replicas(world.workload("chat-gpu"))
    assert all(event["chat-gpu"] >= 2 for event in record.events)
    # What changes in Git changes in the cluster, and takes no replica with it.
    flux.push(in_git(world, tmp_path / "git", image="engine:2"), kustomization())
    flux.wait_until_applied()
    assert world.images("chat-gpu") == ["engine:2"]
    assert world.replicas("chat-gpu") >= 2
    # And Plimsoll goes on to scale what Flux has just applied.
    world.set_demand(LITTLE_RPS)
    world.wait_for_ready({"chat-gpu": 0}, DOWN_WITHIN_S)
    flux.reconcile()
    assert world.replicas("chat-gpu") == 0
    (tmp_path / "git" / "models.yaml").write_text(
        yaml.safe_dump(world.workload_manifest("chat-gpu", world.gpu, {"cpu": "8"}))
    )
    flux.push(tmp_path / "git", kustomization())
    flux.wait_until_applied()
    model = f"/apis/plimsoll.dev/v1alpha1/namespaces/{world.namespace}/inferencedeployments/chat"
    assert not exists(world.api, model)


def test_a_number_that_git_insists_on_is_plimsolls_by_name_once_it_has_scaled(world: World) -> None:
    """So that Argo CD can leave it alone: `managedFieldsManagers` of its ignoreDifferences goes by that name."""
    world.add_model()
    manifest = world.workload_manifest("chat-gpu", world.gpu, {"cpu": "8", "nvidia.com/gpu": "1"})
    manifest["spec"]["replicas"] = 0
    path = f"/apis/apps/v1/namespaces/{world.namespace}/deployments/chat-gpu"
    query = {"fieldManager": "argocd-controller", "force": "true"}
    request(world.api, "PATCH", path, manifest, query, SERVER_SIDE_APPLY)
    assert managers_of_replicas(world.workload("chat-gpu")) == {"argocd-controller"}
    world.set_demand(MORE_THAN_ONE_RPS)
    world.start_operator()
    world.wait_for_ready({"chat-gpu": 1}, UP_WITHIN_S)
    assert managers_of_replicas(world.workload("chat-gpu")) == {"plimsoll"}
    trusted = yaml.safe_load((ROOT / "examples/gitops/argocd/application.yaml").read_text())["spec"][
        "ignoreDifferences"
    ]
    assert {"group": "apps", "kind": "Deployment", "managedFieldsManagers": ["plimsoll"]} in trusted


def test_flux_says_what_to_change_when_plimsoll_cannot_work_with_an_object(
    world: World, flux: Flux, tmp_path: Path
) -> None:
    world.set_demand(LITTLE_RPS)
    world.start_operator()
    folder = tmp_path / "git"
    folder.mkdir()
    manifest = world.model_manifest("chat")
    manifest["spec"]["variants"][0]["pool"] = "nowhere"
    (folder / "models.yaml").write_text(yaml.safe_dump(manifest))
    flux.push(folder, kustomization())
    world.wait(lambda: flux.ready().get("reason") == "HealthCheckFailed", "Flux to give up", UP_WITHIN_S)
    assert "InferenceDeployment" in flux.ready()["message"]
    assert request(world.api, "GET", f"{world.models_path}/chat")["status"]["observedGeneration"] >= 1
