"""What is known at this moment? The watch cache and Prometheus in, one immutable `Snapshot` a tick out.

- In: watch events (``ClusterCache.apply``), the scales of kinds that are not watched (``scales``), Prometheus
  (``prometheus``, by the names in ``dialects``).
- Out: ``Observer.snapshot(now_s)``: deployments with their demand, pools with their nodes, and a finding for everything
  that was left out. Whatever is not known has a state that says so; nothing unknown becomes a zero.
- Pure inside: ``resolve`` makes deployments and pools of the cache's contents, ``demand`` judges what Prometheus said.
- Never decides, never writes, never raises for what one object or Prometheus does.
"""

from plimsoll.observe.cluster_cache import ClusterCache, Contents
from plimsoll.observe.demand import DemandMemory, Observed
from plimsoll.observe.observer import Observer
from plimsoll.observe.prometheus import MetricsReader, PrometheusSettings, read_token
from plimsoll.observe.queries import Labels
from plimsoll.observe.resolve import Cluster, resolve, with_demand
from plimsoll.observe.retired import Retired, retired_workloads
from plimsoll.observe.scales import ScaleReader
from plimsoll.observe.views import RouteView, is_service_of

__all__ = [
    "Cluster",
    "ClusterCache",
    "Contents",
    "DemandMemory",
    "Labels",
    "MetricsReader",
    "Observed",
    "Observer",
    "PrometheusSettings",
    "Retired",
    "RouteView",
    "ScaleReader",
    "is_service_of",
    "read_token",
    "resolve",
    "retired_workloads",
    "with_demand",
]
