"""Which pods carry our mark that they should go first, and which carry it for no reason any more?

In: steps that name pods, the contents of the cache. Out: the pod-deletion-cost annotation set before a scale-down, and
taken back from a pod that is still there long after: the step was given up, or another pod went in its place. Left on,
it would decide over a scale-down that has other reasons.
"""

import logging
import math
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from plimsoll.api import DELETION_COST_ANNOTATION, InferenceDeployment
from plimsoll.api_server import FIELD_MANAGER
from plimsoll.apply.look_again import look_again
from plimsoll.apply.writer import Writer
from plimsoll.domain import Mode, ObjectKey, Plan
from plimsoll.errors import NotFound, NotLeading, PlimsollError
from plimsoll.observe import Contents
from plimsoll.observe.targets import is_watched, target_of
from plimsoll.observe.views import PodView, Selector

log = logging.getLogger(__name__)

_GOES_FIRST = -100
_TAKEN_BACK_AFTER_S = 60.0
"""A pod that goes is on its way out within seconds of the scale-down, also where controllers are busy. A guess."""


def mark(namespace: str, pod: str, writer: Writer) -> None:
    """The pod is the first that its controller removes."""
    try:
        writer.patch("Pod", _path(ObjectKey(namespace, pod)), _annotated(str(_GOES_FIRST)))
    except NotFound:
        # Gone already: that is what the mark was for.
        return


class DeletionMarks:
    """Takes back marks; remembers since when each has had no reason."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._idle_since_s: dict[ObjectKey, float] = {}

    def take_back(self, plan: Plan, contents: Contents) -> None:
        """From pods of deployments in mode Auto that no step wants gone; what fails is logged and tried again."""
        named = {ObjectKey(one.target.namespace, pod) for one in plan.steps_to_apply for pod in one.delete_first}
        idle = set(_marked(contents)) - named
        self._idle_since_s = {key: self._idle_since_s.get(key, plan.now_s) for key in sorted(idle)}
        for key, since_s in list(self._idle_since_s.items()):
            if plan.now_s - since_s < _TAKEN_BACK_AFTER_S:
                continue
            try:
                look_again(partial(self._look_and_write, key))
            except (NotFound, NotLeading):
                continue
            except PlimsollError as error:
                log.warning("pod %s keeps its mark to go first, though no step wants that any more: %s", key, error)

    def _look_and_write(self, key: ObjectKey) -> None:
        live = self._writer.get(_path(key))
        metadata = live["metadata"]
        value = (metadata.get("annotations") or {}).get(DELETION_COST_ANNOTATION)
        if value != str(_GOES_FIRST) or metadata.get("deletionTimestamp"):
            return  # The watch has not told yet.
        if not _is_our_mark(metadata):
            self._idle_since_s[key] = math.inf  # Somebody else's wish, by chance with our number.
            return
        self._writer.patch("Pod", _path(key), _annotated(None, uid=metadata["uid"]))


def _marked(contents: Contents) -> Iterator[ObjectKey]:
    marked = {
        key: view
        for key, view in contents.pods.items()
        if view.pod.deletion_cost == _GOES_FIRST and not view.pod.terminating
    }
    # Few pods ever carry a mark, so that nothing below costs anything in a steady state.
    selectors = list(_selectors(contents)) if marked else []
    return (key for key, view in marked.items() if _is_selected(view, selectors))


def _selectors(contents: Contents) -> Iterator[tuple[str, Selector]]:
    """By namespace those of all workloads that may be written."""
    for key, deployment in contents.deployments.items():
        if not isinstance(deployment, InferenceDeployment) or key in contents.deleting:
            continue
        for variant in deployment.spec.variants if deployment.spec.mode is Mode.AUTO else ():
            target = target_of(deployment, variant)
            workload = contents.workloads.get((target.kind, ObjectKey(target.namespace, target.name)))
            if workload is not None and is_watched(target):
                yield target.namespace, workload.selector


def _is_selected(view: PodView, selectors: list[tuple[str, Selector]]) -> bool:
    return any(namespace == view.namespace and selector.accepts(view.labels) for namespace, selector in selectors)


def _is_our_mark(metadata: Mapping[str, Any]) -> bool:
    entries = [entry for entry in metadata.get("managedFields") or () if entry.get("manager") == FIELD_MANAGER]
    annotations = [entry.get("fieldsV1", {}).get("f:metadata", {}).get("f:annotations", {}) for entry in entries]
    return any(f"f:{DELETION_COST_ANNOTATION}" in one for one in annotations)


def _path(pod: ObjectKey) -> str:
    return f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}"


def _annotated(value: str | None, uid: str | None = None) -> dict[str, Any]:
    # The uid is a precondition: the pod of a StatefulSet may have a successor of its name.
    precondition = {"uid": uid} if uid else {}
    return {"metadata": precondition | {"annotations": {DELETION_COST_ANNOTATION: value}}}
