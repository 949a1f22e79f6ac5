"""Manifest in, model out: what is wrong with this object, and what should be written instead?

In: a manifest as a plain dictionary, from the API server or from a YAML file. Out: one of the four models, or
`InvalidObject` with every mistake in one message: field, value, what to write. As strict as the API server, and
stricter in one thing: unknown fields are refused, because a misspelt field that is silently dropped costs a night.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from difflib import get_close_matches
from types import UnionType
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin, overload

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from plimsoll.api.compute_pool import ComputePool
from plimsoll.api.inference_deployment import InferenceDeployment
from plimsoll.api.labels import API_VERSION
from plimsoll.api.scaling_policy import ScalingPolicy
from plimsoll.api.serving_profile import ServingProfile
from plimsoll.api.wire import Kind
from plimsoll.errors import InvalidObject

KINDS: Final[Mapping[str, type[Kind]]] = {
    kind.__name__: kind for kind in (InferenceDeployment, ComputePool, ServingProfile, ScalingPolicy)
}
"""The four kinds by their name on the wire."""

AnyKind = InferenceDeployment | ComputePool | ServingProfile | ScalingPolicy
K = TypeVar("K", bound=Kind)
M = TypeVar("M", bound=BaseModel)

MAX_MISTAKES = 8
"""More mistakes than this are only counted: nobody reads on, and the message must fit a condition."""
MAX_SHOWN_VALUE = 80


@overload
def parse(kind: type[K], manifest: Mapping[str, Any]) -> K: ...
@overload
def parse(kind: str, manifest: Mapping[str, Any]) -> AnyKind: ...
def parse(kind: type[K] | str, manifest: Mapping[str, Any]) -> K | Kind:
    """The manifest as a model with every default filled in.

    Args:
        kind: the model's class, or the kind's name.
        manifest: as from YAML or JSON; without `apiVersion` and `kind` (as in lists) they are taken for granted. A
            status that cannot be read counts as none: we wrote it, and shall write it again.

    Raises:
        InvalidObject: naming each field, its value and what to write.
    """
    model = _model(kind) if isinstance(kind, str) else kind
    parts = _without_nulls({key: value for key, value in manifest.items() if key != "status"})
    try:
        # by_name off: a field in snake_case is no field on the wire.
        parsed = model.model_validate_json(_as_json(parts), by_alias=True, by_name=False)
    except ValidationError as error:
        raise InvalidObject(_told(model, error.errors(include_url=False))) from error
    return _with_status(parsed, manifest.get("status"))


def parse_part(model: type[M], raw: object) -> M:
    """Anything else that is written like a manifest and is none, with the same words for what is wrong.

    Raises:
        InvalidObject: naming each field, its value and what to write.
    """
    try:
        return model.model_validate_json(_as_json(_without_nulls(raw)), by_alias=True, by_name=False)
    except ValidationError as error:
        raise InvalidObject(_told(model, error.errors(include_url=False))) from error


def _model(kind: str) -> type[Kind]:
    if kind not in KINDS:
        raise InvalidObject(f"kind is {_shown(kind)}: {API_VERSION} has the kinds {', '.join(KINDS)}")
    return KINDS[kind]


def _with_status(parsed: K, status: object) -> K:
    field = type(parsed).model_fields.get("status")
    if field is None or not isinstance(status, Mapping):
        return parsed
    (status_model,) = _models_in(field.annotation)
    try:
        read = status_model.model_validate(status)
    except ValidationError:
        return parsed
    return parsed.model_copy(update={"status": read})


def _without_nulls(value: Any) -> Any:
    """The API server drops nulls before it fills in defaults; so do we."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list | tuple) else value


def _as_json(manifest: Any) -> str:
    # YAML reads an unquoted 2026-08-01 as a date, kubectl sends it as text.
    def as_text(value: object) -> str:
        if isinstance(value, date):
            return value.isoformat()
        raise InvalidObject(f"{value!r} cannot stand in a manifest: write text, a number, a list or a map")

    return json.dumps(manifest, default=as_text)


# --- Telling what is wrong -------------------------------------------------------------------------------------------


_BOUNDS: Final[Mapping[str, str]] = {
    "greater_than_equal": "write {ge} or more",
    "greater_than": "write more than {gt}",
    "less_than_equal": "write {le} or less",
    "less_than": "write less than {lt}",
    "too_short": "give at least {min_length}",
    "too_long": "give at most {max_length}",
    "string_too_short": "write at least {min_length} character",
    "string_too_long": "shorten it to {max_length} characters",
}
_TYPES: Final[Mapping[str, str]] = {
    "string_type": "write text (numbers and true or false need quotes)",
    "int_type": "write a whole number without quotes",
    "float_type": "write a number without quotes",
    "model_type": "write a map of fields",
    "dict_type": "write a map",
    "tuple_type": "write a list",
    "string_pattern_mismatch": "use lower case letters, digits and dashes, with a letter or digit at both ends",
}


def _told(model: type[BaseModel], errors: Sequence[ErrorDetails]) -> str:
    # pydantic counts only the items that passed, so a list with one bad item is also said to be too short.
    parents = {error["loc"][:depth] for error in errors for depth in range(len(error["loc"]))}
    own = [error for error in errors if error["type"] != "too_short" or error["loc"] not in parents]
    told = [_mistake(model, error) for error in own[:MAX_MISTAKES]]
    if len(own) > MAX_MISTAKES:
        told.append(f"and {len(own) - MAX_MISTAKES} more")
    return "; ".join(told)


def _mistake(model: type[BaseModel], error: ErrorDetails) -> str:
    path, parts = _path(error["loc"]), error["loc"]
    match error["type"]:
        case "missing":
            return f"{path} is missing, add it{_first_sentence(model, parts)}"
        case "extra_forbidden":
            return f"{path} is not a field: {_nearest_field(model, parts)}"
        case "rule":
            return f"{path}: {error['msg']}" if path else str(error["msg"])
        case "template":
            return f"{path}.{error['msg']}"
        case _:
            return f"{path} is {_shown(error['input'])}: {_what_to_write(error)}"


def _what_to_write(error: ErrorDetails) -> str:
    context = error.get("ctx", {})
    match error["type"]:
        case "enum" | "literal_error":
            allowed = str(context["expected"]).replace("'", "").replace(" or ", ", ")
            return f"write one of {allowed}" if "," in allowed else f"write {allowed}"
        case bound if bound in _BOUNDS:
            return _BOUNDS[bound].format_map({name: _plain(value) for name, value in context.items()})
        case kind if kind in _TYPES:
            return _TYPES[kind]
        case _:
            return str(error["msg"])


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _path(parts: Sequence[int | str]) -> str:
    path = ""
    for part in parts:
        # A wrong key of a map is reported at the map itself.
        if part != "[key]":
            path += f"[{part}]" if isinstance(part, int) else f".{part}"
    return path.removeprefix(".")


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_SHOWN_VALUE else text[: MAX_SHOWN_VALUE - 1] + "…"


def _first_sentence(model: type[BaseModel], parts: Sequence[int | str]) -> str:
    owner = _model_at(model, parts[:-1])
    for field in owner.model_fields.values() if owner else ():
        if field.alias == parts[-1] and field.description:
            return ": " + " ".join(field.description.split()).split(". ")[0].rstrip(".")
    return ""


def _nearest_field(model: type[BaseModel], parts: Sequence[int | str]) -> str:
    owner = _model_at(model, parts[:-1])
    known = [str(field.alias) for field in owner.model_fields.values()] if owner else []
    return nearest(str(parts[-1]), known)


def nearest(name: str, known: Sequence[str]) -> str:
    """Which name may have been meant, for the end of a message about one that is not there."""
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(known) or 'none'}"


def _model_at(model: type[BaseModel], parts: Sequence[int | str]) -> type[BaseModel] | None:
    """The model that holds the field at this path; list positions and map keys are passed over."""
    owner: type[BaseModel] | None = model
    for part in parts:
        if isinstance(part, str) and owner is not None:
            field = next((field for field in owner.model_fields.values() if field.alias == part), None)
            owner = next(_models_in(field.annotation), None) if field else owner
    return owner


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that a type mentions, looking into Optional, Annotated and tuple."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    elif get_origin(annotation) in (Union, UnionType, Annotated, tuple):
        for argument in get_args(annotation):
            yield from _models_in(argument)
