"""HPA: the autoscaler of Kubernetes, on the mean number of requests that a pod holds.

In: concurrency as the engines show it. Out: a number of replicas. Its rule, every 15 s: as many replicas as bring the
metric to its target, rounded up; nothing within a tolerance of 10%; pods that are not ready count as idle when it goes
up and as right on target when it goes down; up by 4 pods or 100% in 15 s, whichever is more; down to the highest
recommendation of the last 300 s. The target is a share of what a replica holds at its safe rate.

Source: kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale (algorithm details, default behavior);
kubernetes pkg/controller/podautoscaler/replica_calculator.go, calcPlainMetricReplicas.
"""

import math
from collections import deque

from plimsoll.simulator.policies.autoscaler import PolicyKind, Setup
from plimsoll.simulator.policies.one_variant import Chosen, OneVariant, Seen

SYNC_S = 15.0
SCRAPE_S = 15.0
TOLERANCE = 0.1 + 1e-9
"""10%, and what floating-point numbers miss it by."""
DOWN_WINDOW_S = 300.0
UP_PODS = 4
UP_RATIO = 2.0
DEFAULT_TARGET = 0.8
"""Of the safe concurrency. For custom metrics there is no published default; for CPU it is 80%."""


class Hpa:
    """One HorizontalPodAutoscaler."""

    def __init__(self, target_concurrency: float) -> None:
        self._target = target_concurrency
        self._recommended: deque[tuple[float, int]] = deque()

    def replicas(self, seen: Seen) -> int:
        """What it asks for by the last scrape; without a metric nothing changes."""
        scrape = seen.observation.latest(seen.key)
        if scrape is None or not scrape.pods:
            return seen.replicas
        return self.after(seen.now_s, seen.replicas, len(scrape.pods), scrape.concurrency)

    def after(self, now_s: float, replicas: int, ready: int, total: float) -> int:
        """What it asks for when so many ready pods hold `total` requests together."""
        return self.limited(now_s, replicas, wanted_replicas(replicas, ready, total, self._target))

    def limited(self, now_s: float, replicas: int, wanted: int) -> int:
        """What it asks for where a metric recommends `wanted`: stabilised on the way down, limited on the way up."""
        self._recommended.append((now_s, wanted))
        while self._recommended[0][0] <= now_s - DOWN_WINDOW_S:
            self._recommended.popleft()
        stabilised = max(count for _, count in self._recommended)
        if stabilised < replicas:
            return stabilised
        return min(max(wanted, replicas), max(replicas + UP_PODS, math.floor(UP_RATIO * replicas)))


def wanted_replicas(replicas: int, ready: int, total: float, target: float) -> int:
    """The recommendation before it is stabilised or limited.

    Args:
        replicas: that the target asks for.
        ready: pods that the metric is known of, one or more.
        total: sum of the metric over them.
        target: of the metric's mean.
    """
    missing = max(replicas - ready, 0)
    ratio = total / (ready * target)
    if abs(ratio - 1.0) <= TOLERANCE:
        return replicas
    counted = total if ratio > 1.0 else total + missing * target
    again = counted / ((ready + missing) * target)
    if abs(again - 1.0) <= TOLERANCE or (again > 1.0) != (ratio > 1.0):
        return replicas
    # Floating-point noise must not add a replica.
    wanted = math.ceil(counted / target - 1e-9)
    return max(wanted, replicas) if ratio > 1.0 else min(wanted, replicas)


def _make(setup: Setup, target: float) -> OneVariant:
    def rule(chosen: Chosen) -> Hpa:
        return Hpa(target * chosen.safe_concurrency)

    return OneVariant(setup, rule, SYNC_S, SCRAPE_S)


HPA = PolicyKind("hpa", _make, DEFAULT_TARGET, (0.3, 0.4, 0.5, 0.6, 0.7, 1.0))
