"""Latency over load in a terminal: one panel a target, with its limit as a line.

In: curves. Out: rich text of a given width. Dots are braille, eight to a character; where the output cannot show them,
asterisks. Colours are the terminal's own and never needed to read the chart.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.text import Text

_HEIGHT = 8
_DOTS_ACROSS, _DOTS_DOWN = 2, 4
_BRAILLE = 0x2800
_DOT_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""By row and column within a character."""
_LEFT = 9
_TICKS = 5


@dataclass(frozen=True, slots=True)
class Panel:
    """One curve."""

    title: str
    points: tuple[tuple[float, float], ...]
    """Load and latency in ms, by rising load."""
    limit_ms: float
    top_ms: float
    """The end of the scale; what is above is cut off."""
    right: float
    safe: float | None
    """The safe load."""
    asked: tuple[float, ...] = ()


def chart(panel: Panel, width: int, braille: bool = True) -> Iterator[Text]:
    """The lines of one panel: title, plot, axis."""
    across = max(20, width - _LEFT - 2)
    dots = _curve(panel, across)
    limit_row = _row(panel, panel.limit_ms)
    safe_column = None if panel.safe is None else _column(panel, panel.safe, across)
    asked = {_column(panel, rate, across) for rate in panel.asked}
    vertical, horizontal, corner, mark = ("│", "╌", "└", "▲") if braille else ("|", "-", "+", "^")
    yield Text(panel.title, style="bold")
    for row in range(_HEIGHT):
        line = Text(f"{_row_label(panel, row, limit_row):>{_LEFT - 1}} {vertical}")
        for column in range(across):
            cell = dots.get((row, column), 0)
            above = cell and row < limit_row
            if cell:
                line.append(chr(_BRAILLE + cell) if braille else "*", style="red" if above else "green")
            elif row == limit_row:
                line.append(horizontal, style="yellow")
            elif column == safe_column:
                line.append(":" if not braille else "┊", style="cyan")
            else:
                line.append(" ")
        yield line
    yield _axis(across, safe_column, asked, corner, "─" if braille else "-", mark)
    yield _ticks(panel, across)


def _curve(panel: Panel, across: int) -> dict[tuple[int, int], int]:
    """The dots of the curve by character; steps between columns are filled, so that a steep curve is a line."""
    cells: dict[tuple[int, int], int] = {}
    last: int | None = None
    for dot in range(across * _DOTS_ACROSS):
        value_ms = _at(panel.points, (dot + 0.5) / (across * _DOTS_ACROSS) * panel.right)
        if value_ms is None:
            continue
        height = _HEIGHT * _DOTS_DOWN
        now = math.floor((1.0 - value_ms / panel.top_ms) * height)
        first = now if last is None else last
        for y in range(min(first, now), max(first, now) + 1):
            if 0 <= y < height and (y != first or first == now):
                place = (y // _DOTS_DOWN, dot // _DOTS_ACROSS)
                cells[place] = cells.get(place, 0) | _DOT_BITS[y % _DOTS_DOWN][dot % _DOTS_ACROSS]
        last = now
    return cells


def _at(points: Sequence[tuple[float, float]], load: float) -> float | None:
    for (x0, y0), (x1, y1) in zip(points, points[1:], strict=False):
        if x0 <= load <= x1:
            return y0 + (y1 - y0) * (load - x0) / (x1 - x0)
    return None


def _row(panel: Panel, value_ms: float) -> int:
    return min(_HEIGHT - 1, max(0, math.floor((1.0 - value_ms / panel.top_ms) * _HEIGHT)))


def _column(panel: Panel, load: float, across: int) -> int:
    return min(across - 1, math.floor(load / panel.right * across))


def _row_label(panel: Panel, row: int, limit_row: int) -> str:
    if row == limit_row:
        return milliseconds(panel.limit_ms)
    if row == 0 and limit_row > 1:
        return milliseconds(panel.top_ms)
    return "0ms" if row == _HEIGHT - 1 else ""


def _axis(across: int, safe: int | None, asked: set[int], corner: str, line: str, mark: str) -> Text:
    text = Text(" " * _LEFT + corner)
    for column in range(across):
        if column in asked:
            text.append(mark, style="bold")
        elif column == safe:
            text.append("┴" if line == "─" else "+", style="cyan")
        else:
            text.append(line)
    return text


def _ticks(panel: Panel, across: int) -> Text:
    line = [" "] * (_LEFT + 1 + across)
    for tick in range(_TICKS + 1):
        label = f"{panel.right * tick / _TICKS:.3g}"
        start = _LEFT + 1 + round(across * tick / _TICKS) - (0 if tick == 0 else len(label))
        line[start : start + len(label)] = label
    return Text("".join(line))


def milliseconds(value_ms: float) -> str:
    """A latency in three digits or so: 8.25ms, 41.3ms, 820ms, 12.4s."""
    if value_ms >= 10_000.0:
        return f"{value_ms / 1000.0:.4g}s"
    return f"{value_ms:.0f}ms" if value_ms >= 100.0 else f"{value_ms:.3g}ms"
