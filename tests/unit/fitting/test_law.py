"""Is a known law found again, whatever spoils some of the measurements, and does the fit know what it cannot know?"""

from dataclasses import replace

import numpy as np
import pytest

from plimsoll.domain import StepTime
from plimsoll.errors import UnusableMeasurements
from plimsoll.fitting import DecodeStep, Fit, LoadPoint, PromptPass, fit, saturated
from plimsoll.fitting.observations import Figure
from unit.fitting.engines import LAW, a_decode_step, a_load_point, a_prompt_pass, static_batches


def assert_is(found: StepTime, law: StepTime, within: float) -> None:
    assert found.alpha_ms == pytest.approx(law.alpha_ms, rel=within)
    assert found.beta_ms_per_sequence == pytest.approx(law.beta_ms_per_sequence, rel=within)
    assert found.pi_ms_per_prefill_token == pytest.approx(law.pi_ms_per_prefill_token, rel=within)
    assert found.kappa_ms_per_kv_token == pytest.approx(law.kappa_ms_per_kv_token, rel=within)


def notes_about(term: str, fitted: Fit) -> list[str]:
    return [note for note in fitted.notes if note.startswith(term)]


def test_a_known_law_is_found_again_from_static_batches() -> None:
    fitted = fit(static_batches())
    assert_is(fitted.step_time, LAW, within=1e-6)
    assert fitted.error_ratio < 1e-6
    assert not fitted.notes
    assert not fitted.assumed


def test_a_known_law_is_found_again_from_load_points() -> None:
    points = [a_load_point(rate, prompt, output) for rate, prompt, output in RATES]
    assert_is(fit(points).step_time, LAW, within=1e-6)


RATES = [(2, 200, 100), (20, 200, 100), (3, 200, 800), (6, 200, 800), (2, 3000, 100), (6, 3000, 100), (1, 3000, 800)]


def test_a_full_replica_shows_the_same_law() -> None:
    """16 slots, prompt 500, output 200: p = 16 x 500/200 = 40, C = 16 x 600 = 9600, so a step takes
    8 + 0.8 + 0.8 + 0.96 = 10.56 ms and the replica completes 16/(200 x 10.56 ms) = 7.5758 requests a second."""
    full = saturated("offline", 7.575757575757576, 500, 200, 16)
    assert full.itl_ms == pytest.approx(10.56)
    assert_is(fit([*static_batches(), full]).step_time, LAW, within=1e-6)


def test_measurement_noise_of_two_percent_moves_the_large_terms_little() -> None:
    rng = np.random.default_rng(1)
    noisy = [
        replace(one, step_ms=one.step_ms * (1 + 0.02 * rng.standard_normal())) if isinstance(one, DecodeStep) else one
        for one in static_batches()
    ]
    fitted = fit(noisy)
    assert fitted.step_time.alpha_ms == pytest.approx(LAW.alpha_ms, rel=0.03)
    assert fitted.step_time.pi_ms_per_prefill_token == pytest.approx(LAW.pi_ms_per_prefill_token, rel=0.05)
    assert 0.001 < fitted.error_ratio < 0.03


def test_an_outlier_does_not_spoil_the_others() -> None:
    batches = static_batches()
    spoilt = a_decode_step(16, 1000)
    batches[4] = replace(spoilt, step_ms=3.0 * spoilt.step_ms)
    fitted = fit(batches)
    assert_is(fitted.step_time, LAW, within=0.1)
    assert fitted.errors[Figure.STEP].worst_where == spoilt.where


def test_time_outside_the_steps_is_told_apart_from_the_step() -> None:
    """Alone: one step of alpha and the prompt, 8 + 0.02 x I, and 5 ms on top."""
    points = [
        LoadPoint("a", 0.1, prompt, 100, 8.05 + 0.0001 * (prompt + 50), ttft_ms=13.0 + 0.02 * prompt)
        for prompt in (100, 500, 1000, 1500)
    ]
    fitted = fit([*static_batches(), *points])
    assert fitted.ttft_overhead_ms == pytest.approx(5.0, rel=1e-3)
    assert_is(fitted.step_time, LAW, within=1e-3)


def test_one_sequence_only_leaves_beta_unknown_and_says_what_to_measure() -> None:
    alone = [a_decode_step(1, context) for context in (200, 1000, 4000)]
    fitted = fit([*alone, a_prompt_pass(100), a_prompt_pass(1600)])
    assert fitted.assumed
    assert fitted.step_time.beta_ms_per_sequence == fitted.step_time.pi_ms_per_prefill_token > 0
    (note,) = notes_about("beta", fitted)
    assert "taken to be the same as pi" in note
    assert "with 8 and with 32 sequences" in note


def test_without_prompts_pi_is_never_free() -> None:
    fitted = fit([a_decode_step(sequences, context) for sequences in (1, 4, 16) for context in (200, 4000)])
    assert fitted.assumed
    assert fitted.step_time.pi_ms_per_prefill_token == fitted.step_time.beta_ms_per_sequence > 0
    (note,) = notes_about("pi", fitted)
    assert "two prompt lengths" in note


def test_contexts_of_one_length_cannot_tell_kappa_from_beta() -> None:
    steps = [a_decode_step(sequences, 1000) for sequences in (1, 4, 16, 64)]
    fitted = fit([*steps, a_prompt_pass(100), a_prompt_pass(1600)])
    (note,) = notes_about("kappa", fitted)
    assert "cannot be told apart from beta" in note
    assert fitted.step_time.kappa_ms_per_kv_token == 0.0
    # 0.05 a sequence and 0.0001 for each of its 1000 tokens.
    assert fitted.step_time.beta_ms_per_sequence == pytest.approx(0.15, rel=1e-6)


def test_the_range_is_the_longest_that_was_measured() -> None:
    fitted = fit([*static_batches(), a_load_point(2, 3000, 700)])
    assert fitted.validity.max_prompt_tokens == 4000  # the longest context of the batches
    assert fitted.validity.max_output_tokens == 700


def test_units_scale_the_terms_and_nothing_else() -> None:
    slow = [
        replace(one, step_ms=10 * one.step_ms)
        if isinstance(one, DecodeStep)
        else replace(one, total_ms=10 * one.total_ms)
        for one in static_batches()
        if isinstance(one, DecodeStep | PromptPass)
    ]
    tenfold = StepTime(80.0, 0.5, 0.2, 0.001)
    assert_is(fit(slow).step_time, tenfold, within=1e-6)


def test_measurements_without_a_fixed_time_are_refused() -> None:
    steps = [DecodeStep(f"line {n}", 1.0 * n, n, 100) for n in (1, 2, 4, 8)]
    with pytest.raises(UnusableMeasurements, match=r"alpha is 0.*single sequence"):
        fit(steps)


def test_as_many_figures_as_terms_is_said_to_prove_nothing() -> None:
    fitted = fit([a_decode_step(1, 100), a_decode_step(8, 100)])
    assert any("2 figures are hardly more than the terms" in note for note in fitted.notes)
