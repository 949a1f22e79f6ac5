"""May an owned Deployment whose variant is gone stop serving? Only once those that stay carry the demand without it.

In: the plan, and the contents of the cache. Out: a step to no replicas as soon as every remaining variant is as ready
as the plan wants it; then, with no replicas left, the deletion. Never anything that is not Plimsoll's own.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from plimsoll.api import InferenceDeployment
from plimsoll.apply.look_again import look_again
from plimsoll.apply.owned import OwnedFailure
from plimsoll.apply.steps import StepOutcome, take_step
from plimsoll.apply.writer import Writer
from plimsoll.domain import DeploymentPlan, ForecastBasis, Mode, ObjectKey, Plan, Reason, Step, Target, VariantKey
from plimsoll.errors import NotFound, NotLeading, PlimsollError
from plimsoll.observe import Contents, Retired, retired_workloads
from plimsoll.observe.views import controller_of
from plimsoll.resource_paths import ResourcePaths

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retirement:
    """What was done about Deployments whose variant is gone."""

    outcomes: tuple[StepOutcome, ...] = ()
    deleted: tuple[Retired, ...] = ()
    failures: tuple[OwnedFailure, ...] = ()


def retire(plan: Plan, contents: Contents, writer: Writer, paths: ResourcePaths) -> Retirement:
    """Take each of them one step further, where that is safe."""
    planned = {one.key: one for one in plan.deployments}
    outcomes: list[StepOutcome] = []
    deleted: list[Retired] = []
    failures: list[OwnedFailure] = []
    for one in retired_workloads(contents):
        owner = contents.deployments[one.owner]
        if not isinstance(owner, InferenceDeployment) or owner.spec.mode is not Mode.AUTO:
            continue
        try:
            if one.workload.replicas == 0:
                deleted += [one] if look_again(partial(_delete, one, writer, paths)) else []
            elif _is_missed_by_nobody(owner, planned) and _is_still_ours(one, writer, paths):
                outcomes.append(take_step(_step(one, planned[one.owner]), writer, paths))
        except (NotFound, NotLeading):
            continue  # Gone already, or another replica's to do.
        except PlimsollError as error:
            failures.append(OwnedFailure(one.owner, one.variant, str(error)))
    for one in deleted:
        log.info("Deployment %s is deleted: it has no replicas and no variant any more", one.workload.key)
    return Retirement(tuple(outcomes), tuple(deleted), tuple(failures))


def _is_missed_by_nobody(owner: InferenceDeployment, planned: Mapping[ObjectKey, DeploymentPlan]) -> bool:
    """True when the variants that stay are ready for all that the plan asks of them, and that is all the demand."""
    plan = planned.get(ObjectKey(owner.metadata.namespace, owner.name))
    # A plan of an older spec may count on the very variant that is gone.
    if plan is None or plan.mode is not Mode.AUTO or plan.generation != owner.metadata.generation:
        return False
    if plan.forecast.basis is not ForecastBasis.KNOWN or plan.shortfall_rps > 0:
        return False
    if any(variant.ready < variant.target for variant in plan.variants):
        return False
    wants_none = plan.demand.sees_zero_replicas and plan.forecast.required_rps <= 0
    return wants_none or any(variant.ready > 0 for variant in plan.variants)


def _step(one: Retired, plan: DeploymentPlan) -> Step:
    return Step(
        key=VariantKey(*one.owner, one.variant),
        target=_target(one),
        from_replicas=one.workload.replicas,
        to_replicas=0,
        reason=Reason.MOVE_OUT,
        message=(
            f"no variant uses {_target(one)} any more, and those that stay are ready for the "
            f"{plan.forecast.required_rps:.1f} req/s that are expected"
        ),
    )


def _target(one: Retired) -> Target:
    return Target("apps/v1", "Deployment", *one.workload.key, owned=True)


def _is_still_ours(one: Retired, writer: Writer, paths: ResourcePaths) -> bool:
    return _is_same(one, writer.get(paths.of(_target(one))))


def _is_same(one: Retired, live: Mapping[str, Any]) -> bool:
    """False for a successor of that name, and for one that has another owner by now."""
    return bool(
        live["metadata"].get("uid") == one.workload.uid
        and controller_of(live).get("uid") == one.workload.controller_uid
    )


def _delete(one: Retired, writer: Writer, paths: ResourcePaths) -> bool:
    """Whether it was deleted: not while it has replicas, and not twice."""
    path = paths.of(_target(one))
    live = writer.get(path)
    runs = live["spec"].get("replicas", 1) or (live.get("status") or {}).get("replicas", 0)
    if runs or live["metadata"].get("deletionTimestamp") or not _is_same(one, live):
        return False
    writer.delete("Deployment", path, live)
    return True
