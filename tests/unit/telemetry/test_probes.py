"""What the kubelet and Prometheus get from the small server."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from plimsoll.settings import HttpSettings
from plimsoll.telemetry import HttpServer, Metrics, Probes


def well() -> str | None:
    return None


@contextmanager
def a_server(
    not_alive: Callable[[], str | None] = well, not_ready: Callable[[], str | None] = well
) -> Iterator[HttpServer]:
    server = HttpServer(HttpSettings(host="127.0.0.1", port=0), Metrics(), Probes(not_alive, not_ready))
    try:
        yield server
    finally:
        server.close()


def answer(server: HttpServer, path: str) -> tuple[int, str]:
    try:
        with urlopen(f"http://127.0.0.1:{server.port}{path}", timeout=2.0) as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_process_that_is_well_says_ok(path: str) -> None:
    with a_server() as server:
        assert answer(server, path) == (200, "ok\n")


def test_a_loop_that_hangs_fails_liveness_and_says_why() -> None:
    with a_server(not_alive=lambda: "no tick has ended for 90s") as server:
        assert answer(server, "/healthz") == (503, "no tick has ended for 90s\n")
        assert answer(server, "/readyz") == (200, "ok\n")


def test_an_incomplete_listing_is_alive_but_not_ready() -> None:
    with a_server(not_ready=lambda: "the first listing is not complete yet") as server:
        assert answer(server, "/readyz") == (503, "the first listing is not complete yet\n")
        assert answer(server, "/healthz") == (200, "ok\n")


def test_metrics_are_served() -> None:
    with a_server() as server:
        status, page = answer(server, "/metrics")
    assert status == 200
    assert "plimsoll_build_info" in page


def test_another_path_says_what_there_is() -> None:
    with a_server() as server:
        assert answer(server, "/") == (404, "try /metrics, /healthz or /readyz\n")
