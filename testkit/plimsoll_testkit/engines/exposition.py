"""What does a replica expose? The metric names of vLLM (vllm/v1/metrics/loggers.py), filled from simulated requests.

In: requests that ended, the state of an engine. Out: the text that Prometheus scrapes.
"""

import prometheus_client
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from plimsoll_testkit.engines.engine import Engine, Request

# Finer than vLLM's own where the SLOs of the demo lie: quantiles are interpolated within a bucket.
LATENCY_BUCKETS_S = (0.005, 0.01, 0.02, 0.03, 0.04, 0.06, 0.08, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0,
                     5.0, 10.0, 20.0, 40.0)  # fmt: skip
TOKEN_BUCKETS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000)

prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


class EngineMetrics:
    """The metrics of one replica."""

    def __init__(self, model_name: str) -> None:
        self._registry = CollectorRegistry()
        label = ["model_name"]

        def counter(name: str, text: str) -> Counter:
            made = Counter(f"vllm:{name}", text, label, registry=self._registry)
            return made.labels(model_name)

        def gauge(name: str, text: str) -> Gauge:
            made = Gauge(f"vllm:{name}", text, label, registry=self._registry)
            return made.labels(model_name)

        def histogram(name: str, text: str, buckets: tuple[float, ...]) -> Histogram:
            made = Histogram(f"vllm:{name}", text, label, buckets=buckets, registry=self._registry)
            return made.labels(model_name)

        self._running = gauge("num_requests_running", "Requests in the batch.")
        self._waiting = gauge("num_requests_waiting", "Requests queued.")
        self._kv_use = gauge("kv_cache_usage_perc", "Share of the KV cache in use, 0 to 1.")
        self._ended = Counter(
            "vllm:request_success", "Requests that ended.", ["model_name", "finished_reason"], registry=self._registry
        ).labels(model_name, "stop")
        self._prompt_total = counter("prompt_tokens", "Prompt tokens.")
        self._output_total = counter("generation_tokens", "Output tokens.")
        self._prompt = histogram("request_prompt_tokens", "Prompt tokens of a request.", TOKEN_BUCKETS)
        self._output = histogram("request_generation_tokens", "Output tokens of a request.", TOKEN_BUCKETS)
        self._ttft = histogram("time_to_first_token_seconds", "Time to first token.", LATENCY_BUCKETS_S)
        self._tpot = histogram("request_time_per_output_token_seconds", "Time per output token.", LATENCY_BUCKETS_S)
        self._e2e = histogram("e2e_request_latency_seconds", "End to end time.", LATENCY_BUCKETS_S)

    def count(self, request: Request) -> None:
        """A request ended."""
        self._ended.inc()
        self._prompt_total.inc(request.prompt_tokens)
        self._output_total.inc(request.output_tokens)
        self._prompt.observe(request.prompt_tokens)
        self._output.observe(request.output_tokens)
        assert request.ttft_s is not None
        assert request.end_s is not None
        self._ttft.observe(request.ttft_s)
        if request.tpot_s is not None:
            self._tpot.observe(request.tpot_s)
        self._e2e.observe(request.end_s - request.arrival_s)

    def text(self, engine: Engine) -> bytes:
        """The page as it is now."""
        self._running.set(engine.running)
        self._waiting.set(len(engine.waiting))
        self._kv_use.set(engine.kv_use_ratio)
        return generate_latest(self._registry)
