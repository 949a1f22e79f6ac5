"""What does only time teach? Start-ups that were watched, for how long plans have stood, rises that found no capacity.

In: nothing. Out: frozen types, and `Told`: what of it a status tells to a process that has learned nothing yet.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class StartUp(NamedTuple):
    """One start of one pod, from creation to ready."""

    seconds: float
    waited_for_node: bool
    """True where its node was created after it."""


@dataclass(frozen=True, slots=True)
class Dwell:
    """For how long a deployment's plans stand, by the variants they use."""

    places: frozenset[str]
    since_s: float
    lasted_s: tuple[float, ...] = ()
    """Of the plans before this one, oldest first."""


@dataclass(frozen=True, slots=True)
class Standby:
    """A rise of demand that found too little ready; what is ready since then is kept for the next one."""

    rate_rps: float
    """The highest rate of it."""
    worth_usd: float
    """What the missing capacity cost, by the policy's price of a violation."""
    needed_s: float | None
    """When demand was last that high; None where a status tells that it is."""
    idled_usd: float = 0.0
    """What has idled since then for it."""
    at_s: float | None = None
    """When it was last looked at; None before the first look after a start."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a deployment's status tells of the time before; whoever has seen enough of its own goes by that."""

    rate_cv2: float = 0.0
    """Burstiness; 0 for steady traffic."""
    start_ups: Mapping[str, tuple[StartUp, ...]] = field(default_factory=dict)
    """By variant: one start on a node that was there and one that waited for it, as far as known. Each stands for all
    that were seen of its sort, by the time that most of them took at most."""
    dwell: Dwell | None = None
    """Plans before this one by the mean of their times."""
    standby: Standby | None = None


NOTHING_TOLD = Told()
