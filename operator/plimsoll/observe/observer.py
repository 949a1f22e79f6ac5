"""One tick's look at the world: cache, scales and metrics put together in order.

In: the cache, a reader of scales, a reader of metrics, the tick's moment. Out: a `Snapshot`. The pure work runs in a
worker thread, so that the event loop (watches, lease, probes) never waits for it.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

from plimsoll.api import Engine
from plimsoll.domain import LatencyMetric, Snapshot
from plimsoll.observe.attribution import Asked
from plimsoll.observe.cluster_cache import ClusterCache
from plimsoll.observe.demand import DemandMemory, observe_demand
from plimsoll.observe.prices import SeenPrice, with_open_cost
from plimsoll.observe.prometheus import MetricsReader, Wanted
from plimsoll.observe.reading import MetricsReading
from plimsoll.observe.resolve import Cluster, resolve, with_demand
from plimsoll.observe.scales import ScaleReader
from plimsoll.observe.targets import targets_to_look_up


class Observer:
    """Takes snapshots, and keeps between them what was last known of demand."""

    def __init__(self, cache: ClusterCache, metrics: MetricsReader, scales: ScaleReader) -> None:
        self._cache = cache
        self._metrics = metrics
        self._scales = scales
        self._memory = DemandMemory()
        self._prices: Mapping[str, SeenPrice] = {}

    async def snapshot(self, now_s: float) -> Snapshot:
        """All that is known at `now_s` (seconds since the epoch), within the readers' time-outs."""
        contents = self._cache.contents()
        scales = await self._scales.read(targets_to_look_up(contents))
        cluster = await asyncio.to_thread(resolve, contents, scales)
        reading = await self._metrics.read(wanted(cluster.asked, prices=bool(cluster.open_cost_pools)))
        snapshot, self._memory = await asyncio.to_thread(_complete, cluster, reading, self._memory, now_s)
        pools, self._prices = with_open_cost(
            snapshot.pools, cluster.open_cost_pools, reading.prices, self._prices, now_s
        )
        return replace(snapshot, pools=pools)

    def close(self) -> None:
        """Let go of the readers' threads."""
        self._metrics.close()
        self._scales.close()


def _complete(
    cluster: Cluster, reading: MetricsReading, memory: DemandMemory, now_s: float
) -> tuple[Snapshot, DemandMemory]:
    observed, remembered = observe_demand(cluster.asked, reading, memory, now_s)
    return with_demand(cluster, observed, now_s), remembered


def wanted(asked: Iterable[Asked], *, prices: bool = False) -> Wanted:
    """The engines and latency quantiles of all deployments together, the queries of Custom ones, and node prices."""
    engines: dict[Engine, set[tuple[LatencyMetric, float]]] = defaultdict(set)
    custom = {}
    for one in asked:
        if one.source is Engine.CUSTOM:
            custom[one.key] = one.queries
        elif one.source is Engine.GATEWAY:
            engines[Engine.GATEWAY] |= set()
        for server in one.servers:
            if server.engine is not Engine.CUSTOM:
                engines[server.engine] |= {(target.metric, target.quantile) for target in one.slo}
    return Wanted({engine: frozenset(latencies) for engine, latencies in sorted(engines.items())}, custom, prices)
