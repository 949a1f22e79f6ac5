"""Refining: simulates, beside the loop, what the plan stands on, the most important first.

In: cases to simulate, as ``sizing.to_simulate`` ranks them. Out: the answers so far, for the next decision. Never here:
which cases matter (``sizing``), the simulation itself (``engine``). A tick never waits for a simulation.

- ``refiner``: the thread and what it has found.
- ``kept``: the same across restarts, in a file.
"""

from plimsoll.refining.kept import KeptAnswers
from plimsoll.refining.refiner import Refiner

__all__ = ["KeptAnswers", "Refiner"]
