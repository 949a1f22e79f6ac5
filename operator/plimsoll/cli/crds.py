"""``plimsoll crds``: the CustomResourceDefinitions, as generated from the models."""

from pathlib import Path
from typing import Annotated

import typer

from plimsoll.api import render_crds


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(crds)


def crds(
    output_dir: Annotated[Path | None, typer.Option(help="Write one file a kind there, instead of printing.")] = None,
) -> None:
    """Print the CustomResourceDefinitions (kubectl apply -f -), or write them to a folder."""
    rendered = render_crds()
    if output_dir is None:
        typer.echo("---\n".join(rendered[name] for name in sorted(rendered)), nl=False)
        return
    output_dir.mkdir(parents=True, exist_ok=True)
    for name, text in rendered.items():
        (output_dir / name).write_text(text)
