"""What are a node and a pod here?

In: nothing. Out: their state. Times are seconds since the start of the run.
"""

from dataclasses import dataclass, field

from plimsoll.domain import Resources, VariantKey

_ROUNDING = 1e-9


@dataclass
class SimPod:
    """One replica's pod."""

    name: str
    key: VariantKey
    pool: str
    needs: Resources
    created_s: float
    node: "SimNode | None" = None
    ready_since_s: float | None = None
    terminating: bool = False
    unschedulable_since_s: float | None = None
    slot: int | None = None
    """Where its engine is simulated, from when it is ready until it is gone."""

    @property
    def is_ready(self) -> bool:
        return self.ready_since_s is not None and not self.terminating


@dataclass
class SimNode:
    """One node, from its request on."""

    name: str
    pool: str
    requested_s: float
    offers: Resources
    ready_since_s: float | None = None
    cordoned: bool = False
    """No pod comes any more: the provider takes it back, or the autoscaler empties it."""
    emptied: bool = False
    """The autoscaler empties it: it goes with its last pod."""
    avoided: bool = False
    """The autoscaler would do without it: the scheduler prefers others (DeletionCandidateOfClusterAutoscaler)."""
    unneeded_since_s: float | None = None
    """Since when the autoscaler would do without it, by its last look."""
    pods: dict[str, SimPod] = field(default_factory=dict)
    empty_since_s: float | None = None
    free: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.free = dict(self.offers)

    @property
    def ready(self) -> bool:
        return self.ready_since_s is not None

    def note_unneeded(self, unneeded: bool, now_s: float) -> None:
        """What the autoscaler's look at `now_s` says; a node that is empty is unneeded since then."""
        since_s = self.empty_since_s if self.unneeded_since_s is None else self.unneeded_since_s
        self.unneeded_since_s = (now_s if since_s is None else since_s) if unneeded else None

    def has_room(self, needs: Resources) -> bool:
        return fits(needs, self.free)

    def take(self, pod: SimPod) -> None:
        self.pods[pod.name] = pod
        self.empty_since_s = None
        take_from(self.free, pod.needs)

    def release(self, pod: SimPod, now_s: float) -> None:
        del self.pods[pod.name]
        give_back(self.free, pod.needs)
        if not self.pods:
            self.empty_since_s = now_s


def fits(needs: Resources, free: Resources) -> bool:
    """Whether there is room for those needs."""
    return all(amount <= free.get(name, 0.0) * (1.0 + _ROUNDING) + _ROUNDING for name, amount in needs.items())


def take_from(room: dict[str, float], needs: Resources) -> None:
    """What is free, less those needs."""
    for name, amount in needs.items():
        room[name] = room.get(name, 0.0) - amount


def give_back(room: dict[str, float], needs: Resources) -> None:
    """What is free, and those needs again."""
    for name, amount in needs.items():
        room[name] += amount
