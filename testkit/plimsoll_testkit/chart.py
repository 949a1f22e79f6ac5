"""How would the chart set up the operator?

In: a release's name, namespace and values. Out: the manifests that the real Helm renders, those of them that an
operator outside the cluster needs (its account, roles and settings), and the command of its pod as a local one, with
the token of its service account. So tests and demo run with the rights and settings of an installed operator.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from kubernetes.client import ApiClient

from plimsoll_testkit.binaries import ensure
from plimsoll_testkit.control_plane import ControlPlane
from plimsoll_testkit.definitions import install_definitions
from plimsoll_testkit.json_api import SERVER_SIDE_APPLY, delete, request

CHART = Path(__file__).resolve().parents[2] / "charts" / "plimsoll"
PLIMSOLL = Path(sys.executable).parent / "plimsoll"
RENDER_TIMEOUT_S = 60.0
_HOOK = "helm.sh/hook"
_RBAC = "/apis/rbac.authorization.k8s.io/v1"
_PATHS: Mapping[str, str] = {
    "ServiceAccount": "/api/v1/namespaces/{namespace}/serviceaccounts/{name}",
    "ConfigMap": "/api/v1/namespaces/{namespace}/configmaps/{name}",
    "ClusterRole": _RBAC + "/clusterroles/{name}",
    "ClusterRoleBinding": _RBAC + "/clusterrolebindings/{name}",
    "Role": _RBAC + "/namespaces/{namespace}/roles/{name}",
    "RoleBinding": _RBAC + "/namespaces/{namespace}/rolebindings/{name}",
}
"""What an operator outside the cluster needs: all but what runs and guards its pods."""


class ChartRefused(Exception):
    """Helm does not render the chart with these values; in its own words."""


def helm(*arguments: str, stdin: str | None = None) -> str:
    """What the real Helm prints; its own files are kept nowhere.

    Raises:
        ChartRefused: it exited non-zero.
    """
    with tempfile.TemporaryDirectory(prefix="plimsoll-helm-") as home:
        done = subprocess.run(
            [ensure(["helm"])["helm"], *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=RENDER_TIMEOUT_S,
            env={**os.environ, "HOME": home, "XDG_CACHE_HOME": home, "XDG_CONFIG_HOME": home, "XDG_DATA_HOME": home},
            check=False,
        )
    if done.returncode != 0:
        raise ChartRefused(f"helm {' '.join(arguments)}\n{done.stdout}{done.stderr}")
    return done.stdout


def rendered(release: str, namespace: str, values: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Every manifest of the release, hooks included, in the order of Helm."""
    told = helm(
        "template", release, str(CHART), f"--namespace={namespace}", "--values=-", stdin=yaml.safe_dump(dict(values))
    )
    return [one for one in yaml.safe_load_all(told) if one]


class Release:
    """One release whose operator runs outside the cluster."""

    def __init__(
        self, control_plane: ControlPlane, api: ApiClient, release: str, namespace: str, values: Mapping[str, Any]
    ) -> None:
        self._control_plane = control_plane
        self._api = api
        self._namespace = namespace
        self.manifests = rendered(release, namespace, values)

    def install_definitions(self) -> None:
        """The CRDs that the chart carries are served."""
        install_definitions(self._api, self._of_kind("CustomResourceDefinition"), manager="helm")

    def install_account(self) -> None:
        """The service account, its roles and the settings are there."""
        for manifest in self._outside_the_pods():
            request(self._api, "PATCH", _path(manifest), manifest, {"fieldManager": "helm"}, SERVER_SIDE_APPLY)

    def remove_account(self) -> None:
        """They are gone again, the roles of the whole cluster included."""
        for manifest in reversed(self._outside_the_pods()):
            delete(self._api, _path(manifest))

    def kubeconfig(self) -> Path:
        """As the operator's service account."""
        (pod,) = self._pods()
        return self._control_plane.kubeconfig_for_service_account(self._namespace, pod["serviceAccountName"])

    def command(self, settings_file: Path, kubeconfig: Path) -> list[str]:
        """What the operator's container runs, as a local process; the settings of the ConfigMap go into that file."""
        (settings,) = self._of_kind("ConfigMap")
        settings_file.write_text(settings["data"]["settings.yaml"])
        (pod,) = self._pods()
        (container,) = pod["containers"]
        (mount,) = [one["mountPath"] for one in container["volumeMounts"] if one["name"] == "settings"]
        arguments = [one.replace(f"{mount}/settings.yaml", str(settings_file)) for one in container["args"]]
        return [str(PLIMSOLL), *arguments, f"--kubeconfig={kubeconfig}"]

    def _outside_the_pods(self) -> list[dict[str, Any]]:
        return [one for one in self.manifests if one["kind"] in _PATHS and _HOOK not in _annotations(one)]

    def _pods(self) -> Sequence[dict[str, Any]]:
        return [one["spec"]["template"]["spec"] for one in self._of_kind("Deployment")]

    def _of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [one for one in self.manifests if one["kind"] == kind]


def _annotations(manifest: Mapping[str, Any]) -> Mapping[str, str]:
    return manifest["metadata"].get("annotations") or {}


def _path(manifest: Mapping[str, Any]) -> str:
    metadata = manifest["metadata"]
    return _PATHS[manifest["kind"]].format(name=metadata["name"], namespace=metadata.get("namespace", ""))
