"""Getting there on a real control plane: bridges, moves that do not pay back, spot nodes that go, no replicas."""

import re
from typing import Any

from kubernetes.client import ApiClient

from integration.world import CPU_REPLICAS_MAX, DOWN_WITHIN_S, LITTLE_RPS, MEDIAN, MUCH_RPS, UP_WITHIN_S, World
from plimsoll.api import API_VERSION
from plimsoll_testkit.cluster_autoscaler import AutoscaledPool, ClusterAutoscaler
from plimsoll_testkit.control_plane import ControlPlane
from plimsoll_testkit.json_api import MERGE_PATCH, items, request

GPU_NODE = {"cpu": "16", "memory": "64Gi", "nvidia.com/gpu": "1"}
GPU_REPLICA = {"cpu": "8", "nvidia.com/gpu": "1"}
SLOW_START_S = 20.0
STRATEGIC_MERGE_PATCH = "application/strategic-merge-patch+json"


def an_autoscaled_pool(world: World, name: str, price: dict[str, str], provisioning: str) -> AutoscaledPool:
    """A pool of GPU nodes that come within a second, whatever it says of its provisioning time."""
    pool = f"{world.namespace}-{name}"
    world.add_pool(
        pool,
        {
            "nodeSelector": {"pool": pool},
            "hardware": "h100",
            "price": price,
            "nodes": {"min": 0, "max": 3},
            "provisioningTime": provisioning,
            "resources": GPU_NODE,
        },
    )
    world.add_workload(f"chat-{name}", pool, GPU_REPLICA)
    return AutoscaledPool(pool, {"pool": pool}, GPU_NODE, boot_s=1.0, max_nodes=3)


def test_quick_cpus_bridge_the_start_of_a_gpu_and_leave_when_it_is_ready(world: World) -> None:
    world.add_model()
    world.start_slowly("gpu", SLOW_START_S)
    world.set_demand(LITTLE_RPS)
    operator = world.start_operator()
    world.wait_for_ready({"chat-cpu": 1}, UP_WITHIN_S)
    record = world.record_capacity()
    world.set_demand(MUCH_RPS)
    world.wait_for_ready({"chat-gpu": 1, "chat-cpu": 0}, 2 * UP_WITHIN_S)
    bridges = [one for one in world.writes_of(operator) if one["reason"] == "Bridging"]
    assert [one["variant"] for one in bridges][:1] == ["cpu"]
    assert "bridge until slower replicas are ready" in str(bridges[0]["message"])
    # All of them carried demand while the GPU was not there yet, and none came back once it was.
    carried = [event["chat-cpu"] for event in record.events if event["chat-gpu"] == 0]
    assert max(carried) == CPU_REPLICAS_MAX
    assert world.replicas("chat-cpu") == 0


def test_a_move_that_does_not_pay_back_is_refused_with_figures_and_made_once_it_pays(
    world: World, control_plane: ControlPlane, api: ApiClient
) -> None:
    world.add_model()
    world.set_demand(MUCH_RPS)
    world.start_operator()
    world.wait_for_ready({"chat-gpu": 1}, UP_WITHIN_S)
    # 2 USD an hour cheaper; its nodes are said to take half an hour, and a plan is expected to stand for no longer.
    near = an_autoscaled_pool(world, "near", {"onDemandPerHour": "2.00"}, "30m")
    with ClusterAutoscaler(control_plane.api_client, [near]):
        world.apply_model(extra={"near": near.name})
        refused = "ChangeDoesNotPay"
        world.wait(lambda: world.alternative("near").get("reason") == refused, "the move to be refused", UP_WITHIN_S)
        # For how long is learned from the moves there have been, half an hour at most.
        told = re.match(
            r"saves 2\.00 USD/h, [01]\.\d\d\d USD in the ([1-3]?\d) min", world.alternative("near")["detail"]
        )
        assert told is not None, world.alternative("near")["detail"]
        assert world.variant("near")["reason"] == refused
        assert world.replicas("chat-near") == 0

        sooner = {"spec": {"provisioningTime": "5s"}}
        request(api, "PATCH", f"/apis/{API_VERSION}/computepools/{near.name}", sooner, content_type=MERGE_PATCH)
        world.wait_for_ready({"chat-near": 1, "chat-gpu": 0}, DOWN_WITHIN_S)


def test_what_a_rise_found_too_little_of_stays_ready_over_a_restart_until_the_policy_ends_it(world: World) -> None:
    world.plan_for(MEDIAN, longest_standby="1h")
    world.add_model()
    world.set_demand(LITTLE_RPS)
    first = world.start_operator("first")
    world.wait_for_ready({"chat-cpu": 1}, UP_WITHIN_S)
    world.set_demand(MUCH_RPS)
    world.wait_for_ready({"chat-gpu": 1}, UP_WITHIN_S)
    world.set_demand(LITTLE_RPS)

    def kept() -> bool:
        return world.variant("gpu").get("reason") == "KeptForNextRise" and "since" in standby()

    def standby() -> dict[str, str]:
        told: dict[str, str] = world.model()["status"]["plan"].get("standby", {})
        return told

    world.wait(kept, "a GPU that is kept, and since when", DOWN_WITHIN_S)
    told = standby()
    # Less the chance of counting.
    assert float(told["rate"]) >= 0.7 * MUCH_RPS
    first.stop()
    second = world.start_operator("second")
    world.wait(lambda: standby().get("idled", "0") > told.get("idled", "0"), "idling that is counted on", UP_WITHIN_S)
    assert standby()["since"] == told["since"]
    assert world.writes_of(second) == []
    world.plan_for(MEDIAN)
    world.wait_for_ready({"chat-gpu": 0, "chat-cpu": 1}, DOWN_WITHIN_S)
    assert standby() == {}


def test_a_spot_node_with_an_interruption_notice_is_replaced_before_it_is_gone(
    world: World, control_plane: ControlPlane, api: ApiClient
) -> None:
    spot = an_autoscaled_pool(world, "spot", {"spotPerHour": "1.00"}, "2s")
    world.add_model(extra={"spot": spot.name})
    with ClusterAutoscaler(control_plane.api_client, [spot]):
        world.set_demand(MUCH_RPS)
        operator = world.start_operator()
        world.wait_for_ready({"chat-spot": 1}, UP_WITHIN_S)
        world.wait_for_ready({"chat-spot": 1, "chat-gpu": 0}, DOWN_WITHIN_S)
        (pod,) = pods_of(api, world, "chat-spot")
        node, record = pod["spec"]["nodeName"], world.record_capacity()
        # As the AWS Node Termination Handler does it; the node itself stays for as long as anybody looks.
        notice = {"key": "aws-node-termination-handler/spot-itn", "effect": "NoSchedule"}
        spec = {"spec": {"unschedulable": True, "taints": [notice]}}
        request(api, "PATCH", f"/api/v1/nodes/{node}", spec, content_type=STRATEGIC_MERGE_PATCH)

        def replaced() -> bool:
            nodes = [one["spec"].get("nodeName") for one in pods_of(api, world, "chat-spot")]
            return nodes != [] and node not in nodes and world.replicas("chat-spot") == 1

        world.wait(replaced, "another node to serve", 2 * UP_WITHIN_S)
        assert min(event["chat-spot"] + event["chat-gpu"] for event in record.events) >= 1
        assert "NodeLeaving" in {one["reason"] for one in world.writes_of(operator)}


def pods_of(api: ApiClient, world: World, app: str) -> list[dict[str, Any]]:
    """Pods of one workload that are not on their way out."""
    found = items(api, f"/api/v1/namespaces/{world.namespace}/pods")
    return [
        one
        for one in found
        if one["metadata"]["labels"].get("app") == app and "deletionTimestamp" not in one["metadata"]
    ]


def test_without_a_gateway_one_replica_stays_and_the_status_says_why(world: World) -> None:
    world.add_model()
    world.set_demand(0.0)
    world.start_operator()
    world.wait_for_ready({"chat-cpu": 1}, UP_WITHIN_S)
    world.wait(lambda: world.variant("cpu").get("reason") == "KeepsOneReplica", "the reason to be told", UP_WITHIN_S)
    assert "without any, this source of demand would see no request" in world.variant("cpu")["message"]
    assert (world.replicas("chat-cpu"), world.replicas("chat-gpu")) == (1, 0)


def test_where_a_gateway_shows_demand_nothing_runs_without_it_and_a_replica_comes_with_it(world: World) -> None:
    world.add_model(demand={"engine": "Gateway"})
    world.scale("chat-cpu", 1)
    arrive_at_gateway(world, 0.0)
    world.start_operator()
    world.wait_for_ready({"chat-cpu": 0, "chat-gpu": 0}, DOWN_WITHIN_S)
    world.wait(lambda: world.replicas("chat-cpu") == 0, "no replica to be asked for", UP_WITHIN_S)
    arrive_at_gateway(world, LITTLE_RPS)
    world.wait_for_ready({"chat-cpu": 1}, UP_WITHIN_S)


def arrive_at_gateway(world: World, rate_rps: float) -> None:
    """From now on so many requests of 256 prompt and 64 output tokens are counted by an endpoint picker."""
    name = '{model_name="acme/llama"}'
    world.page.rates[f"inference_objective_request_total{name}"] = rate_rps
    for tokens, mean in (("input", 256.0), ("output", 64.0)):
        world.page.rates[f"inference_objective_{tokens}_tokens_sum{name}"] = rate_rps * mean
        world.page.rates[f"inference_objective_{tokens}_tokens_count{name}"] = rate_rps
