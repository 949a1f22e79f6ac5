"""What rates did all deployments see: the last three hours by minutes, the last 14 days by tens of minutes?

In: the rates of one look. Out: a new history; the old one is never written to, so that a decision can be made again.
A row belongs to a deployment, the newest column is last, NaN is where nothing was known: what is missing is neither
zero nor made up. Beside the rates stands what the rule of the recent past had said of 1, 5, 10 and 30 minutes ahead, so
that it can be held against what came. Arrays for all deployments together: 10,000 take 0.1 GB, copied when a slot ends.

Axes: D deployments, S slots, L leads. Design: section 4.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from plimsoll.domain import ObjectKey, PastDemand
from plimsoll.forecast.candidates import Chosen, choose, expect

Floats = NDArray[np.float32]

MINUTE_S, TEN_MINUTES_S = 60.0, 600.0
MINUTES, TENS = 180, 14 * 144
"""Three hours and two weeks of slots. Measured: quantiles of an hour of minutes cost 5% at five minutes."""

RECENT_SLOTS = 6
"""Slots that the ways to forecast look at: an hour of tens of minutes."""

MINUTE_LEADS, TEN_MINUTE_LEADS = (1, 5), (1, 3)
"""Slots ahead that ways to forecast are judged at: 1, 5, 10 and 30 minutes."""

LEADS_S = (60.0, 300.0, 600.0, 1800.0)

FEWEST_SAID = 36
"""So often must the rule of the recent past have been held against what came before another way may take its place:
half an hour of minutes, six hours of tens. A guess."""

SAID_TENS = 288
"""Of what was said two days are kept, as long as errors are looked at."""


@dataclass(frozen=True, slots=True)
class Slots:
    """Mean rates in slots of one length, and the slot that is still filling."""

    step_s: float
    current: int
    """Number of the slot that fills, since 1970."""
    rate_ds: Floats
    said_lds: Floats
    """What was said at the end of each of the newest slots."""
    total_d: NDArray[np.float64]
    looks_d: NDArray[np.int32]

    @classmethod
    def empty(cls, rows: int, step_s: float, slots: int, said: int, now_s: float) -> "Slots":
        return cls(
            step_s,
            int(now_s // step_s),
            np.full((rows, slots), np.nan, np.float32),
            np.full((2, rows, said), np.nan, np.float32),
            np.zeros(rows),
            np.zeros(rows, np.int32),
        )

    def with_look(self, now_s: float, rate_d: Floats) -> "Slots":
        """With one more look; slots that have ended are closed first. A clock set back adds to the present slot."""
        current = int(now_s // self.step_s)
        slots = self._closed(current) if current > self.current else self
        known = ~np.isnan(rate_d)
        return replace(
            slots, total_d=slots.total_d + np.where(known, rate_d, 0.0), looks_d=slots.looks_d + known.astype(np.int32)
        )

    def _closed(self, current: int) -> "Slots":
        rows, slots = self.rate_ds.shape
        ended = min(current - self.current, slots)
        newest = np.full((rows, ended), np.nan, np.float32)
        if current - self.current <= slots:
            newest[:, 0] = np.where(self.looks_d > 0, self.total_d / np.maximum(self.looks_d, 1), np.nan)
        said = min(ended, self.said_lds.shape[2])
        return replace(
            self,
            current=current,
            rate_ds=np.concatenate((self.rate_ds[:, ended:], newest), axis=1),
            said_lds=np.concatenate((self.said_lds[:, :, said:], np.full((2, rows, said), np.nan, np.float32)), axis=2),
            total_d=np.zeros(rows),
            looks_d=np.zeros(rows, np.int32),
        )

    def with_said(self, said_dl: Floats) -> "Slots":
        """With what is said now of later, where nothing has been said yet since the last slot ended."""
        said_lds = self.said_lds.copy()
        said_lds[:, :, -1] = said_dl.T
        return replace(self, said_lds=said_lds)

    def rows(self, of: Sequence[int | None]) -> "Slots":
        """The same for other rows, an unknown past where there is none."""
        at = np.array([-1 if row is None else row for row in of], dtype=np.int64)
        new = at < 0

        def taken(values: Floats, blank: float) -> Floats:
            if not len(values):
                return np.full((len(at), *values.shape[1:]), blank, values.dtype)
            found = values[at]
            found[new] = blank
            return found

        return replace(
            self,
            rate_ds=taken(self.rate_ds, np.nan),
            said_lds=np.stack([taken(each, np.nan) for each in self.said_lds]),
            total_d=taken(self.total_d, 0.0),  # type: ignore[arg-type]
            looks_d=taken(self.looks_d, 0),  # type: ignore[arg-type]
        )


@dataclass(frozen=True, slots=True)
class DemandHistory(PastDemand):
    """The past of all deployments together, and the ways to forecast that it speaks for."""

    row: Mapping[ObjectKey, int] = field(default_factory=dict)
    minutes: Slots = field(default_factory=lambda: Slots.empty(0, MINUTE_S, MINUTES, MINUTES, 0.0))
    tens: Slots = field(default_factory=lambda: Slots.empty(0, TEN_MINUTES_S, TENS, SAID_TENS, 0.0))
    by_minutes: Chosen | None = None
    by_tens: Chosen | None = None
    said_loss_dl: Floats = field(default_factory=lambda: np.full((0, len(LEADS_S)), np.inf, np.float32))
    """Mean pinball loss of what was said; infinite where too little was."""
    expected_dl: Floats = field(default_factory=lambda: np.full((0, len(LEADS_S)), np.nan, np.float32))
    """The rate at each of `LEADS_S` after the last full minute that a share q will not exceed; NaN where unknown."""

    def with_look(
        self, now_s: float, rate_rps: Mapping[ObjectKey, float | None], quantile: Mapping[ObjectKey, float]
    ) -> "DemandHistory":
        """With the rates of one look, None where unknown. Ways to forecast are chosen anew when a slot has ended.

        Args:
            now_s: of the look.
            rate_rps: of every deployment there is; what is not named any more is forgotten.
            quantile: what its forecasts shall not be below, for each deployment.
        """
        last = self if rate_rps.keys() == self.row.keys() else self._of(tuple(rate_rps))
        rate_d = np.array([np.nan if rate is None else rate for rate in map(rate_rps.get, last.row)], np.float32)
        minutes, tens = last.minutes.with_look(now_s, rate_d), last.tens.with_look(now_s, rate_d)
        quantile_d = np.array([quantile[key] for key in last.row], np.float32)
        by_minutes, by_tens, said_loss_dl = last.by_minutes, last.by_tens, last.said_loss_dl.copy()
        if minutes.current != last.minutes.current or by_minutes is None:
            by_minutes = _chosen(minutes, MINUTE_LEADS, quantile_d, with_shape=False)
            said_loss_dl[:, :2] = _said_loss(minutes, MINUTE_LEADS, quantile_d)
        if tens.current != last.tens.current or by_tens is None:
            by_tens = _chosen(tens, TEN_MINUTE_LEADS, quantile_d, with_shape=True)
            said_loss_dl[:, 2:] = _said_loss(tens, TEN_MINUTE_LEADS, quantile_d)
        expected_dl = last.expected_dl
        if by_minutes is not last.by_minutes or by_tens is not last.by_tens:
            expected_dl = _expected(minutes, by_minutes, by_tens)
        return DemandHistory(last.row, minutes, tens, by_minutes, by_tens, said_loss_dl, expected_dl)

    def with_said(self, before: "DemandHistory", said_rps: Mapping[ObjectKey, Sequence[float]]) -> "DemandHistory":
        """With what the rule of the recent past says at each of `LEADS_S`, if a slot has ended since `before`."""
        said_dl = np.array([said_rps.get(key, (np.nan,) * len(LEADS_S)) for key in self.row], np.float32)
        said_dl = said_dl.reshape(len(self.row), len(LEADS_S))
        minutes, tens = self.minutes, self.tens
        if minutes.current != before.minutes.current:
            minutes = minutes.with_said(said_dl[:, :2])
        if tens.current != before.tens.current:
            tens = tens.with_said(said_dl[:, 2:])
        return replace(self, minutes=minutes, tens=tens)

    def _of(self, keys: Sequence[ObjectKey]) -> "DemandHistory":
        rows = [self.row.get(key) for key in keys]
        return DemandHistory(
            {key: row for row, key in enumerate(keys)},
            self.minutes.rows(rows),
            self.tens.rows(rows),
            said_loss_dl=np.full((len(rows), len(LEADS_S)), np.inf, np.float32),
            expected_dl=np.full((len(rows), len(LEADS_S)), np.nan, np.float32),
        )


def _chosen(slots: Slots, leads: tuple[int, ...], quantile_d: Floats, with_shape: bool) -> Chosen:
    return choose(slots.rate_ds, slots.current - slots.rate_ds.shape[1], leads, quantile_d, with_shape)


def _expected(minutes: Slots, by_minutes: Chosen, by_tens: Chosen) -> Floats:
    minute_dk = minutes.rate_ds
    hour_dkm = minute_dk[:, -10 * RECENT_SLOTS :].reshape(len(minute_dk), RECENT_SLOTS, 10)
    known = ~np.isnan(hour_dkm)
    total = np.where(known, hour_dkm, 0.0).sum(axis=2)
    ten_dk = np.where(known.any(axis=2), total / np.maximum(known.sum(axis=2), 1), np.nan).astype(np.float32)
    # The newest ten minutes end with the last full minute, which need not be a multiple of ten.
    slot = minutes.current * MINUTE_S / TEN_MINUTES_S - 1.0
    soon = expect(by_minutes, minute_dk[:, -RECENT_SLOTS:], minutes.current - 1.0)
    return np.concatenate((soon, expect(by_tens, ten_dk, slot)), axis=1)


def _said_loss(slots: Slots, leads: tuple[int, ...], quantile_d: Floats) -> Floats:
    q, said_n = quantile_d[:, None], slots.said_lds.shape[2]
    loss_dl = np.full((len(slots.rate_ds), len(leads)), np.inf, np.float32)
    for at, lead in enumerate(leads):
        missed = slots.rate_ds[:, lead - said_n :] - slots.said_lds[at, :, :-lead]
        count = (~np.isnan(missed)).sum(axis=1)
        total = np.nansum(np.maximum(q * missed, (q - np.float32(1.0)) * missed), axis=1)
        loss_dl[:, at] = np.where(count >= FEWEST_SAID, total / np.maximum(count, 1), np.inf)
    return loss_dl
