"""How far is each of many runs? They write it into one file, whichever processes of this machine they are in.

In: shares of a run. Out: their sum. A run that is elsewhere, where there is no such file, is not seen before its end.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

Watcher = Callable[[float], None]
"""Told the share of a run that is done, 0 to 1."""


def ignore(share: float) -> None:
    """For whoever does not watch."""


@dataclass(frozen=True, slots=True)
class Shares:
    """The file, with a number a run."""

    file: Path

    @classmethod
    def of(cls, file: Path, runs: int) -> "Shares":
        """A new file in which no run has begun."""
        np.zeros(runs).tofile(file)
        return cls(file)

    def watcher(self, place: int) -> Watcher:
        """Who is to be told how far the run at that place is."""
        if not self.file.is_file():
            return ignore
        seen = np.memmap(self.file, np.float64, "r+")

        def watch(share: float) -> None:
            seen[place] = share

        return watch

    @property
    def total(self) -> float:
        """In runs."""
        return float(np.fromfile(self.file).sum())
