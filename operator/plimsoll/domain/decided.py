"""What follows from it? Forecasts, options, allocations, steps, and the plan that holds them all.

In: nothing. Out: frozen types; the few properties here are arithmetic on a type's own fields.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from math import ceil, nan

from plimsoll.domain.learned import Dwell, Standby
from plimsoll.domain.names import Finding, ObjectKey, Reason, Resources, VariantKey
from plimsoll.domain.present import (
    POISSON,
    Burstiness,
    Demand,
    LatencyComparison,
    LatencyObservation,
    LeadTime,
    PriceKind,
    PriceSource,
    Target,
    TokenMix,
)
from plimsoll.domain.wanted import LatencyTarget, Mode


class ForecastWay(StrEnum):
    """What a rate ahead of now is read from."""

    RECENT_QUANTILE = "RecentQuantile"
    LAST_VALUE = "LastValue"
    RECENT_LEVEL = "RecentLevel"
    RECENT_TREND = "RecentTrend"
    DAILY_SHAPE = "DailyShape"


@dataclass(frozen=True, slots=True)
class ForecastScore:
    """The way in use at one lead time, and how good it and the rule of the recent past have been lately."""

    lead_s: float
    way: ForecastWay
    rate_rps: float
    """A quantile of what will be seen, chance included: it is held against what comes."""
    loss_rps: float | None
    """Mean pinball loss at the policy's quantile; None while too little is known."""
    recent_quantile_loss_rps: float | None
    """The same of the recent quantile and its trend, which is used until another way is better."""
    last_value_loss_rps: float | None = None
    """The same of the last value with the quantile of its own past errors, the yardstick."""
    covered_ratio: float | None = None
    """Share of what came lately that lay below what had been said; the policy's quantile where forecasts are honest."""
    planned_rps: float = nan
    """`rate_rps` less chance, which replicas are sized for."""

    @property
    def loss_over_last_value(self) -> float | None:
        """Below 1: better than the last value."""
        if self.loss_rps is None or not self.last_value_loss_rps:
            return None
        return self.loss_rps / self.last_value_loss_rps


class ForecastBasis(StrEnum):
    """What a forecast stands on: fresh data, the last known demand, or the policy's fallback."""

    KNOWN = "Known"
    HELD = "Held"
    FALLBACK = "Fallback"


@dataclass(frozen=True, slots=True)
class Forecast:
    """Demand of one deployment at the policy's quantile, now and at each variant's lead time."""

    key: ObjectKey
    basis: ForecastBasis
    now_rps: float
    """The demand that ready capacity must carry at this moment."""
    at_lead_rps: Mapping[str, float]
    """By variant name: the demand at the moment when a replica asked for now would be ready."""
    tokens: TokenMix | None
    """None as long as no request has ever been seen."""
    message: str
    burstiness: Burstiness = POISSON
    """On a coarse grid, so that it seldom changes."""
    scores: tuple[ForecastScore, ...] = ()
    """One for each lead time that ways to forecast are judged at; none where demand is not known."""
    recent_quantile_rps: tuple[float, ...] = ()
    """What the recent quantile and its trend say at these lead times, whatever is used; chance included."""
    known_since_s: float | None = None
    """Since when demand has been known, gaps aside; None at the start."""
    surely_rps: float = 0.0
    """What of the latest rate is more than the chance of counting; 0 where demand is not known."""

    @property
    def required_rps(self) -> float:
        """The rate to plan for: the highest over now and every variant's lead time."""
        return max((self.now_rps, *self.at_lead_rps.values()))


_ROUNDING_RATIO = 1e-9
"""Shares below this are the rounding of floating-point numbers, not capacity."""


@dataclass(frozen=True, slots=True)
class CapacityTable:
    """Total safe rate by number of replicas behind one router: `rate_rps[i]` is carried by `replicas[i]` replicas.

    Between entries the rate is interpolated, beyond the last one the last entry's rate per replica goes on. One entry
    means that replicas add up linearly.
    """

    replicas: tuple[int, ...]
    rate_rps: tuple[float, ...]

    def total_rps(self, replicas: int) -> float:
        """The safe rate of that many replicas together, in requests per second."""
        if replicas <= 0:
            return 0.0
        points = ((0, 0.0), *zip(self.replicas, self.rate_rps, strict=True))
        for (n0, r0), (n1, r1) in pairwise(points):
            if replicas <= n1:
                return r0 + (r1 - r0) * (replicas - n0) / (n1 - n0)
        return self.rate_rps[-1] * replicas / self.replicas[-1]

    def replicas_for(self, rate_rps: float) -> int:
        """The fewest replicas that carry that rate together; 0 for none, or where no number of them would do."""
        if rate_rps <= 0.0 or self.per_replica_rps <= 0.0:
            return 0
        enough_rps = rate_rps * (1.0 - _ROUNDING_RATIO)
        points = ((0, 0.0), *zip(self.replicas, self.rate_rps, strict=True))
        for (n0, r0), (n1, r1) in pairwise(points):
            if enough_rps <= r1:
                return n0 + ceil((n1 - n0) * (enough_rps - r0) / (r1 - r0)) if r1 > r0 else n0
        return ceil(enough_rps / self.per_replica_rps)

    @property
    def per_replica_rps(self) -> float:
        """The safe rate of one replica among many, in requests per second."""
        return self.rate_rps[-1] / self.replicas[-1]


class SizedBy(StrEnum):
    """What a safe rate stands on: a formula that answers at once, or a simulation of every request."""

    ESTIMATE = "Estimate"
    SIMULATION = "Simulation"


@dataclass(frozen=True, slots=True)
class Option:
    """One variant as the planner sees it: what its replicas carry safely, headroom already taken off.

    A capacity of zero means that the variant cannot meet the SLO; `finding` then says why.
    """

    key: VariantKey
    capacity: CapacityTable
    unloaded: tuple[LatencyObservation, ...]
    """Predicted latencies of a lone request at the SLO's quantiles."""
    sized_by: SizedBy
    finding: Finding | None = None
    headroom_ratio: float = 0.0
    """Share of the safe rate that `capacity` leaves unused."""

    @property
    def usable(self) -> bool:
        return self.capacity.per_replica_rps > 0.0


@dataclass(frozen=True, slots=True)
class Alternative:
    """A way to serve a deployment that the plan did not take: its price, and the one reason it lost."""

    label: str
    replicas: Mapping[str, int]
    usd_per_hour: float | None
    """None where no number of replicas would do."""
    reason: Reason
    detail: str
    nodes: Mapping[str, float] = field(default_factory=dict)
    """By pool, how many more nodes all deployments together would take (fewer: below zero)."""


@dataclass(frozen=True, slots=True)
class SolverReport:
    """How the solve went: the gap is (cost - bound) / cost, 0 where the plan is proven optimal."""

    outcome: Reason
    cost_usd_per_hour: float
    bound_usd_per_hour: float
    gap_ratio: float
    seconds: float
    message: str = ""


@dataclass(frozen=True, slots=True)
class Overflow:
    """What of a deployment's demand goes to its external API, as long as the plan stands."""

    rate_rps: float
    """At the rate that is planned for: at the present one it is less, or nothing."""
    usd_per_hour: float


@dataclass(frozen=True, slots=True)
class Allocation:
    """The answer of the planner: how many replicas of which variant, on how many nodes of which pool."""

    replicas: Mapping[VariantKey, int]
    nodes: Mapping[str, int]
    usd_per_hour: Mapping[ObjectKey, float]
    """Each deployment's share of the price of the nodes it needs, and what it pays to its external API."""
    shortfall_rps: Mapping[ObjectKey, float]
    """Demand that could not be covered; deployments that are fully covered are absent."""
    alternatives: Mapping[ObjectKey, tuple[Alternative, ...]]
    findings: tuple[Finding, ...]
    solver: SolverReport
    overflow: Mapping[ObjectKey, Overflow] = field(default_factory=dict)
    """By deployment what goes to its external API; those of which nothing does are absent."""


@dataclass(frozen=True, slots=True)
class Step:
    """One write that is safe right now: bring a target from one replica count to another."""

    key: VariantKey
    target: Target
    from_replicas: int
    to_replicas: int
    reason: Reason
    message: str
    delete_first: tuple[str, ...] = ()
    """Pods that should go first, because their removal empties a node; marked before the scale-down."""


@dataclass(frozen=True, slots=True)
class VariantPlan:
    """What one variant runs, should run, and is predicted to show at its share of the load."""

    key: VariantKey
    pool: str
    current: int
    ready: int
    target: int
    safe_rate_rps: float
    """Of one replica among so many as the plan wants, headroom taken off."""
    ready_rps: float
    """What the ready replicas carry together within the SLO, headroom taken off."""
    sized_by: SizedBy
    predicted: tuple[LatencyObservation, ...]
    observed: tuple[LatencyObservation, ...]
    reason: Reason
    message: str
    correction: float = 1.0
    """How many times its profile's step times it is taken to need, as learned from requests."""
    headroom_ratio: float = 0.0
    """Share of its safe rate that is left unused: the policy's, less what requests have confirmed."""
    compared: tuple[LatencyComparison, ...] = ()
    """Observed against predicted at the load there was, where the last window can be compared."""
    lead: LeadTime | None = None


class Phase(StrEnum):
    """Where a deployment stands on its way to the plan."""

    STEADY = "Steady"
    MOVING = "Moving"
    HELD = "Held"
    SHORT = "Short"
    RECOMMENDED = "Recommended"
    PAUSED = "Paused"


@dataclass(frozen=True, slots=True)
class RouteWeights:
    """How an HTTPRoute is to share requests out among the variants: in proportion to what each carries right now."""

    route: ObjectKey
    percent: Mapping[str, int]
    """By name of the variant's Service."""


@dataclass(frozen=True, slots=True)
class DeploymentPlan:
    """Everything decided about one deployment, with what was rejected."""

    key: ObjectKey
    generation: int
    mode: Mode
    phase: Phase
    slo: tuple[LatencyTarget, ...]
    demand: Demand
    forecast: Forecast
    variants: tuple[VariantPlan, ...]
    usd_per_hour: float
    external_usd_per_hour: float | None
    """What the present demand would cost at the external API; None without such a price."""
    shortfall_rps: float
    alternatives: tuple[Alternative, ...]
    steps: tuple[Step, ...]
    findings: tuple[Finding, ...]
    overflow: Overflow | None = None
    """None where requests do not overflow to an external API; its price is part of `usd_per_hour`."""
    weights: RouteWeights | None = None
    """None where no HTTPRoute is to be written, or no replica is ready."""
    dwell: Dwell | None = None
    """For how long its plans have stood, this one included; None where that was not looked at."""
    standby: Standby | None = None
    """The rise that what is ready is kept for."""


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """What one pool holds and what the plan needs of it."""

    name: str
    price_kind: PriceKind
    price_usd_per_hour: float
    nodes: int
    ready_nodes: int
    target_nodes: int
    allocatable: Resources
    requested: Resources
    """Of present nodes: requested by all pods that count on them."""
    usd_per_hour: float
    """The price of the present nodes; for paid pools the amortised price, for show."""
    stocked_out_until_s: float | None
    price_source: PriceSource = PriceSource.MANIFEST
    price_as_of_s: float | None = None
    price_note: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """The decision of one tick, complete enough to be explained and applied without asking anybody again."""

    now_s: float
    deployments: tuple[DeploymentPlan, ...]
    pools: tuple[PoolPlan, ...]
    findings: tuple[Finding, ...]
    """About objects that are not part of the plan."""
    solver: SolverReport
    corrections: Mapping[str, float] = field(default_factory=dict)
    """By profile: how many times its step times were counted."""

    @property
    def steps_to_apply(self) -> tuple[Step, ...]:
        """The steps of deployments in mode Auto; those of the others are only shown."""
        return tuple(step for plan in self.deployments if plan.mode is Mode.AUTO for step in plan.steps)
