"""Replicas to size in tests: the published one, one that can be worked out by hand, and any at all.

In: overrides. Out: cases of ``sizing.safe_rate``, chains of ``sizing.birth_death``.
"""

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from plimsoll.domain import LatencyMetric, LatencyTarget, StepTime, TokenMix
from plimsoll.sizing.birth_death import Chain, Replicas
from plimsoll.sizing.safe_rate import Case

TTFT, TPOT, E2E = LatencyMetric.TTFT, LatencyMetric.TPOT, LatencyMetric.E2E

PUBLISHED = Case(
    step_time=StepTime(7.0, 0.03, 0.03, 0.0005),
    slots=64,
    mix=TokenMix(prompt_tokens_mean=512.0, prompt_tokens_p95=512.0, output_tokens_mean=128.0, output_tokens_p95=384.0),
    slo=(),
)
"""The check vector's replica. Source: design, section 3."""

BY_HAND = Case(
    step_time=StepTime(10.0, 0.0, 0.0, 0.0),
    slots=1,
    mix=TokenMix(prompt_tokens_mean=100.0, prompt_tokens_p95=100.0, output_tokens_mean=9.0, output_tokens_p95=27.0),
    slo=(),
)
"""One request at a time, every step 10 ms whatever it holds: P = D = 10 ms, service 10 + 9 x 10 = 100 ms, mu = 10/s."""


def a_target(metric: LatencyMetric = TTFT, limit_ms: float = 800.0, quantile: float = 0.95) -> LatencyTarget:
    return LatencyTarget(metric, quantile, limit_ms)


def a_case(base: Case = PUBLISHED, **overrides: Any) -> Case:
    return replace(base, **overrides)


def a_chain(*cases: Case) -> Chain:
    return Chain.of(Replicas.of([(case.step_time, case.slots, case.mix) for case in cases]))


def any_case() -> st.SearchStrategy[Case]:
    """A replica from a fast GPU to a slow CPU, with one to three promises."""
    mixes = st.builds(
        lambda prompt, tail, output: TokenMix(prompt, prompt * tail, output, output * tail),
        st.floats(1.0, 4000.0),
        st.floats(1.0, 4.0),
        st.floats(1.0, 1000.0),
    )
    step_times = st.builds(
        StepTime, st.floats(1.0, 100.0), st.floats(0.0, 2.0), st.floats(0.0, 2.0), st.floats(0.0, 0.002)
    )
    targets = st.builds(
        a_target, st.sampled_from((TTFT, TPOT, E2E)), st.floats(5.0, 60_000.0), st.sampled_from((0.5, 0.9, 0.95, 0.99))
    )
    slos = st.lists(targets, min_size=1, max_size=3).map(tuple)
    return st.builds(Case, step_times, st.sampled_from((1, 2, 7, 32, 64)), mixes, slos)
