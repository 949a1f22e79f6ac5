"""How does a plan become writes? Owned Deployments, then steps, then what is told about it.

In: the plan, the cache's contents, the statuses as they stand. Out: what was done, as values for the log and metrics.
One object's failure never stops the others; the fence inside `Writer` stops everything once this replica may not write.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from plimsoll.api import API_VERSION, ComputePool, Kind
from plimsoll.api_server import ApiServer, Patch
from plimsoll.apply.deletion_marks import DeletionMarks
from plimsoll.apply.events import EventRecorder, Happening
from plimsoll.apply.owned import OwnedDeployments, OwnedFailure
from plimsoll.apply.pool_status import pool_status, pool_status_differs, unplanned_pool_status
from plimsoll.apply.retirement import retire
from plimsoll.apply.route_weights import RouteOutcome, share_out_requests
from plimsoll.apply.status import deployment_status, differs, unplanned_status
from plimsoll.apply.steps import Result, StepOutcome, take_step
from plimsoll.apply.writer import OnWrite, Writer
from plimsoll.domain import Finding, Mode, ObjectKey, Plan, Reason
from plimsoll.errors import InvalidObject, NotFound, NotLeading, PlimsollError
from plimsoll.explain import ConditionType, Verdict, group_by_deployment, verdicts, verdicts_without_plan
from plimsoll.observe import Contents, Retired
from plimsoll.resource_paths import ResourcePaths

Raw = Mapping[str, Any]

_WATCH_LAG_S = 30.0
"""For so long the status we wrote counts more than the cached one, which may be older. After that the cache tells what
others did: a replica that led in between, or a person. A guess: watches are late by seconds, not by half a minute."""


@dataclass(frozen=True, slots=True)
class Present:
    """What is there before the writes: parsed contents, and the raw objects that carry a status."""

    contents: Contents
    deployments: Mapping[ObjectKey, Raw]
    pools: Mapping[ObjectKey, Raw]


@dataclass(frozen=True, slots=True)
class Applied:
    """What one tick wrote, or could not."""

    steps: tuple[StepOutcome, ...] = ()
    owned_failures: tuple[OwnedFailure, ...] = ()
    status_failures: tuple[str, ...] = ()
    routes: tuple[RouteOutcome, ...] = ()


@dataclass(frozen=True, slots=True)
class _Written:
    """The status last written to an object; the cache may lag behind it."""

    status: Raw
    at_s: float


class Applier:
    """Applies plans, one at a time, in a worker thread."""

    def __init__(
        self,
        server: ApiServer,
        may_write: Callable[[], bool],
        on_write: OnWrite,
        identity: str,
        micro_time: Callable[[float], str],
    ) -> None:
        self._writer = Writer(server, may_write, on_write)
        self._paths = ResourcePaths(server.get)
        self._owned = OwnedDeployments(self._writer)
        self._marks = DeletionMarks(self._writer)
        self._events = EventRecorder(self._writer, identity, micro_time)
        self._written: dict[str, _Written] = {}

    def apply(self, plan: Plan, present: Present) -> Applied:
        """Write what the plan asks for and what there is to tell."""
        owned_failures = self._owned.bring_up_to_date(present.contents)
        # Before any replica goes: requests are not to be sent where one is about to leave.
        routes = share_out_requests(plan, present.contents, self._writer)
        # Whoever paused or deleted it since the plan was made must not see one more step.
        steps = [one for one in plan.steps_to_apply if _is_auto(present.deployments.get(one.key.deployment_key))]
        outcomes = tuple(take_step(step, self._writer, self._paths) for step in steps)
        retirement = retire(plan, present.contents, self._writer, self._paths)
        outcomes = (*outcomes, *retirement.outcomes)
        self._marks.take_back(plan, present.contents)
        for outcome in outcomes:
            self._tell_step(outcome, present, plan.now_s)
        for one in retirement.deleted:
            self._tell_deletion(one, present, plan.now_s)
        self._forget_absent(present)
        failures = [*self._tell_deployments(plan, present), *self._tell_pools(plan, present)]
        return Applied(outcomes, (*owned_failures, *retirement.failures), tuple(failures), routes)

    def _tell_step(self, outcome: StepOutcome, present: Present, now_s: float) -> None:
        step = outcome.step
        raw = present.deployments.get(step.key.deployment_key)
        if raw is None or outcome.result not in (Result.WRITTEN, Result.FAILED):
            return
        failed = outcome.result is Result.FAILED
        told = f"{step.key.variant} {step.from_replicas} -> {step.to_replicas}: {step.message}"
        happening = Happening(
            deployment=step.key.deployment_key,
            uid=raw["metadata"]["uid"],
            reason=Reason.WRITE_FAILED if failed else step.reason,
            note=f"{told}. Not done: {outcome.message}" if failed else told,
            is_warning=failed,
        )
        self._events.record(happening, now_s)

    def _tell_deletion(self, retired: Retired, present: Present, now_s: float) -> None:
        uid = present.deployments[retired.owner]["metadata"]["uid"]
        note = f"Deployment/{retired.workload.key.name} is deleted: it has no replicas, and no variant uses it any more"
        self._events.record(Happening(retired.owner, uid, Reason.MOVE_OUT, note, is_warning=False), now_s)

    def _forget_absent(self, present: Present) -> None:
        there = {raw["metadata"]["uid"] for raws in (present.deployments, present.pools) for raw in raws.values()}
        self._written = {uid: last for uid, last in self._written.items() if uid in there}

    def _tell_deployments(self, plan: Plan, present: Present) -> list[str]:
        failures: list[str] = []
        planned = {one.key: one for one in plan.deployments}
        findings = group_by_deployment(plan.findings)
        for key, raw in sorted(present.deployments.items()):
            if raw["metadata"].get("deletionTimestamp"):
                continue
            told, old = self._verdicts(key, planned, findings, plan), self._present_status(raw, plan.now_s)
            if not told:
                continue
            if key in planned:
                new = deployment_status(planned[key], told, old, plan.now_s, plan.solver)
            else:
                new = unplanned_status(raw["metadata"].get("generation", 0), told, old, plan.now_s)
            if differs(new, old, self._age_s(raw, plan.now_s)):
                path = f"/apis/{API_VERSION}/namespaces/{key.namespace}/inferencedeployments/{key.name}"
                if self._write_status("InferenceDeployment", path, raw, new, plan.now_s, failures):
                    self._tell_ready(key, raw, told, old, plan.now_s)
        return failures

    def _verdicts(
        self,
        key: ObjectKey,
        planned: Mapping[ObjectKey, Any],
        findings: Mapping[ObjectKey, list[Finding]],
        plan: Plan,
    ) -> tuple[Verdict, ...]:
        if key in planned:
            return verdicts(planned[key], findings.get(key, ()), plan.pools)
        return verdicts_without_plan(findings[key]) if findings.get(key) else ()

    def _tell_ready(self, key: ObjectKey, raw: Raw, told: tuple[Verdict, ...], old: Raw | None, now_s: float) -> None:
        """An Event when Ready turns, or stays False for another reason; other modes than Auto promise to write none."""
        if not _is_auto(raw):
            return
        ready = next(one for one in told if one.type is ConditionType.READY)
        before = next((one for one in (old or {}).get("conditions") or () if one["type"] == "Ready"), None)
        was_ready = before is None or before["status"] == "True"
        is_ready = ready.holds is True
        if is_ready and was_ready:
            return
        if not is_ready and not was_ready and before is not None and before["reason"] == ready.reason.value:
            return
        uid = raw["metadata"]["uid"]
        self._events.record(Happening(key, uid, ready.reason, ready.message, is_warning=not is_ready), now_s)

    def _tell_pools(self, plan: Plan, present: Present) -> list[str]:
        failures: list[str] = []
        planned = {pool.name: pool for pool in plan.pools}
        for key, raw in sorted(present.pools.items()):
            generation, old = raw["metadata"].get("generation", 0), self._present_status(raw, plan.now_s)
            if key.name in planned:
                new = pool_status(planned[key.name], generation, old, plan.now_s)
            else:
                new = unplanned_pool_status(
                    _why_unplanned(present.contents.pools.get(key)), generation, old, plan.now_s
                )
            if pool_status_differs(new, old):
                path = f"/apis/{API_VERSION}/computepools/{key.name}"
                self._write_status("ComputePool", path, raw, new, plan.now_s, failures)
        return failures

    def _present_status(self, raw: Raw, now_s: float) -> Raw | None:
        last = self._written.get(raw["metadata"]["uid"])
        return last.status if last is not None and now_s < last.at_s + _WATCH_LAG_S else raw.get("status")

    def _age_s(self, raw: Raw, now_s: float) -> float:
        last = self._written.get(raw["metadata"]["uid"])
        return now_s - last.at_s if last is not None else float("inf")

    def _write_status(self, kind: str, path: str, raw: Raw, status: Raw, now_s: float, failures: list[str]) -> bool:
        """Whether it was written; if not, and that is worth a word, `failures` says why."""
        metadata = raw["metadata"]
        body = {
            "apiVersion": API_VERSION,
            "kind": kind,
            # No uid: the API server does not heed it here. A successor of this name gets its own status a tick later.
            "metadata": {"name": metadata["name"]},
            "status": status,
        }
        try:
            # Applied, so that what is left out goes; a patch would keep it.
            self._writer.patch(f"{kind}/status", f"{path}/status", body, Patch.APPLY)
        except (NotFound, NotLeading):
            return False
        except PlimsollError as error:
            failures.append(str(error))
            return False
        self._written[metadata["uid"]] = _Written(status, now_s)
        return True


def _is_auto(raw: Raw | None) -> bool:
    """True for an InferenceDeployment that is there to stay and wants more than a status."""
    if raw is None or raw["metadata"].get("deletionTimestamp"):
        return False
    return bool((raw.get("spec") or {}).get("mode", Mode.AUTO) == Mode.AUTO)


def _why_unplanned(pool: Kind | InvalidObject | None) -> str:
    if isinstance(pool, InvalidObject):
        return str(pool)
    if isinstance(pool, ComputePool):
        return "the pool has no node and no spec.resources, so nothing can be planned on it: set spec.resources"
    return "the pool cannot be used"
