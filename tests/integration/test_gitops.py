"""Does Git keep all of its fields, and Plimsoll the replicas, with Flux's real controller between them, and by the
comparison that Argo CD makes?"""

import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.client import ApiClient

from integration.world import DOWN_WITHIN_S, LITTLE_RPS, UP_WITHIN_S, World
from plimsoll_testkit.binaries import ensure
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


APPLICATION: dict[str, Any] = yaml.safe_load((ROOT / "examples/gitops/argocd/application.yaml").read_text())
WITHOUT_EXCUSES = {**APPLICATION, "spec": {**APPLICATION["spec"], "ignoreDifferences": []}}
CLIENT_SIDE = {**WITHOUT_EXCUSES, "spec": {**WITHOUT_EXCUSES["spec"], "syncPolicy": {}}}
WAYS_TO_COMPARE: Sequence[tuple[Mapping[str, Any], bool]] = (
    (CLIENT_SIDE, False),
    (WITHOUT_EXCUSES, False),
    (WITHOUT_EXCUSES, True),
)
"""Whether it syncs server-side, by its Application, and whether it asks the API server what a sync would make."""


def argo_cd(
    control_plane: ControlPlane,
    targets: Sequence[Mapping[str, Any]],
    lives: Sequence[Mapping[str, Any]],
    application: Mapping[str, Any],
    server_side_diff: bool = False,
) -> str:
    """Synced or OutOfSync, by the engine of Argo CD."""
    asked = {
        "application": application,
        "serverSideDiff": server_side_diff,
        "targets": list(targets),
        "lives": list(lives),
    }
    command: list[str | Path] = [ensure(["argocd-diff"])["argocd-diff"], control_plane.kubeconfig]
    done = subprocess.run(command, input=json.dumps(asked), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.partition("\n")[0]


def version_of(manifest: Mapping[str, Any]) -> str:
    return str(manifest["metadata"]["resourceVersion"])


def test_argo_cd_is_in_sync_before_and_after_plimsoll_scales(world: World, control_plane: ControlPlane) -> None:
    workload = world.workload_manifest("chat-gpu", world.gpu, {"cpu": "8", "nvidia.com/gpu": "1"})
    world.apply_workload("chat-cpu", world.cpu, {"cpu": "12"})
    manifests = [workload, world.model_manifest("chat")]
    paths = [f"/apis/apps/v1/namespaces/{world.namespace}/deployments/chat-gpu", f"{world.models_path}/chat"]
    for path, manifest in zip(paths, manifests, strict=True):
        query = {"fieldManager": "argocd-controller", "force": "true"}
        request(world.api, "PATCH", path, manifest, query, SERVER_SIDE_APPLY)

    def found(in_git: Sequence[Mapping[str, Any]], application: Mapping[str, Any], asks: bool = False) -> str:
        lives = [request(world.api, "GET", path) for path in paths]
        for _ in range(30):
            told = argo_cd(control_plane, in_git, lives, application, asks)
            before, lives = lives, [request(world.api, "GET", path) for path in paths]
            if [version_of(one) for one in before] == [version_of(one) for one in lives]:
                return told
            # Changed while it was compared (the controller counts pods, the operator tells): Argo CD looks again, too.
        raise AssertionError("the objects never come to rest")

    as_told, insisting = manifests, [{**workload, "spec": {**workload["spec"], "replicas": 1}}, manifests[1]]
    for application, asks in WAYS_TO_COMPARE:
        assert found(as_told, application, asks) == "Synced"
    world.set_demand(MORE_THAN_ONE_RPS)
    world.start_operator()
    world.wait_for_ready({"chat-gpu": 2}, UP_WITHIN_S)
    for application, asks in WAYS_TO_COMPARE:
        assert found(as_told, application, asks) == "Synced"
        # So it would tell a fight from peace.
        assert found(insisting, application, asks) == "OutOfSync"
    # Who must keep a number in Git takes the example's ignoreDifferences. They go by who set the number last: one that
    # nobody had set before stays nobody's when it is scaled, so it is Plimsoll's only once Git's was applied.
    request(
        world.api,
        "PATCH",
        paths[0],
        insisting[0],
        {"fieldManager": "argocd-controller", "force": "true"},
        SERVER_SIDE_APPLY,
    )
    world.wait(
        lambda: managers_of_replicas(world.workload("chat-gpu")) == {"plimsoll"}, "Plimsoll's number", UP_WITHIN_S
    )
    assert found(insisting, WITHOUT_EXCUSES) == "OutOfSync"
    assert found(insisting, APPLICATION) == "Synced"


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
    trusted = APPLICATION["spec"]["ignoreDifferences"]
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
