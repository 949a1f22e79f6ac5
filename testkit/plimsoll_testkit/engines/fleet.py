"""How do all replicas serve all models, as time goes on?

In: which replicas are there, the time. Out: replicas with their metrics, and what the users of each model saw. A
request goes to the ready replica with the least work for its size; where there is none it waits in front. A replica
that drains gets nothing new; the requests of one that is gone start again elsewhere, with the arrival time they had.
"""

import threading
from collections import Counter, deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from plimsoll_testkit.engines.arrivals import Traffic, conversation_mix, data_directory
from plimsoll_testkit.engines.configuration import Configuration, ModelConfig
from plimsoll_testkit.engines.engine import Engine, Request
from plimsoll_testkit.engines.exposition import EngineMetrics
from plimsoll_testkit.engines.gateway_exposition import GatewayMetrics

RECENT_S = 30.0


class SeenPod(NamedTuple):
    """A pod as the cluster has it."""

    namespace: str
    name: str
    labels: Mapping[str, str]
    ready: bool
    terminating: bool


@dataclass(eq=False)
class Replica:
    """One pod's engine."""

    variant: str
    engine: Engine
    metrics: EngineMetrics
    takes_new: bool = True

    @property
    def load_ratio(self) -> float:
        return (self.engine.running + len(self.engine.waiting)) / self.engine.hardware.max_sequences


@dataclass(eq=False)
class Model:
    """One model's traffic, replicas and record."""

    config: ModelConfig
    traffic: Traffic
    gateway: GatewayMetrics = field(default_factory=GatewayMetrics)
    replicas: dict[str, Replica] = field(default_factory=dict)
    backlog: deque[Request] = field(default_factory=deque)
    ended: list[tuple[str, Request]] = field(default_factory=list)
    arrived: int = 0
    retried: int = 0

    def set_pods(self, pods: Iterable[SeenPod], now_s: float) -> None:
        """Replicas come when their pod is ready, drain when it terminates, go when it is gone."""
        present = set()
        for pod in pods:
            variant = next((one for one in self.config.variants if one.accepts(pod.labels)), None)
            if pod.namespace != self.config.namespace or variant is None:
                continue
            present.add(pod.name)
            if pod.name not in self.replicas:
                if not pod.ready or pod.terminating:
                    continue
                engine = Engine(variant.hardware, clock_s=now_s)
                self.replicas[pod.name] = Replica(variant.name, engine, EngineMetrics(self.config.model_name))
            self.replicas[pod.name].takes_new = pod.ready and not pod.terminating
        for name in sorted(self.replicas.keys() - present):
            for request in self.replicas.pop(name).engine.abandon():
                request.retries += 1
                self.retried += 1
                self.backlog.append(request)

    def advance(self, now_s: float) -> None:
        """Take the arrivals up to now, hand them out, and serve."""
        for request in self.traffic.until(now_s):
            self.arrived += 1
            self.backlog.append(request)
        while self.backlog:
            replica = self._least_loaded()
            if replica is None:
                break
            request = self.backlog.popleft()
            if not request.retries:
                self.gateway.hand_out(self.config.model_name)
            replica.engine.take(request)
        for replica in self.replicas.values():
            for request in replica.engine.advance(now_s):
                replica.metrics.count(request)
                self.gateway.count(self.config.model_name, request)
                self.ended.append((replica.variant, request))

    @property
    def held_back(self) -> int:
        """Requests that no replica has had yet; one that starts again has been counted as handed out."""
        return sum(not request.retries for request in self.backlog)

    def _least_loaded(self) -> Replica | None:
        open_ones = [replica for replica in self.replicas.values() if replica.takes_new]
        return min(open_ones, key=lambda replica: replica.load_ratio) if open_ones else None

    def is_within_slo(self, request: Request) -> bool:
        """Both latencies of an ended request, as its user saw them."""
        slo = self.config.slo
        ttft_s, tpot_s = request.ttft_s, request.tpot_s
        assert ttft_s is not None
        return (slo.ttft_ms is None or ttft_s * 1000.0 <= slo.ttft_ms) and (
            slo.tpot_ms is None or tpot_s is None or tpot_s * 1000.0 <= slo.tpot_ms
        )

    def late_in_flight(self, now_s: float) -> int:
        """Requests that have not ended and have already missed the TTFT limit."""
        limit_ms = self.config.slo.ttft_ms
        if limit_ms is None:
            return 0
        queued = [*self.backlog, *(one for replica in self.replicas.values() for one in replica.engine.waiting)]
        return sum((now_s - one.arrival_s) * 1000.0 > limit_ms for one in queued)


class Fleet:
    """All models; one lock around everything, since metrics are read by other threads."""

    def __init__(self, configuration: Configuration) -> None:
        self.lock = threading.Lock()
        self.now_s = 0.0
        self.gateway = GatewayMetrics()
        self.models: dict[tuple[str, str], Model] = {}
        for number, config in enumerate(configuration.models):
            rng = np.random.default_rng([configuration.seed, number])
            mix = conversation_mix(rng, config.prompt_scale, config.max_tokens, data_directory())
            traffic = Traffic(config.rate_points, mix, rng, config.interval_cv)
            self.models[config.namespace, config.deployment] = Model(config, traffic, self.gateway)

    def advance(self, now_s: float) -> None:
        """Serve up to that moment."""
        with self.lock:
            self.now_s = now_s
            for model in self.models.values():
                model.advance(now_s)

    def set_pods(self, pods: list[SeenPod], now_s: float) -> None:
        """Which pods there are."""
        with self.lock:
            for model in self.models.values():
                model.set_pods(pods, now_s)

    def targets(self) -> list[dict[str, object]]:
        """Namespace and pod of every replica, for http_sd."""
        with self.lock:
            return [
                {"namespace": model.config.namespace, "pod": name}
                for model in self.models.values()
                for name in model.replicas
            ]

    def page(self, namespace: str, pod: str) -> bytes | None:
        """The metrics of one replica."""
        with self.lock:
            for model in self.models.values():
                replica = model.replicas.get(pod)
                if model.config.namespace == namespace and replica is not None:
                    return replica.metrics.text(replica.engine)
        return None

    def gateway_page(self) -> bytes:
        """The metrics of the gateway in front of all models."""
        with self.lock:
            queued: Counter[str] = Counter()
            for model in self.models.values():
                queued[model.config.model_name] += model.held_back
            return self.gateway.text(queued)

    def control(self, deployment: str, rate_multiplier: float = 1.0, rate_rps: float | None = None) -> bool:
        """From now on a constant rate, or where none is given the configured one, multiplied; False if unknown."""
        with self.lock:
            found = [model for (_, name), model in self.models.items() if name == deployment]
            for model in found:
                model.traffic.multiplier, model.traffic.constant_rps = rate_multiplier, rate_rps
        return bool(found)

    def summary(self) -> dict[str, object]:
        """What users saw, by namespace/deployment."""
        with self.lock:
            models = {
                f"{namespace}/{name}": _summary(one, self.now_s) for (namespace, name), one in self.models.items()
            }
            return {"now_s": self.now_s, "models": models}


def _summary(model: Model, now_s: float) -> dict[str, object]:
    requests = [request for _, request in model.ended]
    recent = [one for one in requests if one.end_s is not None and one.end_s >= now_s - RECENT_S]
    by_variant = {}
    for variant in model.config.variants:
        of_variant = [request for name, request in model.ended if name == variant.name]
        by_variant[variant.name] = {"ended": len(of_variant), **_p95(of_variant)}
    return {
        "mix": model.traffic.mix.source,
        "rate_rps": model.traffic.rate_rps(now_s),
        "arrived": model.arrived,
        "ended": len(requests),
        "within_slo": sum(model.is_within_slo(one) for one in requests),
        "late_in_flight": model.late_in_flight(now_s),
        "in_flight": model.arrived - len(requests),
        "retried": model.retried,
        "prompt_tokens": sum(one.prompt_tokens for one in requests),
        "output_tokens": sum(one.output_tokens for one in requests),
        "replicas": len(model.replicas),
        **_p95(requests),
        "recent": _p95(recent),
        "variants": by_variant,
    }


def _p95(requests: list[Request]) -> dict[str, float | None]:
    ttft = [one.ttft_s * 1000.0 for one in requests if one.ttft_s is not None]
    tpot = [one.tpot_s * 1000.0 for one in requests if one.tpot_s is not None]
    return {
        "ttft_p95_ms": round(float(np.quantile(ttft, 0.95)), 2) if ttft else None,
        "tpot_p95_ms": round(float(np.quantile(tpot, 0.95)), 2) if tpot else None,
    }
