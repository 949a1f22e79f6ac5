"""Which question does a variant put to the engine?

In: its profile and how it is corrected, the token mix and burstiness of its deployment, the SLO. Out: a `Case`, rounded
so that a trembling mix asks the same question again and again and the answer can be kept.
"""

from collections.abc import Mapping, Sequence

from plimsoll.domain import Burstiness, Deployment, LatencyMetric, LatencyTarget, Profile, Routing, StepTime, TokenMix
from plimsoll.engine.case import Case
from plimsoll.engine.serving import Replica, Router
from plimsoll.engine.workload import Lengths, within_window
from plimsoll.sizing.token_mix import rounded

Corrections = Mapping[str, float]
"""By profile name how many times its step times the engine really takes; 1 where absent."""

NO_CORRECTIONS: Corrections = {}

_NO_TIME_MS = 1e-3
"""The limit that is left where the overhead alone takes all of it."""


def case_of(
    profile: Profile,
    tokens: TokenMix,
    slo: Sequence[LatencyTarget],
    burstiness: Burstiness,
    corrections: Corrections = NO_CORRECTIONS,
    routing: Routing = Routing.LOAD_AWARE,
) -> Case:
    """The question of one variant; what a first token takes outside the engine is taken off its limits."""
    mix = rounded(tokens)
    step_time = _slower(profile.step_time, corrections.get(profile.name, 1.0))
    return Case(
        replica=Replica(step_time, profile.max_sequences, profile.kv_cache_tokens, profile.chunk_tokens),
        prompts=Lengths(mix.prompt_tokens_mean, mix.prompt_tokens_p95, mix.prompt_tokens_most),
        outputs=Lengths(mix.output_tokens_mean, mix.output_tokens_p95, mix.output_tokens_most),
        slo=tuple(
            LatencyTarget(one.metric, one.quantile, max(one.limit_ms - overhead_ms(profile, one.metric), _NO_TIME_MS))
            for one in slo
        ),
        burstiness=burstiness,
        router=Router.RANDOM if routing is Routing.SERVICE else Router.LEAST_LOADED,
    )


def case_within_window(
    deployment: Deployment,
    profile: Profile,
    tokens: TokenMix,
    burstiness: Burstiness,
    corrections: Corrections = NO_CORRECTIONS,
) -> Case:
    """The question of a variant with that profile in that deployment: its SLO and router, and bursts within a window.

    Args:
        deployment: that asks.
        profile: of the variant.
        tokens: the mix to size for.
        burstiness: as it was seen from window to window.
        corrections: how much slower than their profiles engines are.
    """
    return case_of(profile, tokens, deployment.slo, within_window(burstiness), corrections, deployment.routing)


def _slower(law: StepTime, times: float) -> StepTime:
    return StepTime(
        alpha_ms=law.alpha_ms * times,
        beta_ms_per_sequence=law.beta_ms_per_sequence * times,
        pi_ms_per_prefill_token=law.pi_ms_per_prefill_token * times,
        kappa_ms_per_kv_token=law.kappa_ms_per_kv_token * times,
    )


def overhead_ms(profile: Profile, metric: LatencyMetric) -> float:
    """What of a latency passes outside the engine."""
    return 0.0 if metric is LatencyMetric.TPOT else profile.ttft_overhead_ms
