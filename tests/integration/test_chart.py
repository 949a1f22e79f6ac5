"""Does the chart lint, render to what the API server's schemas accept, and install into a real control plane?

One test installs, because CRDs and cluster roles are there once for everybody.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes.client import ApiClient, ApiException

from integration.world import LITTLE_RPS, UP_WITHIN_S, World, install_crds
from plimsoll.settings import load_settings
from plimsoll_testkit.binaries import ensure
from plimsoll_testkit.chart import CHART, ChartRefused, helm, rendered
from plimsoll_testkit.control_plane import ControlPlane
from plimsoll_testkit.definitions import install_definitions
from plimsoll_testkit.json_api import MERGE_PATCH, exists, items, request
from plimsoll_testkit.kwok import FixedPools
from plimsoll_testkit.processes import wait_until
from unit.api.manifests import an_inference_deployment

PRESETS = {"balanced", "batch", "cost-first", "latency-first"}
RUNS_WITHIN_S = 60.0
PROMETHEUS_OPERATOR_CRDS = Path(__file__).with_name("prometheus_operator_crds.yaml")
EVERYTHING: Mapping[str, Any] = {
    "commonLabels": {"team": "platform"},
    "admissionPolicies": {"enabled": True},
    "scaleTargets": [{"apiGroup": "leaderworkerset.x-k8s.io", "resource": "leaderworkersets"}],
    "sizing": {"cache": {"enabled": True}},
    "image": {"digest": "sha256:" + "0" * 64},
    "imagePullSecrets": [{"name": "registry"}],
    "networkPolicy": {
        "ingressFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        "egress": [{"ports": [{"port": 443}]}],
    },
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True},
    "dashboard": {"enabled": True},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "system", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "rack", "whenUnsatisfiable": "ScheduleAnyway", "labelSelector": {}}
    ],
    "priorityClassName": "system-cluster-critical",
    "podAnnotations": {"note": "mine"},
    "podLabels": {"tier": "control"},
    "extraArgs": ["--log-level=debug"],
    "extraEnv": [{"name": "PLIMSOLL_LOG__FORMAT", "value": "text"}],
    "extraVolumes": [{"name": "token", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "token", "mountPath": "/var/run/prometheus"}],
    "extraObjects": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "{{ .Release.Name }}-extra"}, "data": {}}
    ],
}
VARIATIONS: Mapping[str, Mapping[str, Any]] = {
    "defaults": {},
    "namespaced": {"watchNamespaces": ["team-a", "team-b"]},
    "cached": {"sizing": {"cache": {"enabled": True}}},
    "claimed": {"sizing": {"cache": {"enabled": True, "existingClaim": "safe-rates"}}},
    "bare": {
        "crds": {"install": False},
        "policies": {"install": False},
        "ownedDeployments": False,
        "podDisruptionBudget": {"enabled": False},
        "networkPolicy": {"enabled": False},
        "serviceAccount": {"create": False, "name": "mine"},
        "rbac": {"create": False, "userRoles": False},
    },
    "no owned Deployments": {"ownedDeployments": False},
    "everything": EVERYTHING,
}


@cache
def objects_of(variation: str) -> list[dict[str, Any]]:
    return rendered("trial", "default", VARIATIONS[variation])


def of_kind(variation: str, kind: str) -> list[dict[str, Any]]:
    return [one for one in objects_of(variation) if one["kind"] == kind]


def operators_pod(variation: str) -> dict[str, Any]:
    (deployment,) = of_kind(variation, "Deployment")
    pod: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return pod


def test_lint_has_no_complaint() -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART))


@pytest.mark.parametrize(
    "values",
    [
        {"replica": 3},
        {"image": {"digest": "latest"}},
        {"scaleTargets": [{"apiGroup": "*", "resource": "widgets"}]},
        {"scaleTargets": [{"apiGroup": "example.com", "resource": "*"}]},
        {"watchNamespaces": ["*"]},
        {"extraArgs": ["run"]},
    ],
)
def test_a_value_that_is_misspelt_or_asks_for_everything_is_refused(values: Mapping[str, Any]) -> None:
    with pytest.raises(ChartRefused, match="values don't meet the specifications of the schema"):
        rendered("trial", "default", values)


def test_every_value_of_the_chart_is_in_its_schema_and_the_other_way_round() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())
    # Helm hands `global` to every chart.
    assert set(schema["properties"]) - {"global"} == set(values)
    assert schema["additionalProperties"] is False


def test_the_default_settings_are_settings_of_the_operator(tmp_path: Path) -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    (tmp_path / "settings.yaml").write_text(yaml.safe_dump(values["settings"]))
    settings = load_settings({}, tmp_path / "settings.yaml")
    assert settings.observe.prometheus_url == values["settings"]["observe"]["prometheus_url"]


def roles(variation: str) -> list[dict[str, Any]]:
    return [*of_kind(variation, "ClusterRole"), *of_kind(variation, "Role")]


def is_for_people(role: Mapping[str, Any]) -> bool:
    return any("aggregate-to" in label for label in role["metadata"]["labels"])


@pytest.mark.parametrize("variation", sorted(VARIATIONS))
def test_no_rule_has_a_wildcard_or_reads_secrets(variation: str) -> None:
    assert bool(roles(variation)) is (variation != "bare")
    for role in roles(variation):
        for rule in role["rules"]:
            assert "*" not in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
            assert "secrets" not in rule["resources"]
            # Right upon the workloads themselves is only for what Plimsoll owns; people write what is theirs.
            if set(rule["verbs"]) & {"create", "update", "patch", "delete"}:
                allowed = {"pods", "deployments", "httproutes", "events", "leases"}
                allowed = {"inferencedeployments"} if is_for_people(role) else allowed
                assert all("/" in resource or resource in allowed for resource in rule["resources"])


def test_where_only_some_namespaces_are_served_pods_are_read_everywhere_and_written_to_only_there() -> None:
    verbs = {
        (role["kind"], role["metadata"].get("namespace")): rule["verbs"]
        for role in roles("namespaced")
        for rule in role["rules"]
        if "pods" in rule["resources"]
    }
    assert verbs == {
        ("ClusterRole", None): ["list", "watch"],
        ("Role", "team-a"): ["get", "patch"],
        ("Role", "team-b"): ["get", "patch"],
    }


@pytest.fixture(scope="module")
def served(api: ApiClient) -> ApiClient:
    """The API server knows our kinds, and those of the Prometheus Operator."""
    install_crds(api)
    install_definitions(api, list(yaml.safe_load_all(PROMETHEUS_OPERATOR_CRDS.read_text())), manager="user")
    return api


@pytest.mark.parametrize("variation", sorted(VARIATIONS))
def test_every_object_matches_the_schemas_of_the_api_server(variation: str, served: ApiClient, tmp_path: Path) -> None:
    objects = objects_of(variation)
    for version in sorted({one["apiVersion"] for one in objects}):
        write_schemas(served, version, tmp_path)
    done = subprocess.run(
        [
            ensure(["kubeconform"])["kubeconform"],
            "-output=json",
            "-summary",
            f"-schema-location={tmp_path}/{{{{.ResourceKind}}}}{{{{.KindSuffix}}}}.json",
        ],
        input=yaml.safe_dump_all(objects),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout)["summary"]
    assert summary == {"valid": len(objects), "invalid": 0, "errors": 0, "skipped": 0}


@pytest.mark.parametrize(
    ("kind", "plural"), [("ServiceMonitor", "servicemonitors"), ("PrometheusRule", "prometheusrules")]
)
def test_the_prometheus_operator_takes_every_field_of_what_is_for_it(
    kind: str, plural: str, served: ApiClient, namespace: str
) -> None:
    (made,) = of_kind("everything", kind)
    strictly = {"dryRun": "All", "fieldValidation": "Strict"}
    path = f"/apis/{made['apiVersion']}/namespaces/{namespace}/{plural}"
    made = {**made, "metadata": {**made["metadata"], "namespace": namespace}}
    assert request(served, "POST", path, made, strictly)["metadata"]["labels"]["app.kubernetes.io/name"] == "plimsoll"
    with pytest.raises(ApiException, match="unknown field"):
        request(served, "POST", path, {**made, "spec": {**made["spec"], "misspelt": 1}}, strictly)


@pytest.mark.parametrize("variation", sorted(VARIATIONS))
def test_every_object_carries_the_standard_labels(variation: str) -> None:
    standard = {f"app.kubernetes.io/{name}" for name in ("name", "instance", "managed-by", "part-of")}
    for one in objects_of(variation):
        ours = one["kind"] not in ("CustomResourceDefinition", "ScalingPolicy")
        if ours and one["metadata"]["name"] != "trial-extra":
            labels = one["metadata"].get("labels") or {}
            assert standard <= labels.keys(), one["metadata"]["name"]
            assert labels.get("team") == VARIATIONS[variation].get("commonLabels", {}).get("team")


def test_the_image_is_pinned_by_digest_where_one_is_given() -> None:
    (container,) = operators_pod("everything")["containers"]
    assert container["image"] == "ghcr.io/plimsoll/plimsoll@sha256:" + "0" * 64
    (container,) = operators_pod("defaults")["containers"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert container["image"] == f"ghcr.io/plimsoll/plimsoll:{chart['appVersion']}"


def test_what_ci_installs_is_the_image_that_it_has_built() -> None:
    steps = yaml.safe_load((CHART.parents[1] / ".github/workflows/ci.yaml").read_text())["jobs"]["image"]["steps"]
    ran = "\n".join(step.get("run", "") for step in steps)
    (built,) = re.findall(r"docker build --tag (\S+)", ran)
    told = helm("template", "plimsoll", str(CHART), *(f"--set={one}" for one in re.findall(r"--set (\S+)", ran)))
    (deployment,) = [one for one in yaml.safe_load_all(told) if one and one["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    # What is in no registry must not be asked for there.
    assert (container["image"], container["imagePullPolicy"]) == (built, "Never")
    assert f"kind load docker-image {built}\n" in ran


def test_what_is_extra_comes_after_what_the_chart_says() -> None:
    pod = operators_pod("everything")
    (container,) = pod["containers"]
    assert container["args"][-1] == "--log-level=debug"
    assert container["volumeMounts"][-1] == {"name": "token", "mountPath": "/var/run/prometheus"}
    assert pod["volumes"][-1] == {"name": "token", "emptyDir": {}}
    assert "trial-extra" in [one["metadata"]["name"] for one in of_kind("everything", "ConfigMap")]


@pytest.mark.parametrize("variation", ["defaults", "everything"])
def test_service_monitor_budget_and_network_policy_select_the_operators_pods(variation: str) -> None:
    (deployment,) = of_kind(variation, "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    selectors = {
        "Deployment": deployment["spec"]["selector"]["matchLabels"],
        "Service": of_kind(variation, "Service")[0]["spec"]["selector"],
        "PodDisruptionBudget": of_kind(variation, "PodDisruptionBudget")[0]["spec"]["selector"]["matchLabels"],
        "NetworkPolicy": of_kind(variation, "NetworkPolicy")[0]["spec"]["podSelector"]["matchLabels"],
    }
    for kind, selector in selectors.items():
        assert selector.items() <= labels.items(), kind
        (test_pod,) = of_kind(variation, "Pod")
        assert not selector.items() <= test_pod["metadata"]["labels"].items(), f"{kind} takes the test for an operator"
    for monitor in of_kind(variation, "ServiceMonitor"):
        (service,) = of_kind(variation, "Service")
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert monitor["spec"]["endpoints"][0]["port"] in [port["name"] for port in service["spec"]["ports"]]


@pytest.mark.parametrize(
    ("variation", "source"),
    [
        ("defaults", None),
        ("cached", {"emptyDir": {"sizeLimit": "128Mi"}}),
        ("claimed", {"persistentVolumeClaim": {"claimName": "safe-rates"}}),
    ],
)
def test_simulated_safe_rates_are_kept_in_the_volume_that_is_asked_for(
    variation: str, source: dict[str, Any] | None
) -> None:
    pod = operators_pod(variation)
    (container,) = pod["containers"]
    files = [Path(one.split("=")[-1]) for one in container["args"] if one.startswith("--set=sizing.cache_file=")]
    volumes = [one for one in pod["volumes"] if one["name"] == "safe-rates"]
    assert volumes == ([] if source is None else [{"name": "safe-rates", **source}])
    mounts = [Path(one["mountPath"]) for one in container["volumeMounts"] if one["name"] == "safe-rates"]
    assert mounts == [file.parent for file in files]
    assert len(files) == len(volumes)


@pytest.mark.parametrize(
    ("variation", "may"), [("defaults", True), ("namespaced", True), ("no owned Deployments", False)]
)
def test_who_owns_deployments_may_create_change_and_delete_them(variation: str, may: bool) -> None:
    rules = [rule for one in roles(variation) for rule in one["rules"]]
    verbs = [set(rule["verbs"]) for rule in rules if rule["resources"] == ["deployments"]]
    assert verbs
    assert all(({"create", "patch", "delete"} <= one) is may for one in verbs)


def write_schemas(api: ApiClient, version: str, folder: Path) -> None:
    """One JSON schema a kind of this API version, from the server's own OpenAPI document."""
    path = f"/openapi/v3/apis/{version}" if "/" in version else f"/openapi/v3/api/{version}"
    wait_until(lambda: exists(api, path), f"the schemas of {version}", RUNS_WITHIN_S)
    schemas: dict[str, Any] = request(api, "GET", path)["components"]["schemas"]
    for name, schema in schemas.items():
        for kind in schema.get("x-kubernetes-group-version-kind", ()):
            group = kind["group"].partition(".")[0]
            suffix = f"-{group}-{kind['version']}" if group else f"-{kind['version']}"
            whole = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
            (folder / f"{kind['kind'].lower()}{suffix}.json").write_text(json.dumps(whole))


def test_the_helm_test_passes_on_an_operator_that_is_ready_and_fails_on_none(world: World) -> None:
    world.add_model()
    world.set_demand(LITTLE_RPS)
    operator = world.start_operator()
    world.wait_for_ready({"chat-cpu": 1}, UP_WITHIN_S)
    lines = [json.loads(line) for line in world.log_of(operator).splitlines() if line.startswith("{")]
    port = next(line["port"] for line in lines if "port" in line)
    (pod,) = of_kind("defaults", "Pod")
    (container,) = pod["spec"]["containers"]
    assert container["env"][0]["value"] == "http://trial-plimsoll.default.svc:8080"
    ran = run_test_container(container, f"http://127.0.0.1:{port}")
    assert (ran.returncode, ran.stdout) == (0, "the operator is ready\n")
    operator.stop()
    assert run_test_container(container, f"http://127.0.0.1:{port}").returncode != 0


def run_test_container(container: Mapping[str, Any], url: str) -> "subprocess.CompletedProcess[str]":
    """Its command with this Python, for the container's is the same program."""
    python, *arguments = container["command"]
    assert python == "python"
    environment = {**os.environ, container["env"][0]["name"]: url}
    return subprocess.run(
        [sys.executable, *arguments], env=environment, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.waits_long
def test_a_release_comes_changes_and_goes_and_the_users_objects_stay(
    control_plane: ControlPlane, api: ApiClient, namespace: str, pools: FixedPools
) -> None:
    pools.add("nodes", 2, {"cpu": "4", "memory": "8Gi"})
    # The strictest level of Pod Security, enforced by the API server itself.
    restricted = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    request(api, "PATCH", f"/api/v1/namespaces/{namespace}", restricted, None, MERGE_PATCH)
    cluster = (f"--kubeconfig={control_plane.kubeconfig}", f"--namespace={namespace}")
    model = f"/apis/plimsoll.dev/v1alpha1/namespaces/{namespace}/inferencedeployments"
    helm("install", "trial", str(CHART), "--take-ownership", *cluster)
    try:
        policies = {one["metadata"]["name"] for one in items(api, "/apis/plimsoll.dev/v1alpha1/scalingpolicies")}
        assert policies >= PRESETS
        wait_for_pods(api, namespace, 2)
        made = an_inference_deployment()
        request(api, "POST", model, {**made, "metadata": {"name": "chat"}})
        helm("upgrade", "trial", str(CHART), "--values=-", *cluster, stdin=yaml.safe_dump(upgraded_values(namespace)))
        wait_for_pods(api, namespace, 1)
        (pod,) = [one for one in operator_pods(api, namespace) if not one["metadata"].get("deletionTimestamp")]
        assert f"--namespace={namespace}" in pod["spec"]["containers"][0]["args"]
        # What the first set of values brought and the second does not want is gone.
        (role,) = [one for one in cluster_roles(api) if one["metadata"]["name"] == "trial-plimsoll"]
        assert not any("inferencedeployments" in rule["resources"] for rule in role["rules"])
        assert items(api, f"/apis/policy/v1/namespaces/{namespace}/poddisruptionbudgets") == []
    finally:
        helm("uninstall", "trial", *cluster)
        for name in PRESETS:
            request(api, "DELETE", f"/apis/plimsoll.dev/v1alpha1/scalingpolicies/{name}")
    wait_until(lambda: not operator_pods(api, namespace), "the operator's pods to be gone", RUNS_WITHIN_S)
    assert [one["metadata"]["name"] for one in cluster_roles(api) if "trial" in one["metadata"]["name"]] == []
    assert [one["metadata"]["name"] for one in items(api, model)] == ["chat"]


def upgraded_values(namespace: str) -> Mapping[str, Any]:
    return {"replicas": 1, "watchNamespaces": [namespace], "podDisruptionBudget": {"enabled": False}}


def cluster_roles(api: ApiClient) -> list[dict[str, Any]]:
    return items(api, "/apis/rbac.authorization.k8s.io/v1/clusterroles")


def operator_pods(api: ApiClient, namespace: str) -> list[dict[str, Any]]:
    return items(api, f"/api/v1/namespaces/{namespace}/pods", {"labelSelector": "app.kubernetes.io/name=plimsoll"})


def wait_for_pods(api: ApiClient, namespace: str, replicas: int) -> None:
    """The Deployment has rolled out: its pods were admitted, scheduled and are ready."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/trial-plimsoll"

    def is_rolled_out() -> bool:
        one = request(api, "GET", path)
        status = one.get("status", {})
        counts = {status.get(name, 0) for name in ("replicas", "readyReplicas", "updatedReplicas")}
        return status.get("observedGeneration") == one["metadata"]["generation"] and counts == {replicas}

    wait_until(is_rolled_out, f"{replicas} pods of the operator", RUNS_WITHIN_S)


def test_pod_security_would_refuse_a_pod_that_is_less_strict(api: ApiClient, namespace: str) -> None:
    """So that the test above shows something."""
    restricted = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    request(api, "PATCH", f"/api/v1/namespaces/{namespace}", restricted, None, MERGE_PATCH)
    pod = {"metadata": {"name": "lax"}, "spec": {"containers": [{"name": "lax", "image": "lax"}]}}
    with pytest.raises(ApiException, match="violates PodSecurity"):
        request(api, "POST", f"/api/v1/namespaces/{namespace}/pods", pod)
