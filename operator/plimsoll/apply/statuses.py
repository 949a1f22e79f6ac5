"""Which objects are told something new in this tick? Each by itself: one that fails never costs another its status.

In: the plan, and the statuses as they stand. Out: applied statuses, an Event where Ready turned, and the failures as
values. What cannot be rendered is a bug of ours; it is told with its traceback, and the status keeps what it said.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from plimsoll.api import API_VERSION, ComputePool, Kind
from plimsoll.api_server import Patch
from plimsoll.apply.events import EventRecorder, Happening
from plimsoll.apply.pool_status import pool_status, pool_status_differs, unplanned_pool_status
from plimsoll.apply.present import Present, Raw, is_auto
from plimsoll.apply.status import deployment_status, differs, unplanned_status
from plimsoll.apply.writer import Writer
from plimsoll.domain import DeploymentPlan, Finding, ObjectKey, Plan, PoolPlan
from plimsoll.errors import Forbidden, InvalidObject, NotFound, NotLeading, PlimsollError, WriteRefused
from plimsoll.explain import ConditionType, Verdict, group_by_deployment, verdicts, verdicts_without_plan

_WATCH_LAG_S = 30.0
"""For so long the status we wrote counts more than the cached one, which may be older. After that the cache tells what
others did: a replica that led in between, or a person. A guess: watches are late by seconds, not by half a minute."""


@dataclass(frozen=True, slots=True)
class StatusFailure:
    """A status that stays as it was, though there was something new to tell."""

    kind: str
    name: str
    message: str
    """What happened, what it means, what to do."""
    bug: Exception | None = None
    """What escaped where nothing should; its traceback says where."""


@dataclass(frozen=True, slots=True)
class _Written:
    """The status last written to an object; the cache may lag behind it."""

    status: Raw
    at_s: float


@dataclass(frozen=True, slots=True)
class _PlanToTell:
    """A plan, by what a status is made of."""

    plan: Plan
    deployments: Mapping[ObjectKey, DeploymentPlan]
    findings: Mapping[ObjectKey, list[Finding]]
    pools: Mapping[str, PoolPlan]

    @classmethod
    def of(cls, plan: Plan) -> "_PlanToTell":
        return cls(
            plan,
            {one.key: one for one in plan.deployments},
            group_by_deployment(plan.findings),
            {pool.name: pool for pool in plan.pools},
        )

    def verdicts_on(self, key: ObjectKey) -> tuple[Verdict, ...]:
        """Empty where there is nothing to tell."""
        if key in self.deployments:
            return verdicts(self.deployments[key], self.findings.get(key, ()), self.plan.pools)
        return verdicts_without_plan(self.findings[key]) if self.findings.get(key) else ()


class Statuses:
    """Writes statuses that differ, and remembers what it wrote."""

    def __init__(self, writer: Writer, events: EventRecorder) -> None:
        self._writer = writer
        self._events = events
        self._written: dict[str, _Written] = {}

    def tell(self, plan: Plan, present: Present) -> tuple[StatusFailure, ...]:
        """Write what is new to every deployment and pool."""
        self._forget_absent(present)
        told, failures = _PlanToTell.of(plan), list[StatusFailure]()
        for key, raw in sorted(present.deployments.items()):
            if not raw["metadata"].get("deletionTimestamp"):
                with _by_itself("InferenceDeployment", str(key), failures.append):
                    self._tell_deployment(key, raw, told)
        for key, raw in sorted(present.pools.items()):
            with _by_itself("ComputePool", key.name, failures.append):
                self._tell_pool(key, raw, told, present)
        return tuple(failures)

    def _tell_deployment(self, key: ObjectKey, raw: Raw, told: _PlanToTell) -> None:
        now_s = told.plan.now_s
        found, old = told.verdicts_on(key), self._present_status(raw, now_s)
        if not found:
            return
        if key in told.deployments:
            new = deployment_status(told.deployments[key], found, old, now_s, told.plan.solver, told.pools)
        else:
            new = unplanned_status(raw["metadata"].get("generation", 0), found, old, now_s)
        if differs(new, old, self._age_s(raw, now_s)):
            path = f"/apis/{API_VERSION}/namespaces/{key.namespace}/inferencedeployments/{key.name}"
            if self._write("InferenceDeployment", path, raw, new, now_s):
                self._tell_ready(key, raw, found, old, now_s)

    def _tell_ready(self, key: ObjectKey, raw: Raw, told: tuple[Verdict, ...], old: Raw | None, now_s: float) -> None:
        """An Event when Ready turns, or stays False for another reason; other modes than Auto promise to write none."""
        if not is_auto(raw):
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

    def _tell_pool(self, key: ObjectKey, raw: Raw, told: _PlanToTell, present: Present) -> None:
        now_s = told.plan.now_s
        generation, old = raw["metadata"].get("generation", 0), self._present_status(raw, now_s)
        if key.name in told.pools:
            new = pool_status(told.pools[key.name], generation, old, now_s)
        else:
            new = unplanned_pool_status(_why_unplanned(present.contents.pools.get(key)), generation, old, now_s)
        if pool_status_differs(new, old):
            self._write("ComputePool", f"/apis/{API_VERSION}/computepools/{key.name}", raw, new, now_s)

    def _forget_absent(self, present: Present) -> None:
        there = {raw["metadata"]["uid"] for raws in (present.deployments, present.pools) for raw in raws.values()}
        self._written = {uid: last for uid, last in self._written.items() if uid in there}

    def _present_status(self, raw: Raw, now_s: float) -> Raw | None:
        last = self._written.get(raw["metadata"]["uid"])
        return last.status if last is not None and now_s < last.at_s + _WATCH_LAG_S else raw.get("status")

    def _age_s(self, raw: Raw, now_s: float) -> float:
        last = self._written.get(raw["metadata"]["uid"])
        return now_s - last.at_s if last is not None else float("inf")

    def _write(self, kind: str, path: str, raw: Raw, status: Raw, now_s: float) -> bool:
        """Whether it was written: not where the object is gone, or another replica tells."""
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
        self._written[metadata["uid"]] = _Written(status, now_s)
        return True


@contextmanager
def _by_itself(kind: str, name: str, fail: Callable[[StatusFailure], None]) -> Iterator[None]:
    """Whatever goes wrong within is this one object's failure."""
    try:
        yield
    except PlimsollError as error:
        fail(StatusFailure(kind, name, f"{error}. {_what_to_do(error)}"))
    except Exception as bug:  # noqa: BLE001 - handed on as a value, logged with its traceback, counted
        text = (
            f"{type(bug).__name__}: {' '.join(str(bug).split())}. Replicas are set as planned, this status stays as "
            "it was: go by the metrics meanwhile. This is a bug in Plimsoll, please report it and the traceback"
        )
        fail(StatusFailure(kind, name, text, bug))


def _what_to_do(error: PlimsollError) -> str:
    if isinstance(error, WriteRefused) and not isinstance(error, Forbidden):
        return "This status stays as it was. Are the CRDs of another version? Apply those that `plimsoll crds` prints"
    return "This status stays as it was until a later tick succeeds"


def _why_unplanned(pool: Kind | InvalidObject | None) -> str:
    if isinstance(pool, InvalidObject):
        return str(pool)
    if isinstance(pool, ComputePool):
        return "the pool has no node and no spec.resources, so nothing can be planned on it: set spec.resources"
    return "the pool cannot be used"
