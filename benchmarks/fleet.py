"""A generated fleet for the benchmarks: as many deployments as asked for over ten pools, six of which are too small.

In: a number of deployments and a seed. Out: pools (on demand, spot, paid), deployments with two to four variants, sizes
and rates spread as on a platform with a long tail, forecasts and options. Spot and paid pools have less room than is
wanted of them; on-demand pools can grow, and every deployment may use one of these.
"""

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
    Routing,
    SizedBy,
    Snapshot,
    StepTime,
    Target,
    TokenMix,
    Variant,
    VariantKey,
)

POOLS = 10
GIB = float(2**30)
ELASTIC = (0, 2, 6, 9)
"""Pools that can grow without end, so that every deployment has somewhere to go."""
DEPLOYMENTS_PER_NODE = {1: 12, 3: 40, 4: 12, 5: 50, 7: 40, 8: 16}
"""How small the other pools are: less than the deployments that may use them would take."""
MEMORY_SHARES = (0.5, 0.8, 0.95)
"""Of the share of a node that a replica takes."""
TOGETHER = (1.0, 2.15, 4.6)
"""What one, two and four replicas behind one router carry, over what one does."""
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
    most = max(1, deployments // DEPLOYMENTS_PER_NODE[index]) if index in DEPLOYMENTS_PER_NODE else deployments
    present = most if paid else 0
    return Pool(
        name=name,
        hardware=hardware.name,
        price_kind=kind,
        price_usd_per_hour=hardware.usd_per_hour * (0.35 if kind is PriceKind.SPOT else 1.0),
        min_nodes=present,
        max_nodes=most,
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
        for index in range(POOLS)
    )
    fleet, forecasts, options = [], {}, {}
    for index in range(deployments):
        key = ObjectKey("fleet", f"model-{index:05d}")
        size = float(rng.lognormal(0.0, 0.8))
        variants = []
        chosen = {int(rng.choice(ELASTIC)), *rng.choice(POOLS, size=int(rng.integers(1, 4)), replace=False).tolist()}
        for pool_index in sorted(chosen):
            memory = float(rng.choice(MEMORY_SHARES))
            variant = a_variant(key, pools[pool_index], HARDWARE[pool_index % 5], size, memory)
            variants.append(variant)
            rate = HARDWARE[pool_index % 5].rps / size * float(rng.uniform(0.8, 1.2))
            table = CapacityTable((1, 2, 4), tuple(rate * together for together in TOGETHER))
            options[variant.key] = Option(variant.key, table, (), SizedBy.ESTIMATE)
        rps = float(rng.lognormal(0.0, 1.5))
        tolerated = 0.5 if rng.uniform() < 0.2 else 1.0
        routing = Routing.SERVICE if rng.uniform() < 0.3 else Routing.LOAD_AWARE
        made = a_deployment(key, tuple(variants), rps, int(rng.integers(0, 3)) * 100)
        fleet.append(replace(made, routing=routing, policy=Policy(spot_loss_tolerated_ratio=tolerated)))
        forecasts[key] = a_forecast(key, rps)
    return Snapshot(0.0, tuple(fleet), tuple(sorted(pools, key=lambda pool: pool.name))), forecasts, options


def a_variant(key: ObjectKey, pool: Pool, hardware: Hardware, size: float, memory: float) -> Variant:
    """One variant whose replica takes a quarter of a node, or more for a larger model."""
    share = min(1.0, 0.25 * max(1.0, round(size)))
    resources = {"cpu": hardware.cpu * share * 0.9, "memory": hardware.memory_gib * GIB * share * memory}
    if hardware.gpus:
        gpus = max(1.0, round(hardware.gpus * share / 2))
        share = gpus / hardware.gpus
        resources = {"cpu": 4.0, "memory": hardware.memory_gib * GIB * share * memory, "nvidia.com/gpu": gpus}
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
