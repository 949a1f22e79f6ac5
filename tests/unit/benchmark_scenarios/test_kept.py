"""Kept runs: what was made is not made again until something changes that it depends on."""

from pathlib import Path

import pytest

from plimsoll.simulator.scenario import Scenario, load
from scenario_folders.kept import BOUND, PLIMSOLL, Kept, code, modules, source

SCENARIOS = Path(__file__).resolve().parents[3] / "benchmarks" / "scenarios"


@pytest.fixture
def scenarios(tmp_path: Path) -> Path:
    """A folder with a copy of one scenario."""
    home = tmp_path / "scenarios"
    (home / "homogeneous").mkdir(parents=True)
    for file in (SCENARIOS / "homogeneous").iterdir():
        (home / "homogeneous" / file.name).write_bytes(file.read_bytes())
    return home


def of(home: Path) -> Scenario:
    return load(home / "homogeneous")


def test_a_run_is_found_again_by_policy_setting_and_seed(scenarios: Path, tmp_path: Path) -> None:

    Kept(tmp_path / "kept", scenarios).add(of(scenarios), "hpa=0.6", 1, "the run")
    again = Kept(tmp_path / "kept", scenarios)
    assert again.of(of(scenarios), "hpa=0.6", 1) == "the run"
    assert again.of(of(scenarios), "hpa=0.6", 2) is None
    assert again.of(of(scenarios), "hpa=0.7", 1) is None
    assert again.of(of(scenarios), "hpa@l4=0.6", 1) is None


def test_a_scenario_that_changed_is_run_anew(scenarios: Path, tmp_path: Path) -> None:

    for label in (PLIMSOLL, BOUND, "hpa"):
        Kept(tmp_path / "kept", scenarios).add(of(scenarios), label, 1, label)
    manifests = scenarios / "homogeneous" / "manifests.yaml"
    manifests.write_text(manifests.read_text().replace("p99: 3s", "p99: 4s"))
    again = Kept(tmp_path / "kept", scenarios)
    assert [again.of(of(scenarios), label, 1) for label in (PLIMSOLL, BOUND, "hpa")] == [None, None, None]


def test_runs_of_another_source_count_only_when_asked_for_and_are_counted(scenarios: Path, tmp_path: Path) -> None:

    for label in (PLIMSOLL, "hpa"):
        Kept(tmp_path / "kept", scenarios).add(of(scenarios), label, 1, label)
    strict, lenient, all_of_them = (
        Kept(tmp_path / "kept", scenarios, older, ours_too, lambda label: "another")
        for older, ours_too in ((False, False), (True, False), (True, True))
    )
    assert strict.of(of(scenarios), "hpa", 1) is None
    assert lenient.of(of(scenarios), "hpa", 1) == "hpa"
    assert lenient.of(of(scenarios), PLIMSOLL, 1) is None
    assert (lenient.older_of_baselines, lenient.older_of_ours) == (1, set())
    assert all_of_them.of(of(scenarios), PLIMSOLL, 1) == PLIMSOLL
    assert all_of_them.older_of_ours == {"homogeneous"}


def test_code_counts_and_comments_do_not(tmp_path: Path) -> None:

    (tmp_path / "a.py").write_text('"""What it is."""\nX = 1  # why\n')
    (tmp_path / "b.py").write_text('"""Said otherwise."""\n# and longer\nX = 1\n"""Of it."""\n')
    (tmp_path / "c.py").write_text('"""What it is."""\nX = 2  # why\n')
    told = [code([tmp_path / name]) for name in ("a.py", "b.py", "c.py")]
    assert told[0] == told[1] != told[2]


def test_a_baseline_stands_on_its_own_rule_and_the_simulator_plimsoll_on_everything() -> None:

    assert source("hpa") == source("hpa@l4=0.6") != source("keda")
    paths = {label: set(modules(label)) for label in (PLIMSOLL, BOUND, "wva-v1")}
    assert "planning/__init__.py" in paths[PLIMSOLL] - paths["wva-v1"] - paths[BOUND]
    assert "simulator/policies/wva_v1.py" in paths["wva-v1"]
    assert "simulator/policies/hpa.py" not in paths["wva-v1"]
    assert "simulator/world.py" in paths["wva-v1"] & paths[PLIMSOLL] & paths[BOUND]
    assert "simulator/bound/programme.py" in paths[BOUND] - paths["wva-v1"]
    assert {"planning/solver.py", "planning/programme.py"} <= paths[BOUND]


def test_a_policy_stands_on_those_it_is_made_of_and_on_no_other() -> None:
    assert {"simulator/policies/keda.py", "simulator/policies/hpa.py"} <= set(modules("keda"))
    assert "simulator/policies/kpa.py" not in modules("keda")
    assert "simulator/policies/plimsoll.py" in modules(PLIMSOLL)
    assert "simulator/policies/hpa.py" not in modules(PLIMSOLL)
