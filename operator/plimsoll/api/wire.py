"""What all four kinds share: how a model meets the wire, and rules that the server and we check alike.

In: nothing. Out: the base classes. A specification refuses unknown fields and coerces nothing (offline checks must be
no laxer than the API server's); a status is written by ourselves, so it cuts what would exceed its bounds instead.
A `Rule` says one thing about an object twice, as CEL for the server and as a predicate for us, with one message.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from plimsoll.api.values import Quantity, Timestamp

MAX_NAME_LENGTH = 253
"""Of an object in Kubernetes (a DNS subdomain)."""

ObjectName = Annotated[
    str, Field(min_length=1, max_length=MAX_NAME_LENGTH, pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$")
]
"""The name of another object."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What must hold between fields: in CEL, the message when it does not, and the same in Python."""

    cel: str
    message: str
    holds: Callable[[Any], bool]


def wire_name(name: str) -> str:
    """The field's name in camelCase: `price_per_hour` is `pricePerHour`, and `e2e` stays what it is."""
    first, *others = name.split("_")
    return first + "".join(part[0].upper() + part[1:] for part in others)


class WireModel(BaseModel):
    """A part of an object: camelCase on the wire, snake_case here, described by the text under each field."""

    model_config = ConfigDict(
        frozen=True,
        alias_generator=wire_name,
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
        allow_inf_nan=False,
    )
    rules: ClassVar[tuple[Rule, ...]] = ()
    """What must hold between the fields of this part."""

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        broken = [rule.message for rule in self.rules if not rule.holds(self)]
        if broken:
            raise PydanticCustomError("rule", "{messages}", {"messages": "; ".join(broken)})
        return self

    def to_wire(self) -> dict[str, Any]:
        """The part as it stands in a manifest: wire names, absent fields left out."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)


class SpecModel(WireModel):
    """A part that users write."""

    model_config = ConfigDict(extra="forbid", strict=True)


class StatusModel(WireModel):
    """A part that only Plimsoll writes."""

    model_config = ConfigDict(extra="ignore")

    def to_wire(self) -> dict[str, Any]:
        """The part as it is applied: absent and empty fields left out.

        A map or list that is applied empty after it had entries is stored as null, which the API server then refuses
        (Kubernetes 1.37); one that is left out goes.
        """
        kept: dict[str, Any] = _without_empty(super().to_wire())
        return kept


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {name: _without_empty(one) for name, one in value.items()}
        return {name: one for name, one in kept.items() if not _is_empty(one)}
    return [_without_empty(one) for one in value] if isinstance(value, list) else value


def _is_empty(value: Any) -> bool:
    return isinstance(value, (dict, list)) and not value


def _cut_text(limit: int) -> BeforeValidator:
    def cut(value: object) -> object:
        return value[: limit - 1] + "…" if isinstance(value, str) and len(value) > limit else value

    return BeforeValidator(cut)


def cut_items(limit: int) -> BeforeValidator:
    """Keeps the first `limit` items of a list: callers put the ones that matter first."""

    def cut(value: object) -> object:
        return tuple(value)[:limit] if isinstance(value, list | tuple) else value

    return BeforeValidator(cut)


MAX_MESSAGE_LENGTH = 1024
MAX_LABEL_LENGTH = 253

Message = Annotated[str, Field(max_length=MAX_MESSAGE_LENGTH), _cut_text(MAX_MESSAGE_LENGTH)]
"""A sentence or a few for people; cut at the bound, so that a long one never costs the whole status."""
Label = Annotated[str, Field(max_length=MAX_LABEL_LENGTH), _cut_text(MAX_LABEL_LENGTH)]
"""A short name in a status."""
MAX_COUNT = 1_000_000

Count = Annotated[
    int,
    Field(ge=0, le=MAX_COUNT),
    BeforeValidator(lambda count: min(count, MAX_COUNT) if type(count) is int else count),
]
"""A number of things in a status; cut at the bound as well: hardly any capacity makes any number of replicas."""


class Condition(StatusModel):
    """One aspect of the object's state, as metav1.Condition has it. Polarity is positive: True is well."""

    type: Annotated[str, Field(max_length=316, pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$")]
    """What the condition is about, in CamelCase: Ready, DemandKnown, CapacityAvailable, LatencyMet, ProfileValid."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")]
    """Why the condition was last set, as one CamelCase word for machines."""
    message: Message
    """What happened, what it means and what to do, for people."""
    last_transition_time: Timestamp
    """When the status last changed from one value to another."""
    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The metadata.generation that the condition was set for; older than the object's own means out of date."""


MAX_CONDITIONS = 16

Conditions = Annotated[
    tuple[Condition, ...],
    Field(
        max_length=MAX_CONDITIONS,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
    ),
    cut_items(MAX_CONDITIONS),
]
"""The conditions of a status, one of each type."""
Resources = Annotated[dict[str, Quantity], Field(min_length=1, max_length=16)]
"""Amounts by resource name, as in a container's requests."""


class ObjectMeta(WireModel):
    """The part of metav1.ObjectMeta that Plimsoll reads."""

    model_config = ConfigDict(extra="ignore")

    name: str
    namespace: str = ""
    uid: str = ""
    generation: int = 0
    creation_timestamp: str = ""
    labels: dict[str, str] = Field(default_factory=dict)
    annotations: dict[str, str] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class PrinterColumn:
    """One column of `kubectl get`; priority 1 shows with `-o wide` only."""

    name: str
    type: Literal["string", "integer", "number", "date"]
    json_path: str
    description: str
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Definition:
    """How a kind is served."""

    plural: str
    singular: str
    short_name: str
    scope: Literal["Namespaced", "Cluster"]
    columns: tuple[PrinterColumn, ...]


AGE = PrinterColumn("Age", "date", ".metadata.creationTimestamp", "Time since the object was created.")


class Kind(WireModel):
    """One object of the API as it stands in a manifest."""

    model_config = ConfigDict(extra="forbid")
    definition: ClassVar[Definition]

    api_version: Literal["plimsoll.dev/v1alpha1"] = "plimsoll.dev/v1alpha1"
    kind: str
    metadata: ObjectMeta

    @property
    def name(self) -> str:
        return self.metadata.name
