"""The commands: ``plimsoll ...``, and ``kubectl plimsoll ...`` by the second entry point.

In: arguments. Out: text and an exit code: 0 well, 1 not feasible or not well, 2 bad input or settings. Each command is
a module that registers itself; errors of ``errors.py`` become one sentence on standard error.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from plimsoll import __version__
from plimsoll.cli import crds, explain, modes, plan, prices, profile, run, simulate, status
from plimsoll.errors import PlimsollError

app = typer.Typer(
    name="plimsoll",
    help="Keeps LLM inference on Kubernetes at the lowest cost per token that still meets its latency SLOs.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

BAD_INPUT = 2


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"plimsoll {__version__}")
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options before any command."""


for command in (run, plan, status, explain, simulate, modes, profile, prices, crds):
    command.register(app)


def main() -> None:
    """Both entry points; help texts name the command as it was typed."""
    is_plugin = Path(sys.argv[0]).name.startswith("kubectl-")
    try:
        app(prog_name="kubectl plimsoll" if is_plugin else "plimsoll")
    except PlimsollError as error:
        typer.echo(f"plimsoll: {error}", err=True)
        sys.exit(BAD_INPUT)
