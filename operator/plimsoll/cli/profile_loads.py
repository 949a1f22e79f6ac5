"""What do replicas of one profile do at each load, and how much load is safe? What ``plimsoll profile check`` tells.

In: a profile, requests, an SLO, loads. Out: the operator's own safe rates (``sizing``), and for each load what the same
engine kernel sees there. Pure; nothing is printed here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from plimsoll.domain import (
    POISSON,
    Burstiness,
    CapacityTable,
    LatencyObservation,
    LatencyTarget,
    Profile,
    TokenMix,
)
from plimsoll.engine.case import Case
from plimsoll.engine.search import CLOSE_ENOUGH, LOWEST_LOAD, Trial, requests_for
from plimsoll.engine.serving import Router
from plimsoll.engine.surrogate import MAX_LOAD_RATIO
from plimsoll.explain import usd_per_million_tokens
from plimsoll.sizing.capacity import Capacity
from plimsoll.sizing.cases import case_of, overhead_ms
from plimsoll.sizing.estimate import estimate
from plimsoll.sizing.refusals import outside_range
from plimsoll.sizing.simulate import simulate_with_trials

LADDER = tuple(step / 10.0 for step in range(1, 12))
"""Shares of the safe rate at which is looked where no rate is asked about."""
_CURVE_POINTS = 32
_OTHER_DRAWS = 3
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a profile."""

    profile: Profile
    tokens: TokenMix
    slo: tuple[LatencyTarget, ...]
    burstiness: Burstiness = POISSON
    replicas: int = 1
    router: Router = Router.LEAST_LOADED
    usd_per_hour: float | None = None
    """Of one replica."""


@dataclass(frozen=True, slots=True)
class Load:
    """What requests see at one rate, and what their tokens cost."""

    rate_rps: float
    """Of one replica."""
    safe_ratio: float | None
    """That rate over the safe one; None where no rate is safe."""
    predicted: tuple[LatencyObservation, ...]
    missed: tuple[LatencyTarget, ...]
    overloaded: bool
    """More comes than is completed: waits grow for as long as it lasts, so latencies are at least those told."""
    usd_per_million_tokens: float | None
    usd_per_million_output_tokens: float | None

    @property
    def holds(self) -> bool:
        return not self.missed and not self.overloaded


class ProfileLoads:
    """The answers to one question; played when they are first asked for."""

    def __init__(self, question: Question) -> None:
        self.question = question
        own = case_of(question.profile, question.tokens, question.slo, question.burstiness)
        self._case: Case = replace(own, router=question.router)
        self.simulated, self._trials = simulate_with_trials(self._case)
        self.safe = CapacityTable(self.simulated.replicas, self.simulated.rate_rps)

    @property
    def safe_rps(self) -> float:
        """The safe rate of one of the replicas asked about; 0 where there is none."""
        return self.safe.total_rps(self.question.replicas) / self.question.replicas

    @property
    def full_rps(self) -> float:
        """The rate of one replica that counts as a full load: the safe one, or half of what it completes."""
        return self.safe_rps or self.simulated.full_rps

    @property
    def completed_rps(self) -> float:
        """What one replica completes at most, whatever the latency; no higher rate is ever safe."""
        return MAX_LOAD_RATIO * self._trial.completes_per_ms * 1000.0 / self.question.replicas

    @cached_property
    def estimated(self) -> Capacity:
        """The quick answer, for one replica, that stands until the simulation is done."""
        return estimate([self._case])[self._case]

    @cached_property
    def unloaded(self) -> tuple[LatencyObservation, ...]:
        """What a lone request sees."""
        alone = self._told(self._observations(self.simulated.unloaded_ms))
        if self.safe_rps > 0.0 or any(self._misses(target, one) for target, one in self._pairs(alone)):
            return alone
        # The formula for a lone request says that it is just in time, the kernel says that it is not.
        return self._told(self._trial.observations(LOWEST_LOAD * self._trial.capacity_per_ms))

    @cached_property
    def binding(self) -> LatencyTarget | None:
        """The target that keeps the safe rate from being higher; None where throughput does."""
        seen = self.unloaded if self.safe_rps <= 0.0 else self.at(self.safe_rps).predicted
        if self.safe_rps >= self.completed_rps * (1.0 - CLOSE_ENOUGH):
            return None
        return max(self._pairs(seen), key=lambda pair: pair[1].value_ms / pair[0].limit_ms)[0]

    @property
    def outside_validity(self) -> str | None:
        """What takes the requests out of what the profile can tell about."""
        return outside_range(self.question.profile, self.question.tokens)

    def at(self, rate_rps: float) -> Load:
        """What happens when each replica gets that rate."""
        question = self.question
        predicted = self._told(self._trial.observations(rate_rps * question.replicas / 1000.0))
        total = output = None
        if question.usd_per_hour is not None:
            completed_rps = min(rate_rps, self.completed_rps)
            total, output = usd_per_million_tokens(question.usd_per_hour, completed_rps, question.tokens)
        return Load(
            rate_rps=rate_rps,
            safe_ratio=rate_rps / self.safe_rps if self.safe_rps > 0.0 else None,
            predicted=predicted,
            missed=tuple(target for target, one in self._pairs(predicted) if self._misses(target, one)),
            overloaded=rate_rps > self.completed_rps * (1.0 + _ROUNDING),
            usd_per_million_tokens=total,
            usd_per_million_output_tokens=output,
        )

    def ladder(self) -> tuple[Load, ...]:
        """From hardly loaded to a bit too much."""
        return tuple(self.at(share * self.full_rps) for share in LADDER)

    def curve(self, up_to_rps: float) -> tuple[Load, ...]:
        """Evenly spaced loads, to draw a line through."""
        return tuple(self.at(up_to_rps * step / _CURVE_POINTS) for step in range(1, _CURVE_POINTS + 1))

    @cached_property
    def other_draws(self) -> tuple[LatencyObservation, ...]:
        """The binding latency at the safe rate with other requests of the same kind: what chance does to it."""
        if self.binding is None or self.safe_rps <= 0.0:
            return ()
        place, trial = self.question.slo.index(self.binding), self._trial
        others = (replace(trial, seed=trial.seed + draw) for draw in range(1, _OTHER_DRAWS + 1))
        rate_per_ms = self.safe_rps * self.question.replicas / 1000.0
        return tuple(self._told(other.observations(rate_per_ms))[place] for other in others)

    @cached_property
    def _trial(self) -> Trial:
        replicas, rate_per_ms = self.question.replicas, self.full_rps * self.question.replicas / 1000.0
        own = self._trials.get(replicas)
        return own or Trial(self._case, replicas, requests_for(self._case, replicas, rate_per_ms), rate_per_ms)

    def _observations(self, values_ms: Sequence[float]) -> tuple[LatencyObservation, ...]:
        return tuple(
            LatencyObservation(target.metric, target.quantile, value_ms)
            for target, value_ms in zip(self.question.slo, values_ms, strict=True)
        )

    def _told(self, observations: Sequence[LatencyObservation]) -> tuple[LatencyObservation, ...]:
        """With what passes outside the engine."""
        return tuple(
            one._replace(value_ms=one.value_ms + overhead_ms(self.question.profile, one.metric)) for one in observations
        )

    def _pairs(self, seen: Sequence[LatencyObservation]) -> list[tuple[LatencyTarget, LatencyObservation]]:
        return list(zip(self.question.slo, seen, strict=True))

    @staticmethod
    def _misses(target: LatencyTarget, seen: LatencyObservation) -> bool:
        return seen.value_ms > target.limit_ms * (1.0 + CLOSE_ENOUGH)
