"""What does a node cost, where OpenCost is asked for it?

In: pools at their manifest's price, what OpenCost says of nodes this time, what it said before. Out: the pools at the
price to count with, and what to remember. A price that is missing, zero or no number is never taken: the last one that
was seen stands for a day, then the manifest's. Pure.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from plimsoll.api import ComputePool
from plimsoll.domain import Pool, PriceSource
from plimsoll.observe.cluster_cache import Contents
from plimsoll.observe.reading import PriceReading

KEPT_S = 86_400.0
"""For how long a price that was seen counts: a pool without nodes has none to see. Guess: list prices stand for months,
and spot prices seldom move by much within a day."""


class SeenPrice(NamedTuple):
    """The mean price of a pool's nodes when it was last seen."""

    usd_per_hour: float
    at_s: float


def pools_priced_by_open_cost(contents: Contents) -> frozenset[str]:
    """Names of the pools whose manifest asks for OpenCost's price."""
    return frozenset(
        key.name
        for key, one in contents.pools.items()
        if isinstance(one, ComputePool) and one.spec.price.source is PriceSource.OPEN_COST
    )


def with_open_cost(
    pools: Iterable[Pool],
    asking: frozenset[str],
    reading: PriceReading | None,
    seen: Mapping[str, SeenPrice],
    now_s: float,
) -> tuple[tuple[Pool, ...], Mapping[str, SeenPrice]]:
    """The pools at the price to count with.

    Args:
        pools: at the price of their manifest.
        asking: names of those that ask for OpenCost's price.
        reading: this tick's; None where it was not asked.
        seen: by pool the last price that was seen.
        now_s: the tick's moment.

    Returns:
        The pools in their order, and the prices to remember.
    """
    reading = reading or PriceReading()
    fresh = {
        pool.name: SeenPrice(price, now_s)
        for pool in pools
        if pool.name in asking and (price := _mean_price(pool, reading)) is not None
    }
    known = {name: one for name, one in {**seen, **fresh}.items() if name in asking and now_s - one.at_s <= KEPT_S}
    return tuple(_priced(pool, known.get(pool.name), reading) if pool.name in asking else pool for pool in pools), known


def _mean_price(pool: Pool, reading: PriceReading) -> float | None:
    """Of the nodes that have a price; spot nodes of one pool may differ by zone."""
    prices = [price for node in pool.nodes if (price := reading.usd_per_hour.get(node.name)) and _is_price(price)]
    return sum(prices) / len(prices) if prices else None


def _is_price(value: float) -> bool:
    return math.isfinite(value) and value > 0.0


def _priced(pool: Pool, price: SeenPrice | None, reading: PriceReading) -> Pool:
    if price is None:
        return replace(pool, price_note=f"{_why_none(pool, reading)}: the manifest's price counts meanwhile")
    return replace(
        pool,
        price_usd_per_hour=price.usd_per_hour,
        price_source=PriceSource.OPEN_COST,
        price_as_of_s=price.at_s,
    )


def _why_none(pool: Pool, reading: PriceReading) -> str:
    if reading.failure is not None:
        return f"OpenCost's prices could not be read ({reading.failure})"
    if not pool.nodes:
        return "the pool has no node that OpenCost could price"
    return (
        f"node_total_hourly_cost has no price above zero for any of its {len(pool.nodes)} nodes; check that Prometheus "
        "scrapes OpenCost with honor_labels"
    )
