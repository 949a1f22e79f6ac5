"""What does Flux make of a folder of manifests?

In: a folder, which stands for a Git repository. Out: Flux's real kustomize-controller as a process, which applies it to
a control plane whenever it is told of a revision. Only the source-controller is played here: it would clone the
repository, pack it and write into the status of a GitRepository where the package lies, and so do we.

    with Flux(control_plane, api, namespace) as flux:
        flux.push(folder)
        flux.wait_until_applied()
"""

import contextlib
import hashlib
import os
import tarfile
import threading
from collections.abc import Mapping
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kubernetes.client import ApiClient

from plimsoll_testkit.binaries import ensure
from plimsoll_testkit.control_plane import ControlPlane
from plimsoll_testkit.definitions import install_definitions
from plimsoll_testkit.json_api import MERGE_PATCH, SERVER_SIDE_APPLY, delete, request
from plimsoll_testkit.processes import Process, free_port, wait_until
from plimsoll_testkit.scratch_directory import scratch_directory

NAME = "models"
APPLIED_WITHIN_S = 120.0
_KUSTOMIZATION = ("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations")
_GIT = ("source.toolkit.fluxcd.io", "v1", "GitRepository", "gitrepositories")
_WATCHED = (
    _KUSTOMIZATION,
    _GIT,
    ("source.toolkit.fluxcd.io", "v1", "OCIRepository", "ocirepositories"),
    ("source.toolkit.fluxcd.io", "v1", "Bucket", "buckets"),
    ("source.toolkit.fluxcd.io", "v1", "ExternalArtifact", "externalartifacts"),
)
"""Kinds without which the controller does not start."""
_REQUESTED_AT = "reconcile.fluxcd.io/requestedAt"


class Flux:
    """kustomize-controller, and one Kustomization of one source in one namespace."""

    def __init__(self, control_plane: ControlPlane, api: ApiClient, namespace: str) -> None:
        self._control_plane = control_plane
        self._api = api
        self._namespace = namespace
        self._revision = 0
        self._requested = 0
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> Self:
        binary = ensure(["kustomize-controller"])["kustomize-controller"]
        with contextlib.ExitStack() as cleanup:
            self._directory = cleanup.enter_context(scratch_directory("plimsoll-flux-"))
            install_definitions(self._api, [_loose_definition(*kind) for kind in _WATCHED], manager="flux")
            cleanup.callback(self._remove_definitions)
            self._port = cleanup.enter_context(_served(self._directory))
            self._process = self._controller(binary)
            cleanup.callback(self._process.stop)
            self._process.start()
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def push(self, folder: Path, spec: Mapping[str, Any]) -> None:
        """The folder is the new revision of the source.

        Args:
            folder: plain manifests.
            spec: of the Kustomization, as users write it; where it comes from is filled in.
        """
        self._revision += 1
        package = self._directory / f"{self._revision}.tar.gz"
        with tarfile.open(package, "w:gz") as archive:
            archive.add(folder, arcname=".")
        self._apply(_GIT, {"spec": {"interval": "1m", "url": "https://git.example.com/models.git"}})
        artifact = {
            "url": f"http://127.0.0.1:{self._port}/{package.name}",
            "path": package.name,
            "revision": f"main@sha1:{self._revision:040x}",
            "digest": f"sha256:{hashlib.sha256(package.read_bytes()).hexdigest()}",
            "lastUpdateTime": "2026-01-01T00:00:00Z",
        }
        ready = {
            "type": "Ready",
            "status": "True",
            "reason": "Succeeded",
            "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }
        status = {"status": {"artifact": artifact, "conditions": [ready]}}
        request(self._api, "PATCH", f"{self._path(_GIT)}/status", status, None, MERGE_PATCH)
        source = {"kind": "GitRepository", "name": NAME}
        self._apply(_KUSTOMIZATION, {"spec": {**spec, "sourceRef": source, "path": "./"}})

    def reconcile(self) -> None:
        """Flux has compared and applied once more, as `flux reconcile kustomization` makes it do."""
        self._requested += 1
        wish = {"metadata": {"annotations": {_REQUESTED_AT: str(self._requested)}}}
        request(self._api, "PATCH", self._path(_KUSTOMIZATION), wish, None, MERGE_PATCH)
        self._wait(lambda: self._status().get("lastHandledReconcileAt") == str(self._requested), "a reconciliation")
        self.wait_until_applied()

    def wait_until_applied(self) -> None:
        """The newest revision is applied, and what the Kustomization waits for is ready."""
        revision = f"main@sha1:{self._revision:040x}"
        self._wait(
            lambda: self._status().get("lastAppliedRevision") == revision and self.ready().get("status") == "True",
            f"revision {self._revision} to be applied",
        )

    def ready(self) -> Mapping[str, Any]:
        """The condition Ready of the Kustomization; empty where it has none."""
        conditions = self._status().get("conditions") or ()
        return next((one for one in conditions if one["type"] == "Ready"), {})

    def _wait(self, condition: Any, what: str) -> None:
        wait_until(condition, lambda: f"{what}; Flux says {self.ready()}", APPLIED_WITHIN_S, [self._process])

    def _status(self) -> Mapping[str, Any]:
        status: Mapping[str, Any] = request(self._api, "GET", self._path(_KUSTOMIZATION)).get("status") or {}
        return status

    def _controller(self, binary: Path) -> Process:
        environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
        environment |= {"KUBECONFIG": str(self._control_plane.kubeconfig), "RUNTIME_NAMESPACE": self._namespace}
        flags = {
            "watch-all-namespaces": "false",
            "metrics-addr": f"127.0.0.1:{free_port()}",
            "health-addr": f"127.0.0.1:{free_port()}",
            "http-retry": "1",
        }
        command: list[str | Path] = [binary, *(f"--{name}={value}" for name, value in flags.items())]
        return Process("kustomize-controller", command, self._directory / "controller.log", environment)

    def _apply(self, kind: tuple[str, str, str, str], body: Mapping[str, Any]) -> None:
        group, version, name, _ = kind
        manifest = {"apiVersion": f"{group}/{version}", "kind": name, "metadata": {"name": NAME}, **body}
        request(self._api, "PATCH", self._path(kind), manifest, {"fieldManager": "user"}, SERVER_SIDE_APPLY)

    def _path(self, kind: tuple[str, str, str, str]) -> str:
        group, version, _, plural = kind
        return f"/apis/{group}/{version}/namespaces/{self._namespace}/{plural}/{NAME}"

    def _remove_definitions(self) -> None:
        # Whoever ends it has ended the controller before: its finalizer would keep the Kustomization for ever.
        request(self._api, "PATCH", self._path(_KUSTOMIZATION), {"metadata": {"finalizers": None}}, None, MERGE_PATCH)
        for group, _, _, plural in _WATCHED:
            delete(self._api, f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{plural}.{group}")


@contextlib.contextmanager
def _served(directory: Path) -> Any:
    """The port on which the packages can be had."""

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            """Each download is not worth a line."""

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Silent, directory=str(directory))) as server:
        thread = threading.Thread(target=server.serve_forever, name="artifacts", daemon=True)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def _loose_definition(group: str, version: str, kind: str, plural: str) -> dict[str, Any]:
    """A definition that takes any spec and status: Flux's own would only check what this module writes."""
    anything = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": anything, "status": anything}}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {"kind": kind, "plural": plural},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema},
                    "subresources": {"status": {}},
                }
            ],
        },
    }
