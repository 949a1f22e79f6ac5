"""Is a step still right, and is it done? A second look, then one write to the scale subresource.

In: a ``Step`` of the plan. Out: a ``StepOutcome`` for each, never an exception for what one target does: a step that no
longer holds is dropped and says so, the others go on.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any

from plimsoll.apply.deletion_marks import mark
from plimsoll.apply.look_again import look_again
from plimsoll.apply.writer import Writer
from plimsoll.domain import Step
from plimsoll.errors import NotFound, NotLeading, PlimsollError, WriteConflict
from plimsoll.resource_paths import ResourcePaths


class Result(StrEnum):
    """What became of a step."""

    WRITTEN = "Written"
    ALREADY_THERE = "AlreadyThere"
    CHANGED_MEANWHILE = "ChangedMeanwhile"
    TARGET_GONE = "TargetGone"
    NOT_LEADING = "NotLeading"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class StepOutcome:
    """A step and what became of it; the message is for the log."""

    step: Step
    result: Result
    message: str = ""


def take_step(step: Step, writer: Writer, paths: ResourcePaths) -> StepOutcome:
    """Look again, mark the pods that should go first, and set the replicas."""
    try:
        path = paths.scale_of(step.target)
        return look_again(partial(_look_and_write, step, path, writer))
    except WriteConflict as error:
        return StepOutcome(step, Result.CHANGED_MEANWHILE, str(error))
    except NotFound as error:
        return StepOutcome(step, Result.TARGET_GONE, str(error))
    except NotLeading as error:
        return StepOutcome(step, Result.NOT_LEADING, str(error))
    except PlimsollError as error:
        return StepOutcome(step, Result.FAILED, str(error))


def _look_and_write(step: Step, path: str, writer: Writer) -> StepOutcome:
    scale = writer.get(path)
    there = (scale.get("spec") or {}).get("replicas", 0)
    if there == step.to_replicas:
        return StepOutcome(step, Result.ALREADY_THERE)
    if there != step.from_replicas:
        return StepOutcome(
            step,
            Result.CHANGED_MEANWHILE,
            f"{step.target} asks for {there} replicas by now, the plan knew {step.from_replicas}: looking again",
        )
    for pod in step.delete_first:
        mark(step.target.namespace, pod, writer)
    writer.patch(step.target.kind + "/scale", path, _scale_patch(scale, step.to_replicas))
    return StepOutcome(step, Result.WRITTEN)


def _scale_patch(scale: dict[str, Any], replicas: int) -> dict[str, Any]:
    # The resourceVersion is a precondition: whoever wrote since our look makes this a conflict.
    version = (scale.get("metadata") or {}).get("resourceVersion")
    metadata = {"metadata": {"resourceVersion": version}} if version else {}
    return metadata | {"spec": {"replicas": replicas}}


def log_fields(outcome: StepOutcome) -> dict[str, Any]:
    """The step as fields of a log line."""
    step = outcome.step
    return {
        "deployment": str(step.key.deployment_key),
        "variant": step.key.variant,
        "from": step.from_replicas,
        "to": step.to_replicas,
        "reason": step.reason.value,
        "result": outcome.result.value,
    }
