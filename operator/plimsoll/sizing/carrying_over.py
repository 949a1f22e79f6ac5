"""What does a simulation still say when the question has changed a little since?

In: what was simulated of a variant, and the estimate of the question now. Out: the estimate, as far off as the last one
was. Lengths, bursts and corrections drift, and each step asks a new question. An estimate knows neither bursts nor
other replicas; without this, safe rates would jump by as much as these matter until the new question is simulated.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from plimsoll.domain import Gain, VariantKey
from plimsoll.engine.case import Case
from plimsoll.sizing.capacity import Capacity
from plimsoll.sizing.estimate import estimates

Gains = Mapping[VariantKey, Gain]
NO_GAINS: Gains = {}


def gains_after(
    asked: Iterable[tuple[VariantKey, Case]], simulated: Mapping[Case, Capacity], last: Gains
) -> Mapping[VariantKey, Gain]:
    """By variant what its latest simulation said over the estimate; variants that are gone are forgotten."""
    pairs = list(asked)
    estimated = estimates([case for _, case in pairs if case in simulated])
    gains: dict[VariantKey, Gain] = {}
    for key, case in pairs:
        if case not in simulated:
            if key in last:
                gains[key] = last[key]
        elif simulated[case].rate_rps[0] > 0.0 and estimated[case].rate_rps[0] > 0.0:
            alone_rps = estimated[case].rate_rps[0]
            gains[key] = Gain(
                simulated[case].replicas, tuple(rate_rps / alone_rps for rate_rps in simulated[case].rate_rps)
            )
    return gains


def carried_over(estimated: Capacity, gain: Gain | None) -> Capacity:
    """The estimate, corrected by what the last simulation of the same variant said of its own estimate."""
    if gain is None or estimated.rate_rps[0] <= 0.0:
        return estimated
    alone_rps = estimated.rate_rps[0]
    return replace(
        estimated,
        replicas=gain.replicas,
        rate_rps=tuple(ratio * alone_rps for ratio in gain.ratios),
        full_rps=gain.ratios[0] * alone_rps,
    )
