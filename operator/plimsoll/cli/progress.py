"""How far is work that takes a while? A bar on standard error, on a terminal only: in a pipe nobody watches it."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import count

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

Step = Callable[[str], None]
"""One more is done; what of it is to be told."""


def ignore(told: str) -> None:
    """For whoever has nothing to show it on."""


@contextmanager
def progress(
    doing: str, total: int | None, in_a_pipe: Step = ignore, done: Callable[[], float] | None = None
) -> Iterator[Step]:
    """A bar that goes with the work.

    Args:
        doing: what the bar says until the first step tells more.
        total: how many steps there are; None where that is not known before.
        in_a_pipe: takes the steps where there is no terminal.
        done: tells how far the work is, steps half done included; None: by steps.
    """
    out = Console(stderr=True)
    if not out.is_terminal:
        yield in_a_pipe
        return
    # The words give way before the bar and the figures do.
    words = TextColumn("{task.description}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis"))
    columns = (words, BarColumn(bar_width=16), TextColumn("{task.fields[steps]}"), TimeElapsedColumn())
    steps, of = count(1), "?" if total is None else total
    with _Asking(*columns, console=out, transient=True, expand=True) as shown:
        task = shown.add_task(doing, total=total, steps=f"0/{of}")
        shown.done = done

        def step(told: str) -> None:
            shown.update(task, advance=1 if done is None else 0, description=told or doing, steps=f"{next(steps)}/{of}")

        yield step


class _Asking(Progress):
    """Asks how far the work is whenever it is drawn."""

    done: Callable[[], float] | None = None

    def get_renderables(self) -> Iterable[RenderableType]:
        if self.done is not None:
            for task in self.tasks:
                task.completed = self.done()
        return super().get_renderables()
