"""SkyServe: replicas by request rate with long patience, on spot with on-demand in its place.

In: the rate over 60 s. Out: replicas of a spot variant and of the one on demand that stands in for it. Its rule,
every 20 s: rate / target rounded up; more once that has been wanted for 300 s on end, fewer once for 1200 s, at once
from zero. With spot there are as many spot replicas as wanted, and one on demand for each of them that is not ready.
The target is a share of what a replica carries safely.

Source: skypilot-org/skypilot sky/serve/autoscalers.py (RequestRateAutoscaler, FallbackRequestRateAutoscaler),
sky/serve/constants.py (window 60 s, decision interval 20 s, delays 300 s and 1200 s).
"""

import math
from collections.abc import Mapping

from plimsoll.domain import Deployment, ObjectKey, PriceKind, Variant, VariantKey
from plimsoll.simulator.policies.autoscaler import Observation, PolicyKind, Setup, Wanted
from plimsoll.simulator.policies.one_variant import Chosen, choose

INTERVAL_S = 20.0
SCRAPE_S = 20.0
WINDOW_S = 60.0
UP_DELAY_S = 300.0
DOWN_DELAY_S = 1200.0
DEFAULT_TARGET = 0.8


class Hysteresis:
    """How many replicas a service is to have."""

    def __init__(self, target_rps: float, replicas: int) -> None:
        self._target_rps = target_rps
        self._up = self._down = 0
        self.replicas = replicas

    def after(self, rate_rps: float, fewest: int) -> int:
        """The number by one more look at the rate."""
        wanted = max(math.ceil(rate_rps / self._target_rps - 1e-9), fewest)
        if self.replicas == 0:
            self.replicas = wanted
        elif wanted > self.replicas:
            self._up, self._down = self._up + 1, 0
            if self._up >= UP_DELAY_S / INTERVAL_S:
                self._up, self.replicas = 0, wanted
        elif wanted < self.replicas:
            self._up, self._down = 0, self._down + 1
            if self._down >= DOWN_DELAY_S / INTERVAL_S:
                self._down, self.replicas = 0, wanted
        else:
            self._up = self._down = 0
        return self.replicas


class SkyServe:
    """One service a deployment."""

    interval_s = INTERVAL_S
    scrape_interval_s = SCRAPE_S

    def __init__(self, setup: Setup, target: float) -> None:
        self._chosen = choose(setup)
        self._stand_ins = stand_ins(setup, self._chosen)
        self._services = {
            key: Hysteresis(
                target * one.safe_rate_rps, max(math.ceil(one.first_rps / (target * one.safe_rate_rps) - 1e-9), 1)
            )
            for key, one in self._chosen.items()
        }

    def decide(self, observation: Observation) -> Wanted:
        replicas: dict[VariantKey, int] = {}
        for deployment in observation.snapshot.deployments:
            if deployment.key in self._chosen:
                replicas |= self._for_one(deployment, observation)
        return Wanted(replicas)

    def _for_one(self, deployment: Deployment, observation: Observation) -> Mapping[VariantKey, int]:
        chosen, service = self._chosen[deployment.key], self._services[deployment.key]
        rate_rps = observation.rate_rps(deployment.key, WINDOW_S)
        wanted = service.replicas if rate_rps is None else service.after(rate_rps, fewest=0 if chosen.to_zero else 1)
        own = next(one for one in deployment.variants if one.key == chosen.variant.key)
        stand_in = self._stand_ins.get(deployment.key)
        found = {own.key: wanted}
        if stand_in is not None:
            found[stand_in] = max(wanted - own.ready_replicas, 0)
        # What ran when the run began stays until the service is up.
        ready = sum(one.ready_replicas for one in deployment.variants if one.key in found)
        others = {one.key: 0 for one in deployment.variants if one.key not in found}
        return {**found, **(others if ready >= wanted else {})}


def stand_ins(setup: Setup, chosen: Mapping[ObjectKey, Chosen]) -> Mapping[ObjectKey, VariantKey]:
    """For each deployment on spot the variant on demand on the same hardware, where there is one."""
    pools = {pool.name: pool for pool in setup.pools}
    found: dict[ObjectKey, VariantKey] = {}
    for deployment in setup.deployments:
        own = chosen.get(deployment.key)
        if own is None or pools[own.variant.pool].price_kind is not PriceKind.SPOT:
            continue
        hardware = pools[own.variant.pool].hardware
        alike: list[Variant] = [
            one
            for one in deployment.variants
            if one.pool in pools
            and pools[one.pool].price_kind is PriceKind.ON_DEMAND
            and pools[one.pool].hardware == hardware
        ]
        if alike:
            found[deployment.key] = min(alike, key=lambda one: (one.profile != own.variant.profile, one.key)).key
    return found


def _make(setup: Setup, target: float) -> SkyServe:
    return SkyServe(setup, target)


SKYSERVE = PolicyKind("skyserve", _make, DEFAULT_TARGET, (0.4, 0.5, 0.6, 0.7, 1.0))
