"""Which moves of a run are told one by one, and why did it move at all?

In: the moves of a run. Out: short lists for the page's scripts. Reasons are told in full: the end of one, where its
price stands, is what somebody who doubts it looks for. What does not fit is the smallest moves.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from plimsoll.simulator.result import Move

_MOST_BYTES: Final = 700_000
_FEWEST_BYTES: Final = 6_000
"""Some forty moves with Plimsoll's reasons."""
_MOVE_BYTES: Final = 45
"""Without its text; measured with names as the benchmark has them."""


@dataclass(frozen=True, slots=True)
class Told:
    """What of a run's moves goes into the page."""

    moves: list[list[Any]]
    """Minute, variant, replicas before and after, place in `reasons`, place in `texts`; in order of time."""
    reasons: list[str]
    texts: list[str]
    """Each once: what changes with demand is said again and again."""


def bytes_each(runs: int) -> int:
    """How much of each run is told one by one, when so many runs are drawn."""
    return max(_FEWEST_BYTES, _MOST_BYTES // max(runs, 1))


def told(moves: Sequence[Move], most_bytes: int) -> Told:
    """The moves that change most, as many as fit."""
    kept: list[Move] = []
    texts: dict[str, int] = {}
    used = 0
    for move in sorted(moves, key=lambda one: -abs(one.to_replicas - one.from_replicas)):
        text = _text(move)
        used += _MOVE_BYTES + (0 if text in texts else len(text.encode()))
        if used > most_bytes:
            break
        texts.setdefault(text, len(texts))
        kept.append(move)
    reasons = {reason: place for place, reason in enumerate(dict.fromkeys(map(reason_of, kept)))}
    return Told(
        [
            [
                round(move.at_s / 60.0, 2),
                str(move.key),
                move.from_replicas,
                move.to_replicas,
                reasons[reason_of(move)],
                texts[_text(move)],
            ]
            for move in sorted(kept, key=lambda one: one.at_s)
        ],
        list(reasons),
        list(texts),
    )


def reason_of(move: Move) -> str:
    """The reason without its text: ``ScaleUp`` of ``ScaleUp: demand rises``; empty for policies that give none."""
    return move.reason.partition(":")[0]


def counted(moves: Iterable[Move]) -> dict[str, Any]:
    """How many there were, and how often for each reason that was given."""
    all_of_them = list(moves)
    return {
        "moved": len(all_of_them),
        "why": Counter(reason for reason in map(reason_of, all_of_them) if reason).most_common(),
    }


def _text(move: Move) -> str:
    return move.reason.partition(":")[2].strip()
