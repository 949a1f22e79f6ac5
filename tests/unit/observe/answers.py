"""Answers of Prometheus and the deployments they are about, with defaults.

In: overrides by keyword. Out: `Samples`, `MetricsReading` and `Asked`. By default one vLLM pod ``chat-h100-a`` serves 5
requests per second with 10 in flight, scraped 4 times in a window of 60 s, last 5 s ago.
"""

from collections.abc import Sequence
from typing import Any

from plimsoll.api import Engine
from plimsoll.domain import Demand, LatencyMetric, LatencyTarget, ObjectKey, Pod
from plimsoll.observe.attribution import Asked, Server
from plimsoll.observe.demand import DemandMemory, observe_demand
from plimsoll.observe.queries import Signal
from plimsoll.observe.reading import EngineReading, MetricsReading, Samples
from unit.builders import NOW_S, a_pod

KEY = ObjectKey("team-a", "chat")
MODEL = "llama-8b"
WINDOW_S = 60.0
OLD_S = NOW_S - 3600.0


def pod_samples(pod: str = "chat-h100-a", *, model: str | None = MODEL, gone: bool = False, **values: float) -> Samples:
    """What one pod shows; signals by name, None leaves one out. A pod that is gone has only what rates remember."""
    steady: dict[str, float | None] = {
        "request_rate": 5.0,
        "requests": 1000.0,
        "age_s": 5.0,
        "scrapes": 4.0,
        "running": 10.0,
        "waiting": 0.0,
        "running_before": 10.0,
        "waiting_before": 0.0,
        "prompt_tokens_rate": 2500.0,
        "prompts_rate": 5.0,
        "prompt_tokens_p95": 900.0,
        "output_tokens_rate": 500.0,
        "outputs_rate": 5.0,
        "output_tokens_p95": 250.0,
    }
    if gone:
        steady |= {"age_s": None, "requests": None, "running": None, "waiting": None}
    shown = {**steady, **values}
    return Samples("team-a", pod, model, {Signal(name): value for name, value in shown.items() if value is not None})


def without(samples: Samples, *signals: Signal) -> Samples:
    """The same samples, some signals missing."""
    kept = {name: value for name, value in samples.values.items() if name not in signals}
    return Samples(samples.namespace, samples.pod, samples.model, kept, samples.latencies_ms)


def a_server(*pods: Pod, variant: str = "h100", engine: Engine = Engine.VLLM) -> Server:
    """A variant whose target is ``chat-<variant>``."""
    return Server(variant, engine, f"chat-{variant}", pods)


def old_pods(*names: str) -> tuple[Pod, ...]:
    """Ready pods that are an hour old."""
    return tuple(a_pod(name, ready_since_s=OLD_S) for name in names)


def an_asked(*servers: Server, source: Engine = Engine.VLLM, **overrides: Any) -> Asked:
    """The deployment ``chat``; by default with the one old pod ``chat-h100-a``."""
    values: dict[str, Any] = {
        "key": KEY,
        "source": source,
        "model": MODEL,
        "servers": servers or (a_server(*old_pods("chat-h100-a")),),
        "slo": (LatencyTarget(LatencyMetric.TTFT, 0.95, 800.0),),
        "stale_after_s": 60.0,
        **overrides,
    }
    return Asked(**values)


def a_reading(*samples: Samples, engine: Engine = Engine.VLLM, failure: str | None = None) -> MetricsReading:
    """One engine's samples."""
    return MetricsReading(WINDOW_S, {engine: EngineReading(() if failure else samples, failure)})


def demand_of(
    asked: Asked, reading: MetricsReading, memory: DemandMemory | None = None, now_s: float = NOW_S
) -> tuple[Demand, DemandMemory]:
    """The demand of the one deployment asked for, and the memory for the next tick."""
    observed, remembered = observe_demand([asked], reading, memory or DemandMemory(), now_s)
    return observed[asked.key].demand, remembered


def known_before(
    rate_rps: float = 5.0, *, at_s: float = NOW_S - 10.0, pods: Sequence[str] = ("chat-h100-a",)
) -> DemandMemory:
    """What is remembered after one good look at `at_s` with these pods, `rate_rps` together."""
    samples = [pod_samples(pod, request_rate=rate_rps / len(pods)) for pod in pods]
    asked = an_asked(a_server(*old_pods(*pods)))
    _, memory = demand_of(asked, a_reading(*samples), now_s=at_s)
    return memory
