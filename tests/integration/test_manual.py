"""Do the simulations that the manual shows run? As they stand, but for shorter hours and a Prometheus that exists."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from integration.small_exporter import Exporter
from plimsoll.cli import app
from plimsoll_testkit.binaries import ensure
from plimsoll_testkit.manual import ROOT, RunBy, Shown, shown
from plimsoll_testkit.prometheus_server import PrometheusServer

SIMULATIONS = sorted({one.text for one in shown() if one.run_by is RunBy.SIMULATOR})
SHOWN_PROMETHEUS = "http://prometheus:9090"
SHORT_HOURS, SHORT_PAST_S = 0.05, 600.0
SCRAPED_EVERY_S = 30.0
ARRIVALS_RPS = 2.0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a reader would be, with three minutes in place of the hours of each scenario."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    shutil.copytree(ROOT / "benchmarks/scenarios", tmp_path / "benchmarks/scenarios")
    shutil.copytree(ROOT / "examples/quickstart", tmp_path / "manifests")
    for scenario in tmp_path.rglob("scenario.yaml"):
        scenario.write_text(re.sub(r"^hours: .*", f"hours: {SHORT_HOURS}", scenario.read_text(), flags=re.MULTILINE))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def prometheus(exporter: Exporter, tmp_path: Path) -> Iterator[PrometheusServer]:
    """Knows the last twenty minutes of an engine."""
    history = tmp_path / "past.txt"
    history.write_text(openmetrics(time.time() - 2 * SHORT_PAST_S, 2 * SHORT_PAST_S))
    with PrometheusServer(exporter.service_discovery_url) as server:
        server.stop()
        command: list[str | Path] = [
            ensure(["promtool"])["promtool"],
            "tsdb",
            "create-blocks-from",
            "openmetrics",
            history,
        ]
        subprocess.run([*command, server.directory / "data"], check=True, capture_output=True)
        server.start()
        yield server


def openmetrics(begin_s: float, lasts_s: float) -> str:
    """A pod of the quickstart's model, scraped through that time."""
    pod = 'namespace="default",pod="chat-l4-0",model_name="Qwen/Qwen2.5-7B-Instruct"'
    per_request = {
        # Nobody waits, and requests end at once.
        "vllm:num_requests_running": 0.0,
        "vllm:num_requests_waiting": 0.0,
        "vllm:request_success_total": 1.0,
        "vllm:request_prompt_tokens_sum": 600.0,
        "vllm:request_prompt_tokens_count": 1.0,
        "vllm:request_generation_tokens_sum": 200.0,
        "vllm:request_generation_tokens_count": 1.0,
    }
    lines = []
    for name, amount in per_request.items():
        for number in range(int(lasts_s / SCRAPED_EVERY_S)):
            passed_s = number * SCRAPED_EVERY_S
            lines.append(f"{name}{{{pod}}} {amount * ARRIVALS_RPS * passed_s:g} {begin_s + passed_s:.3f}")
    return "\n".join([*lines, "# EOF", ""])


def simulated(command: str) -> str:
    result = CliRunner().invoke(app, [*Shown("", command).words[1:], "--jobs", "1"])
    assert (result.exit_code, result.exception) == (0, None), f"{result.output}{result.exception}"
    return result.stdout


@pytest.mark.parametrize("command", [one for one in SIMULATIONS if SHOWN_PROMETHEUS not in one])
def test_a_simulation_that_is_shown_runs(command: str, folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "plimsoll" in simulated(command)
    # Beside what the command itself prints, which its runner has: a solver that chatters writes past Python.
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("command", [one for one in SIMULATIONS if SHOWN_PROMETHEUS in one])
def test_the_past_of_the_engines_can_be_played_as_shown(
    command: str, folder: Path, prometheus: PrometheusServer
) -> None:
    shorter = re.sub(r"--since \S+", f"--since {SHORT_PAST_S:g}s", command.replace(SHOWN_PROMETHEUS, prometheus.url))
    assert shorter.count(prometheus.url) == 1
    assert "plimsoll" in simulated(shorter)
