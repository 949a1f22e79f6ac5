"""Does one screen tell how the fleet is, from statuses alone?"""

import io
from collections.abc import Mapping
from typing import Any

import pytest
from rich.console import Console

from plimsoll.cli.fleet import fleet_lines, total_usd_per_hour
from plimsoll.cli.status import _screen

READY = {"type": "Ready", "status": "True", "reason": "Steady", "message": "1 x h100"}
SLO_MET = {"type": "LatencyMet", "status": "True", "reason": "SLOMet", "message": ""}


def model(
    name: str = "chat", conditions: tuple[Mapping[str, str], ...] = (READY, SLO_MET), mode: str = "Auto", **status: Any
) -> dict[str, Any]:
    variants = [
        {"name": "h100", "pool": "gpu-h100", "ready": 1, "current": 1, "target": 0},
        {"name": "xeon", "pool": "cpu-amx", "ready": 3, "current": 4, "target": 4},
        {"name": "epyc", "pool": "cpu-epyc", "ready": 0, "current": 0, "target": 0},
    ]
    filled = {
        "conditions": list(conditions),
        "variants": variants,
        "demand": {"arrivalRate": "2.35"},
        "cost": {
            "perHour": "0.90",
            "perMillionTokens": "0.106",
            "nextBest": {"label": "h100 alone", "perHour": "4.00"},
        },
        "plan": {"phase": "Steady"},
    }
    return {
        "metadata": {"namespace": "demo", "name": name},
        "spec": {"model": "acme/llama", "mode": mode},
        "status": {**filled, **status},
    }


def shown(objects: list[dict[str, Any]], width: int = 80) -> str:
    out = io.StringIO()
    Console(file=out, width=width).print(_screen(fleet_lines(objects), with_namespace=False))
    return out.getvalue()


def test_a_line_tells_pools_rates_price_and_what_was_beaten() -> None:
    [line] = fleet_lines([model()])
    assert [str(use) for use in line.pools] == ["gpu-h100 1>0", "cpu-amx 3/4"]
    assert (line.state, line.well, line.trouble) == ("SLO met", True, "")
    assert (line.rate_rps, line.usd_per_hour, line.usd_per_million_tokens) == (2.35, 0.90, 0.106)
    assert (line.next_best, line.next_best_usd_per_hour) == ("h100 alone", 4.0)


@pytest.mark.parametrize(
    ("conditions", "mode", "phase", "state", "well"),
    [
        ((READY, SLO_MET), "Auto", "Moving", "moving", True),
        ((READY,), "Auto", "Steady", "ready", True),
        ((READY, SLO_MET), "Paused", "Paused", "paused", True),
        (
            (READY, {**SLO_MET, "status": "False", "message": "ttft p95 was 900ms"}),
            "Auto",
            "Steady",
            "SLO missed",
            False,
        ),
        (
            ({**READY, "status": "False", "reason": "WaitsForReady", "message": "2 of 5 req/s"},),
            "Auto",
            "Moving",
            "waits for ready",
            False,
        ),
        (
            (READY, {"type": "DemandKnown", "status": "False", "reason": "MetricsUnreachable", "message": "no answer"}),
            "Auto",
            "Held",
            "metrics unreachable",
            False,
        ),
    ],
)
def test_the_state_is_the_worst_that_holds(
    conditions: tuple[Mapping[str, str], ...], mode: str, phase: str, state: str, well: bool
) -> None:
    [line] = fleet_lines([model(conditions=conditions, mode=mode, plan={"phase": phase})])
    assert (line.state, line.well, bool(line.trouble)) == (state, well, not well)


def test_what_is_not_well_stands_on_top() -> None:
    bad = model("zebra", conditions=({**READY, "status": "False", "reason": "CapacityShort", "message": "add nodes"},))
    lines = fleet_lines([model("a"), bad, model("b")])
    assert [line.key.name for line in lines] == ["zebra", "a", "b"]
    assert "zebra: add nodes" in shown([bad])


def test_a_status_that_was_never_written_is_unknown_and_not_zero() -> None:
    [line] = fleet_lines([{**model(), "status": {}}])
    assert (line.state, line.well, line.usd_per_hour) == ("not planned", None, None)
    assert "operator" in line.trouble
    assert total_usd_per_hour([line]) == 0.0


def test_it_is_good_in_80_columns_and_plain_in_a_pipe() -> None:
    text = shown([model("a-model-with-quite-a-long-name"), model("tags")])
    assert max(len(line.rstrip()) for line in text.splitlines()) <= 80
    assert "\x1b[" not in text
    assert "2 models, all well, $1.80/h" in text
    assert "h100 alone" in text


def test_an_empty_namespace_says_where_else_to_look() -> None:
    assert "-A" in shown([])
