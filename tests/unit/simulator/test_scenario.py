"""A folder becomes a scenario, and every mistake in it says what to write instead."""

from pathlib import Path
from typing import Any

import pytest

from plimsoll.domain import Mode, ObjectKey, Routing
from plimsoll.engine.serving import Router
from plimsoll.errors import InvalidObject
from plimsoll.simulator.named import refuse_missing_files
from plimsoll.simulator.scenario import load
from unit.simulator.folders import STEADY, a_folder, a_scenario

CHAT = ObjectKey("team-a", "chat")


def test_a_folder_holds_manifests_and_what_is_asked_of_them(tmp_path: Path) -> None:
    scenario = a_scenario(tmp_path)
    assert scenario.name == tmp_path.name
    assert scenario.duration_s == 1800.0
    assert list(scenario.demand) == [CHAT]
    assert scenario.spec.seeds == (1, 2, 3)


def asking(**lengths: Any) -> dict[str, Any]:
    """A scenario with these token lengths."""
    return {"demand": [{"deployment": "chat", "generated": {"meanRps": 1.0, "lengths": lengths}}]}


@pytest.mark.parametrize(
    ("mistake", "told"),
    [
        ({"hours": 0}, "hours is 0: write more than 0"),
        ({"houurs": 1}, "houurs is not a field: did you mean hours?"),
        ({"demand": [{"deployment": "team-a/chat"}]}, "set exactly one of requests, shape, clients, generated"),
        ({"demand": [{"deployment": "team-a/char", "generated": STEADY}]}, "it has team-a/chat"),
        (asking(promptMean=5.0), "lengths need either a trace, or promptMean and outputMean"),
        (asking(promptMean=50.0, promptP95=9.0, outputMean=5.0), "promptP95 is less than promptMean"),
        (asking(promptMean=50.0, outputMean=50.0, outputP95=9.0), "outputP95 is less than outputMean"),
        (asking(trace="trace.csv", outputP95=9.0), "a trace has lengths of its own"),
        ({"clientTimeout": "1 minute"}, "write a duration with its unit"),
        (
            {"cluster": {"pools": {"gpu-h10": {"stockOuts": [{"begin": "1h", "lasts": "1h"}]}}}},
            "cluster.pools names gpu-h10, which is no ComputePool of this folder: did you mean gpu-h100?",
        ),
        ({"cluster": {"pools": {"zzz": {}}}}, "zzz, which is no ComputePool of this folder: there are gpu-h100"),
        ({"startReplicas": {"chat/h10": 1}}, "startReplicas names chat/h10, which is no variant here: did you mean"),
        ({"startReplicas": {"chat/h100": -1}}, "startReplicas.chat/h100 is -1: write 0 or more"),
    ],
)
def test_a_mistake_says_what_to_write(tmp_path: Path, mistake: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidObject) as error:
        a_scenario(tmp_path, **mistake)
    assert told in str(error.value)
    assert "scenario.yaml" in str(error.value)


def test_a_folder_without_scenario_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidObject, match=r"has no scenario\.yaml"):
        load(tmp_path)


def test_a_folder_that_is_not_there_is_not_told_to_lack_a_file(tmp_path: Path) -> None:
    for hours in (None, 1.0):
        with pytest.raises(InvalidObject, match=r"there is no folder .*/nowhere: name one"):
            load(tmp_path / "nowhere", hours=hours)


def test_text_that_is_no_yaml_is_refused(tmp_path: Path) -> None:
    a_folder(tmp_path)
    (tmp_path / "scenario.yaml").write_text("hours: [")
    with pytest.raises(InvalidObject, match="cannot be read as YAML"):
        load(tmp_path)


def test_a_manifest_that_is_not_valid_is_refused_and_not_left_out(tmp_path: Path) -> None:
    with pytest.raises(InvalidObject, match="ComputePool gpu-h100"):
        a_scenario(tmp_path, pool={"provisioningTime": "soon"})


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ({"requests": {"file": "no.csv"}}, "demand[0].requests.file is no.csv"),
        ({"shape": {"file": "no.csv", "lengths": STEADY["lengths"]}}, "demand[0].shape.file is no.csv"),
        ({"clients": {"file": "no"}}, "demand[0].clients.file is no_clients.csv.gz"),
        (
            {"generated": {"meanRps": 1.0, "lengths": {"trace": "no.csv"}}},
            "demand[0].generated.lengths.trace is no.csv",
        ),
    ],
)
def test_a_file_of_demand_that_is_nowhere_is_told_with_its_field_and_the_folders(
    tmp_path: Path, source: dict[str, Any], told: str
) -> None:
    scenario = a_scenario(tmp_path, demand=[{"deployment": "chat", **source}])
    with pytest.raises(InvalidObject) as error:
        refuse_missing_files(scenario)
    assert told in str(error.value)
    assert f"{tmp_path}: copy it there, or set PLIMSOLL_DATA_DIR" in str(error.value)
    refuse_missing_files(scenario, without=[CHAT])


def test_what_is_only_recommended_on_the_cluster_is_done_here(tmp_path: Path) -> None:
    scenario = a_scenario(tmp_path, model={"mode": "Recommend"})
    manifest = scenario.contents.deployments[CHAT]
    assert not isinstance(manifest, InvalidObject)
    assert manifest.spec.mode is Mode.AUTO


@pytest.mark.parametrize(
    ("spec", "routing", "router"),
    [
        ({}, Routing.SERVICE, Router.RANDOM),
        ({}, Routing.LOAD_AWARE, Router.LEAST_LOADED),
        ({}, Routing.HTTP_ROUTE, Router.WEIGHTED),
        ({"router": "RoundRobin"}, Routing.SERVICE, Router.ROUND_ROBIN),
    ],
)
def test_requests_are_spread_as_the_manifests_say_unless_the_scenario_does(
    tmp_path: Path, spec: dict[str, Any], routing: Routing, router: Router
) -> None:
    assert a_scenario(tmp_path, **spec).router(routing) is router
