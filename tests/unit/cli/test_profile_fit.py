"""Does `plimsoll profile fit` print a profile that the API takes, and say how far to trust it?"""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from plimsoll.api import ServingProfile, parse
from plimsoll.cli import app
from plimsoll.errors import InvalidObject, UnusableMeasurements

# alpha 30, beta 0.5, pi 0.1, kappa 0.0001: 512 tokens take 81.2 ms; 8 sequences with 512 tokens 34.4096 ms.
TIMINGS = """prompt_tokens,batch,prompt_ms,token_ms
512,1,81.2,30.5512
512,8,439.6,34.4096
4096,1,439.6,30.9096
4096,8,3306.8,37.2768
"""
NAMED = [
    *("--name", "llama-70b-vllm-a100", "--model", "llama-70b", "--engine", "vLLM", "--hardware", "a100-x2"),
    *("--precision", "fp16", "--max-sequences", "64", "--kv-cache-tokens", "300000", "--startup-time", "4m"),
    *("--reference", "our own run"),
]


@pytest.fixture
def timings(tmp_path: Path) -> Path:
    file = tmp_path / "timings.csv"
    file.write_text(TIMINGS)
    return file


def fit(file: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["profile", "fit", str(file), *arguments])


def test_the_manifest_is_a_profile_of_the_api(timings: Path) -> None:
    result = fit(timings, *NAMED, "--date", "2026-08-01")
    assert result.exit_code == 0, result.output
    profile = parse(ServingProfile, yaml.safe_load(result.stdout))
    law = profile.spec.coefficients
    assert (law.alpha, law.beta, law.pi, law.kappa) == pytest.approx((30.0, 0.5, 0.1, 0.0001), rel=1e-3)
    assert profile.spec.provenance.kind.value == "Fitted"
    assert profile.spec.provenance.date == "2026-08-01"
    assert profile.spec.provenance.error_percent == 0.0
    assert profile.spec.validity.max_prompt_tokens == 4096
    assert "prompt time: mean 0.0%" in result.stderr


def test_json_is_the_same_profile(timings: Path) -> None:
    as_yaml, as_json = fit(timings, *NAMED), fit(timings, *NAMED, "-o", "json")
    assert json.loads(as_json.stdout) == yaml.safe_load(as_yaml.stdout)


def test_the_table_needs_no_names(timings: Path) -> None:
    result = fit(timings, "-o", "table")
    assert result.exit_code == 0
    assert "alpha" in result.stdout
    assert "4 measurements" not in result.stdout
    assert "8 measurements" in result.stdout


def test_what_nobody_measured_makes_it_an_estimate(tmp_path: Path) -> None:
    file = tmp_path / "steps.csv"
    file.write_text("prompt_tokens,batch,token_ms\n512,1,30.55\n512,8,34.4\n4096,8,37.3\n")
    result = fit(file, *NAMED)
    assert yaml.safe_load(result.stdout)["spec"]["provenance"]["kind"] == "Estimated"
    assert "NOTE: pi (ms per prompt token)" in result.stderr


def test_time_outside_the_steps_is_kept_as_an_annotation(tmp_path: Path) -> None:
    """A lone request: 10 ms a step, 0.02 ms a prompt token, and 5 ms that no step explains."""
    file = tmp_path / "points.csv"
    rows = [f"0.1,{prompt},100,{15.0 + 0.02 * prompt},10.0" for prompt in (100, 500, 1000)]
    file.write_text("\n".join(["rps,in_tokens,out_tokens,ttft_ms,itl_ms", *rows, ""]))
    overhead = yaml.safe_load(fit(file, *NAMED).stdout)["spec"]["ttftOverhead"]
    assert overhead == "5ms"


def test_missing_names_are_listed(timings: Path) -> None:
    result = fit(timings, "--name", "x")
    assert isinstance(result.exception, InvalidObject)
    assert "--model, --engine, --hardware" in str(result.exception)
    assert "-o table" in str(result.exception)


def test_nonsense_names_the_file_and_the_line(timings: Path) -> None:
    timings.write_text(TIMINGS.replace("34.4096", "-1"))
    result = fit(timings, *NAMED)
    assert isinstance(result.exception, UnusableMeasurements)
    assert f"{timings} line 3: token_ms is -1" in str(result.exception)


def test_a_missing_file_is_bad_input(tmp_path: Path) -> None:
    result = fit(tmp_path / "none.csv", *NAMED)
    assert isinstance(result.exception, UnusableMeasurements)
    assert "none.csv cannot be read" in str(result.exception)
