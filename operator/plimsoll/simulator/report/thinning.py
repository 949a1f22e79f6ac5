"""How much of every minute fits into one file?

In: results. Out: a `Detail`: into how many intervals a run is cut, and how many models and seeds are drawn over time.
What does not fit is left out in the order in which it is missed least: first fine intervals, then models beyond the
busiest, then seeds beyond the first, last settings that are nobody's best. Figures and the table are never thinned.

Array names end in their axes: m for minutes, b for intervals.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from plimsoll.engine.arrays import Floats
from plimsoll.simulator.result import RunResult, ScenarioResult

MOST_BYTES: Final = 5_000_000
_FOR_SERIES_BYTES: Final = 3_800_000
"""The rest is for moves, figures, scripts."""
_VALUE_BYTES: Final = 5.2
"""Three digits, a point, a comma; measured on reports of the burst and spot-storm scenarios."""
_MOST_INTERVALS: Final = 480
"""As many as a wide screen shows apart."""
_FEWEST_INTERVALS: Final = 200
"""A day and night in 29 parts, of a week; below, a peak is no longer told from the hours around it. Guess."""
_LATENCY_SERIES: Final = 9
"""p50, p95, p99 of three latencies."""
_CAPACITY_SERIES: Final = 3
_SUM_SERIES: Final = 4
"""Capacity of all models together, and how many of them are above their own safe line."""


@dataclass(frozen=True, slots=True)
class Detail:
    """What is drawn over time."""

    intervals: int
    models: int
    """So many of each scenario, the busiest."""
    seeds: int
    only_best: bool
    """Only the best setting of each policy."""


_LADDER: Final = (
    (12, 3, False), (12, 3, True), (12, 1, True), (6, 1, True), (3, 1, True), (1, 1, True),
)  # fmt: skip
"""Models, seeds, only the best settings; the first that leaves enough intervals is taken."""


def detail(scenarios: Sequence[tuple[ScenarioResult, frozenset[str]]]) -> Detail:
    """As much as fits.

    Args:
        scenarios: each with the labels of its policies' best settings.
    """
    minutes = max((run.minutes for scenario, _ in scenarios for run in scenario.runs), default=0)
    for models, seeds, only_best in _LADDER:
        room = _intervals(scenarios, Detail(0, models, seeds, only_best))
        if room >= min(_FEWEST_INTERVALS, minutes):
            break
    return Detail(max(1, min(room, _MOST_INTERVALS)), models, seeds, only_best)


def _intervals(scenarios: Iterable[tuple[ScenarioResult, frozenset[str]]], wanted: Detail) -> int:
    """How many intervals fit with that much detail."""
    values = 0
    for scenario, best in scenarios:
        for run in drawn(scenario, best, wanted):
            models = min(len(run.models), wanted.models)
            values += len(run.pools) + _SUM_SERIES + models * (_CAPACITY_SERIES + _LATENCY_SERIES)
    return int(_FOR_SERIES_BYTES / _VALUE_BYTES / values) if values else _MOST_INTERVALS


def drawn(scenario: ScenarioResult, best: frozenset[str], wanted: Detail) -> Sequence[RunResult]:
    """The runs that are drawn over time."""
    seeds = sorted({run.seed for run in scenario.runs})[: wanted.seeds]
    return [run for run in scenario.runs if run.seed in seeds and (not wanted.only_best or run.policy in best)]


# --- One interval for many minutes -----------------------------------------------------------------------------------


def edges(minutes: int, intervals: int) -> NDArray[np.int64]:
    """First minute of each interval, and the end of the last; no interval is empty."""
    return np.linspace(0, minutes, min(minutes, intervals) + 1).round().astype(np.int64)


def means_b(value_m: Floats, edges_b: NDArray[np.int64]) -> Floats:
    """Mean over the minutes of each interval."""
    sums_b: Floats = np.add.reduceat(value_m[: edges_b[-1]], edges_b[:-1])
    return np.asarray(sums_b / np.diff(edges_b))


def worst_b(value_m: Floats, edges_b: NDArray[np.int64]) -> Floats:
    """Largest of each interval; NaN where no minute has a value."""
    return np.asarray(np.fmax.reduceat(value_m[: edges_b[-1]], edges_b[:-1]))


def tightest_b(demand_m: Floats, line_m: Floats, edges_b: NDArray[np.int64]) -> NDArray[np.int64]:
    """The minute of each interval in which demand is farthest over the line, or least below it."""
    gap_m = demand_m - line_m
    return np.array([first + int(np.argmax(gap_m[first:last])) for first, last in pairwise(edges_b)])
