"""Which Deployments of ours does no variant stand for any more?

In: the contents of the cache. Out: owned Deployments whose variant was removed, renamed, or now names another target.
They serve until the variants that stay carry the demand without them; so their pods still count where demand is read,
and are foreign where room is counted. Pure.
"""

from dataclasses import dataclass

from plimsoll.api import (
    DEPLOYMENT_LABEL,
    ENGINE_ANNOTATION,
    MANAGED_BY,
    MANAGED_BY_LABEL,
    VARIANT_LABEL,
    Engine,
    InferenceDeployment,
)
from plimsoll.domain import ObjectKey
from plimsoll.observe.cluster_cache import Contents
from plimsoll.observe.targets import identity, target_of
from plimsoll.observe.views import WorkloadView


@dataclass(frozen=True, slots=True)
class Retired:
    """A Deployment on its way out."""

    owner: ObjectKey
    """Its InferenceDeployment."""
    variant: str
    """The name of the variant that it was made for."""
    engine: Engine | None
    """What its pods run; None where that is not known."""
    workload: WorkloadView


def retired_workloads(contents: Contents) -> tuple[Retired, ...]:
    """All of them, by owner and name; whoever is invalid or on its way out keeps what it has."""
    present = {
        key: one
        for key, one in contents.deployments.items()
        if isinstance(one, InferenceDeployment) and key not in contents.deleting
    }
    owners = {one.metadata.uid: key for key, one in present.items()}
    named = {identity(target_of(one, variant)) for one in present.values() for variant in one.spec.variants}
    retired = [
        Retired(owners[view.controller_uid], view.labels.get(VARIANT_LABEL, view.key.name), _engine(view), view)
        for (kind, key), view in contents.workloads.items()
        if view.controller_uid in owners
        and view.labels.get(MANAGED_BY_LABEL) == MANAGED_BY
        and DEPLOYMENT_LABEL in view.labels
        and ("apps", kind, *key) not in named
    ]
    return tuple(sorted(retired, key=lambda one: (one.owner, one.workload.key)))


def _engine(view: WorkloadView) -> Engine | None:
    name = view.annotations.get(ENGINE_ANNOTATION)
    return Engine(name) if name in list(Engine) else None
