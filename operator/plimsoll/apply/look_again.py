"""Was it a conflict of substance? Look again, and let the fresh look say.

In: an attempt that reads, judges and writes with what it read as precondition. Out: its result, or the last conflict.
A target's own controller writes its status while pods come and go, above all just after the target was created, and
each such write makes ours a conflict although nobody changed what we decided on.
"""

from collections.abc import Callable
from typing import TypeVar

from plimsoll.errors import WriteConflict

T = TypeVar("T")

LOOKS = 4
"""A guess: the gap between look and write is milliseconds, so a second conflict in a row is rare already."""


def look_again(attempt: Callable[[], T]) -> T:
    """The result of the first attempt without a conflict.

    Raises:
        WriteConflict: of the last attempt.
    """
    for _ in range(LOOKS - 1):
        try:
            return attempt()
        except WriteConflict:
            continue  # The next attempt reads what the other one wrote.
    return attempt()
