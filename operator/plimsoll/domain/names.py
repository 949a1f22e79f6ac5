"""How are objects named, and in which words are reasons told?

In: nothing. Out: keys, resources, reasons and findings, the same for every station.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
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
    ROUTE_MISSING = "RouteMissing"
    BACKEND_MISSING = "BackendMissing"
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
    GRACE_TOO_SHORT = "GraceTooShort"
    WAITS_FOR_DISRUPTION_BUDGET = "WaitsForDisruptionBudget"
    CHANGE_DOES_NOT_PAY = "ChangeDoesNotPay"
    NODE_LEAVING = "NodeLeaving"
    BRIDGING = "Bridging"
    BRIDGE_DOES_NOT_PAY = "BridgeDoesNotPay"
    HELD = "Held"
    KEPT_FOR_NEXT_RISE = "KeptForNextRise"
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
    ROUTED_EQUALLY = "RoutedEqually"
    WITHIN_GAP = "WithinGap"
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
