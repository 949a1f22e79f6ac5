"""What does the process tell about itself? Metrics, probes and log lines.

In: finished plans and what was written. Out: ``/metrics``, ``/healthz``, ``/readyz`` on one small server, and one JSON
object a log line. Told after the fact: nothing here influences a decision. Labels are bounded by the objects there are:
series of a deployment that is gone go with it.
"""

import json
import logging
import sys
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

from plimsoll import __version__
from plimsoll.domain import (
    DemandState,
    DeploymentPlan,
    ForecastScore,
    ForecastWay,
    LatencyObservation,
    ObjectKey,
    Plan,
    Reason,
    SizedBy,
    VariantPlan,
)
from plimsoll.explain import cost
from plimsoll.settings import HttpSettings, LogFormat, LogSettings

_DEPLOYMENT = ("namespace", "deployment")
_VARIANT = (*_DEPLOYMENT, "variant", "pool")
_LATENCY = (*_VARIANT, "latency", "quantile")
_RECORD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Metrics:
    """All metrics of the process, in a registry of their own."""

    def __init__(self) -> None:
        # The library adds a gauge with the moment of creation to each counter: series that nobody asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = self._registry = CollectorRegistry()
        # Whoever scales by plimsoll_desired_replicas must not scrape a page half replaced: absent reads as zero.
        self._replacing = threading.Lock()
        info = Gauge(
            "plimsoll_build_info", "Version of the running operator; always 1.", ["version"], registry=registry
        )
        info.labels(__version__).set(1)
        self.ticks = Counter("plimsoll_ticks", "Ticks by outcome.", ["outcome"], registry=registry)
        self.tick_seconds = Histogram(
            "plimsoll_tick_duration_seconds",
            "Time of one tick by stage: observe, decide, apply.",
            ["stage"],
            buckets=(0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
            registry=registry,
        )
        self.last_success = Gauge(
            "plimsoll_last_success_timestamp_seconds", "When a tick last succeeded.", registry=registry
        )
        self.leader = Gauge("plimsoll_leader", "1 while this replica holds the lease.", registry=registry)
        self.writes = Counter(
            "plimsoll_api_writes", "Writes to the API server by kind and verb.", ["kind", "verb"], registry=registry
        )
        self.steps = Counter("plimsoll_steps", "Steps of plans by what became of them.", ["result"], registry=registry)
        self.status_failures = Counter(
            "plimsoll_status_failures",
            "Statuses that had something new to tell and could not be written, by kind; the log says which and why.",
            ["kind"],
            registry=registry,
        )
        self.solver_gap = Gauge(
            "plimsoll_solver_gap_ratio",
            "Proven distance of the plan's cost from the optimum, 0 to 1.",
            registry=registry,
        )
        self.solver_seconds = Gauge("plimsoll_solver_seconds", "Time of the last solve.", registry=registry)
        self.solves = Counter(
            "plimsoll_solves",
            "Solves by outcome; where it is not Solved, the last plan, repaired, or a greedy one was used.",
            ["outcome"],
            registry=registry,
        )
        self.simulations = Counter(
            "plimsoll_sizing_simulations", "Safe rates simulated, by outcome.", ["outcome"], registry=registry
        )
        self.simulations_waiting = Gauge(
            "plimsoll_sizing_waiting", "Safe rates that wait for their simulation.", registry=registry
        )
        self._sized_by = Gauge(
            "plimsoll_sizing_options",
            "Variants of the plan by what their safe rate stands on.",
            ["sized_by"],
            registry=registry,
        )
        self._deployment_gauges = _deployment_gauges(registry)
        self._variant_gauges = _variant_gauges(registry)
        self._latency = Gauge(
            "plimsoll_latency_seconds",
            "Latency of a variant at the quantiles of its SLO, predicted and observed.",
            [*_LATENCY, "source"],
            registry=registry,
        )
        self._compared = Gauge(
            "plimsoll_latency_observed_over_predicted_ratio",
            "Observed latency over the one predicted for the load there was; absent where that load tells nothing.",
            [*_DEPLOYMENT, "variant", "metric", "quantile"],
            registry=registry,
        )
        self._corrections = Gauge(
            "plimsoll_profile_correction_ratio",
            "How many times a profile's step times engines take, as learned from requests; sizing counts with it.",
            ["profile"],
            registry=registry,
        )
        self._forecast_loss = Gauge(
            "plimsoll_forecast_loss_requests_per_second",
            "Recent mean pinball loss of the way to forecast in use, and of the recent quantile and its trend, which "
            "is used until another way is better; absent while too little is known.",
            [*_DEPLOYMENT, "lead_seconds", "way"],
            registry=registry,
        )
        self._refusals = Counter(
            "plimsoll_refusals",
            "Moves and bridges that were refused because they cost more than they bring; each counts once, until it is "
            "no longer refused.",
            [*_DEPLOYMENT, "variant", "reason"],
            registry=registry,
        )
        self._refused: frozenset[tuple[str, str, str, str]] = frozenset()
        self._forecast_gauges = _forecast_gauges(registry)
        self._history = Gauge(
            "plimsoll_forecast_history_seconds",
            "How far back demand is known, gaps aside; absent until the first minute is over.",
            _DEPLOYMENT,
            registry=registry,
        )
        self._pool_gauges = _pool_gauges(registry)

    def count_write(self, kind: str, verb: str) -> None:
        """One successful write."""
        self.writes.labels(kind, verb).inc()

    def count_simulation(self, outcome: str) -> None:
        """One simulation of a safe rate: "ok" or "failed"."""
        self.simulations.labels(outcome).inc()

    def page(self) -> bytes:
        """All metrics as text; the plan in it is a whole one."""
        with self._replacing:
            return generate_latest(self._registry)

    def show(self, plan: Plan) -> None:
        """Replace everything that describes the plan by the plan of this tick."""
        with self._replacing:
            self._replace(plan)

    def _count_refusals(self, refused: frozenset[tuple[str, str, str, str]]) -> None:
        """Those that were not there at the last tick."""
        for labels in sorted(refused - self._refused):
            self._refusals.labels(*labels).inc()
        self._refused = refused

    def _replace(self, plan: Plan) -> None:
        self.solver_gap.set(plan.solver.gap_ratio)
        self.solves.labels(plan.solver.outcome.value).inc()
        self.solver_seconds.set(plan.solver.seconds)
        for one in SizedBy:
            self._sized_by.labels(one.value).set(0.0)
        groups = (self._deployment_gauges, self._variant_gauges, self._pool_gauges, self._forecast_gauges)
        for gauge in (gauge for group in groups for gauge in group.values()):
            gauge.clear()
        for gauge in (self._latency, self._compared, self._corrections, self._forecast_loss, self._history):
            gauge.clear()
        for profile, correction in plan.corrections.items():
            self._corrections.labels(profile).set(correction)
        refused: set[tuple[str, str, str, str]] = set()
        for deployment in plan.deployments:
            refused |= set(_refusals(deployment))
            told = cost(deployment)
            figures = {
                "demand_known": float(deployment.demand.state is DemandState.KNOWN),
                "arrival_rate": deployment.demand.arrival_rate_rps,
                "forecast_rate": deployment.forecast.required_rps,
                "shortfall_rate": deployment.shortfall_rps,
                "overflow_rate": deployment.overflow.rate_rps if deployment.overflow else None,
                "cost": told.usd_per_hour,
                "cost_per_million": told.usd_per_million_tokens,
            }
            for name, value in figures.items():
                if value is not None:
                    self._deployment_gauges[name].labels(deployment.key.namespace, deployment.key.name).set(value)
            self._show_scores(deployment.key, deployment.forecast.scores)
            self._show_history(deployment.key, deployment.forecast.known_since_s, plan.now_s)
            for variant in deployment.variants:
                self._show_variant(variant)
        self._count_refusals(frozenset(refused))
        for pool in plan.pools:
            values = {"nodes": pool.nodes, "target_nodes": pool.target_nodes, "pool_cost": pool.usd_per_hour}
            values["stocked_out"] = float(pool.stocked_out_until_s is not None)
            for name, value in values.items():
                self._pool_gauges[name].labels(pool.name).set(value)

    def _show_scores(self, key: ObjectKey, scores: Iterable[ForecastScore]) -> None:
        for score in scores:
            labels = (key.namespace, key.name, f"{score.lead_s:.0f}")
            for way in ForecastWay:
                self._forecast_gauges["way"].labels(*labels, way.value).set(float(way is score.way))
            self._forecast_gauges["rate"].labels(*labels).set(score.rate_rps)
            for name, ratio in (("loss", score.loss_over_last_value), ("covered", score.covered_ratio)):
                if ratio is not None:
                    self._forecast_gauges[name].labels(*labels).set(ratio)
            losses = {ForecastWay.RECENT_QUANTILE: score.recent_quantile_loss_rps, score.way: score.loss_rps}
            for way, loss_rps in losses.items():
                if loss_rps is not None:
                    self._forecast_loss.labels(key.namespace, key.name, f"{score.lead_s:.0f}", way.value).set(loss_rps)

    def _show_history(self, key: ObjectKey, since_s: float | None, now_s: float) -> None:
        if since_s is not None:
            self._history.labels(key.namespace, key.name).set(now_s - since_s)

    def _show_variant(self, variant: VariantPlan) -> None:
        labels = (variant.key.namespace, variant.key.deployment, variant.key.variant, variant.pool)
        self._sized_by.labels(variant.sized_by.value).inc()
        self._variant_gauges["desired"].labels(*labels).set(variant.target)
        self._variant_gauges["current"].labels(*labels).set(variant.current)
        self._variant_gauges["ready"].labels(*labels).set(variant.ready)
        self._variant_gauges["safe_rate"].labels(*labels).set(variant.safe_rate_rps)
        if variant.lead is not None:
            self._variant_gauges["lead_time"].labels(*labels).set(variant.lead.seconds)
        self._show_latencies(labels, "predicted", variant.predicted)
        self._show_latencies(labels, "observed", variant.observed)
        for one in variant.compared:
            self._compared.labels(*labels[:3], one.metric.value, f"{one.quantile:g}").set(one.ratio)

    def _show_latencies(self, labels: tuple[str, ...], source: str, observations: Iterable[LatencyObservation]) -> None:
        for one in observations:
            self._latency.labels(*labels, one.metric.value, f"{one.quantile:g}", source).set(one.value_ms / 1000.0)


def _refusals(deployment: DeploymentPlan) -> Iterable[tuple[str, str, str, str]]:
    """Namespace, deployment, variant and reason of everything that would not pay."""
    told = [(one.label, one.reason) for one in deployment.alternatives]
    told += [(one.key.variant, one.reason) for one in deployment.variants]
    for variant, reason in told:
        if reason in (Reason.CHANGE_DOES_NOT_PAY, Reason.BRIDGE_DOES_NOT_PAY):
            yield deployment.key.namespace, deployment.key.name, variant, reason.value


def _deployment_gauges(registry: CollectorRegistry) -> dict[str, Gauge]:
    def gauge(name: str, text: str) -> Gauge:
        return Gauge(f"plimsoll_{name}", text, _DEPLOYMENT, registry=registry)

    return {
        "demand_known": gauge("demand_known", "1 while the demand of the deployment is known."),
        "arrival_rate": gauge("arrival_rate_requests_per_second", "Requests that arrive, per second."),
        "forecast_rate": gauge("forecast_requests_per_second", "Demand that the plan is made for."),
        "shortfall_rate": gauge("shortfall_requests_per_second", "Demand that no variant has room for."),
        "overflow_rate": gauge("overflow_requests_per_second", "Of the planned demand, what an external API takes."),
        "cost": gauge("cost_usd_per_hour", "Price of its share of nodes in the plan, and of its external API."),
        "cost_per_million": gauge("cost_usd_per_million_tokens", "The same per million tokens at the present demand."),
    }


def _forecast_gauges(registry: CollectorRegistry) -> dict[str, Gauge]:
    def gauge(name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"plimsoll_forecast_{name}", text, [*_DEPLOYMENT, "lead_seconds", *labels], registry=registry)

    return {
        "way": gauge("way", "1 for the way to forecast in use so far ahead, 0 for the others.", "way"),
        "rate": gauge("lead_requests_per_second", "Demand that is not to be exceeded so far ahead."),
        "loss": gauge(
            "loss_over_last_value_ratio",
            "Recent mean pinball loss of the way in use over that of the last value; absent while too little is known.",
        ),
        "covered": gauge(
            "covered_ratio",
            "Share of what came that lay below its forecast, near the policy's quantile where errors are known; absent "
            "while too little is known.",
        ),
    }


def _variant_gauges(registry: CollectorRegistry) -> dict[str, Gauge]:
    def gauge(name: str, text: str) -> Gauge:
        return Gauge(f"plimsoll_{name}", text, _VARIANT, registry=registry)

    return {
        "desired": gauge("desired_replicas", "Replicas in the plan; an HPA or KEDA may act on it instead of Plimsoll."),
        "current": gauge("current_replicas", "Replicas that the target asks for now."),
        "ready": gauge("ready_replicas", "Replicas that are ready to serve."),
        "lead_time": gauge(
            "lead_time_seconds",
            "From asking for one more replica until it is ready, by its last start-ups, else by profile and pool.",
        ),
        "safe_rate": gauge("safe_rate_requests_per_second", "What one replica carries within the SLO."),
    }


def _pool_gauges(registry: CollectorRegistry) -> dict[str, Gauge]:
    def gauge(name: str, text: str) -> Gauge:
        return Gauge(f"plimsoll_pool_{name}", text, ["pool"], registry=registry)

    return {
        "nodes": gauge("nodes", "Nodes there are."),
        "target_nodes": gauge("target_nodes", "Nodes that the plan needs."),
        "pool_cost": gauge("cost_usd_per_hour", "Price of the present nodes; of paid ones the amortised price."),
        "stocked_out": gauge("stocked_out", "1 while the pool is capped because it did not deliver nodes."),
    }


# --- Probes ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Probes:
    """Why the process is not well (None: it is), for the kubelet."""

    not_alive: Callable[[], str | None]
    not_ready: Callable[[], str | None]


class HttpServer:
    """Serves metrics and probes in a thread until closed."""

    def __init__(self, settings: HttpSettings, metrics: Metrics, probes: Probes) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if self.path.split("?")[0] == "/metrics":
                    self._answer(HTTPStatus.OK, metrics.page(), CONTENT_TYPE_LATEST)
                elif self.path == "/healthz":
                    self._probe(probes.not_alive())
                elif self.path == "/readyz":
                    self._probe(probes.not_ready())
                else:
                    self._answer(HTTPStatus.NOT_FOUND, b"try /metrics, /healthz or /readyz\n", "text/plain")

            def _probe(self, trouble: str | None) -> None:
                status = HTTPStatus.OK if trouble is None else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, f"{trouble or 'ok'}\n".encode(), "text/plain")

            def _answer(self, status: HTTPStatus, body: bytes, content_type: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """A probe every few seconds is not worth a log line."""

        self._server = ThreadingHTTPServer((settings.host, settings.port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, name="http", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port that is really listened on."""
        return int(self._server.server_address[1])

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()


# --- Logs ------------------------------------------------------------------------------------------------------------


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, and whatever was passed as `extra`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name, value in vars(record).items() if name not in _RECORD_FIELDS}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def set_up_logging(settings: LogSettings) -> None:
    """Log to standard error as the settings say; kopf only from warnings on, since it tells of every object."""
    handler = logging.StreamHandler(sys.stderr)
    if settings.format is LogFormat.JSON:
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(handlers=[handler], level=settings.level.value.upper(), force=True)
    for noisy in ("kopf", "kubernetes", "urllib3", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
