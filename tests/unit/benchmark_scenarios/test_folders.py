"""The benchmark's scenarios: what is written is what is defined, can be read, and has its goal."""

from pathlib import Path

import pytest

from plimsoll.api import InferenceDeployment
from plimsoll.observe import resolve
from plimsoll.simulator.policies import parsed
from plimsoll.simulator.scenario import load
from scenario_folders.build import files
from scenario_folders.goals import goals

REPOSITORY = Path(__file__).resolve().parents[3]
SCENARIOS = REPOSITORY / "benchmarks" / "scenarios"


def test_folders_are_as_they_are_defined() -> None:

    different = [str(path) for path, text in files().items() if (SCENARIOS / path).read_text() != text]
    assert not different, f"run benchmarks/scenario_folders/build.py, {different} differ"
    assert {path.parent.name for path in files()} == {one.name for one in SCENARIOS.iterdir()}


def test_every_scenario_has_a_goal_and_every_goal_its_scenarios() -> None:

    named = [name for goal in goals({}) for name in goal.scenarios]
    assert sorted(named) == sorted(one.name for one in SCENARIOS.iterdir())


@pytest.mark.parametrize("name", sorted(one.name for one in SCENARIOS.iterdir() if one.name != "long-tail"))
def test_manifests_are_valid_and_every_variant_finds_pool_and_profile(name: str) -> None:

    scenario = load(SCENARIOS / name)
    cluster = resolve(scenario.contents, {})
    assert set(scenario.demand) == {one.key for one in cluster.deployments}
    assert len(scenario.spec.seeds) == 3
    declared = sum(
        len(one.spec.variants) for one in scenario.contents.deployments.values() if isinstance(one, InferenceDeployment)
    )
    assert sum(len(one.variants) for one in cluster.deployments) == declared


def test_policies_of_goals_exist() -> None:

    for goal in goals({}):
        for label in goal.baselines:
            parsed(label)
