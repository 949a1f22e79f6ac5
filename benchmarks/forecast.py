"""How good are forecasts, how well do they know their error, and how fast are they made?

Run: python benchmarks/forecast.py [--json]. In: the traces of the data folder ($PLIMSOLL_DATA_DIR, or `shared/data`
beside the repository): rates every ten minutes of a week (Azure 2024, code and conversation), of two (ServeGen m-large)
and of a day (ServeGen deepseek-r1). Each moment is forecast from what was before it, by the operator's own code.
For 1 and 5 minutes, of which no trace tells, minutes are drawn: Poisson counts around straight lines between the tens.
The last value stands for the last value plus the quantile of its errors of the last two days (of three hours for
minutes), so both sides know their error. Out: a line for each trace and lead, the last one JSON. Fails where a floor
below is missed. Without traces it measures time alone.
"""

import argparse
import csv
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

import data_folder
from plimsoll.forecast.candidates import Chosen, choose, expect
from plimsoll.forecast.history import MINUTE_LEADS, MINUTES, RECENT_SLOTS, TEN_MINUTE_LEADS, TENS

Floats = NDArray[np.float32]

QUANTILE = 0.9
SLOTS_A_DAY = 144
FIRST_ORIGIN = 36
"""Six hours in: earlier nobody knows an error."""

TRACES = {
    "azure2024 code": ("azure2024_code_rpm_10min_digitised.csv", "requests_per_min", 1.0 / 60.0),
    "azure2024 conversation": ("azure2024_conv_rpm_10min_digitised.csv", "requests_per_min", 1.0 / 60.0),
    "servegen m-large": ("servegen_m-large_10min.csv", "rate_rps", 1.0),
    "servegen deepseek-r1": ("servegen_deepseek-r1_10min.csv", "rate_rps", 1.0),
}

TOKENS = {"prompt": "mean_input_tokens", "output": "mean_output_tokens"}
"""Columns of the ServeGen traces."""

DAILY_SHARE = 0.2
"""Of the variance that the mean of each time of day must explain, for a series to have a daily shape."""

MAX_WORST_RATIO = 1.02
MAX_SEASONAL_RATIO = {1: 0.90, 3: 0.90}
COVERAGE = (0.87, 0.93)
MAX_REFIT_S, MAX_PREDICT_S = 1.0, 0.1
"""What is wanted: the loss against the last value's anywhere, the same where there is a daily shape (by slots ahead),
the share of what came that lay below its forecast on each trace and time ahead, and seconds on an idle machine."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Of one trace and lead."""

    trace: str
    lead_s: float
    loss_ratio: float
    """Mean pinball loss over that of the last value."""
    covered: int
    forecasts: int
    seasonal: bool


def rates(folder: Path, name: str) -> Floats:
    """One trace in requests per second."""
    file, column, scale = TRACES[name]
    with (folder / "traces" / file).open() as lines:
        return np.array([float(row[column]) * scale for row in csv.DictReader(lines)], np.float32)


def has_daily_shape(rate_s: Floats) -> bool:
    """Whether the time of day explains enough; a day alone shows nothing."""
    days = len(rate_s) // SLOTS_A_DAY
    by_day = np.log(rate_s[: days * SLOTS_A_DAY] + 1e-3).reshape(days, SLOTS_A_DAY)
    return days > 1 and bool(by_day.mean(axis=0).var() >= DAILY_SHARE * by_day.var())


def windows(rate_s: Floats, origins: NDArray[np.int64], slots: int) -> Floats:
    """A row for each origin: what was known then, the newest last."""
    found = np.full((len(origins), slots), np.nan, np.float32)
    for row, origin in enumerate(origins.tolist()):
        seen = min(slots, origin + 1)
        found[row, -seen:] = rate_s[origin + 1 - seen : origin + 1]
    return found


def walked(rate_s: Floats, leads: tuple[int, ...], slots: int, origins: NDArray[np.int64], shape: bool) -> Floats:
    """The forecast of every origin at every lead. Origins at one time of day are series to one call."""
    found = np.full((len(origins), len(leads)), np.nan, np.float32)
    for phase in np.unique(origins % SLOTS_A_DAY) if shape else (0,):
        chosen_o = origins % SLOTS_A_DAY == phase if shape else np.ones(len(origins), bool)
        past = windows(rate_s, origins[chosen_o], slots)
        quantile_d = np.full(len(past), QUANTILE, np.float32)
        chosen = choose(past, int(phase) + 1 - slots, leads, quantile_d, with_shape=shape)
        found[chosen_o] = expect(chosen, past[:, -RECENT_SLOTS:], float(phase)).quantile_dl
    return found


def last_value(rate_s: Floats, lead: int, origins: NDArray[np.int64], errors: int) -> Floats:
    """The last value times the quantile of what came over it, of the newest errors known."""
    level = np.log(np.maximum(rate_s, 1e-3))
    change = level[lead:] - level[:-lead]
    found = [
        rate_s[origin] * np.exp(np.quantile(change[max(0, origin - lead + 1 - errors) : origin - lead + 1], QUANTILE))
        for origin in origins.tolist()
    ]
    return np.array(found, np.float32)


def pinball(missed: Floats) -> float:
    """Mean loss at the quantile."""
    return float(np.maximum(QUANTILE * missed, (QUANTILE - 1.0) * missed).mean())


def outcomes(
    trace: str, rate_s: Floats, step_s: float, leads: tuple[int, ...], slots: int, first: int, seasonal: bool
) -> list[Outcome]:
    """One trace at each lead."""
    origins = np.arange(first, len(rate_s) - max(leads))
    said = walked(rate_s, leads, slots, origins, shape=slots == TENS)
    found = []
    for at, lead in enumerate(leads):
        came = rate_s[origins + lead]
        base = pinball(came - last_value(rate_s, lead, origins, MINUTES if slots == MINUTES else 2 * SLOTS_A_DAY))
        missed = came - said[:, at]
        covered = int((missed <= 0.0).sum())
        found.append(Outcome(trace, lead * step_s, pinball(missed) / base, covered, len(missed), seasonal))
    return found


def token_errors(folder: Path, name: str) -> list[str]:
    """What forecasting token means would gain over the last value, which is what the mix in use follows."""
    with (folder / "traces" / TRACES[name][0]).open() as lines:
        rows = list(csv.DictReader(lines))
    told = []
    for kind, column in TOKENS.items():
        if column not in rows[0]:
            continue
        mean_s = np.array([float(row[column] or "nan") for row in rows], np.float32)
        known = np.maximum.accumulate(np.where(np.isnan(mean_s), 0, np.arange(len(mean_s))))
        mean_s = mean_s[known]
        origins = np.arange(FIRST_ORIGIN, len(mean_s) - max(TEN_MINUTE_LEADS))
        said = walked(mean_s, TEN_MINUTE_LEADS, TENS, origins, shape=True)
        hour = np.mean([mean_s[origins - back] for back in range(6)], axis=0)
        for at, lead in enumerate(TEN_MINUTE_LEADS):
            came = mean_s[origins + lead]
            ratio = pinball(came - said[:, at]) / pinball(came - last_value(mean_s, lead, origins, 2 * SLOTS_A_DAY))
            last_error, hour_error = (
                float(np.abs(came - each).mean() / came.mean()) for each in (mean_s[origins], hour)
            )
            told.append(
                f"{name:24} {lead * 10:3.0f} min: mean {kind} tokens: the last value is off by {last_error:.3f}, the "
                f"hour's mean by {hour_error:.3f}; loss by the ways {ratio:.3f} of the last value's"
            )
    return told


def minutes_of(rate_s: Floats, rng: np.random.Generator) -> Floats:
    """Poisson counts of every minute, as rates, around straight lines between the middles of ten minutes."""
    middle = np.arange(len(rate_s)) * 10.0 + 5.0
    pace = np.interp(np.arange(10.0 * len(rate_s)) + 0.5, middle, rate_s)
    return (rng.poisson(pace * 60.0) / 60.0).astype(np.float32)


def seconds(action: Callable[[], object], clock: Callable[[], float] = time.perf_counter, times: int = 3) -> float:
    """The quickest of some runs."""
    taken = []
    for _ in range(times):
        start = clock()
        action()
        taken.append(clock() - start)
    return min(taken)


def speed(series: int) -> tuple[float, float, float]:
    """Seconds to refit so many series of two weeks, the same of all processors together, and seconds to predict."""
    rng = np.random.default_rng(5)
    wave = np.sin(2.0 * np.pi * np.arange(TENS) / SLOTS_A_DAY)
    rate_ds = (np.exp(wave * rng.random((series, 1))) * rng.lognormal(0.0, 0.1, (series, TENS))).astype(np.float32)
    quantile_d = np.full(series, QUANTILE, np.float32)
    chosen = choose(rate_ds, 0, TEN_MINUTE_LEADS, quantile_d)

    def refit() -> Chosen:
        return choose(rate_ds, 0, TEN_MINUTE_LEADS, quantile_d)

    return (
        seconds(refit),
        seconds(refit, time.process_time),
        seconds(lambda: expect(chosen, rate_ds[:, -RECENT_SLOTS:], 5.0)),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=10_000)
    parser.add_argument("--json", action="store_true", help="only the line of JSON")
    arguments = parser.parse_args()
    found: list[Outcome] = []
    folder = data_folder.found()
    if folder is not None:
        for name in TRACES:
            rate_s = rates(folder, name)
            seasonal = has_daily_shape(rate_s)
            found += outcomes(name, rate_s, 600.0, TEN_MINUTE_LEADS, TENS, FIRST_ORIGIN, seasonal)
            drawn = minutes_of(rate_s, np.random.default_rng(7))
            found += outcomes(name, drawn, 60.0, MINUTE_LEADS, MINUTES, MINUTES, seasonal)
    refit_s, refit_cpu_s, predict_s = speed(arguments.series)
    if not arguments.json:
        for each in found:
            shape = "daily shape" if each.seasonal else ""
            print(
                f"{each.trace:24} {each.lead_s / 60:3.0f} min: loss {each.loss_ratio:.3f} of the last value's, "
                f"{each.covered / each.forecasts:.3f} covered {shape}"
            )
        if folder is not None:
            print(*(line for name in TRACES for line in token_errors(folder, name)), sep="\n")
    seasonal_ratio = {
        lead: max((each.loss_ratio for each in found if each.seasonal and each.lead_s == lead * 600.0), default=None)
        for lead in TEN_MINUTE_LEADS
    }
    worst = max((each.loss_ratio for each in found), default=None)
    coverage = sum(each.covered for each in found) / sum(each.forecasts for each in found) if found else None
    by_trace = [each.covered / each.forecasts for each in found]
    result = {
        "worst_pinball_vs_last_value": _rounded(worst),
        "seasonal_pinball_vs_last_value_10min": _rounded(seasonal_ratio[1]),
        "seasonal_pinball_vs_last_value_30min": _rounded(seasonal_ratio[3]),
        "coverage_q90": _rounded(coverage),
        "coverage_q90_lowest": _rounded(min(by_trace, default=None)),
        "coverage_q90_highest": _rounded(max(by_trace, default=None)),
        "refit_10k_s": round(refit_s, 3),
        "refit_10k_cpu_s": round(refit_cpu_s, 3),
        "predict_10k_s": round(predict_s, 4),
    }
    print(json.dumps(result))
    missed = refit_s > MAX_REFIT_S or predict_s > MAX_PREDICT_S
    if worst is not None and coverage is not None:
        missed |= worst > MAX_WORST_RATIO or min(by_trace) < COVERAGE[0] or max(by_trace) > COVERAGE[1]
        missed |= any(ratio is not None and ratio > MAX_SEASONAL_RATIO[lead] for lead, ratio in seasonal_ratio.items())
    return int(missed)


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


if __name__ == "__main__":
    sys.exit(main())
