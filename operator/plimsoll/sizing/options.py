"""What does each variant offer to the planner: the safe rate of its replicas, or the reason why it has none.

In: deployments, their forecasts' token mixes and burstiness, and what has been simulated so far. Out: an ``Option`` for
every variant; predicted latencies. What was simulated counts, the rest is estimated. The words of refusals are those of
``refusals``. Design: section 3 (sizing).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from plimsoll.domain import (
    POISSON,
    Burstiness,
    CapacityTable,
    Deployment,
    Forecast,
    Gain,
    LatencyObservation,
    LatencyTarget,
    ObjectKey,
    Option,
    Profile,
    Routing,
    SizedBy,
    TokenMix,
    Variant,
    VariantKey,
)
from plimsoll.engine.case import Case
from plimsoll.engine.workload import within_window
from plimsoll.sizing import refusals
from plimsoll.sizing.capacity import Capacity
from plimsoll.sizing.carrying_over import NO_GAINS, Gains, carried_over, gains_after
from plimsoll.sizing.cases import NO_CORRECTIONS, Corrections, case_of, case_within_window, overhead_ms
from plimsoll.sizing.estimate import estimates
from plimsoll.sizing.headroom import NOT_CONFIRMED, Confirmed, headroom_ratio
from plimsoll.sizing.token_mix import DEFAULT_MIX, LIGHTEST_MIX

Simulated = Mapping[Case, Capacity]
"""What has been simulated so far; a case that is absent is estimated."""

NOTHING_SIMULATED: Simulated = {}


class Sized(NamedTuple):
    """What every variant offers, and what to remember of simulations for when their questions change."""

    options: Mapping[VariantKey, Option]
    gains: Gains


def size(
    deployments: Sequence[Deployment],
    forecasts: Mapping[ObjectKey, Forecast],
    simulated: Simulated = NOTHING_SIMULATED,
    corrections: Corrections = NO_CORRECTIONS,
    last_gains: Gains = NO_GAINS,
    confirmed: Confirmed = NOT_CONFIRMED,
) -> Sized:
    """What every variant offers, all of them worked out at once.

    As long as no request was seen, a guessed mix stands in; where that breaks the SLO, a request of one token does, so
    that nothing but a certainty keeps the first replica from being chosen.

    Args:
        deployments: those that can be worked with.
        forecasts: one for each of them; only its token mix and burstiness are read.
        simulated: what has been simulated so far.
        corrections: how much slower than their profiles engines are.
        last_gains: as returned last time.
        confirmed: how far requests have confirmed the profiles, which need less headroom then.

    Returns:
        An option for each variant, whose capacity is 0 exactly where it has a finding; and what to remember.
    """
    questions = [
        _Question.of(deployment, variant, forecasts[deployment.key], corrections)
        for deployment in deployments
        for variant in deployment.variants
    ]
    asked = [case for question in questions for case in question.cases]
    answers = estimates([case for case in asked if case not in simulated])
    answers |= {case: simulated[case] for case in asked if case in simulated}
    gains = gains_after(
        ((question.variant.key, question.cases[0]) for question in questions if question.cases), simulated, last_gains
    )
    options = {
        question.variant.key: question.option(
            answers, gains.get(question.variant.key), confirmed.get(question.variant.key, 0.0)
        )
        for question in questions
    }
    return Sized(options, gains)


def predict(
    profile: Profile,
    forecast: Forecast,
    slo: tuple[LatencyTarget, ...],
    rate_per_replica_rps: float,
    replicas: int,
    simulated: Simulated = NOTHING_SIMULATED,
    corrections: Corrections = NO_CORRECTIONS,
    routing: Routing = Routing.LOAD_AWARE,
) -> tuple[LatencyObservation, ...]:
    """The latencies of each of some replicas at that rate, at the SLO's quantiles; nothing before the first request.

    Args:
        profile: of the variant.
        forecast: of its deployment; only its token mix and burstiness are read.
        slo: the quantiles to tell, one or more.
        rate_per_replica_rps: what one replica gets; 0 stands for a lone request.
        replicas: behind the router, one or more.
        simulated: what has been simulated so far.
        corrections: how much slower than their profiles engines are.
        routing: who shares requests out among them.
    """
    tokens = forecast.tokens
    if tokens is None or refusals.outside_range(profile, tokens) is not None:
        return ()
    case = case_of(profile, tokens, slo, within_window(forecast.burstiness), corrections, routing)
    capacity = simulated[case] if case in simulated else estimates([case])[case]
    return _observations(profile, slo, capacity.latencies_ms(rate_per_replica_rps, replicas))


@dataclass(frozen=True, slots=True)
class _Question:
    """What to ask for one variant: the cases to try in turn, and the refusal where none of them can be."""

    deployment: Deployment
    variant: Variant
    cases: tuple[Case, ...]
    refusal: str | None

    @classmethod
    def of(cls, deployment: Deployment, variant: Variant, forecast: Forecast, corrections: Corrections) -> "_Question":
        profile, tokens = variant.profile, forecast.tokens
        mixes: tuple[tuple[TokenMix, Burstiness], ...]
        if tokens is None:
            mixes = ((DEFAULT_MIX, POISSON), (LIGHTEST_MIX, POISSON))
        else:
            mixes = ((tokens, forecast.burstiness),)
        found = [(mix, bursts, refusals.outside_range(profile, mix)) for mix, bursts in mixes]
        cases = tuple(
            case_within_window(deployment, profile, mix, bursts, corrections)
            for mix, bursts, refusal in found
            if refusal is None
        )
        return cls(deployment, variant, cases, found[-1][2])

    def option(self, answers: Mapping[Case, Capacity], gain: Gain | None, confirmed: float) -> Option:
        key = self.variant.key
        if not self.cases:
            nothing = CapacityTable((1,), (0.0,))
            finding = refusals.outside_range_finding(key, self.refusal or "")
            return Option(key, nothing, (), SizedBy.ESTIMATE, finding)
        tried = [answers[case] for case in self.cases]
        best = next((answer for answer in tried if answer.rate_rps[-1] > 0.0), tried[-1])
        if best.sized_by is SizedBy.ESTIMATE:
            best = carried_over(best, gain)
        # Only what was simulated was held against requests, or carries over what was.
        told = best.sized_by is SizedBy.SIMULATION or gain is not None
        headroom = headroom_ratio(self.deployment.policy, confirmed if told else 0.0)
        slo = self.deployment.slo
        unloaded = _observations(self.variant.profile, slo, best.unloaded_ms)
        return Option(
            key=key,
            capacity=CapacityTable(best.replicas, tuple(rate_rps * (1.0 - headroom) for rate_rps in best.rate_rps)),
            unloaded=unloaded,
            sized_by=best.sized_by,
            finding=None if best.rate_rps[-1] > 0.0 else refusals.slo_unreachable(key, slo, unloaded),
            headroom_ratio=headroom,
        )


def _observations(
    profile: Profile, slo: Sequence[LatencyTarget], values_ms: Sequence[float]
) -> tuple[LatencyObservation, ...]:
    return tuple(
        LatencyObservation(target.metric, target.quantile, value_ms + overhead_ms(profile, target.metric))
        for target, value_ms in zip(slo, values_ms, strict=True)
    )
