"""What happens next? Things to do at moments of simulated time, in order.

In: moments and actions. Out: the actions, each called at its moment; of two at one moment the one noted first.
"""

import heapq
from collections.abc import Callable, Iterator
from itertools import count

Action = Callable[[float], None]
"""Called with the moment, in seconds since the start of the run."""


class Agenda:
    """A clock that jumps from action to action."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Action]] = []
        self._order = count()
        self.now_s = 0.0

    def note(self, at_s: float, action: Action) -> None:
        """Do this then, or now if that has passed."""
        heapq.heappush(self._entries, (max(at_s, self.now_s), next(self._order), action))

    def every(self, interval_s: float, action: Action, first_s: float = 0.0) -> None:
        """Do this again and again; the k-th time at exactly `first_s + k interval_s`."""

        def again(at_s: float, turn: int = 0) -> None:
            action(at_s)
            following = turn + 1
            self.note(first_s + following * interval_s, lambda then_s: again(then_s, following))

        self.note(first_s, again)

    def until(self, end_s: float) -> Iterator[float]:
        """Do all that is due before `end_s`; yields the time after each action."""
        while self._entries and self._entries[0][0] < end_s:
            self.now_s, _, action = heapq.heappop(self._entries)
            action(self.now_s)
            yield self.now_s
        self.now_s = end_s
