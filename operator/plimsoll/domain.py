"""The frozen values that stations hand on: what is known, what is wanted, and what is done next.

In: nothing. Out: types only; the few properties here are arithmetic on a type's own fields. Times are seconds since
the epoch as the snapshot's clock gives them, durations are seconds, latencies milliseconds, rates requests per second,
money US dollars. Resources are CPU cores, bytes of memory, and whole devices (``nvidia.com/gpu``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from math import ceil
from typing import NamedTuple

Resources = Mapping[str, float]
"""Amount by resource name: ``cpu`` in cores, ``memory`` in bytes, extended resources in whole devices."""


class ObjectKey(NamedTuple):
    """Names one namespaced object; sorts by namespace, then name."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class VariantKey(NamedTuple):
    """Names one variant of one deployment; sorts by namespace, deployment, variant."""

    namespace: str
    deployment: str
    variant: str

    @property
    def deployment_key(self) -> ObjectKey:
        return ObjectKey(self.namespace, self.deployment)

    def __str__(self) -> str:
        return f"{self.namespace}/{self.deployment}/{self.variant}"


class Reason(StrEnum):
    """Why something is as it is: one spelling for conditions, Events, metric labels, logs and the CLI."""

    # All is well.
    STEADY = "Steady"
    SLO_MET = "WithinSLO"
    DEMAND_KNOWN = "DemandKnown"
    CAPACITY_SUFFICIENT = "CapacitySufficient"
    PROFILE_ACCEPTED = "ProfileAccepted"
    # The object cannot be worked with as written.
    INVALID_SPEC = "InvalidSpec"
    POOL_MISSING = "PoolMissing"
    PROFILE_MISSING = "ProfileMissing"
    PROFILE_MISMATCH = "ProfileMismatch"
    POLICY_MISSING = "PolicyMissing"
    TARGET_MISSING = "TargetMissing"
    TARGET_NOT_SCALABLE = "TargetNotScalable"
    TARGET_CONTESTED = "TargetContested"
    TARGET_FOREIGN = "TargetForeign"
    RIVAL_AUTOSCALER = "RivalAutoscaler"
    REPLICA_DOES_NOT_FIT = "ReplicaDoesNotFit"
    SLO_UNREACHABLE = "SLOUnreachable"
    OUTSIDE_PROFILE_RANGE = "OutsideProfileRange"
    PROFILE_DRIFTED = "ProfileDrifted"
    NO_USABLE_VARIANT = "NoUsableVariant"
    # What is known of demand.
    DEMAND_ABSENT = "DemandAbsent"
    DEMAND_STALE = "DemandStale"
    DEMAND_INVALID = "DemandInvalid"
    METRICS_UNREACHABLE = "MetricsUnreachable"
    FALLBACK_TO_PEAK = "FallbackToPeak"
    # Why a plan or a step is what it is.
    CHEAPEST = "Cheapest"
    KEEPS_ONE_REPLICA = "KeepsOneReplica"
    SCALE_UP = "ScaleUp"
    SCALE_DOWN = "ScaleDown"
    MOVE_IN = "MoveIn"
    MOVE_OUT = "MoveOut"
    WAITS_FOR_READY = "WaitsForReady"
    WAITS_FOR_STABILISATION = "WaitsForStabilisation"
    WAITS_FOR_STEP_LIMIT = "WaitsForStepLimit"
    CHANGE_DOES_NOT_PAY = "ChangeDoesNotPay"
    HELD = "Held"
    PAUSED = "Paused"
    RECOMMEND_ONLY = "RecommendOnly"
    PINNED = "Pinned"
    # Why something lost, or is missing.
    DEARER = "Dearer"
    POOL_FULL = "PoolFull"
    STOCK_OUT = "StockOut"
    REPLICA_LIMIT = "ReplicaLimit"
    OVER_BUDGET = "OverBudget"
    SPOT_RISK = "SpotRisk"
    CAPACITY_SHORT = "CapacityShort"
    SLO_MISSED = "SLOMissed"
    # How the solve went.
    SOLVED = "Solved"
    SOLVE_TIMED_OUT = "SolveTimedOut"
    SOLVE_FAILED = "SolveFailed"
    WRITE_FAILED = "WriteFailed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a station noticed about a deployment, or one variant of it, in words for its owner."""

    deployment: ObjectKey
    reason: Reason
    message: str
    variant: str | None = None


# --- What the user wants ---------------------------------------------------------------------------------------------


class Mode(StrEnum):
    """Auto scales, Recommend only says what it would do, Paused writes nothing but status."""

    AUTO = "Auto"
    RECOMMEND = "Recommend"
    PAUSED = "Paused"


class LatencyMetric(StrEnum):
    """Time to first token, time per output token after the first, and end to end time of a request."""

    TTFT = "ttft"
    TPOT = "tpot"
    E2E = "e2e"


@dataclass(frozen=True, slots=True)
class LatencyTarget:
    """One promise: the given quantile (0 to 1, exclusive) of one latency stays at or below the limit."""

    metric: LatencyMetric
    quantile: float
    limit_ms: float

    def __str__(self) -> str:
        return f"{self.metric.value} p{self.quantile * 100:g} <= {self.limit_ms:g}ms"


class FallbackAction(StrEnum):
    """What to do once demand has been unknown for longer than the policy's hold time."""

    HOLD = "Hold"
    PEAK = "Peak"


@dataclass(frozen=True, slots=True)
class Policy:
    """How careful to be: the scaling policy of a deployment, with every default filled in."""

    name: str = "balanced"
    forecast_quantile: float = 0.9
    headroom_ratio: float = 0.25
    """Share of a replica's predicted safe rate that is left unused, 0 to below 1."""
    scale_up_stabilization_s: float = 0.0
    scale_down_stabilization_s: float = 300.0
    max_scale_up_replicas_per_tick: int = 100
    max_scale_down_replicas_per_tick: int = 10
    expected_dwell_s: float = 1800.0
    """For how long a new plan is expected to stand; a move must pay back its overlap within it."""
    spot_loss_tolerated_ratio: float = 1.0
    """Share of demand that may be without capacity when any one spot pool vanishes, 0 to 1."""
    demand_stale_after_s: float = 60.0
    hold_when_unknown_s: float = 600.0
    fallback: FallbackAction = FallbackAction.HOLD


@dataclass(frozen=True, slots=True)
class ExternalPrice:
    """What the same tokens cost at a public API, the price to beat."""

    usd_per_million_prompt_tokens: float
    usd_per_million_output_tokens: float


# --- What there is ---------------------------------------------------------------------------------------------------


class PriceKind(StrEnum):
    """Paid nodes cost nothing more when used; spot nodes may be taken away."""

    ON_DEMAND = "OnDemand"
    SPOT = "Spot"
    PAID = "Paid"


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a pool: what it offers to replicas, and what other workloads already took of it."""

    name: str
    ready: bool
    schedulable: bool
    allocatable: Resources
    foreign_requests: Resources
    """Requested by pods that belong to no variant (daemonsets, other workloads)."""
    created_s: float


@dataclass(frozen=True, slots=True)
class Pool:
    """A set of like nodes that share a price; `max_nodes` caps what may be asked for."""

    name: str
    hardware: str
    price_kind: PriceKind
    price_usd_per_hour: float
    """Of one node. For paid pools this is the amortised price: shown, never charged to a decision."""
    min_nodes: int
    max_nodes: int
    provisioning_s: float
    """From the request for a node until it is ready; 0 for pools whose nodes are all there already."""
    interruptions_per_hour: float
    node_resources: Resources
    """What one fresh node offers to replicas, daemonset overhead already taken off."""
    nodes: tuple[Node, ...] = ()
    stocked_out_until_s: float | None = None
    """As last written to the pool's status; only read when memory knows nothing (after a restart)."""

    @property
    def marginal_price_usd_per_hour(self) -> float:
        return 0.0 if self.price_kind is PriceKind.PAID else self.price_usd_per_hour


@dataclass(frozen=True, slots=True)
class StepTime:
    """One engine step with n sequences, p prefill tokens and C resident KV tokens: alpha + beta n + pi p + kappa C."""

    alpha_ms: float
    beta_ms_per_sequence: float
    pi_ms_per_prefill_token: float
    kappa_ms_per_kv_token: float


@dataclass(frozen=True, slots=True)
class ValidityRange:
    """The token lengths for which a profile was measured; None leaves a side open."""

    max_prompt_tokens: float | None = None
    max_output_tokens: float | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """One model build on one engine on one hardware, as measured, fitted or estimated."""

    name: str
    model: str
    engine: str
    hardware: str
    precision: str
    step_time: StepTime
    max_sequences: int
    kv_cache_tokens: int
    startup_s: float
    provenance: str
    validity: ValidityRange = ValidityRange()
    chunk_tokens: int = 2048
    """Prefill tokens that one step takes at most."""
    ttft_overhead_ms: float = 0.0
    """What a first token takes outside the engine's steps."""


@dataclass(frozen=True, slots=True)
class Target:
    """The scalable object behind a variant; an owned one is created and updated by Plimsoll."""

    api_version: str
    kind: str
    namespace: str
    name: str
    owned: bool

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod of a variant, as far as a decision depends on it."""

    name: str
    node: str | None
    ready: bool
    terminating: bool
    created_s: float
    ready_since_s: float | None = None
    unschedulable_since_s: float | None = None
    deletion_cost: int | None = None


class LatencyObservation(NamedTuple):
    """What requests of one variant saw lately: one quantile of one latency."""

    metric: LatencyMetric
    quantile: float
    value_ms: float
    at_least_ms: float | None = None
    at_most_ms: float | None = None
    """A histogram tells only that the quantile lies in a bucket; None on a side where nothing bounds it."""


class LatencyComparison(NamedTuple):
    """One quantile of one latency as requests saw it, against what was predicted for the load they came at."""

    metric: LatencyMetric
    quantile: float
    predicted_ms: float
    observed_ms: float
    rate_per_replica_rps: float

    @property
    def ratio(self) -> float:
        """Observed over predicted."""
        return self.observed_ms / self.predicted_ms


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to serve a deployment, with what its target runs right now."""

    key: VariantKey
    pool: str
    profile: Profile
    target: Target
    min_replicas: int
    max_replicas: int
    per_replica: Resources
    replicas: int
    """What the target's spec asks for at the moment; 0 for an owned target that does not exist yet."""
    pods: tuple[Pod, ...] = ()
    pinned: bool = False
    """Somebody else scales it, or it must not be touched: counted as it is, never written."""
    latencies: tuple[LatencyObservation, ...] = ()
    arrival_rate_rps: float | None = None
    kv_cache_use_ratio: float | None = None
    """Of the fullest pod, 0 to 1; None where the engine does not tell."""

    @property
    def name(self) -> str:
        return self.key.variant

    @property
    def ready_replicas(self) -> int:
        return sum(pod.ready and not pod.terminating for pod in self.pods)


class DemandState(StrEnum):
    """Whether the demand of a deployment is known, and if not, why not. Absent is never zero."""

    KNOWN = "Known"
    ABSENT = "Absent"
    STALE = "Stale"
    INVALID = "Invalid"
    UNREACHABLE = "Unreachable"


@dataclass(frozen=True, slots=True)
class TokenMix:
    """Token counts per request; the high quantiles are what its p95 prefill and its longest stay are sized for."""

    prompt_tokens_mean: float
    prompt_tokens_p95: float
    output_tokens_mean: float
    output_tokens_p95: float


@dataclass(frozen=True, slots=True)
class Burstiness:
    """How far arrivals are from Poisson: the rate itself wanders, from window to window.

    With counts of mean m a window and variance D m (D is the index of dispersion), the rate's squared coefficient of
    variation is (D - 1)/m: the variance that Poisson arrivals at a steady rate would not have. It belongs to the
    traffic, whatever share of it a replica gets, whereas D and the CV of intervals change with the share.
    """

    rate_cv2: float
    window_s: float
    slower_cv2: tuple[float, ...] = ()
    """What the rate wanders besides over 4, 16, 64 .. times the window; the forecast follows that, where it can."""

    @property
    def is_steady(self) -> bool:
        return self.rate_cv2 <= 0.0 and not any(self.slower_cv2)


POISSON = Burstiness(rate_cv2=0.0, window_s=15.0)
"""Arrivals at a steady rate that know nothing of each other."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What arrives at one deployment, all its variants together. Rate and mix are None unless the state is Known."""

    state: DemandState
    message: str
    sees_zero_replicas: bool
    """True for a gateway's counter, which shows demand even where no replica runs."""
    arrival_rate_rps: float | None = None
    tokens: TokenMix | None = None
    running: float = 0.0
    waiting: float = 0.0
    window_s: float = 60.0
    """Over which rate and mix were averaged: together with the rate it tells how many requests they stand for."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One InferenceDeployment that can be worked with: what it asks for and what it has."""

    key: ObjectKey
    uid: str
    generation: int
    model: str
    mode: Mode
    priority: int
    slo: tuple[LatencyTarget, ...]
    variants: tuple[Variant, ...]
    demand: Demand
    policy: Policy
    budget_usd_per_hour: float | None = None
    external_price: ExternalPrice | None = None


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that one tick knows, taken at one moment; deployments and pools are sorted by key."""

    now_s: float
    deployments: tuple[Deployment, ...]
    pools: tuple[Pool, ...]
    findings: tuple[Finding, ...] = ()
    """Objects and variants that were left out or pinned, and why."""


# --- What follows from it --------------------------------------------------------------------------------------------


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
    """When a single look last made it heavier; None where none did."""


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
    loss_rps: float | None
    """Mean pinball loss at the policy's quantile; None while too little is known."""
    recent_quantile_loss_rps: float | None
    """The same of the recent quantile and its trend, which is used until another way is better."""


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
    """What the recent quantile and its trend say at these lead times, whatever is used."""

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
class Allocation:
    """The answer of the planner: how many replicas of which variant, on how many nodes of which pool."""

    replicas: Mapping[VariantKey, int]
    nodes: Mapping[str, int]
    usd_per_hour: Mapping[ObjectKey, float]
    """Each deployment's share of the price of the nodes it needs."""
    shortfall_rps: Mapping[ObjectKey, float]
    """Demand that could not be covered; deployments that are fully covered are absent."""
    alternatives: Mapping[ObjectKey, tuple[Alternative, ...]]
    findings: tuple[Finding, ...]
    solver: SolverReport


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
    compared: tuple[LatencyComparison, ...] = ()
    """Observed against predicted at the load there was, where the last window can be compared."""


class Phase(StrEnum):
    """Where a deployment stands on its way to the plan."""

    STEADY = "Steady"
    MOVING = "Moving"
    HELD = "Held"
    SHORT = "Short"
    RECOMMENDED = "Recommended"
    PAUSED = "Paused"


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


# --- What is remembered from tick to tick ----------------------------------------------------------------------------


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
    wide_s: float = 0.0
    """Usable time during which predictions were far off, less the time during which they were not."""
    drifted: bool = False
    latest: LatencyComparison | None = None
    """The last usable look, against the profile as written."""


class ReadyCount(NamedTuple):
    """So many replicas of a variant have been ready since then."""

    replicas: int
    since_s: float


class PastDemand:
    """What the forecast remembers of days, in arrays of its own; everybody else hands it on unread."""

    __slots__ = ()


NO_PAST = PastDemand()


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


@dataclass(frozen=True, slots=True)
class Decision:
    """The plan of this tick and what the next one must remember."""

    plan: Plan
    memory: Memory
