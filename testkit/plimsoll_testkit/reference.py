"""The reference pages of the manual, written from the models, the settings, the commands and the metrics themselves.

In: nothing. Out: pages by file name; `python -m plimsoll_testkit.reference` writes them into docs/reference, and a test
holds what lies there against what would be written.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from plimsoll.api import KINDS
from plimsoll.api.crd import definition
from plimsoll.cli import app
from plimsoll.settings import describe_settings
from plimsoll.simulator.scenario import ScenarioSpec
from plimsoll.telemetry import Metrics

Schema = Mapping[str, Any]
FOLDER = Path(__file__).resolve().parents[2] / "docs/reference"
_GENERATED = "<!-- Written by `make generate`. Do not edit. -->\n"


def pages() -> dict[str, str]:
    """Every page by the name of its file."""
    return {
        "kinds.md": _kinds(),
        "scenario.md": _scenario(),
        "settings.md": _settings(),
        "commands.md": _commands(),
        "metrics.md": _metrics(),
    }


def _page(title: str, about: str, body: Iterator[str]) -> str:
    return "\n".join([_GENERATED, f"# {title}", "", about, "", *body]).rstrip() + "\n"


def _table(header: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    yield f"| {' | '.join(header)} |"
    yield f"|{'---|' * len(header)}"
    for row in rows:
        yield f"| {' | '.join(_cell(text) for text in row)} |"
    yield ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")


# --- Kinds -----------------------------------------------------------------------------------------------------------


def _kinds() -> str:
    def body() -> Iterator[str]:
        for kind in KINDS.values():
            crd = definition(kind)
            served = crd["spec"]["versions"][0]
            names, schema = crd["spec"]["names"], served["schema"]["openAPIV3Schema"]
            yield f"## {names['kind']}"
            yield ""
            yield f"{schema['description']} {crd['spec']['scope']}; short name `{names['shortNames'][0]}`."
            yield ""
            for part in ("spec", "status"):
                if part in schema["properties"]:
                    yield f"### {names['kind']} {part}"
                    yield ""
                    rows = _fields(schema["properties"][part], "")
                    yield from _table(("field", "type", "default", "meaning"), rows)

    about = (
        "Every field of the four kinds, as the API server checks them. `[]` is a "
        "list, `{}` a map. Durations read `800ms` or `5m`, money is a decimal string in US dollars."
    )
    return _page("The four kinds", about, body())


def _fields(schema: Schema, path: str) -> Iterator[tuple[str, ...]]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        inner, suffix = _inside(field)
        meaning = " ".join([field.get("description", ""), *_rules(field)])
        default = "required" if name in required else _default_of(field)
        yield f"`{here}{suffix}`", _type_of(field), default, meaning
        if not field.get("x-kubernetes-preserve-unknown-fields"):
            yield from _fields(inner, f"{here}{suffix}")


def _inside(field: Schema) -> tuple[Schema, str]:
    """The schema of a list's items or a map's values, and how a path shows it."""
    if isinstance(field.get("items"), Mapping):
        return field["items"], "[]"
    if isinstance(field.get("additionalProperties"), Mapping):
        return field["additionalProperties"], "{}"
    return field, ""


def _type_of(field: Schema) -> str:
    if field.get("x-kubernetes-int-or-string"):
        return "integer or string"
    if "enum" in field:
        return " or ".join(map(str, field["enum"]))
    inner, suffix = _inside(field)
    return str(field.get("type", "any")) if not suffix else f"{field['type']} of {inner.get('type', 'any')}"


def _default_of(field: Schema) -> str:
    default = field.get("default")
    # Those of an object's fields stand at the fields.
    return "" if default in (None, "", []) or isinstance(default, Mapping) else f"`{default}`"


def _rules(field: Schema) -> Iterator[str]:
    for rule in field.get("x-kubernetes-validations", ()):
        yield f"Refused with: {rule['message']}."


# --- Scenarios -------------------------------------------------------------------------------------------------------


def _scenario() -> str:
    raw = ScenarioSpec.model_json_schema(by_alias=True)
    whole: Schema = _resolved(raw, raw["$defs"])
    about = (
        "Every field of `scenario.yaml`, which lies beside the manifests that are simulated: [the simulator]"
        "(../simulator.md). `[]` is a list, `{}` a map. Durations read `90s`, `10m` or `2h30m`."
    )
    rows = _fields(whole, "")
    return _page("scenario.yaml", about, _table(("field", "type", "default", "meaning"), rows))


def _resolved(part: Any, parts: Mapping[str, Any]) -> Any:
    """The schema with what it refers to in its place, and nothing said of fields that may be absent."""
    if isinstance(part, list):
        return [_resolved(one, parts) for one in part]
    if not isinstance(part, Mapping):
        return part
    own = {name: _resolved(one, parts) for name, one in part.items() if name not in ("$ref", "$defs", "anyOf")}
    choices = [one for one in part.get("anyOf", ()) if one.get("type") != "null"]
    for other in (*choices, *([parts[part["$ref"].rpartition("/")[2]]] if "$ref" in part else ())):
        # What a field is here says more than what its type is everywhere.
        own = {**_resolved(other, parts), **own}
    return own


# --- Settings, commands, metrics -------------------------------------------------------------------------------------


def _settings() -> str:
    rows = ((f"`{name}`", f"`{default}`" if default else "", text) for name, default, text in describe_settings())
    about = (
        "Of `plimsoll run`, and of the chart's `settings`. A flag or `--set GROUP.NAME=VALUE` wins over "
        "`PLIMSOLL_GROUP__NAME` in the environment, and that over the file of `--config`."
    )
    return _page("Settings", about, _table(("setting", "default", "meaning"), rows))


def _commands() -> str:
    def body() -> Iterator[str]:
        for path, command in all_commands(typer.main.get_command(app), "plimsoll"):
            yield f"## {path}"
            yield ""
            yield " ".join((command.help or "").split())
            yield ""
            arguments = [one for one in command.params if one.param_type_name == "argument"]
            options = [one for one in command.params if one.param_type_name == "option" and one.name != "help"]
            usage = " ".join(_argument(one) for one in arguments)
            yield f"```\n{path} {usage + ' ' if usage else ''}[OPTIONS]\n```"
            yield ""
            rows = (_option(one) for one in (*arguments, *options))
            yield from _table(("argument or option", "default", "meaning"), rows)

    about = "Also as `kubectl plimsoll ...`. What each is for, with examples: [the command line](../cli.md)."
    return _page("Commands", about, body())


def all_commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Of typer's own kind of commands, whose types it keeps to itself."""
    if not hasattr(command, "commands"):
        yield path, command
        return
    for name, one in command.commands.items():
        yield from all_commands(one, f"{path} {name}")


def _argument(parameter: Any) -> str:
    name = parameter.name.upper()
    return f"{name}..." if parameter.nargs != 1 else name


def _option(parameter: Any) -> tuple[str, ...]:
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    shown = f"`{_argument(parameter)}`" if parameter.param_type_name == "argument" else names
    default = parameter.default
    no_default = default is None or default is False or default == () or callable(default) or not str(default)
    return shown, "" if no_default else f"`{getattr(default, 'value', default)}`", parameter.help or ""


def _metrics() -> str:
    def rows() -> Iterator[tuple[str, ...]]:
        # The client has no public way to ask what a registry will show before there is a value for each label.
        collectors: Mapping[Any, Any] = Metrics()._registry._collector_to_names
        for collector in collectors:
            for one in collector.describe() if hasattr(collector, "describe") else ():
                if one.name.startswith("plimsoll"):
                    name = f"{one.name}_total" if one.type == "counter" else one.name
                    labels = ", ".join(getattr(collector, "_labelnames", ()))
                    yield f"`{name}`", one.type, labels, one.documentation

    about = "At `/metrics`. Base units; a series of something that is gone is gone with it."
    return _page("Metrics", about, _table(("metric", "type", "labels", "meaning"), iter(sorted(rows()))))


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
        sys.stdout.write(f"docs/reference/{name}\n")


if __name__ == "__main__":
    main()
