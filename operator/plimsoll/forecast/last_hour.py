"""What did the looks of the last hour show, of all deployments together?

In: the rates and mixes of one look. Out: a new hour; the old one is never written to, so that a decision can be made
again. It reads like a mapping of samples by deployment, the oldest first; the arrays behind it are what the rules of
the recent past work on. Samples of a row are at its right end, the newest last; NaN is where there is none. While a
deployment's demand is unknown its row stands still: it is what is held.

Axes: D deployments, S samples, K lengths of a mix (mean and p95 of prompts, then of outputs, then the largest of each).
Design: section 4.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from plimsoll.domain import DemandSample, ObjectKey, PastLooks, TokenMix

Floats = NDArray[np.float64]
Lengths = NDArray[np.float32]

HISTORY_S = 3600.0
"""How far back demand is remembered, for the fallback to the peak. Convention: an hour."""

SAMPLE_S = 10.0
"""At most one sample is remembered in each stretch of this length, the highest: the default tick. So an hour holds 361
samples however fast the loop runs."""

SAMPLES = int(HISTORY_S / SAMPLE_S) + 1

LENGTHS = 6
"""Of the axis K, in the order of the fields of `TokenMix`."""

AVERAGED = 4
"""The first of them: means and high quantiles, which noise moves. The others are bounds."""


@dataclass(frozen=True, slots=True, eq=False)
class LastHour(Mapping[ObjectKey, tuple[DemandSample, ...]]):
    """Rate and mix of each sample and when it was taken; a row has at least one."""

    row: Mapping[ObjectKey, int] = field(default_factory=dict)
    at_ds: Floats = field(default_factory=lambda: np.zeros((0, SAMPLES)))
    """Seconds since the epoch."""
    rate_ds: Floats = field(default_factory=lambda: np.zeros((0, SAMPLES)))
    tokens_kds: Lengths = field(default_factory=lambda: np.zeros((LENGTHS, 0, SAMPLES), np.float32))

    def __len__(self) -> int:
        return len(self.row)

    def __iter__(self) -> Iterator[ObjectKey]:
        return iter(self.row)

    def __contains__(self, key: object) -> bool:
        # Mapping would make all samples of the hour to tell.
        return key in self.row

    def __getitem__(self, key: ObjectKey) -> tuple[DemandSample, ...]:
        row = self.row[key]
        there = np.flatnonzero(~np.isnan(self.at_ds[row]))
        times, rates = self.at_ds[row, there].tolist(), self.rate_ds[row, there].tolist()
        mixes = self.tokens_kds[:, row, there].astype(float).T.tolist()
        return tuple(
            DemandSample(at_s, rate, TokenMix(*mix)) for at_s, rate, mix in zip(times, rates, mixes, strict=True)
        )

    def last_mix(self, key: ObjectKey) -> TokenMix | None:
        """Of the newest sample; None where there is none."""
        row = self.row.get(key)
        return None if row is None else TokenMix(*self.tokens_kds[:, row, -1].astype(float).tolist())

    def with_looks(self, now_s: float, looks: Mapping[ObjectKey, tuple[float, TokenMix]]) -> "LastHour":
        """With one more look at these deployments; of each the samples of an hour are kept, those of others all."""
        new = [key for key in looks if key not in self.row]
        last = self._of([*self.row, *new]) if new else self
        known_d = np.zeros(len(last), bool)
        rate_d, tokens_kd = np.full(len(last), np.nan), np.full((LENGTHS, len(last)), np.nan, np.float32)
        for key, (rate_rps, mix) in looks.items():
            row = last.row[key]
            known_d[row], rate_d[row] = True, rate_rps
            tokens_kd[:, row] = lengths(mix)
        return last._with(now_s, known_d, rate_d, tokens_kd)

    def _with(self, now_s: float, known_d: NDArray[np.bool_], rate_d: Floats, tokens_kd: Lengths) -> "LastHour":
        same_d = known_d & (self.at_ds[:, -1] // SAMPLE_S == now_s // SAMPLE_S)
        at_ds, rate_ds, tokens_kds = self.at_ds.copy(), self.rate_ds.copy(), self.tokens_kds.copy()
        moved = np.flatnonzero(known_d & ~same_d)
        at_ds[moved, :-1], rate_ds[moved, :-1] = self.at_ds[moved, 1:], self.rate_ds[moved, 1:]
        tokens_kds[:, moved, :-1] = self.tokens_kds[:, moved, 1:]
        rate_ds[known_d, -1] = np.where(same_d, np.fmax(rate_d, self.rate_ds[:, -1]), rate_d)[known_d]
        at_ds[known_d, -1] = now_s
        tokens_kds[:, known_d, -1] = tokens_kd[:, known_d]
        # A clock that was set back leaves nothing that is still to come.
        gone = known_d[:, None] & ~((at_ds >= now_s - HISTORY_S) & (at_ds <= now_s))
        gone[:, :-1] |= known_d[:, None] & (at_ds[:, :-1] == now_s)
        at_ds[gone], rate_ds[gone] = np.nan, np.nan
        return replace(self, at_ds=at_ds, rate_ds=rate_ds, tokens_kds=tokens_kds)

    def only(self, keys: Sequence[ObjectKey]) -> "LastHour":
        """The rows of these deployments alone."""
        return self if len(keys) == len(self) else self._of(keys)

    def with_past(self, past: PastLooks, now_s: float) -> "LastHour":
        """With what metrics tell of the time before the oldest sample of each row.

        The high quantiles of past mixes are taken to be as far above the means as the oldest sample's, the largest
        lengths to be the oldest sample's.
        """
        filled = replace(self, at_ds=self.at_ds.copy(), rate_ds=self.rate_ds.copy(), tokens_kds=self.tokens_kds.copy())
        at_s = past.at_s
        in_time = at_s >= now_s - HISTORY_S
        for read, key in enumerate(past.keys):
            if key in self.row:
                known = in_time & ~np.isnan(past.rate_ds[read])
                filled._fill(self.row[key], at_s[known], past.rate_ds[read, known], past.tokens_kds[:, read, known])
        return filled

    def _fill(self, row: int, at_s: Floats, rate_s: Floats, means_ks: Floats) -> None:
        """Only for arrays that nobody else has yet."""
        first = int(np.argmax(~np.isnan(self.at_ds[row])))
        earlier = np.flatnonzero(at_s < self.at_ds[row, first] - SAMPLE_S / 2.0)
        before = earlier[max(0, len(earlier) - first) :]
        places = slice(first - len(before), first)
        oldest = self.tokens_kds[:, row, first]
        high = oldest[[1, 3]] / np.maximum(oldest[[0, 2]], 1e-9)
        self.at_ds[row, places], self.rate_ds[row, places] = at_s[before], rate_s[before]
        means_ks = np.stack([_last_known(means_s, now) for means_s, now in zip(means_ks, oldest[[0, 2]], strict=True)])
        self.tokens_kds[:AVERAGED, row, places] = np.repeat(means_ks[:, before], 2, axis=0)
        self.tokens_kds[1:AVERAGED:2, row, places] *= high[:, None]
        self.tokens_kds[AVERAGED:, row, places] = oldest[AVERAGED:, None]

    def _of(self, keys: Sequence[ObjectKey]) -> "LastHour":
        size = len(keys)
        at_ds, rate_ds = np.full((size, SAMPLES), np.nan), np.full((size, SAMPLES), np.nan)
        tokens_kds = np.full((LENGTHS, size, SAMPLES), np.nan, np.float32)
        to = [row for row, key in enumerate(keys) if key in self.row]
        of = [self.row[keys[row]] for row in to]
        at_ds[to], rate_ds[to], tokens_kds[:, to] = self.at_ds[of], self.rate_ds[of], self.tokens_kds[:, of]
        return LastHour({key: row for row, key in enumerate(keys)}, at_ds, rate_ds, tokens_kds)


def _last_known(values_s: Floats, otherwise: float) -> Floats:
    """Each value or the last one known before it: silence leaves the mix as it was."""
    known = np.maximum.accumulate(np.where(np.isnan(values_s), -1, np.arange(len(values_s))))
    return np.where(known >= 0, values_s[known], otherwise)


def lengths(mix: TokenMix) -> tuple[float, ...]:
    """Along the axis K."""
    return (
        mix.prompt_tokens_mean,
        mix.prompt_tokens_p95,
        mix.output_tokens_mean,
        mix.output_tokens_p95,
        mix.prompt_tokens_most,
        mix.output_tokens_most,
    )
