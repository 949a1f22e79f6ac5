"""What may a page know of a scenario besides its results?"""

from dataclasses import dataclass
from typing import Final

GOAL: Final = 0.99
"""Share of requests within their SLO that a policy has to reach, where nobody says otherwise; convention."""


@dataclass(frozen=True, slots=True)
class Background:
    """All of it may be absent: what is not known is not shown."""

    description: str = ""
    """What the scenario is about, in a sentence."""
    goal: float = GOAL
    """Share of all requests within their SLO that a policy has to reach, 0 to 1."""
