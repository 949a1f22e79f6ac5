"""Does a pool count with what OpenCost exports, through a real Prometheus, and say where its price comes from?"""

from typing import Any

from kubernetes.client import ApiClient

from integration.world import LITTLE_RPS, UP_WITHIN_S, World
from plimsoll.api import API_VERSION
from plimsoll_testkit.json_api import items, request


def price_status(api: ApiClient, pool: str) -> dict[str, Any]:
    found = request(api, "GET", f"/apis/{API_VERSION}/computepools/{pool}")
    return (found.get("status") or {}).get("price") or {}


def test_a_pool_counts_with_opencosts_price_and_never_with_zero(world: World, api: ApiClient) -> None:
    [node, *_] = items(api, "/api/v1/nodes", {"labelSelector": f"pool={world.gpu}"})
    gauge = f'node_total_hourly_cost{{node="{node["metadata"]["name"]}"}}'
    world.page.gauges[gauge] = 0.0
    pool = request(api, "GET", f"/apis/{API_VERSION}/computepools/{world.gpu}")
    world.add_pool(world.gpu, {**pool["spec"], "price": {"onDemandPerHour": "4.00", "source": "OpenCost"}})
    world.add_model()
    world.set_demand(LITTLE_RPS)
    world.start_operator()

    world.wait(lambda: "message" in price_status(api, world.gpu), "a price that is none to be told", UP_WITHIN_S)
    told = price_status(api, world.gpu)
    assert (told["perHour"], told["source"]) == ("4.0000", "Manifest")
    assert "node_total_hourly_cost" in told["message"]

    world.page.gauges[gauge] = 7.5
    world.wait(lambda: price_status(api, world.gpu).get("perHour") == "7.5000", "OpenCost's price", UP_WITHIN_S)
    assert price_status(api, world.gpu)["source"] == "OpenCost"
    assert "asOf" in price_status(api, world.gpu)
