"""A file with a rate every few minutes: which requests come?

In: a file with the columns t_s and requests_per_min, or t_s and rate_rps. Out: `Traffic`. Where the scenario says
nothing of them, burstiness and mean lengths are the file's, window by window, if it has rate_weighted_cv or
mean_input_tokens and mean_output_tokens (as ServeGen's do).

The recorded CV is the mean of the clients' own. Merged, their intervals have a lower one; but counts over ten seconds
and more vary as those of one Gamma stream with the clients' CV do, and these are what replicas have to carry: in 11
windows of both files with a CV up to 3.3 the variance over the mean of counts is 0.9 to 2.3 times that of the clients
drawn one by one, 1.3 times in the middle. Array names end in their axes: k for windows, i for requests.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from plimsoll.engine.arrays import Floats, Ints
from plimsoll.engine.workload import Lengths as LogNormal
from plimsoll.errors import InvalidObject
from plimsoll.observe.token_mix import OUTPUT_P95_OVER_MEAN, PROMPT_P95_OVER_MEAN
from plimsoll.simulator.demand.rate import arrivals_s, lengths, shape_for_cv
from plimsoll.simulator.demand.table import Table, read_table
from plimsoll.simulator.scenario import Scenario
from plimsoll.simulator.sources import ArrivalPattern, Arrivals, ShapeSource
from plimsoll.simulator.traffic import Traffic

_RATES_RPS = {"requests_per_min": 60.0, "rate_rps": 1.0}
"""Columns that a rate may stand in, and by what it is divided."""
_CV, _PROMPTS, _OUTPUTS = "rate_weighted_cv", "mean_input_tokens", "mean_output_tokens"
_CV_RANGE = (0.05, 20.0)


@dataclass(frozen=True, slots=True)
class Shape:
    """What the file says, window by window."""

    window_s: float
    rate_rps_k: Floats
    cv_k: Floats | None
    """None where the file has none; so with the lengths."""
    mean_tokens_k: tuple[Floats, Floats] | None
    """Of prompts and outputs."""


def draw(scenario: Scenario, source: ShapeSource, rng: np.random.Generator) -> Traffic:
    """Requests at the file's rate from `begin` on, again from its start where it ends.

    Raises:
        InvalidObject: the file cannot be read, or neither it nor the scenario says how long requests are.
    """
    path = scenario.file(source.file)
    shape = read(path)
    first, offset_s = divmod(source.begin.seconds, shape.window_s)
    windows = int((offset_s + scenario.duration_s) // shape.window_s) + 1
    chosen_k = (int(first) + np.arange(windows)) % shape.rate_rps_k.size
    rate_rps_k = shape.rate_rps_k[chosen_k] * source.scale
    if source.arrivals is None and shape.cv_k is not None:
        at_s_i = _as_bursty(rate_rps_k, shape.cv_k[chosen_k], shape.window_s, rng)
    else:
        arrivals = source.arrivals or Arrivals()
        gamma = shape_for_cv(arrivals.pattern, arrivals.cv)
        at_s_i = arrivals_s(rate_rps_k, shape.window_s, arrivals.pattern, gamma, rng)
    window_i = chosen_k[np.minimum(at_s_i // shape.window_s, windows - 1).astype(np.int64)]
    at_s_i = at_s_i - offset_s
    kept_i = (at_s_i >= 0.0) & (at_s_i < scenario.duration_s)
    at_s_i, window_i = at_s_i[kept_i], window_i[kept_i]
    if source.lengths.are_said:
        return Traffic(at_s_i, *lengths(scenario, source.lengths, at_s_i.size, rng))
    if shape.mean_tokens_k is None:
        raise InvalidObject(
            f"{path} does not say how long requests are, it has no {_PROMPTS} and {_OUTPUTS}: write shape.lengths"
        )
    prompts_k, outputs_k = shape.mean_tokens_k
    return Traffic(
        at_s_i,
        _whole(prompts_k[window_i], PROMPT_P95_OVER_MEAN, rng),
        _whole(outputs_k[window_i], OUTPUT_P95_OVER_MEAN, rng),
    )


@lru_cache(maxsize=8)
def read(path: Path) -> Shape:
    """All windows of a file.

    Raises:
        InvalidObject: it cannot be read.
    """
    table = read_table(path, ("t_s",))
    rates = [name for name in _RATES_RPS if name in table.columns]
    if not rates:
        raise InvalidObject(
            f"{path} has no rate: it needs columns t_s and {' or '.join(_RATES_RPS)}, and has "
            f"{', '.join(table.columns)}"
        )
    at_s_k = table.numbers("t_s")
    if at_s_k.size < 2:
        raise InvalidObject(f"{path} has one row, so nobody knows for how long its rate holds: write two at least")
    window_s = float(at_s_k[1] - at_s_k[0])
    if window_s <= 0.0 or not np.allclose(np.diff(at_s_k), window_s):
        raise InvalidObject(f"{path}: t_s must rise by the same step from row to row")
    rate_rps_k = table.numbers(rates[0]) / _RATES_RPS[rates[0]]
    cv_k, prompts_k, outputs_k = (_filled(table, name, rate_rps_k) for name in (_CV, _PROMPTS, _OUTPUTS))
    mean_tokens_k = (prompts_k, outputs_k) if prompts_k is not None and outputs_k is not None else None
    return Shape(window_s, rate_rps_k, cv_k, mean_tokens_k)


def _filled(table: Table, name: str, rate_rps_k: Floats) -> Floats | None:
    """A column, with its mean over all requests where a window says nothing; None without it or any number in it."""
    values_k = table.numbers(name, empty=0.0) if name in table.columns else np.zeros(rate_rps_k.size)
    weights_k = np.where(values_k > 0.0, rate_rps_k, 0.0)
    if weights_k.sum() <= 0.0:
        return None
    return np.where(values_k > 0.0, values_k, np.average(values_k, weights=weights_k))


def _as_bursty(rate_rps_k: Floats, cv_k: Floats, window_s: float, rng: np.random.Generator) -> Floats:
    """Arrivals whose burstiness is another in each window."""
    gamma = ArrivalPattern.GAMMA
    parts = [
        k * window_s + arrivals_s(rate_rps_k[k : k + 1], window_s, gamma, shape_for_cv(gamma, cv), rng)
        for k, cv in enumerate(np.clip(cv_k, *_CV_RANGE))
    ]
    return np.concatenate(parts)


def _whole(mean_i: Floats, p95_over_mean: float, rng: np.random.Generator) -> Ints:
    """Lengths around means of their own."""
    spread_i = LogNormal(1.0, p95_over_mean).at(rng.standard_normal(mean_i.size))
    return np.maximum(np.rint(mean_i * spread_i), 1.0).astype(np.int64)
