"""What would Prometheus answer? Rows of pods, scraped at an interval, seen late, read over a window.

In: at each scrape the rows of all ready pods. Out: the `MetricsReading` that the operator's observer would get, and the
`Scrape`s that other autoscalers read. Rates are those of PromQL's rate() with its extrapolation, quantiles those of
histogram_quantile() (Prometheus promql/functions.go extrapolatedRate, quantile.go bucketQuantile). What an engine's
dialect does not name is not there.

Array names end in their axes: p for pods, c for columns of a row, b for buckets.
"""

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from plimsoll.api import Engine
from plimsoll.domain import LatencyMetric, ObjectKey, VariantKey
from plimsoll.engine.arrays import Floats
from plimsoll.observe.attribution import Asked
from plimsoll.observe.dialects import Dialect, dialects_of
from plimsoll.observe.queries import HIGH_QUANTILE, Signal
from plimsoll.observe.reading import EngineReading, MetricsReading, Samples
from plimsoll.simulator import metering
from plimsoll.simulator.metering import Histogram
from plimsoll.simulator.policies.autoscaler import KEPT_S, Scrape

_LOOKBACK_S = 300.0
"""How old a sample may be that an instant query still returns (--query.lookback-delta)."""
_THRESHOLD = 1.1
"""Of the mean interval: how far from a window's edge rate() still extrapolates to the edge."""


@dataclass
class _Series:
    """The rows of one pod, oldest first."""

    key: VariantKey
    engine: Engine
    at_s: deque[float] = field(default_factory=deque)
    rows: deque[Floats] = field(default_factory=deque)
    gone_s: float | None = None
    """When the pod went: from then on it is not scraped, and its gauges are stale at once."""


@dataclass
class _Counter:
    """The router's counter of one deployment, and how many wait there."""

    points: deque[tuple[float, float, float]] = field(default_factory=deque)


class Scraper:
    """Everything scraped in one run."""

    def __init__(self, window_s: float, delay_s: float, start_s: float) -> None:
        """
        Args:
            window_s: over which the operator takes rates.
            delay_s: from a scrape until it can be queried.
            start_s: of the run, since the epoch; all other moments here are since that start.
        """
        self._window_s = window_s
        self._delay_s = delay_s
        self._start_s = start_s
        self._series: dict[str, _Series] = {}
        self._counters: dict[ObjectKey, _Counter] = {}
        self._scrapes: dict[VariantKey, list[Scrape]] = {}

    @property
    def known(self) -> frozenset[VariantKey]:
        """Variants that have been scraped."""
        return frozenset(self._scrapes)

    # --- Scraping ----------------------------------------------------------------------------------------------------

    def take(
        self, at_s: float, key: VariantKey, engine: Engine, rows: Mapping[str, Floats], totals: Sequence[float]
    ) -> None:
        """One scrape of a variant's pods.

        Args:
            at_s: since the start of the run.
            key: of the variant.
            engine: that its pods run.
            rows: by pod name, of `metering.Meter`.
            totals: arrivals, completions, prompt and output tokens of all its pods so far, gone ones included.
        """
        for pod, row in rows.items():
            series = self._series.setdefault(pod, _Series(key, engine))
            series.at_s.append(at_s)
            series.rows.append(row)
            while len(series.at_s) > 1 and series.at_s[1] <= at_s - self._window_s - _LOOKBACK_S:
                series.at_s.popleft()
                series.rows.popleft()
        names = tuple(sorted(rows))
        table_pc = np.array([rows[name] for name in names]) if names else np.zeros((0, metering.COLUMNS))
        kept = self._scrapes.setdefault(key, [])
        kept.append(
            Scrape(
                self._start_s + at_s,
                names,
                table_pc[:, metering.RUNNING],
                table_pc[:, metering.WAITING],
                table_pc[:, metering.KV_USE],
                *totals,
            )
        )
        _forget(kept, self._start_s + at_s - KEPT_S)

    def take_router(self, at_s: float, key: ObjectKey, requests: float, queued: float) -> None:
        """One scrape of a deployment's router."""
        points = self._counters.setdefault(key, _Counter()).points
        points.append((at_s, requests, queued))
        while points[0][0] < at_s - KEPT_S:
            points.popleft()

    def gone(self, pod: str, at_s: float) -> None:
        """The pod is there no more."""
        if pod in self._series:
            self._series[pod].gone_s = at_s

    # --- Asking ------------------------------------------------------------------------------------------------------

    def scrapes(self, now_s: float) -> dict[VariantKey, list[Scrape]]:
        """By variant what can be seen at `now_s`; their moments are since the epoch."""
        seen_s = self._start_s + now_s - self._delay_s
        return {key: kept[: bisect_right(kept, seen_s, key=_moment)] for key, kept in self._scrapes.items()}

    def routed(self, now_s: float) -> dict[ObjectKey, list[tuple[float, float]]]:
        """By deployment the router's counter; moments are since the epoch."""
        seen_s = now_s - self._delay_s
        return {
            key: [(self._start_s + at_s, requests) for at_s, requests, _ in one.points if at_s <= seen_s]
            for key, one in self._counters.items()
        }

    def queued(self, now_s: float) -> dict[ObjectKey, float]:
        """By deployment how many wait at the router."""
        seen_s = now_s - self._delay_s
        return {
            key: next((queued for at_s, _, queued in reversed(one.points) if at_s <= seen_s), 0.0)
            for key, one in self._counters.items()
        }

    def reading(self, now_s: float, asked: Sequence[Asked]) -> MetricsReading:
        """The answer to the operator's queries at `now_s`."""
        quantiles = {one.key: sorted({(t.metric, t.quantile) for t in one.slo}) for one in asked}
        by_engine: dict[Engine, list[Samples]] = {server.engine: [] for one in asked for server in one.servers}
        for pod in [name for name, one in self._series.items() if self._is_over(one, now_s)]:
            del self._series[pod]
        groups: dict[Engine, list[tuple[str, _Series]]] = {}
        for pod, series in self._series.items():
            groups.setdefault(series.engine, []).append((pod, series))
        for engine, group in groups.items():
            by_engine[engine] = self._samples(engine, group, quantiles, now_s)
        readings = {engine: EngineReading(tuple(samples)) for engine, samples in by_engine.items()}
        if any(one.source is Engine.GATEWAY for one in asked):
            readings[Engine.GATEWAY] = EngineReading(tuple(self._gateways(asked, now_s)))
        return MetricsReading(self._window_s, readings)

    def _is_over(self, series: _Series, now_s: float) -> bool:
        return series.gone_s is not None and series.at_s[-1] < now_s - 2.0 * self._window_s - self._delay_s

    def _samples(
        self,
        engine: Engine,
        group: Sequence[tuple[str, _Series]],
        quantiles: Mapping[ObjectKey, Sequence[tuple[LatencyMetric, float]]],
        now_s: float,
    ) -> list[Samples]:
        (dialect, *_) = dialects_of(engine)
        spans = [(pod, series, self._span(series, now_s)) for pod, series in group]
        rated = [(pod, series, span) for pod, series, span in spans if span is not None and span[1] > span[0]]
        rates_pc = _rates(
            np.array([series.at_s[first] for _, series, (first, _) in rated]),
            np.array([series.at_s[last] for _, series, (_, last) in rated]),
            np.array([last - first + 1 for _, _, (first, last) in rated]),
            np.array([series.rows[first] for _, series, (first, _) in rated]).reshape(-1, metering.COLUMNS),
            np.array([series.rows[last] for _, series, (_, last) in rated]).reshape(-1, metering.COLUMNS),
            now_s,
            self._window_s,
        )
        by_pod = {pod: rates_pc[place] for place, (pod, _, _) in enumerate(rated)}
        wanted = sorted({which for _, series in group for which in quantiles.get(series.key.deployment_key, ())})
        latencies = {
            which: _quantiles(which[1], rates_pc[:, metering.LATENCIES[which[0]].columns], metering.LATENCIES[which[0]])
            for which in wanted
            if _latency_series(dialect, which[0])
        }
        highs = {
            signal: _quantiles(HIGH_QUANTILE, rates_pc[:, histogram.columns], histogram)
            for signal, histogram, named in (
                (Signal.PROMPT_TOKENS_P95, metering.PROMPTS, dialect.prompt_tokens),
                (Signal.OUTPUT_TOKENS_P95, metering.OUTPUTS, dialect.output_tokens),
            )
            if named
        }
        mosts = {
            signal: _highest_bounds(rates_pc[:, histogram.columns], histogram)
            for signal, histogram, named in (
                (Signal.PROMPT_TOKENS_MOST, metering.PROMPTS, dialect.prompt_tokens),
                (Signal.OUTPUT_TOKENS_MOST, metering.OUTPUTS, dialect.output_tokens),
            )
            if named
        }
        places = {pod: place for place, (pod, _, _) in enumerate(rated)}
        samples = []
        for pod, series, span in spans:
            values = self._instant(dialect, series, span, now_s)
            place = places.get(pod)
            own: dict[tuple[LatencyMetric, float], float] = {}
            if place is not None:
                values |= _rated(dialect, by_pod[pod])
                values |= {signal: float(high_p[place]) for signal, high_p in highs.items()}
                values |= {signal: float(most_p[place]) for signal, most_p in mosts.items() if most_p[place] > 0.0}
                asked_for = quantiles.get(series.key.deployment_key, ())
                own = {which: float(values_p[place]) for which, values_p in latencies.items() if which in asked_for}
            bounds = {metric: tuple(metering.LATENCIES[metric].bounds.tolist()) for metric, _ in own}
            samples.append(Samples(series.key.namespace, pod, None, values, own, bounds))
        return samples

    def _span(self, series: _Series, now_s: float) -> tuple[int, int] | None:
        """Places of the first and the last row within the window; None where there is none."""
        seen_s = now_s - self._delay_s
        inside = [place for place, at_s in enumerate(series.at_s) if now_s - self._window_s < at_s <= seen_s]
        return (inside[0], inside[-1]) if inside else None

    def _instant(
        self, dialect: Dialect, series: _Series, span: tuple[int, int] | None, now_s: float
    ) -> dict[Signal, float]:
        """What is read off single samples: now, and at the window's beginning."""
        values: dict[Signal, float] = {}
        before = next(
            (
                place
                for place in range(len(series.at_s) - 1, -1, -1)
                if series.at_s[place] <= now_s - self._window_s
                and series.at_s[place] > now_s - self._window_s - _LOOKBACK_S
            ),
            None,
        )
        if before is not None:
            row = series.rows[before]
            values |= _named(dialect, row, Signal.RUNNING_BEFORE, Signal.WAITING_BEFORE)
        if span is None:
            return values
        values[Signal.SCRAPES] = float(span[1] - span[0] + 1)
        if series.gone_s is not None and series.gone_s <= now_s - self._delay_s:
            return values
        row = series.rows[span[1]]
        values |= _named(dialect, row, Signal.RUNNING, Signal.WAITING)
        values[Signal.AGE_S] = now_s - series.at_s[span[1]]
        values[Signal.REQUESTS] = float(row[_request_column(dialect)])
        if dialect.kv_use:
            values[Signal.KV_USE] = float(row[metering.KV_USE])
        return values

    def _gateways(self, asked: Sequence[Asked], now_s: float) -> list[Samples]:
        samples = []
        for one in asked:
            counter = self._counters.get(one.key)
            if one.source is not Engine.GATEWAY or counter is None:
                continue
            seen_s = now_s - self._delay_s
            points = [point for point in counter.points if point[0] <= seen_s and point[1] > 0]
            inside = [point for point in points if point[0] > now_s - self._window_s]
            if not inside:
                continue
            before = next((point for point in reversed(points) if point[0] <= now_s - self._window_s), None)
            values = {
                Signal.REQUESTS: inside[-1][1],
                Signal.WAITING: inside[-1][2],
                Signal.AGE_S: now_s - inside[-1][0],
                Signal.SCRAPES: float(len(inside)),
            }
            if len(inside) > 1:
                first, last = inside[0], inside[-1]
                values[Signal.REQUEST_RATE] = float(
                    _rates(
                        np.array([first[0]]),
                        np.array([last[0]]),
                        np.array([len(inside)]),
                        np.array([[first[1]]]),
                        np.array([[last[1]]]),
                        now_s,
                        self._window_s,
                    )[0, 0]
                )
            if before is not None:
                values[Signal.REQUESTS_BEFORE], values[Signal.WAITING_BEFORE] = before[1], before[2]
            samples.append(Samples(one.key.namespace, "", one.model, values))
        return samples


def _moment(one: Scrape) -> float:
    return one.at_s


def _forget(kept: list[Scrape], before_s: float) -> None:
    """Seldom and then many: taking the first off a list moves all others."""
    if len(kept) > 1 and kept[len(kept) // 2].at_s < before_s:
        del kept[: bisect_left(kept, before_s, key=_moment)]


def _request_column(dialect: Dialect) -> int:
    return metering.ARRIVED if dialect.counts == "arrivals" else metering.ENDED


def _named(dialect: Dialect, row: Floats, running: Signal, waiting: Signal) -> dict[Signal, float]:
    values = {}
    if dialect.running:
        values[running] = float(row[metering.RUNNING])
    if dialect.waiting:
        values[waiting] = float(row[metering.WAITING])
    return values


def _rated(dialect: Dialect, rates_c: Floats) -> dict[Signal, float]:
    values = {Signal.REQUEST_RATE: float(rates_c[_request_column(dialect)])}
    finished_rps = float(rates_c[metering.FINISHED])
    if dialect.prompt_tokens or dialect.prompt_tokens_total:
        values[Signal.PROMPT_TOKENS_RATE] = float(rates_c[metering.PROMPT_TOKENS])
        values[Signal.PROMPTS_RATE] = finished_rps
    if dialect.output_tokens or dialect.output_tokens_total:
        values[Signal.OUTPUT_TOKENS_RATE] = float(rates_c[metering.OUTPUT_TOKENS])
        values[Signal.OUTPUTS_RATE] = finished_rps
    return values


def _latency_series(dialect: Dialect, metric: LatencyMetric) -> bool:
    named = {LatencyMetric.TTFT: dialect.ttft, LatencyMetric.TPOT: dialect.tpot, LatencyMetric.E2E: dialect.e2e}
    return bool(named[metric])


def _rates(
    first_s_p: Floats,
    last_s_p: Floats,
    count_p: Floats,
    first_pc: Floats,
    last_pc: Floats,
    now_s: float,
    window_s: float,
) -> Floats:
    """rate() of every column; counters of one process never go back."""
    if first_s_p.size == 0:
        return np.zeros((0, first_pc.shape[1]))
    sampled_p = last_s_p - first_s_p
    interval_p = sampled_p / (count_p - 1)
    to_start_p, to_end_p = first_s_p - (now_s - window_s), now_s - last_s_p
    to_start_p = np.where(to_start_p >= _THRESHOLD * interval_p, interval_p / 2.0, to_start_p)
    to_end_p = np.where(to_end_p >= _THRESHOLD * interval_p, interval_p / 2.0, to_end_p)
    increase_pc = last_pc - first_pc
    # A counter cannot have been below zero: no further back than to where it would have been.
    with np.errstate(divide="ignore", invalid="ignore"):
        to_zero_pc = sampled_p[:, None] * first_pc / increase_pc
    start_pc = np.where(
        (increase_pc > 0.0) & (first_pc >= 0.0) & (to_zero_pc < to_start_p[:, None]), to_zero_pc, to_start_p[:, None]
    )
    rates_pc: Floats = increase_pc * (sampled_p[:, None] + start_pc + to_end_p[:, None]) / sampled_p[:, None] / window_s
    return rates_pc


def _quantiles(quantile: float, rates_pb: Floats, histogram: Histogram) -> Floats:
    """histogram_quantile() for each pod; NaN where nothing was observed."""
    bounds = histogram.bounds
    cumulative_pb = np.cumsum(rates_pb, axis=1)
    total_p = cumulative_pb[:, -1]
    rank_p = quantile * total_p
    place_p = np.argmax(cumulative_pb >= rank_p[:, None], axis=1)
    inner_p = np.minimum(place_p, bounds.size - 1)
    rows = np.arange(rates_pb.shape[0])
    below_p = np.where(inner_p > 0, cumulative_pb[rows, inner_p - 1], 0.0)
    low_p = np.where(inner_p > 0, bounds[inner_p - 1], 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        inside_p = low_p + (bounds[inner_p] - low_p) * (rank_p - below_p) / rates_pb[rows, inner_p]
    found_p: Floats = np.where(place_p >= bounds.size, bounds[-1], inside_p)
    return np.where(total_p > 0.0, found_p, np.nan)


def _highest_bounds(rates_pb: Floats, histogram: Histogram) -> Floats:
    """The upper bound of the highest bucket that anything fell into, for each pod; NaN where it has none, or nothing
    was observed.
    """
    seen_pb = rates_pb > 0.0
    highest_p = rates_pb.shape[1] - 1 - np.argmax(seen_pb[:, ::-1], axis=1)
    bounds_b = np.append(histogram.bounds, np.nan)
    return np.where(seen_pb.any(axis=1), bounds_b[highest_p], np.nan)
