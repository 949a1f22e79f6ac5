"""KPA: the autoscaler of Knative, on concurrency in two windows.

In: concurrency of pods and of what waits in front of them, every 2 s. Out: a number of replicas. Its rule: as many
replicas as bring the mean over 60 s to the target, between a half and a thousand times of those that are ready. Where
the mean over 6 s asks for twice the ready ones it panics: for the next 60 s the larger of both counts, and it never
goes down. To zero only after 60 s without a request. The target is 70% of what a replica may hold, here of what it
holds at its safe rate instead of the default of 100.

Source: knative.dev/docs/serving/autoscaling/kpa-specific; knative/serving pkg/autoscaler/scaling/autoscaler.go, Scale;
config/core/configmaps/autoscaler.yaml.
"""

import math

from plimsoll.simulator.policies.autoscaler import PolicyKind, Setup
from plimsoll.simulator.policies.one_variant import Chosen, OneVariant, Seen

TICK_S = 2.0
STABLE_WINDOW_S = 60.0
PANIC_WINDOW_S = 6.0
PANIC_THRESHOLD = 2.0
UP_RATE = 1000.0
DOWN_RATE = 2.0
DEFAULT_TARGET = 0.7


class Kpa:
    """One revision."""

    def __init__(self, target_concurrency: float) -> None:
        self._target = target_concurrency
        self._panic_s: float | None = None
        self._most_in_panic = 0

    def replicas(self, seen: Seen) -> int:
        """What it asks for by both windows; without a metric nothing changes."""
        stable = seen.observation.concurrency(seen.key, STABLE_WINDOW_S)
        panic = seen.observation.concurrency(seen.key, PANIC_WINDOW_S)
        # The activator holds what no replica can take yet, and reports it too.
        waiting = seen.observation.queued.get(seen.key.deployment_key, 0.0)
        if stable is None or panic is None:
            return seen.replicas if waiting <= 0.0 else max(seen.replicas, math.ceil(waiting / self._target))
        return self.after(seen.now_s, seen.ready, stable + waiting, panic + waiting)

    def after(self, now_s: float, ready: int, stable: float, panic: float) -> int:
        """What it asks for by the mean concurrency of both windows."""
        counted = max(1, ready)
        lowest, highest = math.floor(counted / DOWN_RATE), math.ceil(UP_RATE * counted)
        in_panic = math.ceil(panic / self._target)
        wanted = min(max(math.ceil(stable / self._target), lowest), highest)
        panicking = min(max(in_panic, lowest), highest)
        if in_panic / counted >= PANIC_THRESHOLD:
            self._panic_s = now_s
        elif self._panic_s is not None and self._panic_s + STABLE_WINDOW_S < now_s:
            self._panic_s, self._most_in_panic = None, 0
        if self._panic_s is None:
            return wanted
        self._most_in_panic = max(self._most_in_panic, wanted, panicking)
        return self._most_in_panic


def _make(setup: Setup, target: float) -> OneVariant:
    def rule(chosen: Chosen) -> Kpa:
        return Kpa(target * chosen.safe_concurrency)

    return OneVariant(setup, rule, TICK_S, TICK_S)


KPA = PolicyKind("kpa", _make, DEFAULT_TARGET, (0.3, 0.4, 0.5, 0.6, 0.85, 1.0))
