"""How far is work that takes a while? A bar on standard error, on a terminal only: in a pipe nobody watches it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

Step = Callable[[str], None]
"""One more is done; what of it is to be told."""


def ignore(told: str) -> None:
    """For whoever has nothing to show it on."""


@contextmanager
def progress(doing: str, total: int | None, in_a_pipe: Step = ignore) -> Iterator[Step]:
    """A bar that goes with the work.

    Args:
        doing: what the bar says until the first step tells more.
        total: how many steps there are; None where that is not known before.
        in_a_pipe: takes the steps where there is no terminal.
    """
    out = Console(stderr=True)
    if not out.is_terminal:
        yield in_a_pipe
        return
    # The words give way before the bar and the figures do.
    words = TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"))
    columns = (words, BarColumn(bar_width=16), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=out, transient=True, expand=True) as shown:
        task = shown.add_task(doing, total=total)
        yield lambda told: shown.update(task, advance=1, description=told or doing)
