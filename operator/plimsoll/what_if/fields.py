"""What can be assumed: one line for each thing of a pool, a deployment or a variant that may be set.

In: nothing. Out: fields that know how their present value reads, how a text becomes a value, and how the object looks
with it. A new thing to assume is one more line.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Generic, TypeVar

from pydantic_core import PydanticCustomError

from plimsoll.api.values import LatencyLimit, decimal_text
from plimsoll.domain import (
    Deployment,
    ExternalPrice,
    LatencyMetric,
    LatencyTarget,
    Mode,
    Pool,
    PriceKind,
    Profile,
    Variant,
)

T = TypeVar("T")
NONE = "none"
_KINDS = {kind.value: kind for kind in PriceKind}
_MODES = {mode.value: mode for mode in Mode}
_SOLD_OUT_FOR_S = 3600.0
"""Longer than any start-up, so that what is planned does without the pool."""


@dataclass(frozen=True, slots=True)
class Field(Generic[T]):
    """One thing that can be assumed of an object."""

    path: str
    unit: str
    """What to write, with an example."""
    told: Callable[[T], str]
    """The present value."""
    put: Callable[[T, str], T]
    """The object with the value of this text; ValueError for a text that is none."""


def amount(text: str) -> float:
    """A number that is finite and not negative."""
    value = float(text)
    if not isfinite(value) or value < 0.0:
        raise ValueError(text)
    return value


def told_amount(value: float) -> str:
    return decimal_text(value, 3)


def _count(text: str) -> int:
    value = int(text)
    if value < 0:
        raise ValueError(text)
    return value


def _share(text: str) -> float:
    value = amount(text)
    if value >= 1.0:
        raise ValueError(text)
    return value


def _one_of(choices: Mapping[str, T], text: str) -> T:
    if text not in choices:
        raise ValueError(text)
    return choices[text]


def _yes(text: str) -> bool:
    return _one_of({"yes": True, "no": False}, text)


_USD_NODE = "US dollars per hour of a node, such as 2.10"
_USD_MILLION = "US dollars per million tokens, such as 0.15"
_WHOLE = "a whole number, such as 5"

POOL_FIELDS: tuple[Field[Pool], ...] = (
    Field(
        "price",
        _USD_NODE,
        lambda pool: told_amount(pool.price_usd_per_hour),
        lambda pool, text: replace(pool, price_usd_per_hour=amount(text)),
    ),
    Field(
        "priceKind",
        "OnDemand, Spot or Paid",
        lambda pool: pool.price_kind.value,
        lambda pool, text: replace(pool, price_kind=_one_of(_KINDS, text)),
    ),
    Field(
        "nodes.min",
        _WHOLE,
        lambda pool: str(pool.min_nodes),
        lambda pool, text: replace(pool, min_nodes=_count(text)),
    ),
    Field(
        "nodes.max",
        _WHOLE,
        lambda pool: str(pool.max_nodes),
        lambda pool, text: replace(pool, max_nodes=_count(text)),
    ),
)


def stock_out_field(now_s: float) -> Field[Pool]:
    """Whether a pool delivers no node at present."""

    def is_out(pool: Pool) -> bool:
        return pool.stocked_out_until_s is not None and pool.stocked_out_until_s > now_s

    return Field(
        "stockedOut",
        "yes or no",
        lambda pool: "yes" if is_out(pool) else "no",
        lambda pool, text: replace(pool, stocked_out_until_s=now_s + _SOLD_OUT_FOR_S if _yes(text) else None),
    )


def _budget(deployment: Deployment, text: str) -> Deployment:
    return replace(deployment, budget_usd_per_hour=None if text == NONE else amount(text))


def _external(deployment: Deployment) -> ExternalPrice:
    return deployment.external_price or ExternalPrice(0.0, 0.0)


def _told_external(deployment: Deployment, told: Callable[[ExternalPrice], float]) -> str:
    return _told_or_none(None if deployment.external_price is None else told(deployment.external_price))


def _told_or_none(value: float | None) -> str:
    return NONE if value is None else told_amount(value)


DEPLOYMENT_FIELDS: tuple[Field[Deployment], ...] = (
    Field(
        "budget.perHour",
        "US dollars per hour, such as 12.50, or none",
        lambda one: _told_or_none(one.budget_usd_per_hour),
        _budget,
    ),
    Field(
        "externalAPI.inputPerMillion",
        _USD_MILLION,
        lambda one: _told_external(one, lambda price: price.usd_per_million_prompt_tokens),
        lambda one, text: replace(
            one, external_price=replace(_external(one), usd_per_million_prompt_tokens=amount(text))
        ),
    ),
    Field(
        "externalAPI.outputPerMillion",
        _USD_MILLION,
        lambda one: _told_external(one, lambda price: price.usd_per_million_output_tokens),
        lambda one, text: replace(
            one, external_price=replace(_external(one), usd_per_million_output_tokens=amount(text))
        ),
    ),
    Field(
        "priority",
        "a whole number, such as 100",
        lambda one: str(one.priority),
        lambda one, text: replace(one, priority=_count(text)),
    ),
    Field(
        "mode",
        "Auto, Recommend or Paused",
        lambda one: one.mode.value,
        lambda one, text: replace(one, mode=_one_of(_MODES, text)),
    ),
    Field(
        "policy.headroom",
        "a share from 0 to below 1, such as 0.2",
        lambda one: told_amount(one.policy.headroom_ratio),
        lambda one, text: replace(one, policy=replace(one.policy, headroom_ratio=_share(text))),
    ),
    Field(
        "policy.confirmedHeadroom",
        "a share from 0 to below 1, such as 0.05",
        lambda one: told_amount(one.policy.confirmed_headroom_ratio),
        lambda one, text: replace(one, policy=replace(one.policy, confirmed_headroom_ratio=_share(text))),
    ),
    Field(
        "policy.spot.lossTolerated",
        "a share from 0 to 1, such as 0.5",
        lambda one: told_amount(one.policy.spot_loss_tolerated_ratio),
        lambda one, text: replace(one, policy=replace(one.policy, spot_loss_tolerated_ratio=min(1.0, amount(text)))),
    ),
)


def slo_fields(deployment: Deployment) -> tuple[Field[Deployment], ...]:
    """The limits that the deployment has, and those at p95 that it has not."""
    places = {(one.metric, one.quantile) for one in deployment.slo} | {(metric, 0.95) for metric in LatencyMetric}
    return tuple(_slo_field(metric, quantile) for metric, quantile in sorted(places))


def _slo_field(metric: LatencyMetric, quantile: float) -> Field[Deployment]:
    def told(one: Deployment) -> str:
        limits = [f"{t.limit_ms:g}ms" for t in one.slo if (t.metric, t.quantile) == (metric, quantile)]
        return limits[0] if limits else NONE

    def put(one: Deployment, text: str) -> Deployment:
        others = tuple(t for t in one.slo if (t.metric, t.quantile) != (metric, quantile))
        if text == NONE and others:
            return replace(one, slo=others)
        try:
            limit_ms = LatencyLimit.accept(text).milliseconds
        except PydanticCustomError as error:
            raise ValueError(text) from error
        order = [(t.metric, t.quantile) for t in one.slo]
        made = LatencyTarget(metric, quantile, limit_ms)
        if (metric, quantile) not in order:
            return replace(one, slo=(*one.slo, made))
        return replace(one, slo=tuple(made if (t.metric, t.quantile) == (metric, quantile) else t for t in one.slo))

    return Field(f"slo.{metric.value}.p{quantile * 100:g}", "a duration above zero, such as 500ms", told, put)


VARIANT_FIELDS: tuple[Field[Variant], ...] = (
    Field(
        "replicas.min",
        _WHOLE,
        lambda one: str(one.min_replicas),
        lambda one, text: replace(one, min_replicas=_count(text)),
    ),
    Field(
        "replicas.max",
        _WHOLE,
        lambda one: str(one.max_replicas),
        lambda one, text: replace(one, max_replicas=_count(text)),
    ),
)


def profile_field(profiles: Mapping[str, Profile], pools: Mapping[str, Pool]) -> Field[Variant]:
    """Another profile of the same model on the same hardware."""

    def put(one: Variant, text: str) -> Variant:
        made = _one_of(profiles, text)
        if made.model != one.profile.model or made.hardware != pools[one.pool].hardware:
            raise ValueError(text)
        return replace(one, profile=made)

    return Field(
        "profile",
        "a ServingProfile of the same model and of the hardware of the variant's pool",
        lambda one: one.profile.name,
        put,
    )
