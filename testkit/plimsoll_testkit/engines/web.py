"""The HTTP side of the engines: /sd, /metrics/<namespace>/<pod>, /summary, and POST /control.

In: a fleet. Out: a server in a thread.
"""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from plimsoll_testkit.engines.fleet import Fleet


def serve(fleet: Fleet, port: int) -> ThreadingHTTPServer:
    """A running server on the loopback address; port 0 takes a free one."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = self.path.strip("/").split("/")
            if parts == ["sd"]:
                self._answer(200, json.dumps(_targets(fleet, self.headers["Host"])).encode(), "application/json")
            elif parts == ["summary"]:
                self._answer(200, json.dumps(fleet.summary()).encode(), "application/json")
            elif parts[0] == "metrics" and len(parts) == 3:
                page = fleet.page(parts[1], parts[2])
                self._answer(200 if page else 404, page or b"no such pod\n", "text/plain; version=0.0.4")
            else:
                self._answer(404, b"try /sd, /metrics/NAMESPACE/POD or /summary\n", "text/plain")

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            known = fleet.control(body["deployment"], float(body["rate_multiplier"]))
            self._answer(200 if known else 404, b"{}" if known else b"no such deployment\n", "application/json")

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
    return [
        {"targets": [host], "labels": {"__metrics_path__": f"/metrics/{one['namespace']}/{one['pod']}", **one}}
        for one in fleet.targets()
    ]
