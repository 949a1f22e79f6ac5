"""How long are prompts and outputs?

In: samples of a deployment. Out: its `TokenMix`, or None when no request ended in the window: the caller then keeps the
last mix, because no request is not a request of no tokens. Pure.
"""

import math
from collections.abc import Iterable, Mapping

from plimsoll.domain import TokenMix
from plimsoll.observe.queries import Signal

PROMPT_P95_OVER_MEAN = 2.0
"""Where no histogram tells the p95 of prompts. A guess: 1.5 to 3 in public chat traces."""

OUTPUT_P95_OVER_MEAN = 3.0
"""Where no histogram tells the p95 of outputs. A guess: a geometric length, as if every token were the last with the
same chance, has ln(20) = 3.0."""

_FEWEST_REQUESTS_RPS = 1e-9
"""Rates at and below this are rounding, not requests."""


def token_mix(values: Iterable[Mapping[Signal, float]]) -> TokenMix | None:
    """The mix over all samples, each weighted by its requests; None where prompts or outputs are not to be had."""
    samples = list(values)
    prompt = _mean(samples, Signal.PROMPT_TOKENS_RATE, Signal.PROMPTS_RATE)
    output = _mean(samples, Signal.OUTPUT_TOKENS_RATE, Signal.OUTPUTS_RATE)
    if prompt is None or output is None:
        return None
    prompt_high = _high(samples, Signal.PROMPT_TOKENS_P95, Signal.PROMPTS_RATE)
    output_high = _high(samples, Signal.OUTPUT_TOKENS_P95, Signal.OUTPUTS_RATE)
    return TokenMix(
        prompt_tokens_mean=prompt,
        prompt_tokens_p95=max(prompt, PROMPT_P95_OVER_MEAN * prompt if prompt_high is None else prompt_high),
        output_tokens_mean=output,
        output_tokens_p95=max(output, OUTPUT_P95_OVER_MEAN * output if output_high is None else output_high),
        prompt_tokens_most=_most(samples, Signal.PROMPT_TOKENS_MOST, Signal.PROMPTS_RATE),
        output_tokens_most=_most(samples, Signal.OUTPUT_TOKENS_MOST, Signal.OUTPUTS_RATE),
    )


def _mean(samples: Iterable[Mapping[Signal, float]], tokens: Signal, requests: Signal) -> float | None:
    pairs = [(sample[tokens], sample[requests]) for sample in samples if tokens in sample and requests in sample]
    usable = [(t, r) for t, r in pairs if math.isfinite(t) and math.isfinite(r) and t >= 0.0 and r >= 0.0]
    requests_rps = sum(r for _, r in usable)
    return sum(t for t, _ in usable) / requests_rps if requests_rps > _FEWEST_REQUESTS_RPS else None


def _high(samples: Iterable[Mapping[Signal, float]], tokens: Signal, requests: Signal) -> float | None:
    return weighted_mean((sample[tokens], sample.get(requests, 0.0)) for sample in samples if tokens in sample)


def _most(samples: Iterable[Mapping[Signal, float]], tokens: Signal, requests: Signal) -> float:
    """The largest of all; infinite where some requests are of unknown length."""
    found = [
        sample.get(tokens, math.nan) for sample in samples if sample.get(requests, math.nan) > _FEWEST_REQUESTS_RPS
    ]
    return max(found, default=math.inf) if all(map(math.isfinite, found)) else math.inf


def weighted_mean(values_and_weights: Iterable[tuple[float, float]]) -> float | None:
    """The mean of the finite values; None where nothing has a weight. A quantile of no observation is NaN: left out."""
    usable = [(v, w) for v, w in values_and_weights if math.isfinite(v) and math.isfinite(w) and w > 0.0]
    weight = sum(w for _, w in usable)
    return sum(v * w for v, w in usable) / weight if weight > 0.0 else None
