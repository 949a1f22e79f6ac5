"""What have one's own engines been asked for? Their history in Prometheus, read as the operator reads the present.

In: deployments as the operator would ask for them, a Prometheus. Out: for each deployment rate and token mix step by
step, and `Traffic` drawn from them. Every step is one of the operator's own readings, asked at a moment of the past, so
that engines' dialects, completions against arrivals and gaps mean here what they mean there. A step of which nothing is
known takes the last known rate: no data is not zero.

Within a step requests come as Poisson arrivals, with log-normal lengths of its mean and p95: finer than the step
nothing is known. Bursts that are shorter are lost, and what is simulated needs less headroom than the real traffic.

A Prometheus that does not answer is given up at once: a week has two thousand steps, and each would wait. Array names
end in their axes: k for steps, i for requests.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from plimsoll.domain import DemandState, ObjectKey, TokenMix
from plimsoll.engine.workload import Lengths
from plimsoll.errors import MetricsUnavailable
from plimsoll.observe import DemandMemory, MetricsReader, PrometheusSettings
from plimsoll.observe.attribution import Asked
from plimsoll.observe.demand import observe_demand
from plimsoll.observe.observer import wanted
from plimsoll.observe.prometheus import CLIENT_ERRORS, InstantClient, connect, translated
from plimsoll.observe.reading import MetricsReading
from plimsoll.simulator.demand.rate import arrivals_s
from plimsoll.simulator.sources import ArrivalPattern
from plimsoll.simulator.traffic import Traffic

_LONGEST_TOKENS = 1_000_000
_FIRST_ANSWER_S = 10.0
"""For the first question, which costs nothing to answer."""
_FAILURES_IN_A_ROW = 3
"""Steps without any answer, after which no more are asked: one is a restart, three are an outage."""


@dataclass(frozen=True, slots=True)
class History:
    """What one deployment was asked for, step by step."""

    rate_rps_k: tuple[float, ...]
    mix_k: tuple[TokenMix | None, ...]
    step_s: float
    known_ratio: float
    """Share of the steps of which something is known."""


@dataclass(frozen=True, slots=True)
class Histories:
    """What is known of each deployment."""

    known: Mapping[ObjectKey, History]
    unknown: Mapping[ObjectKey, str]
    """The others, and why."""


class _Past:
    """A Prometheus at a moment of the past."""

    def __init__(self, client: InstantClient) -> None:
        self._client = client
        self.at_s = 0.0

    def custom_query(self, query: str, params: dict[str, str] | None = None, timeout: float | None = None) -> Any:
        return self._client.custom_query(query, {**(params or {}), "time": f"{self.at_s:.3f}"}, timeout)

    def custom_query_range(self, query: str, *_: object) -> Any:
        raise AssertionError(f"the past is read moment by moment here, not by a range: {query}")


def read(
    settings: PrometheusSettings,
    asked: Sequence[Asked],
    begin_s: float,
    steps: int,
    client: InstantClient | None = None,
    watch: Callable[[int], None] = lambda step: None,
) -> Histories:
    """The history of every deployment of which something is known.

    Args:
        settings: where Prometheus is; rates are averaged over its window, which is the step.
        asked: the deployments, as `resolve` has them.
        begin_s: where the first step begins, seconds since the epoch.
        steps: how many.
        client: in place of one that is made of the settings.
        watch: told the number of each step that has been read.

    Raises:
        PlimsollError: Prometheus cannot be asked, or does not answer any more.
    """
    past = _Past(client if client is not None else connect(settings))
    _refuse_silence(past, settings, begin_s)
    reader = MetricsReader(settings, past)
    rates: dict[ObjectKey, list[float]] = {one.key: [] for one in asked}
    mixes: dict[ObjectKey, list[TokenMix | None]] = {one.key: [] for one in asked}
    why: dict[ObjectKey, str] = {}
    failed = 0
    try:
        for step in range(steps):
            past.at_s = begin_s + (step + 1) * settings.window_s
            reading = asyncio.run(reader.read(wanted(asked)))
            failure = _failure(reading)
            failed = 0 if failure is None else failed + 1
            if failed == _FAILURES_IN_A_ROW:
                raise MetricsUnavailable(f"{failure}. It answered for {step + 1 - failed} of {steps} steps before that")
            observed, _ = observe_demand(asked, reading, DemandMemory(), past.at_s)
            for key, one in observed.items():
                known = one.demand.state is DemandState.KNOWN and one.demand.arrival_rate_rps is not None
                rates[key].append(one.demand.arrival_rate_rps or 0.0 if known else np.nan)
                mixes[key].append(one.demand.tokens)
                why[key] = one.demand.message
            watch(step)
    finally:
        reader.close()
    histories = {one.key: _history(rates[one.key], mixes[one.key], settings.window_s) for one in asked}
    return Histories(
        {key: one for key, one in histories.items() if one is not None},
        {key: why.get(key, "") for key, one in histories.items() if one is None},
    )


def _refuse_silence(past: _Past, settings: PrometheusSettings, at_s: float) -> None:
    """One question that every Prometheus answers, before thousands are asked."""
    past.at_s = at_s
    try:
        past.custom_query("vector(1)", timeout=min(settings.timeout_s, _FIRST_ANSWER_S))
    except (*CLIENT_ERRORS, KeyError, TypeError, ValueError) as error:
        raise translated(error, settings.url) from error


def _failure(reading: MetricsReading) -> str | None:
    """Why nothing at all was answered."""
    failures = [one.failure for one in reading.by_engine.values()] + [one.failure for one in reading.custom.values()]
    return failures[0] if failures and all(failures) else None


def draw(history: History, duration_s: float, rng: np.random.Generator) -> Traffic:
    """Requests as the history has them, again from its start where it ends."""
    step_s = history.step_s
    steps = int(np.ceil(duration_s / step_s))
    parts = []
    for step in range(steps):
        place = step % len(history.rate_rps_k)
        mix = history.mix_k[place]
        own_s_i = arrivals_s(np.array([history.rate_rps_k[place]]), step_s, ArrivalPattern.POISSON, 1.0, rng)
        at_s_i = own_s_i + step * step_s
        at_s_i = at_s_i[at_s_i < duration_s]
        if mix is None or at_s_i.size == 0:
            continue
        prompts = Lengths(mix.prompt_tokens_mean, mix.prompt_tokens_p95, mix.prompt_tokens_most)
        outputs = Lengths(mix.output_tokens_mean, mix.output_tokens_p95, mix.output_tokens_most)
        parts.append(
            Traffic(
                at_s_i,
                prompts.whole(rng.standard_normal(at_s_i.size), _LONGEST_TOKENS),
                outputs.whole(rng.standard_normal(at_s_i.size), _LONGEST_TOKENS),
            )
        )
    return Traffic.merged(parts)


def _history(rates: Sequence[float], mixes: Sequence[TokenMix | None], step_s: float) -> History | None:
    """None where no rate is known, or there were requests of which no length is."""
    known = [rate for rate in rates if not np.isnan(rate)]
    told = [mix for mix in mixes if mix is not None]
    if not known or (any(known) and not told):
        return None
    rate_rps, mix = known[0], told[0] if told else None
    filled_rates, filled_mixes = [], []
    for own_rate, own_mix in zip(rates, mixes, strict=True):
        rate_rps, mix = (rate_rps if np.isnan(own_rate) else own_rate), own_mix or mix
        filled_rates.append(rate_rps)
        filled_mixes.append(mix)
    return History(tuple(filled_rates), tuple(filled_mixes), step_s, len(known) / len(rates))
