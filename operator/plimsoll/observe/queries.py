"""How is everything about all objects of one engine asked for in two queries?

In: a row of `dialects`, the rate window and the names of the labels that the scrape configuration adds. Out: PromQL.
One query holds all that demand needs, so that its parts are of one moment and either all there or not; the other holds
observed latencies, which may be missing without harm, and the bounds of the buckets that they are read from. Each part
carries its name in the label `plimsoll_signal`; all but the bounds are aggregated by namespace, pod and model. Pure.
Design section 4.

The rate window is one for all: completions are averaged over it, and growth of the requests in flight is taken between
its two ends, so that arrivals = completions + growth holds exactly over the window, also while pods come and go, and
without anything to remember over a restart.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from plimsoll.domain import LatencyMetric
from plimsoll.observe.dialects import Dialect, Series

SIGNAL_LABEL = "plimsoll_signal"
BOUND_LABEL = "le"
"""The upper bound of a bucket, in the engine's unit."""
_LAST_BUCKET, _OTHER_BUCKETS = f'{BOUND_LABEL}="+Inf"', f'{BOUND_LABEL}!="+Inf"'
HIGH_QUANTILE = 0.95
"""The quantile that `TokenMix.prompt_tokens_p95` and `TokenMix.output_tokens_p95` stand for."""


NODE_LABEL = "node"
NODE_PRICES = f"avg by ({NODE_LABEL}) (node_total_hourly_cost)"
"""Of OpenCost: US dollars per node and hour, processors, memory and devices together."""


class Signal(StrEnum):
    """One part of an answer."""

    REQUEST_RATE = "request_rate"
    REQUESTS = "requests"
    """The bare counter: tells a counter that cannot be rated yet from one that never counted."""
    REQUESTS_BEFORE = "requests_before"
    AGE_S = "age_s"
    """Of the last scraped heartbeat, by the clock of Prometheus."""
    SCRAPES = "scrapes"
    """Number of heartbeats in the window: falls when Prometheus did not scrape for a part of it."""
    RUNNING = "running"
    WAITING = "waiting"
    RUNNING_BEFORE = "running_before"
    WAITING_BEFORE = "waiting_before"
    KV_USE = "kv_use"
    PROMPT_TOKENS_RATE = "prompt_tokens_rate"
    PROMPTS_RATE = "prompts_rate"
    PROMPT_TOKENS_P95 = "prompt_tokens_p95"
    PROMPT_TOKENS_MOST = "prompt_tokens_most"
    """The upper bound of the highest bucket with a prompt in it; absent where that bucket has none."""
    OUTPUT_TOKENS_RATE = "output_tokens_rate"
    OUTPUTS_RATE = "outputs_rate"
    OUTPUT_TOKENS_P95 = "output_tokens_p95"
    OUTPUT_TOKENS_MOST = "output_tokens_most"


@dataclass(frozen=True, slots=True)
class Labels:
    """Names of the labels that the scrape configuration attaches to every sample of an engine."""

    namespace: str = "namespace"
    pod: str = "pod"


def demand_query(dialect: Dialect, labels: Labels, window_s: float) -> str:
    """All that demand needs, of every object of the dialect's engine."""
    by, window = _by(dialect, labels), _duration(window_s)
    ask = _Ask(by, window)
    parts: list[tuple[Signal, str | None]] = [
        (Signal.REQUEST_RATE, ask.rate(dialect.requests)),
        (Signal.REQUESTS, ask.now(dialect.requests)),
        (Signal.REQUESTS_BEFORE, None if dialect.per_pod else ask.before(dialect.requests)),
        (Signal.AGE_S, f"(time() - max by ({by}) ({_each(dialect.heartbeat, 'timestamp({})')}))"),
        (Signal.SCRAPES, f"max by ({by}) ({_each(dialect.heartbeat, f'count_over_time({{}}[{window}])')})"),
        (Signal.RUNNING, ask.now(dialect.running)),
        (Signal.WAITING, ask.now(dialect.waiting)),
        (Signal.RUNNING_BEFORE, ask.before(dialect.running)),
        (Signal.WAITING_BEFORE, ask.before(dialect.waiting)),
        (Signal.KV_USE, f"max by ({by}) ({_each(dialect.kv_use, '{}')})" if dialect.kv_use else None),
        (Signal.PROMPT_TOKENS_RATE, ask.histogram_rate(dialect.prompt_tokens, "_sum", dialect.prompt_tokens_total)),
        (Signal.PROMPTS_RATE, ask.histogram_rate(dialect.prompt_tokens, "_count", _counted(dialect, "prompt"))),
        (Signal.PROMPT_TOKENS_P95, ask.quantile(dialect.prompt_tokens, HIGH_QUANTILE)),
        (Signal.PROMPT_TOKENS_MOST, ask.most(dialect.prompt_tokens)),
        (Signal.OUTPUT_TOKENS_RATE, ask.histogram_rate(dialect.output_tokens, "_sum", dialect.output_tokens_total)),
        (Signal.OUTPUTS_RATE, ask.histogram_rate(dialect.output_tokens, "_count", _counted(dialect, "output"))),
        (Signal.OUTPUT_TOKENS_P95, ask.quantile(dialect.output_tokens, HIGH_QUANTILE)),
        (Signal.OUTPUT_TOKENS_MOST, ask.most(dialect.output_tokens)),
    ]
    return union((signal, text) for signal, text in parts if text)


def latency_query(
    dialect: Dialect, labels: Labels, window_s: float, quantiles: Iterable[tuple[LatencyMetric, float]]
) -> str | None:
    """Observed latencies at the quantiles that some SLO asks for; None where the engine exposes none of them."""
    ask = _Ask(_by(dialect, labels), _duration(window_s))
    histograms = {LatencyMetric.TTFT: dialect.ttft, LatencyMetric.TPOT: dialect.tpot, LatencyMetric.E2E: dialect.e2e}
    parts = [
        (latency_signal(metric, quantile), ask.quantile(histograms[metric], quantile))
        for metric, quantile in sorted(set(quantiles))
    ]
    # One series a bucket for all objects together: a quantile is known no better than to within its bucket.
    parts += [
        (bounds_signal(metric), ask.bounds(histograms[metric]))
        for metric in sorted({metric for metric, _ in quantiles})
    ]
    asked = [(signal, text) for signal, text in parts if text]
    return union(asked) if asked else None


def latency_signal(metric: LatencyMetric, quantile: float) -> str:
    """The name under which one quantile of one latency comes back."""
    return f"{metric.value}:{quantile:g}"


def latency_of_signal(signal: str) -> tuple[LatencyMetric, float] | None:
    """The latency and quantile that a signal stands for; None for the signals of demand."""
    name, colon, quantile = signal.partition(":")
    return (LatencyMetric(name), float(quantile)) if colon else None


def bounds_signal(metric: LatencyMetric) -> str:
    """The name under which the bounds of one latency's buckets come back."""
    return f"{metric.value}_bounds"


@dataclass(frozen=True, slots=True)
class _Ask:
    by: str
    window: str

    def now(self, series: tuple[Series, ...]) -> str | None:
        return f"sum by ({self.by}) ({_each(series, '{}')})" if series else None

    def before(self, series: tuple[Series, ...]) -> str | None:
        return f"sum by ({self.by}) ({_each(series, f'({{}} offset {self.window})')})" if series else None

    def rate(self, series: tuple[Series, ...], suffix: str = "") -> str | None:
        return f"sum by ({self.by}) ({_each(series, f'rate({{}}[{self.window}])', suffix)})" if series else None

    def histogram_rate(self, series: tuple[Series, ...], suffix: str, counters: tuple[Series, ...]) -> str | None:
        asked = [text for text in (self.rate(series, suffix), self.rate(counters)) if text]
        return " or ".join(asked) or None

    def quantile(self, series: tuple[Series, ...], quantile: float) -> str | None:
        # Alternatives are joined after the quantile is taken: their buckets have other bounds and must not mix.
        return (
            " or ".join(
                f"histogram_quantile({quantile:g}, sum by ({self.by}, le) "
                f"(rate({one.selector('_bucket')}[{self.window}])))"
                for one in series
            )
            or None
        )

    def most(self, series: tuple[Series, ...]) -> str | None:
        """The upper bound of the highest bucket that anything fell into; nothing where that bucket has no bound.

        It is the quantile of 1. But of the bucket without a bound histogram_quantile() says the bound below it
        (Prometheus promql/quantile.go bucketQuantile), which is no bound of what is in there.
        """
        return " or ".join(self._most(one) for one in series) or None

    def _most(self, series: Series) -> str:
        def rates(matcher: str = "") -> str:
            matchers = ", ".join(one for one in (series.matchers, matcher) if one)
            selector = Series(series.name, matchers).selector("_bucket")
            return f"sum by ({self.by}, {BOUND_LABEL}) (rate({selector}[{self.window}]))"

        # Buckets count all that is below their bounds: any difference lies above the highest bound that there is.
        every = f"max by ({self.by}) ({rates(_LAST_BUCKET)})"
        bounded = f"max by ({self.by}) ({rates(_OTHER_BUCKETS)})"
        return f"(histogram_quantile(1, {rates()}) unless ({every} > {bounded}))"

    def bounds(self, series: tuple[Series, ...]) -> str | None:
        """Of the first histogram that is there, as its quantile is the one that counts."""
        parts = []
        for place, one in enumerate(series):
            own = f"count by ({BOUND_LABEL}) ({one.selector('_bucket')})"
            before = " or ".join(f"count({other.selector('_bucket')})" for other in series[:place])
            parts.append(f"({own} unless on () ({before}))" if before else own)
        return " or ".join(parts) or None


def _counted(dialect: Dialect, tokens: str) -> tuple[Series, ...]:
    """The requests over which a plain counter of tokens is spread."""
    has_counter = dialect.prompt_tokens_total if tokens == "prompt" else dialect.output_tokens_total
    return dialect.requests if has_counter else ()


def _by(dialect: Dialect, labels: Labels) -> str:
    pod = (labels.pod,) if dialect.per_pod else ()
    model = (dialect.model_label,) if dialect.model_label else ()
    return ", ".join((labels.namespace, *pod, *model))


def _each(series: tuple[Series, ...], template: str, suffix: str = "") -> str:
    return " or ".join(template.format(one.selector(suffix)) for one in series)


def union(parts: Iterable[tuple[str, str]]) -> str:
    """One query of many, each of which comes back under its name."""
    return " or ".join(f'label_replace({text}, "{SIGNAL_LABEL}", "{signal}", "", "")' for signal, text in parts)


def _duration(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
