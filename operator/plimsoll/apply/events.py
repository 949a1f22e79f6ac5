"""Which changes are worth an Event on the object?

In: step outcomes, Ready verdicts that turned. Out: events.k8s.io/v1 Events, at most one for the same words on the same
object within ten minutes. A steady state has none. An Event that cannot be written is logged and let go.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from plimsoll.api import API_VERSION
from plimsoll.apply.writer import Writer
from plimsoll.domain import ObjectKey, Reason
from plimsoll.errors import PlimsollError

log = logging.getLogger(__name__)

_REPEAT_AFTER_S = 600.0
_NOTE_BYTES = 1024
"""The API server refuses longer notes, counted in bytes."""
_CONTROLLER = "plimsoll.dev/operator"


@dataclass(frozen=True, slots=True)
class Happening:
    """Something to tell on an InferenceDeployment."""

    deployment: ObjectKey
    uid: str
    reason: Reason
    note: str
    is_warning: bool


class EventRecorder:
    """Writes Events, each once."""

    def __init__(self, writer: Writer, identity: str, micro_time: Callable[[float], str]) -> None:
        self._writer = writer
        self._identity = identity
        self._micro_time = micro_time
        self._told: dict[tuple[str, Reason, str], float] = {}

    def record(self, happening: Happening, now_s: float) -> None:
        """Tell it, unless the same was told lately."""
        same = (happening.uid, happening.reason, happening.note)
        self._told = {key: at_s for key, at_s in self._told.items() if now_s < at_s + _REPEAT_AFTER_S}
        if same in self._told:
            return
        self._told[same] = now_s
        path = f"/apis/events.k8s.io/v1/namespaces/{happening.deployment.namespace}/events"
        try:
            self._writer.create("Event", path, self._manifest(happening, now_s))
        except PlimsollError as error:
            log.warning("event not written: %s", error)

    def _manifest(self, happening: Happening, now_s: float) -> Mapping[str, Any]:
        return {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {
                "generateName": f"{happening.deployment.name}-",
                "namespace": happening.deployment.namespace,
            },
            "eventTime": self._micro_time(now_s),
            "type": "Warning" if happening.is_warning else "Normal",
            "reason": happening.reason.value,
            "action": happening.reason.value,
            "note": happening.note.encode()[:_NOTE_BYTES].decode(errors="ignore"),
            "regarding": {
                "apiVersion": API_VERSION,
                "kind": "InferenceDeployment",
                "name": happening.deployment.name,
                "namespace": happening.deployment.namespace,
                "uid": happening.uid,
            },
            "reportingController": _CONTROLLER,
            "reportingInstance": self._identity,
        }
