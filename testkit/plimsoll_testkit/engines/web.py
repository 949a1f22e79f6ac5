"""How do Prometheus and a test speak to the engines?

In: a fleet. Out: a server in a thread, which answers

    GET /sd                         http_sd: a target for each replica (labels namespace, pod), and one for the gateway
    GET /metrics/NAMESPACE/POD      what vLLM exposes
    GET /metrics/gateway            what the gateway in front of the replicas exposes
    GET /summary                    what users saw, by deployment, as JSON
    POST /control                   {"deployment": NAME, "rate_multiplier": X}: the configured rate times X from now on
                                    {"deployment": NAME, "rate_rps": X}: a constant rate from now on
"""

import json
import math
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from plimsoll_testkit.engines.fleet import Fleet

METRICS_TYPE = "text/plain; version=0.0.4"
RATES = ("rate_multiplier", "rate_rps")


def serve(fleet: Fleet, port: int) -> ThreadingHTTPServer:
    """A running server on the loopback address; port 0 takes a free one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = self.path.strip("/").split("/")
            if parts == ["sd"]:
                self._answer(200, json.dumps(_targets(fleet, self.headers["Host"])).encode(), "application/json")
            elif parts == ["summary"]:
                self._answer(200, json.dumps(fleet.summary()).encode(), "application/json")
            elif parts == ["metrics", "gateway"]:
                self._answer(200, fleet.gateway_page(), METRICS_TYPE)
            elif parts[0] == "metrics" and len(parts) == 3:
                page = fleet.page(parts[1], parts[2])
                self._answer(200 if page else 404, page or b"no such pod\n", METRICS_TYPE)
            else:
                self._answer(404, b"try /sd, /metrics/NAMESPACE/POD, /metrics/gateway or /summary\n", "text/plain")

        def do_POST(self) -> None:
            if self.path != "/control":
                self._answer(404, b"try POST /control\n", "text/plain")
                return
            try:
                deployment, rates = _rates(self.rfile.read(int(self.headers.get("Content-Length", 0))))
            except ValueError as error:
                self._answer(400, f"{error}\n".encode(), "text/plain")
                return
            if fleet.control(deployment, **rates):
                self._answer(200, b"{}", "application/json")
            else:
                self._answer(404, f"no deployment {deployment}\n".encode(), "text/plain")

        def _answer(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """A line for each scrape would drown the log."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, name="http", daemon=True).start()
    return server


def _targets(fleet: Fleet, host: str) -> list[dict[str, object]]:
    replicas: list[dict[str, object]] = [
        {"targets": [host], "labels": {"__metrics_path__": f"/metrics/{one['namespace']}/{one['pod']}", **one}}
        for one in fleet.targets()
    ]
    gateway = {"__metrics_path__": "/metrics/gateway", "namespace": "gateway", "pod": "gateway"}
    return [*replicas, {"targets": [host], "labels": gateway}]


def _rates(body: bytes) -> tuple[str, dict[str, float]]:
    """The deployment and its one new rate; a ValueError says what is wrong with the body."""
    asked = json.loads(body)
    rates = {name: asked[name] for name in RATES if name in asked} if isinstance(asked, dict) else {}
    if len(rates) != 1 or not isinstance(asked.get("deployment"), str):
        raise ValueError('give {"deployment": NAME} and one of rate_multiplier and rate_rps')
    (name, rate), *_ = rates.items()
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0.0 <= rate < math.inf:
        raise ValueError(f"{name} is {rate!r}: give a number of 0 or more")
    return asked["deployment"], {name: float(rate)}
