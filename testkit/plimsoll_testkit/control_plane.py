"""What does a test or the demo get as its cluster?

In: the binaries. Out: etcd, kube-apiserver with RBAC, kube-controller-manager, kube-scheduler and KWOK as processes on
loopback ports, ready in seconds, with a kubeconfig for whoever is to use them. There are no kubelets: nodes and the
pods on them are KWOK's, see kwok.py. Everything is ended and removed on leaving the ``with`` block, also on Ctrl-C,
SIGTERM and when a part does not start; when this process is killed, the kernel kills the parts. Design section 8.

    with ControlPlane() as control_plane:
        api = control_plane.api_client()
"""

import contextlib
import json
import os
import secrets
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import kubernetes.client
import kubernetes.config
import yaml

from plimsoll_testkit.binaries import ensure
from plimsoll_testkit.certificates import Authority, signing_keys
from plimsoll_testkit.json_api import items, request
from plimsoll_testkit.kubeconfig import Server, with_certificate, with_token, write_kubeconfig
from plimsoll_testkit.processes import (
    Process,
    ProcessFailed,
    accepts_connections,
    exits_on_sigterm,
    free_port,
    stop_all,
    wait_until,
)
from plimsoll_testkit.scratch_directory import scratch_directory

PARTS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")
DIRECTORY_PREFIX = "plimsoll-control-plane-"
START_TIMEOUT_S = 60.0
STAGES_PATH = Path(__file__).with_name("kwok_stages.yaml")

# Users that the token file knows, with their groups. The controllers run as one user and not as the forty service
# accounts of a production cluster, which would double the time to start.
STATIC_USERS: Mapping[str, str] = {
    "admin": "system:masters",
    "kube-controller-manager": "system:masters",
    "system:kube-scheduler": "",
    "kwok": "system:masters",
}


class ControlPlane:
    """One Kubernetes control plane of our own, from ``with`` to the end of the block."""

    directory: Path
    kubeconfig: Path
    """For the admin, who may do everything."""
    url: str
    token: str
    """The admin's bearer token."""
    version: str
    """What the API server says it is, such as ``v1.37.2``."""
    seconds_to_ready: float
    processes: Mapping[str, Process]
    """By part's name, for tests that kill one."""

    def __init__(self) -> None:
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> Self:
        binaries = ensure(PARTS)
        with contextlib.ExitStack() as cleanup:
            cleanup.enter_context(exits_on_sigterm())
            self.directory = cleanup.enter_context(scratch_directory(DIRECTORY_PREFIX))
            started_s = time.monotonic()
            self._write_identities()
            self.processes = _processes(binaries, self)
            cleanup.callback(self._stop_parts)
            self._start_parts()
            self.seconds_to_ready = time.monotonic() - started_s
            self._cleanup = cleanup.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._cleanup.close()

    def api_client(self, kubeconfig: Path | None = None) -> kubernetes.client.ApiClient:
        """A client of its own, for the admin or whom the kubeconfig names; close it after use."""
        configuration = kubernetes.client.Configuration()
        kubernetes.config.load_kube_config(  # type: ignore[no-untyped-call]
            str(kubeconfig or self.kubeconfig), client_configuration=configuration, persist_config=False
        )
        configuration.proxy = None
        return kubernetes.client.ApiClient(configuration)

    def kubeconfig_for_user(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig for any user name; RBAC decides what it may do, at first hardly anything."""
        identity = with_certificate(self._authority.issue_client(user, groups))
        return self._write_kubeconfig(f"user-{user}", identity)

    def kubeconfig_for_service_account(self, namespace: str, name: str, duration_s: int = 3600) -> Path:
        """A kubeconfig with a token of an existing service account, as a pod would have it."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": duration_s},
        }
        with self.api_client() as api:
            token: str = request(api, "POST", path, body)["status"]["token"]
        return self.kubeconfig_for_token(token, f"service-account-{namespace}-{name}")

    def kubeconfig_for_token(self, token: str, name: str) -> Path:
        """A kubeconfig with this bearer token; the name only tells files apart."""
        return self._write_kubeconfig(name, with_token(token))

    @property
    def ports(self) -> Mapping[str, int]:
        """Loopback port by part's name."""
        return self._ports

    def audit_log(self) -> list[dict[str, Any]]:
        """What service accounts asked of the API server until now, oldest first: audit.k8s.io/v1 Events."""
        path = self.directory / "audit.log"
        if not path.exists():
            return []
        # The last line may be half written still.
        complete, _, _ = path.read_text().rpartition("\n")
        return [json.loads(line) for line in complete.splitlines()]

    def _write_identities(self) -> None:
        self._authority = Authority("plimsoll-testkit")
        self._ports = {name: free_port() for name in (*PARTS, "etcd-peer")}
        self.url = f"https://127.0.0.1:{self._ports['kube-apiserver']}"
        tokens = {user: secrets.token_urlsafe(24) for user in STATIC_USERS}
        self.token = tokens["admin"]
        serving = self._authority.issue_server("plimsoll-testkit", ["127.0.0.1", "localhost", "kubernetes.default.svc"])
        private, public = signing_keys()
        rows = [f'{tokens[user]},{user},{user},"{group}"' for user, group in STATIC_USERS.items()]
        files = {
            "ca.crt": self._authority.certificate_pem,
            "serving.crt": serving.certificate_pem,
            "serving.key": serving.key_pem,
            "service-accounts.key": private,
            "service-accounts.pub": public,
            "tokens.csv": "\n".join(rows).encode(),
        }
        for name, content in files.items():
            (self.directory / name).touch(mode=0o600)
            (self.directory / name).write_bytes(content)
        for user, token in tokens.items():
            self._write_kubeconfig(user, with_token(token))
        self.kubeconfig = self.directory / "admin.kubeconfig"
        (self.directory / "scheduler.yaml").write_text(yaml.safe_dump(_scheduler_configuration(self.directory)))
        (self.directory / "audit-policy.yaml").write_text(yaml.safe_dump(_audit_policy()))

    def _write_kubeconfig(self, name: str, identity: Mapping[str, Any]) -> Path:
        safe_name = name.removeprefix("system:").replace(":", "-").replace("/", "-")
        return write_kubeconfig(
            self.directory / f"{safe_name}.kubeconfig",
            Server(self.url, self._authority.certificate_pem),
            name,
            identity,
        )

    def _start_parts(self) -> None:
        self._start("etcd")
        self._wait("etcd", lambda: accepts_connections(self._ports["etcd"]))
        self._start("kube-apiserver")
        self._wait("kube-apiserver", lambda: self._answers("kube-apiserver", "/readyz"))
        for part in ("kube-controller-manager", "kube-scheduler", "kwok"):
            self._start(part)
        self._wait("kube-controller-manager", lambda: self._answers("kube-controller-manager", "/healthz"))
        self._wait("kube-scheduler", lambda: self._answers("kube-scheduler", "/readyz"))
        self._wait("kwok", lambda: self._answers("kwok", "/healthz"))
        self._wait("kube-controller-manager", self._default_account_exists)
        with self.api_client() as api:
            self.version = request(api, "GET", "/version")["gitVersion"]

    def _start(self, part: str) -> None:
        self.processes[part].start()

    def _wait(self, part: str, condition: Callable[[], bool]) -> None:
        started = [
            process for process in self.processes.values() if process.exit_code is not None or process.is_running
        ]
        # The part waited for comes first, so that its log stands first in the message.
        started.sort(key=lambda process: process.name != part)
        wait_until(condition, f"{part} to be ready", START_TIMEOUT_S, started)

    def _answers(self, part: str, path: str) -> bool:
        scheme = "http" if part == "kwok" else "https"
        question = urllib.request.Request(
            f"{scheme}://127.0.0.1:{self._ports[part]}{path}", headers={"Authorization": f"Bearer {self.token}"}
        )
        trust = ssl.create_default_context(cadata=self._authority.certificate_pem.decode())
        # No proxy of the environment between us and loopback.
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=trust)
        )
        try:
            with opener.open(question, timeout=2.0) as answer:
                return bool(answer.status == 200)
        except urllib.error.URLError as error:
            # Waiting longer would not make a certificate right.
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                raise
            return False
        except (ConnectionError, TimeoutError):
            return False

    def _default_account_exists(self) -> bool:
        """Pods can be created: admission refuses them until the controllers have made the namespace's account."""
        with self.api_client() as api:
            return bool(items(api, "/api/v1/namespaces/default/serviceaccounts"))

    def _stop_parts(self) -> None:
        # Clients before servers, so that none spends its last second on retries; the store has nothing worth saving.
        stop_all([self.processes[part] for part in ("kwok", "kube-scheduler", "kube-controller-manager")], grace_s=1.0)
        stop_all([self.processes[part] for part in ("kube-apiserver", "etcd")], grace_s=0.5)


def _processes(binaries: Mapping[str, Path], plane: ControlPlane) -> dict[str, Process]:
    flags = {
        "etcd": _etcd_flags(plane),
        "kube-apiserver": _api_server_flags(plane),
        "kube-controller-manager": _controller_manager_flags(plane),
        "kube-scheduler": _scheduler_flags(plane),
        "kwok": _kwok_flags(plane),
    }
    # A proxy from the environment must not get between parts that talk over loopback.
    environment = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    return {
        part: Process(
            part,
            [binaries[part], *(f"--{key}={value}" for key, value in flags[part].items())],
            plane.directory / f"{part}.log",
            environment,
        )
        for part in PARTS
    }


def _etcd_flags(plane: ControlPlane) -> dict[str, object]:
    client = f"http://127.0.0.1:{plane.ports['etcd']}"
    peer = f"http://127.0.0.1:{plane.ports['etcd-peer']}"
    return {
        "name": "testkit",
        "data-dir": plane.directory / "etcd",
        "listen-client-urls": client,
        "advertise-client-urls": client,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster": f"testkit={peer}",
        "log-level": "warn",
        # Nothing here outlives the process, so waiting for the disk would buy nothing.
        "unsafe-no-fsync": "true",
    }


def _api_server_flags(plane: ControlPlane) -> dict[str, object]:
    return {
        "etcd-servers": f"http://127.0.0.1:{plane.ports['etcd']}",
        "bind-address": "127.0.0.1",
        "advertise-address": "127.0.0.1",
        "secure-port": plane.ports["kube-apiserver"],
        # A loopback address is no valid endpoint of the `kubernetes` Service, so nobody keeps that up to date.
        "endpoint-reconciler-type": "none",
        "tls-cert-file": plane.directory / "serving.crt",
        "tls-private-key-file": plane.directory / "serving.key",
        "client-ca-file": plane.directory / "ca.crt",
        "token-auth-file": plane.directory / "tokens.csv",
        "authorization-mode": "RBAC",
        "allow-privileged": "true",
        "service-cluster-ip-range": "10.0.0.0/24",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": plane.directory / "service-accounts.pub",
        "service-account-signing-key-file": plane.directory / "service-accounts.key",
        "profiling": "false",
        "audit-policy-file": plane.directory / "audit-policy.yaml",
        "audit-log-path": plane.directory / "audit.log",
    }


def _audit_policy() -> dict[str, object]:
    """Service accounts alone are recorded: here these are operators; the controllers are users."""
    return {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "userGroups": ["system:serviceaccounts"]}],
    }


def _controller_manager_flags(plane: ControlPlane) -> dict[str, object]:
    return {
        "kubeconfig": plane.directory / "kube-controller-manager.kubeconfig",
        **_serving_flags(plane, "kube-controller-manager"),
        "leader-elect": "false",
        "service-account-private-key-file": plane.directory / "service-accounts.key",
        "root-ca-file": plane.directory / "ca.crt",
        # How soon a new node loses its not-ready taint; 5 s by default.
        "node-monitor-period": "500ms",
        # Nodes have neither a heartbeat nor a lease here, and none of them ever fails unseen.
        "node-monitor-grace-period": "24h",
        "horizontal-pod-autoscaler-sync-period": "5s",
        "kube-api-qps": 500,
        "kube-api-burst": 1000,
    }


def _scheduler_flags(plane: ControlPlane) -> dict[str, object]:
    return {"config": plane.directory / "scheduler.yaml", **_serving_flags(plane, "kube-scheduler")}


def _serving_flags(plane: ControlPlane, part: str) -> dict[str, object]:
    return {
        "bind-address": "127.0.0.1",
        "secure-port": plane.ports[part],
        "tls-cert-file": plane.directory / "serving.crt",
        "tls-private-key-file": plane.directory / "serving.key",
    }


def _scheduler_configuration(directory: Path) -> dict[str, object]:
    return {
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "leaderElection": {"leaderElect": False},
        "clientConnection": {"kubeconfig": str(directory / "kube-scheduler.kubeconfig"), "qps": 500, "burst": 1000},
        # How long a pod that did not fit waits before it is looked at again; 10 s by default.
        "podMaxBackoffSeconds": 2,
    }


def _kwok_flags(plane: ControlPlane) -> dict[str, object]:
    return {
        "kubeconfig": plane.directory / "kwok.kubeconfig",
        "config": STAGES_PATH,
        "manage-all-nodes": "true",
        "server-address": f"127.0.0.1:{plane.ports['kwok']}",
        "node-ip": "127.0.0.1",
        "cidr": "10.64.0.0/12",
        # No leases: KWOK v0.8.0 passes over a pod for ever that is bound before it has seen its lease of a new node.
        "node-lease-duration-seconds": 0,
    }


__all__ = ["ControlPlane", "ProcessFailed"]
