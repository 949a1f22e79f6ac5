"""What an operator knew of demand, the next process knows as well: it is read from Prometheus."""

import json
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from integration.world import LITTLE_RPS, MUCH_RPS, NEARLY_THE_HIGHEST, World
from plimsoll_testkit.processes import Process

SOON_S = 50.0
"""The recent past of the world's policy is a minute: what it held must be told before it is over."""


def figures(operator: Process) -> dict[str, float]:
    """What the process tells of itself, by metric; empty until it does."""
    lines = [json.loads(line) for line in operator.log_path.read_text().splitlines() if line.startswith("{")]
    ports = [line["port"] for line in lines if "port" in line]
    if not ports:
        return {}
    with urlopen(f"http://127.0.0.1:{ports[0]}/metrics", timeout=5.0) as answer:
        page = answer.read().decode()
    return {sample.name: sample.value for family in text_string_to_metric_families(page) for sample in family.samples}


def test_a_process_that_starts_knows_the_peak_of_the_minute_before_it(world: World) -> None:
    world.plan_for(NEARLY_THE_HIGHEST)
    world.add_model(mode="Recommend")
    world.set_demand(MUCH_RPS)
    first = world.start_operator("first")
    world.wait(
        lambda: figures(first).get("plimsoll_arrival_rate_requests_per_second", 0.0) >= MUCH_RPS, "the peak", 60.0
    )
    # Two looks of the past are ten seconds apart: three of them see the peak.
    world.wait(lambda: figures(first).get("plimsoll_ticks_total", 0.0) >= 30.0, "half a minute of ticks", 120.0)
    first.stop()
    world.set_demand(LITTLE_RPS)
    second = world.start_operator("second")

    def knows() -> bool:
        told = figures(second)
        little = told.get("plimsoll_arrival_rate_requests_per_second", MUCH_RPS) <= LITTLE_RPS
        return little and told["plimsoll_forecast_requests_per_second"] >= 0.9 * MUCH_RPS

    world.wait(knows, "the peak from before its start beside the little there is", SOON_S)
