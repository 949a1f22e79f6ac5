"""What is drawn over time for one run?

In: a run. Out: short lists of numbers for the page's scripts. Cost is the mean of an interval; demand, ready capacity
and the safe line are those of its tightest minute, all three of the same; a latency is that of its worst minute, -1
where a quantile of the requests got no answer at all.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from plimsoll.domain import ObjectKey
from plimsoll.engine.arrays import Floats
from plimsoll.simulator.report import moves, thinning
from plimsoll.simulator.result import LatencySeries, ModelSeries, Move, RunResult

UNANSWERED: Final = -1


def drawn_run(run: RunResult, models: Sequence[str], intervals: int, moves_bytes: int) -> dict[str, Any]:
    """One run for the page.

    Args:
        run: what came of it.
        models: keys of the deployments that are drawn one by one.
        intervals: how many at most.
        moves_bytes: how much may be said of moves one by one; those that change most are.
    """
    edges_b = thinning.edges(run.minutes, intervals)
    by_key = {str(one.key): one for one in run.models}
    told = moves.told(run.moves, moves_bytes)
    moves_of: dict[ObjectKey, list[Move]] = {}
    for move in run.moves:
        moves_of.setdefault(move.key.deployment_key, []).append(move)
    return {
        "policy": run.policy,
        "seed": run.seed,
        "edges": edges_b.tolist(),
        "pools": [short(thinning.means_b(pool.usd_m * 60.0, edges_b)) for pool in run.pools],
        "all": _all(run.models, edges_b) if run.models else None,
        "models": {
            key: _model(by_key[key], edges_b) | moves.counted(moves_of.get(by_key[key].key, ()))
            for key in models
            if key in by_key
        },
        **moves.counted(run.moves),
        "moves": told.moves,
        "reasons": told.reasons,
        "texts": told.texts,
    }


def _model(series: ModelSeries, edges_b: NDArray[np.int64]) -> dict[str, Any]:
    promised = [one for one in series.latencies if one.limit_ms is not None]
    return {
        **_capacity([series], edges_b),
        "latencies": [_latency(one, edges_b) for one in promised or series.latencies],
    }


def _all(models: Sequence[ModelSeries], edges_b: NDArray[np.int64]) -> dict[str, Any]:
    """The sums, and how many models were above their own safe line at once: a sum has none that means anything."""
    over_m = np.stack([one.demand_rps_m > one.safe_rps_m for one in models]).sum(axis=0).astype(np.float64)
    return {**_capacity(models, edges_b), "over": short(thinning.worst_b(over_m, edges_b))}


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
