"""Sizing: how many requests per second one replica of each variant carries without breaking the SLO.

In: deployments with their profiles and SLOs, and the token mix that is forecast for each. Out: an ``Option`` for every
variant: its safe rate with the policy's headroom taken off, or the finding that rules it out; and predicted latencies
at any rate. Never here: demand (``forecast``), prices and how many replicas (``planning``). Pure.

- ``token_mix``: the mix to size for.
- ``birth_death``: how busy a replica is.
- ``percentiles``: what requests then see.
- ``safe_rate``: the highest rate within the SLO.
- ``refusals``: why there is none.
- ``options``: all of it, for every variant.
"""

from plimsoll.sizing.options import predict, size

__all__ = ["predict", "size"]
