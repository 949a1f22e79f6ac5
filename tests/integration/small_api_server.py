"""An API server so small that a test can say exactly how it misbehaves.

In: which API groups are missing, answers that replace its own, and whether it answers at all. Out: a kubeconfig for it.
It serves the kinds that the operator watches, none of which has an object, and watches on which nothing happens. For
starting and ending a process; everything else is tested on a real control plane.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from plimsoll.watching import WATCHED


@dataclass
class SmallApiServer:
    """Its address, and how it misbehaves at this moment."""

    url: str
    missing_groups: set[str] = field(default_factory=set)
    answers: dict[str, Any] = field(default_factory=dict)
    """By path, what is answered to any request instead."""
    asked: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)
    _answering: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._answering.set()

    def hang(self) -> None:
        """Accept requests from now on, and never answer them."""
        self._answering.clear()

    def answer(self, path: str, *, watch: bool) -> Any:
        """The body, or None for what is not there; does not return while it hangs."""
        self.asked.append(path)
        while not (self._answering.wait(0.05) or self.over.is_set()):
            continue
        if watch:
            self.over.wait()
        return self.answers.get(path, self._own_answer(path))

    def write_kubeconfig(self, folder: Path) -> Path:
        """A kubeconfig that leads here."""
        path = folder / "small-kubeconfig"
        path.write_text(
            json.dumps(
                {
                    "current-context": "small",
                    "contexts": [{"name": "small", "context": {"cluster": "small", "user": "small"}}],
                    "clusters": [{"name": "small", "cluster": {"server": self.url}}],
                    "users": [{"name": "small", "user": {"token": "secret"}}],
                }
            )
        )
        return path

    def _own_answer(self, path: str) -> Any:
        served = [one for one in WATCHED if one.group not in self.missing_groups]
        roots = sorted({(one.group, one.version) for one in served if one.group})
        if path == "/api":
            return {"versions": ["v1"]}
        if path == "/apis":
            versions = [(group, {"version": version}) for group, version in roots]
            return {"groups": [{"name": name, "versions": [one], "preferredVersion": one} for name, one in versions]}
        for one in served:
            if path == f"{one.root}/{one.plural}":
                return {"metadata": {"resourceVersion": "1"}, "items": []}
        resources = [
            {
                "name": one.plural,
                "singularName": one.kind.lower(),
                "kind": one.kind,
                "namespaced": one.namespaced,
                "verbs": ["list", "watch"],
            }
            for one in served
            if one.root == path
        ]
        return {"resources": resources} if resources else None


@contextmanager
def a_small_api_server() -> Iterator[SmallApiServer]:
    """Serving until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def _handle(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path, _, query = self.path.partition("?")
            answer = small.answer(path, watch="watch=true" in query)
            body = json.dumps({"message": "not found"} if answer is None else answer).encode()
            self.send_response(404 if answer is None else 200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PUT = do_PATCH = _handle  # noqa: N815 - the base class looks for these names

        def handle(self) -> None:
            try:
                super().handle()
            except ConnectionError:
                return  # the operator has left meanwhile

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    small = SmallApiServer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield small
    finally:
        small.over.set()
        server.shutdown()
        thread.join()
        server.server_close()
