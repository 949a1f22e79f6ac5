"""Under which names does each engine tell what Plimsoll needs to know?

In: nothing. Out: a table of data, one row per engine (a gateway has one row per implementation). A new engine is a new
row. Every name was looked up where `documented` says; docs/metrics-read.md tells the same for people. What an engine
does not expose is an empty tuple here, and what follows from that is decided in `demand`. Design section 4.

Several series in one field are alternatives or parts of a whole: where two have the same labels (an old and a new name
of one metric) the first wins, where labels differ (requests served, requests refused) they add up.
"""

from dataclasses import dataclass
from enum import StrEnum

from plimsoll.api import Engine


@dataclass(frozen=True, slots=True)
class Series:
    """One metric as it is exposed, with the label matchers that select the part meant."""

    name: str
    matchers: str = ""

    def selector(self, suffix: str = "") -> str:
        """The series as PromQL selects it, for example the `_bucket` part of a histogram."""
        braces = f"{{{self.matchers}}}" if self.matchers else ""
        return f"{self.name}{suffix}{braces}"


class Counts(StrEnum):
    """When the request counter moves: as a request arrives, or as it is done."""

    ARRIVALS = "arrivals"
    COMPLETIONS = "completions"


@dataclass(frozen=True, slots=True)
class Dialect:
    """What one engine exposes; latencies are histograms in `latency_unit_ms`."""

    engine: Engine
    title: str
    documented: str
    """Repository and file in which the names stand."""
    model_label: str | None
    """The label that names the model; None where the engine serves one model and does not say which."""
    per_pod: bool
    """False for a gateway, whose own pod says nothing about who serves."""
    counts: Counts
    requests: tuple[Series, ...]
    heartbeat: tuple[Series, ...]
    """Series that are there from the first scrape on; their age tells whether the engine is still being read."""
    running: tuple[Series, ...] = ()
    waiting: tuple[Series, ...] = ()
    kv_use: tuple[Series, ...] = ()
    """Share of the KV cache in use, 0 to 1."""
    prompt_tokens: tuple[Series, ...] = ()
    """Histogram of prompt tokens per request."""
    output_tokens: tuple[Series, ...] = ()
    """Histogram of output tokens per request."""
    prompt_tokens_total: tuple[Series, ...] = ()
    """Counter, read where there is no histogram; divided by the requests it gives the mean."""
    output_tokens_total: tuple[Series, ...] = ()
    ttft: tuple[Series, ...] = ()
    tpot: tuple[Series, ...] = ()
    e2e: tuple[Series, ...] = ()
    latency_unit_ms: float = 1000.0


def _named(*names: str, matchers: str = "") -> tuple[Series, ...]:
    return tuple(Series(name, matchers) for name in names)


VLLM = Dialect(
    engine=Engine.VLLM,
    title="vLLM",
    documented="vllm-project/vllm vllm/v1/metrics/loggers.py (old names: vllm/engine/metrics.py, docs v0.7)",
    model_label="model_name",
    per_pod=True,
    counts=Counts.COMPLETIONS,
    requests=_named("vllm:request_success_total"),
    heartbeat=_named("vllm:num_requests_running"),
    running=_named("vllm:num_requests_running"),
    waiting=_named("vllm:num_requests_waiting"),
    kv_use=_named("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc"),
    prompt_tokens=_named("vllm:request_prompt_tokens"),
    output_tokens=_named("vllm:request_generation_tokens"),
    ttft=_named("vllm:time_to_first_token_seconds"),
    # The SLO is on the mean over one request; the two others hold every single gap between tokens.
    tpot=_named(
        "vllm:request_time_per_output_token_seconds",
        "vllm:inter_token_latency_seconds",
        "vllm:time_per_output_token_seconds",
    ),
    e2e=_named("vllm:e2e_request_latency_seconds"),
)

SGLANG = Dialect(
    engine=Engine.SGLANG,
    title="SGLang (started with --enable-metrics)",
    documented="sgl-project/sglang python/sglang/srt/metrics/collector.py",
    model_label="model_name",
    per_pod=True,
    counts=Counts.COMPLETIONS,
    requests=_named("sglang:num_requests_total"),
    heartbeat=_named("sglang:num_running_reqs"),
    running=_named("sglang:num_running_reqs"),
    waiting=_named("sglang:num_queue_reqs"),
    kv_use=_named("sglang:token_usage"),
    # The histograms need --collect-tokens-histogram; the counters are always there.
    prompt_tokens=_named("sglang:prompt_tokens_histogram"),
    output_tokens=_named("sglang:generation_tokens_histogram"),
    prompt_tokens_total=_named("sglang:prompt_tokens_total"),
    output_tokens_total=_named("sglang:generation_tokens_total"),
    ttft=_named("sglang:time_to_first_token_seconds"),
    tpot=_named("sglang:inter_token_latency_seconds"),
    e2e=_named("sglang:e2e_request_latency_seconds"),
)

TGI = Dialect(
    engine=Engine.TGI,
    title="Text Generation Inference",
    documented="huggingface/text-generation-inference docs/source/reference/metrics.md, router/src/server.rs",
    model_label=None,
    per_pod=True,
    counts=Counts.ARRIVALS,
    requests=_named("tgi_request_count"),
    heartbeat=_named("tgi_queue_size", "tgi_request_count"),
    running=_named("tgi_batch_current_size"),
    waiting=_named("tgi_queue_size"),
    prompt_tokens=_named("tgi_request_input_length"),
    output_tokens=_named("tgi_request_generated_tokens"),
    tpot=_named("tgi_request_mean_time_per_token_duration"),
    e2e=_named("tgi_request_duration"),
)

TENSORRT_LLM = Dialect(
    engine=Engine.TENSORRT_LLM,
    title="TensorRT-LLM behind Triton",
    documented="triton-inference-server: tensorrtllm_backend README.md, server docs/user_guide/metrics.md",
    model_label="model",
    per_pod=True,
    counts=Counts.COMPLETIONS,
    requests=_named("nv_inference_request_success"),
    heartbeat=_named("nv_trt_llm_request_metrics", matchers='request_type="active"'),
    running=_named("nv_trt_llm_request_metrics", matchers='request_type="active"'),
    waiting=_named("nv_trt_llm_request_metrics", matchers='request_type="waiting"'),
    kv_use=_named("nv_trt_llm_kv_cache_block_metrics", matchers='kv_cache_block_type="fraction"'),
    prompt_tokens=_named("nv_llm_input_token_len"),
    output_tokens=_named("nv_llm_output_token_len"),
    # Only with --metrics-config histogram_latencies=true; the time to the first response a streaming client sees.
    ttft=_named("nv_inference_first_response_histogram_ms"),
    latency_unit_ms=1.0,
)

LLAMA_CPP = Dialect(
    engine=Engine.LLAMA_CPP,
    title="llama.cpp server (started with --metrics)",
    documented="ggml-org/llama.cpp tools/server/README.md (GET /metrics)",
    model_label=None,
    per_pod=True,
    counts=Counts.COMPLETIONS,
    # It counts tokens, but no requests: demand needs a gateway in front of it, or queries of one's own.
    requests=(),
    heartbeat=_named("llamacpp:requests_processing"),
    running=_named("llamacpp:requests_processing"),
    waiting=_named("llamacpp:requests_deferred"),
    kv_use=_named("llamacpp:kv_cache_usage_ratio"),
)

OPENVINO = Dialect(
    engine=Engine.OPENVINO,
    title="OpenVINO Model Server (started with --metrics_enable)",
    documented="openvinotoolkit/model_server docs/metrics.md; docs/llm/reference.md says that tokens are not exposed",
    model_label="name",
    per_pod=True,
    counts=Counts.ARRIVALS,
    requests=_named("ovms_requests_accepted", matchers='api="V3"'),
    heartbeat=_named("ovms_current_graphs"),
    running=_named("ovms_current_graphs"),
    e2e=_named("ovms_graph_processing_time_us"),
    latency_unit_ms=0.001,
)

INFERENCE_EXTENSION = Dialect(
    engine=Engine.GATEWAY,
    title="Gateway API inference extension (endpoint picker)",
    documented="kubernetes-sigs/gateway-api-inference-extension, llm-d/llm-d-inference-scheduler: pkg/epp/metrics/",
    model_label="model_name",
    per_pod=False,
    counts=Counts.COMPLETIONS,
    # A request that finds no replica is not in request_total, but it is demand: at zero replicas it is all there is.
    requests=(
        *_named("inference_objective_request_total", "inference_model_request_total"),
        *_named(
            "inference_objective_request_error_total",
            "inference_model_request_error_total",
            matchers='error_code=~"ServiceUnavailable|InferencePoolResourceExhausted"',
        ),
    ),
    heartbeat=_named(
        "inference_objective_request_total",
        "inference_model_request_total",
        "inference_objective_request_error_total",
        "inference_extension_flow_control_queue_size",
    ),
    # With flow control, requests are counted as they leave this queue, so its growth belongs to the arrivals.
    waiting=_named("inference_extension_flow_control_queue_size"),
    prompt_tokens=_named("inference_objective_input_tokens", "inference_model_input_tokens"),
    output_tokens=_named("inference_objective_output_tokens", "inference_model_output_tokens"),
)

ENVOY_AI_GATEWAY = Dialect(
    engine=Engine.GATEWAY,
    title="Envoy AI Gateway",
    documented="envoyproxy/ai-gateway internal/metrics/genai.go, site/docs/capabilities/observability/metrics.md",
    model_label="gen_ai_original_model",
    per_pod=False,
    counts=Counts.COMPLETIONS,
    requests=_named("gen_ai_server_request_duration_seconds_count"),
    heartbeat=_named("gen_ai_server_request_duration_seconds_count"),
    prompt_tokens=_named(
        "gen_ai_client_token_usage_token", "gen_ai_client_token_usage", matchers='gen_ai_token_type="input"'
    ),
    output_tokens=_named(
        "gen_ai_client_token_usage_token", "gen_ai_client_token_usage", matchers='gen_ai_token_type="output"'
    ),
)

DIALECTS = (VLLM, SGLANG, TGI, TENSORRT_LLM, LLAMA_CPP, OPENVINO, INFERENCE_EXTENSION, ENVOY_AI_GATEWAY)
"""Every row. The engine Custom has none: its queries stand in the InferenceDeployment itself."""


def dialects_of(engine: Engine) -> tuple[Dialect, ...]:
    """The rows of one engine, in the order in which they are preferred; empty for Custom."""
    return tuple(dialect for dialect in DIALECTS if dialect.engine is engine)
