"""Models in, CustomResourceDefinitions out: what does the API server need to know about the four kinds?

In: the classes of the kinds. Out: plain dictionaries, and their YAML as it lies in crds/. The schema of pydantic is
JSON Schema; the API server takes the structural subset of OpenAPI 3.0: no references, no unions, no `const`, exclusive
bounds as booleans, nothing closed by `additionalProperties`. What the subset cannot say raises, so that no constraint
is lost in silence. Design section 2.
"""

from collections.abc import Mapping
from dataclasses import asdict
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from pydantic import BaseModel

from plimsoll.api.labels import CATEGORY, GROUP, VERSION
from plimsoll.api.parsing import KINDS
from plimsoll.api.wire import Kind, PrinterColumn, Rule, WireModel

Schema = dict[str, Any]

HEADER = "# Generated from operator/plimsoll/api by `plimsoll crds --output-dir crds`. Do not edit.\n"

_KEPT = frozenset(
    {
        "default",
        "description",
        "enum",
        "format",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "pattern",
        "required",
        "type",
        "x-kubernetes-int-or-string",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-list-type",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-validations",
    }
)
_DROPPED = frozenset({"title", "$defs"})


class _PlainDumper(yaml.SafeDumper):
    """Writes equal parts out each time: anchors and aliases are valid YAML that few people can read."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def render_crds() -> Mapping[str, str]:
    """The YAML of every CustomResourceDefinition by file name, sorted, the same bytes on every run."""
    definitions = sorted((definition(kind) for kind in KINDS.values()), key=lambda crd: str(crd["metadata"]["name"]))
    return {
        f"{GROUP}_{crd['spec']['names']['plural']}.yaml": HEADER
        + yaml.dump(crd, Dumper=_PlainDumper, sort_keys=True, allow_unicode=True, width=120)
        for crd in definitions
    }


def definition(kind: type[Kind]) -> Schema:
    """The CustomResourceDefinition of one kind."""
    served = kind.definition
    name = kind.__name__
    has_status = "status" in kind.model_fields
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{served.plural}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "names": {
                "kind": name,
                "listKind": f"{name}List",
                "plural": served.plural,
                "singular": served.singular,
                "shortNames": [served.short_name],
                "categories": [CATEGORY],
            },
            "scope": served.scope,
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": schema(kind)},
                    "additionalPrinterColumns": [_column(column) for column in served.columns],
                    **({"subresources": {"status": {}}} if has_status else {}),
                }
            ],
        },
    }


def schema(kind: type[Kind]) -> Schema:
    """The structural schema of one kind."""
    raw = kind.model_json_schema(by_alias=True, mode="validation")
    structural = _structural(raw, raw.get("$defs", {}), kind.__name__)
    _attach_rules(structural, kind)
    properties = structural["properties"]
    # The API server knows these three by itself and lets nobody constrain them further (but for metadata.name).
    properties["apiVersion"] = {"type": "string", "description": f"Always {GROUP}/{VERSION}."}
    properties["kind"] = {"type": "string", "description": f"Always {kind.__name__}."}
    properties["metadata"] = {"type": "object"}
    structural["required"] = [name for name in structural.get("required", []) if name == "spec"]
    return {key: value for key, value in structural.items() if value != []}


def _column(column: PrinterColumn) -> Schema:
    fields = {key: value for key, value in asdict(column).items() if key != "json_path" and value != 0}
    return {**fields, "jsonPath": column.json_path}


# --- JSON Schema to structural schema --------------------------------------------------------------------------------


def _structural(raw: Schema, defs: Mapping[str, Schema], path: str) -> Schema:
    node = _without_null(_inlined(raw, defs), defs)
    out: Schema = {}
    for key, value in node.items():
        match key:
            case "const":
                out |= {"enum": [value], "type": "string"}
            case "exclusiveMinimum":
                out |= {"minimum": value, "exclusiveMinimum": True}
            case "exclusiveMaximum":
                out |= {"maximum": value, "exclusiveMaximum": True}
            case "description":
                out["description"] = _paragraphs(str(value))
            case "properties":
                out["properties"] = {name: _structural(sub, defs, f"{path}.{name}") for name, sub in value.items()}
            case "items":
                out["items"] = _structural(value, defs, f"{path}[]")
            case "additionalProperties":
                out |= _map_values(value, defs, path)
            case "propertyNames":
                # Not in the subset: Kubernetes checks label keys and resource names where they are used.
                continue
            case _ if key in _KEPT:
                out[key] = value
            case _ if key not in _DROPPED:
                raise ValueError(f"{path}: the API server's schema subset has no {key!r}")
    return _with_formats(_with_short_default(out))


def _inlined(raw: Schema, defs: Mapping[str, Schema]) -> Schema:
    """The node with its reference replaced by what it points to; what stands beside the reference wins."""
    if "$ref" not in raw:
        return raw
    target = defs[raw["$ref"].removeprefix("#/$defs/")]
    return _inlined({**target, **{key: value for key, value in raw.items() if key != "$ref"}}, defs)


def _without_null(node: Schema, defs: Mapping[str, Schema]) -> Schema:
    """Optional means absent on this wire: the API server drops nulls of fields that are not nullable."""
    if "anyOf" not in node:
        return node
    choices = [choice for choice in node["anyOf"] if choice != {"type": "null"}]
    if len(choices) != 1:
        raise ValueError(f"a union of {len(choices)} types cannot stand in a structural schema: {choices}")
    rest = {key: value for key, value in node.items() if key not in ("anyOf", "default")}
    return {**_inlined(choices[0], defs), **rest}


def _map_values(value: Any, defs: Mapping[str, Schema], path: str) -> Schema:
    if value is False:
        # Unknown fields are pruned by the API server; closing the object would refuse them instead.
        return {}
    return {"additionalProperties": _structural(value, defs, f"{path}.*")}


def _with_short_default(node: Schema) -> Schema:
    """A part whose fields all have defaults defaults to an empty map; the fields then fill themselves in."""
    if "default" in node and node.get("type") == "object" and "properties" in node:
        return {**node, "default": {}}
    if node.get("default") == [] and node.get("type") == "array":
        # An absent list and an empty one mean the same; writing it into every stored object says nothing.
        return {key: value for key, value in node.items() if key != "default"}
    return node


def _with_formats(node: Schema) -> Schema:
    if node.get("type") == "integer":
        return {**node, "format": "int64"}
    return node


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n"))


# --- CEL -------------------------------------------------------------------------------------------------------------


def _attach_rules(node: Schema, model: type[BaseModel]) -> None:
    """Writes the rules of a model and of all models in it into their places of the schema."""
    if issubclass(model, WireModel) and model.rules:
        node.setdefault("x-kubernetes-validations", []).extend(_validation(rule) for rule in model.rules)
    for field in model.model_fields.values():
        place = node["properties"].get(field.alias)
        if place is not None:
            _attach_within(place, field.annotation)


def _attach_within(node: Schema, annotation: Any) -> None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        _attach_rules(node, annotation)
        return
    origin = get_origin(annotation)
    if origin in (Union, UnionType, Annotated):
        _attach_within(node, get_args(annotation)[0])
    elif origin is tuple:
        _attach_within(node["items"], get_args(annotation)[0])


def _validation(rule: Rule) -> Schema:
    return {"rule": rule.cel, "message": rule.message}
