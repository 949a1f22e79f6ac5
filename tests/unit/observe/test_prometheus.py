"""Asking Prometheus: every failure becomes a value in time, and every error of the client becomes one of ours."""

import asyncio
import inspect
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import prometheus_api_client.exceptions
import pytest
import requests
from prometheus_api_client.exceptions import PrometheusApiClientException

from plimsoll.api import Engine
from plimsoll.domain import LatencyMetric, ObjectKey
from plimsoll.errors import InvalidObject, MetricsUnavailable, PlimsollError
from plimsoll.observe.prometheus import (
    CLIENT_ERRORS,
    Client,
    MetricsReader,
    PrometheusSettings,
    Wanted,
    connect,
    read_token,
    translated,
)
from plimsoll.observe.queries import Signal
from plimsoll.observe.reading import MetricsReading

URL = "http://prometheus.test:9090"
KEY = ObjectKey("team-a", "chat")
TTFT_P95 = (LatencyMetric.TTFT, 0.95)


class FakeClient:
    """Answers by the first part of the query that it knows; a list of answers is used up one by one."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[str] = []

    def custom_query(self, query: str, params: dict[str, str] | None = None, timeout: float | None = None) -> Any:
        self.asked.append(query)
        found: Any = next((answer for part, answer in self.answers.items() if part in query), [])
        answer = found.pop(0) if isinstance(found, Answers) else found
        if isinstance(answer, Exception):
            raise answer
        return answer() if callable(answer) else answer

    def custom_query_range(self, query: str, *_: Any) -> Any:
        return self.custom_query(query)


class Answers(list[Any]):
    """One answer for each call."""


def series(signal: str, value: str, **labels: str) -> dict[str, Any]:
    metric = {"namespace": "team-a", "pod": "chat-0", "model_name": "llama", "plimsoll_signal": signal, **labels}
    return {"metric": metric, "value": [1.0, value]}


class Prometheus(ThreadingHTTPServer):
    """Answers every query with nothing, and remembers how it was signed."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.signed: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Prometheus

    def do_POST(self) -> None:
        self.server.signed.append(self.headers.get("Authorization"))
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = b'{"data": {"result": []}}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""


@pytest.fixture
def prometheus() -> Iterator[Prometheus]:
    with Prometheus() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@contextmanager
def a_reader(url: str, token_file: Path | None) -> Iterator[MetricsReader]:
    settings = PrometheusSettings(url, bearer_token_file=token_file)
    client = connect(settings)
    reader = MetricsReader(settings, client)
    try:
        yield reader
    finally:
        reader.close()
        client._session.close()  # type: ignore[attr-defined]


def read(client: Client, wanted: Wanted, timeout_s: float = 1.0) -> MetricsReading:
    reader = MetricsReader(PrometheusSettings(URL, timeout_s=timeout_s), client)
    try:
        return asyncio.run(reader.read(wanted))
    finally:
        reader.close()


BOUNDS = ("0.3", "+Inf", "0.2")
VLLM = Wanted({Engine.VLLM: frozenset({TTFT_P95})})


def test_one_engine_costs_two_queries_however_many_objects_there_are() -> None:
    client = FakeClient()
    read(client, VLLM)
    assert len(client.asked) == 2


def test_signals_of_one_pod_are_put_together_and_latencies_are_milliseconds() -> None:
    client = FakeClient(
        num_requests=[series("request_rate", "5"), series("running", "3"), series("running", "NaN", pod="chat-1")],
        time_to_first=[
            series("ttft:0.95", "0.25"),
            *({**series("ttft_bounds", "3"), "metric": {"plimsoll_signal": "ttft_bounds", "le": le}} for le in BOUNDS),
        ],
    )
    reading = read(client, VLLM).by_engine[Engine.VLLM]
    first, second = sorted(reading.samples, key=lambda samples: samples.pod)
    assert (first.namespace, first.pod, first.model) == ("team-a", "chat-0", "llama")
    assert first.values == {Signal.REQUEST_RATE: 5.0, Signal.RUNNING: 3.0}
    assert first.latencies_ms == {TTFT_P95: 250.0}
    assert first.bounds_ms == {LatencyMetric.TTFT: (200.0, 300.0)}
    assert second.values[Signal.RUNNING] != second.values[Signal.RUNNING]


@pytest.mark.parametrize("label", [{}, {"le": ""}, {"le": "high"}, {"le": "NaN"}])
def test_buckets_without_a_readable_bound_are_passed_over(label: dict[str, str]) -> None:
    bad, good = {"plimsoll_signal": "ttft_bounds", **label}, {"plimsoll_signal": "ttft_bounds", "le": "0.2"}
    client = FakeClient(
        num_requests=[series("request_rate", "5")],
        time_to_first=[{**series("", "3"), "metric": metric} for metric in (bad, good)],
    )
    (sample,) = read(client, VLLM).by_engine[Engine.VLLM].samples
    assert sample.bounds_ms == {LatencyMetric.TTFT: (200.0,)}


def test_an_absent_signal_is_absent_not_zero() -> None:
    reading = read(FakeClient(num_requests=[series("running", "3")]), VLLM)
    assert Signal.REQUEST_RATE not in reading.by_engine[Engine.VLLM].samples[0].values


def test_latencies_that_fail_leave_demand_readable() -> None:
    client = FakeClient(
        num_requests=[series("request_rate", "5")], time_to_first=requests.ConnectionError("connection refused")
    )
    reading = read(client, VLLM).by_engine[Engine.VLLM]
    assert reading.failure is None
    assert len(reading.samples) == 1
    assert reading.latency_failure is not None


def test_an_unreachable_prometheus_is_a_failure_with_its_address() -> None:
    reading = read(FakeClient(num_requests=requests.ConnectionError("connection refused")), VLLM)
    failure = reading.by_engine[Engine.VLLM].failure
    assert failure is not None
    assert "cannot be reached" in failure
    assert URL in failure


def test_one_engine_that_fails_leaves_the_others() -> None:
    client = FakeClient(sglang=requests.ConnectionError("refused"), vllm=[series("request_rate", "5")])
    reading = read(client, Wanted({Engine.VLLM: frozenset(), Engine.SGLANG: frozenset()}))
    assert reading.by_engine[Engine.SGLANG].failure is not None
    assert reading.by_engine[Engine.VLLM].failure is None


def test_a_passing_fault_is_tried_once_more() -> None:
    client = FakeClient(num_requests=Answers([requests.ConnectionError("reset"), [series("request_rate", "5")]]))
    reading = read(client, Wanted({Engine.VLLM: frozenset()}))
    assert reading.by_engine[Engine.VLLM].failure is None
    assert len(client.asked) == 2


def test_a_refused_query_is_not_tried_again() -> None:
    client = FakeClient(up=PrometheusApiClientException("HTTP Status Code 400 (b'parse error')"))
    reading = read(client, Wanted({}, {KEY: {"arrival_rate": "up("}}))
    refused = reading.custom[KEY].refused
    assert refused is not None
    assert "spec.demand.queries.arrivalRate: Prometheus refuses the query" in refused
    assert len(client.asked) == 1


@pytest.fixture
def stuck() -> Iterator[threading.Event]:
    released = threading.Event()
    yield released
    released.set()


def test_a_server_that_never_answers_costs_the_tick_no_more_than_the_time_out(stuck: threading.Event) -> None:
    client = FakeClient(num_requests=lambda: stuck.wait(10.0) and [])
    loop_time: list[float] = []

    async def timed() -> MetricsReading:
        reader = MetricsReader(PrometheusSettings(URL, timeout_s=0.2), client)
        clock = asyncio.get_running_loop()
        started_s = clock.time()
        reading = await reader.read(VLLM)
        loop_time.append(clock.time() - started_s)
        stuck.set()
        reader.close()
        return reading

    reading = asyncio.run(timed())
    # Twice the time-out is room for a busy machine.
    assert loop_time[0] < 0.4
    failure = reading.by_engine[Engine.VLLM].failure
    assert failure is not None
    assert "did not answer within 0.2s" in failure


@pytest.mark.parametrize(
    "answer",
    [[{"unexpected": 1}], [series("request_rate", "five")], None, KeyError("data"), ValueError("no JSON")],
    ids=["no metric", "no number", "nothing", "no data", "no JSON"],
)
def test_an_answer_that_is_not_prometheus_is_a_failure(answer: Any) -> None:
    reading = read(FakeClient(num_requests=answer), Wanted({Engine.VLLM: frozenset()}))
    failure = reading.by_engine[Engine.VLLM].failure
    assert failure is not None
    assert "does not look like Prometheus" in failure


def test_custom_answers_may_be_scalars_or_vectors() -> None:
    client = FakeClient(a=[1.0, "7.5"], b=[{"metric": {}, "value": [1.0, "2"]}], c=[])
    reading = read(client, Wanted({}, {KEY: {"arrival_rate": "a", "running": "b", "waiting": "c"}}))
    assert reading.custom[KEY].values == {"arrival_rate": (7.5,), "running": (2.0,), "waiting": ()}


def test_a_failed_custom_query_fails_that_object_only() -> None:
    client = FakeClient(good=[1.0, "1"], bad=requests.ConnectionError("refused"))
    other = ObjectKey("team-a", "other")
    reading = read(client, Wanted({}, {KEY: {"arrival_rate": "good"}, other: {"arrival_rate": "bad"}}))
    assert reading.custom[KEY].failure is None
    assert reading.custom[other].failure is not None


def _declared(module: Any, base: type[BaseException]) -> list[type[BaseException]]:
    return [one for _, one in inspect.getmembers(module, inspect.isclass) if issubclass(one, base)]


@pytest.mark.parametrize(
    "error",
    [
        *_declared(prometheus_api_client.exceptions, Exception),
        *(one for one in _declared(requests.exceptions, requests.RequestException)),
    ],
)
def test_every_error_of_the_client_is_translated(error: type[Exception]) -> None:
    assert issubclass(error, CLIENT_ERRORS)
    made = error.__new__(error)
    assert isinstance(translated(made, URL), PlimsollError)


@pytest.mark.parametrize(("status", "kind"), [(400, InvalidObject), (422, InvalidObject), (503, MetricsUnavailable)])
def test_a_query_at_fault_is_refused_and_a_server_at_fault_is_tried_again(
    status: int, kind: type[PlimsollError]
) -> None:
    error = PrometheusApiClientException(f"HTTP Status Code {status} (b'why')")
    assert type(translated(error, URL)) is kind


def test_long_answers_are_cut_in_messages() -> None:
    assert len(str(translated(PrometheusApiClientException("x" * 10_000), URL))) < 500


def test_the_client_itself_never_retries() -> None:
    client = connect(PrometheusSettings(URL))
    assert client._session.get_adapter(URL).max_retries.total == 0  # type: ignore[attr-defined]


# --- The token -------------------------------------------------------------------------------------------------------

ONE_QUERY = Wanted({}, {KEY: {"arrival_rate": "up"}})


def test_a_token_that_was_rotated_is_sent_from_the_next_reading_on(prometheus: Prometheus, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text("first\n")
    with a_reader(prometheus.url, token_file) as reader:
        asyncio.run(reader.read(ONE_QUERY))
        token_file.write_text("second\n")
        asyncio.run(reader.read(ONE_QUERY))
    assert prometheus.signed == ["Bearer first", "Bearer second"]


def test_without_a_token_file_nothing_is_signed(prometheus: Prometheus) -> None:
    with a_reader(prometheus.url, None) as reader:
        assert asyncio.run(reader.read(ONE_QUERY)).custom[KEY].failure is None
    assert prometheus.signed == [None]


def test_a_token_file_that_vanishes_is_a_failure_that_names_it_until_it_is_back(
    prometheus: Prometheus, tmp_path: Path
) -> None:
    token_file = tmp_path / "token"
    with a_reader(prometheus.url, token_file) as reader:
        failure = asyncio.run(reader.read(ONE_QUERY)).custom[KEY].failure
        assert failure is not None
        assert f"observe.bearer_token_file {token_file} cannot be read: No such file or directory" in failure
        assert prometheus.signed == [], "nothing is asked without the token"
        token_file.write_text("back")
        assert asyncio.run(reader.read(ONE_QUERY)).custom[KEY].failure is None
    assert prometheus.signed == ["Bearer back"]


def test_an_empty_token_file_is_not_sent_as_a_token(tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text("\n")
    with pytest.raises(MetricsUnavailable, match="is empty: put the token for Prometheus into it"):
        read_token(token_file)


def test_a_token_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MetricsUnavailable, match=r"token cannot be read: it is not text"):
        read_token(token_file)
