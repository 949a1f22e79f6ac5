"""What calibration tells of measurements: errors by name, and a reason where too little was measured."""

from pathlib import Path

import numpy as np
import pytest

from calibration import vllm_serving
from calibration.measured import MOST_LAW_ERROR, Told
from plimsoll.domain import POISSON, StepTime
from plimsoll.engine.serving import Replica, Requests, serve
from plimsoll.engine.workload import Timeline

HEADER = "gpu,model,engine,qps_target,rps,out_tok_s,mean_ttft_ms,p99_ttft_ms,mean_tpot_ms,p99_tpot_ms,mean_in,mean_out"
LAW = StepTime(alpha_ms=12.0, beta_ms_per_sequence=0.05, pi_ms_per_prefill_token=0.05, kappa_ms_per_kv_token=0.0)


def a_row(gpu: str, rate_rps: float, slower: float = 1.0) -> str:
    """What a load generator would have written down of an engine with that law."""
    rng = np.random.default_rng(7)
    count = 8000
    at_ms = Timeline.drawn(count, POISSON, rng).arrivals_ms(rate_rps / 1000.0)
    lengths = (np.full(count, 200, dtype=np.int64), np.full(count, 100, dtype=np.int64))
    seen = serve([Replica(LAW, 256, 10**9, 2048)], Requests(at_ms, *lengths))
    ttft_ms, tpot_ms = seen.ttft_ms_i[500:] * slower, seen.tpot_ms_i[500:] * slower
    figures = (ttft_ms.mean(), np.quantile(ttft_ms, 0.99), tpot_ms.mean(), np.quantile(tpot_ms, 0.99))
    told = ",".join(f"{one:.3f}" for one in figures)
    return f"{gpu},m,vllm,{rate_rps},{rate_rps},0,{told},200,100"


def a_folder(folder: Path, *rows: str) -> Path:
    (folder / "measured").mkdir()
    (folder / "measured" / vllm_serving.FILE).write_text("\n".join((HEADER, *rows)) + "\n")
    return folder


def test_an_engine_that_follows_the_law_is_told_by_its_other_rates(tmp_path: Path) -> None:
    folder = a_folder(tmp_path, *(a_row("x", rate) for rate in (1.0, 6.0, 12.0, 18.0)))
    for one in vllm_serving.played(folder):
        assert not one.seen_before
        assert np.abs(one.errors[2:]).max() < 0.04
        assert np.abs(one.errors[:2]).max() < 0.25  # a law is fitted to means, first tokens wait for whole steps


def test_a_figure_that_is_off_is_told_with_its_sign(tmp_path: Path) -> None:
    rows = [a_row("x", rate) for rate in (1.0, 6.0, 12.0)] + [a_row("x", 18.0, slower=2.0)]
    *_, last = vllm_serving.played(a_folder(tmp_path, *rows))
    assert last.errors[3] == pytest.approx(-0.5, abs=0.05)
    assert "18/s asked for and 18.0/s served" in last.line
    assert "tpot_p99 -5" in last.line or "tpot_p99 -4" in last.line


def test_a_gpu_with_two_rates_is_played_by_a_law_that_saw_both(tmp_path: Path) -> None:
    rows = list(
        vllm_serving.played(a_folder(tmp_path, a_row("x", 1.0), a_row("x", 12.0), a_row("y", 1.0), a_row("y", 9.0)))
    )
    assert [one.row.gpu for one in rows] == ["x", "x", "y", "y"]
    assert all(one.seen_before for one in rows)
    assert "fitted to this row too" in rows[0].line


def test_an_error_beyond_its_ceiling_counts_unless_too_little_was_measured() -> None:
    errors = {"near": MOST_LAW_ERROR - 0.01, "far": MOST_LAW_ERROR + 0.01}
    assert Told("line", errors).beyond == {"far": errors["far"]}
    assert Told("line", errors, too_little="two rates").beyond == {}
    assert str(Told("line", errors)) == "line"
    assert str(Told("line", errors, too_little="two rates")) == "line\n  held to nothing: two rates"
