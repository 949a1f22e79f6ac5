"""Which safe rates have been played already? Answers depend on the case alone, so every run of a process shares them.

In: cases. Out: their capacities, simulated once; from a file and kept there, where one is named. A result never depends
on what was known before, only how long it takes.
"""

from pathlib import Path

from plimsoll.refining.kept import KeptAnswers
from plimsoll.sizing import Capacity, Case, simulate

_BOUND = 50_000
"""Answers that a file keeps; about 100 MB."""


class PlayedAnswers:
    """Answers of this process."""

    def __init__(self) -> None:
        self._answers: dict[Case, Capacity] = {}
        self._file: Path | None = None
        self._kept: KeptAnswers | None = None

    def use(self, file: Path | None) -> None:
        """From now on answers are read from this file and added to it; None for no file."""
        if file == self._file:
            return
        self._file = file
        self._kept = KeptAnswers(file, _BOUND) if file else None
        if self._kept is not None:
            self._answers |= self._kept.load()

    def of(self, case: Case) -> Capacity:
        """The answer, played if need be."""
        if case not in self._answers:
            self._answers[case] = simulate(case)
            if self._kept is not None:
                self._kept.add(case, self._answers[case], self._answers)
        return self._answers[case]


ANSWERS = PlayedAnswers()
"""Those of this process."""
