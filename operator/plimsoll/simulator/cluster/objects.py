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
    """The provider has said that it takes it back."""
    pods: dict[str, SimPod] = field(default_factory=dict)
    empty_since_s: float | None = None
    free: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.free = dict(self.offers)

    @property
    def ready(self) -> bool:
        return self.ready_since_s is not None

    def has_room(self, needs: Resources) -> bool:
        return fits(needs, self.free)

    def take(self, pod: SimPod) -> None:
        self.pods[pod.name] = pod
        self.empty_since_s = None
        for name, amount in pod.needs.items():
            self.free[name] = self.free.get(name, 0.0) - amount

    def release(self, pod: SimPod, now_s: float) -> None:
        del self.pods[pod.name]
        for name, amount in pod.needs.items():
            self.free[name] += amount
        if not self.pods:
            self.empty_since_s = now_s


def fits(needs: Resources, free: Resources) -> bool:
    """Whether there is room for those needs."""
    return all(amount <= free.get(name, 0.0) * (1.0 + _ROUNDING) + _ROUNDING for name, amount in needs.items())
