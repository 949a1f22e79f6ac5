"""How does a page look that a tired person understands within ten seconds? A word on the left, what it means beside it.

On a terminal lines are folded to its width under their label; in a pipe each stays one line, so that `grep` finds it
whole. Colours stand only where a verdict is, only on a terminal, and never with NO_COLOR.
"""

import textwrap
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

LABEL_WIDTH = 11
_NARROWEST = 30
"""Text columns are not folded further than that."""
GOOD, BAD, NOTE = "green", "red", "yellow"


class Page:
    """Lines with labels, and tables indented as far."""

    def __init__(self, out: Console) -> None:
        self._out = out

    def title(self, text: str) -> None:
        """A line by itself."""
        self._out.print(Text(text, style="bold"), soft_wrap=not self._out.is_terminal)

    def gap(self) -> None:
        """An empty line."""
        self._out.print()

    def lines(self, label: str, texts: Iterable[str], style: str = "") -> None:
        """Each text under the one label; nothing for no text."""
        for number, text in enumerate(texts):
            self._line(label if number == 0 else "", text, style)

    def table(self, label: str, columns: Sequence[Column | str], rows: Iterable[Sequence[str]]) -> None:
        """Rows under a head; numbers stand to the right, nothing is cut off. Nothing for no rows."""
        found = list(rows)
        if not found:
            return
        folded = [Column(one, overflow="fold") if isinstance(one, str) else one for one in columns]
        table = Table(*folded, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="")
        for row in found:
            table.add_row(*(Text(cell) for cell in row))
        grid = Table.grid()
        grid.add_column(width=LABEL_WIDTH)
        grid.add_column()
        grid.add_row(Text(label, style="bold"), table)
        self._out.print(grid)

    def _line(self, label: str, text: str, style: str) -> None:
        head = Text(f"{label:<{LABEL_WIDTH}}", style="bold")
        if not self._out.is_terminal:
            self._out.print(Text.assemble(head, text), soft_wrap=True)
            return
        width = max(self._out.width - LABEL_WIDTH, _NARROWEST)
        for number, part in enumerate(textwrap.wrap(text, width, break_long_words=False) or [""]):
            start = head if number == 0 else Text(" " * LABEL_WIDTH)
            self._out.print(Text.assemble(start, (part, style)), soft_wrap=True)


def right(name: str) -> Column:
    """A column of numbers."""
    return Column(name, justify="right", no_wrap=True)
