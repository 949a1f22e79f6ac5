"""The main job on a real control plane: replicas follow demand, and moves between pools never drop what is needed."""

import pytest

from integration.world import DOWN_WITHIN_S, LITTLE_RPS, MUCH_RPS, UP_WITHIN_S, CapacityRecord, World
from plimsoll_testkit.json_api import items


def test_a_rise_of_the_metric_becomes_ready_pods(world: World) -> None:
    world.add_model()
    world.set_demand(LITTLE_RPS)
    world.start_operator()
    world.wait_for_ready({"chat-cpu": 1}, UP_WITHIN_S)
    world.set_demand(MUCH_RPS)
    world.wait_for_ready({"chat-gpu": 1}, UP_WITHIN_S)
    world.wait(lambda: world.condition("Ready").get("status") == "True", "Ready", UP_WITHIN_S)
    status = world.model()["status"]
    assert status["demand"]["state"] == "Known"
    assert float(status["cost"]["perHour"]) >= 4.0
    assert float(status["cost"]["perMillionTokens"]) > 0.0
    events = items(world.api, f"/apis/events.k8s.io/v1/namespaces/{world.namespace}/events")
    told = [one for one in events if one["regarding"]["kind"] == "InferenceDeployment"]
    assert any("gpu 0 -> 1" in one["note"] for one in told)


def test_stateful_sets_are_scaled_as_well(world: World) -> None:
    world.add_model(kind="StatefulSet")
    world.set_demand(MUCH_RPS)
    world.start_operator()
    world.wait_for_ready({"chat-gpu": 1}, UP_WITHIN_S, kind="StatefulSet")


@pytest.mark.waits_long
def test_a_move_to_cpu_and_back_never_takes_away_what_demand_needs(world: World) -> None:
    world.add_model()
    world.set_demand(MUCH_RPS)
    world.start_operator()
    world.wait_for_ready({"chat-gpu": 1}, UP_WITHIN_S)
    record = world.record_capacity()
    world.set_demand(LITTLE_RPS)
    world.wait_for_ready({"chat-cpu": 1, "chat-gpu": 0}, DOWN_WITHIN_S)
    safe = {name: world.safe_rate_rps(name) for name in ("gpu", "cpu")}
    assert safe["cpu"] > LITTLE_RPS / 4
    _assert_never_below(record, safe, LITTLE_RPS)

    down = len(record.events)
    world.set_demand(MUCH_RPS)
    world.wait_for_ready({"chat-gpu": 1, "chat-cpu": 0}, DOWN_WITHIN_S)
    # Until the GPU is ready the rise cannot be met; what must not happen is that the CPU leaves before.
    on_cpu = [event for event in record.events[down:] if event.get("chat-gpu", 0) == 0]
    assert all(event["chat-cpu"] >= 1 for event in on_cpu)
    gpu_came = next(i for i, event in enumerate(record.events[down:], down) if event.get("chat-gpu", 0) >= 1)
    after = CapacityRecord(record.events[gpu_came:])
    enough = [_capacity(event, safe) >= MUCH_RPS for event in after.events]
    assert enough == sorted(enough), "once there was enough, it was never taken away again"
    assert enough[-1]


def _assert_never_below(record: CapacityRecord, safe: dict[str, float], demand_rps: float) -> None:
    assert len(record.events) > 1
    for event in record.events:
        assert _capacity(event, safe) >= demand_rps, f"{event} carries less than {demand_rps} req/s"


def _capacity(event: dict[str, int], safe: dict[str, float]) -> float:
    return sum(event.get(f"chat-{place}", 0) * rate for place, rate in safe.items())
