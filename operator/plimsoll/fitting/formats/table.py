"""How is a CSV table read so that every mistake is found with its line?

In: text. Out: rows that give numbers by any of a column's names. Columns that name a machine or a model are labels:
rows of different ones are never mixed up in one fit.
"""

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from plimsoll.errors import UnusableMeasurements

_LABELS = ("hardware", "gpu", "system", "model", "engine", "quant", "precision")
"""Columns whose rows belong to different profiles."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table."""

    where: str
    cells: Mapping[str, str]

    def number(self, names: Sequence[str], zero: bool = False) -> float:
        """The positive number in the first of these columns that is there and not empty.

        Raises:
            UnusableMeasurements: none of them is, or it is no positive number.
        """
        value = self.maybe(names, zero)
        if value is None:
            raise UnusableMeasurements(f"{self.where} has no {' or '.join(names)}: fill it in, or leave the line out")
        return value

    def maybe(self, names: Sequence[str], zero: bool = False) -> float | None:
        """Like `number`, None where no such column is filled in."""
        for name in names:
            text = self.cells.get(name, "")
            if text:
                return number(text, f"{self.where}: {name}", zero)
        return None


def number(value: object, where: str, zero: bool = False) -> float:
    """The value as a finite number above zero (or, if allowed, at zero); raises UnusableMeasurements otherwise."""
    try:
        amount = float(value)  # type: ignore[arg-type]  # whatever a file holds; what is no number raises
    except (TypeError, ValueError, OverflowError):
        raise UnusableMeasurements(f"{where} is {value!r}: write a number") from None
    if not math.isfinite(amount) or amount < 0.0 or (amount == 0.0 and not zero):
        raise UnusableMeasurements(
            f"{where} is {value}: a measurement is a number {'not below' if zero else 'above'} zero"
        )
    return amount


def columns(text: str) -> frozenset[str]:
    """The names in the first line."""
    first = text.splitlines()[0] if text.strip() else ""
    try:
        return frozenset(name.strip().lower() for name in next(csv.reader([first]), []))
    except csv.Error:
        # A line that is too long for a table is the first one of something else.
        return frozenset()


def rows(file: str, text: str, only: Mapping[str, str]) -> tuple[Row, ...]:
    """The rows that are asked for, all of one machine and model.

    Raises:
        UnusableMeasurements: no row is left, a column asked for is not there, or rows of several machines are mixed.
    """
    missing = sorted(set(only) - columns(text))
    if missing:
        raise UnusableMeasurements(f"{file} has no column {missing[0]}: it has {', '.join(sorted(columns(text)))}")
    kept = tuple(row for row in _all_rows(file, text) if all(row.cells[name] == value for name, value in only.items()))
    if not kept:
        asked = ", ".join(f"{name}={value}" for name, value in only.items())
        raise UnusableMeasurements(
            f"{file} has no row with {asked}" if asked else f"{file} has no row below its header"
        )
    for label in _LABELS:
        values = sorted({row.cells[label] for row in kept if label in row.cells})
        if len(values) > 1:
            raise UnusableMeasurements(
                f"{file} has rows of {len(values)} different {label} values, which no single profile describes: choose"
                f" one, such as --only '{label}={values[0]}' (others: {', '.join(values[1:])})"
            )
    return kept


def _all_rows(file: str, text: str) -> Iterator[Row]:
    reader = csv.reader(io.StringIO(text))
    header = [name.strip().lower() for name in next(reader, [])]
    for cells in _lines(file, reader):
        where = f"{file} line {reader.line_num}"
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise UnusableMeasurements(f"{where} has {len(cells)} cells, the header {len(header)}: mend the line")
        yield Row(where, {name: cell.strip() for name, cell in zip(header, cells, strict=True)})


def _lines(file: str, lines: Iterator[list[str]]) -> Iterator[list[str]]:
    try:
        yield from lines
    except csv.Error as error:
        raise UnusableMeasurements(f"{file} is no table that can be read: {error}") from error
