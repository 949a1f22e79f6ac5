"""Is a node's price taken from OpenCost where it is one, and never from nothing?"""

import math
from dataclasses import replace

import pytest

from plimsoll.domain import Node, Pool, PriceKind, PriceSource
from plimsoll.observe.prices import KEPT_S, with_open_cost
from plimsoll.observe.reading import PriceReading

NODES = tuple(Node(name, True, True, {"cpu": 8.0}, {}, 0.0) for name in ("a", "b"))
POOL = Pool("gpu", "l4", PriceKind.SPOT, 1.0, 0, 4, 60.0, 0.0, {"cpu": 8.0}, NODES)
ASKING = frozenset({"gpu"})


def test_the_mean_over_the_nodes_counts_with_its_source_and_age() -> None:
    [pool], _ = with_open_cost([POOL], ASKING, PriceReading({"a": 0.4, "b": 0.6, "other": 9.0}), {}, 100.0)
    assert pool.price_usd_per_hour == pytest.approx(0.5)
    assert (pool.price_source, pool.price_as_of_s, pool.price_note) == (PriceSource.OPEN_COST, 100.0, "")


@pytest.mark.parametrize("nonsense", [0.0, -1.0, math.nan, math.inf])
def test_a_price_that_is_none_is_never_taken(nonsense: float) -> None:
    [pool], seen = with_open_cost([POOL], ASKING, PriceReading({"a": nonsense}), {}, 100.0)
    assert (pool.price_usd_per_hour, pool.price_source) == (1.0, PriceSource.MANIFEST)
    assert "node_total_hourly_cost" in pool.price_note
    assert seen == {}
    [pool], _ = with_open_cost([POOL], ASKING, PriceReading({"a": nonsense, "b": 0.6}), {}, 100.0)
    assert pool.price_usd_per_hour == 0.6


def test_the_last_price_stands_for_a_day_and_then_the_manifests() -> None:
    _, seen = with_open_cost([POOL], ASKING, PriceReading({"a": 0.4}), {}, 0.0)
    empty = replace(POOL, nodes=())
    [pool], seen = with_open_cost([empty], ASKING, PriceReading(failure="no answer"), seen, KEPT_S)
    assert (pool.price_usd_per_hour, pool.price_as_of_s) == (0.4, 0.0)
    [pool], seen = with_open_cost([empty], ASKING, PriceReading(failure="no answer"), seen, KEPT_S + 1.0)
    assert pool.price_usd_per_hour == 1.0
    assert "no answer" in pool.price_note
    assert seen == {}


def test_a_pool_that_does_not_ask_keeps_its_manifests_price() -> None:
    [pool], seen = with_open_cost([POOL], frozenset(), PriceReading({"a": 0.4}), {}, 0.0)
    assert pool is POOL
    assert seen == {}
