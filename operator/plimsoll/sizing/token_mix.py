"""Which token mix a replica is sized for: the observed one, rounded; a guess before anything was seen.

In: the forecast's mix. Out: mixes to size for. Design: section 3 (sizing).
"""

import math

from plimsoll.domain import TokenMix

DEFAULT_MIX = TokenMix(
    prompt_tokens_mean=512.0, prompt_tokens_p95=1024.0, output_tokens_mean=128.0, output_tokens_p95=384.0
)
"""Stands in until the first request was seen, so that a first replica can be chosen: a guess, a short chat."""

LIGHTEST_MIX = TokenMix(prompt_tokens_mean=1.0, prompt_tokens_p95=1.0, output_tokens_mean=1.0, output_tokens_p95=1.0)
"""What fails for this fails for every mix: only that may rule a variant out before the first request was seen."""

_MIX_BITS = 6
"""Leading bits that count: steps of 1.6 to 3.1%, so that a drifting mix is sized anew a few times an hour only."""


def rounded(mix: TokenMix) -> TokenMix:
    """The mix on a coarse grid, never lighter than it was; lengths are at least one token."""
    return TokenMix(
        prompt_tokens_mean=round_up(max(mix.prompt_tokens_mean, 1.0), _MIX_BITS),
        prompt_tokens_p95=round_up(longest_prompt_tokens(mix), _MIX_BITS),
        output_tokens_mean=round_up(max(mix.output_tokens_mean, 1.0), _MIX_BITS),
        output_tokens_p95=round_up(longest_output_tokens(mix), _MIX_BITS),
        prompt_tokens_most=_most(mix.prompt_tokens_most, mix.prompt_tokens_mean),
        output_tokens_most=_most(mix.output_tokens_most, mix.output_tokens_mean),
    )


def _most(tokens: float, mean: float) -> float:
    return round_up(max(tokens, mean, 1.0), _MIX_BITS) if math.isfinite(tokens) else math.inf


def longest_prompt_tokens(mix: TokenMix) -> float:
    """The prompt that the replica must take in: at the p95, but never below the mean, which a long tail may pass."""
    return max(min(mix.prompt_tokens_p95, mix.prompt_tokens_most), mix.prompt_tokens_mean, 1.0)


def longest_output_tokens(mix: TokenMix) -> float:
    """The output that the replica must produce: at the p95, but never below the mean."""
    return max(min(mix.output_tokens_p95, mix.output_tokens_most), mix.output_tokens_mean, 1.0)


def round_up(value: float, bits: int) -> float:
    """The smallest number of that many leading bits at or above a positive value; powers of two stay as they are."""
    mantissa, exponent = math.frexp(value)
    return math.ldexp(math.ceil(math.ldexp(mantissa, bits)), exponent - bits)
