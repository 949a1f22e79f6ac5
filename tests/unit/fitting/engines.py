"""Measurements of an engine whose law is known, as perfect instruments would show them."""

from plimsoll.domain import StepTime
from plimsoll.fitting import DecodeStep, LoadPoint, Observation, PromptPass

LAW = StepTime(8.0, 0.05, 0.02, 0.0001)
OVERHEAD_MS = 5.0


def a_decode_step(sequences: float, context_tokens: float, law: StepTime = LAW) -> DecodeStep:
    step_ms = law.alpha_ms + sequences * (law.beta_ms_per_sequence + law.kappa_ms_per_kv_token * context_tokens)
    return DecodeStep(f"batch {sequences:g}", step_ms, sequences, context_tokens)


def a_prompt_pass(prompt_tokens: float, law: StepTime = LAW) -> PromptPass:
    """One step, nothing resident before it."""
    total_ms = law.alpha_ms + law.pi_ms_per_prefill_token * prompt_tokens
    return PromptPass(f"prompt {prompt_tokens:g}", total_ms, prompt_tokens)


def static_batches(law: StepTime = LAW) -> list[Observation]:
    steps = [a_decode_step(sequences, context, law) for sequences in (1, 4, 16, 64) for context in (200, 1000, 4000)]
    return [*steps, *(a_prompt_pass(tokens, law) for tokens in (100, 400, 1600))]


def a_load_point(rate_rps: float, prompt_tokens: float = 500, output_tokens: float = 200) -> LoadPoint:
    """What `LAW` gives at a steady rate: solve ITL = alpha + b ITL, as n, p and C all grow with ITL."""
    per_ms = rate_rps / 1000.0
    context = prompt_tokens + output_tokens / 2.0
    sequences_per_ms = per_ms * (output_tokens - 1.0)
    slope = (
        sequences_per_ms * (LAW.beta_ms_per_sequence + LAW.kappa_ms_per_kv_token * context)
        + per_ms * prompt_tokens * LAW.pi_ms_per_prefill_token
    )
    itl_ms = LAW.alpha_ms / (1.0 - slope)
    if sequences_per_ms * itl_ms <= 1.0:  # nobody else is there
        itl_ms = LAW.alpha_ms + LAW.beta_ms_per_sequence + LAW.kappa_ms_per_kv_token * context
    return LoadPoint(f"rate {rate_rps:g}", rate_rps, prompt_tokens, output_tokens, itl_ms)
