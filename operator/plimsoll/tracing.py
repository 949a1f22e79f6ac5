"""Where does the time of a tick go? Spans for OpenTelemetry, where somebody collects them.

In: an endpoint, or none. Out: a tracer; without an endpoint it is the API's own that does nothing. Spans are sent by
the SDK's batch processor from its own thread: a collector that is away costs a tick nothing and loses its spans.
"""

from collections.abc import Callable
from dataclasses import dataclass

from opentelemetry.trace import NoOpTracer, Tracer

from plimsoll import __version__
from plimsoll.errors import InvalidSettings
from plimsoll.settings import TracingSettings

_CLOSE_WITHIN_MS = 1000
"""What the last spans get to be sent when the process ends."""


def _nothing() -> None:
    """There is nothing to let go of."""


@dataclass(frozen=True, slots=True)
class Tracing:
    """A tracer, and how it is let go of."""

    tracer: Tracer
    close: Callable[[], None] = _nothing
    """Sends what is left, for a second at most."""


NOT_TRACED = Tracing(NoOpTracer())


def set_up_tracing(settings: TracingSettings) -> Tracing:
    """A tracer that sends its spans to the settings' endpoint; one that does nothing where there is none.

    Raises:
        InvalidSettings: an endpoint is set, and the packages that send spans are not installed.
    """
    if settings.otlp_endpoint is None:
        return NOT_TRACED
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise InvalidSettings(
            f"tracing.otlp_endpoint is set, but {error.name} is not installed: install plimsoll[tracing], or leave "
            "the setting out"
        ) from error
    provider = TracerProvider(
        resource=Resource.create({"service.name": "plimsoll", "service.version": __version__}), shutdown_on_exit=False
    )
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.otlp_endpoint)))

    def close() -> None:
        provider.force_flush(_CLOSE_WITHIN_MS)
        provider.shutdown()

    return Tracing(provider.get_tracer("plimsoll", __version__), close)
