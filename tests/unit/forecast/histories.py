"""Demand as a deployment saw it over time, run through the very loop that remembers it.

In: rates, one a tick, and the deployment they belong to. Out: the last snapshot and the memory after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from plimsoll.domain import Demand, Deployment, Forecast, Memory, Pool, Snapshot
from plimsoll.forecast import forecast, remember_demand
from unit.builders import NOW_S, a_demand, a_deployment, a_snapshot

TICK_S = 10.0


@dataclass(frozen=True, slots=True)
class Past:
    """What a deployment has been through, up to its last tick."""

    snapshot: Snapshot
    memory: Memory

    @property
    def deployment(self) -> Deployment:
        return self.snapshot.deployments[0]

    @property
    def forecast(self) -> Forecast:
        return forecast(self.snapshot, self.memory)[self.deployment.key]

    def then(self, demand: Demand, after_s: float = TICK_S) -> "Past":
        """One more tick, that much later."""
        deployment = replace(self.deployment, demand=demand)
        snapshot = replace(self.snapshot, now_s=self.snapshot.now_s + after_s, deployments=(deployment,))
        return Past(snapshot, remember_demand(snapshot, self.memory))

    def unknown(self, for_s: float, rps: float | None = None) -> "Past":
        """No demand known at the next tick, and none that long after it."""
        return self.then(a_demand(rps)).then(a_demand(rps), for_s)


def a_past(
    *rates_rps: float | None,
    deployment: Deployment | None = None,
    pools: Sequence[Pool] = (),
    start_s: float = NOW_S,
) -> Past:
    """One tick a rate, the first at `start_s`; None is a tick at which demand was absent."""
    first, *others = rates_rps
    snapshot = a_snapshot([replace(deployment or a_deployment(), demand=a_demand(first))], pools, now_s=start_s)
    past = Past(snapshot, remember_demand(snapshot, Memory()))
    for rate_rps in others:
        past = past.then(a_demand(rate_rps))
    return past
