"""Before the operator can work: probes answer, it can be told to leave, and what cannot work ends the process."""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from integration.small_api_server import SmallApiServer, a_small_api_server
from integration.world import GRACEFUL_EXIT_S
from plimsoll.api import GROUP
from plimsoll_testkit.chart import PLIMSOLL
from plimsoll_testkit.processes import Process, wait_until

STARTS_WITHIN_S = 20.0
"""Importing takes a second or two; the rest is for a busy machine."""
LEASE = "/apis/coordination.k8s.io/v1/namespaces/plimsoll-system/leases/plimsoll"


@dataclass
class Start:
    """One operator process on a small API server."""

    server: SmallApiServer
    operator: Process

    def port(self) -> int:
        """Where its probes are, as soon as it has said so."""
        wait_until(lambda: bool(self._ports()), "the port in the log", STARTS_WITHIN_S, [self.operator])
        return self._ports()[0]

    def wait_for_probe(self, path: str, status: int, text: str) -> None:
        """Until the probe answers like that."""
        port = self.port()
        answers = []

        def there() -> bool:
            answers.append(_probe(port, path))
            return answers[-1][0] == status and text in answers[-1][1]

        wait_until(there, f"{path} to answer {status} with {text!r}", STARTS_WITHIN_S, [self.operator])

    def log(self) -> str:
        return self.operator.log_path.read_text()

    def _ports(self) -> list[int]:
        lines = [json.loads(line) for line in self.log().splitlines() if line.startswith("{")]
        return [line["port"] for line in lines if "port" in line]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """The process is made, and started by the test."""
    with a_small_api_server() as server:
        command = [
            str(PLIMSOLL),
            "run",
            f"--kubeconfig={server.write_kubeconfig(tmp_path)}",
            "--listen=127.0.0.1:0",
            "--prometheus-url=http://127.0.0.1:1",
        ]
        operator = Process("operator", command, tmp_path / "operator.log")
        yield Start(server, operator)
        operator.stop()


def test_while_the_crds_are_missing_it_is_alive_and_says_what_it_waits_for(start: Start) -> None:
    start.server.missing_groups = {GROUP}
    start.operator.start()
    start.wait_for_probe("/readyz", 503, "does not serve inferencedeployments")
    assert "install the CRDs first" in _probe(start.port(), "/readyz")[1]
    assert _probe(start.port(), "/healthz") == (200, "ok\n")
    assert _probe(start.port(), "/metrics")[0] == 200

    start.server.missing_groups = set()
    start.wait_for_probe("/readyz", 200, "ok")


def test_it_leaves_in_time_while_it_waits_for_crds(start: Start) -> None:
    start.server.missing_groups = {GROUP}
    start.operator.start()
    start.wait_for_probe("/readyz", 503, "does not serve inferencedeployments")
    _assert_it_leaves_in_time(start)


def test_it_leaves_in_time_while_an_api_server_that_hangs_is_asked_for_crds(start: Start) -> None:
    start.server.hang()
    # Much longer than it may take to leave.
    start.operator.command = [*start.operator.command, "--set=cluster.timeout_s=60", "--set=leader.enabled=false"]
    start.operator.start()
    wait_until(lambda: bool(start.server.asked), "a request", STARTS_WITHIN_S, [start.operator])
    _assert_it_leaves_in_time(start)


def test_an_elector_that_breaks_ends_the_process_so_that_it_is_started_afresh(start: Start) -> None:
    start.server.answers[LEASE] = ["not a lease"]
    start.operator.start()
    assert start.operator.wait(STARTS_WITHIN_S) == 1
    assert "elector broke: " in start.log()
    assert "the process ends so that it is started afresh" in start.log()


def test_a_token_file_that_is_not_there_is_a_mistake_in_the_settings(start: Start, tmp_path: Path) -> None:
    missing = tmp_path / "token"
    start.server.missing_groups = {GROUP}
    start.operator.command = [*start.operator.command, f"--set=observe.bearer_token_file={missing}"]
    start.operator.start()
    assert start.operator.wait(STARTS_WITHIN_S) == 2
    assert f"observe.bearer_token_file {missing} cannot be read" in start.log()


def _assert_it_leaves_in_time(start: Start) -> None:
    asked_s = time.monotonic()
    start.operator.stop(grace_s=2 * GRACEFUL_EXIT_S)
    assert time.monotonic() - asked_s <= GRACEFUL_EXIT_S
    assert start.operator.exit_code == 0


def _probe(port: int, path: str) -> tuple[int, str]:
    try:
        with urlopen(f"http://127.0.0.1:{port}{path}", timeout=5.0) as response:
            return response.status, response.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.read().decode()
