"""Which shape do the hours of a day have, and what does it say of the next half hour? One fit for all series at once.

With f the logarithm of a rate, t a slot and h a lead in slots, the change f(t+h) - f(t) is regressed by ridge on
    1,   sin and cos of 2 pi k t / day for k = 1 .. K,   f(t) - mean f,
    f(t) - f(t-k) for a few lags k,   f(t) - mean of f(t-5) .. f(t).
The first three are a harmonic regression with an AR(1) residual, written for each lead directly: a wave moved by h is
a sum of the same two waves, and phi^h is fitted instead of raised to a power. Ridge draws every change to nothing, so
that a series without a shape is forecast by its last value. Weekly waves are left out: in a prototype they made
ServeGen m-large up to 1.5% worse, Azure code 1 to 3% worse and Azure conversation less than 1% better, for two weeks
hold each of them only twice; what a weekend changes is seen in the last two hours.

In: levels without gaps, and where they were really known. Out: coefficients, and the errors at the last two days of
fits that ended before the day they are tried on. Axes: D series, S slots, F features, L leads. Design: section 4.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Truths = NDArray[np.bool_]

SLOTS_A_DAY = 144
HARMONICS = 6
"""Measured on the Azure code week, with conversation left out: four cost 1 to 2%, eight are no better."""

RIDGE_SLOTS = 30.0
"""So many slots of evidence that nothing changes, for each feature. Measured without conversation: flat, 15 to 60."""

DOUBT_SLOTS = 144.0
"""A wave of the day gets 1 + (doubt / slots seen)^4 times as much of it: before a day is over it has hardly been seen.
A day by its meaning; 144 to 288 are the same to within 0.4% where conversation is left out."""

FEWEST_SLOTS = 60
"""Ten hours: enough for what the last two hours say of the next half. A guess; 100 are the same to within 0.4%."""

LAGS = (1, 2, 3, 6, 12)
"""Slots ago that the present is compared with. Measured: (1, 3) alone cost 1% on the Azure code week."""

LOOK_BACK = max(LAGS)
"""Slots before the present one that a forecast looks at: two hours."""

DAYS_UNSEEN = 2
"""Each of the last days is tried with the fit of what was before it. A guess: two tell a weekend from a week."""

_FARTHEST = 4.0
"""Standard deviations at which a feature says all it can: a level that has shifted is not drawn back to the old one."""


@dataclass(frozen=True, slots=True)
class DailyShape:
    """What was learned of every series: the change at each lead is `features @ coefficients`."""

    mean_d: Floats
    farthest_df: Floats
    """Bounds of the features of the recent past."""
    coefficients_dfl: Floats
    fitted_d: Truths
    """Whether there was enough to learn from; where not, the coefficients are 0."""


def waves_sf(slots: NDArray[np.float64]) -> Floats:
    """A constant and the sines and cosines of the time of day; slot 0 is midnight."""
    angles = [2.0 * np.pi * k * slots / SLOTS_A_DAY for k in range(1, HARMONICS + 1)]
    waves = [wave(angle) for angle in angles for wave in (np.sin, np.cos)]
    return np.stack([np.ones_like(slots), *waves], axis=1).astype(np.float32)


def recent_past(level_ds: Floats, mean_d: Floats) -> list[Floats]:
    """The features of the recent past for each slot from `LOOK_BACK` on."""
    slots = level_ds.shape[1]
    now = level_ds[:, LOOK_BACK:]
    ago = [now - level_ds[:, LOOK_BACK - k : slots - k] for k in LAGS]
    pairs = level_ds[:, LOOK_BACK - 4 :] + level_ds[:, LOOK_BACK - 5 : -1]
    six = pairs[:, 4:] + pairs[:, 2:-2] + pairs[:, :-4]
    return [now - mean_d[:, None], *ago, now - six / np.float32(6.0)]


def fit_daily_shape(
    level_ds: Floats, known_ds: Truths, first_slot: int, leads: tuple[int, ...]
) -> tuple[DailyShape, Floats]:
    """What the series show, and the errors f(t+h) - forecast of each lead at the last two days' slots t.

    Args:
        level_ds: logarithms of rates, without gaps.
        known_ds: where a level was seen and not filled in.
        first_slot: of the first column, counted from midnight.
        leads: in slots.

    Returns:
        The shape, and errors by lead, series and slot t, the last one being the newest slot; they hold figures also
        where f(t+h) is not known yet or t was not.
    """
    slots, farthest = level_ds.shape[1], max(leads)
    counts = known_ds.sum(axis=1, keepdims=True)
    mean_d = ((level_ds * known_ds).sum(axis=1, keepdims=True) / np.maximum(counts, 1))[:, 0].astype(np.float32)
    waves = waves_sf(first_slot + np.arange(LOOK_BACK, slots, dtype=np.float64))
    past = recent_past(level_ds, mean_d)
    now = level_ds[:, LOOK_BACK:]
    # A slot is learned from once all its leads are known, so a fit that ends at a day's start has not looked into it.
    learned = now.shape[1] - farthest
    use = known_ds[:, LOOK_BACK : LOOK_BACK + learned].copy()
    changes = []
    for lead in leads:
        use &= known_ds[:, LOOK_BACK + lead : LOOK_BACK + lead + learned]
        changes.append(now[:, lead : lead + learned] - now[:, :learned])
    learned_from = past, changes
    if not use.all():
        learned_from = [np.where(use, x[:, :learned], 0.0) for x in past], [np.where(use, y, 0.0) for y in changes]
    day_starts = [max(0, now.shape[1] - day * SLOTS_A_DAY) for day in range(DAYS_UNSEEN, 0, -1)]
    ends = [0, *(max(0, start - farthest) for start in day_starts), learned]
    errors_lds = np.zeros((len(leads), len(level_ds), now.shape[1] - day_starts[0]), dtype=np.float32)
    sums = _Sums.nothing(len(level_ds), waves.shape[1] + len(past), len(leads))
    for index, (first, end) in enumerate(pairwise(ends)):
        features, targets = ([x[:, first:end] for x in group] for group in learned_from)
        sums = sums.with_slots(use[:, first:end], waves[first:end], features, targets)
        shape = sums.solve(mean_d)
        if index < len(day_starts):
            start = day_starts[index]
            stop = day_starts[index + 1] if index + 1 < len(day_starts) else now.shape[1]
            change_lds = changes_lds(shape, waves[start:stop], [x[:, start:stop] for x in past])
            for at, lead in enumerate(leads):
                seen = max(0, min(stop, now.shape[1] - lead) - start)
                came = now[:, start + lead : start + lead + seen] - now[:, start : start + seen]
                first_out = start - day_starts[0]
                errors_lds[at, :, first_out : first_out + seen] = came - change_lds[at, :, :seen]
    return shape, errors_lds


def changes_lds(shape: DailyShape, waves: Floats, past: list[Floats]) -> Floats:
    """The change that is expected at each lead, for each slot that the features describe."""
    waves_n = waves.shape[1]
    found: Floats = np.einsum("dfl,sf->lds", shape.coefficients_dfl[:, :waves_n], waves, optimize=True)
    for index, feature in enumerate(past):
        bound = shape.farthest_df[:, index, None]
        within = np.clip(feature, -bound, bound)
        found += shape.coefficients_dfl[:, waves_n + index, :].T[:, :, None] * within[None]
    return found


@dataclass(frozen=True, slots=True)
class _Sums:
    """The normal equations of what has been added so far."""

    squares_dff: NDArray[np.float64]
    products_dfl: NDArray[np.float64]
    count_d: NDArray[np.float64]

    @classmethod
    def nothing(cls, series: int, features: int, leads: int) -> "_Sums":
        return cls(np.zeros((series, features, features)), np.zeros((series, features, leads)), np.zeros(series))

    def with_slots(self, use: Truths, waves: Floats, past: list[Floats], changes: list[Floats]) -> "_Sums":
        """With some more slots; features and changes must be 0 where a slot is not used."""
        if not use.shape[1]:
            return self
        waves_n, n = waves.shape[1], len(past)
        squares, products = self.squares_dff.copy(), self.products_dfl.copy()
        # A wave is the same every day: what it is multiplied with is summed by the time of day first.
        day = waves[:SLOTS_A_DAY]
        pairs = (day[:, :, None] * day[:, None, :]).reshape(len(day), waves_n * waves_n)
        # Without gaps these sums are the same for all series.
        used = use[:1] if use.all() else use
        squares[:, :waves_n, :waves_n] += (_by_time_of_day(used) @ pairs).reshape(-1, waves_n, waves_n)
        for i, feature in enumerate(past):
            cross_df = _by_time_of_day(feature) @ day
            squares[:, waves_n + i, :waves_n] += cross_df
            squares[:, :waves_n, waves_n + i] += cross_df
            for j in range(i, n):
                inner_d = np.einsum("ds,ds->d", feature, past[j])
                squares[:, waves_n + i, waves_n + j] += inner_d
                if j > i:
                    squares[:, waves_n + j, waves_n + i] += inner_d
            for at, change in enumerate(changes):
                products[:, waves_n + i, at] += np.einsum("ds,ds->d", feature, change)
        for at, change in enumerate(changes):
            products[:, :waves_n, at] += _by_time_of_day(change) @ day
        return _Sums(squares, products, self.count_d + use.sum(axis=1))

    def solve(self, mean_d: Floats) -> DailyShape:
        enough = self.count_d >= FEWEST_SLOTS
        count = np.maximum(self.count_d, 1.0)
        diagonal = np.einsum("dff->df", self.squares_dff)
        ridge = RIDGE_SLOTS * diagonal / count[:, None] + 1e-6
        ridge[:, 1 : 2 * HARMONICS + 1] *= 1.0 + (DOUBT_SLOTS / count[:, None]) ** 4
        ridge[:, 0] = 1e-6
        matrix = self.squares_dff + ridge[:, :, None] * np.eye(ridge.shape[1])
        found = np.zeros_like(self.products_dfl)
        if enough.any():
            found[enough] = np.linalg.solve(matrix[enough], self.products_dfl[enough])
        waves_n = 2 * HARMONICS + 1
        farthest = _FARTHEST * np.sqrt(diagonal[:, waves_n:] / count[:, None])
        return DailyShape(mean_d, farthest.astype(np.float32), found.astype(np.float32), enough)


def _by_time_of_day(value_ds: Floats | Truths) -> Floats:
    """Sums over days, beginning with the time of day of the first slot; shorter than a day only if the slots are."""
    days, rest = divmod(value_ds.shape[1], SLOTS_A_DAY)
    if not days:
        return value_ds.astype(np.float32)
    whole = value_ds[:, : days * SLOTS_A_DAY].reshape(len(value_ds), days, SLOTS_A_DAY)
    total: Floats = whole.sum(axis=1, dtype=np.float32)
    total[:, :rest] += value_ds[:, days * SLOTS_A_DAY :]
    return total
