"""Which way to forecast has been best for each deployment, and what does it expect? All deployments at once.

In: rates by series and slot, NaN where not known. Out: for each series and lead the way whose recent pinball loss is
lowest, and with the rates of the last hour the rate that a share q of what comes will not exceed. The last value is
kept where nothing is clearly better. Rates are seen as logarithms, shifted a little so that silence has one.

Axes: C candidates, D series, L leads, S slots. Design: section 4.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from plimsoll.forecast.daily_shape import (
    DAYS_UNSEEN,
    LOOK_BACK,
    SLOTS_A_DAY,
    DailyShape,
    changes_lds,
    fit_daily_shape,
    recent_past,
    waves_sf,
)
from plimsoll.forecast.own_errors import margins

Floats = NDArray[np.float32]
Ints = NDArray[np.int8]
Truths = NDArray[np.bool_]

CLEARLY_BETTER = 0.98
"""The share of the last value's loss that another way must stay below. A guess: less is chance."""

SILENCE = 0.05
"""Of a series' mean rate is added before taking logarithms: a guess that lets zero be told from little."""

SERIES_AT_ONCE = 250
"""Rows of a block, so that what is worked on stays in the cache. Measured: fewer than 200 take a quarter longer."""

BLOCKS_AT_ONCE = 2
"""Threads. What comes out does not depend on their number."""

BEYOND_RATIO = 1.25
"""Of the highest rate among the latest and those that errors were looked at: beyond it errors add nothing. A guess."""

_LEAST_RPS = 1e-3
_DAMPED = 0.5
"""Share of a recent trend that goes on. A guess."""


class Way(IntEnum):
    """The ways to forecast, in the order of their preference."""

    LAST_VALUE = 0
    RECENT_LEVEL = 1
    RECENT_TREND = 2
    DAILY_SHAPE = 3


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is used for each series at each lead."""

    leads: tuple[int, ...]
    way_dl: Ints
    add_dl: Floats
    """Logarithm to add to the forecast of that way, to reach the quantile."""
    loss_dl: Floats
    """Recent pinball loss in req/s; infinite where too little is known: then nothing is forecast."""
    last_value_loss_dl: Floats
    shift_d: Floats
    highest_d: Floats
    """Of the rates that errors were looked at."""
    shape: DailyShape | None


def choose(
    rate_ds: Floats, first_slot: int, leads: tuple[int, ...], quantile_d: Floats, with_shape: bool = True
) -> Chosen:
    """The best way for each series at each lead, by its errors of the last two days.

    Args:
        rate_ds: in requests per second, the newest last, NaN where not known.
        first_slot: of the first column, in slots since midnight UTC of any day.
        leads: in slots.
        quantile_d: the share of what comes that shall not exceed the forecast.
        with_shape: whether slots are tenths of minutes of a day, so that a daily shape can be learned.
    """

    def part(first: int) -> Chosen:
        rows = slice(first, first + SERIES_AT_ONCE)
        return _choose(rate_ds[rows], first_slot, leads, quantile_d[rows], with_shape)

    # Blocks know nothing of each other, and NumPy lets go of the interpreter while it works.
    with ThreadPoolExecutor(BLOCKS_AT_ONCE) as threads:
        parts = list(threads.map(part, range(0, max(len(rate_ds), 1), SERIES_AT_ONCE)))
    shapes = [part.shape for part in parts if part.shape is not None]
    return Chosen(
        leads=leads,
        way_dl=np.concatenate([part.way_dl for part in parts]),
        add_dl=np.concatenate([part.add_dl for part in parts]),
        loss_dl=np.concatenate([part.loss_dl for part in parts]),
        last_value_loss_dl=np.concatenate([part.last_value_loss_dl for part in parts]),
        shift_d=np.concatenate([part.shift_d for part in parts]),
        highest_d=np.concatenate([part.highest_d for part in parts]),
        shape=DailyShape(
            np.concatenate([shape.mean_d for shape in shapes]),
            np.concatenate([shape.farthest_df for shape in shapes]),
            np.concatenate([shape.coefficients_dfl for shape in shapes]),
            np.concatenate([shape.fitted_d for shape in shapes]),
        )
        if shapes
        else None,
    )


@dataclass(frozen=True, slots=True)
class Expected:
    """Of each series at each lead; NaN where nothing is known."""

    quantile_dl: Floats
    """The rate that a share q of what comes will not exceed."""
    expected_dl: Floats
    """What the way in use says without the margin for its errors."""


def expect(chosen: Chosen, recent_dk: Floats, slot: float) -> Expected:
    """What the ways in use say of what comes.

    Args:
        chosen: for the same series.
        recent_dk: rates of the last six slots, the newest last; gaps are filled with what is known.
        slot: when the newest ends less one, so that leads count from the end; may lie between slots.
    """
    level_dk = np.log(_without_gaps(recent_dk) + chosen.shift_d[:, None])
    waves = waves_sf(np.array([slot]))
    change_cld = _changes(level_dk, chosen.leads, chosen.shape, waves)[:, :, :, -1]
    change_dl = np.take_along_axis(change_cld, chosen.way_dl.T[None].astype(np.int64), axis=0)[0].T
    way_dl = level_dk[:, -1:] + change_dl
    # Errors are ratios: those of a rise from low to high would carry what is high to where nothing has ever been.
    highest_d = np.fmax(chosen.highest_d, np.fmax.reduce(recent_dk, axis=1))
    most_dl = np.maximum(way_dl, np.log(BEYOND_RATIO * highest_d + chosen.shift_d)[:, None])
    with np.errstate(over="ignore"):
        found = np.exp(np.stack((np.minimum(way_dl + chosen.add_dl, most_dl), way_dl))) - chosen.shift_d[:, None]
    known = np.isfinite(chosen.loss_dl) & ~np.isnan(recent_dk[:, -1:])
    quantile_dl, expected_dl = np.where(known, np.maximum(found, 0.0), np.nan).astype(np.float32)
    return Expected(quantile_dl, expected_dl)


def _choose(rate_ds: Floats, first_slot: int, leads: tuple[int, ...], quantile_d: Floats, with_shape: bool) -> Chosen:
    known_ds = ~np.isnan(rate_ds)
    count = known_ds.sum(axis=1)
    mean = np.where(known_ds, rate_ds, 0.0).sum(axis=1) / np.maximum(count, 1)
    shift_d = (SILENCE * mean + _LEAST_RPS).astype(np.float32)
    filled = _without_gaps(rate_ds)
    level_ds = np.log(filled + shift_d[:, None]).astype(np.float32)
    tried = min(level_ds.shape[1] - LOOK_BACK, DAYS_UNSEEN * SLOTS_A_DAY)
    shape, shape_errors = None, None
    if with_shape:
        shape, shape_errors = fit_daily_shape(level_ds, known_ds, first_slot, leads)
    errors = _errors(level_ds[:, -(tried + LOOK_BACK) :], known_ds[:, -tried:], leads, shape_errors)
    weight = filled[:, -tried:] + shift_d[:, None]
    found = margins(errors, weight, leads, quantile_d)
    handicap = np.full(len(Way), 1.0 / CLEARLY_BETTER, np.float32)
    handicap[Way.LAST_VALUE] = 1.0
    loss = found.loss_cld.copy()
    if shape is not None:
        loss[Way.DAILY_SHAPE, :, ~shape.fitted_d] = np.inf
    else:
        loss[Way.DAILY_SHAPE] = np.inf
    way_ld = np.argmin(loss * handicap[:, None, None], axis=0)
    return Chosen(
        leads=leads,
        way_dl=way_ld.T.astype(np.int8),
        add_dl=np.take_along_axis(found.add_cld, way_ld[None], axis=0)[0].T,
        loss_dl=np.take_along_axis(loss, way_ld[None], axis=0)[0].T,
        last_value_loss_dl=loss[Way.LAST_VALUE].T,
        shift_d=shift_d,
        highest_d=filled[:, -tried:].max(axis=1),
        shape=shape,
    )


def _errors(level: Floats, known: Truths, leads: tuple[int, ...], shape_errors: Floats | None) -> Floats:
    """Errors of every way at the slots tried; NaN where a slot or what came after it is not known."""
    tried = known.shape[1]
    now = level[:, LOOK_BACK:]
    changes = _changes(level, leads, None, None)
    errors = np.full(changes.shape, np.nan, np.float32)
    for at, lead in enumerate(leads):
        if lead >= tried:
            continue
        both = known[:, : tried - lead] & known[:, lead:]
        came = now[:, lead:] - now[:, : tried - lead]
        for way in Way:
            if way is not Way.DAILY_SHAPE:
                missed = came - changes[way, at, :, : tried - lead]
            elif shape_errors is not None:
                missed = shape_errors[at, :, : tried - lead]
            else:
                continue
            errors[way, at, :, : tried - lead] = np.where(both, missed, np.nan)
    return errors


def _changes(level: Floats, leads: tuple[int, ...], shape: DailyShape | None, waves: Floats | None) -> Floats:
    """What every way expects to change from each slot to each lead after it."""
    back = [level[:, LOOK_BACK - k : level.shape[1] - k] for k in range(LOOK_BACK + 1)]
    found = np.zeros((len(Way), len(leads), *back[0].shape), np.float32)
    found[Way.RECENT_LEVEL] = (back[0] + back[1] + back[2]) / 3.0 - back[0]
    for at, lead in enumerate(leads):
        found[Way.RECENT_TREND, at] = _DAMPED * lead * (back[0] - back[3]) / 3.0
    if shape is not None and waves is not None:
        found[Way.DAILY_SHAPE] = changes_lds(shape, waves, recent_past(level, shape.mean_d))
    return found


def _without_gaps(rate_ds: Floats) -> Floats:
    """The last known rate in every gap, the first known one before it, 0 where nothing is."""
    known = ~np.isnan(rate_ds)
    if known.all():
        return rate_ds
    at = np.maximum.accumulate(np.where(known, np.arange(rate_ds.shape[1]), -1), axis=1)
    first = np.argmax(known, axis=1)
    filled = np.take_along_axis(rate_ds, np.where(at >= 0, at, first[:, None]), axis=1)
    return np.where(known.any(axis=1, keepdims=True), filled, 0.0).astype(np.float32)
