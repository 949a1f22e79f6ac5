"""A file of demand is a table: columns by name, numbers that make sense.

In: a CSV file, gzipped where its name says so. Out: its columns. Whatever is wrong with it is told by line and column,
and what to write: a rate that is no number must not become no requests, of which all are within the SLO.
"""

import csv
import gzip
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from plimsoll.engine.arrays import Floats
from plimsoll.errors import InvalidObject


@dataclass(frozen=True, slots=True)
class Table:
    """The file's columns."""

    path: Path
    lines: tuple[int, ...]
    """Of each row, as an editor counts them."""
    columns: Mapping[str, tuple[str, ...]]

    def numbers(self, name: str, empty: float | None = None) -> Floats:
        """A column of numbers of 0 or more.

        Args:
            name: of the column.
            empty: what a cell without text stands for; None: nothing may be missing.

        Raises:
            InvalidObject: a cell is no such number.
        """
        return np.array(
            [
                empty if empty is not None and not text else self._number(line, name, text)
                for line, text in zip(self.lines, self.columns[name], strict=True)
            ],
            dtype=np.float64,
        )

    def mistake(self, row: int, name: str, write: str) -> InvalidObject:
        """What to raise for a cell.

        Args:
            row: its place.
            name: of its column.
            write: what to write instead.
        """
        return self._mistake(self.lines[row], name, self.columns[name][row], write)

    def _number(self, line: int, name: str, text: str) -> float:
        try:
            value = float(text)
        except ValueError as error:
            raise self._mistake(line, name, text, "a number of 0 or more") from error
        if not (math.isfinite(value) and value >= 0.0):
            raise self._mistake(line, name, text, "a number of 0 or more")
        return value

    def _mistake(self, line: int, name: str, text: str, write: str) -> InvalidObject:
        return InvalidObject(f"{self.path} line {line}: {name} is {text or 'empty'}: write {write}")


def read_table(path: Path, needed: Sequence[str]) -> Table:
    """The file as a table with a row at least.

    Args:
        path: of the file.
        needed: columns that it must have; others are kept, too.

    Raises:
        InvalidObject: it cannot be read, or has no such columns, or no row.
    """
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        # Excel begins a file with a byte order mark, which is no part of the first name.
        with (
            gzip.open(path, "rt", encoding="utf-8-sig", newline="")
            if path.suffix == ".gz"
            else path.open(encoding="utf-8-sig", newline="")
        ) as file:
            reader = csv.reader(file)
            header = [name.strip() for name in next(reader, [])]
            for row in reader:
                if row:
                    rows.append(row)
                    lines.append(reader.line_num)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise InvalidObject(f"{path} cannot be read: {error}") from error
    absent = [name for name in needed if name not in header]
    if absent:
        raise InvalidObject(
            f"{path} has no column {absent[0]}: it needs columns {', '.join(needed)}, and has "
            f"{', '.join(header) or 'none'}"
        )
    if not rows:
        raise InvalidObject(f"{path} has no row under its header: write one at least")
    for line, row in zip(lines, rows, strict=True):
        if len(row) < len(header):
            raise InvalidObject(f"{path} line {line} has {len(row)} cells, the header has {len(header)}: is it whole?")
    columns = {name: tuple(row[place].strip() for row in rows) for place, name in enumerate(header)}
    return Table(path, tuple(lines), columns)
