"""What has been simulated so far, and who simulates the rest? One thread of low priority, beside the loop.

In: cases, the most important first. Out: an unchanging view of the answers for each tick. The kernel runs without
Python's lock, so that a tick is not held up; the thread has the lowest claim on the processor. A case that cannot be
simulated is told once and stays an estimate.
"""

import logging
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from plimsoll.refining.kept import KeptAnswers
from plimsoll.sizing import Capacity, Case, simulate

log = logging.getLogger(__name__)
T = TypeVar("T")

BOUND = 20_000
"""Answers that are remembered; about 40 MB."""

_NICENESS = 15
"""Above that of the process. Measured on two busy processors, a tick beside simulations against one without: 0.9 to 1.0
times as long with 15, 1.2 to 1.4 with 5, 1.9 to 2.2 with 0. What is played holds Python's lock for moments only."""
_NICEST = 19
_CLOSE_WITHIN_S = 0.5


class Known(Mapping[Case, Capacity]):
    """The answers at one moment. It notes which were read, so that the others are forgotten first."""

    def __init__(self, answers: dict[Case, Capacity]) -> None:
        self._answers = answers
        self.read: dict[Case, None] = {}

    def __getitem__(self, case: Case) -> Capacity:
        answer = self._answers[case]
        self.read[case] = None
        return answer

    def __contains__(self, case: object) -> bool:
        return case in self._answers

    def __iter__(self) -> Iterator[Case]:
        return iter(self._answers)

    def __len__(self) -> int:
        return len(self._answers)


class Refiner:
    """Simulates what it is asked for until closed."""

    def __init__(
        self,
        cache_file: Path | None = None,
        count: Callable[[str], None] = lambda outcome: None,
        simulate: Callable[[Case], Capacity] = simulate,
        bound: int = BOUND,
    ) -> None:
        """
        Args:
            cache_file: where answers outlive the process; none: they do not.
            count: is told of each simulation: "ok" or "failed".
            simulate: one case.
            bound: answers that are remembered.
        """
        self._kept = None if cache_file is None else KeptAnswers(cache_file, bound)
        self._count = count
        self._simulate = simulate
        self._bound = bound
        self._changed = threading.Condition()
        self._answers: OrderedDict[Case, Capacity] = OrderedDict()
        self._failed: OrderedDict[Case, None] = OrderedDict()
        self._queue: OrderedDict[Case, None] = OrderedDict()
        self._under_way: Case | None = None
        self._view = Known({})
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="refiner", daemon=True)

    def start(self) -> None:
        """Begin; what the file has is known a moment later."""
        self._thread.start()

    def close(self) -> None:
        """End within a second; a simulation under way is left to the end of the process."""
        with self._changed:
            self._closing = True
            self._queue.clear()
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_WITHIN_S)

    def known(self) -> Mapping[Case, Capacity]:
        """All answers so far; it does not change any more."""
        with self._changed:
            for case in self._view.read:
                if case in self._answers:
                    self._answers.move_to_end(case)
            self._view = Known(dict(self._answers))
            return self._view

    def ask(self, cases: Iterable[Case]) -> None:
        """Simulate these instead of what was asked for before, in this order."""
        with self._changed:
            self._queue = OrderedDict.fromkeys(
                case
                for case in cases
                if case not in self._answers and case not in self._failed and case != self._under_way
            )
            self._changed.notify()

    def waiting(self) -> int:
        """How many cases wait for their simulation."""
        return len(self._queue)

    def _run(self) -> None:
        _step_back()
        self._recall()
        while (case := self._next()) is not None:
            answer = self._answer(case)
            with self._changed:
                self._under_way = None
                if answer is None:
                    _remember(self._failed, case, None, self._bound)
                    continue
                _remember(self._answers, case, answer, self._bound)
                known = dict(self._answers)
            self._keep(case, answer, known)

    def _keep(self, case: Case, answer: Capacity, known: Mapping[Case, Capacity]) -> None:
        if self._kept is None:
            return
        try:
            self._kept.add(case, answer, known)
        except Exception:
            # Keeping is a convenience; what it meets must not end the simulations.
            log.exception("the file of kept simulations cannot be used: from now on nothing is kept over a restart")
            self._kept = None

    def _recall(self) -> None:
        if self._kept is None:
            return
        try:
            recalled = self._kept.load()
        except Exception:
            log.exception("the file of kept simulations cannot be used: everything is simulated anew, nothing is kept")
            self._kept = None
            return
        if recalled:
            log.info("%d simulations of earlier runs are known", len(recalled))
        with self._changed:
            self._answers.update(recalled)
            for case in recalled:
                self._queue.pop(case, None)

    def _next(self) -> Case | None:
        """The next case, as soon as there is one; None when closed."""
        with self._changed:
            while not self._queue and not self._closing:
                self._changed.wait()
            if self._closing:
                return None
            self._under_way, _ = self._queue.popitem(last=False)
            return self._under_way

    def _answer(self, case: Case) -> Capacity | None:
        try:
            answer = self._simulate(case)
        except Exception:
            # A bug in one simulation must not end those of all others; estimates stand meanwhile.
            log.exception(
                "a simulation failed and is not tried again; its safe rate stays an estimate. Please report it with "
                "this case: %r",
                case,
            )
            self._count("failed")
            return None
        self._count("ok")
        return answer


def _remember(answers: OrderedDict[Case, T], case: Case, answer: T, bound: int) -> None:
    answers[case] = answer
    answers.move_to_end(case)
    while len(answers) > bound:
        answers.popitem(last=False)


def _step_back() -> None:
    """Give way to every other thread; Linux alone has a priority for each thread."""
    if sys.platform != "linux":
        return
    try:
        niceness = min(os.getpriority(os.PRIO_PROCESS, 0) + _NICENESS, _NICEST)
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
    except OSError as error:
        log.info("simulations run at the usual priority: %s", error)
