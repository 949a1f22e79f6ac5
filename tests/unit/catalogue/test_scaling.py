"""Does scaling do what its rules say? By hand, with round figures."""

from dataclasses import replace
from types import MappingProxyType

import pytest

from catalogue.hardware import Machine
from catalogue.models import Model
from catalogue.scaling import Build, doubling_efficiency, is_possible, kv_cache_tokens, relative_error, scaled
from plimsoll.domain import StepTime

MODEL = Model("round-10b", "round/10b", 10e9, layers=10, kv_heads=10, head_dim=100)
"""10 GB at one byte a parameter; 2 x 10 x 10 x 100 = 20,000 elements of cache a token."""
MACHINE = Machine("gpu", "a GPU", 100.0, 1000.0, MappingProxyType({"bf16": 100.0, "fp8": 200.0}), is_gpu=True)
BUILD = Build(MODEL, "fp8", MACHINE)
LAW = StepTime(20.0, 0.1, 0.2, 0.0001)


def test_the_least_times_are_bytes_and_operations_over_what_the_machine_offers() -> None:
    assert BUILD.streaming_ms == pytest.approx(10.0)  # 10 GB at 1,000 GB/s
    assert BUILD.prompt_token_ms == pytest.approx(0.1)  # 20 GFLOP at 200 TFLOP/s
    assert BUILD.cached_token_ms == pytest.approx(0.00004)  # 40,000 bytes at 1,000 GB/s


def test_a_build_scaled_to_itself_is_itself() -> None:
    same = scaled(LAW, BUILD, BUILD)
    assert (same.alpha_ms, same.beta_ms_per_sequence, same.pi_ms_per_prefill_token) == (20.0, 0.1, 0.2)
    assert same.kappa_ms_per_kv_token == pytest.approx(0.0001)


def test_double_weight_bytes_double_alpha_and_halve_the_arithmetic_units() -> None:
    law = scaled(LAW, BUILD, replace(BUILD, precision="bf16"))
    assert law.alpha_ms == pytest.approx(40.0)
    assert law.pi_ms_per_prefill_token == pytest.approx(0.4)  # bf16 has half of fp8's peak
    assert law.beta_ms_per_sequence == pytest.approx(0.2)
    assert law.kappa_ms_per_kv_token == pytest.approx(0.0001)  # the cache keeps its format


def test_two_devices_halve_everything_but_for_what_they_lose_together() -> None:
    law = scaled(LAW, BUILD, replace(BUILD, devices=2), devices_efficiency=0.8)
    assert law.alpha_ms == pytest.approx(12.5)  # 20 / 2 / 0.8
    assert law.pi_ms_per_prefill_token == pytest.approx(0.125)
    assert law.kappa_ms_per_kv_token == pytest.approx(0.0000625)


def test_a_small_model_never_steps_faster_than_the_floor() -> None:
    tiny = replace(BUILD, model=replace(MODEL, parameters=0.1e9))
    assert scaled(LAW, BUILD, tiny, floor_ms=4.0).alpha_ms == 4.0


def test_an_unmeasured_kappa_becomes_the_least_that_reading_the_cache_takes() -> None:
    law = scaled(replace(LAW, kappa_ms_per_kv_token=0.0), BUILD, BUILD)
    assert law.kappa_ms_per_kv_token == pytest.approx(0.00004)


def test_a_step_faster_than_its_weights_can_be_read_is_impossible() -> None:
    assert is_possible(LAW, BUILD)
    assert not is_possible(replace(LAW, alpha_ms=9.9), BUILD)


def test_the_cache_gets_what_weights_leave() -> None:
    assert kv_cache_tokens(BUILD, memory_share=0.9) == 2_000_000  # 80 GB over 40,000 bytes
    assert kv_cache_tokens(BUILD, memory_share=0.9, most_gb=8.0) == 200_000


def test_weights_that_do_not_fit_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="round-10b in fp8 does not fit on 1 x gpu"):
        kv_cache_tokens(BUILD, memory_share=0.1)


def test_two_devices_at_the_rate_of_one_and_a_half_reach_three_quarters() -> None:
    assert doubling_efficiency(150.0, 100.0) == pytest.approx(0.75)


def test_an_error_is_relative_to_what_was_measured() -> None:
    assert relative_error(80.0, 100.0) == pytest.approx(0.2)
