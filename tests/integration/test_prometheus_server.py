"""Does the real Prometheus find its targets by http_sd, and come back on the same port with its data after a crash?"""

import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from plimsoll_testkit.processes import wait_until
from plimsoll_testkit.prometheus_server import PrometheusServer

WITHIN_S = 20.0


class _Engine(BaseHTTPRequestHandler):
    """An engine and the list that names it, on one port."""

    def do_GET(self) -> None:
        host = self.headers["Host"]
        sd = json.dumps([{"targets": [host], "labels": {"namespace": "team-a", "pod": "chat-1"}}])
        metrics = "# TYPE vllm:num_requests_running gauge\nvllm:num_requests_running 3\n"
        is_metrics = self.path == "/metrics"
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4" if is_metrics else "application/json")
        self.end_headers()
        self.wfile.write((metrics if is_metrics else sd).encode())

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


@pytest.fixture
def engine_url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Engine) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def query(prometheus: PrometheusServer, promql: str) -> list[dict[str, Any]]:
    url = f"{prometheus.url}/api/v1/query?{urllib.parse.urlencode({'query': promql})}"
    with urllib.request.urlopen(url, timeout=5) as answer:
        result: list[dict[str, Any]] = json.load(answer)["data"]["result"]
    return result


def test_prometheus_scrapes_what_the_list_names_and_survives_a_crash_with_its_data(engine_url: str) -> None:
    with PrometheusServer(f"{engine_url}/sd", scrape_interval_s=0.5) as prometheus:
        running = '{__name__="vllm:num_requests_running"}'
        wait_until(lambda: bool(query(prometheus, running)), "the first scrape", WITHIN_S)
        series = query(prometheus, running)[0]
        assert (series["metric"]["namespace"], series["metric"]["pod"]) == ("team-a", "chat-1")
        assert float(series["value"][1]) == 3.0

        prometheus.kill()
        with pytest.raises(urllib.error.URLError):
            query(prometheus, running)
        prometheus.start()

        samples = query(prometheus, f"{running}[1h]")[0]["values"]
        assert samples[0][0] <= series["value"][0]  # older than the crash
        directory = prometheus.directory
    assert not prometheus.process.is_running
    assert not directory.exists()
