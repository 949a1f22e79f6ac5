"""Latency over load in a terminal: one panel a target, with its limit as a line.

In: curves. Out: rich text of a given width. Dots are braille, eight to a character; where the output cannot show them,
asterisks. Colours are the terminal's own and never needed to read the chart.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rich.text import Text

_HEIGHT = 8
_DOTS_ACROSS, _DOTS_DOWN = 2, 4
_BRAILLE = 0x2800
_DOT_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""By row and column within a character."""
_LEFT = 9
_FEWEST_TICKS = 4


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
    cells = _curve(panel, across)
    limit_y = _y(panel, panel.limit_ms)
    safe_column = None if panel.safe is None else _column(panel, panel.safe, across)
    vertical, safe_mark = ("│", "┊") if braille else ("|", ":")
    labels = {_HEIGHT - 1: "0ms", 0: f"{panel.top_ms:.4g}ms", limit_y // _DOTS_DOWN: f"{panel.limit_ms:g}ms"}
    yield Text(panel.title, style="bold")
    for row in range(_HEIGHT):
        line = Text(f"{labels.get(row, ''):>{_LEFT - 1}} {vertical}")
        for column in range(across):
            dots = cells.get((row, column), 0)
            # A dot exactly at its height, not a line amid the row: a curve just below must not look as if it touched.
            limit = _DOT_BITS[limit_y % _DOTS_DOWN][0] if limit_y // _DOTS_DOWN == row else 0
            if dots:
                style = "red" if row < limit_y // _DOTS_DOWN else "green"
                line.append(chr(_BRAILLE + dots) if braille else "*", style=style)
            elif limit:
                line.append(chr(_BRAILLE + limit) if braille else "-", style="yellow")
            else:
                line.append(safe_mark if column == safe_column else " ", style="cyan")
        yield line
    yield _axis(panel, across, safe_column, braille)
    yield _tick_labels(panel, across, safe_column)


def _curve(panel: Panel, across: int) -> dict[tuple[int, int], int]:
    """The dots of the curve by character; steps between columns are filled, so that a steep curve is a line."""
    cells: dict[tuple[int, int], int] = {}
    last: int | None = None
    for dot in range(across * _DOTS_ACROSS):
        value_ms = _at(panel.points, (dot + 0.5) / (across * _DOTS_ACROSS) * panel.right)
        if value_ms is None:
            continue
        now = _y(panel, value_ms)
        passed = range(now, now + 1) if last is None or last == now else range(min(last + 1, now), max(last, now + 1))
        for y in passed:
            if 0 <= y < _HEIGHT * _DOTS_DOWN:
                place = (y // _DOTS_DOWN, dot // _DOTS_ACROSS)
                cells[place] = cells.get(place, 0) | _DOT_BITS[y % _DOTS_DOWN][dot % _DOTS_ACROSS]
        last = now
    return cells


def _at(points: Sequence[tuple[float, float]], load: float) -> float | None:
    for (x0, y0), (x1, y1) in pairwise(points):
        if x0 <= load <= x1:
            return y0 + (y1 - y0) * (load - x0) / (x1 - x0)
    return None


def _y(panel: Panel, value_ms: float) -> int:
    """The dot of a latency, counted from above; negative above the scale."""
    return math.floor((1.0 - value_ms / panel.top_ms) * (_HEIGHT * _DOTS_DOWN - 1) + 0.5)


def _column(panel: Panel, load: float, across: int) -> int:
    return min(across - 1, math.floor(load / panel.right * across))


def _axis(panel: Panel, across: int, safe: int | None, braille: bool) -> Text:
    corner, line, tick, mark = ("└", "─", "┴", "▲") if braille else ("+", "-", "+", "^")
    asked = {_column(panel, rate, across) for rate in panel.asked}
    text = Text(" " * _LEFT + corner)
    for column in range(across):
        if column in asked:
            text.append(mark, style="bold")
        else:
            text.append(tick if column == safe else line, style="cyan" if column == safe else "")
    return text


def _tick_labels(panel: Panel, across: int, safe: int | None) -> Text:
    """Round loads; the safe one takes the place of what would be too close to it."""
    line = [" "] * (_LEFT + 1 + across)
    free = [True] * (len(line) + 1)
    wanted = [] if safe is None or panel.safe is None else [(safe, f"safe {panel.safe:.3g}")]
    for column, label in [*wanted, *((_column(panel, load, across), f"{load:g}") for load in ticks(panel.right))]:
        start = min(_LEFT + 1 + max(0, column - len(label) // 2), len(line) - len(label))
        if all(free[start - 1 : start + len(label) + 1]):
            line[start : start + len(label)] = label
            free[start : start + len(label)] = [False] * len(label)
    return Text("".join(line))


def ticks(right: float) -> tuple[float, ...]:
    """Round numbers from 0 up to the end of a scale, four to ten of them."""
    step = 10.0 ** math.floor(math.log10(right))
    step *= next(factor for factor in (1.0, 0.5, 0.2) if right / (step * factor) >= _FEWEST_TICKS)
    return tuple(float(f"{step * count:.6g}") for count in range(math.floor(right / step + 1e-9) + 1))


def milliseconds(value_ms: float) -> str:
    """A latency in three or four digits: 8.25ms, 41.3ms, 820ms, 12.4s."""
    if value_ms >= 10_000.0:
        return f"{value_ms / 1000.0:.0f}s" if value_ms >= 100_000.0 else f"{value_ms / 1000.0:.1f}s"
    return f"{value_ms:.0f}ms" if value_ms >= 100.0 or value_ms == 0.0 else f"{value_ms:#.3g}ms"
