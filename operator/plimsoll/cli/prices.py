"""``plimsoll prices``: a price file, checked and turned into ComputePool manifests."""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import typer
import yaml

from plimsoll.cli.price_file import PriceRow, price_pools, read_prices
from plimsoll.errors import InvalidObject
from plimsoll.manifests import manifests_of

OLD_DAYS = 90
"""From when on a price is called old. Guess: list prices change a few times a year."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(prices)


def prices(
    file: Annotated[Path, typer.Argument(help="CSV: pool or instance_type, usd_per_hour; kind, as_of, reference.")],
    manifests: Annotated[
        list[Path], typer.Option("--filename", "-f", help="Files or folders with the ComputePools to price.")
    ],
) -> None:
    """Check a price file, and print the ComputePools of the given manifests with its prices.

    Every mistake is told with its line, and then nothing is printed: exit code 2. What no line prices, and prices older
    than 90 days, are told on standard error.
    """
    today = datetime.now(tz=UTC).date()
    try:
        text = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidObject(f"{file} cannot be read: {error}") from error
    rows = read_prices(text, str(file), today)
    priced = price_pools(rows, manifests_of("ComputePool", manifests), str(file))
    typer.echo(yaml.safe_dump_all(priced.manifests, sort_keys=False), nl=False)
    for name in priced.without_row:
        typer.echo(f"{name}: no line prices it; its manifest stays as it is", err=True)
    for row in rows:
        _tell_age(row, file, today)


def _tell_age(row: PriceRow, file: Path, today: date) -> None:
    if not row.as_of:
        typer.echo(f"{file}:{row.line}: no as_of, so nobody will see how old this price is", err=True)
        return
    age_days = (today - date.fromisoformat(row.as_of)).days
    if age_days > OLD_DAYS:
        typer.echo(f"{file}:{row.line}: the price is {age_days} days old: look it up anew", err=True)
