"""How long does one plan take, and how close to the best is it, for a generated fleet?

Run: python benchmarks/plan.py [--deployments N] [--seed S] [--json]. The fleet has ten pools (on demand, spot, paid)
and two to four variants a deployment, sizes and rates spread as in a platform with a long tail. It is planned from
cold, then again with 5% of the demand changed, from the last plan. The last line is one JSON object; the process fails
when a floor below is missed.
"""

import argparse
import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from plimsoll.domain import (
    CapacityTable,
    Demand,
    DemandState,
    Deployment,
    Forecast,
    ForecastBasis,
    LatencyMetric,
    LatencyTarget,
    Mode,
    Node,
    ObjectKey,
    Option,
    Policy,
    Pool,
    PriceKind,
    Profile,
    SizedBy,
    Snapshot,
    StepTime,
    Target,
    TokenMix,
    Variant,
    VariantKey,
)
from plimsoll.planning import SolveLimits, allocate

MAX_GAP_RATIO = 0.02
MAX_SECONDS_PER_DEPLOYMENT = 0.02
GIB = float(2**30)
ELASTIC = (0, 1, 2, 5, 6)
"""Pools that can grow without end, so that every deployment has somewhere to go."""
MIX = TokenMix(512.0, 1024.0, 128.0, 384.0)


@dataclass(frozen=True, slots=True)
class Hardware:
    """One kind of node, its price and what one replica on it carries of a middling model."""

    name: str
    cpu: float
    memory_gib: float
    gpus: float
    usd_per_hour: float
    rps: float


HARDWARE = (
    Hardware("h100", 96, 1024, 8, 49.0, 12.0),
    Hardware("l4", 48, 192, 4, 4.6, 2.2),
    Hardware("xeon", 64, 256, 0, 3.4, 0.5),
    Hardware("epyc", 96, 384, 0, 4.1, 0.45),
    Hardware("arm", 64, 128, 0, 2.3, 0.35),
)


def a_pool(index: int, hardware: Hardware, kind: PriceKind, deployments: int) -> Pool:
    """The pool of one kind of node; paid pools are small and all there."""
    paid = kind is PriceKind.PAID
    resources = {"cpu": hardware.cpu, "memory": hardware.memory_gib * GIB, "nvidia.com/gpu": hardware.gpus}
    name = f"{hardware.name}-{index}"
    present = max(1, deployments // 40) if paid else 0
    return Pool(
        name=name,
        hardware=hardware.name,
        price_kind=kind,
        price_usd_per_hour=hardware.usd_per_hour * (0.35 if kind is PriceKind.SPOT else 1.0),
        min_nodes=present,
        max_nodes=present or deployments,
        provisioning_s=0.0 if paid else 180.0,
        interruptions_per_hour=0.0,
        node_resources=resources,
        nodes=tuple(Node(f"{name}-{i}", True, True, resources, {}, 0.0) for i in range(present)),
    )


def a_fleet(deployments: int, seed: int) -> tuple[Snapshot, dict[ObjectKey, Forecast], dict[VariantKey, Option]]:
    """A snapshot with forecasts and options, the same for the same seed."""
    rng = np.random.default_rng(seed)
    kinds = (PriceKind.ON_DEMAND, PriceKind.SPOT, PriceKind.ON_DEMAND, PriceKind.PAID, PriceKind.SPOT)
    pools = tuple(
        a_pool(index, HARDWARE[index % 5], kinds[index % 5 if index < 5 else (index + 1) % 5], deployments)
        for index in range(10)
    )
    fleet, forecasts, options = [], {}, {}
    for index in range(deployments):
        key = ObjectKey("fleet", f"model-{index:05d}")
        size = float(rng.lognormal(0.0, 0.8))
        variants = []
        chosen = {int(rng.choice(ELASTIC)), *rng.choice(10, size=int(rng.integers(1, 4)), replace=False).tolist()}
        for pool_index in sorted(chosen):
            variant = a_variant(key, pools[pool_index], HARDWARE[pool_index % 5], size)
            variants.append(variant)
            rate = HARDWARE[pool_index % 5].rps / size * float(rng.uniform(0.8, 1.2))
            options[variant.key] = Option(variant.key, CapacityTable((1,), (rate,)), (), SizedBy.ESTIMATE)
        rps = float(rng.lognormal(0.0, 1.5))
        fleet.append(a_deployment(key, tuple(variants), rps, int(rng.integers(0, 3)) * 100))
        forecasts[key] = a_forecast(key, rps)
    return Snapshot(0.0, tuple(fleet), tuple(sorted(pools, key=lambda pool: pool.name))), forecasts, options


def a_variant(key: ObjectKey, pool: Pool, hardware: Hardware, size: float) -> Variant:
    """One variant whose replica takes a quarter of a node, or more for a larger model."""
    share = min(1.0, 0.25 * max(1.0, round(size)))
    resources = {"cpu": hardware.cpu * share * 0.9, "memory": hardware.memory_gib * GIB * share * 0.8}
    if hardware.gpus:
        resources |= {"cpu": 4.0, "nvidia.com/gpu": max(1.0, round(hardware.gpus * share / 2))}
    profile = Profile(
        "p", "m", "vLLM", hardware.name, "bf16", StepTime(7, 0.02, 0.02, 0.00005), 64, 400_000, 60.0, "Estimated"
    )
    target = Target("apps/v1", "Deployment", key.namespace, f"{key.name}-{pool.name}", owned=False)
    return Variant(VariantKey(*key, pool.name), pool.name, profile, target, 0, 2000, resources, 0)


def a_deployment(key: ObjectKey, variants: tuple[Variant, ...], rps: float, priority: int) -> Deployment:
    """One deployment in mode Auto."""
    demand = Demand(DemandState.KNOWN, "", sees_zero_replicas=True, arrival_rate_rps=rps, tokens=MIX)
    slo = (LatencyTarget(LatencyMetric.TTFT, 0.95, 800.0),)
    return Deployment(key, key.name, 1, "m", Mode.AUTO, priority, slo, variants, demand, Policy())


def a_forecast(key: ObjectKey, rps: float) -> Forecast:
    """A flat forecast."""
    return Forecast(key, ForecastBasis.KNOWN, rps, {}, MIX, "")


def running(snapshot: Snapshot, replicas: Mapping[VariantKey, int]) -> Snapshot:
    """The snapshot in which every target asks for what the plan wanted."""
    return replace(
        snapshot,
        deployments=tuple(
            replace(d, variants=tuple(replace(v, replicas=replicas[v.key]) for v in d.variants))
            for d in snapshot.deployments
        ),
    )


def main() -> int:
    """Plans twice, prints a table line each and the JSON line; 1 when a floor is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deployments", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print nothing but the last line")
    arguments = parser.parse_args()
    snapshot, forecasts, options = a_fleet(arguments.deployments, arguments.seed)
    began = time.perf_counter()
    cold = allocate(snapshot, forecasts, options, {}, {}, SolveLimits())
    cold_s = time.perf_counter() - began
    rng = np.random.default_rng(arguments.seed + 1)
    changed = {
        key: replace(f, now_rps=f.now_rps * float(rng.uniform(0.7, 1.4))) if rng.uniform() < 0.05 else f
        for key, f in forecasts.items()
    }
    began = time.perf_counter()
    warm = allocate(running(snapshot, cold.replicas), changed, options, {}, cold.replicas, SolveLimits())
    warm_s = time.perf_counter() - began
    moved = sum(warm.replicas[key] != cold.replicas[key] for key in cold.replicas)
    result = {
        "deployments": arguments.deployments,
        "seconds": round(cold_s, 3),
        "seconds_warm": round(warm_s, 3),
        "solver_seconds": round(cold.solver.seconds, 3),
        "gap": round(cold.solver.gap_ratio, 5),
        "gap_warm": round(warm.solver.gap_ratio, 5),
        "cost": round(cold.solver.cost_usd_per_hour, 2),
        "bound": round(cold.solver.bound_usd_per_hour, 2),
        "changed_variants": moved,
        "variants": len(cold.replicas),
        "short": len(cold.shortfall_rps),
    }
    if not arguments.json:
        print(f"cold {cold.solver}\nwarm {warm.solver}")
    print(json.dumps(result))
    slow = cold_s > MAX_SECONDS_PER_DEPLOYMENT * max(100, arguments.deployments)
    return int(slow or cold.solver.gap_ratio > MAX_GAP_RATIO or bool(cold.shortfall_rps))


if __name__ == "__main__":
    sys.exit(main())
