"""The refiner simulates what it is asked for, in that order, and nobody ever waits for it."""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from plimsoll.refining import Refiner
from plimsoll.sizing import Capacity, Case
from unit.refining.cases import a_case, an_answer


class Bench:
    """Simulates as the test says: at once, or only one case for each turn that is given."""

    def __init__(self, failing: Sequence[Case] = (), holds: bool = False) -> None:
        self.played: list[Case] = []
        self.turns = threading.Semaphore(0 if holds else 1_000)
        self.began = threading.Event()
        self.niceness: int | None = None
        self._failing = failing

    def __call__(self, case: Case) -> Capacity:
        self.began.set()
        self.niceness = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
        self.turns.acquire()
        self.played.append(case)
        if case in self._failing:
            raise ZeroDivisionError("a bug")
        return an_answer(float(len(self.played)))


@contextmanager
def refining(bench: Bench, file: Path | None = None, bound: int = 100) -> Iterator[Refiner]:
    refiner = Refiner(file, simulate=bench, bound=bound)
    refiner.start()
    try:
        yield refiner
    finally:
        bench.turns.release(1_000)
        refiner.close()


def until(holds: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 5.0
    while not holds():
        assert time.monotonic() < deadline_s, "it does not come about"
        time.sleep(0.002)


def known_after(refiner: Refiner, count: int) -> Mapping[Case, Capacity]:
    until(lambda: len(refiner.known()) >= count)
    return refiner.known()


def test_what_is_asked_for_is_known_a_moment_later() -> None:
    with refining(Bench()) as refiner:
        assert a_case(1) not in refiner.known()
        refiner.ask([a_case(1), a_case(2)])
        assert dict(known_after(refiner, 2)) == {a_case(1): an_answer(1.0), a_case(2): an_answer(2.0)}


def test_the_most_important_comes_first_and_nothing_twice() -> None:
    bench = Bench()
    with refining(bench) as refiner:
        refiner.ask([a_case(3), a_case(1), a_case(3), a_case(2)])
        known_after(refiner, 3)
        refiner.ask([a_case(1), a_case(4)])
        known_after(refiner, 4)
    assert bench.played == [a_case(3), a_case(1), a_case(2), a_case(4)]


def test_a_new_question_replaces_the_old_ones_but_not_the_one_under_way() -> None:
    bench = Bench(holds=True)
    with refining(bench) as refiner:
        refiner.ask([a_case(1), a_case(2), a_case(3)])
        assert bench.began.wait(2.0)
        assert refiner.waiting() == 2
        refiner.ask([a_case(1), a_case(4)])
        assert refiner.waiting() == 1
        bench.turns.release(2)
        known_after(refiner, 2)
        assert refiner.waiting() == 0
    assert bench.played == [a_case(1), a_case(4)]


def test_a_view_does_not_change_under_who_reads_it() -> None:
    with refining(Bench()) as refiner:
        before = refiner.known()
        refiner.ask([a_case(1)])
        known_after(refiner, 1)
        assert len(before) == 0
        assert list(before) == []
        with pytest.raises(KeyError):
            before[a_case(1)]


def test_a_case_that_fails_is_told_once_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench(failing=[a_case(1)])
    outcomes: list[str] = []
    refiner = Refiner(count=outcomes.append, simulate=bench)
    refiner.start()
    with caplog.at_level(logging.ERROR, logger="plimsoll.refining"):
        refiner.ask([a_case(1), a_case(2)])
        known_after(refiner, 1)
        refiner.ask([a_case(1), a_case(3)])
        known_after(refiner, 2)
    refiner.close()
    assert bench.played == [a_case(1), a_case(2), a_case(3)]
    assert outcomes == ["failed", "ok", "ok"]
    (record,) = caplog.records
    assert record.exc_info is not None
    assert repr(a_case(1)) in record.getMessage()


def test_what_no_plan_has_read_for_longest_is_forgotten_first() -> None:
    with refining(Bench(), bound=3) as refiner:
        refiner.ask([a_case(1), a_case(2), a_case(3)])
        view = known_after(refiner, 3)
        assert view[a_case(1)] == an_answer(1.0)
        refiner.known()
        refiner.ask([a_case(4)])
        until(lambda: a_case(4) in refiner.known())
        assert set(refiner.known()) == {a_case(1), a_case(3), a_case(4)}


def test_neither_asking_nor_knowing_waits_for_a_simulation() -> None:
    bench = Bench(holds=True)
    with refining(bench) as refiner:
        refiner.ask([a_case(1)])
        assert bench.began.wait(2.0)
        began_s = time.monotonic()
        for number in range(100):
            refiner.ask([a_case(number)])
            refiner.known()
        # A hundred times some microseconds; a single wait for the simulation would never end.
        assert time.monotonic() - began_s < 1.0
        assert bench.played == []


def test_closing_leaves_a_simulation_under_way_behind_within_a_second() -> None:
    bench = Bench(holds=True)
    refiner = Refiner(simulate=bench)
    refiner.start()
    refiner.ask([a_case(1), a_case(2)])
    assert bench.began.wait(2.0)
    began_s = time.monotonic()
    refiner.close()
    assert time.monotonic() - began_s < 1.0
    bench.turns.release(2)
    until(lambda: "refiner" not in {thread.name for thread in threading.enumerate()})
    assert bench.played == [a_case(1)], "what waited is not begun any more"


def test_one_that_never_began_can_be_closed() -> None:
    Refiner().close()


def test_the_thread_gives_way_and_the_process_does_not() -> None:
    bench = Bench()
    own = os.getpriority(os.PRIO_PROCESS, 0)
    with refining(bench) as refiner:
        refiner.ask([a_case(1)])
        known_after(refiner, 1)
    assert bench.niceness is not None
    # Elsewhere a thread has no priority of its own to lower.
    assert (bench.niceness > own) is (sys.platform == "linux")
    assert os.getpriority(os.PRIO_PROCESS, 0) == own


def test_a_restart_knows_what_was_simulated_before(tmp_path: Path) -> None:
    file = tmp_path / "safe-rates.jsonl"
    with refining(Bench(), file) as refiner:
        refiner.ask([a_case(1), a_case(2)])
        known_after(refiner, 2)
        until(lambda: file.exists() and file.read_text().count("\n") == 2)
    bench = Bench()
    with refining(bench, file) as refiner:
        refiner.ask([a_case(2), a_case(3)])
        assert dict(known_after(refiner, 3)) == {
            a_case(1): an_answer(1.0),
            a_case(2): an_answer(2.0),
            a_case(3): an_answer(1.0),
        }
    assert bench.played == [a_case(3)]
