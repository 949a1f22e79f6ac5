"""llm-d's Workload Variant Autoscaler, version 2: tokens that are asked for against tokens that there is room for.

In: KV cache use, queue and lengths. Out: numbers of replicas of all variants of a deployment. Its rule, every 15 s:
demand is the tokens in use and those of queued prompts; the supply of a pod is 0.80 of its KV cache, or what was in use
when it last had a queue of 5 where that is less. Needed are demand/0.85 - supply with replicas on their way, to spare
are supply - demand/0.70. What is needed goes to the variant with the cheapest token of supply, what can be spared is
taken from the dearest. The target is the share 0.85; that to shrink by keeps its distance from it.

Source: llm-d/llm-d-workload-variant-autoscaler internal/engines/analyzers/saturation_v2 (analyzer.go: k1, k2,
history.go: rolling average), internal/config/saturation_scaling.go (0.85, 0.70).
"""

import math
from collections import defaultdict, deque
from collections.abc import Mapping

from plimsoll.domain import Deployment, Variant, VariantKey
from plimsoll.simulator.policies.autoscaler import Observation, PolicyKind, Setup, Wanted
from plimsoll.simulator.policies.wva_v1 import prices

INTERVAL_S = 15.0
SCRAPE_S = 15.0
KV = 0.80
QUEUE = 5.0
DEFAULT_UP = 0.85
DOWN_OVER_UP = 0.70 / 0.85
REMEMBERED = 10
"""Looks that the rolling average of the compute bound runs over."""


class WvaV2:
    """All deployments, each model for itself."""

    interval_s = INTERVAL_S
    scrape_interval_s = SCRAPE_S

    def __init__(self, setup: Setup, up: float) -> None:
        self._up, self._down = up, up * DOWN_OVER_UP
        self._usd = prices(setup)
        self._prompt = setup.prompt_tokens_mean
        self._computed: dict[VariantKey, deque[float]] = defaultdict(lambda: deque(maxlen=REMEMBERED))

    def decide(self, observation: Observation) -> Wanted:
        replicas: dict[VariantKey, int] = {}
        for deployment in observation.snapshot.deployments:
            replicas |= self._for_one(deployment, observation)
        return Wanted(replicas)

    def _for_one(self, deployment: Deployment, observation: Observation) -> Mapping[VariantKey, int]:
        demand, known = 0.0, False
        for variant in deployment.variants:
            scrape = observation.latest(variant.key)
            if scrape is None or not scrape.pods:
                continue
            known = True
            used_p = scrape.kv_use_ratio_p * variant.profile.kv_cache_tokens
            demand += float(used_p.sum() + scrape.waiting_p.sum() * self._prompt[deployment.key])
            queueing = used_p[scrape.waiting_p >= QUEUE]
            if queueing.size:
                self._computed[variant.key].append(float(queueing.mean()))
        demand += observation.queued.get(deployment.key, 0.0) * self._prompt[deployment.key]
        if not known and demand <= 0.0:
            if deployment.demand.sees_zero_replicas or any(one.replicas for one in deployment.variants):
                return {}
            # A model without any replica gets its first.
            demand = 1.0
        supplies = {variant.key: self._supply(variant) for variant in deployment.variants}
        return changed(deployment.variants, supplies, self._usd, demand, self._up, self._down)

    def _supply(self, variant: Variant) -> float:
        by_memory = KV * variant.profile.kv_cache_tokens
        computed = self._computed[variant.key]
        return min(by_memory, sum(computed) / len(computed)) if computed else by_memory


def changed(
    variants: tuple[Variant, ...],
    supply: Mapping[VariantKey, float],
    usd: Mapping[VariantKey, float],
    demand: float,
    up: float,
    down: float,
) -> Mapping[VariantKey, int]:
    """The variants that get other replicas.

    Args:
        variants: of one model.
        supply: tokens that one replica of each has room for.
        usd: what one replica of each costs.
        demand: tokens that are asked for.
        up: share of the supply that demand may take.
        down: share of the supply below which replicas go.
    """

    def usd_per_token(variant: Variant) -> tuple[float, VariantKey]:
        return usd[variant.key] / max(supply[variant.key], 1e-9), variant.key

    cheapest_first = sorted(variants, key=usd_per_token)
    total = sum(supply[one.key] * one.replicas for one in variants)
    needed, spare = demand / up - total, total - demand / down
    found: dict[VariantKey, int] = {}
    for variant in cheapest_first if needed > 0.0 else ():
        more = min(math.ceil(needed / supply[variant.key] - 1e-9), variant.max_replicas - variant.replicas)
        if more > 0:
            found[variant.key] = variant.replicas + more
            needed -= more * supply[variant.key]
        if needed <= 0.0:
            break
    left = sum(one.replicas for one in variants)
    for variant in reversed(cheapest_first) if spare > 0.0 else ():
        less = min(math.floor(spare / supply[variant.key] + 1e-9), variant.replicas - variant.min_replicas, left - 1)
        if less > 0:
            found[variant.key] = variant.replicas - less
            spare -= less * supply[variant.key]
            left -= less
    return found


def _make(setup: Setup, target: float) -> WvaV2:
    return WvaV2(setup, target)


WVA_V2 = PolicyKind("wva-v2", _make, DEFAULT_UP, (0.1, 0.15, 0.2, 0.3, 0.5))
