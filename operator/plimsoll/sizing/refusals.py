"""Why a variant has no safe rate, in words for the deployment's owner.

In: profile, mix, SLO and what a lone request sees. Out: findings. Whether it is so is decided by the caller's figures,
except for the profile's range, which is checked here. Design: section 3 (sizing).
"""

import math
from collections.abc import Sequence

from plimsoll.domain import Finding, LatencyObservation, LatencyTarget, Profile, Reason, TokenMix, VariantKey
from plimsoll.sizing.token_mix import longest_prompt_tokens

GRID_TOLERANCE = 1.05
"""The mix in use lies on a grid, up to 5% above what requests have (``forecast.token_mix``)."""


def outside_range(profile: Profile, mix: TokenMix) -> str | None:
    """What takes the mix out of what the profile can tell about; None where nothing does.

    Measured ranges are about mean lengths (as the profile states them); room in the KV cache is needed by a p95
    prompt, too.
    """
    limits = (
        ("prompt", mix.prompt_tokens_mean, profile.validity.max_prompt_tokens, "maxPromptTokens"),
        ("output", mix.output_tokens_mean, profile.validity.max_output_tokens, "maxOutputTokens"),
    )
    for part, tokens, limit, field in limits:
        if limit is not None and tokens > limit * GRID_TOLERANCE:
            return (
                f"the mean {part} is {tokens:.0f} tokens, but profile {profile.name} was measured up to "
                f"spec.validity.{field} {limit:g}: measure longer {part}s and raise that, or add another variant"
            )
    needed = longest_prompt_tokens(mix) + mix.output_tokens_mean
    if needed > profile.kv_cache_tokens:
        return (
            f"a p95 prompt and its output take {needed:.0f} tokens, but profile {profile.name} has spec.kvCacheTokens "
            f"{profile.kv_cache_tokens}: limit the length of requests, or add a variant with more memory"
        )
    return None


def outside_range_finding(key: VariantKey, message: str) -> Finding:
    return Finding(key.deployment_key, Reason.OUTSIDE_PROFILE_RANGE, f"{key.variant}: {message}", key.variant)


def slo_unreachable(
    key: VariantKey, slo: tuple[LatencyTarget, ...], unloaded: tuple[LatencyObservation, ...]
) -> Finding:
    """Even a lone request misses a target: tells the one that is missed by most."""
    message = f"{unreachable_target(key.variant, slo, unloaded)}, or add a faster variant"
    return Finding(key.deployment_key, Reason.SLO_UNREACHABLE, message, key.variant)


def unreachable_target(name: str, slo: Sequence[LatencyTarget], unloaded: Sequence[LatencyObservation]) -> str:
    """Which target the named profile or variant misses by most, and what would have to be allowed."""
    target, seen = max(zip(slo, unloaded, strict=True), key=lambda pair: pair[1].value_ms / pair[0].limit_ms)
    needed = _at_least(seen.value_ms)
    return (
        f"slo {target.metric.value} p{target.quantile * 100:g} is {target.limit_ms:g}ms; {name} needs "
        f"{needed} even for a lone request: allow {needed}"
    )


def _at_least(value_ms: float) -> str:
    """Rounded up, so that allowing what the message says is enough."""
    if value_ms >= 10.0:
        return f"{math.ceil(value_ms)}ms"
    return f"{math.ceil(value_ms * 100.0) / 100.0:g}ms"
