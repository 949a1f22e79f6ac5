"""Is a pod's rate window as full of scrapes as the windows of its variant used to be?

In: how many scrapes the pods of a variant show. Out: its `WindowFill`, handed from look to look. A window with fewer
scrapes than usual has a gap, and its rate is too low: the missing share at least, and half as much again at an edge of
the window, where rate() goes on for half a scrape interval only. What is usual rises with whatever is seen; it falls
only where windows stay thin for so long that the scrape interval must have become longer. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median_high
from typing import Self

_FULL_WINDOW_RATIO = 0.85
"""A window with fewer of its usual scrapes has a gap. A guess that leaves room for a scrape that is late or lost. Once
a gap is known, the window counts again when it is as full as it was."""
_ACCEPTED_AFTER_WINDOWS = 2.0
"""The first fills the window after a gap; a scrape that is lost meanwhile leaves it within the second."""


@dataclass(frozen=True, slots=True)
class WindowFill:
    """How full the windows of one variant's pods are."""

    usual_scrapes: float
    thin_since_s: float | None = None
    """Since when half of them have had fewer; None: they are full."""

    def is_full(self, scrapes: float) -> bool:
        """Whether a window with so many scrapes has no gap."""
        return scrapes >= (enough_scrapes(self.usual_scrapes) if self.thin_since_s is None else self.usual_scrapes)

    def interrupted(self, now_s: float) -> Self:
        """Nothing was seen this time: whether the interval has become longer is judged anew."""
        return self if self.thin_since_s is None else replace(self, thin_since_s=now_s)


def seen_anew(before: WindowFill | None, scrapes: Sequence[float], window_s: float, now_s: float) -> WindowFill:
    """What to go by at this look, and to remember for the next.

    Args:
        before: of the last look; None: nothing is remembered, and what is seen is taken for usual.
        scrapes: in the window of each pod that has been scraped for as long; at least one.
        window_s: over which rates are taken.
        now_s: the look's moment.
    """
    seen = median_high(scrapes)
    if before is None:
        return WindowFill(seen)
    if before.is_full(seen):
        return WindowFill(max(before.usual_scrapes, seen))
    since_s = now_s if before.thin_since_s is None else before.thin_since_s
    if now_s - since_s > _ACCEPTED_AFTER_WINDOWS * window_s:
        return WindowFill(seen)
    return replace(before, thin_since_s=since_s)


def enough_scrapes(usual: float) -> float:
    """Of a window without a gap."""
    return min(usual - 1.0, usual * _FULL_WINDOW_RATIO)
