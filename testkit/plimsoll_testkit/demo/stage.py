"""What stands on the stage? A real control plane, Prometheus and operator; fake nodes, simulated engines.

In: the length of the play. Out: everything running, with the handles that the play needs; all of it ends with the
``with`` block.
"""

import contextlib
import json
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from kubernetes.client import ApiClient

from plimsoll_testkit.chart import Release
from plimsoll_testkit.cluster_autoscaler import ClusterAutoscaler
from plimsoll_testkit.control_plane import ControlPlane
from plimsoll_testkit.demo.live_figures import pools_with_live_figures, with_live_figures
from plimsoll_testkit.demo.scenario import NAMESPACE, autoscaled_pools, documents, engines_configuration
from plimsoll_testkit.json_api import SERVER_SIDE_APPLY, items, request
from plimsoll_testkit.processes import Process, free_port, wait_until
from plimsoll_testkit.prometheus_server import PrometheusServer

TICK_S = 2.0
SCRAPE_S = 1.0
WINDOW_S = 6.0
FIELD_MANAGER = "demo"
SYSTEM_NAMESPACE = "plimsoll-system"
_PLURALS = {
    "Namespace": "/api/v1/namespaces/{name}",
    "ComputePool": "/apis/plimsoll.dev/v1alpha1/computepools/{name}",
    "ServingProfile": "/apis/plimsoll.dev/v1alpha1/servingprofiles/{name}",
    "ScalingPolicy": "/apis/plimsoll.dev/v1alpha1/scalingpolicies/{name}",
    "InferenceDeployment": "/apis/plimsoll.dev/v1alpha1/namespaces/{namespace}/inferencedeployments/{name}",
    "Deployment": "/apis/apps/v1/namespaces/{namespace}/deployments/{name}",
}


@dataclass
class Stage:
    """Handles of what is running."""

    control_plane: ControlPlane
    api: ApiClient
    autoscaler: ClusterAutoscaler
    operator: Process
    engines_url: str
    operator_url: str

    def deployments(self) -> list[dict[str, Any]]:
        """The InferenceDeployments as they are, with the figures of the operator's last tick."""
        present = items(self.api, f"/apis/plimsoll.dev/v1alpha1/namespaces/{NAMESPACE}/inferencedeployments")
        try:
            return with_live_figures(present, self.operator_metrics())
        except OSError:
            # The page did not come in time; a look with the figures of the status is better than none.
            return present

    def pools(self) -> list[dict[str, Any]]:
        """The ComputePools as they are, with the figures of the operator's last tick."""
        present = items(self.api, "/apis/plimsoll.dev/v1alpha1/computepools")
        try:
            return pools_with_live_figures(present, self.operator_metrics())
        except OSError:
            return present

    def users(self) -> dict[str, Any]:
        """What users saw until now, by model."""
        told: dict[str, Any] = json.loads(_get(f"{self.engines_url}/summary"))
        return {key.split("/")[1]: value for key, value in told["models"].items()}

    def operator_metrics(self) -> str:
        """The operator's own metrics."""
        return _get(f"{self.operator_url}/metrics")

    def operator_log(self) -> list[dict[str, Any]]:
        """Its log lines."""
        lines = self.operator.log_path.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@contextlib.contextmanager
def put_up(seconds: float, say: Any) -> Iterator[Stage]:
    """Everything is running, and traffic starts now.

    Args:
        seconds: length of the play.
        say: told one line for each part.
    """
    with contextlib.ExitStack() as stack:
        control_plane = stack.enter_context(ControlPlane())
        say(f"control plane {control_plane.version} ready in {control_plane.seconds_to_ready:.1f} s")
        api = stack.enter_context(control_plane.api_client())
        engines_port, operator_port = free_port(), free_port()
        engines_url = f"http://127.0.0.1:{engines_port}"
        prometheus = PrometheusServer(f"{engines_url}/sd", SCRAPE_S)
        release = _release(control_plane, api, prometheus.url)
        _apply_everything(api, release)
        say(f"CRDs, roles and settings of the chart are in; the operator is {SYSTEM_NAMESPACE}/plimsoll there")
        autoscaler = stack.enter_context(ClusterAutoscaler(control_plane.api_client, autoscaled_pools()))
        paid = [pool for pool in autoscaled_pools() if pool.min_nodes]
        for pool in paid:
            wait_until(lambda pool=pool: _nodes(api, pool.name) >= pool.min_nodes, f"nodes of {pool.name}", 30.0)  # type: ignore[misc]
        wait_until(
            lambda: not _short(api), lambda: f"replicas that run before Plimsoll: {', '.join(_short(api))}", 60.0
        )
        directory = control_plane.directory
        engines = _engines(control_plane, seconds, engines_port)
        stack.enter_context(prometheus)
        operator = Process(
            "operator",
            [
                *release.command(directory / "settings.yaml", release.kubeconfig()),
                f"--listen=127.0.0.1:{operator_port}",
            ],
            directory / "operator.log",
        )
        for process in (operator, engines):
            stack.callback(process.stop)
            process.start()
        say("engines, Prometheus and operator started; traffic begins")
        wait_until(lambda: _answers(f"{engines_url}/summary"), "the engines to answer", 20.0, [engines])
        wait_until(lambda: _answers(f"http://127.0.0.1:{operator_port}/healthz"), "the operator", 20.0, [operator])
        yield Stage(control_plane, api, autoscaler, operator, engines_url, f"http://127.0.0.1:{operator_port}")


def _engines(control_plane: ControlPlane, seconds: float, port: int) -> Process:
    configuration = control_plane.directory / "engines.yaml"
    configuration.write_text(yaml.safe_dump(engines_configuration(seconds)))
    command = [sys.executable, "-m", "plimsoll_testkit.engines"]
    options = [f"--kubeconfig={control_plane.kubeconfig}", f"--config={configuration}", f"--port={port}"]
    return Process("engines", [*command, *options], control_plane.directory / "engines.log")


def _release(control_plane: ControlPlane, api: ApiClient, prometheus_url: str) -> Release:
    """As `helm install plimsoll charts/plimsoll` would set up the operator for this play."""
    settings = {
        "loop": {"interval_s": TICK_S},
        "observe": {"prometheus_url": prometheus_url, "window_s": WINDOW_S, "timeout_s": 1.5},
    }
    values = {"watchNamespaces": [NAMESPACE], "settings": settings}
    return Release(control_plane, api, "plimsoll", SYSTEM_NAMESPACE, values)


def _apply_everything(api: ApiClient, release: Release) -> None:
    namespaces = [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}} for name in (NAMESPACE, SYSTEM_NAMESPACE)
    ]
    _apply(api, namespaces)
    release.install_definitions()
    release.install_account()
    for name in ("pools", "profiles", "policy", "workloads", "models"):
        _apply(api, documents(name))


def _apply(api: ApiClient, manifests: list[dict[str, Any]]) -> None:
    for manifest in manifests:
        request(api, "PATCH", _path(manifest), manifest, {"fieldManager": FIELD_MANAGER}, SERVER_SIDE_APPLY)


def _path(manifest: dict[str, Any]) -> str:
    metadata = manifest["metadata"]
    return _PLURALS[manifest["kind"]].format(name=metadata["name"], namespace=metadata.get("namespace", ""))


def _nodes(api: ApiClient, pool: str) -> int:
    return len(items(api, "/api/v1/nodes", {"labelSelector": f"demo/pool={pool}"}))


def _short(api: ApiClient) -> list[str]:
    """The workloads of which not every replica is ready that they begin with."""
    workloads = items(api, f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments")
    counts = [(one, one.get("status", {}).get("readyReplicas", 0), one["spec"]["replicas"]) for one in workloads]
    return [
        f"{one['metadata']['name']} has {ready} of {wanted} ready" for one, ready, wanted in counts if ready != wanted
    ]


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5.0) as answer:
        text: str = answer.read().decode()
    return text


def _answers(url: str) -> bool:
    try:
        _get(url)
    except OSError:
        return False
    return True
