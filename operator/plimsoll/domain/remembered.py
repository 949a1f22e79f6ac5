"""What does one tick hand to the next?

In: nothing. Out: frozen types; an empty `Memory` is a fresh start.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from plimsoll.domain.decided import Plan
from plimsoll.domain.learned import Dwell, Standby, StartUp
from plimsoll.domain.names import ObjectKey, VariantKey
from plimsoll.domain.present import Burstiness, LatencyComparison, StepTime, TokenMix


class DemandSample(NamedTuple):
    """One remembered look at a deployment's demand."""

    at_s: float
    arrival_rate_rps: float
    tokens: TokenMix


@dataclass(frozen=True, slots=True)
class MixInUse:
    """The token mix that a deployment is sized for, which moves less than what is observed."""

    tokens: TokenMix
    jumped_s: float | None
    """When looks last made it heavier before the mean did; None where none did."""


class TargetSample(NamedTuple):
    """What the planner wanted of one variant at one moment; stabilisation looks back over these."""

    at_s: float
    replicas: int


@dataclass(frozen=True, slots=True)
class StockOut:
    """A pool failed to deliver a node: capped to what it has until the mark ends; each new failure doubles the wait."""

    since_s: float
    until_s: float
    failures: int


@dataclass(frozen=True, slots=True)
class Correction:
    """What requests taught about one profile, and by how much its step times are corrected for it."""

    step_time: StepTime
    """The profile's own, of which this was learned."""
    at_s: float
    """When it was last looked at, usable or not."""
    factor: float = 1.0
    """In use: bounded, in steps."""
    log_factor: float = 0.0
    """Mean logarithm of the engine's step times over the profile's."""
    log_ratio: float = 0.0
    """Mean logarithm of observed latency over what the profile predicts at the same load, from a start at 0."""
    usable_s: float = 0.0
    """Time it was learned from."""
    loaded_s: float = 0.0
    """That part of it, since it last drifted, whose looks confirm the safe rate (``sizing.headroom``)."""
    wide_s: float = 0.0
    """Usable time during which predictions were far off, less the time during which they were not."""
    drifted: bool = False
    latest: LatencyComparison | None = None
    """The last usable look, against the profile as written."""


class ReadyCount(NamedTuple):
    """So many replicas of a variant have been ready since then."""

    replicas: int
    since_s: float


@dataclass(frozen=True, slots=True)
class Gain:
    """What the last simulation of a variant said, over what one replica had been estimated to carry."""

    replicas: tuple[int, ...]
    ratios: tuple[float, ...]
    """By number of replicas: what they carry together."""


class PastDemand:
    """What the forecast remembers of days, in arrays of its own; everybody else hands it on unread."""

    __slots__ = ()


NO_PAST = PastDemand()


@dataclass(frozen=True, slots=True)
class StartUps:
    """The starts of pods that were watched."""

    at_s: float | None = None
    """When pods were last looked at."""
    starting: Mapping[VariantKey, frozenset[str]] = field(default_factory=dict)
    """Names of pods on their way."""
    done: Mapping[VariantKey, tuple[StartUp, ...]] = field(default_factory=dict)
    """The last ones, oldest first."""


NO_START_UPS = StartUps()


@dataclass(frozen=True, slots=True)
class Memory:
    """All that one tick hands to the next; an empty one is a fresh start and is always safe."""

    demand: Mapping[ObjectKey, tuple[DemandSample, ...]] = field(default_factory=dict)
    mixes: Mapping[ObjectKey, MixInUse] = field(default_factory=dict)
    burstiness: Mapping[ObjectKey, Burstiness] = field(default_factory=dict)
    past: PastDemand = NO_PAST
    targets: Mapping[VariantKey, tuple[TargetSample, ...]] = field(default_factory=dict)
    replicas: Mapping[VariantKey, int] = field(default_factory=dict)
    """The last plan's allocation, the next solve's start."""
    stock_outs: Mapping[str, StockOut] = field(default_factory=dict)
    unknown_since_s: Mapping[ObjectKey, float] = field(default_factory=dict)
    corrections: Mapping[str, Correction] = field(default_factory=dict)
    """By profile."""
    ready: Mapping[VariantKey, ReadyCount] = field(default_factory=dict)
    gains: Mapping[VariantKey, Gain] = field(default_factory=dict)
    start_ups: StartUps = NO_START_UPS
    dwells: Mapping[ObjectKey, Dwell] = field(default_factory=dict)
    standbys: Mapping[ObjectKey, Standby | None] = field(default_factory=dict)
    """None of a deployment that was looked at, and for which nothing is kept."""


@dataclass(frozen=True, slots=True)
class Decision:
    """The plan of this tick and what the next one must remember."""

    plan: Plan
    memory: Memory
