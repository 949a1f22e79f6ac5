"""What does the gateway in front of the replicas expose? The names of the Gateway API inference extension.

In: requests as they leave the gateway and as they end, how many it holds back. Out: the text that Prometheus scrapes.
It counts a request once, as it is first handed to a replica; until then it is in the queue, so that demand shows also
while no replica runs. Names: kubernetes-sigs/gateway-api-inference-extension pkg/epp/metrics/.
"""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from plimsoll_testkit.engines.engine import Request
from plimsoll_testkit.engines.exposition import TOKEN_BUCKETS


class GatewayMetrics:
    """The metrics of one gateway, for all models behind it."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        label = ["model_name"]
        self._requests = Counter(
            "inference_objective_request_total", "Requests handed to a replica.", label, registry=self._registry
        )
        self._queue = Gauge(
            "inference_extension_flow_control_queue_size", "Requests held back.", label, registry=self._registry
        )
        self._prompt = Histogram(
            "inference_objective_input_tokens",
            "Prompt tokens of a request.",
            label,
            buckets=TOKEN_BUCKETS,
            registry=self._registry,
        )
        self._output = Histogram(
            "inference_objective_output_tokens",
            "Output tokens of a request.",
            label,
            buckets=TOKEN_BUCKETS,
            registry=self._registry,
        )

    def hand_out(self, model_name: str) -> None:
        """A request went to a replica for the first time."""
        self._requests.labels(model_name).inc()

    def count(self, model_name: str, request: Request) -> None:
        """A request ended."""
        self._prompt.labels(model_name).observe(request.prompt_tokens)
        self._output.labels(model_name).observe(request.output_tokens)

    def text(self, queued: Mapping[str, int]) -> bytes:
        """The page as it is now; `queued` are the requests held back, by model name."""
        for model_name, size in queued.items():
            # Exposed from the first scrape on: without the zero before it, the first request could not be rated.
            self._requests.labels(model_name)
            self._queue.labels(model_name).set(size)
        return generate_latest(self._registry)
