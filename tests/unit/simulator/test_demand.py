"""Requests come as a trace, a rate, clients or a made-up shape say, and as bursty."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from plimsoll.domain import ObjectKey
from plimsoll.errors import InvalidObject
from plimsoll.simulator.demand import draw_traffic
from plimsoll.simulator.demand.rate import arrivals_s, shape_for_cv
from plimsoll.simulator.sources import ArrivalPattern
from plimsoll.simulator.traffic import Traffic
from unit.simulator.folders import STEADY, a_scenario

CHAT = ObjectKey("team-a", "chat")
LENGTHS = STEADY["lengths"]


def drawn(folder: Path, seed: int = 1, hours: float = 0.5, **source: Any) -> Traffic:
    scenario = a_scenario(folder, hours=hours, demand=[{"deployment": "team-a/chat", **source}])
    return draw_traffic(scenario, CHAT, np.random.default_rng(seed))


def a_trace(folder: Path) -> None:
    """Requests at 0, 10, .. 90 s of a minute and a half, with 100, 101, .. prompt tokens."""
    rows = [f"2023-11-16 18:{15 + k // 6}:{k % 6 * 10:02d}.0000000,{100 + k},{k}" for k in range(10)]
    (folder / "trace.csv").write_text("\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *rows]) + "\n")


def test_a_trace_is_played_as_recorded_and_again_from_its_start(tmp_path: Path) -> None:
    a_trace(tmp_path)
    traffic = drawn(tmp_path, hours=150.0 / 3600.0, requests={"file": "trace.csv"})
    # It ends at 90 s and goes on with its mean interval, 9 s: the second turn begins at 99 s.
    assert traffic.arrival_s_i.tolist() == pytest.approx([*range(0, 91, 10), *range(99, 150, 10)])
    assert traffic.prompt_tokens_i[:2].tolist() == [100, 101]
    assert traffic.output_tokens_i[:2].tolist() == [1, 1]  # a length of 0 counts as 1


def test_a_trace_may_begin_later_and_run_faster(tmp_path: Path) -> None:
    a_trace(tmp_path)
    traffic = drawn(tmp_path, hours=20.0 / 3600.0, requests={"file": "trace.csv", "begin": "30s", "speed": 2.0})
    assert traffic.arrival_s_i.tolist() == pytest.approx([0.0, 5.0, 10.0, 15.0])
    assert traffic.prompt_tokens_i.tolist() == [103, 104, 105, 106]


def test_a_share_of_a_trace_is_kept_by_chance(tmp_path: Path) -> None:
    a_trace(tmp_path)
    assert 150 < drawn(tmp_path, hours=2.0, requests={"file": "trace.csv", "share": 0.25}).count < 250  # of 727


@pytest.mark.parametrize(
    ("column", "value", "expected_rps"), [("requests_per_min", 120.0, 2.0), ("rate_rps", 5.0, 5.0)]
)
def test_a_rate_of_every_ten_minutes_is_kept(tmp_path: Path, column: str, value: float, expected_rps: float) -> None:
    rows = "\n".join(f"{600 * k},{value if k % 2 == 0 else 0.0}" for k in range(4))
    (tmp_path / "rate.csv").write_text(f"t_s,{column}\n{rows}\n")
    traffic = drawn(tmp_path, hours=40.0 / 60.0, shape={"file": "rate.csv", "lengths": LENGTHS})
    rates = traffic.rate_rps_m(40)
    assert rates[:10].mean() == pytest.approx(expected_rps, rel=0.1)
    assert rates[10:20].sum() == 0.0
    assert rates[20:30].mean() == pytest.approx(expected_rps, rel=0.1)


RECORDED = "t_s,rate_rps,rate_weighted_cv,mean_input_tokens,mean_output_tokens\n"


def test_burstiness_and_lengths_are_the_files_where_the_scenario_does_not_say(tmp_path: Path) -> None:
    # Windows of 100 s; in the third nobody knows how long requests are.
    rows = ["0,50,1.0,1000,10", "100,50,3.0,100,200", "200,50,3.0,,"]
    (tmp_path / "recorded.csv").write_text(RECORDED + "\n".join(rows))
    traffic = drawn(tmp_path, hours=1.0, shape={"file": "recorded.csv"})
    window_i = (traffic.arrival_s_i // 100.0).astype(int) % 3
    assert traffic.prompt_tokens_i[window_i == 0].mean() == pytest.approx(1000.0, rel=0.05)
    assert traffic.prompt_tokens_i[window_i == 1].mean() == pytest.approx(100.0, rel=0.05)
    assert traffic.prompt_tokens_i[window_i == 2].mean() == pytest.approx(550.0, rel=0.05)
    assert traffic.output_tokens_i[window_i == 1].mean() == pytest.approx(200.0, rel=0.05)
    counts = np.bincount((traffic.arrival_s_i // 10.0).astype(int), minlength=360).reshape(-1, 3, 10)
    dispersion = counts.var(axis=(0, 2)) / counts.mean(axis=(0, 2))
    assert dispersion[0] == pytest.approx(1.0, rel=0.35)  # the square of the CV
    assert dispersion[1] == pytest.approx(9.0, rel=0.35)


def test_what_the_scenario_says_of_a_rate_is_heeded_in_place_of_the_files(tmp_path: Path) -> None:
    (tmp_path / "recorded.csv").write_text(RECORDED + "0,50,9.0,1000,10\n100,50,9.0,1000,10\n")
    source = {"file": "recorded.csv", "lengths": LENGTHS, "arrivals": {"pattern": "Poisson"}}
    traffic = drawn(tmp_path, hours=1.0, shape=source)
    counts = np.bincount((traffic.arrival_s_i // 10.0).astype(int), minlength=360)
    assert counts.var() / counts.mean() == pytest.approx(1.0, rel=0.35)
    assert traffic.prompt_tokens_i.mean() == pytest.approx(200.0, rel=0.05)


def test_lengths_that_neither_the_file_nor_the_scenario_says_are_asked_for(tmp_path: Path) -> None:
    (tmp_path / "rate.csv").write_text("t_s,rate_rps\n0,1\n600,1\n")
    with pytest.raises(InvalidObject, match=r"does not say how long requests are.*write shape\.lengths"):
        drawn(tmp_path, shape={"file": "rate.csv"})


def test_lengths_may_come_in_pairs_from_a_trace(tmp_path: Path) -> None:
    a_trace(tmp_path)
    traffic = drawn(tmp_path, generated={"meanRps": 5.0, "lengths": {"trace": "trace.csv"}})
    assert set(traffic.prompt_tokens_i.tolist()) == set(range(100, 110))


def test_a_made_up_rate_has_its_mean_its_wave_and_its_burst(tmp_path: Path) -> None:
    source = {
        "meanRps": 10.0,
        "dailyAmplitude": 0.5,
        "peakAt": "12h",
        "bursts": [{"begin": "20h", "lasts": "1h", "factor": 5.0}],
        "lengths": LENGTHS,
    }
    rates = drawn(tmp_path, hours=24.0, generated=source).rate_rps_m(24 * 60)
    assert rates[11 * 60 : 13 * 60].mean() == pytest.approx(15.0, rel=0.05)
    assert rates[:60].mean() == pytest.approx(5.0, rel=0.1)
    # 10 (1 + 0.5 cos(2 pi 8.5/24)) = 7.0 at half past eight in the evening, times 5.
    assert rates[20 * 60 : 21 * 60].mean() == pytest.approx(35.0, rel=0.05)
    lengths = drawn(tmp_path, hours=1.0, generated=source)
    assert lengths.prompt_tokens_i.mean() == pytest.approx(200.0, rel=0.1)


@pytest.mark.parametrize("pattern", [ArrivalPattern.GAMMA, ArrivalPattern.WEIBULL])
def test_intervals_are_as_bursty_as_asked(pattern: ArrivalPattern) -> None:
    rate = np.full(100, 20.0)
    at_s = arrivals_s(rate, 100.0, pattern, shape_for_cv(pattern, 2.0), np.random.default_rng(3))
    intervals_s = np.diff(at_s)
    assert intervals_s.std() / intervals_s.mean() == pytest.approx(2.0, rel=0.05)
    assert intervals_s.mean() == pytest.approx(0.05, rel=0.05)


def clients(folder: Path) -> None:
    """Client 7 asks 3 req/s for two windows, then nothing, then 1 req/s; client 8 is not to be drawn."""
    with gzip.open(folder / "some_clients.csv.gz", "wt") as file:
        file.write("client,t_s,rate_rps,cv,pattern,p1,p2\n")
        file.writelines(f"7,{t},{rate},1.0,Gamma,1.0,1.0\n" for t, rate in ((0, 3.0), (600, 3.0), (1800, 1.0)))
        file.write("8,0,50.0,1.0,Weibull,1.0,1.0\n")
    sides = ["in", "out"]
    names = [f"{side}_{name}" for side in sides for name in ["p5", "p25", "p50", "p75", "p90", "p95", "p99"]]
    with gzip.open(folder / "some_token_quantiles.csv.gz", "wt") as file:
        file.write(f"client,t_s,{','.join(names)}\n")
        file.writelines(f"{who},0,{','.join(['100'] * 7)},{','.join(['10'] * 7)}\n" for who in (7, 8))


def test_clients_ask_at_their_own_rates_and_lengths(tmp_path: Path) -> None:
    clients(tmp_path)
    traffic = drawn(tmp_path, hours=2400.0 / 3600.0, clients={"file": "some", "clients": [7], "scale": 2.0})
    rates = traffic.rate_rps_m(40)
    assert rates[:20].mean() == pytest.approx(6.0, rel=0.1)
    assert rates[20:30].sum() == 0.0
    assert rates[30:].mean() == pytest.approx(2.0, rel=0.15)
    assert set(traffic.prompt_tokens_i.tolist()) == {100}
    assert set(traffic.output_tokens_i.tolist()) == {10}


@pytest.mark.parametrize("pattern", [ArrivalPattern.GAMMA, ArrivalPattern.WEIBULL])
def test_clients_are_as_bursty_as_the_shape_of_their_windows(tmp_path: Path, pattern: ArrivalPattern) -> None:
    clients(tmp_path)
    with gzip.open(tmp_path / "some_clients.csv.gz", "wt") as file:
        file.write("client,t_s,rate_rps,cv,pattern,p1,p2\n")
        shape = shape_for_cv(pattern, 2.5)
        file.writelines(f"7,{600 * k},30.0,2.5,{pattern.value},{shape},1.0\n" for k in range(6))
    intervals_s = np.diff(drawn(tmp_path, hours=1.0, clients={"file": "some", "clients": [7]}).arrival_s_i)
    assert intervals_s.std() / intervals_s.mean() == pytest.approx(2.5, rel=0.05)


def test_a_client_that_is_not_there_is_refused(tmp_path: Path) -> None:
    clients(tmp_path)
    with pytest.raises(InvalidObject, match="no client 9"):
        drawn(tmp_path, clients={"file": "some", "clients": [9]})


def test_sources_of_one_deployment_add_up_and_stay_in_order(tmp_path: Path) -> None:
    sources = [{"deployment": "chat", "generated": STEADY}, {"deployment": "team-a/chat", "generated": STEADY}]
    traffic = draw_traffic(a_scenario(tmp_path, demand=sources), CHAT, np.random.default_rng(1))
    assert traffic.rate_rps_m(30).mean() == pytest.approx(4.0, rel=0.1)
    assert (np.diff(traffic.arrival_s_i) >= 0.0).all()


def test_a_deployment_that_no_source_names_is_asked_nothing(tmp_path: Path) -> None:
    assert draw_traffic(a_scenario(tmp_path), ObjectKey("team-a", "other"), np.random.default_rng(1)).count == 0
