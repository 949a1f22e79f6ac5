"""The frozen values that stations hand on: what is known, what is wanted, and what is done next.

In: nothing. Out: types only; the few properties here are arithmetic on a type's own fields. Times are seconds since
the epoch as the snapshot's clock gives them, durations are seconds, latencies milliseconds, rates requests per second,
money US dollars. Resources are CPU cores, bytes of memory, and whole devices (``nvidia.com/gpu``).

- ``names``: keys, reasons, findings.
- ``wanted``: what users ask for.
- ``present``: what there is, up to the `Snapshot`.
- ``decided``: what follows, up to the `Plan`.
- ``remembered``: what the next tick must know, the `Memory`.
"""

from plimsoll.domain.decided import (
    Allocation,
    Alternative,
    CapacityTable,
    DeploymentPlan,
    Forecast,
    ForecastBasis,
    Option,
    Phase,
    Plan,
    PoolPlan,
    SizedBy,
    SolverReport,
    Step,
    VariantPlan,
)
from plimsoll.domain.names import Finding, ObjectKey, Reason, Resources, VariantKey
from plimsoll.domain.present import (
    POISSON,
    Burstiness,
    Demand,
    DemandState,
    Deployment,
    LatencyComparison,
    LatencyObservation,
    Node,
    Pod,
    Pool,
    PriceKind,
    Profile,
    Snapshot,
    StepTime,
    Target,
    TokenMix,
    ValidityRange,
    Variant,
)
from plimsoll.domain.remembered import (
    Correction,
    Decision,
    DemandSample,
    Gain,
    Memory,
    MixInUse,
    ReadyCount,
    StockOut,
    TargetSample,
)
from plimsoll.domain.wanted import ExternalPrice, FallbackAction, LatencyMetric, LatencyTarget, Mode, Policy

__all__ = [
    "POISSON",
    "Allocation",
    "Alternative",
    "Burstiness",
    "CapacityTable",
    "Correction",
    "Decision",
    "Demand",
    "DemandSample",
    "DemandState",
    "Deployment",
    "DeploymentPlan",
    "ExternalPrice",
    "FallbackAction",
    "Finding",
    "Forecast",
    "ForecastBasis",
    "Gain",
    "LatencyComparison",
    "LatencyMetric",
    "LatencyObservation",
    "LatencyTarget",
    "Memory",
    "MixInUse",
    "Mode",
    "Node",
    "ObjectKey",
    "Option",
    "Phase",
    "Plan",
    "Pod",
    "Policy",
    "Pool",
    "PoolPlan",
    "PriceKind",
    "Profile",
    "ReadyCount",
    "Reason",
    "Resources",
    "SizedBy",
    "Snapshot",
    "SolverReport",
    "Step",
    "StepTime",
    "StockOut",
    "Target",
    "TargetSample",
    "TokenMix",
    "ValidityRange",
    "Variant",
    "VariantKey",
    "VariantPlan",
]
