"""How does a plan become writes? Owned Deployments, then steps, then what is told about it.

In: the plan, the cache's contents, the statuses as they stand. Out: what was done, as values for the log and metrics.
One object's failure never stops the others; the fence inside `Writer` stops everything once this replica may not write.
"""

from collections.abc import Callable
from dataclasses import dataclass

from plimsoll.api_server import ApiServer
from plimsoll.apply.deletion_marks import DeletionMarks
from plimsoll.apply.events import EventRecorder, Happening
from plimsoll.apply.owned import OwnedDeployments, OwnedFailure
from plimsoll.apply.present import Present, is_auto
from plimsoll.apply.retirement import retire
from plimsoll.apply.route_weights import RouteOutcome, share_out_requests
from plimsoll.apply.statuses import Statuses, StatusFailure
from plimsoll.apply.steps import Result, StepOutcome, take_step
from plimsoll.apply.writer import OnWrite, Writer
from plimsoll.domain import Plan, Reason
from plimsoll.observe import Retired
from plimsoll.resource_paths import ResourcePaths


@dataclass(frozen=True, slots=True)
class Applied:
    """What one tick wrote, or could not."""

    steps: tuple[StepOutcome, ...] = ()
    owned_failures: tuple[OwnedFailure, ...] = ()
    status_failures: tuple[StatusFailure, ...] = ()
    routes: tuple[RouteOutcome, ...] = ()


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
        self._statuses = Statuses(self._writer, self._events)

    def apply(self, plan: Plan, present: Present) -> Applied:
        """Write what the plan asks for and what there is to tell."""
        owned_failures = self._owned.bring_up_to_date(present.contents)
        # Before any replica goes: requests are not to be sent where one is about to leave.
        routes = share_out_requests(plan, present.contents, self._writer)
        # Whoever paused or deleted it since the plan was made must not see one more step.
        steps = [one for one in plan.steps_to_apply if is_auto(present.deployments.get(one.key.deployment_key))]
        outcomes = tuple(take_step(step, self._writer, self._paths) for step in steps)
        retirement = retire(plan, present.contents, self._writer, self._paths)
        outcomes = (*outcomes, *retirement.outcomes)
        self._marks.take_back(plan, present.contents)
        for outcome in outcomes:
            self._tell_step(outcome, present, plan.now_s)
        for one in retirement.deleted:
            self._tell_deletion(one, present, plan.now_s)
        status_failures = self._statuses.tell(plan, present)
        return Applied(outcomes, (*owned_failures, *retirement.failures), status_failures, routes)

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
