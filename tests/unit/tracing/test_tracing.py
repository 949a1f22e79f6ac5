"""Do the spans of a tick reach a collector, and does nothing happen where there is none?"""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from plimsoll.errors import InvalidSettings
from plimsoll.settings import TracingSettings
from plimsoll.tracing import NOT_TRACED, set_up_tracing


@contextmanager
def a_collector() -> Iterator[tuple[str, list[ExportTraceServiceRequest]]]:
    """An address that takes OTLP over HTTP, and what was sent there."""
    received: list[ExportTraceServiceRequest] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") is None:
                received.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1/traces", received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_spans_reach_the_collector_before_the_process_ends() -> None:
    with a_collector() as (address, received):
        tracing = set_up_tracing(TracingSettings(otlp_endpoint=address))
        with tracing.tracer.start_as_current_span("tick"), tracing.tracer.start_as_current_span("decide"):
            pass
        tracing.close()
    spans = [
        span
        for one in received
        for resource in one.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    by_name = {span.name: span for span in spans}
    assert by_name["decide"].parent_span_id == by_name["tick"].span_id
    [service] = {
        attribute.value.string_value
        for one in received
        for resource in one.resource_spans
        for attribute in resource.resource.attributes
        if attribute.key == "service.name"
    }
    assert service == "plimsoll"


def test_without_an_endpoint_nothing_is_traced() -> None:
    assert set_up_tracing(TracingSettings()) is NOT_TRACED


def test_an_endpoint_without_the_packages_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    with pytest.raises(InvalidSettings, match=r"install plimsoll\[tracing\]"):
        set_up_tracing(TracingSettings(otlp_endpoint="http://127.0.0.1:1/v1/traces"))
