"""What is a decision made of, so that it can be made again with something else in it? Pure values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from plimsoll.decide import decide
from plimsoll.domain import (
    Demand,
    DemandState,
    Deployment,
    Forecast,
    Memory,
    ObjectKey,
    Plan,
    Pool,
    Profile,
    Snapshot,
    TokenMix,
)
from plimsoll.sizing import NOTHING_SIMULATED, Simulated


@dataclass(frozen=True, slots=True)
class Situation:
    """All that one decision stands on."""

    snapshot: Snapshot
    memory: Memory = field(default_factory=Memory)
    forecasts: Mapping[ObjectKey, Forecast] = field(default_factory=dict)
    """Those that the operator told; of the other deployments the forecast is made of the snapshot's demand."""
    profiles: Mapping[str, Profile] = field(default_factory=dict)
    """By name all that a variant could use."""

    def decided(self, simulated: Simulated = NOTHING_SIMULATED) -> Plan:
        """What the operator would plan."""
        return decide(self.snapshot, self.memory, simulated=simulated, told=self.forecasts).plan

    def deployment(self, key: ObjectKey) -> Deployment:
        return next(one for one in self.snapshot.deployments if one.key == key)

    def pool(self, name: str) -> Pool:
        return next(one for one in self.snapshot.pools if one.name == name)

    def with_pool(self, pool: Pool) -> "Situation":
        """The pool of that name replaced."""
        pools = tuple(pool if one.name == pool.name else one for one in self.snapshot.pools)
        return replace(self, snapshot=replace(self.snapshot, pools=pools))

    def with_deployment(self, deployment: Deployment) -> "Situation":
        """The deployment of that key replaced."""
        deployments = tuple(deployment if one.key == deployment.key else one for one in self.snapshot.deployments)
        return replace(self, snapshot=replace(self.snapshot, deployments=deployments))

    def with_rate(self, key: ObjectKey, rate_rps: float) -> "Situation":
        """So much arrives, now and for as long as anything takes to start."""
        one = self.deployment(key)
        told = self.forecasts.get(key)
        demand = Demand(
            state=DemandState.KNOWN,
            message="as assumed",
            sees_zero_replicas=one.demand.sees_zero_replicas,
            arrival_rate_rps=rate_rps,
            tokens=one.demand.tokens or (told.tokens if told else None),
            window_s=one.demand.window_s,
        )
        changed = self.with_deployment(replace(one, demand=demand))
        kept = {name: forecast for name, forecast in self.forecasts.items() if name != key}
        return replace(changed, forecasts=kept)

    def with_tokens(self, key: ObjectKey, tokens: TokenMix) -> "Situation":
        """Requests of another length, as many as before."""
        one = self.deployment(key)
        changed = self.with_deployment(replace(one, demand=replace(one.demand, tokens=tokens)))
        told = self.forecasts.get(key)
        return (
            changed
            if told is None
            else replace(changed, forecasts={**self.forecasts, key: replace(told, tokens=tokens)})
        )
