"""Demand beyond the budget: free nodes are used up, paid ones up to the budget, and what is missing is told."""

import pytest

from integration.world import CPU_REPLICAS_MAX, DOWN_WITHIN_S, MUCH_RPS, UP_WITHIN_S, World


@pytest.mark.waits_long
def test_budget_degradation(world: World) -> None:
    # One GPU node costs 4.00 USD/h, a second one would exceed the budget; the CPU nodes are paid for.
    world.add_model(budget={"perHour": "4.50"})
    world.set_demand(MUCH_RPS)
    world.start_operator()
    world.wait_for_ready({"chat-gpu": 1}, UP_WITHIN_S)
    world.wait(lambda: world.condition("Ready").get("status") == "True", "Ready", UP_WITHIN_S)
    record = world.record_capacity()

    world.set_demand(5 * world.safe_rate_rps("gpu"))
    world.wait(lambda: world.condition("CapacityAvailable").get("status") == "False", "a shortage", UP_WITHIN_S)
    world.wait_for_ready({"chat-cpu": CPU_REPLICAS_MAX}, UP_WITHIN_S)
    status = world.model()["status"]
    assert float(status["plan"]["shortfallRate"]) > 0.0
    assert float(status["cost"]["perHour"]) <= 4.5
    assert "budget.perHour 4.50" in world.condition("CapacityAvailable")["message"]
    assert world.condition("Ready")["reason"] == "CapacityShort"

    world.set_demand(MUCH_RPS)
    world.wait(lambda: world.condition("CapacityAvailable").get("status") == "True", "no shortage", DOWN_WITHIN_S)
    assert "shortfallRate" not in world.model()["status"]["plan"]
    assert all(event.get("chat-gpu", 0) <= 1 for event in record.events), "never over budget"
