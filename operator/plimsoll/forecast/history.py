"""What rates did all deployments see: the last three hours by minutes, the last 14 days by tens of minutes?

In: the rates of one look, and what metrics still tell of the time before. Out: a new history; the old one is never
written to, so that a decision can be made again. A row belongs to a deployment, the newest column is last, NaN is where
nothing was known: what is missing is neither zero nor made up. Beside the rates stands what had been said of 1, 5, 10
and 30 minutes ahead, so that it can be held against what came. Arrays for all deployments together: 10,000 take 0.2 GB,
copied when a slot ends.

Axes: D deployments, S slots, L leads. Design: section 4.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from plimsoll.domain import ObjectKey, PastDemand, PastLooks
from plimsoll.forecast.candidates import Chosen, choose, expect
from plimsoll.forecast.last_hour import LastHour
from plimsoll.forecast.recent_past import recent_past

Floats = NDArray[np.float32]
Times = NDArray[np.float64]

MINUTE_S, TEN_MINUTES_S = 60.0, 600.0
MINUTES, TENS = 180, 14 * 144
"""Three hours and two weeks of slots. Measured: quantiles of an hour of minutes cost 5% at five minutes."""

RECENT_SLOTS = 13
"""Slots that the ways to forecast look at: two hours of tens of minutes and the present ones."""

MINUTE_LEADS, TEN_MINUTE_LEADS = (1, 5), (1, 3)
"""Slots ahead that ways to forecast are judged at: 1, 5, 10 and 30 minutes."""

LEADS_S = (60.0, 300.0, 600.0, 1800.0)
SLOTS_S = (MINUTE_S, MINUTE_S, TEN_MINUTES_S, TEN_MINUTES_S)
"""Over how long the rates are means that each of them is judged by."""

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
    """What was said at the end of each of the newest slots: by the rule of the recent past at both leads, then by the
    way in use at both."""
    total_d: NDArray[np.float64]
    looks_d: NDArray[np.int32]

    @classmethod
    def empty(cls, rows: int, step_s: float, slots: int, said: int, now_s: float) -> "Slots":
        return cls(
            step_s,
            int(now_s // step_s),
            np.full((rows, slots), np.nan, np.float32),
            np.full((4, rows, said), np.nan, np.float32),
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
            said_lds=np.concatenate((self.said_lds[:, :, said:], np.full((4, rows, said), np.nan, np.float32)), axis=2),
            total_d=np.zeros(rows),
            looks_d=np.zeros(rows, np.int32),
        )

    def with_looks_of(self, hour: LastHour, row: Mapping[ObjectKey, int]) -> "Slots":
        """With the looks of the slot that fills as the last hour knows them, also those before the first tick."""
        total_d, looks_d = self.total_d.copy(), self.looks_d.copy()
        inside = hour.at_ds >= self.current * self.step_s
        for key, at in hour.row.items():
            if key in row and inside[at].any():
                total_d[row[key]] = hour.rate_ds[at, inside[at]].sum()
                looks_d[row[key]] = inside[at].sum()
        return replace(self, total_d=total_d, looks_d=looks_d)

    def with_said(self, said_dl: Floats) -> "Slots":
        """With what is said now of later, where nothing has been said yet since the last slot ended."""
        said_lds = self.said_lds.copy()
        said_lds[:, :, -1] = said_dl.T
        return replace(self, said_lds=said_lds)

    def with_past(self, rows: Sequence[int], at_s: Times, rate_ds: Floats) -> "Slots":
        """With rates of slots that ended at these moments, where none is known, for these rows."""
        columns = (at_s // self.step_s).astype(np.int64) - 1 - (self.current - self.rate_ds.shape[1])
        inside = (columns >= 0) & (columns < self.rate_ds.shape[1])
        filled_ds = self.rate_ds.copy()
        place = np.ix_(np.asarray(rows, np.int64), columns[inside])
        filled_ds[place] = np.where(np.isnan(filled_ds[place]), rate_ds[:, inside], filled_ds[place])
        return replace(self, rate_ds=filled_ds)

    def with_said_at(self, rows: Sequence[int], at_s: float, said_dl: Floats) -> "Slots":
        """With what the rule of the recent past would have said at the end of a slot; writes into this very object."""
        column = int(at_s // self.step_s) - 1 - self.current + self.said_lds.shape[2]
        if 0 <= column < self.said_lds.shape[2]:
            there = self.said_lds[:2, rows, column]
            self.said_lds[:2, rows, column] = np.where(np.isnan(there), said_dl.T, there)
        return self

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
    """Mean pinball loss of what the rule of the recent past said; infinite where too little was."""
    covered_dl: Floats = field(default_factory=lambda: np.full((0, len(LEADS_S)), np.nan, np.float32))
    """Share of what came that lay below what the way in use had said; NaN where too little was said."""
    quantile_dl: Floats = field(default_factory=lambda: np.full((0, len(LEADS_S)), np.nan, np.float32))
    """The rate at each of `LEADS_S` after the last full minute that a share q will not exceed; NaN where unknown."""
    expected_dl: Floats = field(default_factory=lambda: np.full((0, len(LEADS_S)), np.nan, np.float32))
    """The same without the margin for errors."""
    since_d: Times = field(default_factory=lambda: np.zeros(0))
    """Start of the oldest slot that is known; NaN where none is."""

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
        return replace(last, minutes=minutes, tens=tens)._chosen_anew(last, quantile)

    def _chosen_anew(self, before: "DemandHistory", quantile: Mapping[ObjectKey, float]) -> "DemandHistory":
        minutes, tens, by_minutes, by_tens = self.minutes, self.tens, self.by_minutes, self.by_tens
        quantile_d = np.array([quantile[key] for key in self.row], np.float32)
        said_loss_dl, covered_dl, since_d = self.said_loss_dl.copy(), self.covered_dl.copy(), self.since_d
        if minutes.current != before.minutes.current or by_minutes is None:
            by_minutes = _chosen(minutes, MINUTE_LEADS, quantile_d, with_shape=False)
            said_loss_dl[:, :2] = _said_loss(minutes, MINUTE_LEADS, quantile_d)
            covered_dl[:, :2] = _covered(minutes, MINUTE_LEADS)
        if tens.current != before.tens.current or by_tens is None:
            by_tens = _chosen(tens, TEN_MINUTE_LEADS, quantile_d, with_shape=True)
            said_loss_dl[:, 2:] = _said_loss(tens, TEN_MINUTE_LEADS, quantile_d)
            covered_dl[:, 2:] = _covered(tens, TEN_MINUTE_LEADS)
        quantile_dl, expected_dl = self.quantile_dl, self.expected_dl
        if by_minutes is not self.by_minutes or by_tens is not self.by_tens:
            quantile_dl, expected_dl = _expected(minutes, by_minutes, by_tens)
            since_d = _since(minutes, tens)
        return DemandHistory(
            self.row, minutes, tens, by_minutes, by_tens, said_loss_dl, covered_dl, quantile_dl, expected_dl, since_d
        )

    def with_said(self, before: "DemandHistory", said_rps: Mapping[ObjectKey, Sequence[float]]) -> "DemandHistory":
        """With what is said now, if a slot has ended since `before`.

        Args:
            before: as the last tick left it.
            said_rps: by the rule of the recent past at each of `LEADS_S`, then by the way in use at each.
        """
        unknown = (np.nan,) * (2 * len(LEADS_S))
        said_dl = np.array([said_rps.get(key, unknown) for key in self.row], np.float32).reshape(-1, len(unknown))
        minutes, tens = self.minutes, self.tens
        if minutes.current != before.minutes.current:
            minutes = minutes.with_said(said_dl[:, [0, 1, 4, 5]])
        if tens.current != before.tens.current:
            tens = tens.with_said(said_dl[:, [2, 3, 6, 7]])
        return replace(self, minutes=minutes, tens=tens)

    def with_past(
        self,
        past: Sequence[PastLooks],
        hour: LastHour,
        quantile: Mapping[ObjectKey, float],
        window_s: Mapping[ObjectKey, float],
    ) -> "DemandHistory":
        """With what metrics tell of the time before; ways to forecast are chosen anew.

        Args:
            past: looks of a minute or ten apart; others are left to `hour`.
            hour: the last hour with what was read of it.
            quantile: what forecasts shall not be below, for each deployment.
            window_s: how far back the recent past goes, for each deployment of the snapshot.
        """
        minutes, tens = self.minutes, self.tens.with_looks_of(hour, self.row)
        minutes = replace(minutes, said_lds=minutes.said_lds.copy())
        tens = replace(tens, said_lds=tens.said_lds.copy())
        for looks in past:
            there = [read for read, key in enumerate(looks.keys) if key in self.row and key in window_s]
            rows = [self.row[looks.keys[read]] for read in there]
            rate_ds = looks.rate_ds[there].astype(np.float32)
            if looks.step_s == MINUTE_S and rows:
                minutes = minutes.with_past(rows, looks.at_s, rate_ds)
                keys = [looks.keys[read] for read in there]
                quantile_d, window_d = (np.array([of[key] for key in keys]) for of in (quantile, window_s))
                for at_s, said_dl in _would_have_said(looks, there, quantile_d, window_d):
                    minutes = minutes.with_said_at(rows, at_s, said_dl[:, :2])
                    if at_s % TEN_MINUTES_S == 0.0:
                        tens = tens.with_said_at(rows, at_s, said_dl[:, 2:])
            elif looks.step_s == TEN_MINUTES_S and rows:
                tens = tens.with_past(rows, looks.at_s, rate_ds)
        return replace(self, minutes=minutes, tens=tens, by_minutes=None, by_tens=None)._chosen_anew(self, quantile)

    def _of(self, keys: Sequence[ObjectKey]) -> "DemandHistory":
        rows = [self.row.get(key) for key in keys]
        return DemandHistory(
            {key: row for row, key in enumerate(keys)},
            self.minutes.rows(rows),
            self.tens.rows(rows),
            said_loss_dl=np.full((len(rows), len(LEADS_S)), np.inf, np.float32),
            covered_dl=np.full((len(rows), len(LEADS_S)), np.nan, np.float32),
            quantile_dl=np.full((len(rows), len(LEADS_S)), np.nan, np.float32),
            expected_dl=np.full((len(rows), len(LEADS_S)), np.nan, np.float32),
            since_d=np.full(len(rows), np.nan),
        )


def _chosen(slots: Slots, leads: tuple[int, ...], quantile_d: Floats, with_shape: bool) -> Chosen:
    return choose(slots.rate_ds, slots.current - slots.rate_ds.shape[1], leads, quantile_d, with_shape)


def _expected(minutes: Slots, by_minutes: Chosen, by_tens: Chosen) -> tuple[Floats, Floats]:
    minute_dk = minutes.rate_ds
    hour_dkm = minute_dk[:, -10 * RECENT_SLOTS :].reshape(len(minute_dk), RECENT_SLOTS, 10)
    known = ~np.isnan(hour_dkm)
    total = np.where(known, hour_dkm, 0.0).sum(axis=2)
    ten_dk = np.where(known.any(axis=2), total / np.maximum(known.sum(axis=2), 1), np.nan).astype(np.float32)
    # The newest ten minutes end with the last full minute, which need not be a multiple of ten.
    slot = minutes.current * MINUTE_S / TEN_MINUTES_S - 1.0
    soon = expect(by_minutes, minute_dk[:, -RECENT_SLOTS:], minutes.current - 1.0)
    later = expect(by_tens, ten_dk, slot)
    return (
        np.concatenate((soon.quantile_dl, later.quantile_dl), axis=1),
        np.concatenate((soon.expected_dl, later.expected_dl), axis=1),
    )


def _said_loss(slots: Slots, leads: tuple[int, ...], quantile_d: Floats) -> Floats:
    q, said_n = quantile_d[:, None], slots.said_lds.shape[2]
    loss_dl = np.full((len(slots.rate_ds), len(leads)), np.inf, np.float32)
    for at, lead in enumerate(leads):
        missed = slots.rate_ds[:, lead - said_n :] - slots.said_lds[at, :, :-lead]
        count = (~np.isnan(missed)).sum(axis=1)
        total = np.nansum(np.maximum(q * missed, (q - np.float32(1.0)) * missed), axis=1)
        loss_dl[:, at] = np.where(count >= FEWEST_SAID, total / np.maximum(count, 1), np.inf)
    return loss_dl


def _covered(slots: Slots, leads: tuple[int, ...]) -> Floats:
    said_n = slots.said_lds.shape[2]
    share_dl = np.full((len(slots.rate_ds), len(leads)), np.nan, np.float32)
    for at, lead in enumerate(leads):
        missed = slots.rate_ds[:, lead - said_n :] - slots.said_lds[len(leads) + at, :, :-lead]
        count = (~np.isnan(missed)).sum(axis=1)
        share_dl[:, at] = np.where(count >= FEWEST_SAID, (missed <= 0.0).sum(axis=1) / np.maximum(count, 1), np.nan)
    return share_dl


def _since(minutes: Slots, tens: Slots) -> Times:
    found = np.full((2, len(tens.rate_ds)), np.nan)
    for at, slots in enumerate((minutes, tens)):
        known = ~np.isnan(slots.rate_ds)
        first_d = slots.current - slots.rate_ds.shape[1] + np.argmax(known, axis=1)
        found[at] = np.where(known.any(axis=1), first_d * slots.step_s, np.nan)
    since_d: Times = np.fmin(found[0], found[1])
    return since_d


def _would_have_said(
    looks: PastLooks, rows: Sequence[int], quantile_d: Times, window_d: Times
) -> Iterator[tuple[float, Floats]]:
    """What the rule of the recent past would have said at each past look where its window had been seen."""
    rate_ds, at_s = looks.rate_ds[rows], looks.at_s
    longest = int(window_d.max() // looks.step_s)
    lead_dl = np.broadcast_to(np.array(LEADS_S), (len(rows), len(LEADS_S)))
    averaged_s_d, steady_d = np.full(len(rows), looks.step_s), np.zeros(len(rows))
    for end in range(longest, len(at_s)):
        part = slice(end - longest, end + 1)
        at_ds = np.where(np.isnan(rate_ds[:, part]), np.nan, at_s[part])
        latest_d = rate_ds[:, end]
        if np.isnan(latest_d).all():
            continue
        past = recent_past(at_ds, rate_ds[:, part], at_s[end] - window_d, quantile_d, averaged_s_d, steady_d)
        yield float(at_s[end]), past.as_seen().expected(latest_d, lead_dl).astype(np.float32)
