"""How does a user run an autoscaler that knows one workload only? On the variant that is cheapest for the peak.

In: a rule that tells a number of replicas. Out: an `Autoscaler` over all deployments, each on one variant. The choice
is what a careful user makes beforehand with a load test: of the variants whose pool can hold the busiest minute, the
one whose replicas cost least there. What ran on other variants when the run began stays until the chosen one is
ready.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from plimsoll.domain import Deployment, ObjectKey, Pool, Resources, Variant, VariantKey
from plimsoll.simulator.policies.autoscaler import Observation, Setup, Wanted
from plimsoll.simulator.safe_rates import concurrency_at, safe_rate_rps, setup_mix
from plimsoll.sizing.token_mix import DEFAULT_MIX

PEAK_QUANTILE = 0.999
"""The minute that a static fleet is bought for."""
_FIRST_MINUTES = 10


@dataclass(frozen=True, slots=True)
class Chosen:
    """The one variant of a deployment, and what its load test said."""

    variant: Variant
    safe_rate_rps: float
    safe_concurrency: float
    """Requests that a replica holds on average at its safe rate."""
    first_rps: float
    """Mean demand of the first ten minutes, that its first replicas are there for."""
    peak_rps: float
    """Demand of the 99.9th percentile minute."""
    to_zero: bool
    """Whether somebody would see demand without a replica; one replica stays otherwise."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a rule is told."""

    observation: Observation
    chosen: Chosen
    replicas: int
    """What the target asks for."""
    ready: int

    @property
    def now_s(self) -> float:
        return self.observation.now_s

    @property
    def key(self) -> VariantKey:
        return self.chosen.variant.key


class Rule(Protocol):
    """The autoscaler of one workload during one run; it may keep a state of its own."""

    def replicas(self, seen: Seen) -> int:
        """How many it wants now; bounds are held by the caller."""


class OneVariant:
    """One rule for each deployment."""

    def __init__(
        self, setup: Setup, make_rule: Callable[[Chosen], Rule], interval_s: float, scrape_interval_s: float
    ) -> None:
        self._interval_s, self._scrape_interval_s = interval_s, scrape_interval_s
        self._chosen = choose(setup)
        self._rules = {key: make_rule(one) for key, one in self._chosen.items()}
        self._begun: set[ObjectKey] = set()

    @property
    def interval_s(self) -> float:
        return self._interval_s

    @property
    def scrape_interval_s(self) -> float:
        return self._scrape_interval_s

    def decide(self, observation: Observation) -> Wanted:
        replicas: dict[VariantKey, int] = {}
        for deployment in observation.snapshot.deployments:
            chosen = self._chosen.get(deployment.key)
            if chosen is not None:
                replicas |= self._for_one(deployment, chosen, observation)
        return Wanted(replicas)

    def _for_one(self, deployment: Deployment, chosen: Chosen, observation: Observation) -> Mapping[VariantKey, int]:
        own = next(one for one in deployment.variants if one.key == chosen.variant.key)
        others = [one for one in deployment.variants if one.key != own.key and one.replicas > 0]
        if own.replicas == 0 and deployment.key not in self._begun:
            self._begun.add(deployment.key)
            return {own.key: max(math.ceil(chosen.first_rps / chosen.safe_rate_rps), 1)}
        self._begun.add(deployment.key)
        count = self._rules[deployment.key].replicas(Seen(observation, chosen, own.replicas, own.ready_replicas))
        taken_over = own.ready_replicas >= own.replicas
        return {
            own.key: max(count, 0 if chosen.to_zero else 1),
            **({one.key: 0 for one in others} if taken_over else {}),
        }


def choose(setup: Setup) -> Mapping[ObjectKey, Chosen]:
    """By deployment; those that no variant can serve within the SLO are absent."""
    pools = {pool.name: pool for pool in setup.pools}
    found = {deployment.key: _choose(setup, deployment, pools) for deployment in setup.deployments}
    return {key: chosen for key, chosen in found.items() if chosen is not None}


def replica_usd_per_hour(variant: Variant, pool: Pool) -> float:
    """The price of the share of a node that one replica takes; 0 where the node is paid for already."""
    return pool.marginal_price_usd_per_hour / max(replicas_on_a_node(variant.per_replica, pool), 1)


def replicas_on_a_node(needs: Resources, pool: Pool) -> int:
    """How many replicas fit on a fresh node."""
    rooms = [pool.node_resources.get(name, 0.0) / amount for name, amount in needs.items() if amount > 0.0]
    return math.floor(min(rooms, default=0.0) + 1e-9)


def most_replicas(variant: Variant, pool: Pool) -> int:
    """How many there may be at most, by the variant's bounds and the pool's nodes."""
    return min(variant.max_replicas, pool.max_nodes * replicas_on_a_node(variant.per_replica, pool))


def _choose(setup: Setup, deployment: Deployment, pools: Mapping[str, Pool]) -> Chosen | None:
    # That nobody will ask in the whole run is known afterwards only: until then one replica waits.
    mix = setup_mix(setup, deployment.key) or DEFAULT_MIX
    demand_rps_m = setup.demand_rps_m[deployment.key]
    peak_rps = float(np.quantile(demand_rps_m, PEAK_QUANTILE))
    ranked = []
    for variant in deployment.variants:
        rate_rps = safe_rate_rps(variant.profile, mix, deployment.slo)
        pool = pools.get(variant.pool)
        if rate_rps <= 0.0 or pool is None or most_replicas(variant, pool) == 0:
            continue
        needed = max(math.ceil(peak_rps / rate_rps), 1)
        missing = max(needed - most_replicas(variant, pool), 0) / needed
        ranked.append((missing, needed * replica_usd_per_hour(variant, pool), variant.key, variant, rate_rps))
    if not ranked:
        return None
    *_, variant, rate_rps = min(ranked, key=lambda row: row[:3])
    return Chosen(
        variant=variant,
        safe_rate_rps=rate_rps,
        safe_concurrency=max(concurrency_at(variant.profile, mix, rate_rps), 1.0),
        first_rps=float(demand_rps_m[:_FIRST_MINUTES].mean()),
        peak_rps=peak_rps,
        to_zero=deployment.demand.sees_zero_replicas,
    )
