"""The play itself: ``python -m plimsoll_testkit.demo``."""

import argparse
import json
import re
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console

from plimsoll_testkit.binaries import BinaryMissing
from plimsoll_testkit.demo.meanwhile import build_what_is_missing
from plimsoll_testkit.demo.recording import Look, Recording, StepCounts, count_steps
from plimsoll_testkit.demo.scenario import (
    SEED,
    STOCKED_OUT_POOL,
    autoscaled_pools,
    prices_usd_per_hour,
    scales,
    stock_out_s,
)
from plimsoll_testkit.demo.screen import Screen
from plimsoll_testkit.demo.stage import Stage, put_up
from plimsoll_testkit.demo.verdict import Summary, attainment, costs_usd, failures, sentences
from plimsoll_testkit.processes import ProcessFailed

PLAY_S = 300.0
LOOK_S = 1.0
SHORTEST_S = 20.0


def main() -> int:
    """Play, show, judge."""
    parser = argparse.ArgumentParser(prog="make demo", description="Three models on CPU and GPU pools, live.")
    parser.add_argument("--json", type=Path, help="also write the summary there")
    parser.add_argument("--seconds", type=float, default=PLAY_S, help="length of the play")
    arguments = parser.parse_args()
    if arguments.seconds < SHORTEST_S:
        parser.error(f"--seconds is {arguments.seconds:g}: give {SHORTEST_S:g} or more, so that requests end in it")
    console = Console()

    def say(text: str) -> None:
        console.print(text, soft_wrap=not console.is_terminal, highlight=False, markup=False)

    try:
        build_what_is_missing(console)
        with put_up(arguments.seconds, say) as stage:
            recording = _play(stage, arguments.seconds, console)
            steps = count_steps(stage.operator_log())
            summary = _sum_up(stage, recording, steps, arguments.seconds)
    except (BinaryMissing, ProcessFailed) as error:
        console.print(str(error), markup=False, highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("stopped; everything that was started is ended")
        return 130
    if arguments.json:
        arguments.json.write_text(json.dumps(summary.to_json(), indent=2) + "\n")
    for line in sentences(summary):
        say(line)
    found = failures(summary, steps)
    for line in found:
        say(f"NOT SHOWN: {line}")
    return 1 if found else 0


def _play(stage: Stage, seconds: float, console: Console) -> Recording:
    recording, started_s = Recording(), time.monotonic()
    out_from_s, out_until_s = stock_out_s(seconds)
    with Screen(console, seconds) as screen:
        while (at_s := time.monotonic() - started_s) < seconds:
            if not stage.operator.is_running:
                raise ProcessFailed(f"the operator ended. {stage.operator.last_words()}")
            stage.autoscaler.set_out_of_stock(STOCKED_OUT_POOL, out_from_s <= at_s < out_until_s)
            look = Look(at_s, stage.deployments(), stage.pools(), stage.users(), _last_step(stage))
            recording.add(look)
            screen.show(look)
            time.sleep(max(0.0, LOOK_S - (time.monotonic() - started_s - at_s)))
    return recording


def _last_step(stage: Stage) -> str:
    written = [line for line in stage.operator_log() if line.get("result") == "Written"]
    if not written:
        return "none yet"
    last = written[-1]
    change = f"{last['deployment']} {last['variant']} {last['from']} -> {last['to']}"
    return f"{change} ({last['reason']}): {last['message']}"


def _sum_up(stage: Stage, recording: Recording, steps: StepCounts, seconds: float) -> Summary:
    users, metrics = stage.users(), stage.operator_metrics()
    node_seconds = {pool.name: stage.autoscaler.node_seconds(pool.name) for pool in autoscaled_pools()}
    usd, gpu_only_usd = costs_usd(node_seconds, prices_usd_per_hour(), recording.gpu_only_node_seconds)
    tokens = sum(one["prompt_tokens"] + one["output_tokens"] for one in users.values())
    judged = sum(one["ended"] + one["late_in_flight"] for one in users.values())
    return Summary(
        slo_attainment=sum(one["within_slo"] for one in users.values()) / judged,
        usd_per_million_tokens=usd * 1e6 / tokens,
        gpu_only_usd_per_million_tokens=gpu_only_usd * 1e6 / tokens,
        moves=steps.moves_to_gpu + steps.moves_to_cpu,
        scale_ups=steps.scale_ups,
        scale_downs=steps.scale_downs,
        api_writes=_total(metrics, "plimsoll_api_writes_total"),
        ticks=_total(metrics, "plimsoll_ticks_total"),
        seconds_to_control_plane=round(stage.control_plane.seconds_to_ready, 2),
        control_plane=str(stage.control_plane.version),
        requests=sum(one["arrived"] for one in users.values()),
        retried=sum(one["retried"] for one in users.values()),
        usd=usd,
        gpu_only_usd=gpu_only_usd,
        gpu_only_mean_nodes=recording.gpu_only_mean_nodes,
        attainment_by_model={name: attainment(one) for name, one in users.items()},
        latencies=_latencies(users, recording),
        moves_to_gpu=steps.moves_to_gpu,
        moves_to_cpu=steps.moves_to_cpu,
        seeds=(SEED,),
        mix=f"{next(iter(users.values()))['mix']}; {scales()}",
        stock_out_s=stock_out_s(seconds),
        stock_out_noticed_s=recording.stock_out_noticed_s,
        bridges=steps.bridges,
        rejected=tuple(recording.rejected.values()),
    )


def _latencies(users: dict[str, Any], recording: Recording) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for (name, variant), pairs in sorted(recording.pairs.items()):
        seen = users[name]["variants"].get(variant, {})
        if pairs:
            told.setdefault(name, {})[variant] = {
                "predicted": {metric: _ms(median(one for one, _ in values)) for metric, values in pairs.items()},
                "observed": {metric: _ms(median(one for _, one in values)) for metric, values in pairs.items()},
                "by_users": {metric: _ms(seen.get(f"{metric}_p95_ms")) for metric in pairs},
            }
    return told


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}ms"


def _total(metrics: str, name: str) -> int:
    """The sum over all label values of one counter."""
    values = re.findall(rf"^{name}(?:{{[^}}]*}})? ([0-9.e+]+)$", metrics, re.MULTILINE)
    return int(sum(float(value) for value in values))


if __name__ == "__main__":
    sys.exit(main())
