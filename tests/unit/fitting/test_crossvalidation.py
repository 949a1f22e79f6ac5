"""Do requests played through a fitted replica see what was measured?"""

from dataclasses import replace

import pytest

from plimsoll.fitting import LoadPoint, crossvalidate
from unit.fitting.engines import a_load_point

LENGTHS = ((256, 64, 40), (256, 512, 8), (2048, 64, 8), (2048, 512, 4))
SWEEPS = [(rate, prompt, output) for prompt, output, most in LENGTHS for rate in (most / 8, most / 2, most)]


def test_a_true_law_predicts_the_loads_it_never_saw() -> None:
    """Little's law and the mean step are approximations of the simulation: two percent between them is usual."""
    accuracy = crossvalidate([a_load_point(*one) for one in SWEEPS])
    assert accuracy.itl_error_median < 0.02
    assert len(accuracy.deviations) == len(SWEEPS)


def test_a_group_that_disagrees_with_the_others_is_predicted_badly() -> None:
    """It cannot be otherwise if it really was left out."""

    def is_odd(point: LoadPoint) -> bool:
        return (point.prompt_tokens, point.output_tokens) == (2048, 64)

    points = [a_load_point(*one) for one in SWEEPS]
    odd = [replace(one, itl_ms=1.5 * one.itl_ms) if is_odd(one) else one for one in points]
    deviations = crossvalidate(odd).deviations
    of_the_odd = [one.itl for one in deviations if is_odd(one.point)]
    assert all(error < -0.2 for error in of_the_odd)


def test_what_was_not_measured_has_no_error() -> None:
    deviation = crossvalidate([a_load_point(*one) for one in SWEEPS]).deviations[0]
    assert deviation.ttft is None
    assert deviation.itl_p95 is None


def test_lengths_that_vary_spread_the_first_token() -> None:
    """Prompts between half and one and a half times the mean: the p95 prompt is 1.45 of it. Alone, with 2048 tokens at
    0.02 ms each, the p95 first token takes 0.45 x 2048 x 0.02 = 18 ms longer than the median."""

    def with_first_token(point: LoadPoint) -> LoadPoint:
        ttft_ms = 8.0 + 0.02 * point.prompt_tokens
        return replace(point, ttft_ms=ttft_ms, ttft_p95_ms=ttft_ms + 0.45 * 0.02 * point.prompt_tokens)

    alone = [with_first_token(a_load_point(0.5, prompt, 64)) for prompt in (256, 512, 2048)]
    varying = crossvalidate([*alone, *(a_load_point(*one) for one in SWEEPS)], length_cv=0.2887, chunk_tokens=8192)
    (longest,) = [one for one in varying.deviations if one.point.ttft_ms and one.point.prompt_tokens == 2048]
    assert longest.ttft == pytest.approx(0.0, abs=0.05)
    assert longest.ttft_p95 == pytest.approx(0.0, abs=0.05)
