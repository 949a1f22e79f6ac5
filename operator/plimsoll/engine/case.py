"""What is asked of the engine: some replicas of one kind, the traffic they get, and what they must keep.

In: nothing. Out: a frozen, hashable question, the key under which its answer is kept.
"""

from dataclasses import dataclass

from plimsoll.domain import POISSON, Burstiness, LatencyTarget
from plimsoll.engine.serving import Replica, Router
from plimsoll.engine.workload import Lengths


@dataclass(frozen=True, slots=True)
class Case:
    """All that a safe rate depends on, but the number of replicas."""

    replica: Replica
    prompts: Lengths
    outputs: Lengths
    slo: tuple[LatencyTarget, ...]
    burstiness: Burstiness = POISSON
    router: Router = Router.LEAST_LOADED
