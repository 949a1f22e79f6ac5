"""The autoscalers that are compared, each a small class behind one protocol.

In: observations. Out: wanted replicas. A new policy is a file of its own and one line in `POLICIES`. On the command
line a policy is named as here, or with a target of its own, or for some variants only: ``hpa``, ``hpa=0.6``,
``hpa@l4``.
"""

from collections.abc import Mapping
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

__all__ = ["POLICIES", "Autoscaler", "Maker", "Observation", "PolicyKind", "Scrape", "Setup", "Wanted", "make"]

_IN_ORDER: Final = (PLIMSOLL, STATIC, HPA, KEDA, KPA, WVA_V1, WVA_V2, MELANGE, DYNAMO, SKYSERVE)

POLICIES: Final[Mapping[str, PolicyKind]] = {kind.name: kind for kind in _IN_ORDER}


def make(label: str, setup: Setup) -> Autoscaler:
    """The policy of that label, freshly made.

    Raises:
        InvalidObject: there is no such policy or variant, or its target is no number.
    """
    kind, target, variants = parsed(label)
    if not variants:
        return kind.make(setup, target)
    narrowed = _narrowed(setup, variants, label)
    keys = {variant.key for deployment in narrowed.deployments for variant in deployment.variants}
    return Narrowed(kind.make(narrowed, target), keys)


def parsed(label: str) -> tuple[PolicyKind, float, tuple[str, ...]]:
    """The kind, the target and the variants that a label such as ``hpa@l4+h100=0.6`` stands for; no variants: all."""
    head, _, text = label.partition("=")
    name, _, variants = head.partition("@")
    kind = POLICIES.get(name)
    if kind is None:
        raise InvalidObject(f"there is no policy {name}: take some of {', '.join(POLICIES)}")
    try:
        return kind, float(text) if text else kind.default_target, tuple(variants.split("+")) if variants else ()
    except ValueError as error:
        raise InvalidObject(f"policy {label}: {text} is no number; write {head} or, say, {head}=0.6") from error


def _narrowed(setup: Setup, variants: tuple[str, ...], label: str) -> Setup:
    """The setup as somebody sees it who uses these variants only."""
    known = {one.name for deployment in setup.deployments for one in deployment.variants}
    unknown = sorted(set(variants) - known)
    if unknown:
        raise InvalidObject(f"policy {label}: no deployment has a variant {unknown[0]}: {', '.join(sorted(known))}")
    deployments = tuple(
        replace(one, variants=tuple(variant for variant in one.variants if variant.name in variants))
        for one in setup.deployments
    )
    return replace(setup, deployments=deployments)
