"""Does `plimsoll profile check` tell what a profile keeps, at which load and price, and what it cannot keep at all?"""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from plimsoll.api import ServingProfile, parse
from plimsoll.cli import app
from plimsoll.cli.latency_chart import Panel, chart, ticks
from plimsoll.domain import POISSON, LatencyMetric, LatencyTarget, TokenMix
from plimsoll.errors import InvalidObject
from plimsoll.sizing import simulate
from plimsoll.sizing.cases import case_of

# A lone prompt of 256 tokens takes 20 + 0.1 * 256 = 45.6 ms, and 8 ms outside the engine; a lone token 20 + 1 = 21 ms.
MANIFEST = """
apiVersion: plimsoll.dev/v1alpha1
kind: ServingProfile
metadata: {name: small}
spec:
  model: llama-1b
  engine: vLLM
  hardware: l4
  precision: bf16
  coefficients: {alpha: 20, beta: 1, pi: 0.1, kappa: 0}
  maxSequences: 16
  kvCacheTokens: 20000
  ttftOverhead: 8ms
  startupTime: 60s
  validity: {maxPromptTokens: 512}
  provenance: {kind: Measured, reference: our sweep, date: "2026-08-01", errorPercent: 4.5}
"""
MIX = ("--prompt-tokens", "256/256", "--output-tokens", "16/16")
SLO = ("--slo", "ttft:p95=200ms", "--slo", "tpot:p50=60ms")


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("profiles") / "small.yaml"
    file.write_text(MANIFEST)
    return file


def check(profile: Path | str, *arguments: str, given: str | None = None) -> Result:
    return CliRunner().invoke(app, ["profile", "check", str(profile), *arguments], input=given)


def as_json(profile: Path, *arguments: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(check(profile, *arguments, "-o", "json").stdout)
    return told


def refused(profile: Path | str, *arguments: str) -> str:
    result = check(profile, *arguments)
    assert isinstance(result.exception, InvalidObject), result.output
    return str(result.exception)


def test_the_safe_rates_are_those_that_the_operator_sizes_with(profile: Path) -> None:
    told = as_json(profile, *MIX, *SLO)
    own = parse(ServingProfile, yaml.safe_load(MANIFEST)).to_domain()
    slo = (LatencyTarget(LatencyMetric.TTFT, 0.95, 200.0), LatencyTarget(LatencyMetric.TPOT, 0.5, 60.0))
    found = simulate(case_of(own, TokenMix(256.0, 256.0, 16.0, 16.0), slo, POISSON))
    assert list(told["safeRate"]["byReplicas"]) == ["1", "2", "4", "8"]
    assert list(told["safeRate"]["byReplicas"].values()) == pytest.approx(found.rate_rps, rel=1e-5)
    assert told["safeRate"]["estimate"] == pytest.approx(told["safeRate"]["perReplica"], rel=0.15)
    assert told["passes"] is True


def test_the_ladder_keeps_the_slo_up_to_the_safe_rate_and_misses_it_beyond(profile: Path) -> None:
    loads = as_json(profile, *MIX, *SLO)["loads"]
    assert [round(load["shareOfSafeRate"], 3) for load in loads] == [step / 10 for step in range(1, 12)]
    assert [load["holds"] for load in loads] == [True] * 10 + [False]
    ttft_ms = [load["latencyMs"]["ttft p95"] for load in loads]
    assert ttft_ms == sorted(ttft_ms)


def test_what_passes_outside_the_engine_is_part_of_a_first_token_but_of_no_other(profile: Path) -> None:
    slo = as_json(profile, *MIX, *SLO)["slo"]
    assert [one["unloadedMs"] for one in slo] == pytest.approx([53.6, 21.0], abs=0.05)


def test_a_rate_beyond_the_safe_one_is_missed_but_reachable(profile: Path) -> None:
    result = check(profile, *MIX, *SLO, "--rate", "1", "--rate", "12.5")
    assert result.exit_code == 1
    assert re.search(r"1\.00 .* holds", result.stdout)
    assert re.search(r"SLO MISSED at 12\.5 req/s, but reachable: .*12\.5 req/s in all take 2 replicas", result.stdout)
    assert "UNREACHABLE" not in result.stdout


def test_a_safe_rate_asked_for_is_well(profile: Path) -> None:
    assert check(profile, *MIX, *SLO, "--rate", "3").exit_code == 0


def test_an_slo_that_a_lone_request_misses_is_unreachable_at_any_rate(profile: Path) -> None:
    result = check(profile, *MIX, "--slo", "ttft:p95=50ms", "--rate", "0.1")
    assert result.exit_code == 1
    assert "SLO UNREACHABLE at any rate: slo ttft p95 is 50ms; small needs 54ms even for a lone" in result.stdout
    assert "but reachable" not in result.stdout
    assert as_json(profile, *MIX, "--slo", "ttft:p95=50ms")["safeRate"]["perReplica"] == 0.0


def test_more_than_a_replica_completes_is_never_safe_however_loose_the_slo(profile: Path) -> None:
    told = as_json(profile, *MIX, "--slo", "e2e:p50=10h", "--rate", "1000")
    assert told["safeRate"]["binds"] == "throughput"
    assert told["loads"][0]["overloaded"] is True
    assert told["loads"][0]["holds"] is False


def test_tokens_cost_the_price_of_a_replica_over_what_it_serves(profile: Path) -> None:
    load = as_json(profile, *MIX, *SLO, "--rate", "2", "--price", "3.6")["loads"][0]
    # 2 req/s are 7200 requests an hour with 256 + 16 tokens each: 1.9584 million tokens, of which 0.1152 are output.
    assert load["usdPerMillionTokens"] == pytest.approx(3.6 / 1.9584, rel=1e-5)
    assert load["usdPerMillionOutputTokens"] == pytest.approx(3.6 / 0.1152, rel=1e-5)


def test_without_a_price_there_are_no_costs(profile: Path) -> None:
    assert "$/M" not in check(profile, *MIX, *SLO, "--rate", "2").stdout
    assert "$/M output" in check(profile, *MIX, *SLO, "--rate", "2", "--price", "1").stdout


def test_an_overloaded_replica_is_not_cheaper_than_a_full_one(profile: Path) -> None:
    loads = as_json(profile, *MIX, *SLO, "--rate", "30", "--rate", "60", "--price", "1")["loads"]
    assert loads[0]["usdPerMillionTokens"] == loads[1]["usdPerMillionTokens"]


def test_replicas_behind_a_clever_router_carry_more_each_than_one_or_at_random(profile: Path) -> None:
    told = as_json(profile, *MIX, *SLO, "--replicas", "4", "--rate", "1")
    at_random = as_json(profile, *MIX, *SLO, "--replicas", "4", "--router", "random", "--rate", "1")
    assert told["safeRate"]["perReplica"] == pytest.approx(told["safeRate"]["byReplicas"]["4"] / 4, rel=1e-4)
    assert told["safeRate"]["perReplica"] > 1.02 * told["safeRate"]["byReplicas"]["1"]
    assert told["safeRate"]["perReplica"] > 1.02 * at_random["safeRate"]["perReplica"]


def test_bursts_lower_the_safe_rate_and_say_what_chance_does(profile: Path) -> None:
    steady = as_json(profile, *MIX, *SLO, "--rate", "1")
    bursty = as_json(profile, *MIX, *SLO, "--rate", "1", "--bursts", "0.1@5s")
    assert bursty["safeRate"]["perReplica"] < 0.9 * steady["safeRate"]["perReplica"]
    assert any("draw to draw" in note for note in bursty["notes"])
    assert not any("draw to draw" in note for note in steady["notes"])


def test_the_provenance_stands_first_and_an_estimate_is_called_one(profile: Path, tmp_path: Path) -> None:
    assert "Measured from: our sweep (2026-08-01); step times are 4.5% off" in check(profile, *MIX, *SLO).stdout
    guess = tmp_path / "guess.yaml"
    guess.write_text(re.sub("provenance: .*", "provenance: {kind: Estimated}", MANIFEST))
    assert "NOT MEASURED" in check(guess, *MIX, *SLO).stdout


def test_requests_that_nobody_described_are_said_to_be_guessed(profile: Path) -> None:
    text = check(profile, *SLO, "--rate", "1").stdout
    assert "requests (a guess: state yours with --prompt-tokens and --output-tokens): 512 prompt tokens" in text
    half = as_json(profile, *SLO, "--rate", "1", "--prompt-tokens", "100")["requests"]
    assert (half["promptTokens"], half["promptTokensP95"]) == (100.0, 200.0)
    assert "--output-tokens" in half["guessed"]
    assert "2 times the mean" in half["guessed"]


def test_requests_outside_the_profile_are_noted(profile: Path) -> None:
    outside = check(profile, *SLO, "--rate", "1", "--prompt-tokens", "600/600", "--output-tokens", "16/16").stdout
    assert "OUTSIDE THE PROFILE'S RANGE" in outside
    assert "spec.validity.maxPromptTokens 512" in outside
    assert "OUTSIDE" not in check(profile, *MIX, *SLO, "--rate", "1").stdout


def test_a_fitted_profile_can_be_piped_in() -> None:
    assert check("-", *MIX, *SLO, "--rate", "1", given=MANIFEST).exit_code == 0


def test_yaml_and_json_say_the_same(profile: Path) -> None:
    arguments = (*MIX, *SLO, "--rate", "1")
    assert yaml.safe_load(check(profile, *arguments, "-o", "yaml").stdout) == as_json(profile, *arguments)


def test_a_file_of_several_asks_for_a_name(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(f"{MANIFEST}---{MANIFEST.replace('small', 'other')}")
    assert "--name small, other" in refused(file, *SLO)
    assert "it holds small, other" in refused(file, *SLO, "--name", "third")
    assert check(file, *MIX, *SLO, "--rate", "1", "--name", "other").stdout.startswith("other: llama-1b")


@pytest.mark.parametrize(
    ("arguments", "advice"),
    [
        (["--slo", "itl:p95=80ms"], "metrics are ttft, tpot, e2e"),
        (["--slo", "ttft:95=80ms"], "such as ttft:p95=800ms"),
        (["--slo", "ttft:p100=80ms"], "such as ttft:p95=800ms"),
        (["--slo", "ttft:p95=80"], "such as ttft:p95=800ms"),
        (["--slo", "ttft:p95=0ms"], "above zero"),
        (["--slo", "ttft:p95=80ms", "--slo", "ttft:p95=90ms"], "two limits for the same latency"),
        ([*SLO, "--rate", "0"], "above 0"),
        ([*SLO, "--rate", "nan"], "above 0"),
        ([*SLO, "--prompt-tokens", "512/100"], "the p95 not below the mean"),
        ([*SLO, "--output-tokens", "many"], "write MEAN or MEAN/P95"),
        ([*SLO, "--bursts", "0.3@15"], "such as 0.3@15s"),
        ([*SLO, "--bursts", "-1"], "such as 0.3@15s"),
    ],
)
def test_what_cannot_be_read_is_answered_with_what_to_write(profile: Path, arguments: list[str], advice: str) -> None:
    assert advice in refused(profile, *arguments)


def test_a_file_without_a_profile_is_bad_input(tmp_path: Path) -> None:
    file = tmp_path / "other.yaml"
    file.write_text("kind: ConfigMap\n")
    assert "holds no ServingProfile" in refused(file, *SLO)
    assert "is no file" in refused(tmp_path / "missing.yaml", *SLO)


# --- Charts ----------------------------------------------------------------------------------------------------------


def lines(limit_ms: float, braille: bool = True, width: int = 80) -> list[str]:
    points = tuple((load, 10.0 * load) for load in range(11))
    panel = Panel("ttft", points, limit_ms, top_ms=160.0, right=10.0, safe=5.0, asked=(8.0,))
    return [line.plain for line in chart(panel, width, braille)]


@pytest.mark.parametrize("braille", [True, False])
def test_a_chart_fits_the_width_and_shows_safe_and_asked_loads(braille: bool) -> None:
    drawn = lines(100.0, braille)
    assert max(map(len, drawn)) <= 80
    assert "100ms" in "\n".join(drawn)
    assert "safe 5" in drawn[-1]
    assert ("▲" if braille else "^") in drawn[-2]


def test_a_chart_for_terminals_without_unicode_is_plain_ascii() -> None:
    assert "\n".join(lines(100.0, braille=False)).isascii()


def test_a_curve_stays_below_its_limit_or_crosses_it() -> None:
    """From 0 to 100 ms on a scale of 160 ms: a limit of 120 ms lies above all of it, one of 60 ms does not."""
    for limit_ms, above in ((120.0, 0), (60.0, 1)):
        drawn = lines(limit_ms, braille=False)
        limit = next(place for place, line in enumerate(drawn) if f" {limit_ms:g}ms" in line)
        assert any("*" in line for line in drawn[1:limit]) == bool(above)


@pytest.mark.parametrize("right", [0.0047, 0.3, 1.0, 5.17, 42.0, 999.0])
def test_ticks_are_round_few_and_within_the_scale(right: float) -> None:
    found = ticks(right)
    assert found[0] == 0.0
    assert found[-1] <= right
    assert 4 <= len(found) <= 11


def test_plot_is_drawn_only_when_asked_for_in_a_pipe(profile: Path) -> None:
    plain = check(profile, *MIX, *SLO, "--rate", "1").stdout
    drawn = check(profile, *MIX, *SLO, "--rate", "1", "--plot").stdout
    assert "ttft p95 over req/s" not in plain
    assert "ttft p95 over req/s of one replica, limit 200ms" in drawn
    assert "\x1b" not in drawn


class Tags(HTMLParser):
    """What a page loads, and the text of it."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.loaded: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_page_stands_alone_and_escapes_what_a_profile_says(tmp_path: Path) -> None:
    file, page = tmp_path / "odd.yaml", tmp_path / "page.html"
    file.write_text(MANIFEST.replace("reference: our sweep", "reference: <script>alert(1)</script>"))
    assert check(file, *MIX, *SLO, "--rate", "12.5", "--html", str(page)).exit_code == 1
    tags = Tags()
    tags.feed(page.read_text())
    assert tags.names.count("svg") == 2
    assert "script" not in tags.names
    assert tags.loaded == []
    assert "SLO MISSED at 12.5 req/s" in page.read_text()


def test_a_page_that_cannot_be_written_is_bad_input(profile: Path, tmp_path: Path) -> None:
    assert "--html" in refused(profile, *MIX, *SLO, "--rate", "1", "--html", str(tmp_path / "no" / "page.html"))


def test_requests_that_the_operator_would_refuse_do_not_pass(profile: Path) -> None:
    # Prompts were measured up to 512 tokens.
    result = check(profile, *SLO, "--prompt-tokens", "600/600", "--output-tokens", "16/16", "--rate", "0.1")
    assert "OUTSIDE THE PROFILE'S RANGE" in result.stdout
    assert result.exit_code == 1
