"""Static peak: as many replicas of the cheapest variant as the 99.9th percentile minute needs, from first to last.

In: the whole trace, which nobody has in truth. Out: a number of replicas that never changes. The target is the share of
its safe rate that each replica is bought for.
"""

import math

from plimsoll.simulator.policies.autoscaler import PolicyKind, Setup
from plimsoll.simulator.policies.one_variant import Chosen, OneVariant, Seen

LOOK_S = 60.0
DEFAULT_TARGET = 1.0


class StaticPeak:
    """One fleet that was bought."""

    def __init__(self, replicas: int) -> None:
        self._replicas = replicas

    def replicas(self, seen: Seen) -> int:
        return self._replicas


def bought(peak_rps: float, safe_rate_rps: float, target: float) -> int:
    """Replicas for the peak, at least one."""
    return max(math.ceil(peak_rps / (safe_rate_rps * target) - 1e-9), 1)


def _make(setup: Setup, target: float) -> OneVariant:
    def rule(chosen: Chosen) -> StaticPeak:
        return StaticPeak(bought(chosen.peak_rps, chosen.safe_rate_rps, target))

    return OneVariant(setup, rule, LOOK_S, LOOK_S)


STATIC = PolicyKind("static", _make, DEFAULT_TARGET, (0.6, 0.8, 1.2))
