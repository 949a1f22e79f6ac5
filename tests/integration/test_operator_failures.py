"""What may break around the operator, and what must hold meanwhile, on a real control plane."""

import time
from datetime import UTC, datetime

import pytest
from kubernetes.client import ApiClient

from integration.world import (
    CPU_REPLICAS_MAX,
    DOWN_WITHIN_S,
    GRACEFUL_EXIT_S,
    LITTLE_RPS,
    MUCH_RPS,
    TICK_S,
    UP_WITHIN_S,
    World,
    lease_holder,
)
from plimsoll.api import API_VERSION
from plimsoll.settings import LoopSettings
from plimsoll_testkit.cluster_autoscaler import AutoscaledPool, ClusterAutoscaler
from plimsoll_testkit.control_plane import ControlPlane
from plimsoll_testkit.json_api import MERGE_PATCH, delete, request

SILENCE_S = 120.0
SUCCESSION_S = 20.0
MARK_ENDS_IN_S = 12.0


@pytest.mark.waits_long
def test_two_minutes_without_prometheus_at_high_load_scale_nothing_down(world: World) -> None:
    world.add_model()
    world.set_demand(MUCH_RPS)
    operator = world.start_operator()
    world.wait_for_ready({"chat-gpu": 1}, UP_WITHIN_S)
    world.prometheus.kill()
    # Were the missing metric read as zero, this demand would be gone and the GPU with it.
    world.set_demand(LITTLE_RPS)
    world.wait(lambda: world.condition("DemandKnown").get("status") == "False", "DemandKnown False", UP_WITHIN_S)
    assert world.condition("DemandKnown")["reason"] == "MetricsUnreachable"
    replicas = world.replicas("chat-gpu"), world.replicas("chat-cpu")
    assert replicas[0] >= 1
    until_s = time.monotonic() + SILENCE_S
    while time.monotonic() < until_s:
        assert (world.replicas("chat-gpu"), world.replicas("chat-cpu")) == replicas
        assert operator.is_running
        time.sleep(TICK_S)
    world.set_demand(MUCH_RPS)
    world.prometheus.start()
    world.wait(lambda: world.condition("DemandKnown").get("status") == "True", "DemandKnown True", UP_WITHIN_S)
    assert world.replicas("chat-gpu") >= replicas[0]


@pytest.mark.waits_long
def test_an_operator_killed_in_the_middle_of_a_move_neither_doubles_nor_drops_anything(world: World) -> None:
    world.add_model()
    world.set_demand(MUCH_RPS)
    operator = world.start_operator("first")
    world.wait_for_ready({"chat-gpu": 1}, UP_WITHIN_S)
    gpu_before = world.replicas("chat-gpu")
    record = world.record_capacity()
    world.set_demand(LITTLE_RPS)
    world.wait(lambda: world.replicas("chat-cpu") >= 1, "the move to begin", DOWN_WITHIN_S)
    operator.kill()
    asked = world.replicas("chat-cpu")
    world.start_operator("second")
    world.wait_for_ready({"chat-cpu": 1, "chat-gpu": 0}, DOWN_WITHIN_S)
    safe = {f"chat-{name}": world.safe_rate_rps(name) for name in ("gpu", "cpu")}
    for event in record.events:
        assert sum(event[name] * rate for name, rate in safe.items()) >= LITTLE_RPS, f"a gap: {event}"
        assert event["chat-gpu"] <= gpu_before, f"a double: {event}"
    # What the first had asked for may still become ready; the second must not add to it.
    allowed = max(asked, -(-LITTLE_RPS * 2 // safe["chat-cpu"]))
    assert max(event["chat-cpu"] for event in record.events) <= allowed


def test_when_the_leader_is_killed_the_other_replica_writes_within_20_seconds(world: World) -> None:
    # As it runs at its users: neither its lease nor its ticks are made quicker for the test.
    interval_s = LoopSettings().interval_s
    world.add_model()
    world.set_demand(LITTLE_RPS)
    first = world.start_operator("first", f"loop.interval_s={interval_s}")
    world.wait(lambda: lease_holder(world) != "", "a leader", UP_WITHIN_S)
    leader = lease_holder(world)
    second = world.start_operator("second", f"loop.interval_s={interval_s}")
    world.wait_for_ready({"chat-cpu": 1}, UP_WITHIN_S)
    world.wait_for_listing(second)
    time.sleep(interval_s + TICK_S)
    assert lease_holder(world) == leader
    assert world.writes_of(second) == [], "the standby wrote"

    first.kill()
    killed_s = time.monotonic()
    world.set_demand(MUCH_RPS)
    world.wait(lambda: world.replicas("chat-gpu") >= 1, "the successor to act", SUCCESSION_S)
    assert time.monotonic() - killed_s <= SUCCESSION_S
    assert lease_holder(world) != leader
    world.wait(lambda: bool(world.writes_of(second)), "the successor to say so", 5.0)


def test_a_standby_takes_over_at_once_when_the_leader_leaves_in_order(world: World) -> None:
    world.add_model()
    world.set_demand(LITTLE_RPS)
    first = world.start_operator("first")
    world.wait_for_ready({"chat-cpu": 1}, UP_WITHIN_S)
    world.wait_for_listing(world.start_operator("second"))
    time.sleep(2 * TICK_S)
    asked_s = time.monotonic()
    first.stop()
    assert time.monotonic() - asked_s <= GRACEFUL_EXIT_S
    assert first.exit_code == 0
    world.wait(lambda: lease_holder(world) != "", "a successor", 5.0)


def test_pods_of_namespaces_that_are_not_served_take_room_on_the_nodes(world: World, api: ApiClient) -> None:
    # One on each CPU node: beside it a replica has no room.
    container = {"name": "other", "image": "other:1", "resources": {"requests": {"cpu": "9"}}}
    pods = "/api/v1/namespaces/default/pods"
    names = [f"{world.namespace}-other-{i}" for i in range(CPU_REPLICAS_MAX)]
    try:
        for name in names:
            spec = {"nodeSelector": {"pool": world.cpu}, "containers": [container]}
            request(api, "POST", pods, {"metadata": {"name": name}, "spec": spec})
        bound = [f"{pods}/{name}" for name in names]
        world.wait(lambda: all(_is_running(api, path) for path in bound), "the others to run", UP_WITHIN_S)
        world.add_model()
        world.set_demand(LITTLE_RPS)
        world.start_operator()
        world.wait_for_ready({"chat-gpu": 1}, UP_WITHIN_S)
        assert world.replicas("chat-cpu") == 0
    finally:
        for name in names:
            delete(api, f"{pods}/{name}", grace_s=0)


@pytest.mark.waits_long
def test_a_stock_out_is_marked_answered_on_another_pool_and_tried_again_when_the_mark_ends(
    world: World, control_plane: ControlPlane, api: ApiClient
) -> None:
    scarce = f"{world.namespace}-scarce"
    label = {"pool": scarce}
    spec = {
        "nodeSelector": label,
        "hardware": "h100",
        "price": {"onDemandPerHour": "1.00"},
        "nodes": {"min": 0, "max": 3},
        "provisioningTime": "2s",
        "resources": {"cpu": "16", "memory": "64Gi", "nvidia.com/gpu": "1"},
    }
    world.add_pool(scarce, spec)
    pool = AutoscaledPool(
        scarce, label, {"cpu": "16", "memory": "64Gi", "nvidia.com/gpu": "1"}, boot_s=1.0, max_nodes=3
    )
    world.add_workload("chat-scarce", scarce, {"cpu": "8", "nvidia.com/gpu": "1"})
    world.add_model(extra={"scarce": scarce})
    with ClusterAutoscaler(control_plane.api_client, [pool]) as autoscaler:
        autoscaler.set_out_of_stock(scarce, True)
        world.set_demand(MUCH_RPS)
        operator = world.start_operator("first")
        world.wait(lambda: world.replicas("chat-scarce") >= 1, "the cheaper pool to be tried", UP_WITHIN_S)
        world.wait_for_ready({"chat-gpu": 1}, 90.0)
        path = f"/apis/{API_VERSION}/computepools/{scarce}"
        status = request(api, "GET", path)["status"]
        assert status["stockedOutUntil"]
        ready = next(one for one in status["conditions"] if one["type"] == "Ready")
        assert (ready["status"], ready["reason"]) == ("False", "StockOut")
        world.wait(lambda: world.replicas("chat-scarce") == 0, "the pending pod to be withdrawn", UP_WITHIN_S)

        # The mark stands for five minutes and survives a restart in the pool's status: the test lets it end sooner.
        operator.stop()
        autoscaler.set_out_of_stock(scarce, False)
        soon = datetime.fromtimestamp(time.time() + MARK_ENDS_IN_S, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        request(api, "PATCH", f"{path}/status", {"status": {"stockedOutUntil": soon}}, content_type=MERGE_PATCH)
        world.start_operator("second")
        until_s = time.monotonic() + MARK_ENDS_IN_S - 4.0
        while time.monotonic() < until_s:
            assert world.replicas("chat-scarce") == 0, "the mark has not ended yet"
            time.sleep(TICK_S)
        # The wish for what is only cheaper stands for a while first (some 20 s here), and then a node has to boot.
        world.wait(lambda: world.replicas("chat-scarce") == 1, "the pool to be tried again", UP_WITHIN_S)
        world.wait_for_ready({"chat-scarce": 1, "chat-gpu": 0}, DOWN_WITHIN_S)


def _is_running(api: ApiClient, path: str) -> bool:
    return bool(request(api, "GET", path)["status"]["phase"] == "Running")
