"""KEDA: an HPA that a ScaledObject feeds, and that goes to zero and back.

In: a query over engines and router. Out: a number of replicas. From one replica on the HPA decides, on an external
metric: its sum over the target, rounded up, nothing within a tolerance of 10% of what the replicas are for. Which pods
are ready does not matter to it, as it does for metrics of pods. Every 30 s KEDA looks whether there is anything at all:
then zero becomes one; after a cooldown of 300 s without, the target goes to zero. A query without an answer counts as
zero (ignoreNullValues).

Source: keda.sh/docs/latest/reference/scaledobject-spec (pollingInterval 30, cooldownPeriod 300, minReplicaCount 0;
metricType AverageValue); keda.sh/docs/latest/scalers/prometheus (ignoreNullValues true); kubernetes
pkg/controller/podautoscaler/replica_calculator.go, GetExternalPerPodMetricReplicas.
"""

import math

from plimsoll.simulator.policies.autoscaler import PolicyKind, Setup
from plimsoll.simulator.policies.hpa import DEFAULT_TARGET, SCRAPE_S, SYNC_S, TOLERANCE, Hpa
from plimsoll.simulator.policies.one_variant import Chosen, OneVariant, Seen

POLLING_S = 30.0
COOLDOWN_S = 300.0


class ScaledObject:
    """One workload under KEDA."""

    def __init__(self, target_concurrency: float, deployment_queues: bool = True) -> None:
        self._target = target_concurrency
        self._hpa = Hpa(target_concurrency)
        self._deployment_queues = deployment_queues
        self._polled_s = -POLLING_S
        self._active = True
        self._active_s: float | None = None

    def replicas(self, seen: Seen) -> int:
        """What it asks for by the last scrape."""
        scrape = seen.observation.latest(seen.key)
        # The complaint about it: what is not there is taken for nothing.
        total = scrape.concurrency if scrape is not None else 0.0
        if self._deployment_queues:
            total += seen.observation.queued.get(seen.key.deployment_key, 0.0)
        return self.after(seen.now_s, seen.replicas, total, seen.chosen.to_zero)

    def after(self, now_s: float, replicas: int, total: float, to_zero: bool) -> int:
        """What it asks for when `total` requests are there."""
        if self._active_s is None:
            self._active_s = now_s
        if now_s - self._polled_s >= POLLING_S:
            self._polled_s, self._active = now_s, total > 0.0
            if self._active:
                self._active_s = now_s
        if to_zero and not self._active and now_s - self._active_s >= COOLDOWN_S:
            return 0
        if replicas == 0:
            return 1 if self._active else 0
        # The HPA that KEDA makes has at least one replica, and limits what it recommends before it stabilises it.
        wanted = max(external_replicas(replicas, total, self._target), 1)
        return self._hpa.limited(now_s, replicas, wanted)


def external_replicas(replicas: int, total: float, target: float) -> int:
    """What an HPA recommends by an external metric with an average value for its target.

    Args:
        replicas: that are there, ready or not.
        total: of the metric.
        target: for each replica.
    """
    if abs(total / (target * replicas) - 1.0) <= TOLERANCE:
        return replicas
    # Floating-point noise must not add a replica.
    return math.ceil(total / target - 1e-9)


def _make(setup: Setup, target: float) -> OneVariant:
    def rule(chosen: Chosen) -> ScaledObject:
        return ScaledObject(target * chosen.safe_concurrency, deployment_queues=chosen.to_zero)

    return OneVariant(setup, rule, SYNC_S, SCRAPE_S)


KEDA = PolicyKind("keda", _make, DEFAULT_TARGET, (0.3, 0.4, 0.5, 0.6, 0.7, 1.0))
