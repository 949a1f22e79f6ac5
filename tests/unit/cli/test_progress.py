"""Is long work to be seen on a terminal, and silent in a pipe?"""

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import pytest

from plimsoll.cli.progress import progress
from unit.cli.test_plan import write_world
from unit.cli.test_plan_offline import Simulated, planned


class Terminal:
    """Stands for standard error."""

    def __init__(self, file: TextIO, seen: int) -> None:
        self._file, self._seen = file, seen

    def lines(self) -> list[str]:
        """What was written to it, colours and movements of the cursor taken away."""
        self._file.flush()
        written = bytearray()
        # A terminal hands out what waits in pieces.
        with suppress(BlockingIOError):
            while piece := os.read(self._seen, 1_000_000):
                written += piece
        text = written.decode()
        return [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line).rstrip() for line in re.split(r"[\r\n]+", text)]


@contextmanager
def a_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    seen, shown = os.openpty()
    # Better an error than a test that waits for what nobody writes.
    os.set_blocking(seen, False)
    with os.fdopen(shown, "w") as file:
        monkeypatch.setattr(sys, "stderr", file)
        monkeypatch.setenv("TERM", "xterm-256color")
        monkeypatch.setenv("COLUMNS", "80")
        yield Terminal(file, seen)
    os.close(seen)


def test_a_terminal_shows_how_much_is_done_and_keeps_to_its_width(monkeypatch: pytest.MonkeyPatch) -> None:
    with a_terminal(monkeypatch) as terminal:
        with progress("simulating a scenario whose name is much longer than any terminal is wide " * 2, 3) as step:
            step("")
            step("a second one")
        lines = terminal.lines()
    assert any("2/3" in line for line in lines)
    assert any("a second one" in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_steps_that_are_half_done_move_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    done = 0.0
    with a_terminal(monkeypatch) as terminal, progress("simulating", 2, done=lambda: done):
        time.sleep(0.3)
        begun = terminal.lines()
        done = 0.97
        time.sleep(0.3)
        later = terminal.lines()
    # A bar whose end is half a character wide; without colours a whole one is not told from an empty one.
    assert not any("╸" in line for line in begun)
    assert any("╸" in line and "0/2" in line for line in later)


def test_simulations_that_a_plan_waits_for_are_counted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_world(tmp_path)
    with a_terminal(monkeypatch) as terminal:
        planned(tmp_path, Simulated())
        assert any("--quick" in line and "1/1" in line for line in terminal.lines())


def test_a_pipe_stays_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("simulating", 2) as step:
        step("one")
        step("two")
    told = capsys.readouterr()
    assert (told.out, told.err) == ("", "")


def test_what_reads_a_log_afterwards_may_have_the_steps(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[str] = []
    with progress("simulating", 2, told.append) as step:
        step("one")
        step("two")
    assert told == ["one", "two"]
    assert capsys.readouterr().err == ""
