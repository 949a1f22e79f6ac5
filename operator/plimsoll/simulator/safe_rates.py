"""What does a replica carry within its SLO: as its profile says, and in truth?

In: a profile and a token mix or traffic. Out: capacities by the one sizing that the operator uses. Policies are made
with what profiles say; the bound and the report's safe line stand on the truth.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from plimsoll.domain import Burstiness, LatencyTarget, ObjectKey, Profile, TokenMix
from plimsoll.engine.workload import burstiness_of_counts
from plimsoll.simulator.answers import ANSWERS
from plimsoll.simulator.traffic import Traffic
from plimsoll.sizing import Capacity, Case
from plimsoll.sizing.cases import case_of
from plimsoll.sizing.estimate import estimates

if TYPE_CHECKING:
    # Policies size their replicas here: importing them would go round in a circle.
    from plimsoll.simulator.policies.autoscaler import Setup

_COUNTED_S = 15.0
"""Windows in which arrivals are counted to tell how bursty they are."""


def mix_of(traffic: Traffic) -> TokenMix | None:
    """Lengths over the whole run; None where nothing comes."""
    if traffic.count == 0:
        return None
    prompts_i, outputs_i = traffic.prompt_tokens_i, traffic.output_tokens_i
    return TokenMix(
        prompt_tokens_mean=float(prompts_i.mean()),
        prompt_tokens_p95=max(float(np.quantile(prompts_i, 0.95)), float(prompts_i.mean())),
        output_tokens_mean=float(outputs_i.mean()),
        output_tokens_p95=max(float(np.quantile(outputs_i, 0.95)), float(outputs_i.mean())),
        prompt_tokens_most=float(prompts_i.max()),
        output_tokens_most=float(outputs_i.max()),
    )


def setup_mix(setup: "Setup", key: ObjectKey) -> TokenMix | None:
    """The mix that a policy's maker has measured beforehand; None where nothing comes."""
    if setup.prompt_tokens_mean[key] <= 0.0:
        return None
    return TokenMix(
        setup.prompt_tokens_mean[key],
        max(setup.prompt_tokens_p95[key], setup.prompt_tokens_mean[key]),
        setup.output_tokens_mean[key],
        max(setup.output_tokens_p95[key], setup.output_tokens_mean[key]),
        setup.prompt_tokens_most[key],
        setup.output_tokens_most[key],
    )


def safe_rate_rps(profile: Profile, mix: TokenMix, slo: Sequence[LatencyTarget]) -> float:
    """Of a lone replica with steady arrivals, as its profile has it; 0 where it cannot keep the SLO."""
    case = case_of(profile, mix, slo, Burstiness(0.0, _COUNTED_S))
    return estimates([case])[case].rate_rps[0]


def concurrency_at(profile: Profile, mix: TokenMix, rate_rps: float) -> float:
    """Requests that one replica holds on average at that rate.

    With s = O - 1, b = beta + kappa (I + O/2), rp = rate pi I and r = rate s b / (1 - rp): (alpha/b + 1) r / (1 - r),
    the mean of the processor-sharing closed form; at most the replica's sequences.
    """
    law, rate_per_ms = profile.step_time, rate_rps / 1000.0
    prompt, output = mix.prompt_tokens_mean, mix.output_tokens_mean
    b = max(law.beta_ms_per_sequence + law.kappa_ms_per_kv_token * (prompt + output / 2.0), 1e-9)
    free = max(1.0 - rate_per_ms * law.pi_ms_per_prefill_token * prompt, 1e-3)
    share = min(rate_per_ms * max(output - 1.0, 0.25) * b / free, 0.999)
    return min((law.alpha_ms / b + 1.0) * share / (1.0 - share), float(profile.max_sequences))


def safe_concurrency(profile: Profile, mix: TokenMix, slo: Sequence[LatencyTarget]) -> float:
    """Requests that one replica holds on average at its safe rate, as its profile has it; 0 where it has none."""
    rate_rps = safe_rate_rps(profile, mix, slo)
    return max(concurrency_at(profile, mix, rate_rps), 1.0) if rate_rps > 0.0 else 0.0


def true_case(profile: Profile, slo: Sequence[LatencyTarget], traffic: Traffic) -> Case | None:
    """What a replica with that (true) profile is asked by that traffic: its lengths and bursts; None for no traffic."""
    mix = mix_of(traffic)
    if mix is None:
        return None
    counts_k = np.bincount((traffic.arrival_s_i // _COUNTED_S).astype(np.int64)).astype(np.float64)
    seen = burstiness_of_counts(counts_k, _COUNTED_S)
    # Bursts of minutes are what scaling is for; those of seconds are what a replica must stand.
    return case_of(profile, mix, slo, Burstiness(seen.rate_cv2, seen.window_s))


def true_capacity(profile: Profile, slo: Sequence[LatencyTarget], traffic: Traffic) -> Capacity | None:
    """What replicas with that profile really carry of that traffic, played; None where nothing comes."""
    case = true_case(profile, slo, traffic)
    return ANSWERS.of(case) if case is not None else None
