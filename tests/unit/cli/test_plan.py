"""Does `plimsoll plan` tell the decision, its price and what is wrong, with an exit code that a pipeline can use?"""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from plimsoll.cli import app
from plimsoll.errors import InvalidObject
from unit.observe.manifests import a_deployment_manifest, a_pool_manifest, a_profile_manifest, a_workload

KINDS = ("InferenceDeployment", "ComputePool", "ServingProfile", "Deployment")


def write_world(folder: Path, **spec: Any) -> None:
    """One deployment `team-a/chat` on four-GPU nodes at 12 USD/h; a replica takes one GPU."""
    manifests = (a_deployment_manifest(**spec), a_pool_manifest(), a_profile_manifest(), a_workload(replicas=0))
    nested = folder / "nested"
    nested.mkdir()
    objects = [{"apiVersion": "x/v1", "kind": kind, **one} for kind, one in zip(KINDS, manifests, strict=True)]
    (nested / "all.yaml").write_text(yaml.safe_dump_all(objects))


def plan(folder: Path, *arguments: str) -> Result:
    """By estimates: a simulation takes a second, and few tests are about it."""
    return simulated_plan(folder, "--quick", *arguments)


def simulated_plan(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(app, ["plan", "-f", str(folder), "-n", "team-a", *arguments])


def test_a_covered_demand_is_feasible_and_has_a_price(tmp_path: Path) -> None:
    write_world(tmp_path)
    result = plan(tmp_path, "--demand", "chat=5:800/200", "-o", "json")
    told = json.loads(result.stdout)
    assert result.exit_code == 0
    assert told["feasible"] is True
    assert told["usdPerHour"] == 12.0  # one node of the pool
    assert told["deployments"][0]["replicaUsdPerHour"] == {"h100": 3.0}  # 12 USD/h, four replicas a node
    assert told["deployments"][0]["targetReplicas"] == 1
    assert told["costGap"] == 0.0  # one replica on one node: nothing less would do


def test_the_table_ends_with_the_price_and_how_close_to_the_lowest_it_is(tmp_path: Path) -> None:
    write_world(tmp_path)
    last = plan(tmp_path, "--demand", "chat=5:800/200").stdout.splitlines()[-2:]
    assert last[0].startswith("total with demand given: $12.00/h")
    assert last[1].startswith("cost equals the proven lower bound")


def test_a_demand_beyond_the_replica_limit_ends_with_1(tmp_path: Path) -> None:
    write_world(tmp_path)
    result = plan(tmp_path, "--demand", "team-a/chat=100000:800/200")
    assert result.exit_code == 1
    assert "NOT FEASIBLE" in result.stdout
    assert "replicas.max" in result.stdout


def test_without_demand_it_asks_for_it_and_prices_a_replica(tmp_path: Path) -> None:
    write_world(tmp_path)
    result = plan(tmp_path)
    assert result.exit_code == 0
    assert "--demand team-a/chat=RATE" in result.stdout
    assert "3.00" in result.stdout


def test_a_rate_without_lengths_says_that_they_are_assumed(tmp_path: Path) -> None:
    write_world(tmp_path)
    assert "assumed token lengths" in plan(tmp_path, "--demand", "chat=5").stdout


def test_a_missing_pool_is_a_finding_with_what_to_change(tmp_path: Path) -> None:
    write_world(tmp_path, variants=[a_deployment_manifest()["spec"]["variants"][0] | {"pool": "no-such-pool"}])
    result = plan(tmp_path, "-o", "yaml")
    assert result.exit_code == 1
    assert "PoolMissing" in {one["reason"] for one in yaml.safe_load(result.stdout)["findings"]}


def test_an_invalid_pool_ends_with_1_and_names_the_field(tmp_path: Path) -> None:
    write_world(tmp_path)
    broken = {"kind": "ComputePool", **a_pool_manifest("broken", provisioningTime="soon")}
    (tmp_path / "broken.yaml").write_text(yaml.safe_dump(broken))
    result = plan(tmp_path, "--demand", "chat=5:800/200")
    assert result.exit_code == 1
    assert "spec.provisioningTime" in result.stdout


def test_the_same_manifests_give_the_same_bytes(tmp_path: Path) -> None:
    write_world(tmp_path)
    arguments = ("--demand", "chat=5:800/200", "-o", "json")
    assert plan(tmp_path, *arguments).stdout == plan(tmp_path, *arguments).stdout
    assert simulated_plan(tmp_path, *arguments).stdout == simulated_plan(tmp_path, *arguments).stdout


def test_it_says_for_each_variant_whether_its_safe_rate_is_estimated_or_simulated(tmp_path: Path) -> None:
    write_world(tmp_path)
    demand = ("--demand", "chat=5:800/200")
    for make, word in ((plan, "Estimate"), (simulated_plan, "Simulation")):
        (variant,) = json.loads(make(tmp_path, *demand, "-o", "json").stdout)["deployments"][0]["variants"]
        assert variant["sizedBy"] == word
        assert f" {word.lower()} " in make(tmp_path, *demand).stdout


@pytest.mark.parametrize("text", ["chat", "chat=", "chat=fast", "chat=-1", "chat=nan", "chat=5:800", "chat=5:a/b"])
def test_a_demand_that_cannot_be_read_shows_how_to_write_it(tmp_path: Path, text: str) -> None:
    write_world(tmp_path)
    error = plan(tmp_path, "--demand", text).exception
    assert isinstance(error, InvalidObject)
    assert "chat=12.5:800/200" in str(error)


def test_demand_for_a_deployment_that_is_not_there_lists_those_that_are(tmp_path: Path) -> None:
    write_world(tmp_path)
    error = plan(tmp_path, "--demand", "chatt=5").exception
    assert isinstance(error, InvalidObject)
    assert "team-a/chat" in str(error)


def test_a_folder_without_a_deployment_is_bad_input(tmp_path: Path) -> None:
    assert isinstance(plan(tmp_path).exception, InvalidObject)


def test_a_file_that_is_no_yaml_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text("a: [")
    error = plan(tmp_path).exception
    assert isinstance(error, InvalidObject)
    assert "broken.yaml" in str(error)


@pytest.mark.parametrize(
    "spec",
    [None, {"template": {"spec": {"containers": [{"resources": {"requests": {"cpu": "lots"}}}]}}}, ["no", "mapping"]],
)
def test_a_workload_that_no_api_server_would_take_is_bad_input(tmp_path: Path, spec: Any) -> None:
    write_world(tmp_path)
    made = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "other"}, "spec": spec}
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(made))
    error = plan(tmp_path, "--demand", "chat=5").exception
    assert isinstance(error, InvalidObject)
    assert "other.yaml: Deployment other cannot be read" in str(error)


def test_what_overflows_to_the_external_api_is_no_shortage_and_is_told_with_its_price(tmp_path: Path) -> None:
    api = {"inputPerMillion": "0.01", "outputPerMillion": "0.01", "use": "Overflow"}
    write_world(tmp_path, externalAPI=api, demand={"engine": "Gateway"})
    result = plan(tmp_path, "--demand", "chat=5:800/200")
    assert result.exit_code == 0
    # 5 req/s x 3600 s x 1000 tokens x 0.01 USD a million, against 12 USD for a node.
    assert "5.0 of 5.0 req/s go to the external API ($0.18/h)" in " ".join(result.stdout.split())
    assert "total with demand given: $0.18/h" in result.stdout
