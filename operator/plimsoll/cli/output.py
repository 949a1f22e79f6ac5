"""How is an answer shown: as a table for people, or as JSON or YAML for machines?"""

import json
import sys
from enum import StrEnum
from typing import Annotated, Any

import typer
import yaml
from rich.console import Console

_PLAIN_WIDTH = 160
"""Of a table in a pipe: wide enough that a reader's `grep` finds whole lines."""


class Format(StrEnum):
    TABLE = "table"
    JSON = "json"
    YAML = "yaml"


Output = Annotated[Format, typer.Option("--output", "-o", help="table, json or yaml.")]


def console() -> Console:
    """Standard output; colours only on a terminal and without NO_COLOR, as rich has it."""
    return Console() if sys.stdout.isatty() else Console(width=_PLAIN_WIDTH)


def write(value: Any, form: Format) -> None:
    """The value as JSON or YAML."""
    if form is Format.JSON:
        typer.echo(json.dumps(value, indent=2, sort_keys=True))
    else:
        typer.echo(yaml.safe_dump(value, sort_keys=True), nl=False)
