"""Demand as a real Prometheus tells it: values arrive, and nothing that breaks on the way becomes a zero or a spike.

Prometheus scrapes twice a second and rates are taken over four seconds, so that a minute's story takes four seconds.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from integration.small_exporter import Exporter, Page, an_exporter
from plimsoll.api import Engine
from plimsoll.domain import Demand, DemandState, LatencyMetric, LatencyTarget, ObjectKey, PastLooks
from plimsoll.observe import DemandMemory, MetricsReader, Observed, PrometheusSettings
from plimsoll.observe.attribution import Asked, Server
from plimsoll.observe.demand import observe_demand
from plimsoll.observe.dialects import DIALECTS
from plimsoll.observe.history_fill import SPANS, HistoryFill
from plimsoll.observe.history_queries import history_query
from plimsoll.observe.observer import wanted
from plimsoll.observe.prometheus import Stretch, Wanted
from plimsoll_testkit.prometheus_server import PrometheusServer
from unit.builders import a_pod

SCRAPE_S = 0.5
WINDOW_S = 4.0
STALE_AFTER_S = 2.0
PAST_STEP_S = SPANS[0].step_s
SLO = (LatencyTarget(LatencyMetric.TTFT, 0.95, 800.0), LatencyTarget(LatencyMetric.TPOT, 0.5, 60.0))
RATE_RPS = 5.0
NEAR = 0.15
"""Scrapes half a second apart make a rate over four seconds wrong by up to a tenth; the rest is for a busy machine."""
ONE_LOST = 0.25
"""A window that lacks one of its eight scrapes counts: at its edge that takes up to 19% off. The rest as above."""


@pytest.fixture(scope="module")
def exporter() -> Iterator[Exporter]:
    with an_exporter() as running:
        yield running


@pytest.fixture(scope="module")
def prometheus(exporter: Exporter) -> Iterator[PrometheusServer]:
    with PrometheusServer(exporter.service_discovery_url, SCRAPE_S) as running:
        yield running


@pytest.fixture(autouse=True)
def nothing_is_left(exporter: Exporter) -> Iterator[None]:
    yield
    exporter.pages.clear()


class Deployment:
    """One deployment in a namespace of its own, looked at again and again as the operator does."""

    def __init__(self, exporter: Exporter, prometheus: PrometheusServer, namespace: str, source: Engine) -> None:
        self.key = ObjectKey(namespace, "chat")
        self._exporter = exporter
        self._settings = PrometheusSettings(prometheus.url, window_s=WINDOW_S, timeout_s=2.0)
        self._pods: list[str] = []
        self._memory = DemandMemory()
        self.asked = Asked(self.key, source, "llama", (), SLO, STALE_AFTER_S)

    def add_pod(self, name: str, rate_rps: float = RATE_RPS) -> Page:
        page = Page({"namespace": self.key.namespace, "pod": name})
        serve(page, rate_rps)
        self._exporter.pages[f"{self.key.namespace}-{name}"] = page
        self._set_pods([*self._pods, name])
        return page

    def remove_pod(self, name: str) -> None:
        del self._exporter.pages[f"{self.key.namespace}-{name}"]
        self._set_pods([pod for pod in self._pods if pod != name])

    def _set_pods(self, names: list[str]) -> None:
        self._pods = names
        pods = tuple(a_pod(name, ready_since_s=0.0) for name in names)
        self.asked = replace(self.asked, servers=(Server("h100", Engine.VLLM, "chat-h100", pods),))

    def look(self) -> Observed:
        reader = MetricsReader(self._settings)
        reading = asyncio.run(reader.read(wanted([self.asked])))
        reader.close()
        observed, self._memory = observe_demand([self.asked], reading, self._memory, time.time())
        return observed[self.key]

    def watch(self, duration_s: float, state: DemandState | None = None, within_s: float = 30.0) -> list[Demand]:
        """Looks twice a second for so long, and on until the last look is in this state."""
        begin_s, seen = time.monotonic(), list[Demand]()
        while True:
            past_s = time.monotonic() - begin_s
            if past_s >= duration_s and (state is None or seen[-1].state is state):
                return seen
            assert past_s < duration_s + within_s, f"waited {past_s:.0f}s for {state}; last: {seen[-1]}"
            seen.append(self.look().demand)
            time.sleep(SCRAPE_S)

    def wait_for(self, holds: Callable[[Demand], bool], what: str, within_s: float = 30.0) -> Observed:
        end_s = time.monotonic() + within_s
        while True:
            observed = self.look()
            if holds(observed.demand):
                return observed
            assert time.monotonic() < end_s, f"waited {within_s:g}s for {what}; last: {observed.demand}"
            time.sleep(SCRAPE_S / 2)

    def settle(self, rate_rps: float) -> Observed:
        return self.wait_for(lambda demand: is_near(demand, rate_rps), f"{rate_rps} req/s")


def is_near(demand: Demand, rate_rps: float, within: float = NEAR) -> bool:
    rate = demand.arrival_rate_rps
    return demand.state is DemandState.KNOWN and rate is not None and abs(rate - rate_rps) <= within * rate_rps


def far_from(rate_rps: float, seen: Iterable[Demand]) -> list[float | None]:
    """The rates that are known and not near: of a failure they tell which way it went."""
    known = (demand for demand in seen if demand.state is DemandState.KNOWN)
    return [demand.arrival_rate_rps for demand in known if not is_near(demand, rate_rps, ONE_LOST)]


def serve(page: Page, rate_rps: float) -> None:
    """vLLM's page at a steady rate: prompts of 300 tokens, outputs of 50, TTFT 0.2 s or less, TPOT 0.02 s or less."""
    model = 'model_name="llama"'
    page.rates = {
        f'vllm:request_success_total{{{model},finished_reason="stop"}}': 0.75 * rate_rps,
        f'vllm:request_success_total{{{model},finished_reason="length"}}': 0.25 * rate_rps,
        f"vllm:request_prompt_tokens_sum{{{model}}}": 300.0 * rate_rps,
        f"vllm:request_prompt_tokens_count{{{model}}}": rate_rps,
        f'vllm:request_prompt_tokens_bucket{{{model},le="200"}}': 0.5 * rate_rps,
        f'vllm:request_prompt_tokens_bucket{{{model},le="1000"}}': rate_rps,
        f'vllm:request_prompt_tokens_bucket{{{model},le="+Inf"}}': rate_rps,
        f'vllm:request_generation_tokens_bucket{{{model},le="40"}}': 0.5 * rate_rps,
        f'vllm:request_generation_tokens_bucket{{{model},le="100"}}': rate_rps,
        f'vllm:request_generation_tokens_bucket{{{model},le="+Inf"}}': rate_rps,
        f"vllm:request_generation_tokens_sum{{{model}}}": 50.0 * rate_rps,
        f"vllm:request_generation_tokens_count{{{model}}}": rate_rps,
        f'vllm:time_to_first_token_seconds_bucket{{{model},le="0.2"}}': rate_rps,
        f'vllm:time_to_first_token_seconds_bucket{{{model},le="+Inf"}}': rate_rps,
        f'vllm:time_per_output_token_seconds_bucket{{{model},le="0.02"}}': 50.0 * rate_rps,
        f'vllm:time_per_output_token_seconds_bucket{{{model},le="+Inf"}}': 50.0 * rate_rps,
    }
    for name in ("vllm:num_requests_running", "vllm:num_requests_waiting", "vllm:gpu_cache_usage_perc"):
        page.gauges.setdefault(f"{name}{{{model}}}", 0.25)


@pytest.fixture
def deployment(exporter: Exporter, prometheus: PrometheusServer, request: pytest.FixtureRequest) -> Deployment:
    return Deployment(exporter, prometheus, request.node.name.replace("_", "-"), Engine.VLLM)


def test_what_an_engine_exposes_arrives(deployment: Deployment) -> None:
    deployment.add_pod("chat-h100-a", 3.0)
    deployment.add_pod("chat-h100-b", 2.0)
    observed = deployment.settle(5.0)
    tokens = observed.demand.tokens
    assert tokens is not None
    assert tokens.prompt_tokens_mean == pytest.approx(300.0, rel=0.01)
    # 95% lies nine tenths of the way through the bucket from 200 to 1000.
    assert tokens.prompt_tokens_p95 == pytest.approx(920.0, rel=0.01)
    assert tokens.output_tokens_mean == pytest.approx(50.0, rel=0.01)
    # Nine tenths of the way from 40 to 100.
    assert tokens.output_tokens_p95 == pytest.approx(94.0, rel=0.01)
    latencies = {one.metric: one.value_ms for one in observed.latencies["h100"]}
    # Within the first bucket Prometheus interpolates from zero.
    assert latencies[LatencyMetric.TTFT] == pytest.approx(190.0, rel=0.01)
    assert latencies[LatencyMetric.TPOT] == pytest.approx(10.0, rel=0.01)
    assert observed.kv_cache_use_ratio == {"h100": 0.25}


def test_a_growing_queue_is_part_of_the_arrivals(deployment: Deployment) -> None:
    page = deployment.add_pod("chat-h100-a")
    page.growth = {'vllm:num_requests_waiting{model_name="llama"}': 3.0}
    deployment.settle(RATE_RPS + 3.0)


def test_an_exporter_that_dies_is_stale_and_never_a_lower_rate(deployment: Deployment) -> None:
    page = deployment.add_pod("chat-h100-a")
    deployment.settle(RATE_RPS)
    page.broken = True
    seen = deployment.watch(WINDOW_S + STALE_AFTER_S)
    assert far_from(RATE_RPS, seen) == []
    assert seen[-1].state is DemandState.STALE
    assert seen[-1].arrival_rate_rps is None


def test_an_exporter_that_comes_back_is_known_only_with_a_whole_window(deployment: Deployment) -> None:
    page = deployment.add_pod("chat-h100-a")
    deployment.settle(RATE_RPS)
    deployment.watch(WINDOW_S)
    page.broken = True
    deployment.wait_for(lambda demand: demand.state is DemandState.STALE, "Stale")
    deployment.watch(WINDOW_S)
    page.broken = False
    back = deployment.watch(2.0 * WINDOW_S, DemandState.KNOWN)
    assert far_from(RATE_RPS, back) == []


def test_a_counter_reset_is_neither_spike_nor_dip(deployment: Deployment) -> None:
    page = deployment.add_pod("chat-h100-a")
    deployment.settle(RATE_RPS)
    page.restart()
    assert all(is_near(demand, RATE_RPS, ONE_LOST) for demand in deployment.watch(WINDOW_S))


def test_demand_stays_whole_while_one_pod_hands_over_to_another(deployment: Deployment) -> None:
    deployment.add_pod("chat-h100-a")
    successor = deployment.add_pod("chat-h100-b")
    deployment.settle(2.0 * RATE_RPS)
    deployment.remove_pod("chat-h100-a")
    serve(successor, 2.0 * RATE_RPS)
    assert all(is_near(demand, 2.0 * RATE_RPS, ONE_LOST) for demand in deployment.watch(WINDOW_S))


def test_nothing_scraped_is_absent_not_zero(deployment: Deployment, exporter: Exporter) -> None:
    deployment.add_pod("chat-h100-a")
    exporter.pages.clear()
    demand = deployment.look().demand
    assert (demand.state, demand.arrival_rate_rps) == (DemandState.ABSENT, None)


def test_a_gateways_first_request_is_demand_at_zero_replicas(exporter: Exporter, prometheus: PrometheusServer) -> None:
    deployment = Deployment(exporter, prometheus, "first-request", Engine.GATEWAY)
    page = Page({"namespace": "first-request", "pod": "gateway-0"})
    exporter.pages["gateway"] = page
    assert deployment.look().demand.state is DemandState.ABSENT
    page.gauges = {'inference_objective_request_total{model_name="llama",target_model_name="llama"}': 1.0}
    seen = deployment.wait_for(lambda demand: demand.state is DemandState.KNOWN, "the first request").demand
    assert seen.arrival_rate_rps == pytest.approx(1.0 / WINDOW_S)
    deployment.wait_for(lambda demand: demand.arrival_rate_rps == 0.0, "the quiet after it")


def test_prometheus_accepts_the_queries_of_every_engine(prometheus: PrometheusServer) -> None:
    everything = frozenset((metric, quantile) for metric in LatencyMetric for quantile in (0.5, 0.9, 0.95, 0.99))
    reader = MetricsReader(PrometheusSettings(prometheus.url, window_s=WINDOW_S))
    engines = [engine for engine in Engine if engine is not Engine.CUSTOM]
    reading = asyncio.run(reader.read(Wanted(dict.fromkeys(engines, everything))))
    reader.close()
    assert {engine: (one.failure, one.latency_failure) for engine, one in reading.by_engine.items()} == dict.fromkeys(
        engines, (None, None)
    )


def test_custom_queries_are_answered_or_refused_by_name(exporter: Exporter, prometheus: PrometheusServer) -> None:
    deployment = Deployment(exporter, prometheus, "custom", Engine.CUSTOM)
    deployment.asked = replace(
        deployment.asked, queries={"arrival_rate": "vector(7.5)", "running": "scalar(vector(2))"}
    )
    demand = deployment.look().demand
    assert (demand.state, demand.arrival_rate_rps, demand.running) == (DemandState.KNOWN, 7.5, 2.0)
    broken = Deployment(exporter, prometheus, "custom-broken", Engine.CUSTOM)
    broken.asked = replace(broken.asked, queries={"arrival_rate": "sum(rate("})
    refused = broken.look().demand
    assert refused.state is DemandState.INVALID
    assert "spec.demand.queries.arrivalRate" in refused.message
    assert "parse error" in refused.message


def test_a_prometheus_that_dies_and_returns_never_shows_less_than_there_was(
    deployment: Deployment, prometheus: PrometheusServer
) -> None:
    deployment.add_pod("chat-h100-a")
    deployment.settle(RATE_RPS)
    deployment.watch(WINDOW_S)
    prometheus.kill()
    try:
        down = deployment.watch(2.0 * STALE_AFTER_S, DemandState.UNREACHABLE)
    finally:
        prometheus.start()
    assert far_from(RATE_RPS, down) == []
    # How long a start takes is the machine's; what is shown until then, and in the window after it, is not.
    back = deployment.watch(2.0 * WINDOW_S + STALE_AFTER_S, DemandState.KNOWN) + deployment.watch(WINDOW_S)
    assert far_from(RATE_RPS, back) == []


def test_a_process_that_starts_learns_what_was_before_it(
    deployment: Deployment, exporter: Exporter, prometheus: PrometheusServer
) -> None:
    deployment.add_pod("chat-h100-7d9f8b6c5-x2x4z")
    deployment.settle(RATE_RPS)
    deployment.watch(WINDOW_S + 3.0 * PAST_STEP_S)
    settings = PrometheusSettings(prometheus.url, window_s=WINDOW_S)

    async def read() -> tuple[PastLooks, ...]:
        reader = MetricsReader(settings)
        fill = HistoryFill(reader)
        fill.want([deployment.asked], time.time())
        while fill.is_reading:
            await asyncio.sleep(0.05)
        reader.close()
        return fill.take()

    past = asyncio.run(read())

    assert [looks.step_s for looks in past] == [PAST_STEP_S, 60.0, 600.0]
    rates = past[0].rate_ds[0]
    seen = rates[~np.isnan(rates)]
    # As often as the watch lasted, give or take a look that fell into the start; all before it is not known.
    assert 2 <= len(seen) <= len(rates) - 200
    assert seen[-2:] == pytest.approx(RATE_RPS, rel=0.2)
    assert past[0].tokens_kds[:, 0, -2:] == pytest.approx(np.array([[300.0] * 2, [50.0] * 2]), rel=0.01)


def test_prometheus_accepts_the_queries_of_the_past_of_every_engine(prometheus: PrometheusServer) -> None:
    settings = PrometheusSettings(prometheus.url, window_s=WINDOW_S)
    queries = [history_query(dialect, settings.labels, WINDOW_S, tokens=True) for dialect in DIALECTS]
    now_s = time.time()

    async def read() -> list[int]:
        reader = MetricsReader(settings)
        stretch = Stretch(now_s - 60.0, now_s, 10.0)
        answers = [len(await reader.read_past(query, stretch, 20.0)) for query in queries if query]
        reader.close()
        return answers

    assert len(asyncio.run(read())) == len(DIALECTS) - 1  # llama.cpp counts no requests
