"""How do simulated answers outlive the process? One JSON object a line, appended as they come.

In: answers. Out: those of earlier runs, as far as they are whole and the present kernel's. A file that cannot be used
is a warning and no more: what is missing is simulated anew.
"""

import logging
import math
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from plimsoll.domain import SizedBy
from plimsoll.engine.search import KERNEL_VERSION
from plimsoll.sizing import Capacity, Case
from plimsoll.sizing.capacity import SHARES

log = logging.getLogger(__name__)

_ROOM = 2
"""The file holds this many times the bound before it is written anew, so that this is seldom."""


@dataclass(frozen=True, slots=True)
class _Line:
    kernel: int
    case: Case
    capacity: Capacity


_LINES = TypeAdapter(_Line)


class KeptAnswers:
    """A file of answers. Not safe for threads: the one that simulates owns it."""

    def __init__(self, file: Path, bound: int) -> None:
        self._file = file
        self._bound = bound
        self._lines = 0
        self._unfinished = False
        self._usable = True

    def load(self) -> dict[Case, Capacity]:
        """What earlier runs found out, the latest last; other lines are left out with one warning."""
        try:
            text = self._file.read_bytes()
        except FileNotFoundError:
            return {}
        except OSError as error:
            self._give_up(f"it cannot be read: {error}")
            return {}
        lines = [line for line in text.split(b"\n") if line.strip()]
        self._lines = len(lines)
        # A process that was killed while it wrote leaves half a line: the next one must not be glued to it.
        self._unfinished = bool(text) and not text.endswith(b"\n")
        known: dict[Case, Capacity] = {}
        left_out = 0
        for line in lines:
            read = _read(line)
            if read is None:
                left_out += 1
                continue
            known.pop(read.case, None)
            known[read.case] = read.capacity
        if left_out:
            log.warning(
                "%d of %d lines of sizing.cache_file %s are broken or of another version, and are left out: what they "
                "said is simulated anew. Nothing need be done; delete the file to be rid of this warning",
                left_out,
                len(lines),
                self._file,
            )
        known = dict(list(known.items())[-self._bound :])
        if self._is_large():
            self._write_anew(known)
        return known

    def add(self, case: Case, capacity: Capacity, known: Mapping[Case, Capacity]) -> None:
        """Append an answer; `known` is all that is worth keeping when the file has to be written anew."""
        if not self._usable:
            return
        if self._is_large():
            self._write_anew(known)
            return
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            # Opened for each line: another process may have put a new file in its place meanwhile.
            with self._file.open("ab") as out:
                out.write((b"\n" if self._unfinished else b"") + _line(case, capacity))
        except OSError as error:
            self._give_up(f"it cannot be written: {error}")
            return
        self._unfinished = False
        self._lines += 1

    def _is_large(self) -> bool:
        return self._lines >= _ROOM * self._bound

    def _write_anew(self, known: Mapping[Case, Capacity]) -> None:
        try:
            self._replace_by(b"".join(_line(case, capacity) for case, capacity in known.items()))
        except OSError as error:
            self._give_up(f"it cannot be written anew: {error}")
            return
        self._lines, self._unfinished = len(known), False

    def _replace_by(self, text: bytes) -> None:
        # A name that nobody else has: processes in two containers may share the volume and the process id.
        beside = self._file.with_name(f"{self._file.name}.{uuid.uuid4().hex}")
        try:
            beside.write_bytes(text)
            beside.replace(self._file)
        except OSError:
            beside.unlink(missing_ok=True)
            raise

    def _give_up(self, why: str) -> None:
        self._usable = False
        log.warning(
            "sizing.cache_file %s is not used, %s. Simulations are forgotten when this process ends; all else works. "
            "Name a file in a folder that this process may write to, or none",
            self._file,
            why,
        )


def _line(case: Case, capacity: Capacity) -> bytes:
    # Lengths without an end are told by saying nothing of it: JSON has no infinity. So defaults of cases never change.
    return _LINES.dump_json(_Line(KERNEL_VERSION, case, capacity), exclude_defaults=True) + b"\n"


def _read(line: bytes) -> _Line | None:
    try:
        read = _LINES.validate_json(line)
    except ValidationError:
        return None
    return read if read.kernel == KERNEL_VERSION and _is_whole(read) else None


def _is_whole(read: _Line) -> bool:
    """Whether it is an answer that the planner can stand on: a line may have been edited, or cut by a full disk."""
    case, capacity = read.case, read.capacity
    return (
        capacity.sized_by is SizedBy.SIMULATION
        and 0 < len(capacity.replicas) == len(capacity.rate_rps)
        and all(a < b for a, b in pairwise((0, *capacity.replicas)))
        and all(a <= b for a, b in pairwise(capacity.rate_rps))
        and len(capacity.latency_ms) == len(case.slo)
        and all(len(one) == len(SHARES) for one in capacity.latency_ms)
        and _are_amounts((*capacity.rate_rps, *(value for one in capacity.latency_ms for value in one)))
        and capacity.full_rps > 0.0
    )


def _are_amounts(values: Iterable[float]) -> bool:
    return all(math.isfinite(value) and value >= 0.0 for value in values)
