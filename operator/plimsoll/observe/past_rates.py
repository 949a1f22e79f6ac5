"""How many requests arrived at each deployment in the past, as far as metrics still tell?

In: deployments with their workloads, and what range queries showed. Out: `PastLooks`: a rate and token means for each
deployment and step. As at each tick, arrivals are the requests done and the growth of those in flight; whose they are
is found by `attribution`. A step at which the window was not scraped as usual has no rate: a gap stays a gap, and no
replica is not no demand. Pure. Design section 4.

Axes: D deployments, S steps, K means (prompt tokens, output tokens).
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plimsoll.api import Engine
from plimsoll.domain import ObjectKey, PastLooks
from plimsoll.observe.arrivals import blind_variant
from plimsoll.observe.attribution import Asked, attribute
from plimsoll.observe.dialects import Counts, Dialect, dialects_of
from plimsoll.observe.history_queries import WORKLOAD_LABEL
from plimsoll.observe.prometheus import Range, Stretch
from plimsoll.observe.queries import SIGNAL_LABEL, Labels, Signal
from plimsoll.observe.reading import EngineReading, MetricsReading, Samples
from plimsoll.observe.window_fill import enough_scrapes

Floats = NDArray[np.float64]
_Whose = tuple[str, str, str | None]


@dataclass(frozen=True, slots=True)
class PastReading:
    """All that was shown of one stretch; it begins a window before the first step that is wanted."""

    stretch: Stretch
    window_s: float
    by_dialect: Sequence[tuple[Dialect, Sequence[Range]]]
    custom: Mapping[ObjectKey, Mapping[str, Sequence[Range]]]


def past_looks(asked: Sequence[Asked], reading: PastReading, labels: Labels) -> PastLooks:
    """One look a step at every deployment asked for.

    Args:
        asked: all deployments that share engines with those whose past is wanted, too: who claims a model matters.
        reading: of one stretch.
        labels: that the scrape configuration adds.
    """
    series: dict[Engine, dict[_Whose, dict[Signal, Floats]]] = defaultdict(dict)
    for dialect, ranges in reading.by_dialect:
        _collect(series[dialect.engine], dialect, labels, ranges, reading.stretch)
    named = {
        engine: EngineReading(tuple(Samples(*whose, values={}) for whose in found)) for engine, found in series.items()
    }
    attributed = attribute(asked, MetricsReading(reading.window_s, named))
    lag = lag_in_steps(reading.window_s, reading.stretch.step_s)
    steps = _steps(reading.stretch)
    nothing = np.full(steps, np.nan)
    rates, prompts, outputs = [], [], []
    for one in asked:
        if one.source is Engine.CUSTOM:
            rate_s, prompt_s, output_s = _custom(reading.custom.get(one.key, {}), reading.stretch)
        elif one.source is Engine.GATEWAY:
            shown = [series[Engine.GATEWAY][_whose(samples)] for samples in attributed[one.key].gateway]
            rate_s, prompt_s, output_s = _shown([(each, True) for each in shown], lag, reading)
        elif blind_variant(one) is not None:
            rate_s, prompt_s, output_s = nothing, nothing, nothing
        else:
            of_pods = [
                (series[pod.server.engine][_whose(pod.samples)], _counts_completions(pod.server.engine))
                for pod in attributed[one.key].pods
            ]
            rate_s, prompt_s, output_s = _shown(of_pods, lag, reading)
        rates.append(rate_s[lag:])
        prompts.append(prompt_s[lag:])
        outputs.append(output_s[lag:])
    return PastLooks(
        step_s=reading.stretch.step_s,
        end_s=reading.stretch.end_s,
        keys=tuple(one.key for one in asked),
        rate_ds=np.array(rates).reshape(len(asked), steps - lag),
        tokens_kds=np.array([prompts, outputs]).reshape(2, len(asked), steps - lag),
    )


def lag_in_steps(window_s: float, step_s: float) -> int:
    """How many steps before the first one that is wanted a stretch begins: the window that growth is taken over."""
    return max(1, round(window_s / step_s))


def joined(older: PastLooks, newer: PastLooks) -> PastLooks:
    """Two stretches of the same deployments, one right before the other."""
    return PastLooks(
        newer.step_s,
        newer.end_s,
        newer.keys,
        np.concatenate((older.rate_ds, newer.rate_ds), axis=1),
        np.concatenate((older.tokens_kds, newer.tokens_kds), axis=2),
    )


def _collect(
    found: dict[_Whose, dict[Signal, Floats]],
    dialect: Dialect,
    labels: Labels,
    ranges: Iterable[Range],
    stretch: Stretch,
) -> None:
    for one in ranges:
        model = one.labels.get(dialect.model_label, "") if dialect.model_label else None
        # As if it were the name of a pod: attribution takes off what stands behind the workload's.
        pod = f"{one.labels.get(WORKLOAD_LABEL, '')}-0" if dialect.per_pod else ""
        signals = found.setdefault((one.labels.get(labels.namespace, ""), pod, model), {})
        signals[Signal(one.labels[SIGNAL_LABEL])] = _aligned(one.points, stretch)


def _aligned(points: Sequence[tuple[float, float]], stretch: Stretch) -> Floats:
    values = np.full(_steps(stretch), np.nan)
    for at_s, value in points:
        step = round((at_s - stretch.start_s) / stretch.step_s)
        if 0 <= step < len(values):
            values[step] = value if np.isfinite(value) and value >= 0.0 else np.nan
    return values


def _steps(stretch: Stretch) -> int:
    return round((stretch.end_s - stretch.start_s) / stretch.step_s) + 1


def _shown(
    found: Sequence[tuple[Mapping[Signal, Floats], bool]], lag: int, reading: PastReading
) -> tuple[Floats, Floats, Floats]:
    """Rate, prompt and output means of what some series show together; of each, whether it counts completions."""
    steps = _steps(reading.stretch)
    total = {signal: np.zeros(steps) for signal in Signal}
    scrapes, in_flight = np.zeros(steps), np.zeros(steps)
    for signals, completions in found:
        for signal, values in signals.items():
            total[signal] += np.nan_to_num(values)
            if completions and signal in (Signal.RUNNING, Signal.WAITING):
                in_flight += np.nan_to_num(values)
        scrapes = np.fmax(scrapes, np.nan_to_num(signals.get(Signal.SCRAPES, np.zeros(steps))))
    growth = np.zeros(steps)
    growth[lag:] = (in_flight[lag:] - in_flight[:-lag]) / (lag * reading.stretch.step_s)
    scraped = scrapes[scrapes > 0.0]
    usual = float(np.median(scraped)) if len(scraped) else np.inf
    rate = np.where(
        (scrapes > 0.0) & (scrapes >= enough_scrapes(usual)),
        np.maximum(0.0, total[Signal.REQUEST_RATE] + growth),
        np.nan,
    )
    return (
        rate,
        _mean(total[Signal.PROMPT_TOKENS_RATE], total[Signal.PROMPTS_RATE]),
        _mean(total[Signal.OUTPUT_TOKENS_RATE], total[Signal.OUTPUTS_RATE]),
    )


def _custom(answers: Mapping[str, Sequence[Range]], stretch: Stretch) -> tuple[Floats, Floats, Floats]:
    """Each query gives one series for the whole deployment; several cannot be told apart, as at each tick."""
    rate, prompt, output = (
        _aligned(answers[name][0].points, stretch)
        if len(answers.get(name, ())) == 1
        else np.full(_steps(stretch), np.nan)
        for name in ("arrival_rate", "prompt_tokens", "output_tokens")
    )
    return rate, prompt, output


def _mean(total: Floats, count: Floats) -> Floats:
    mean: Floats = np.where(count > 0.0, total / np.where(count > 0.0, count, 1.0), np.nan)
    return mean


def _counts_completions(engine: Engine) -> bool:
    return any(dialect.counts is Counts.COMPLETIONS for dialect in dialects_of(engine))


def _whose(samples: Samples) -> _Whose:
    return samples.namespace, samples.pod, samples.model
