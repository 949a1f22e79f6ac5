"""A policy that was given some variants only: it sees no others, and these go once its own are ready.

In: a policy and the keys it may use. Out: an `Autoscaler`.
"""

from collections.abc import Set
from dataclasses import replace

from plimsoll.domain import Deployment, VariantKey
from plimsoll.simulator.policies.autoscaler import Autoscaler, Observation, Wanted


class Narrowed:
    """The policy behind a screen."""

    def __init__(self, policy: Autoscaler, keys: Set[VariantKey]) -> None:
        self._policy, self._keys = policy, keys

    @property
    def interval_s(self) -> float:
        return self._policy.interval_s

    @property
    def scrape_interval_s(self) -> float:
        return self._policy.scrape_interval_s

    def decide(self, observation: Observation) -> Wanted:
        snapshot = observation.snapshot
        narrowed = replace(snapshot, deployments=tuple(self._own(one) for one in snapshot.deployments))
        wanted = self._policy.decide(replace(observation, snapshot=narrowed))
        gone: dict[VariantKey, int] = {}
        for whole, own in zip(snapshot.deployments, narrowed.deployments, strict=True):
            if all(one.ready_replicas >= wanted.replicas.get(one.key, one.replicas) for one in own.variants):
                gone |= {one.key: 0 for one in whole.variants if one.key not in self._keys}
        return replace(wanted, replicas={**gone, **wanted.replicas})

    def _own(self, deployment: Deployment) -> Deployment:
        return replace(deployment, variants=tuple(one for one in deployment.variants if one.key in self._keys))
