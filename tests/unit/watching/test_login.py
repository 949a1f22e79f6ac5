"""The watches log in as the writers do: by kubeconfig, or by the pod's service account."""

import json
from pathlib import Path
from typing import Any

import kopf
import pytest
from kubernetes.config import incluster_config

from plimsoll.observe import ClusterCache
from plimsoll.settings import ClusterSettings
from plimsoll.watching import WatchSync, registry_for
from unit.apply.fake_api_server import FakeApiServer


def log_in(cluster: ClusterSettings) -> kopf.ConnectionInfo:
    """What the one login handler answers to kopf."""
    sync = WatchSync(ClusterCache(), FakeApiServer(), (), ())
    (handler,) = registry_for(sync, (), cluster)._activities.get_all_handlers()
    login: Any = handler.fn
    connection = login()
    assert isinstance(connection, kopf.ConnectionInfo)
    return connection


def test_a_kubeconfig_gives_address_and_token(tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "current-context": "here",
                "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
                "clusters": [{"name": "here", "cluster": {"server": "https://example:6443"}}],
                "users": [{"name": "me", "user": {"token": "secret"}}],
            }
        )
    )
    connection = log_in(ClusterSettings(kubeconfig=path))
    assert (connection.server, connection.scheme, connection.token) == ("https://example:6443", "Bearer", "secret")
    assert not connection.insecure


@pytest.fixture
def service_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files and variables that Kubernetes gives to a pod; where they lie is fixed in the client."""
    token, authority = tmp_path / "token", tmp_path / "ca.crt"
    token.write_text("secret")
    authority.write_text("certificate")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    monkeypatch.setattr(incluster_config, "SERVICE_TOKEN_FILENAME", str(token))
    monkeypatch.setattr(incluster_config, "SERVICE_CERT_FILENAME", str(authority))
    return token


def test_a_service_account_s_token_is_sent_without_the_client_s_own_prefix(service_account: Path) -> None:
    connection = log_in(ClusterSettings())
    assert (connection.server, connection.scheme, connection.token) == ("https://10.0.0.1:443", "Bearer", "secret")
    assert connection.ca_path == str(service_account.with_name("ca.crt"))


def test_each_login_reads_the_token_anew(service_account: Path) -> None:
    log_in(ClusterSettings())
    service_account.write_text("rotated")
    assert log_in(ClusterSettings()).token == "rotated"
