"""What goes over the wire to the API server, and what its refusals become."""

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from kubernetes.client import ApiClient
from kubernetes.config import ConfigException

from plimsoll.api_server import ApiServer, Patch, connect, translated
from plimsoll.errors import (
    ClusterUnavailable,
    Forbidden,
    InvalidSettings,
    NotFound,
    PlimsollError,
    WriteConflict,
    WriteRefused,
)
from plimsoll.settings import ClusterSettings

LEASE = "/apis/coordination.k8s.io/v1/namespaces/x/leases/plimsoll"


class Request(NamedTuple):
    """One request as it came in."""

    line: str
    content_type: str | None
    accept: str | None
    authorization: str | None
    body: Any


class Endpoint(ThreadingHTTPServer):
    """Records requests and gives the one answer it is told to; None lets the caller wait."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[Request] = []
        self.status = 200
        self.answer: bytes | None = b"{}"
        self.over = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def _handle(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        content_type, accept, signed = (self.headers.get(name) for name in ("Content-Type", "Accept", "Authorization"))
        body = json.loads(sent) if sent else None
        self.server.requests.append(Request(f"{self.command} {self.path}", content_type, accept, signed, body))
        answer = self.server.answer
        if answer is None:
            self.server.over.wait(5.0)
            return
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    do_GET = do_POST = do_PUT = do_PATCH = _handle  # noqa: N815 - the base class looks for these names

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.over.set()
        server.shutdown()
        thread.join()


def a_kubeconfig(folder: Path, url: str) -> Path:
    path = folder / "kubeconfig"
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "here",
                "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
                "clusters": [{"name": "here", "cluster": {"server": url}}],
                "users": [{"name": "me", "user": {"token": "secret"}}],
            }
        )
    )
    return path


@pytest.fixture
def client(endpoint: Endpoint, tmp_path: Path) -> Iterator[ApiClient]:
    made = connect(ClusterSettings(kubeconfig=a_kubeconfig(tmp_path, endpoint.url)))
    with closing(made):
        yield made
        made.rest_client.pool_manager.clear()


@pytest.fixture
def server(client: ApiClient) -> ApiServer:
    return ApiServer(client, timeout_s=2.0)


def test_a_read_is_signed_and_decoded(server: ApiServer, endpoint: Endpoint) -> None:
    endpoint.answer = b'{"items": [1]}'
    assert server.get("/api/v1/pods", {"limit": "5"}, accept="application/json;as=Table") == {"items": [1]}
    assert endpoint.requests == [
        Request("GET /api/v1/pods?limit=5", None, "application/json;as=Table", "Bearer secret", None)
    ]


def test_writes_name_their_manager(server: ApiServer, endpoint: Endpoint) -> None:
    server.post("/api/v1/x", {"a": 1})
    server.put(LEASE, {"a": 1})
    assert [request.line for request in endpoint.requests] == [
        "POST /api/v1/x?fieldManager=plimsoll",
        f"PUT {LEASE}?fieldManager=plimsoll",
    ]
    assert {request.content_type for request in endpoint.requests} == {"application/json"}
    assert [request.body for request in endpoint.requests] == [{"a": 1}, {"a": 1}]


def test_a_merge_patch_is_sent_as_one(server: ApiServer, endpoint: Endpoint) -> None:
    server.patch("/api/v1/x", {"spec": {"replicas": 0}, "gone": None})
    (request,) = endpoint.requests
    assert (request.line, request.content_type) == (
        "PATCH /api/v1/x?fieldManager=plimsoll",
        "application/merge-patch+json",
    )
    assert request.body == {"spec": {"replicas": 0}, "gone": None}


def test_an_apply_takes_over_the_fields_it_names(server: ApiServer, endpoint: Endpoint) -> None:
    server.patch("/api/v1/x", {"spec": {}}, Patch.APPLY)
    (request,) = endpoint.requests
    assert request.line == "PATCH /api/v1/x?fieldManager=plimsoll&force=true"
    assert request.content_type == "application/apply-patch+yaml"
    assert request.body == {"spec": {}}


def test_a_refusal_carries_the_words_of_the_api_server(server: ApiServer, endpoint: Endpoint) -> None:
    endpoint.status, endpoint.answer = 422, b'{"kind": "Status", "message": "spec.replicas: must be >= 0"}'
    with pytest.raises(WriteRefused, match=r"PATCH /api/v1/x: 422 spec.replicas: must be >= 0"):
        server.patch("/api/v1/x", {})


def test_a_refusal_without_a_status_object_shows_its_text(server: ApiServer, endpoint: Endpoint) -> None:
    endpoint.status, endpoint.answer = 502, b"bad gateway"
    with pytest.raises(ClusterUnavailable, match="GET /api/v1/x: 502 bad gateway"):
        server.get("/api/v1/x")


def test_an_answer_that_is_not_json_is_no_answer(server: ApiServer, endpoint: Endpoint) -> None:
    endpoint.answer = b"<html>please log in</html>"
    with pytest.raises(ClusterUnavailable, match="the answer is not JSON"):
        server.get("/api/v1/x")


def test_a_silent_api_server_ends_the_wait_at_the_time_out(client: ApiClient, endpoint: Endpoint) -> None:
    endpoint.answer = None
    with pytest.raises(ClusterUnavailable, match="the API server did not answer"):
        ApiServer(client, timeout_s=0.1).get("/api/v1/x")


def test_one_that_refuses_connections_is_unavailable(server: ApiServer, endpoint: Endpoint) -> None:
    endpoint.server_close()
    with pytest.raises(ClusterUnavailable, match="the API server did not answer"):
        server.get("/api/v1/x")


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (FileNotFoundError(2, "No such file or directory", "/var/run/token"), "/var/run/token"),
        (ConfigException("Token file exists but empty."), "Token file exists but empty."),
    ],
)
def test_a_token_that_cannot_be_read_anew_is_a_request_to_try_again_with_a_hint(
    fault: Exception, told: str, server: ApiServer, client: ApiClient, endpoint: Endpoint
) -> None:
    def refresh(configuration: Any) -> None:
        raise fault

    client.configuration.refresh_api_key_hook = refresh
    with pytest.raises(ClusterUnavailable, match="GET /api/v1/x: not sent, the credentials cannot be read") as refused:
        server.get("/api/v1/x")
    assert told in str(refused.value)
    assert "Check the mounted token of the service account" in str(refused.value)
    assert endpoint.requests == []


def test_a_failed_request_is_not_repeated_behind_our_back(server: ApiServer, endpoint: Endpoint) -> None:
    endpoint.status = 503
    with pytest.raises(ClusterUnavailable):
        server.get("/api/v1/x")
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (0, ClusterUnavailable),
        (400, WriteRefused),
        (401, WriteRefused),
        (403, Forbidden),
        (404, NotFound),
        (408, ClusterUnavailable),
        (409, WriteConflict),
        (410, ClusterUnavailable),
        (422, WriteRefused),
        (429, ClusterUnavailable),
        (500, ClusterUnavailable),
        (503, ClusterUnavailable),
        (504, ClusterUnavailable),
    ],
)
def test_a_status_is_translated_by_what_the_caller_can_do(status: int, kind: type[PlimsollError]) -> None:
    error = translated(status, "why", "GET /x")
    assert type(error) is kind
    assert f"GET /x: {status} why" in str(error)


def test_who_may_not_is_sent_to_the_role_and_who_is_unknown_to_the_credentials() -> None:
    assert "Check the operator's role" in str(translated(403, "forbidden", "GET /x"))
    assert "Check the operator's credentials" in str(translated(401, "unauthorized", "GET /x"))


def test_a_long_refusal_is_cut() -> None:
    assert len(str(translated(422, "x" * 5000, "GET /x"))) == 300


@pytest.mark.parametrize("text", [None, "", "a: [", "just words"])
def test_a_kubeconfig_that_cannot_be_used_says_what_to_pass(text: str | None, tmp_path: Path) -> None:
    path = tmp_path / "kubeconfig"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InvalidSettings, match=r"no cluster to talk to: .*pass --kubeconfig FILE"):
        connect(ClusterSettings(kubeconfig=path))


def test_a_context_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = a_kubeconfig(tmp_path, "http://127.0.0.1:1")
    with pytest.raises(InvalidSettings, match="elsewhere"):
        connect(ClusterSettings(kubeconfig=path, context="elsewhere"))
