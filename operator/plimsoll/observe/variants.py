"""Can this variant be worked with, and what does it look like now?

In: one variant of one InferenceDeployment and the world around it. Out: the domain's `Variant`, or the finding that
keeps it out; a rival autoscaler leaves it in, pinned, with a finding, unless nothing is to be written anyway. Pure.
Every message says what to change.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from plimsoll.api import InferenceDeployment, ServingProfile, VariantSpec
from plimsoll.domain import Finding, Mode, ObjectKey, Pod, Pool, Profile, Reason, Variant, VariantKey
from plimsoll.errors import InvalidObject
from plimsoll.observe.pool_nodes import Pools
from plimsoll.observe.routes import backend_of
from plimsoll.observe.targets import Found, Identity, Unavailable, identity
from plimsoll.observe.views import RouteView

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class World:
    """What variants refer to."""

    pools: Pools
    profiles: Mapping[ObjectKey, ServingProfile | InvalidObject]
    rivals: Mapping[Identity, str]
    """Autoscalers by the target they write to, in words."""
    routes: Mapping[ObjectKey, RouteView]


@dataclass(frozen=True, slots=True)
class Resolved:
    """A variant that can be worked with, or None, and what was noticed about it."""

    variant: Variant | None
    findings: tuple[Finding, ...] = ()


def resolve_variant(
    deployment: InferenceDeployment,
    spec: VariantSpec,
    found: Found | Unavailable,
    pods: tuple[Pod, ...],
    world: World,
) -> Resolved:
    """One variant with its pool, profile, target and pods."""
    key = VariantKey(deployment.metadata.namespace, deployment.name, spec.name)
    pool = _pool(spec, world.pools)
    if isinstance(pool, Unavailable):
        return _left_out(key, pool)
    profile = _profile(deployment, spec, pool, world.profiles)
    if isinstance(profile, Unavailable):
        return _left_out(key, profile)
    if isinstance(found, Unavailable):
        return _left_out(key, found)
    misfit = _misfit(spec, found, pool)
    if misfit is not None:
        return _left_out(key, misfit)
    backend = backend_of(deployment, spec, world.routes)
    if isinstance(backend, Unavailable):
        return _left_out(key, backend)
    # In Recommend nobody fights: the other autoscaler goes on, and may even act on what is recommended.
    recommends = deployment.spec.mode is Mode.RECOMMEND
    rival = None if recommends else world.rivals.get(identity(found.target))
    variant = Variant(
        key=key,
        pool=pool.name,
        profile=profile,
        target=found.target,
        min_replicas=spec.replicas.min,
        max_replicas=spec.replicas.max,
        per_replica=found.per_replica or {},
        replicas=found.replicas,
        pods=pods,
        pinned=rival is not None,
        service=backend,
        grace_s=found.grace_s,
    )
    if rival is None:
        return Resolved(variant)
    message = (
        f"{rival} scales {found.target} too: two writers would fight, so Plimsoll leaves variant {spec.name} as it is; "
        f"delete {rival}, or remove the variant here"
    )
    return Resolved(variant, (Finding(key.deployment_key, Reason.RIVAL_AUTOSCALER, message, spec.name),))


def _left_out(key: VariantKey, why: Unavailable) -> Resolved:
    return Resolved(None, (Finding(key.deployment_key, why.reason, why.message, key.variant),))


def _pool(spec: VariantSpec, pools: Pools) -> Pool | Unavailable:
    if spec.pool in pools.usable:
        return pools.usable[spec.pool]
    missing = (
        f"spec.variants[{spec.name}].pool is {spec.pool}, and there is no ComputePool of that name: "
        "create it, or name another one"
    )
    return Unavailable(Reason.POOL_MISSING, pools.problems.get(spec.pool, missing))


def _profile(
    deployment: InferenceDeployment,
    spec: VariantSpec,
    pool: Pool,
    profiles: Mapping[ObjectKey, ServingProfile | InvalidObject],
) -> Profile | Unavailable:
    field = f"spec.variants[{spec.name}].profile is {spec.profile}"
    profile = profiles.get(ObjectKey("", spec.profile))
    if profile is None:
        return Unavailable(
            Reason.PROFILE_MISSING,
            f"{field}, and there is no ServingProfile of that name: create it, or name another one",
        )
    if isinstance(profile, InvalidObject):
        return Unavailable(Reason.PROFILE_MISSING, f"{field}, and that ServingProfile is not valid: {profile}")
    if profile.spec.model != deployment.spec.model:
        return Unavailable(
            Reason.PROFILE_MISMATCH,
            f"{field}, which was made for model {profile.spec.model}, not for {deployment.spec.model}: "
            "name a profile of this model",
        )
    if profile.spec.hardware != pool.hardware:
        return Unavailable(
            Reason.PROFILE_MISMATCH,
            f"{field}, which was made on {profile.spec.hardware}, but pool {pool.name} has {pool.hardware}: "
            "name a profile of that hardware, or another pool",
        )
    return profile.to_domain()


def _misfit(spec: VariantSpec, found: Found, pool: Pool) -> Unavailable | None:
    needs = found.per_replica
    if not needs:
        where = f"spec.variants[{spec.name}].perReplica" if needs is None else f"the pod template of {found.target}"
        return Unavailable(
            Reason.INVALID_SPEC,
            f"nothing says what one replica of {found.target} takes: set spec.variants[{spec.name}].perReplica, "
            f"for example nvidia.com/gpu: 1 ({where} is empty)",
        )
    too_much = [
        f"{name} {_told(name, amount)} of {_told(name, pool.node_resources.get(name, 0.0))}"
        for name, amount in sorted(needs.items())
        if amount > pool.node_resources.get(name, 0.0) * (1.0 + _ROUNDING)
    ]
    if not too_much:
        return None
    return Unavailable(
        Reason.REPLICA_DOES_NOT_FIT,
        f"one replica does not fit on an empty node of pool {pool.name}: it requests {', '.join(too_much)}; "
        "request less, or use a pool with larger nodes",
    )


def _told(name: str, amount: float) -> str:
    return f"{amount / 2**30:.4g}Gi" if name == "memory" else f"{amount:.6g}"
