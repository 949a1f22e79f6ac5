"""What would the engine's kernel have shown where vLLM was measured? Every row of a file of served rates, played.

In: the rows of vllm_serving_iog.csv. Out: for each row relative errors of mean and 0.99 quantile of both latencies, by
a law that was fitted to the other rows of its GPU; to all of them where one other row is left, which tells no law.

Not said in the file or beside it, and assumed: arrivals by chance, as vLLM's own load generator sends them, and lengths
like their means. A steady state is played at the rate that was served.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from plimsoll.fitting import CHUNK_TOKENS, Play, fit, latencies_at
from plimsoll.fitting.observations import LoadPoint

FILE = "vllm_serving_iog.csv"
FIGURES = ("ttft_mean", "ttft_p99", "tpot_mean", "tpot_p99")
TOO_LITTLE = {
    "H100-PCIe": "three rates at the same mean lengths: beta and pi cannot be told apart, and each rate is predicted"
    " from the two others; where 32/s were asked for 13.3/s were served, so that the run was over before it was steady."
    " The data's README tells neither arrivals nor lengths nor how many requests were sent",
    "RTX-4090": "two rates at the same mean lengths: each left out is predicted from one alone, which fixes no law;"
    " where 32/s were asked for 8.2/s were served. The data's README does not mention this GPU",
}
"""Why these rows cannot tell how far off the physics is."""
_COLUMNS = ("mean_ttft_ms", "p99_ttft_ms", "mean_tpot_ms", "p99_tpot_ms")
_FEWEST_OTHERS = 2
_PLAY = Play(warm_up=2_000, requests=20_000, interval_cv=1.0, seed=20_260_103)
_LIMITS = (256, 10**9, CHUNK_TOKENS)
"""Sequences: vLLM's default when this was measured. The cache is taken as large enough."""


@dataclass(frozen=True, slots=True)
class Row:
    """One rate on one GPU."""

    gpu: str
    asked_rps: float
    point: LoadPoint
    seen_ms: tuple[float, ...]
    """In the order of `FIGURES`."""


@dataclass(frozen=True, slots=True)
class Played:
    """Predicted over measured, minus one, in the order of `FIGURES`."""

    row: Row
    errors: tuple[float, ...]
    seen_before: bool
    """Whether its law was fitted to the row, too."""

    @property
    def line(self) -> str:
        told = ", ".join(f"{name} {error:+.0%}" for name, error in zip(FIGURES, self.errors, strict=True))
        law = "by a law fitted to this row too" if self.seen_before else "by a law of the other rows"
        return (
            f"{FILE}, {self.row.gpu}, {self.row.asked_rps:g}/s asked for and {self.row.point.rate_rps:.1f}/s served,"
            f" played {law}: {told}"
        )


def played(folder: Path) -> Iterator[Played]:
    """Every row."""
    rows = list(read(folder))
    for row in rows:
        others = [one.point for one in rows if one.gpu == row.gpu and one is not row]
        seen_before = len(others) < _FEWEST_OTHERS
        yield Played(row, errors(row, [*others, row.point] if seen_before else others), seen_before)


def read(folder: Path) -> Iterator[Row]:
    with (folder / "measured" / FILE).open() as file:
        for number, row in enumerate(csv.DictReader(file), start=2):
            seen_ms = tuple(float(row[name]) for name in _COLUMNS)
            point = LoadPoint(
                where=f"{FILE} line {number}",
                rate_rps=float(row["rps"]),
                prompt_tokens=float(row["mean_in"]),
                output_tokens=float(row["mean_out"]),
                itl_ms=float(row["mean_tpot_ms"]),
                ttft_ms=float(row["mean_ttft_ms"]),
            )
            yield Row(row["gpu"], float(row["qps_target"]), point, seen_ms)


def errors(row: Row, known: Sequence[LoadPoint]) -> tuple[float, ...]:
    """Of the row, by a law that was fitted to those points.

    Raises:
        UnusableMeasurements: they tell no law.
    """
    ttft_ms_i, tpot_ms_i = latencies_at(row.point, fit(known), _LIMITS, _PLAY)
    predicted_ms = (
        float(ttft_ms_i.mean()),
        float(np.quantile(ttft_ms_i, 0.99)),
        float(tpot_ms_i.mean()),
        float(np.quantile(tpot_ms_i, 0.99)),
    )
    return tuple(mine / theirs - 1.0 for mine, theirs in zip(predicted_ms, row.seen_ms, strict=True))
