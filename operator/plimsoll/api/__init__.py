"""The wire format: the four kinds as models, and the only place that knows how a manifest is written.

In: manifests as plain dictionaries. Out: frozen models with every default filled in, or `InvalidObject` with a message
that says what to write; for the API server, the CustomResourceDefinitions in crds/. Never does I/O, never decides:
`observe` turns these models into the domain's values. Design section 2.
"""

from plimsoll.api.compute_pool import ComputePool, ComputePoolSpec, ComputePoolStatus, PriceStatus
from plimsoll.api.crd import render_crds
from plimsoll.api.engines import Engine
from plimsoll.api.inference_deployment import (
    SLO,
    DemandSource,
    InferenceDeployment,
    InferenceDeploymentSpec,
    TargetRef,
    VariantSpec,
)
from plimsoll.api.inference_deployment_status import (
    AlternativeStatus,
    BreakEvenStatus,
    CostStatus,
    DemandStatus,
    DwellStatus,
    ForecastLeadStatus,
    ForecastStatus,
    InferenceDeploymentStatus,
    LatencyStatus,
    NextBest,
    PlanStatus,
    StandbyStatus,
    StartUpsStatus,
    StepStatus,
    VariantStatus,
)
from plimsoll.api.labels import (
    API_VERSION,
    DELETION_COST_ANNOTATION,
    DEPLOYMENT_LABEL,
    ENGINE_ANNOTATION,
    GROUP,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    VARIANT_LABEL,
    VERSION,
    owned_deployment_name,
)
from plimsoll.api.parsing import KINDS, AnyKind, nearest, parse, parse_part
from plimsoll.api.scaling_policy import ScalingPolicy, ScalingPolicySpec
from plimsoll.api.serving_profile import Provenance, ServingProfile, ServingProfileSpec
from plimsoll.api.values import DecimalText, Duration, Money, Quantity, Timestamp
from plimsoll.api.wire import Condition, Kind, ObjectMeta

__all__ = [
    "API_VERSION",
    "DELETION_COST_ANNOTATION",
    "DEPLOYMENT_LABEL",
    "ENGINE_ANNOTATION",
    "GROUP",
    "KINDS",
    "MANAGED_BY",
    "MANAGED_BY_LABEL",
    "SLO",
    "VARIANT_LABEL",
    "VERSION",
    "AlternativeStatus",
    "AnyKind",
    "BreakEvenStatus",
    "ComputePool",
    "ComputePoolSpec",
    "ComputePoolStatus",
    "Condition",
    "CostStatus",
    "DecimalText",
    "DemandSource",
    "DemandStatus",
    "Duration",
    "DwellStatus",
    "Engine",
    "ForecastLeadStatus",
    "ForecastStatus",
    "InferenceDeployment",
    "InferenceDeploymentSpec",
    "InferenceDeploymentStatus",
    "Kind",
    "LatencyStatus",
    "Money",
    "NextBest",
    "ObjectMeta",
    "PlanStatus",
    "PriceStatus",
    "Provenance",
    "Quantity",
    "ScalingPolicy",
    "ScalingPolicySpec",
    "ServingProfile",
    "ServingProfileSpec",
    "StandbyStatus",
    "StartUpsStatus",
    "StepStatus",
    "TargetRef",
    "Timestamp",
    "VariantSpec",
    "VariantStatus",
    "nearest",
    "owned_deployment_name",
    "parse",
    "parse_part",
    "render_crds",
]
