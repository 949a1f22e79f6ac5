"""A few pretended engines, so small that a test can say exactly what they expose.

In: rates and gauges, set at any moment. Out: one HTTP server with the http_sd list of targets and a metrics page for
each. Counters move with the real clock. For tests of reading metrics; simulated engines that serve requests are in the
test kit.
"""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Page:
    """What one target exposes at this moment."""

    labels: dict[str, str]
    rates: dict[str, float] = field(default_factory=dict)
    """By counter, with its labels, how fast it grows per second."""
    gauges: dict[str, float] = field(default_factory=dict)
    growth: dict[str, float] = field(default_factory=dict)
    """By gauge, how fast it grows per second."""
    broken: bool = False
    _totals: dict[str, float] = field(default_factory=dict)
    _seen_s: float = field(default_factory=time.monotonic)

    def render(self) -> str:
        """The page in the text format; counters are brought up to now."""
        now_s = time.monotonic()
        elapsed_s, self._seen_s = now_s - self._seen_s, now_s
        for name, rate in self.rates.items():
            self._totals[name] = self._totals.get(name, 0.0) + rate * elapsed_s
        for name, rate in self.growth.items():
            self.gauges[name] = self.gauges.get(name, 0.0) + rate * elapsed_s
        return "".join(f"{name} {value}\n" for name, value in {**self._totals, **self.gauges}.items())

    def restart(self) -> None:
        """Every counter begins again at zero."""
        self._totals.clear()


@dataclass
class Exporter:
    """All targets by name, and where their list is."""

    service_discovery_url: str
    pages: dict[str, Page] = field(default_factory=dict)


@contextmanager
def an_exporter() -> Iterator[Exporter]:
    """Serving until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/metrics/")
            page = exporter.pages.get(name)
            if self.path == "/sd":
                self._answer(200, "application/json", json.dumps(_targets(exporter, self.headers["Host"])))
            elif page is None or page.broken:
                self._answer(500, "text/plain", "broken")
            else:
                self._answer(200, "text/plain; version=0.0.4", page.render())

        def _answer(self, status: int, content_type: str, text: str) -> None:
            body = text.encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(ConnectionError):  # Whoever asked may be gone by now.
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet: a line for each scrape would drown the tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    exporter = Exporter(f"http://127.0.0.1:{server.server_address[1]}/sd")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield exporter
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _targets(exporter: Exporter, host: str) -> list[dict[str, object]]:
    return [
        {"targets": [host], "labels": {"__metrics_path__": f"/metrics/{name}", **page.labels}}
        for name, page in list(exporter.pages.items())
    ]
