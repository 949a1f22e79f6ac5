"""What is there? Pools, profiles, variants, demand, and the snapshot of one moment that holds them all.

In: nothing. Out: frozen types.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from plimsoll.domain.learned import NOTHING_TOLD, Told
from plimsoll.domain.names import Finding, ObjectKey, Resources, VariantKey
from plimsoll.domain.wanted import ExternalPrice, ExternalUse, LatencyMetric, LatencyTarget, Mode, Policy, Routing


class PriceKind(StrEnum):
    """Paid nodes cost nothing more when used; spot nodes may be taken away."""

    ON_DEMAND = "OnDemand"
    SPOT = "Spot"
    PAID = "Paid"


class PriceSource(StrEnum):
    """Where the price of a node comes from: the manifest, or what OpenCost exports."""

    MANIFEST = "Manifest"
    OPEN_COST = "OpenCost"


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
    leaving: bool = False
    """It is being deleted, or a taint says that it soon will be: spot interruption, consolidation, scale-down."""


PATIENCE_RATIO = 1.5
"""How much longer than the pool's own provisioning time a pod may wait. Guess: clouds are often late by a third."""
MIN_PATIENCE_S = 30.0
"""Pools that promise no provisioning time: the scheduler alone may take some seconds to place a pod."""


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
    price_source: PriceSource = PriceSource.MANIFEST
    """Where `price_usd_per_hour` comes from."""
    price_as_of_s: float | None = None
    """When it was last known to be so; None where nobody says."""
    price_note: str = ""
    """Why the price is not the one that was asked for; empty where it is."""

    @property
    def marginal_price_usd_per_hour(self) -> float:
        return 0.0 if self.price_kind is PriceKind.PAID else self.price_usd_per_hour

    @property
    def patience_s(self) -> float:
        """How long a pod may wait for a node of the pool before the pool counts as sold out."""
        return max(MIN_PATIENCE_S, PATIENCE_RATIO * self.provisioning_s)


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
    leaving: bool = False
    """Its node is about to go. It still serves, but nothing may be built on it."""


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
class LeadTime:
    """From asking for one more replica until it is ready, a node's boot included where no present node has room."""

    seconds: float
    observed: int = 0
    """Start-ups of its own pods that it was learned from; 0: what the profile and the pool say."""
    boots: bool = False
    """Whether a node's boot is counted, because no present node has room."""
    seen_on_node_s: float | None = None
    """What start-ups on a node that was there took, whichever of them counts now; None where none was seen."""
    seen_with_node_s: float | None = None
    """What those took that waited for their node."""


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
    service: str | None = None
    """Name of the Service over its pods alone, where an HTTPRoute shares requests out."""
    kv_cache_use_ratio: float | None = None
    """Of the fullest pod, 0 to 1; None where the engine does not tell."""
    grace_s: float | None = None
    """What its pods are given to finish requests when they leave; None where that is not known."""
    lead: LeadTime | None = None
    """Filled in by `readiness`."""

    @property
    def lead_s(self) -> float:
        """Seconds until a replica that is asked for now is ready; `readiness` must have been there."""
        assert self.lead is not None, "readiness comes before whoever asks for lead times"
        return self.lead.seconds

    @property
    def boots(self) -> bool:
        """Whether one more replica waits for a node to boot: its lead time counts that."""
        return self.lead is not None and self.lead.boots

    @property
    def name(self) -> str:
        return self.key.variant

    @property
    def ready_replicas(self) -> int:
        return sum(pod.ready and not pod.terminating for pod in self.pods)

    @property
    def leaving_replicas(self) -> int:
        """Replicas whose node is about to go; what comes in their place is asked for before."""
        return sum(pod.leaving and not pod.terminating for pod in self.pods)

    @property
    def staying_ready_replicas(self) -> int:
        return sum(pod.ready and not pod.terminating and not pod.leaving for pod in self.pods)


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
    prompt_tokens_most: float = math.inf
    """No prompt is longer; infinite where that is not known."""
    output_tokens_most: float = math.inf


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
    routing: Routing = Routing.SERVICE
    http_route: str | None = None
    """Name of the HTTPRoute whose weights are written; None with any other routing."""
    told: Told = NOTHING_TOLD
    """What its status tells of the time before."""

    @property
    def overflow_price(self) -> ExternalPrice | None:
        """The external API's price where requests really overflow to it; None elsewhere."""
        price = self.external_price
        return price if price is not None and price.use is ExternalUse.OVERFLOW else None


@dataclass(frozen=True, slots=True, eq=False)
class PastLooks:
    """What metrics still tell of the time before: one look a step, NaN where nothing is known; no gap is filled.

    Axes: K means (prompt tokens, output tokens), D deployments, S steps.
    """

    step_s: float
    end_s: float
    """Moment of the newest look, a multiple of the step; rates are averaged over the time before each look."""
    keys: tuple[ObjectKey, ...]
    rate_ds: NDArray[np.float64]
    tokens_kds: NDArray[np.float64]

    @property
    def at_s(self) -> NDArray[np.float64]:
        """The moment of each look."""
        steps = self.rate_ds.shape[1]
        moments: NDArray[np.float64] = self.end_s - self.step_s * np.arange(steps - 1, -1, -1, dtype=np.float64)
        return moments


@dataclass(frozen=True, slots=True)
class DisruptionBudget:
    """A PodDisruptionBudget: how many of the ready pods it selects may go at the moment."""

    key: ObjectKey
    allowed: int
    pods: frozenset[str]
    """Names of the variants' pods that it selects, in its namespace."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that one tick knows, taken at one moment; deployments and pools are sorted by key."""

    now_s: float
    deployments: tuple[Deployment, ...]
    pools: tuple[Pool, ...]
    findings: tuple[Finding, ...] = ()
    """Objects and variants that were left out or pinned, and why."""
    disruption_budgets: tuple[DisruptionBudget, ...] = ()
    past: tuple[PastLooks, ...] = ()
    """What was read of the time before, once for each deployment: after a start, or when it is new."""
