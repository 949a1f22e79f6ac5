"""A deployment on engines that are slower or faster than their profile says, minute after minute.

In: how much slower, and what else is unusual about it. Out: what was learned. Engines here obey a law so simple that
the test can say by hand what they show: a latency is that of a lone request, divided by the share of the capacity that
is left. What "was simulated" obeys the same law, so that all that is learned comes from the pace.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from plimsoll.domain import (
    Demand,
    Deployment,
    LatencyMetric,
    LatencyObservation,
    LatencyTarget,
    Memory,
    Profile,
    SizedBy,
    Snapshot,
    TokenMix,
    Variant,
)
from plimsoll.engine.case import Case
from plimsoll.engine.questions import METRICS, Physics
from plimsoll.engine.serving import Replica
from plimsoll.engine.surrogate import normal_of
from plimsoll.engine.workload import Lengths
from plimsoll.sizing import OnlineTruth, learn
from plimsoll.sizing.capacity import SHARES, Capacity
from plimsoll.sizing.cases import case_of, overhead_ms
from unit.builders import (
    MIX,
    NOW_S,
    a_demand,
    a_deployment,
    a_forecast,
    a_pod,
    a_pool,
    a_profile,
    a_snapshot,
    a_variant,
)

TICK_S = 30.0
PROFILE = "llama-8b-h100"
TPOT = LatencyTarget(LatencyMetric.TPOT, 0.95, 14.0)
"""Twice what a lone request needs, so that half of the capacity is safe."""


def _unloaded_ms(physics: Physics, target: LatencyTarget) -> float:
    metric_v = np.array([METRICS.index(target.metric)])
    return float(physics.unloaded_ms(metric_v, normal_of(np.array([target.quantile])))[0])


def latency_ms(replica: Replica, prompts: Lengths, outputs: Lengths, target: LatencyTarget, rate_rps: float) -> float:
    """What the engines of these tests show."""
    physics = Physics.of([(replica, prompts, outputs)])
    return _unloaded_ms(physics, target) / (1.0 - rate_rps / (1000.0 * float(physics.capacity_v[0])))


class Played(Mapping[Case, Capacity]):
    """Every case, as if it had been simulated."""

    def __getitem__(self, case: Case) -> Capacity:
        return _played(case)

    def __iter__(self) -> Iterator[Case]:
        return iter(())

    def __len__(self) -> int:
        return 0


@cache
def _played(case: Case) -> Capacity:
    physics = Physics.of([(case.replica, case.prompts, case.outputs)])
    capacity_rps = 1000.0 * float(physics.capacity_v[0])
    rate_rps = min(capacity_rps * (1.0 - _unloaded_ms(physics, one) / one.limit_ms) for one in case.slo)
    full_rps = rate_rps if rate_rps > 0.0 else 0.5 * capacity_rps
    return Capacity(
        replicas=(1,),
        rate_rps=(max(rate_rps, 0.0),),
        latency_ms=tuple(
            tuple(latency_ms(case.replica, case.prompts, case.outputs, one, share * full_rps) for share in SHARES)
            for one in case.slo
        ),
        full_rps=full_rps,
        sized_by=SizedBy.SIMULATION,
    )


PLAYED = Played()


@dataclass
class Trial:
    """One deployment of `replicas` replicas, each of them at `share` of what its profile calls safe."""

    pace: float = 1.0
    """How many times the profile's step times the engine takes."""
    share: float = 0.6
    replicas: int = 1
    profile: Profile = field(default_factory=lambda: a_profile(PROFILE))
    slo: tuple[LatencyTarget, ...] = (TPOT,)
    present: TokenMix = MIX
    noise: Callable[[], float] = lambda: 1.0
    memory: Memory = field(default_factory=Memory)
    now_s: float = NOW_S
    tick_s: float = TICK_S
    truth: OnlineTruth | None = None
    seen_ms: float = 0.0
    """What requests saw last, of the first target."""

    @property
    def safe_rps(self) -> float:
        """Of one replica, if the profile is right."""
        return PLAYED[case_of(self.profile, MIX, self.slo, a_forecast(a_deployment()).burstiness)].full_rps

    def run(
        self,
        minutes: float,
        change: Callable[[Deployment], Deployment] = lambda deployment: deployment,
        simulated: Mapping[Case, Capacity] = PLAYED,
    ) -> OnlineTruth:
        """Let requests be seen for so long."""
        for _ in range(round(minutes * 60.0 / self.tick_s)):
            self.now_s += self.tick_s
            snapshot = self.snapshot(change)
            forecasts = {one.key: a_forecast(one) for one in snapshot.deployments}
            self.truth = learn(snapshot, forecasts, self.memory, simulated)
            self.memory = replace(self.memory, corrections=self.truth.corrections, ready=self.truth.ready)
        assert self.truth is not None
        return self.truth

    def snapshot(self, change: Callable[[Deployment], Deployment] = lambda deployment: deployment) -> Snapshot:
        return a_snapshot([change(self.deployment())], [a_pool(nodes=2)], now_s=self.now_s)

    def deployment(self) -> Deployment:
        rate_rps = self.share * self.safe_rps
        demand: Demand = a_demand(rate_rps * self.replicas, tokens=self.present)
        variant: Variant = a_variant(
            replicas=self.replicas,
            profile=self.profile,
            pods=tuple(a_pod(f"h100-{i}", node="gpu-h100-0") for i in range(self.replicas)),
            arrival_rate_rps=rate_rps * self.replicas,
            latencies=tuple(self._seen(target, rate_rps) for target in self.slo),
        )
        self.seen_ms = variant.latencies[0].value_ms
        return a_deployment(variants=[variant], demand=demand, slo=self.slo)

    def _seen(self, target: LatencyTarget, rate_rps: float) -> LatencyObservation:
        case = case_of(self.profile, MIX, self.slo, a_forecast(a_deployment()).burstiness, {PROFILE: self.pace})
        prompts = Lengths(self.present.prompt_tokens_mean, self.present.prompt_tokens_p95)
        outputs = Lengths(self.present.output_tokens_mean, self.present.output_tokens_p95)
        value_ms = latency_ms(case.replica, prompts, outputs, target, rate_rps) + overhead_ms(
            self.profile, target.metric
        )
        return LatencyObservation(target.metric, target.quantile, value_ms * self.noise())
