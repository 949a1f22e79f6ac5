"""What an operator knew, the next process knows as well: it reads demand from Prometheus, start-ups from the status."""

import json
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from integration.world import LITTLE_RPS, MUCH_RPS, NEARLY_THE_HIGHEST, UP_WITHIN_S, World
from plimsoll.api import Duration
from plimsoll_testkit.kwok import STARTUP_ANNOTATION
from plimsoll_testkit.processes import Process

SOON_S = 50.0
"""The recent past of the world's policy is a minute: what it held must be told before it is over."""


TAKES_S = 8.0
"""What a start takes in truth, far more than the world's profile promises."""


def samples(operator: Process) -> list[Sample]:
    """What the process tells of itself; empty until it does."""
    lines = [json.loads(line) for line in operator.log_path.read_text().splitlines() if line.startswith("{")]
    ports = [line["port"] for line in lines if "port" in line]
    if not ports:
        return []
    with urlopen(f"http://127.0.0.1:{ports[0]}/metrics", timeout=5.0) as answer:
        page = answer.read().decode()
    return [sample for family in text_string_to_metric_families(page) for sample in family.samples]


def figures(operator: Process) -> dict[str, float]:
    """The same by metric, for those that there is one of."""
    return {sample.name: sample.value for sample in samples(operator)}


def lead_time_s(operator: Process, variant: str) -> float | None:
    """What it counts with for a replica of the variant."""
    told = [one for one in samples(operator) if one.name == "plimsoll_lead_time_seconds"]
    return next((one.value for one in told if one.labels["variant"] == variant), None)


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


def test_a_process_that_starts_knows_what_starts_took_before_it(world: World) -> None:
    world.add_model()
    world.edit("chat-cpu", {"template": {"metadata": {"annotations": {STARTUP_ANNOTATION: f"{TAKES_S:g}"}}}})
    world.set_demand(LITTLE_RPS)
    first = world.start_operator("first")
    world.wait_for_ready({"chat-cpu": 1}, UP_WITHIN_S + TAKES_S)
    world.wait(lambda: "startUps" in world.variant("cpu"), "the start-up in the status", UP_WITHIN_S)
    told = world.variant("cpu")["startUps"]
    since = world.model()["status"]["plan"]["dwell"]["since"]
    told_s = Duration(told["onNode"]).seconds
    assert told_s >= TAKES_S
    first.stop()
    second = world.start_operator("second")
    world.wait(lambda: lead_time_s(second, "cpu") == told_s, f"a lead time of {told_s:g} s, as told", UP_WITHIN_S)
    # It has led for some ticks and had every occasion to tell it otherwise.
    world.wait(lambda: figures(second).get("plimsoll_ticks_total", 0.0) >= 5.0, "some ticks", UP_WITHIN_S)
    assert lead_time_s(second, "cpu") == told_s
    assert world.variant("cpu")["startUps"] == told
    assert world.model()["status"]["plan"]["dwell"]["since"] == since
