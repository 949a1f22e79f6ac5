"""Sizing: how many requests per second one replica of each variant carries without breaking the SLO.

In: deployments with their profiles and SLOs, the token mix and burstiness that are forecast for each. Out: an
``Option`` for every variant: its safe rates by number of replicas with the policy's headroom taken off, or the finding
that rules it out; and predicted latencies at any rate. Never here: demand (``forecast``), prices and how many replicas
(``planning``). Pure.

Two speeds: an estimate at once, then, in the background, a simulation of the option's own requests, which counts as
soon as it is there.

- ``token_mix``: the mix to size for, rounded.
- ``cases``: what a variant asks of the engine.
- ``estimate``, ``simulate``: the two answers; ``capacity``: what an answer is; ``carrying_over``: what the second says
  of a question that has changed since.
- ``refinement``: what to simulate next.
- ``comparison``, ``online_truth``: what requests see against what was predicted; profiles are corrected by it.
- ``headroom``: how much of a safe rate is left unused; less, once requests have confirmed the profile.
- ``refusals``: why there is no safe rate, in words.
- ``options``: all of it, for every variant.
"""

from plimsoll.engine.case import Case
from plimsoll.sizing.capacity import Capacity
from plimsoll.sizing.cases import NO_CORRECTIONS, Corrections
from plimsoll.sizing.headroom import headroom_ratio, loaded_s
from plimsoll.sizing.online_truth import OnlineTruth, learn
from plimsoll.sizing.options import NOTHING_SIMULATED, Simulated, predict, size
from plimsoll.sizing.refinement import to_simulate
from plimsoll.sizing.simulate import simulate

__all__ = [
    "NOTHING_SIMULATED",
    "NO_CORRECTIONS",
    "Capacity",
    "Case",
    "Corrections",
    "OnlineTruth",
    "Simulated",
    "headroom_ratio",
    "learn",
    "loaded_s",
    "predict",
    "simulate",
    "size",
    "to_simulate",
]
