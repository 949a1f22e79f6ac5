"""What is drawn over time for one run?

In: a run. Out: short lists of numbers for the page's scripts. Cost is the mean of an interval; demand, ready capacity
and the safe line are those of its tightest minute, all three of the same; a latency is that of its worst minute, -1
where a quantile of the requests got no answer at all.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plimsoll.engine.arrays import Floats
from plimsoll.simulator.report import thinning
from plimsoll.simulator.result import LatencySeries, ModelSeries, Move, RunResult

UNANSWERED: Final = -1
_MOST_MOVES_BYTES: Final = 700_000
_MOVE_BYTES: Final = 90
"""Measured with Plimsoll's own reasons, which tell more than those of others."""
_FEWEST_MOVES: Final = 40
_MOST_MOVES: Final = 1500
_REASON_LENGTH: Final = 160


def moves_each(runs: int) -> int:
    """How many moves of each run are told one by one, when so many runs are drawn."""
    return min(_MOST_MOVES, max(_FEWEST_MOVES, _MOST_MOVES_BYTES // _MOVE_BYTES // max(runs, 1)))


def drawn_run(run: RunResult, models: Sequence[str], intervals: int, most_moves: int) -> dict[str, Any]:
    """One run for the page.

    Args:
        run: what came of it.
        models: keys of the deployments that are drawn one by one.
        intervals: how many at most.
        most_moves: that are told one by one; those that change most.
    """
    edges_b = thinning.edges(run.minutes, intervals)
    by_key = {str(one.key): one for one in run.models}
    return {
        "policy": run.policy,
        "seed": run.seed,
        "edges": edges_b.tolist(),
        "pools": [short(thinning.means_b(pool.usd_m * 60.0, edges_b)) for pool in run.pools],
        "all": _capacity(run.models, edges_b) if run.models else None,
        "models": {key: _model(by_key[key], edges_b) for key in models if key in by_key},
        "moves": _moves(run.moves, most_moves),
        "moved": len(run.moves),
        "reasons": Counter(reason_of(move) for move in run.moves).most_common(),
    }


def _model(series: ModelSeries, edges_b: NDArray[np.int64]) -> dict[str, Any]:
    promised = [one for one in series.latencies if one.limit_ms is not None]
    return {
        **_capacity([series], edges_b),
        "latencies": [_latency(one, edges_b) for one in promised or series.latencies],
    }


def _capacity(models: Sequence[ModelSeries], edges_b: NDArray[np.int64]) -> dict[str, Any]:
    demand_m, ready_m, safe_m = (
        np.sum([getattr(one, name) for one in models], axis=0) for name in ("demand_rps_m", "ready_rps_m", "safe_rps_m")
    )
    at_b = thinning.tightest_b(demand_m, safe_m, edges_b)
    return {"demand": short(demand_m[at_b]), "ready": short(ready_m[at_b]), "safe": short(safe_m[at_b])}


def _latency(series: LatencySeries, edges_b: NDArray[np.int64]) -> dict[str, Any]:
    return {
        "metric": series.metric.value,
        "limit": series.limit_ms,
        "quantile": series.quantile,
        **{
            name: short(thinning.worst_b(value_m, edges_b))
            for name, value_m in (("p50", series.p50_ms_m), ("p95", series.p95_ms_m), ("p99", series.p99_ms_m))
        },
    }


def reason_of(move: Move) -> str:
    """The reason without its message: ``ScaleUp`` of ``ScaleUp: demand rises``."""
    return move.reason.partition(":")[0] or "no reason given"


def _moves(moves: Sequence[Move], most: int) -> list[list[Any]]:
    kept = sorted(moves, key=lambda move: -abs(move.to_replicas - move.from_replicas))[:most]
    return [
        [
            round(move.at_s / 60.0, 2),
            str(move.key),
            move.from_replicas,
            move.to_replicas,
            reason_of(move),
            _cut(move.reason.partition(":")[2].strip()),
        ]
        for move in sorted(kept, key=lambda move: move.at_s)
    ]


def _cut(text: str) -> str:
    return text if len(text) <= _REASON_LENGTH else text[: _REASON_LENGTH - 1] + "…"


def short(values: Iterable[float] | Floats) -> list[float | int | None]:
    """Three digits each: more cannot be seen."""
    return [_short(float(value)) for value in values]


def _short(value: float) -> float | int | None:
    if math.isnan(value):
        return None
    if math.isinf(value):
        return UNANSWERED
    cut = float(f"{value:.3g}")
    return int(cut) if cut.is_integer() else cut
