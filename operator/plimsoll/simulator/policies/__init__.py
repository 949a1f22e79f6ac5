"""The autoscalers that are compared, each a small class behind one protocol.

In: observations. Out: wanted replicas. A new policy is a file of its own and one line in `POLICIES`. On the command
line a policy is named as here, or with a target of its own: ``hpa`` or ``hpa=0.6``.
"""

from collections.abc import Mapping
from typing import Final

from plimsoll.errors import InvalidObject
from plimsoll.simulator.policies.autoscaler import (
    Autoscaler,
    Maker,
    Observation,
    PolicyKind,
    Scrape,
    Setup,
    Wanted,
)
from plimsoll.simulator.policies.plimsoll import PLIMSOLL

__all__ = ["POLICIES", "Autoscaler", "Maker", "Observation", "PolicyKind", "Scrape", "Setup", "Wanted", "make"]

POLICIES: Final[Mapping[str, PolicyKind]] = {kind.name: kind for kind in (PLIMSOLL,)}


def make(label: str, setup: Setup) -> Autoscaler:
    """The policy of that label, freshly made.

    Raises:
        InvalidObject: there is no such policy, or its target is no number.
    """
    kind, target = parsed(label)
    return kind.make(setup, target)


def parsed(label: str) -> tuple[PolicyKind, float]:
    """The kind and the target that a label such as ``hpa=0.6`` stands for."""
    name, _, text = label.partition("=")
    kind = POLICIES.get(name)
    if kind is None:
        raise InvalidObject(f"there is no policy {name}: take some of {', '.join(POLICIES)}")
    try:
        return kind, float(text) if text else kind.default_target
    except ValueError as error:
        raise InvalidObject(f"policy {label}: {text} is no number; write {name} or, say, {name}=0.6") from error
