"""What the operator must leave alone, on a real control plane: modes, rivals, Git's fields, and a cluster at rest."""

import time
from typing import Any

import pytest

from integration.world import LITTLE_RPS, MUCH_RPS, TICK_S, UP_WITHIN_S, World
from plimsoll_testkit.json_api import items, request

REST_S = 60.0
SETTLE_S = 100.0
"""The first minute of demand is told once it is over, in a status written at most every half a minute."""
TOO_MUCH_RPS = 10_000.0
"""Conditions turn, latencies of the first minute pass; a guess."""


@pytest.mark.parametrize("mode", ["Recommend", "Paused"])
def test_recommend_and_paused_change_nothing_but_status(world: World, mode: str) -> None:
    world.add_model(mode=mode)
    world.set_demand(MUCH_RPS)
    world.start_operator()
    reason = {"Recommend": "RecommendOnly", "Paused": "Paused"}[mode]
    world.wait(lambda: world.condition("Ready").get("reason") == reason, "a status", UP_WITHIN_S)
    time.sleep(5 * TICK_S)
    assert world.replicas("chat-gpu") == 0
    assert world.replicas("chat-cpu") == 0
    status = world.model()["status"]
    assert status["targetReplicas"] == (1 if mode == "Recommend" else 0)
    assert status["plan"]["phase"] == {"Recommend": "Recommended", "Paused": "Paused"}[mode]
    # Nothing runs, so what arrives is not served, and nothing is under way that would change it.
    assert world.condition("Ready")["status"] == "False"
    assert world.condition("Reconciling").get("status") != "True"
    assert "set mode: Auto to" in world.condition("Ready")["message"]
    # More demand than all pools carry is worth an Event in mode Auto.
    world.set_demand(TOO_MUCH_RPS)
    if mode == "Recommend":
        world.wait(lambda: world.model()["status"]["targetReplicas"] > 1, "a larger recommendation", UP_WITHIN_S)
    time.sleep(5 * TICK_S)
    assert world.events_about("chat") == []


def test_a_paused_model_that_is_resumed_scales(world: World) -> None:
    world.add_model(mode="Paused")
    world.set_demand(MUCH_RPS)
    world.start_operator()
    world.wait(lambda: world.model().get("status") is not None, "a status", UP_WITHIN_S)
    assert world.replicas("chat-gpu") == 0
    world.apply_model(mode="Auto")
    world.wait_for_ready({"chat-gpu": 1}, UP_WITHIN_S)


def test_a_target_with_an_hpa_is_refused_and_the_other_variant_goes_on(world: World) -> None:
    world.add_model()
    world.scale("chat-cpu", 1)
    _add_hpa(world, "chat-cpu")
    world.set_demand(MUCH_RPS)
    world.start_operator()
    world.wait_for_ready({"chat-gpu": 1}, UP_WITHIN_S)
    ready = world.condition("Ready")
    assert ready["status"] == "False"
    assert ready["reason"] == "RivalAutoscaler"
    assert "HorizontalPodAutoscaler" in ready["message"]
    assert world.replicas("chat-cpu") == 1


def test_git_and_plimsoll_never_fight_over_a_field(world: World) -> None:
    world.add_model()
    world.set_demand(MUCH_RPS)
    world.start_operator()
    world.wait_for_ready({"chat-gpu": 1}, UP_WITHIN_S)
    replicas = world.replicas("chat-gpu")
    generations = set()
    for _ in range(10):
        # Conflicts are refused, not forced: a field that somebody else took over would fail here.
        world.apply_model()
        world.apply_workload("chat-gpu", world.gpu, {"cpu": "8", "nvidia.com/gpu": "1"})
        generations.add(world.model()["metadata"]["generation"])
        assert world.replicas("chat-gpu") == replicas
        time.sleep(TICK_S)
    assert len(generations) == 1
    managers = _spec_managers(world.model())
    assert managers == {"user"}


@pytest.mark.waits_long
def test_a_cluster_at_rest_sees_no_write_but_the_lease(world: World) -> None:
    world.add_model()
    world.set_demand(LITTLE_RPS)
    world.start_operator()
    world.wait_for_ready({"chat-cpu": 1}, UP_WITHIN_S)
    world.wait(lambda: world.condition("Ready").get("status") == "True", "Ready", UP_WITHIN_S)
    time.sleep(SETTLE_S)
    before, told = world.versions(), world.model()["status"]
    time.sleep(REST_S)
    assert world.model()["status"] == told, "the status was written although nothing changed"
    assert world.versions() == before


def _spec_managers(raw: dict[str, Any]) -> set[str]:
    return {entry["manager"] for entry in raw["metadata"]["managedFields"] if "f:spec" in entry["fieldsV1"]}


def _add_hpa(world: World, deployment: str) -> None:
    manifest = {
        "metadata": {"name": "rival"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment},
            "minReplicas": 1,
            "maxReplicas": 1,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
                }
            ],
        },
    }
    path = f"/apis/autoscaling/v2/namespaces/{world.namespace}/horizontalpodautoscalers"
    request(world.api, "POST", path, manifest)
    assert items(world.api, path)
