"""A file with a rate every few minutes: which requests come?

In: a file with the columns t_s and requests_per_min, or t_s and rate_rps. Out: `Traffic`.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np

from plimsoll.engine.arrays import Floats
from plimsoll.errors import InvalidObject
from plimsoll.simulator.demand.rate import arrivals_s, lengths, shape_for_cv
from plimsoll.simulator.demand.table import read_table
from plimsoll.simulator.scenario import Scenario, ShapeSource
from plimsoll.simulator.traffic import Traffic

_RATES_RPS = {"requests_per_min": 60.0, "rate_rps": 1.0}
"""Columns that a rate may stand in, and by what it is divided."""


def draw(scenario: Scenario, source: ShapeSource, rng: np.random.Generator) -> Traffic:
    """Requests at the file's rate from `begin` on, again from its start where it ends."""
    rate_rps_k, window_s = read(scenario.file(source.file))
    first, offset_s = divmod(source.begin.seconds, window_s)
    windows = int((offset_s + scenario.duration_s) // window_s) + 1
    chosen_k = (int(first) + np.arange(windows)) % rate_rps_k.size
    pattern = source.arrivals.pattern
    shape = shape_for_cv(pattern, source.arrivals.cv)
    at_s_i = arrivals_s(rate_rps_k[chosen_k] * source.scale, window_s, pattern, shape, rng) - offset_s
    at_s_i = at_s_i[(at_s_i >= 0.0) & (at_s_i < scenario.duration_s)]
    return Traffic(at_s_i, *lengths(scenario, source.lengths, at_s_i.size, rng))


@lru_cache(maxsize=8)
def read(path: Path) -> tuple[Floats, float]:
    """The rates in requests per second, and the window of each in seconds.

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
    return table.numbers(rates[0]) / _RATES_RPS[rates[0]], window_s
