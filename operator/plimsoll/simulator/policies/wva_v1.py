"""llm-d's Workload Variant Autoscaler, version 1: one replica more or less by how saturated the engines are.

In: KV cache use and queue of every pod, the highest of the last minute. Out: numbers of replicas of all variants of a
deployment. Its rule, every 15 s: a pod is saturated at a KV use of 0.80 or a queue of 5. Over all others of the model:
where they have less than 0.1 of KV or 3 places of queue to spare on average, or there are none, one replica more of the
cheapest variant; where they would still have that with one pod less, one less of the dearest. Nothing of a model moves
while any of its variants has a replica on its way. Of equal prices the first by name grows and the last shrinks. The
target is the KV use.

Where the published texts differ, the one that serves it better is played: its code, since January 2026, waits for what
is on its way, as here. Its documentation passes over a variant with a pending replica and grows the next cheapest:
played so, it orders an H100 each time an L4 boots, costs five times as much on the Azure conversation hour, and keeps
less.

Source: llm-d/llm-d-workload-variant-autoscaler docs/saturation-analyzer.md, docs/saturation-scaling-config.md;
internal/saturation/constants.go (at least two unsaturated pods before one is taken away).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plimsoll.domain import Deployment, Variant, VariantKey
from plimsoll.simulator.policies.autoscaler import Observation, PolicyKind, Setup, Wanted
from plimsoll.simulator.policies.one_variant import replica_usd_per_hour

INTERVAL_S = 15.0
SCRAPE_S = 15.0
PEAK_WINDOW_S = 60.0
DEFAULT_KV = 0.80
QUEUE = 5.0
SPARE_KV = 0.1
SPARE_QUEUE = 3.0
FEWEST_TO_SHRINK = 2


@dataclass(frozen=True, slots=True)
class PodLoad:
    """The highest of the last minute."""

    kv_use_ratio: float
    waiting: float


class WvaV1:
    """All deployments, each model for itself."""

    interval_s = INTERVAL_S
    scrape_interval_s = SCRAPE_S

    def __init__(self, setup: Setup, kv_threshold: float) -> None:
        self._kv = kv_threshold
        self._usd = prices(setup)

    def decide(self, observation: Observation) -> Wanted:
        replicas: dict[VariantKey, int] = {}
        for deployment in observation.snapshot.deployments:
            replicas |= self._for_one(deployment, observation)
        return Wanted(replicas)

    def _for_one(self, deployment: Deployment, observation: Observation) -> Mapping[VariantKey, int]:
        pods = [load for variant in deployment.variants for load in loads(observation, variant.key)]
        kept = {variant.key: variant.replicas for variant in deployment.variants}
        if not pods:
            # Healthy but inert: without metrics it says nothing. Only a model without any replica gets its first.
            asked = observation.queued.get(deployment.key, 0.0) > 0.0 or not deployment.demand.sees_zero_replicas
            return self._one_more(deployment) if asked and not any(kept.values()) else {}
        if any(variant.ready_replicas < variant.replicas for variant in deployment.variants):
            return {}
        change = step(pods, self._kv)
        if change > 0:
            return self._one_more(deployment)
        return self._one_less(deployment) if change < 0 else {}

    def _one_more(self, deployment: Deployment) -> Mapping[VariantKey, int]:
        for variant in self._cheapest_first(deployment):
            if variant.replicas < variant.max_replicas:
                return {variant.key: variant.replicas + 1}
        return {}

    def _one_less(self, deployment: Deployment) -> Mapping[VariantKey, int]:
        for variant in reversed(self._cheapest_first(deployment)):
            if variant.replicas > variant.min_replicas:
                return {variant.key: variant.replicas - 1}
        return {}

    def _cheapest_first(self, deployment: Deployment) -> Sequence[Variant]:
        return sorted(deployment.variants, key=lambda one: (self._usd[one.key], one.key))


def step(pods: Sequence[PodLoad], kv_threshold: float) -> int:
    """+1, 0 or -1 by the load of all pods of a model."""
    unsaturated = [pod for pod in pods if pod.kv_use_ratio < kv_threshold and pod.waiting < QUEUE]
    if not unsaturated:
        return 1
    kv, waiting = (
        sum(pod.kv_use_ratio for pod in unsaturated),
        sum(pod.waiting for pod in unsaturated),
    )
    count = len(unsaturated)
    if not _has_spare(kv / count, waiting / count, kv_threshold):
        return 1
    if count < FEWEST_TO_SHRINK:
        return 0
    return -1 if _has_spare(kv / (count - 1), waiting / (count - 1), kv_threshold) else 0


def loads(observation: Observation, key: VariantKey) -> Sequence[PodLoad]:
    """Of every pod that was there at the last scrape."""
    latest = observation.latest(key)
    if latest is None:
        return ()
    found = {pod: PodLoad(0.0, 0.0) for pod in latest.pods}
    for scrape in (*observation.within(key, PEAK_WINDOW_S), latest):
        for pod, kv, waiting in zip(scrape.pods, scrape.kv_use_ratio_p, scrape.waiting_p, strict=True):
            if pod in found:
                found[pod] = PodLoad(max(found[pod].kv_use_ratio, float(kv)), max(found[pod].waiting, float(waiting)))
    return tuple(found.values())


def prices(setup: Setup) -> Mapping[VariantKey, float]:
    """Of one replica, USD an hour; infinite where its pool is not there."""
    pools = {pool.name: pool for pool in setup.pools}

    def usd(variant: Variant) -> float:
        pool = pools.get(variant.pool)
        return float("inf") if pool is None else replica_usd_per_hour(variant, pool)

    return {one.key: usd(one) for deployment in setup.deployments for one in deployment.variants}


def _has_spare(kv: float, waiting: float, kv_threshold: float) -> bool:
    return kv_threshold - kv >= SPARE_KV - 1e-12 and QUEUE - waiting >= SPARE_QUEUE


def _make(setup: Setup, target: float) -> WvaV1:
    return WvaV1(setup, target)


WVA_V1 = PolicyKind("wva-v1", _make, DEFAULT_KV, (0.15, 0.2, 0.3, 0.4, 0.6))
