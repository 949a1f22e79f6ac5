"""The mix that is sized for: coarse, never lighter than the real one, and within the replica's memory."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plimsoll.domain import TokenMix
from plimsoll.sizing.token_mix import longest_prompt_tokens, round_up, rounded


@given(st.floats(1e-6, 1e9))
def test_rounding_never_goes_down_and_stays_close(value: float) -> None:
    assert value <= round_up(value, 6) <= value * (1 + 1 / 32)


@pytest.mark.parametrize(("value", "expected"), [(512.0, 512.0), (513.0, 528.0), (100.0, 100.0), (1155.0, 1184.0)])
def test_rounding_by_hand(value: float, expected: float) -> None:
    # Six leading bits: steps of 16 between 512 and 1024, of 2 between 64 and 128, of 32 from 1024 on.
    assert round_up(value, 6) == expected


def test_rounding_twice_changes_nothing() -> None:
    once = rounded(TokenMix(333.3, 1234.5, 77.7, 234.5))

    assert rounded(once) == once


def test_lengths_are_at_least_a_token() -> None:
    assert rounded(TokenMix(0.0, 0.0, 0.2, 0.3)) == TokenMix(1.0, 1.0, 1.0, 1.0)


def test_the_longest_output_is_never_below_the_mean() -> None:
    assert rounded(TokenMix(1.0, 1.0, 900.0, 400.0)).output_tokens_p95 >= 900.0


def test_rounding_makes_no_length_shorter() -> None:
    assert rounded(TokenMix(1.0, 1.0, 1.0, 385.0)).output_tokens_p95 == 392.0  # the next step of eight


def test_the_longest_prompt_is_never_below_the_mean() -> None:
    assert longest_prompt_tokens(TokenMix(900.0, 400.0, 1.0, 1.0)) == 900.0


def test_the_largest_length_is_rounded_up_and_stays_unknown_where_it_is() -> None:
    found = rounded(TokenMix(1155.0, 4080.0, 200.0, 400.0, prompt_tokens_most=5000.0))
    assert (found.prompt_tokens_most, found.output_tokens_most) == (5120.0, math.inf)


def test_no_quantile_is_above_the_largest_length_and_no_mean_either() -> None:
    mix = TokenMix(1155.0, 4600.0, 200.0, 400.0, prompt_tokens_most=4096.0, output_tokens_most=100.0)
    assert longest_prompt_tokens(mix) == 4096.0
    found = rounded(mix)
    assert found.prompt_tokens_p95 == found.prompt_tokens_most == 4096.0
    assert found.output_tokens_mean == found.output_tokens_p95 == found.output_tokens_most == 200.0
