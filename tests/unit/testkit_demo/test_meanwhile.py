"""While the control plane is being built the simulator has something to show; where it is there, nothing is lost.

In: a stand-in for `go` and one for the simulator. Out: nothing is compiled or simulated here.
"""

import io
import os
from pathlib import Path

import pytest
from rich.console import Console

from plimsoll_testkit.binaries import TOOL_BY_NAME, Binaries, BinaryMissing
from plimsoll_testkit.demo.meanwhile import NEEDED, build_what_is_missing, verdict
from unit.testkit.fake_go import FakeGo, an_executable

SLOW, QUICK = "kube-apiserver", "kube-scheduler"
"""Built in minutes, and in seconds."""


@pytest.fixture
def go(tmp_path: Path) -> FakeGo:
    return FakeGo(tmp_path)


@pytest.fixture
def environment(tmp_path: Path, go: FakeGo) -> dict[str, str]:
    """All parts are there."""
    found = {"PATH": f"{go.directory}:/usr/bin:/bin", "PLIMSOLL_CACHE_DIR": str(tmp_path / "cache")}
    if "PYTHONPATH" in os.environ:
        found["PYTHONPATH"] = os.environ["PYTHONPATH"]
    for name in NEEDED:
        an_executable(Binaries(found).cached_path(TOOL_BY_NAME[name]))
    return found


def without(environment: dict[str, str], name: str) -> dict[str, str]:
    Binaries(environment).cached_path(TOOL_BY_NAME[name]).unlink()
    return environment


def a_simulation(tmp_path: Path, body: str) -> list[str | Path]:
    """A command that is told where figures go as its only argument."""
    script = tmp_path / "simulation"
    script.write_text(f"#!/bin/sh\ntouch {tmp_path}/simulated\n{body}\n")
    script.chmod(0o755)
    return [script]


WRITES_FIGURES = (
    """echo '{"scenarios": {"demo": {"policies": {"static": {"usd": 8, "slo_attainment": 1}, """
    """"plimsoll": {"usd": 6, "slo_attainment": 0.985}}}}}' > "${1#--json=}" """
)


def shown(environment: dict[str, str], simulation: list[str | Path]) -> str:
    console = Console(file=io.StringIO(), width=80)
    build_what_is_missing(console, environment, simulation)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_the_comparison_comes_first_then_the_builds_own_words(
    environment: dict[str, str], go: FakeGo, tmp_path: Path
) -> None:
    go.behave(sleep_s=0.8)
    told = shown(without(environment, SLOW), a_simulation(tmp_path, WRITES_FIGURES))
    parts = ("1 of the 7 parts", "about 7 min", "the simulator plays", "25% less than static", "[1/1] kube-apiserver")
    places = [told.index(part) for part in parts]
    assert places == sorted(places)
    assert told.endswith(" s\n")
    assert len(go.calls) == 1


def test_where_every_part_is_there_nothing_is_shown_and_nothing_simulated(
    environment: dict[str, str], tmp_path: Path
) -> None:
    assert shown(environment, a_simulation(tmp_path, WRITES_FIGURES)) == ""
    assert not (tmp_path / "simulated").exists()


def test_a_short_build_is_not_kept_waiting_by_a_simulation(environment: dict[str, str], tmp_path: Path) -> None:
    told = shown(without(environment, QUICK), a_simulation(tmp_path, WRITES_FIGURES))
    assert "[1/1] kube-scheduler" in told
    assert not (tmp_path / "simulated").exists()


def test_a_simulation_ends_with_the_build(environment: dict[str, str], go: FakeGo, tmp_path: Path) -> None:
    go.behave(sleep_s=0.2)
    # A minute of it would exceed a unit test's time.
    told = shown(without(environment, SLOW), a_simulation(tmp_path, "exec sleep 60"))
    assert "[1/1] kube-apiserver" in told
    assert "less than" not in told


def test_a_build_that_fails_is_told_in_its_own_words(environment: dict[str, str], go: FakeGo, tmp_path: Path) -> None:
    go.behave(sleep_s=0, exit_code=1, says="no space left on device")
    with pytest.raises(BinaryMissing, match="no space left on device"):
        shown(without(environment, SLOW), a_simulation(tmp_path, "exec sleep 60"))


def figures(usd: float, slo_attainment: float) -> dict[str, float]:
    return {"usd": usd, "slo_attainment": slo_attainment}


def test_plimsoll_is_compared_with_the_cheapest_rival_that_kept_the_slo() -> None:
    told = verdict({"static": figures(8.0, 0.999), "hpa": figures(5.0, 0.8), "plimsoll": figures(6.0, 0.985)})
    # 1 - 6 / 8; hpa is cheaper, and leaves the SLO for a fifth of all requests.
    assert told == (
        "Plimsoll: $6.00 with 98.5% of requests in SLO, 25% less than static, the cheapest of these rivals that "
        "kept 95%."
    )


def test_a_rival_that_is_cheaper_is_told_just_so() -> None:
    assert "20% more than static" in verdict({"static": figures(5.0, 0.99), "plimsoll": figures(6.0, 0.985)})


@pytest.mark.parametrize("attainment", [0.0, 0.94])
def test_where_no_rival_kept_the_slo_that_is_said(attainment: float) -> None:
    told = verdict({"hpa": figures(5.0, attainment), "plimsoll": figures(6.0, 0.985)})
    assert told == "Plimsoll: $6.00 with 98.5% of requests in SLO. No rival kept 95%."
