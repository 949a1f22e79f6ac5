"""Demand on its way down passes through rates at which something else is cheapest for a moment: nothing starts then."""

import pytest

from plimsoll.domain import LatencyMetric, LatencyTarget, PriceKind, StepTime, TokenMix
from unit.builders import GIB, NOW_S, a_demand, a_deployment, a_policy, a_pool, a_profile, a_variant
from unit.decide.world import World

GPU = a_variant(
    "gpu",
    pool="gpu",
    profile=a_profile("gpu", step_time=StepTime(7.0, 0.02, 0.02, 0.0001), max_sequences=256, startup_s=2.0),
    per_replica={"cpu": 8.0, "nvidia.com/gpu": 1.0},
    max_replicas=3,
)
"""73 req/s a replica, at 4 USD an hour."""
CPU = a_variant(
    "cpu",
    pool="cpu",
    profile=a_profile("cpu", step_time=StepTime(40.0, 2.0, 0.6, 0.001), max_sequences=16, startup_s=2.0),
    per_replica={"cpu": 12.0},
    max_replicas=4,
)
"""1.4 req/s a replica, on nodes that are paid for: the cheapest up to 5.5 req/s."""
SLO = (LatencyTarget(LatencyMetric.TTFT, 0.95, 3000.0), LatencyTarget(LatencyMetric.TPOT, 0.95, 200.0))
MIX = TokenMix(256.0, 256.0, 64.0, 64.0)
MUCH_RPS, LITTLE_RPS = 12.0, 1.0


def a_busy_world(begins_s: float) -> World:
    """One GPU serves, ticks come every second, and stabilisation is far shorter than what the forecast remembers."""
    gpu_node, cpu_node = {"cpu": 16.0, "memory": 64 * GIB, "nvidia.com/gpu": 1.0}, {"cpu": 16.0, "memory": 64 * GIB}
    quick = a_policy(scale_down_stabilization_s=3.0)
    world = World(
        [a_deployment(variants=[GPU, CPU], slo=SLO, policy=quick)],
        [
            a_pool("gpu", nodes=3, node_resources=gpu_node, price_usd_per_hour=4.0, max_nodes=3, provisioning_s=0.0),
            a_pool("cpu", nodes=4, node_resources=cpu_node, price_kind=PriceKind.PAID, max_nodes=4, provisioning_s=0.0),
        ],
        now_s=begins_s,
        tick_s=1.0,
        empty_node_stays_s=1e9,
    )
    arrive(world, MUCH_RPS, 25)
    assert world.replicas() == {"gpu": 1}
    return world


def arrive(world: World, rps: float, ticks: int) -> None:
    for _ in range(ticks):
        world.tick(a_demand(rps, tokens=MIX, window_s=4.0, sees_zero_replicas=False))


# The forecast remembers a sample every 10 s of the clock: where in that stretch demand falls decides what it says
# meanwhile (3 to 10 req/s), so every offset is tried, and a fall at once as well as one averaged over 4 s.
@pytest.mark.parametrize("offset_s", range(10))
@pytest.mark.parametrize("averaged_s", [1, 4])
def test_a_rate_that_is_passed_on_the_way_down_starts_nothing(offset_s: int, averaged_s: int) -> None:
    world = a_busy_world(NOW_S + offset_s)
    most = 0
    for tick in range(110):
        share = max(0.0, 1.0 - (tick + 1) / averaged_s)
        arrive(world, LITTLE_RPS + share * (MUCH_RPS - LITTLE_RPS), 1)
        most = max(most, world.replicas().get("cpu", 0))
    assert world.replicas() == {"cpu": 1}
    assert most == 1
