"""The autoscalers that are compared, each a small class behind one protocol.

In: observations. Out: wanted replicas. A new policy is a file of its own and one line in `POLICIES`. On the command
line a policy is named as here, or with a target of its own, or for some variants only: ``hpa``, ``hpa=0.6``,
``hpa@l4``.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
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
from plimsoll.simulator.policies.dynamo import DYNAMO
from plimsoll.simulator.policies.hpa import HPA
from plimsoll.simulator.policies.keda import KEDA
from plimsoll.simulator.policies.kpa import KPA
from plimsoll.simulator.policies.melange import MELANGE
from plimsoll.simulator.policies.narrowed import Narrowed
from plimsoll.simulator.policies.plimsoll import PLIMSOLL
from plimsoll.simulator.policies.skyserve import SKYSERVE
from plimsoll.simulator.policies.static import STATIC
from plimsoll.simulator.policies.wva_v1 import WVA_V1
from plimsoll.simulator.policies.wva_v2 import WVA_V2

__all__ = [
    "POLICIES",
    "Autoscaler",
    "Maker",
    "Observation",
    "PolicyKind",
    "Scrape",
    "Setup",
    "Wanted",
    "checked",
    "listed",
    "make",
    "parsed",
]

_IN_ORDER: Final = (PLIMSOLL, STATIC, HPA, KEDA, KPA, WVA_V1, WVA_V2, MELANGE, DYNAMO, SKYSERVE)

POLICIES: Final[Mapping[str, PolicyKind]] = {kind.name: kind for kind in _IN_ORDER}


def make(label: str, setup: Setup) -> Autoscaler:
    """The policy of that label, freshly made.

    Raises:
        InvalidObject: there is no such policy or variant, or its target is none.
    """
    kind, target, variants = checked(label, (one.name for each in setup.deployments for one in each.variants))
    if not variants:
        return kind.make(setup, target)
    narrowed = _narrowed(setup, variants)
    keys = {variant.key for deployment in narrowed.deployments for variant in deployment.variants}
    return Narrowed(kind.make(narrowed, target), keys)


def listed(text: str) -> tuple[str, ...]:
    """The labels of a list with commas, without the blanks around them, each once."""
    return tuple(dict.fromkeys(label for one in text.split(",") if (label := one.strip())))


def parsed(label: str) -> tuple[PolicyKind, float, tuple[str, ...]]:
    """The kind, the target and the variants that a label such as ``hpa@l4+h100=0.6`` stands for; no variants: all.

    Raises:
        InvalidObject: there is no such policy, or its target is none.
    """
    head, has_target, text = label.partition("=")
    name, has_variants, variants = head.partition("@")
    kind = POLICIES.get(name)
    if kind is None:
        raise InvalidObject(f"there is no policy {name}: take some of {', '.join(POLICIES)}")
    named = tuple(variants.split("+")) if has_variants else ()
    if not all(named):
        raise InvalidObject(f"policy {label}: a variant has no name; write {name} for all variants, or {name}@l4+h100")
    return kind, _target(kind, head, text) if has_target else kind.default_target, named


def checked(label: str, known: Iterable[str]) -> tuple[PolicyKind, float, tuple[str, ...]]:
    """The same where the variants that there are are known.

    Raises:
        InvalidObject: there is no such policy or variant, or its target is none.
    """
    kind, target, variants = parsed(label)
    there = set(known)
    unknown = sorted(set(variants) - there)
    if unknown:
        raise InvalidObject(f"policy {label}: no deployment has a variant {unknown[0]}: {', '.join(sorted(there))}")
    return kind, target, variants


def _target(kind: PolicyKind, head: str, text: str) -> float:
    label = f"{head}={text}"
    if kind.default_target <= 0.0:
        raise InvalidObject(f"policy {label}: {kind.name} has no target that could be set; write {head}")
    told = f"write {head} or, say, {head}={kind.targets[0] if kind.targets else kind.default_target:g}"
    try:
        target = float(text)
    except ValueError as error:
        raise InvalidObject(f"policy {label}: {text or 'nothing'} is no number; {told}") from error
    if not (math.isfinite(target) and target > 0.0):
        raise InvalidObject(f"policy {label}: a target is more than 0; {told}")
    return target


def _narrowed(setup: Setup, variants: tuple[str, ...]) -> Setup:
    """The setup as somebody sees it who uses these variants only."""
    deployments = tuple(
        replace(one, variants=tuple(variant for variant in one.variants if variant.name in variants))
        for one in setup.deployments
    )
    return replace(setup, deployments=deployments)
