"""How long until a fleet's plan stands on simulations, and does the tick feel it?

Run: python benchmarks/refine.py [--deployments N] [--seed S] [--json]. Every deployment has token lengths and an SLO of
its own and two or three variants. First the same tick (decide, rank what to simulate, ask) of a part of the fleet is
timed in turns beside an idle and a busy refiner; then all that the whole fleet's plan asks for is simulated. The last
line is one JSON object; the process fails when a floor below is missed. On a shared machine trust the ratio and the
processor time.
"""

import argparse
import json
import statistics
import sys
import time
from dataclasses import replace

import numpy as np

from fleet import HARDWARE, a_fleet
from plimsoll.decide import decide
from plimsoll.domain import Deployment, LatencyMetric, LatencyTarget, Memory, Snapshot, StepTime, TokenMix, Variant
from plimsoll.refining import Refiner
from plimsoll.sizing import NOTHING_SIMULATED, Capacity, Case, simulate, to_simulate

MAX_SECONDS_PER_DEPLOYMENT = 0.3
"""Five minutes for a thousand, of one processor."""
MAX_SLOWDOWN_RATIO = 1.2
TURNS = 7
TICKED_DEPLOYMENTS = 100
"""Enough for a tick that is felt; solving for a thousand takes half a minute, and is not what is asked here."""
LAWS = dict(
    zip(
        (one.name for one in HARDWARE),
        (
            StepTime(6.6, 0.022, 0.020, 0.00006),
            StepTime(22.0, 0.10, 0.12, 0.0004),
            StepTime(45.0, 0.9, 0.9, 0.001),
            StepTime(55.0, 1.0, 1.0, 0.001),
            StepTime(60.0, 1.2, 1.3, 0.0012),
        ),
        strict=True,
    )
)
"""A middling model on each kind of hardware; of the order of what is published."""


class Stopwatch:
    """Simulates, and sums up the processor time of it, compiling left out."""

    def __init__(self) -> None:
        self.cpu_s = 0.0
        self.played = 0

    def __call__(self, case: Case) -> Capacity:
        began_s = time.thread_time()
        answer = simulate(case)
        self.cpu_s += time.thread_time() - began_s
        self.played += 1
        return answer


def distinct(snapshot: Snapshot, seed: int) -> Snapshot:
    """The fleet with a mix, an SLO and two or three variants of its own for each deployment."""
    rng = np.random.default_rng(seed)
    return replace(snapshot, deployments=tuple(_distinct(one, rng) for one in snapshot.deployments))


def _distinct(deployment: Deployment, rng: np.random.Generator) -> Deployment:
    size = float(rng.uniform(0.7, 1.4))
    variants = tuple(_variant(one, size) for one in deployment.variants[:3])
    prompt, output = float(rng.uniform(100.0, 1500.0)), float(rng.uniform(50.0, 400.0))
    tokens = TokenMix(prompt, prompt * float(rng.uniform(1.2, 3.0)), output, output * float(rng.uniform(1.2, 3.0)))
    # Every variant can keep it, the slowest just so: nothing is spared by being unreachable.
    slowest = max((one.profile.step_time for one in variants), key=lambda law: law.alpha_ms)
    prefill_ms = slowest.alpha_ms + slowest.pi_ms_per_prefill_token * tokens.prompt_tokens_p95
    slo = (
        LatencyTarget(LatencyMetric.TTFT, 0.95, 2.5 * prefill_ms),
        LatencyTarget(LatencyMetric.TPOT, 0.95, 3.0 * slowest.alpha_ms),
    )
    return replace(deployment, variants=variants, slo=slo, demand=replace(deployment.demand, tokens=tokens))


def _variant(variant: Variant, size: float) -> Variant:
    law = LAWS[variant.profile.hardware]
    scaled = StepTime(
        law.alpha_ms * size,
        law.beta_ms_per_sequence * size,
        law.pi_ms_per_prefill_token * size,
        law.kappa_ms_per_kv_token * size,
    )
    return replace(variant, profile=replace(variant.profile, step_time=scaled))


def tick_s(snapshot: Snapshot, memory: Memory, refiner: Refiner, asks: bool) -> float:
    """Seconds of a tick that always decides the same; one that does not ask leaves the refiner idle."""
    began_s = time.perf_counter()
    refiner.known()
    plan = decide(snapshot, memory).plan
    cases = to_simulate(snapshot, plan, NOTHING_SIMULATED)
    refiner.ask(cases if asks else ())
    return time.perf_counter() - began_s


def idle_and_busy_s(snapshot: Snapshot, memory: Memory) -> tuple[float, float]:
    """Medians of ticks in turns: beside a refiner that has nothing to do, and beside one that always has."""
    seconds: dict[bool, list[float]] = {False: [], True: []}
    for busy in (False, True) * TURNS:
        refiner = Refiner()
        refiner.start()
        if busy:
            refiner.ask(to_simulate(snapshot, decide(snapshot, memory).plan, NOTHING_SIMULATED))
            time.sleep(0.2)
        seconds[busy].append(tick_s(snapshot, memory, refiner, asks=busy))
        refiner.close()
    return statistics.median(seconds[False]), statistics.median(seconds[True])


def main() -> int:
    """Times ticks, then refines all, prints the JSON line; 1 when a floor is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deployments", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print nothing but the last line")
    arguments = parser.parse_args()
    part = distinct(a_fleet(min(arguments.deployments, TICKED_DEPLOYMENTS), arguments.seed)[0], arguments.seed)
    memory = decide(part, Memory()).memory
    # Compiled before anything is timed.
    simulate(to_simulate(part, decide(part, memory).plan, NOTHING_SIMULATED)[0])
    idle_s, busy_s = idle_and_busy_s(part, memory)

    fleet = distinct(a_fleet(arguments.deployments, arguments.seed)[0], arguments.seed)
    plan = decide(fleet, Memory()).plan
    asked = to_simulate(fleet, plan, NOTHING_SIMULATED)
    used = to_simulate(fleet, plan, NOTHING_SIMULATED, used_only=True)
    watch, began_s = Stopwatch(), time.perf_counter()
    used_s = used_cpu_s = 0.0
    refiner = Refiner(simulate=watch)
    refiner.start()
    refiner.ask(asked)
    while watch.played < len(asked):
        time.sleep(0.5)
        known = refiner.known()
        if not used_s and all(case in known for case in used):
            used_s, used_cpu_s = time.perf_counter() - began_s, watch.cpu_s
        if not arguments.json:
            print(f"{len(known)} of {len(asked)} known after {watch.cpu_s:.0f} s of a processor", flush=True)
    refine_s = time.perf_counter() - began_s
    refiner.close()
    result = {
        "deployments": arguments.deployments,
        "variants": sum(len(one.variants) for one in fleet.deployments),
        "simulations": watch.played,
        "refine_s": round(refine_s, 1),
        "refine_cpu_s": round(watch.cpu_s, 1),
        "used": len(used),
        "refine_used_s": round(used_s, 1),
        "refine_used_cpu_s": round(used_cpu_s, 1),
        "cpu_s_per_simulation": round(watch.cpu_s / max(watch.played, 1), 4),
        "tick_idle_s": round(idle_s, 3),
        "tick_busy_s": round(busy_s, 3),
        "tick_slowdown_ratio": round(busy_s / idle_s, 3),
    }
    print(json.dumps(result))
    slow = watch.cpu_s > MAX_SECONDS_PER_DEPLOYMENT * max(100, arguments.deployments)
    return int(slow or busy_s > MAX_SLOWDOWN_RATIO * idle_s)


if __name__ == "__main__":
    sys.exit(main())
