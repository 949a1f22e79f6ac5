"""Is a pod's rate window as full of scrapes as the windows of its variant used to be?

In: how many scrapes the pods of a variant show. Out: its `WindowFill`, handed from look to look. A window with fewer
scrapes than usual has a gap, and its rate is too low: by the missing share, and by half as much again at an edge of the
window, where rate() goes on for half a scrape interval only. Where the interval does not divide the window, counts
alternate, and single scrapes get lost: so once usual is known it rises only with what is there for a whole window, one
scrape less is no gap, and only windows that stay thin for long mean a longer interval. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median_high

_FULL_WINDOW_RATIO = 0.85
"""A window with fewer of its usual scrapes has a gap. A guess."""
_ACCEPTED_AFTER_WINDOWS = 2.0
"""The first fills the window after a gap; a scrape that is lost meanwhile leaves it within the second."""
_UNSEEN_WINDOWS = 0.5
"""Unseen for longer, a thin window may have a second gap. A guess that lets single queries fail."""


@dataclass(frozen=True, slots=True)
class Spell:
    """For how long windows have had more scrapes than usual, or too few."""

    since_s: float
    scrapes: float
    """The fewest of a spell of more, the most of one of too few."""


@dataclass(frozen=True, slots=True)
class WindowFill:
    """How full the windows of one variant's pods are."""

    usual_scrapes: float
    since_s: float
    """Since when that is being learned: for a window it is the most that is seen."""
    seen_s: float
    more: Spell | None = None
    thin: Spell | None = None
    """From when half of the pods have too few until all are full again."""

    def is_full(self, scrapes: float) -> bool:
        """Whether a window with so many scrapes has no gap; after one, of six scrapes and less none may lack."""
        return scrapes >= (enough_scrapes(self.usual_scrapes) if self.thin is None else _refilled(self.usual_scrapes))


def seen_anew(before: WindowFill | None, scrapes: Sequence[float], window_s: float, now_s: float) -> WindowFill:
    """What to go by at this look, and to remember for the next.

    Args:
        before: of the last look; None: nothing is remembered, and what is seen is taken for usual.
        scrapes: in the window of each pod that has been scraped for as long; at least one.
        window_s: over which rates are taken.
        now_s: the look's moment.
    """
    half_have = median_high(scrapes)
    if before is None:
        return WindowFill(half_have, since_s=now_s, seen_s=now_s)
    if before.thin is None and before.is_full(half_have):
        return _full(before, half_have, window_s, now_s)
    if before.thin is not None and before.is_full(min(scrapes)):
        return replace(before, seen_s=now_s, thin=None)
    thin = _thin(before, half_have, window_s, now_s)
    if now_s - thin.since_s > _ACCEPTED_AFTER_WINDOWS * window_s:
        return WindowFill(half_have, since_s=now_s, seen_s=now_s)
    return replace(before, seen_s=now_s, more=None, thin=thin)


def _full(before: WindowFill, scrapes: float, window_s: float, now_s: float) -> WindowFill:
    if scrapes <= before.usual_scrapes:
        return replace(before, seen_s=now_s, more=None)
    if now_s - before.since_s <= window_s:
        return replace(before, usual_scrapes=scrapes, seen_s=now_s)
    more = Spell(before.more.since_s, min(before.more.scrapes, scrapes)) if before.more else Spell(now_s, scrapes)
    if now_s - more.since_s >= window_s:
        return replace(before, usual_scrapes=more.scrapes, seen_s=now_s, more=None)
    return replace(before, seen_s=now_s, more=more)


def _thin(before: WindowFill, scrapes: float, window_s: float, now_s: float) -> Spell:
    """The spell goes on, unless there may be, or is, another gap after the one that it began with."""
    spell = before.thin
    unseen = now_s - before.seen_s > _UNSEEN_WINDOWS * window_s
    if spell is None or unseen or scrapes < enough_scrapes(spell.scrapes):
        return Spell(now_s, scrapes)
    return Spell(spell.since_s, max(spell.scrapes, scrapes))


def enough_scrapes(usual: float) -> float:
    """Of a window without a gap: one may be late or lost."""
    return min(usual - 1.0, _refilled(usual))


def _refilled(usual: float) -> float:
    return usual * _FULL_WINDOW_RATIO
