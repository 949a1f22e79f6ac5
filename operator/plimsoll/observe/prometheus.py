"""How is Prometheus asked, without ever making a tick wait longer than it may?

In: which engines and latency quantiles to ask for, and the queries of Custom objects. Out: a `MetricsReading` in which
every failure is a value. The only user of prometheus-api-client: instant queries in worker threads, no retries in the
client, tenacity around each query, one deadline over all. What the answers mean is left to `demand`.
"""

import asyncio
import math
import re
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import requests
from prometheus_api_client import PrometheusConnect
from prometheus_api_client.exceptions import MetricValueConversionError, PrometheusApiClientException
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, stop_before_delay, wait_fixed
from urllib3.util.retry import Retry

from plimsoll.api import Engine
from plimsoll.domain import LatencyMetric, ObjectKey
from plimsoll.errors import InvalidObject, MetricsUnavailable, PlimsollError
from plimsoll.observe.dialects import Dialect, dialects_of
from plimsoll.observe.queries import (
    BOUND_LABEL,
    NODE_LABEL,
    NODE_PRICES,
    SIGNAL_LABEL,
    Labels,
    Signal,
    bounds_signal,
    demand_query,
    latency_of_signal,
    latency_query,
)
from plimsoll.observe.reading import CustomReading, EngineReading, MetricsReading, PriceReading, Samples, on_the_wire


class Sample(NamedTuple):
    """One series of an instant vector."""

    labels: Mapping[str, str]
    value: float


Vector = list[Sample]

_WORKERS = 8
"""Queries under way at once; a guess that a small Prometheus bears beside its scrapes."""
_ATTEMPTS = 2
_PAUSE_BETWEEN_ATTEMPTS_S = 0.2
_CUT = 300


@dataclass(frozen=True, slots=True)
class PrometheusSettings:
    """Where Prometheus is and how its samples are labelled."""

    url: str
    labels: Labels = field(default_factory=Labels)
    window_s: float = 60.0
    """Rates are averaged over this; at least four scrape intervals."""
    timeout_s: float = 4.0
    """For one whole reading, retries included; the tick goes on without metrics after it."""
    bearer_token_file: Path | None = None
    """Its content is sent with every query."""
    verify_tls: bool = True


class Client(Protocol):
    """The part of PrometheusConnect that is used."""

    def custom_query(self, query: str, params: dict[str, str] | None = None, timeout: float | None = None) -> Any: ...


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one reading asks for."""

    engines: Mapping[Engine, frozenset[tuple[LatencyMetric, float]]]
    """By engine the latency quantiles that some SLO names."""
    custom: Mapping[ObjectKey, Mapping[str, str]] = field(default_factory=dict)
    """By object the PromQL of each field of `spec.demand.queries`."""
    prices: bool = False
    """Whether some pool takes its price from OpenCost."""


def read_token(path: Path) -> str:
    """The bearer token in the file.

    Raises:
        MetricsUnavailable: the file cannot be read, or nothing is in it.
    """
    try:
        token = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not text"
        raise MetricsUnavailable(
            f"observe.bearer_token_file {path} cannot be read: {why}. Nothing is asked of Prometheus without it: "
            "check that the Secret is mounted and readable"
        ) from error
    if not token:
        raise MetricsUnavailable(f"observe.bearer_token_file {path} is empty: put the token for Prometheus into it")
    return token


@dataclass(frozen=True, slots=True)
class _Bearer:
    """Signs each request with the token that the file holds then: tokens are rotated while we run."""

    file: Path

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {read_token(self.file)}"
        return request


def connect(settings: PrometheusSettings) -> Client:
    """A client that neither retries nor follows settings of its own."""
    # POST: one query for all objects of an engine is longer than some proxies allow for an address.
    client: Client = PrometheusConnect(
        url=settings.url.rstrip("/"),
        auth=_Bearer(settings.bearer_token_file) if settings.bearer_token_file else None,
        disable_ssl=not settings.verify_tls,
        retry=Retry(0),
        method="POST",
    )
    return client


class MetricsReader:
    """Reads what is wanted within the time-out; never raises for what Prometheus does."""

    def __init__(
        self,
        settings: PrometheusSettings,
        client: Client | None = None,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._client = client if client is not None else connect(settings)
        self._monotonic_s = monotonic_s
        self._threads = ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix="prometheus")

    async def read(self, wanted: Wanted) -> MetricsReading:
        """The answers that came in time; what did not come is a failure in its place."""
        deadline_s = self._monotonic_s() + self._settings.timeout_s
        engines = {engine: self._engine(engine, latencies, deadline_s) for engine, latencies in wanted.engines.items()}
        custom = {key: self._custom(queries, deadline_s) for key, queries in wanted.custom.items()}
        prices = asyncio.ensure_future(self._prices(deadline_s)) if wanted.prices else None
        by_engine = await asyncio.gather(*engines.values())
        by_object = await asyncio.gather(*custom.values())
        return MetricsReading(
            window_s=self._settings.window_s,
            by_engine=dict(zip(engines, by_engine, strict=True)),
            custom=dict(zip(custom, by_object, strict=True)),
            prices=await prices if prices else None,
        )

    def close(self) -> None:
        """Let go of the threads; a query under way ends by itself within the time-out."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _engine(
        self, engine: Engine, latencies: Iterable[tuple[LatencyMetric, float]], deadline_s: float
    ) -> EngineReading:
        rows, settings = dialects_of(engine), self._settings
        demand = [demand_query(row, settings.labels, settings.window_s) for row in rows]
        latency = [latency_query(row, settings.labels, settings.window_s, latencies) for row in rows]
        answers = await asyncio.gather(
            *(self._ask(query, deadline_s) for query in demand),
            *(self._ask(query, deadline_s) for query in latency if query),
            return_exceptions=True,
        )
        known, extra = answers[: len(rows)], answers[len(rows) :]
        failed = _first_failure(known)
        if failed is not None:
            return EngineReading(failure=failed)
        extras = dict(zip((row.title for row, query in zip(rows, latency, strict=True) if query), extra, strict=True))
        samples = tuple(
            sample
            for row, vector in zip(rows, known, strict=True)
            for sample in _samples(row, settings.labels, vector, extras.get(row.title))
        )
        return EngineReading(samples=samples, latency_failure=_first_failure(extra))

    async def _custom(self, queries: Mapping[str, str], deadline_s: float) -> CustomReading:
        answers = await asyncio.gather(
            *(self._ask(query, deadline_s) for query in queries.values()), return_exceptions=True
        )
        refused = [
            f"spec.demand.queries.{on_the_wire(name)}: {answer}"
            for name, answer in zip(queries, answers, strict=True)
            if isinstance(answer, InvalidObject)
        ]
        if refused:
            return CustomReading(refused="; ".join(refused))
        failed = _first_failure(answers)
        if failed is not None:
            return CustomReading(failure=failed)
        values = {
            name: tuple(sample.value for sample in answer)
            for name, answer in zip(queries, answers, strict=True)
            if not isinstance(answer, BaseException)
        }
        return CustomReading(values=values)

    async def _prices(self, deadline_s: float) -> PriceReading:
        try:
            answer = await self._ask(NODE_PRICES, deadline_s)
        except PlimsollError as error:
            return PriceReading(failure=str(error))
        return PriceReading({one.labels[NODE_LABEL]: one.value for one in answer if NODE_LABEL in one.labels})

    async def _ask(self, query: str, deadline_s: float) -> Vector:
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self._threads, self._query, query, deadline_s)
        try:
            return await asyncio.wait_for(asked, max(0.0, deadline_s - self._monotonic_s()))
        except TimeoutError as error:
            raise MetricsUnavailable(self._timed_out()) from error

    def _query(self, query: str, deadline_s: float) -> Vector:
        """One query with its retries, in a worker thread."""
        attempts = Retrying(
            retry=retry_if_exception_type(MetricsUnavailable),
            stop=stop_after_attempt(_ATTEMPTS) | stop_before_delay(self._settings.timeout_s),
            wait=wait_fixed(_PAUSE_BETWEEN_ATTEMPTS_S),
            reraise=True,
        )
        return attempts(self._query_once, query, deadline_s)

    def _query_once(self, query: str, deadline_s: float) -> Vector:
        left_s = deadline_s - self._monotonic_s()
        if left_s <= 0.0:
            raise MetricsUnavailable(self._timed_out())
        try:
            return _vector(self._client.custom_query(query, params={"timeout": f"{left_s:.3f}"}, timeout=left_s))
        except (*CLIENT_ERRORS, KeyError, TypeError, ValueError) as error:
            raise translated(error, self._settings.url) from error

    def _timed_out(self) -> str:
        return (
            f"Prometheus at {self._settings.url} did not answer within {self._settings.timeout_s:g}s: "
            "look at its load and its memory, or allow more with the time-out setting"
        )


CLIENT_ERRORS = (requests.RequestException, PrometheusApiClientException, MetricValueConversionError)
"""Everything that prometheus-api-client raises on purpose."""

_REFUSED_STATUS = frozenset({"400", "422"})
"""Bad query, and a query that cannot be executed: Prometheus HTTP API, Format overview."""


def translated(error: Exception, url: str) -> PlimsollError:
    """The client's error as one of ours: Refuse where the query is at fault, else TryAgain."""
    text = str(error)
    status = re.search(r"HTTP Status Code (\d{3})", text)
    said = text if len(text) <= _CUT else text[: _CUT - 1] + "…"
    if status and status[1] in _REFUSED_STATUS:
        return InvalidObject(f"Prometheus refuses the query: {said}")
    if isinstance(error, requests.Timeout):
        return MetricsUnavailable(f"Prometheus at {url} did not answer in time: {said}")
    if isinstance(error, requests.ConnectionError):
        # requests wraps the cause in a text with the whole query: what counts stands at the very end.
        cause = text.rsplit("Caused by ", 1)[-1].rsplit(": ", 1)[-1].strip("()'\" ")
        return MetricsUnavailable(
            f"Prometheus at {url} cannot be reached ({cause}): check the address, and that it runs"
        )
    if status:
        return MetricsUnavailable(f"Prometheus at {url} answered with an error: {said}")
    return MetricsUnavailable(f"What answered at {url} does not look like Prometheus ({type(error).__name__}): {said}")


def _first_failure(answers: Iterable[Vector | BaseException]) -> str | None:
    for answer in answers:
        if isinstance(answer, PlimsollError):
            return str(answer)
        if isinstance(answer, BaseException):
            raise answer
    return None


def _vector(result: Any) -> Vector:
    """An instant vector; a scalar is one series without labels. NaN, +Inf and -Inf are read as such."""
    if isinstance(result, list) and len(result) == 2 and not any(isinstance(part, Mapping) for part in result):
        return [Sample({}, float(result[1]))]
    return [Sample(series["metric"], float(series["value"][1])) for series in result]


def _samples(
    dialect: Dialect, labels: Labels, vector: Vector | BaseException, latencies: Vector | BaseException | None
) -> Iterable[Samples]:
    """One value per pod and model, with all signals that were there."""
    values: dict[tuple[str, str, str | None], dict[Signal, float]] = {}
    observed: dict[tuple[str, str, str | None], dict[tuple[LatencyMetric, float], float]] = {}
    assert not isinstance(vector, BaseException), "a failed demand query is reported before its samples are read"
    for sample in vector:
        values.setdefault(_whose(dialect, labels, sample), {})[Signal(sample.labels[SIGNAL_LABEL])] = sample.value
    bounds_ms = _bounds_ms(dialect, latencies)
    for sample in latencies if isinstance(latencies, list) else ():
        which = latency_of_signal(sample.labels[SIGNAL_LABEL])
        if which is not None:
            observed.setdefault(_whose(dialect, labels, sample), {})[which] = sample.value * dialect.latency_unit_ms
    for whose, signals in values.items():
        yield Samples(*whose, values=signals, latencies_ms=observed.get(whose, {}), bounds_ms=bounds_ms)


def _bounds_ms(dialect: Dialect, latencies: Vector | BaseException | None) -> Mapping[LatencyMetric, tuple[float, ...]]:
    """By latency the bounds of its buckets."""
    metrics = {bounds_signal(metric): metric for metric in LatencyMetric}
    found: dict[LatencyMetric, set[float]] = {}
    for sample in latencies if isinstance(latencies, list) else ():
        metric = metrics.get(sample.labels[SIGNAL_LABEL])
        if metric is not None:
            bound = _number(sample.labels.get(BOUND_LABEL, ""))
            found.setdefault(metric, set()).add(bound * dialect.latency_unit_ms)
    return {metric: tuple(sorted(filter(math.isfinite, bounds))) for metric, bounds in found.items()}


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan  # Not a classic histogram's series, whatever its name: one stray series must not end the tick.


def _whose(dialect: Dialect, labels: Labels, sample: Sample) -> tuple[str, str, str | None]:
    found = sample.labels
    model = found.get(dialect.model_label, "") if dialect.model_label else None
    return found.get(labels.namespace, ""), found.get(labels.pod, "") if dialect.per_pod else "", model
