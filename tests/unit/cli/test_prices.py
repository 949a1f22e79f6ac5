"""Is a price file checked line by line, and does it end up in the right manifests?"""

from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from plimsoll.api import ComputePool
from plimsoll.cli import app
from plimsoll.cli.price_file import price_pools, read_prices
from plimsoll.errors import InvalidObject

TODAY = date(2026, 11, 24)


def pool(name: str, price: dict[str, Any], instance_type: str = "g6.xlarge") -> dict[str, Any]:
    return {
        "apiVersion": "plimsoll.dev/v1alpha1",
        "kind": "ComputePool",
        "metadata": {"name": name},
        "spec": {
            "nodeSelector": {"node.kubernetes.io/instance-type": instance_type},
            "hardware": "l4",
            "price": price,
            "nodes": {"max": 4},
            "provisioningTime": "3m",
        },
    }


L4 = pool("gpu-l4", {"onDemandPerHour": "1.00"})
L4_SPOT = pool("gpu-l4-spot", {"spotPerHour": "0.50", "source": "OpenCost"})
XEON = pool("cpu-amx", {"paid": {"amortisedPerHour": "0.30"}}, "c7i.8xlarge")


def priced(text: str) -> dict[str, Any]:
    rows = read_prices(text, "prices.csv", TODAY)
    found = price_pools(rows, [L4, L4_SPOT, XEON], "prices.csv")
    for manifest in found.manifests:
        ComputePool.model_validate(manifest)
    return {manifest["metadata"]["name"]: manifest["spec"]["price"] for manifest in found.manifests}


def test_a_line_prices_the_pool_that_it_names_and_keeps_its_kind() -> None:
    found = priced("pool,usd_per_hour,as_of,reference\ngpu-l4,0.8048,2026-02-09,list price\ncpu-amx,0.41,,\n")
    assert found == {
        "gpu-l4": {"onDemandPerHour": "0.8048", "asOf": "2026-02-09T00:00:00Z", "reference": "list price"},
        "cpu-amx": {"paid": {"amortisedPerHour": "0.41"}},
    }


def test_an_instance_type_prices_all_pools_of_that_kind_that_select_it() -> None:
    found = priced("instance_type,kind,usd_per_hour\ng6.xlarge,onDemand,0.8048\ng6.xlarge,spot,0.39\n")
    assert found == {
        "gpu-l4": {"onDemandPerHour": "0.8048"},
        "gpu-l4-spot": {"spotPerHour": "0.39", "source": "OpenCost"},
    }


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("gpu-l4,,0", "costs nothing"),
        ("gpu-l4,,-1", "decimal number"),
        ("gpu-l4,,free", "decimal number"),
        ("gpu-l4,,", "empty"),
        ("gpu-l4,,1.00,2027-01-01", "still to come"),
        ("gpu-l4,,1.00,yesterday", "2026-08-01"),
        ("gpu-l4,market,1.00", "onDemand, spot or paid"),
        (",,1.00", "either a pool or an instance_type"),
    ],
)
def test_a_mistake_is_told_with_its_line(line: str, told: str) -> None:
    with pytest.raises(InvalidObject, match=r"prices\.csv:3: ") as caught:
        read_prices(f"pool,kind,usd_per_hour,as_of\ncpu-amx,,1.00\n{line}\n", "prices.csv", TODAY)
    assert told in str(caught.value)


def test_a_pool_that_is_not_there_is_told_with_the_name_that_was_meant() -> None:
    with pytest.raises(InvalidObject, match=r"prices\.csv:2: .*did you mean gpu-l4\?"):
        priced("pool,usd_per_hour\ngpu-l44,1.00\n")


def test_a_pool_with_two_prices_is_a_mistake() -> None:
    with pytest.raises(InvalidObject, match="priced by line 2 too"):
        priced("pool,usd_per_hour\ngpu-l4,1.00\ngpu-l4,2.00\n")


def test_the_command_prints_manifests_and_tells_what_is_old_or_unpriced(tmp_path: Path) -> None:
    (tmp_path / "pools.yaml").write_text(yaml.safe_dump_all([L4, XEON]))
    (tmp_path / "prices.csv").write_text("pool,usd_per_hour,as_of\ngpu-l4,0.8048,2020-02-09\n")
    told = CliRunner().invoke(app, ["prices", str(tmp_path / "prices.csv"), "-f", str(tmp_path / "pools.yaml")])
    assert told.exit_code == 0, told.output
    [manifest] = yaml.safe_load_all(told.stdout)
    assert manifest["spec"]["price"]["onDemandPerHour"] == "0.8048"
    assert "days old" in told.stderr
    assert "cpu-amx: no line prices it" in told.stderr
