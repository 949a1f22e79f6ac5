"""What does each variant offer to the planner: the safe rate of its replicas, or the reason why it has none.

In: deployments and their forecasts' token mixes. Out: an ``Option`` for every variant; predicted latencies. The figures
are those of ``safe_rate``, the words those of ``refusals``. Design: section 3 (sizing).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plimsoll.domain import (
    CapacityTable,
    Deployment,
    Forecast,
    LatencyObservation,
    LatencyTarget,
    ObjectKey,
    Option,
    Profile,
    TokenMix,
    Variant,
    VariantKey,
)
from plimsoll.sizing import refusals
from plimsoll.sizing.safe_rate import Case, SafeRate, latencies, safe_rates
from plimsoll.sizing.token_mix import DEFAULT_MIX, LIGHTEST_MIX, round_up, rounded, slots

_RATE_BITS = 8
"""Leading bits of a rate that count in a prediction: steps below 0.8%, so that steady load is predicted once."""


def size(deployments: Sequence[Deployment], forecasts: Mapping[ObjectKey, Forecast]) -> Mapping[VariantKey, Option]:
    """What every variant offers, all of them worked out at once.

    As long as no request was seen, a guessed mix stands in; where that breaks the SLO, a request of one token does, so
    that nothing but a certainty keeps the first replica from being chosen.

    Args:
        deployments: those that can be worked with.
        forecasts: one for each of them; only its token mix is read.

    Returns:
        An option for each variant. Its capacity is 0 exactly where it has a finding.
    """
    questions = [
        _Question.of(deployment, variant, forecasts[deployment.key].tokens)
        for deployment in deployments
        for variant in deployment.variants
    ]
    answers = safe_rates([case for question in questions for case in question.cases])
    return {question.variant.key: question.option(answers) for question in questions}


def predict(
    profile: Profile, tokens: TokenMix | None, slo: tuple[LatencyTarget, ...], rate_per_replica_rps: float
) -> tuple[LatencyObservation, ...]:
    """The latencies of one replica at that rate, at the SLO's quantiles; nothing where no request was seen yet.

    Args:
        profile: of the variant.
        tokens: the mix that it serves.
        slo: the quantiles to tell, one or more.
        rate_per_replica_rps: what one replica gets; 0 stands for a lone request.
    """
    if tokens is None or refusals.outside_range(profile, tokens) is not None:
        return ()
    rate_rps = round_up(rate_per_replica_rps, _RATE_BITS) if rate_per_replica_rps > 0.0 else 0.0
    return latencies(_case(profile, tokens, slo), rate_rps)


@dataclass(frozen=True, slots=True)
class _Question:
    """What to ask for one variant: the cases to try in turn, and the refusal where none of them can be."""

    deployment: Deployment
    variant: Variant
    cases: tuple[Case, ...]
    refusal: str | None

    @classmethod
    def of(cls, deployment: Deployment, variant: Variant, tokens: TokenMix | None) -> "_Question":
        mixes = (DEFAULT_MIX, LIGHTEST_MIX) if tokens is None else (tokens,)
        found = [(mix, refusals.outside_range(variant.profile, mix)) for mix in mixes]
        cases = tuple(_case(variant.profile, mix, deployment.slo) for mix, refusal in found if refusal is None)
        return cls(deployment, variant, cases, found[-1][1])

    def option(self, answers: Mapping[Case, SafeRate]) -> Option:
        key = self.variant.key
        if not self.cases:
            return Option(key, _linear(0.0), (), refusals.outside_range_finding(key, self.refusal or ""))
        tried = [answers[case] for case in self.cases]
        best = next((answer for answer in tried if answer.rate_rps > 0.0), tried[-1])
        rate_rps = best.rate_rps * (1.0 - self.deployment.policy.headroom_ratio)
        finding = None if best.rate_rps > 0.0 else refusals.slo_unreachable(key, self.deployment.slo, best.unloaded)
        return Option(key, _linear(rate_rps), best.unloaded, finding)


def _case(profile: Profile, tokens: TokenMix, slo: tuple[LatencyTarget, ...]) -> Case:
    mix = rounded(tokens)
    return Case(profile.step_time, slots(profile, mix), mix, slo)


def _linear(rate_rps: float) -> CapacityTable:
    return CapacityTable(replicas=(1,), rate_rps=(rate_rps,))
