"""Which object does each variant scale, who else claims it, and what does it run now?

In: the contents of the cache and the scales of kinds that are not watched. Out: for each variant its target as it is,
or why it has none. Pure.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from plimsoll.api import InferenceDeployment, VariantSpec, owned_deployment_name
from plimsoll.domain import ObjectKey, Reason, Resources, Target, VariantKey
from plimsoll.observe.cluster_cache import Contents
from plimsoll.observe.views import Selector, pod_requests

WATCHED_KINDS = ("Deployment", "StatefulSet")
"""Of apps/v1; their replicas and pod templates are in the cache."""

Identity = tuple[str, str, str, str]
"""API group, kind, namespace and name: versions of one object are one object."""


@dataclass(frozen=True, slots=True)
class Scale:
    """What a scale subresource says."""

    replicas: int
    selector: Selector


@dataclass(frozen=True, slots=True)
class Unavailable:
    """Why a target cannot be used."""

    reason: Reason
    message: str


Scales = Mapping[Identity, Scale | Unavailable]


@dataclass(frozen=True, slots=True)
class Found:
    """A target as it is now; what one replica takes is None where its pod template lies elsewhere."""

    target: Target
    replicas: int
    selector: Selector
    per_replica: Resources | None
    grace_s: float | None = None
    """What its pods are given to finish what they have begun; None where its pod template lies elsewhere."""


def identity(target: Target) -> Identity:
    """What the target is, whatever version it is named by."""
    return target.api_version.rpartition("/")[0], target.kind, target.namespace, target.name


def target_of(deployment: InferenceDeployment, variant: VariantSpec) -> Target:
    """The object that the variant scales."""
    namespace = deployment.metadata.namespace
    if variant.target_ref is None:
        name = owned_deployment_name(deployment.name, variant.name)
        return Target("apps/v1", "Deployment", namespace, name, owned=True)
    reference = variant.target_ref
    return Target(reference.api_version, reference.kind, namespace, reference.name, owned=False)


def is_watched(target: Target) -> bool:
    """True where the cache holds the target and no request is needed."""
    return target.api_version.startswith("apps/") and target.kind in WATCHED_KINDS


def targets_to_look_up(contents: Contents) -> frozenset[Target]:
    """Targets whose scale must be asked for, since their kind is not watched."""
    return frozenset(
        target
        for key, deployment in contents.deployments.items()
        if isinstance(deployment, InferenceDeployment) and key not in contents.deleting
        for target in (target_of(deployment, variant) for variant in deployment.spec.variants)
        if not is_watched(target)
    )


def claims(deployments: Iterable[InferenceDeployment]) -> Mapping[Identity, VariantKey]:
    """Who may scale each target: the oldest InferenceDeployment that names it, of two as old the first by name."""
    winners: dict[Identity, VariantKey] = {}
    for deployment in sorted(deployments, key=_by_age):
        for variant in deployment.spec.variants:
            key = VariantKey(deployment.metadata.namespace, deployment.name, variant.name)
            winners.setdefault(identity(target_of(deployment, variant)), key)
    return winners


def _by_age(deployment: InferenceDeployment) -> tuple[str, ObjectKey]:
    metadata = deployment.metadata
    return metadata.creation_timestamp, ObjectKey(metadata.namespace, metadata.name)


def find(
    deployment: InferenceDeployment,
    variant: VariantSpec,
    contents: Contents,
    scales: Scales,
    winners: Mapping[Identity, VariantKey],
) -> Found | Unavailable:
    """The variant's target as it is now."""
    target = target_of(deployment, variant)
    winner = winners[identity(target)]
    if winner != VariantKey(deployment.metadata.namespace, deployment.name, variant.name):
        return Unavailable(
            Reason.TARGET_CONTESTED,
            f"{target} is already scaled by InferenceDeployment {winner.deployment} (variant {winner.variant}), which "
            "is older: give this variant a target of its own, or remove it there",
        )
    if not is_watched(target):
        return _looked_up(target, variant, scales)
    found = contents.workloads.get((target.kind, ObjectKey(target.namespace, target.name)))
    try:
        template_requests = _template_requests(variant)
    except (ValueError, TypeError, AttributeError) as error:
        # The API server checks a template only when the Deployment is written, so any nonsense may stand here.
        return Unavailable(
            Reason.INVALID_SPEC,
            f"the resources in spec.variants[{variant.name}].template cannot be read ({error}): "
            "write requests such as cpu: 500m and memory: 16Gi",
        )
    if found is None and not target.owned:
        return Unavailable(
            Reason.TARGET_MISSING,
            f"{target} is not there in namespace {target.namespace}: create it, or correct "
            f"spec.variants[{variant.name}].targetRef",
        )
    if found is None:
        return Found(target, 0, Selector(), template_requests)
    if target.owned and found.controller_uid != deployment.metadata.uid:
        return Unavailable(
            Reason.TARGET_FOREIGN,
            f"variant {variant.name} has a template, but a {target} that is not Plimsoll's is already there: rename "
            f"the variant or that {target.kind}, or scale it as it is through targetRef",
        )
    per_replica = _stated(variant) or template_requests or found.requests
    return Found(target, found.replicas, found.selector, per_replica, found.grace_s)


def _looked_up(target: Target, variant: VariantSpec, scales: Scales) -> Found | Unavailable:
    scale = scales.get(identity(target))
    if scale is None:
        return Unavailable(Reason.TARGET_MISSING, f"{target} has not been looked up yet")
    if isinstance(scale, Unavailable):
        return scale
    return Found(target, scale.replicas, scale.selector, _stated(variant))


def _stated(variant: VariantSpec) -> Resources | None:
    if variant.per_replica is None:
        return None
    return {
        name: quantity.amount
        for name, quantity in variant.per_replica.items()
        if name in ("cpu", "memory") or "/" in name
    }


def _template_requests(variant: VariantSpec) -> Resources | None:
    stated = _stated(variant)
    if stated is not None or variant.template is None:
        return stated
    return pod_requests(variant.template["spec"])
