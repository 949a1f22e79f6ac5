"""Are measurements turned into laws as the references say? By hand, on rows made up for it."""

import pytest

from catalogue import models
from catalogue.sources import error_of, pair_efficiency, rows_of
from plimsoll.domain import StepTime
from plimsoll.fitting import saturated

ROWS = [
    {"model": "Llama-3.3-70B", "isl": "128", "osl": "2048", "h100_tok_s": "6000", "h200_tok_s": "4000"},
    {"model": "Llama-3.3-70B", "isl": "2048", "osl": "128", "h100_tok_s": "800", "h200_tok_s": "500"},
    {"model": "Llama-3.1-8B", "isl": "2048", "osl": "128", "h100_tok_s": "3000", "h200_tok_s": "3000"},
]


def test_two_gpus_are_compared_where_prompts_outweigh_outputs() -> None:
    assert pair_efficiency(rows_of(ROWS, models.LLAMA_70B)) == pytest.approx(0.8)  # 800 over twice 500


def test_a_law_is_judged_by_steps_that_it_was_not_fitted_to() -> None:
    # 10 sequences, 100 prompt and 100 output tokens, 1 request/ms: a step takes 0.1 ms and holds 10 prompt tokens.
    point = saturated("a test", 1000.0, 100.0, 100.0, 10.0)
    assert point.itl_ms == pytest.approx(0.1)
    assert error_of(StepTime(0.05, 0.002, 0.003, 0.0), [point]) == pytest.approx(0.0)  # 0.05 + 10 x 0.002 + 10 x 0.003
    assert error_of(StepTime(0.10, 0.002, 0.003, 0.0), [point]) == pytest.approx(0.5)
