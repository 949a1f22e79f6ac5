"""What does a price file say, and which pools does it price?

In: the text of a CSV file and ComputePool manifests. Out: the manifests with their new prices, or every mistake with
its line. Nothing is guessed: a row that prices no pool, or a price that is no positive number, is a mistake.
"""

import csv
import difflib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from plimsoll.api import DecimalText
from plimsoll.errors import InvalidObject

Raw = Mapping[str, Any]
INSTANCE_LABEL = "node.kubernetes.io/instance-type"
"""Well-known label of nodes, by which a row that names an instance type finds its pools."""
_FIELDS = {"onDemand": "onDemandPerHour", "spot": "spotPerHour", "paid": "paid"}
_COLUMNS = ("pool", "instance_type", "kind", "usd_per_hour", "as_of", "reference")


@dataclass(frozen=True, slots=True)
class PriceRow:
    """One line: the price of one pool's nodes, or of all pools with one instance type."""

    line: int
    pool: str
    instance_type: str
    kind: str
    """onDemand, spot or paid; empty: the kind that the pool's manifest has."""
    usd_per_hour: str
    as_of: str
    reference: str


@dataclass(frozen=True, slots=True)
class Priced:
    """The manifests with their new prices, and those that no row prices."""

    manifests: tuple[Raw, ...]
    without_row: tuple[str, ...]


def read_prices(text: str, where: str, today: date) -> tuple[PriceRow, ...]:
    """The rows of a price file.

    Args:
        text: CSV with a header; columns pool or instance_type, usd_per_hour, and if wanted kind, as_of, reference.
        where: its name, for messages.
        today: no price is of a later day.

    Raises:
        InvalidObject: with every mistake, each with its line.
    """
    reader = csv.DictReader(io.StringIO(text))
    header = [(name or "").strip() for name in reader.fieldnames or ()]
    unknown = [name for name in header if name not in _COLUMNS]
    if unknown or "usd_per_hour" not in header or not {"pool", "instance_type"} & set(header):
        raise InvalidObject(
            f"{where}: the header is {','.join(header) or 'missing'}; it names pool or instance_type, usd_per_hour, "
            "and if wanted kind, as_of and reference"
        )
    mistakes: list[str] = []
    rows = []
    for cells in reader:
        given = {name.strip(): (value or "").strip() for name, value in cells.items() if isinstance(value, str)}
        row = PriceRow(reader.line_num, *(given.get(name, "") for name in _COLUMNS))
        found = list(_mistakes_in(row, today))
        mistakes += [f"{where}:{row.line}: {one}" for one in found]
        rows.append(row)
    if not rows and not mistakes:
        mistakes.append(f"{where} has no line below its header")
    if mistakes:
        raise InvalidObject("\n".join(mistakes))
    return tuple(rows)


def _mistakes_in(row: PriceRow, today: date) -> Iterable[str]:
    if bool(row.pool) == bool(row.instance_type):
        yield "name either a pool or an instance_type"
    if row.kind and row.kind not in _FIELDS:
        yield f"kind is {row.kind}: write onDemand, spot or paid"
    try:
        if DecimalText.accept(row.usd_per_hour).value <= 0.0:
            yield f"usd_per_hour is {row.usd_per_hour}: a node that costs nothing is a paid one, at an amortised price"
    except ValueError:
        yield f"usd_per_hour is {row.usd_per_hour or 'empty'}: write US dollars as a decimal number, such as 4.10"
    if row.as_of:
        try:
            if date.fromisoformat(row.as_of) > today:
                yield f"as_of is {row.as_of}, a day that is still to come"
        except ValueError:
            yield f"as_of is {row.as_of}: write a day such as 2026-08-01"


def price_pools(rows: Sequence[PriceRow], pools: Sequence[Raw], where: str) -> Priced:
    """The manifests of all pools that a row prices, with that price.

    Args:
        rows: of one file.
        pools: ComputePool manifests.
        where: name of the file, for messages.

    Raises:
        InvalidObject: with every row that prices no pool, and every pool that two rows price.
    """
    by_name = {str(pool["metadata"]["name"]): pool for pool in pools}
    mistakes: list[str] = []
    chosen: dict[str, PriceRow] = {}
    for row in rows:
        names = _priced_by(row, by_name)
        if not names:
            mistakes.append(f"{where}:{row.line}: {_nothing_found(row, by_name)}")
        for name in names:
            earlier = chosen.get(name)
            if earlier is not None:
                mistakes.append(f"{where}:{row.line}: pool {name} is priced by line {earlier.line} too: keep one")
            chosen[name] = row
    if mistakes:
        raise InvalidObject("\n".join(mistakes))
    return Priced(
        tuple(_with_price(by_name[name], row) for name, row in sorted(chosen.items())),
        tuple(sorted(name for name in by_name if name not in chosen)),
    )


def _priced_by(row: PriceRow, pools: Mapping[str, Raw]) -> list[str]:
    if row.pool:
        return [row.pool] if row.pool in pools else []
    return [
        name
        for name, pool in pools.items()
        if _selector(pool).get(INSTANCE_LABEL) == row.instance_type and (not row.kind or _kind(pool) == row.kind)
    ]


def _nothing_found(row: PriceRow, pools: Mapping[str, Raw]) -> str:
    if row.pool:
        near = difflib.get_close_matches(row.pool, pools, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(pools)) or 'none'}"
        return f"no ComputePool is called {row.pool}; {hint}"
    kind = f" at {row.kind} prices" if row.kind else ""
    return f"no ComputePool{kind} selects {INSTANCE_LABEL}: {row.instance_type}; name the pool, or remove the line"


def _selector(pool: Raw) -> Raw:
    spec = pool.get("spec")
    selector = spec.get("nodeSelector") if isinstance(spec, Mapping) else None
    return selector if isinstance(selector, Mapping) else {}


def _kind(pool: Raw) -> str:
    price = (pool.get("spec") or {}).get("price") or {}
    return next((kind for kind, field in _FIELDS.items() if field in price), "")


def _with_price(pool: Raw, row: PriceRow) -> Raw:
    kind = row.kind or _kind(pool) or "onDemand"
    figure: Any = {"amortisedPerHour": row.usd_per_hour} if kind == "paid" else row.usd_per_hour
    price: dict[str, Any] = {_FIELDS[kind]: figure}
    if row.as_of:
        price["asOf"] = f"{row.as_of}T00:00:00Z"
    if row.reference:
        price["reference"] = row.reference
    kept = (pool["spec"].get("price") or {}).get("source")
    if kept and kind != "paid":
        price["source"] = kept
    return {**pool, "spec": {**pool["spec"], "price": price}}
