"""Does the chart lint, render to what the API server's schemas accept, and install into a real control plane?

One test installs, because CRDs and cluster roles are there once for everybody.
"""

import json
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.client import ApiClient

from plimsoll_testkit.binaries import ensure
from plimsoll_testkit.control_plane import ControlPlane
from plimsoll_testkit.json_api import items, request
from plimsoll_testkit.processes import wait_until

CHART = Path(__file__).resolve().parents[2] / "charts" / "plimsoll"
PRESETS = {"balanced", "batch", "cost-first", "latency-first"}
GONE_WITHIN_S = 60.0
VARIATIONS: Mapping[str, tuple[str, ...]] = {
    "defaults": (),
    "namespaced": ("--set", "watchNamespaces={team-a,team-b}"),
    "cached": ("--set", "sizing.cache.enabled=true"),
    "claimed": ("--set", "sizing.cache.enabled=true,sizing.cache.existingClaim=safe-rates"),
    "bare": ("--set", "crds.install=false,policies.install=false,ownedDeployments=false"),
}


@pytest.fixture(scope="module")
def tools() -> Mapping[str, Path]:
    return ensure(["helm", "kubeconform"])


def run(tool: Path, *arguments: str, home: Path, stdin: str | None = None) -> str:
    """What the tool prints; its complaint when it fails. Helm keeps its own files under `home`."""
    environment = {**os.environ, "HOME": str(home), "XDG_CACHE_HOME": str(home), "XDG_CONFIG_HOME": str(home)}
    done = subprocess.run(
        [tool, *arguments], input=stdin, capture_output=True, text=True, timeout=120, env=environment, check=False
    )
    assert done.returncode == 0, f"{tool.name} {' '.join(arguments)}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_lint_has_no_complaint(tools: Mapping[str, Path], tmp_path: Path) -> None:
    run(tools["helm"], "lint", "--strict", str(CHART), home=tmp_path)


def test_where_only_some_namespaces_are_served_pods_are_read_everywhere_and_written_to_only_there(
    tools: Mapping[str, Path], tmp_path: Path
) -> None:
    rendered = run(tools["helm"], "template", "trial", str(CHART), *VARIATIONS["namespaced"], home=tmp_path)
    roles = [one for one in yaml.safe_load_all(rendered) if one and one["kind"] in ("ClusterRole", "Role")]
    verbs = {
        (role["kind"], role["metadata"].get("namespace")): rule["verbs"]
        for role in roles
        for rule in role["rules"]
        if "pods" in rule["resources"]
    }
    reading = ["get", "list", "watch"]
    assert verbs == {
        ("ClusterRole", None): reading,
        ("Role", "team-a"): [*reading, "patch"],
        ("Role", "team-b"): [*reading, "patch"],
    }


@pytest.mark.parametrize("variation", sorted(VARIATIONS))
def test_every_object_matches_the_schemas_of_the_api_server(
    variation: str, tools: Mapping[str, Path], api: ApiClient, tmp_path: Path
) -> None:
    rendered = run(tools["helm"], "template", "trial", str(CHART), *VARIATIONS[variation], home=tmp_path)
    objects = [one for one in yaml.safe_load_all(rendered) if one]
    schemas = tmp_path / "schemas"
    schemas.mkdir()
    for version in sorted({one["apiVersion"] for one in objects} - {"plimsoll.dev/v1alpha1"}):
        write_schemas(api, version, schemas)
    told = run(
        tools["kubeconform"],
        "-output=json",
        "-summary",
        f"-schema-location={schemas}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json",
        "-skip=ScalingPolicy",
        home=tmp_path,
        stdin=rendered,
    )
    summary = json.loads(told)["summary"]
    presets = sum(one["kind"] == "ScalingPolicy" for one in objects)
    assert summary == {"valid": len(objects) - presets, "invalid": 0, "errors": 0, "skipped": presets}


@pytest.mark.parametrize(
    ("variation", "source"),
    [
        ("defaults", None),
        ("cached", {"emptyDir": {"sizeLimit": "128Mi"}}),
        ("claimed", {"persistentVolumeClaim": {"claimName": "safe-rates"}}),
    ],
)
def test_simulated_safe_rates_are_kept_in_the_volume_that_is_asked_for(
    variation: str, source: dict[str, Any] | None, tools: Mapping[str, Path], tmp_path: Path
) -> None:
    rendered = run(tools["helm"], "template", "trial", str(CHART), *VARIATIONS[variation], home=tmp_path)
    (pod,) = [
        one["spec"]["template"]["spec"] for one in yaml.safe_load_all(rendered) if one and one["kind"] == "Deployment"
    ]
    (container,) = pod["containers"]
    files = [Path(one.split("=")[-1]) for one in container["args"] if one.startswith("--set=sizing.cache_file=")]
    volumes = [one for one in pod["volumes"] if one["name"] == "safe-rates"]
    assert volumes == ([] if source is None else [{"name": "safe-rates", **source}])
    mounts = [Path(one["mountPath"]) for one in container["volumeMounts"] if one["name"] == "safe-rates"]
    assert mounts == [file.parent for file in files]
    assert len(files) == len(volumes)


@pytest.mark.parametrize(("variation", "may"), [("defaults", True), ("namespaced", True), ("bare", False)])
def test_who_owns_deployments_may_create_change_and_delete_them(
    variation: str, may: bool, tools: Mapping[str, Path], tmp_path: Path
) -> None:
    rendered = run(tools["helm"], "template", "trial", str(CHART), *VARIATIONS[variation], home=tmp_path)
    rules = [rule for one in yaml.safe_load_all(rendered) if one for rule in one.get("rules") or ()]
    verbs = [set(rule["verbs"]) for rule in rules if rule["resources"] == ["deployments"]]
    assert verbs
    assert all(({"create", "patch", "delete"} <= one) is may for one in verbs)


def write_schemas(api: ApiClient, version: str, folder: Path) -> None:
    """One JSON schema a kind of this API version, from the server's own OpenAPI document."""
    path = f"/openapi/v3/apis/{version}" if "/" in version else f"/openapi/v3/api/{version}"
    schemas: dict[str, Any] = request(api, "GET", path)["components"]["schemas"]
    for name, schema in schemas.items():
        for kind in schema.get("x-kubernetes-group-version-kind", ()):
            group = kind["group"].partition(".")[0]
            suffix = f"-{group}-{kind['version']}" if group else f"-{kind['version']}"
            whole = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
            (folder / f"{kind['kind'].lower()}{suffix}.json").write_text(json.dumps(whole))


def test_one_install_brings_crds_presets_and_the_operator_and_leaves_the_crds(
    tools: Mapping[str, Path], control_plane: ControlPlane, api: ApiClient, namespace: str, tmp_path: Path
) -> None:
    cluster = ("--kubeconfig", str(control_plane.kubeconfig), "--namespace", namespace)
    run(tools["helm"], "install", "trial", str(CHART), "--take-ownership", *cluster, home=tmp_path)
    try:
        policies = {one["metadata"]["name"] for one in items(api, "/apis/plimsoll.dev/v1alpha1/scalingpolicies")}
        assert policies >= PRESETS
        deployment = request(api, "GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/trial-plimsoll")
        assert deployment["spec"]["replicas"] == 2
        run(tools["helm"], "upgrade", "trial", str(CHART), "--set", "replicas=1", *cluster, home=tmp_path)
        deployment = request(api, "GET", f"/apis/apps/v1/namespaces/{namespace}/deployments/trial-plimsoll")
        assert deployment["spec"]["replicas"] == 1
    finally:
        run(tools["helm"], "uninstall", "trial", *cluster, home=tmp_path)
        for name in PRESETS:
            request(api, "DELETE", f"/apis/plimsoll.dev/v1alpha1/scalingpolicies/{name}")
    wait_until(
        lambda: not items(api, f"/apis/apps/v1/namespaces/{namespace}/deployments"),
        "the operator's Deployment to be gone",
        GONE_WITHIN_S,
    )
    crds = {one["metadata"]["name"] for one in items(api, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions")}
    assert "inferencedeployments.plimsoll.dev" in crds
