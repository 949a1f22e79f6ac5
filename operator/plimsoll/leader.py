"""Which replica may write? One Lease in the cluster, held by one of them.

In: a Lease, our own monotonic clock. Out: ``is_leader()``, true only while the last renewal is younger than the renew
deadline, so that a replica which lost touch stops writing before another one starts. Others' clocks are not trusted: a
foreign lease counts as expired when it has not changed for its duration by our own clock. Design section 7.
"""

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from plimsoll.api_server import ApiServer
from plimsoll.errors import NotFound, PlimsollError, WriteConflict
from plimsoll.settings import LeaderSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A lease held by somebody else, and when we first saw it like this."""

    holder: str
    renewal: str
    at_s: float


class Elector:
    """Takes, renews and releases the lease; `run` is its only task."""

    def __init__(
        self,
        server: ApiServer,
        settings: LeaderSettings,
        identity: str,
        monotonic_s: Callable[[], float],
        utc_now: Callable[[], datetime],
        taken: Callable[[], None] = lambda: None,
    ) -> None:
        self._server = server
        self._settings = settings
        self._identity = identity
        self._monotonic_s = monotonic_s
        self._utc_now = utc_now
        self._taken = taken
        self._renewed_s: float | None = None
        self._seen: _Seen | None = None
        self._released = False
        self._collection = f"/apis/coordination.k8s.io/v1/namespaces/{settings.lease_namespace}/leases"
        self._path = f"{self._collection}/{settings.lease_name}"

    def is_leader(self) -> bool:
        """Whether a write that starts now is ours to make."""
        renewed_s = self._renewed_s
        return renewed_s is not None and self._monotonic_s() < renewed_s + self._settings.renew_deadline_s

    async def run(self) -> None:
        """Try for ever; the caller cancels the task, then releases."""
        while True:
            await self.try_once()
            await asyncio.sleep(self._settings.retry_s)

    async def try_once(self) -> bool:
        """One attempt to take or renew the lease; says whether we lead now."""
        was_leader, started_s = self._renewed_s is not None, self._monotonic_s()
        try:
            held = await asyncio.to_thread(self._take_or_renew)
        except PlimsollError as error:
            # Not knowing is not losing: we lead on until our own deadline passes, and not a moment longer.
            log.warning("lease not renewed: %s", error)
            held = False
            if not self.is_leader():
                self._renewed_s = None
        else:
            # The moment before the request: the server cannot have seen it earlier than that.
            self._renewed_s = started_s if held else None
        if was_leader and self._renewed_s is None:
            log.warning("lost the lease %s: writing stops", self._settings.lease_name)
        if held and not was_leader:
            log.info("leading: took the lease %s", self._settings.lease_name, extra={"identity": self._identity})
            # The predecessor may be dead for a while: its successor must not wait for its next tick as well.
            self._taken()
        return self.is_leader()

    def release(self) -> None:
        """Give the lease back for good, so that the next replica need not wait for it to expire. Blocking."""
        # An attempt may still be under way in its thread: it must not take the lease again for a process that ends.
        self._released = True
        was_leader, self._renewed_s = self.is_leader(), None
        if not was_leader:
            return
        try:
            lease = self._server.get(self._path)
            if lease["spec"].get("holderIdentity") == self._identity:
                self._server.put(self._path, _with_spec(lease, {"holderIdentity": ""}))
        except PlimsollError as error:
            log.warning(
                "lease not released: %s. Another replica takes over in %gs", error, self._settings.lease_duration_s
            )

    def _take_or_renew(self) -> bool:
        if self._released:
            return False
        try:
            lease = self._server.get(self._path)
        except NotFound:
            return self._create()
        spec = lease.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        if holder and holder != self._identity and not self._expired(holder, spec):
            return False
        return not self._released and self._write(lease, taken_over=holder != self._identity)

    def _create(self) -> bool:
        try:
            self._server.post(
                self._collection,
                {
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "metadata": {"name": self._settings.lease_name},
                    "spec": self._claim() | {"acquireTime": self._micro_time(), "leaseTransitions": 0},
                },
            )
        except WriteConflict:
            return False
        return True

    def _write(self, lease: dict[str, Any], *, taken_over: bool) -> bool:
        changes = self._claim()
        if taken_over:
            transitions = (lease.get("spec") or {}).get("leaseTransitions") or 0
            changes |= {"acquireTime": self._micro_time(), "leaseTransitions": transitions + 1}
        try:
            # The resourceVersion of the lease we read is the precondition: of two takers one gets a conflict.
            self._server.put(self._path, _with_spec(lease, changes))
        except WriteConflict:
            return False
        return True

    def _expired(self, holder: str, spec: dict[str, Any]) -> bool:
        renewal, now_s = str(spec.get("renewTime")), self._monotonic_s()
        if self._seen is None or (self._seen.holder, self._seen.renewal) != (holder, renewal):
            self._seen = _Seen(holder, renewal, now_s)
        return now_s >= self._seen.at_s + float(spec.get("leaseDurationSeconds") or self._settings.lease_duration_s)

    def _claim(self) -> dict[str, Any]:
        return {
            "holderIdentity": self._identity,
            # Whole seconds, rounded up: others must not count on less than our renew deadline was checked against.
            "leaseDurationSeconds": math.ceil(self._settings.lease_duration_s),
            "renewTime": self._micro_time(),
        }

    def _micro_time(self) -> str:
        return self._utc_now().astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _with_spec(lease: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return lease | {"spec": (lease.get("spec") or {}) | changes}
