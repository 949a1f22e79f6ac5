"""Clusters as nobody would set them up, drawn at random: everything that ``observe`` lets through, in any combination.

In: a generator of random numbers. Out: snapshots that follow each other, in which deployments, pools, pods and metrics
come and go. What observe itself refuses (a rate that is no number, a target of nobody) is left out.
"""

from dataclasses import replace
from random import Random

import numpy as np

from plimsoll.domain import (
    Demand,
    DemandState,
    Deployment,
    DisruptionBudget,
    ExternalPrice,
    ExternalUse,
    FallbackAction,
    LatencyMetric,
    LatencyObservation,
    LatencyTarget,
    Mode,
    Node,
    ObjectKey,
    PastLooks,
    Pod,
    Policy,
    Pool,
    PriceKind,
    PriceSource,
    Resources,
    Routing,
    Snapshot,
    StepTime,
    TokenMix,
    Told,
    ValidityRange,
    Variant,
)
from unit.builders import CPU_REPLICA, GPU_REPLICA, NOW_S, a_deployment, a_node, a_pool, a_profile, a_variant

POOL_NAMES = ("gpu-h100", "gpu-l4", "cpu-amx", "cpu-paid")
VARIANT_NAMES = ("h100", "l4", "xeon", "spare")
RATES_RPS = (0.0, 1e-9, 0.01, 0.5, 3.0, 20.0, 400.0, 1e5)
TOKENS = (0.0, 1.0, 60.0, 512.0, 4000.0, 300_000.0)


def draw_snapshot(rng: Random, now_s: float = NOW_S) -> Snapshot:
    """One moment of an odd cluster."""
    pools = tuple(_pool(rng, name, now_s) for name in POOL_NAMES[: rng.randint(0, 4)])
    names = rng.sample(("audio", "chat", "code", "vision"), rng.randint(0, 3))
    deployments = tuple(_deployment(rng, name, pools, now_s) for name in sorted(names))
    return Snapshot(
        now_s=now_s,
        deployments=deployments,
        pools=tuple(sorted(pools, key=lambda pool: pool.name)),
        disruption_budgets=tuple(_budgets(rng, deployments)),
        past=tuple(_past(rng, deployments, now_s)),
    )


def follow(rng: Random, before: Snapshot, now_s: float) -> Snapshot:
    """A later moment: often the same objects with other figures, at times ones that nobody has seen before."""
    if rng.random() < 0.25:
        return draw_snapshot(rng, now_s)
    kept = tuple(one for one in before.deployments if rng.random() < 0.9)
    deployments = tuple(replace(one, demand=_demand(rng), variants=_variants_later(rng, one, now_s)) for one in kept)
    return replace(before, now_s=now_s, deployments=deployments, past=tuple(_past(rng, deployments, now_s)))


def _variants_later(rng: Random, deployment: Deployment, now_s: float) -> tuple[Variant, ...]:
    kept = [one for one in deployment.variants if rng.random() < 0.9] or list(deployment.variants)
    return tuple(_with_pods(rng, one, rng.choice((0, one.replicas, rng.randint(0, 6))), (), now_s) for one in kept)


def _pool(rng: Random, name: str, now_s: float) -> Pool:
    small: Resources = {"cpu": 2.0, "memory": 2.0**30}
    pool = a_pool(name)
    size = rng.choice((pool.node_resources, pool.node_resources, small))
    nodes = tuple(_node(rng, f"{name}-{i}", size, now_s) for i in range(rng.randint(0, 3)))
    return replace(
        pool,
        nodes=nodes,
        node_resources=size,
        price_kind=rng.choice(tuple(PriceKind)),
        price_usd_per_hour=rng.choice((0.0, 0.0001, 3.0, 98.0)),
        max_nodes=rng.choice((0, len(nodes), 10, 1000)),
        provisioning_s=rng.choice((0.0, 180.0, 3600.0)),
        interruptions_per_hour=rng.choice((0.0, 0.05, 3.0)),
        stocked_out_until_s=rng.choice((None, None, now_s - 50.0, now_s + 500.0)),
        price_source=rng.choice(tuple(PriceSource)),
        price_as_of_s=rng.choice((None, now_s - 40.0)),
        price_note=rng.choice(("", "OpenCost tells no price of it")),
    )


def _node(rng: Random, name: str, size: Resources, now_s: float) -> Node:
    foreign = {resource: amount * rng.choice((0.0, 0.5, 1.5)) for resource, amount in size.items()}
    return a_node(
        name,
        rng.choice((size, size, {})),
        ready=rng.random() < 0.8,
        schedulable=rng.random() < 0.8,
        foreign_requests=rng.choice(({}, foreign)),
        created_s=now_s - rng.choice((0.0, 30.0, 9000.0)),
        leaving=rng.random() < 0.2,
    )


def _deployment(rng: Random, name: str, pools: tuple[Pool, ...], now_s: float) -> Deployment:
    routing = rng.choice(tuple(Routing))
    slo = tuple(
        LatencyTarget(metric, rng.choice((0.5, 0.95, 0.99)), rng.choice((0.1, 80.0, 800.0, 60_000.0)))
        for metric in rng.sample(tuple(LatencyMetric), rng.randint(1, 3))
    )
    return a_deployment(
        name,
        variants=[
            _variant(rng, one, pools, routing, now_s) for one in rng.sample(VARIANT_NAMES, rng.randint(1, 4)) if pools
        ],
        mode=rng.choice((Mode.AUTO, Mode.AUTO, *Mode)),
        priority=rng.choice((0, 100, 100, 1000)),
        slo=slo,
        demand=_demand(rng),
        policy=_policy(rng),
        budget_usd_per_hour=rng.choice((None, None, 0.0, 5.0, 500.0)),
        external_price=rng.choice((None, ExternalPrice(0.15, 0.6), ExternalPrice(0.0, 0.0, ExternalUse.OVERFLOW))),
        routing=routing,
        http_route="route" if routing is Routing.HTTP_ROUTE else None,
        told=Told(rate_cv2=rng.choice((0.0, 0.2, 4.0))),
    )


def _variant(rng: Random, name: str, pools: tuple[Pool, ...], routing: Routing, now_s: float) -> Variant:
    pool = rng.choice(pools)
    slow = rng.choice((1.0, 1.0, 8.0, 300.0))
    profile = a_profile(
        f"profile-{name}",
        step_time=StepTime(6.63 * slow, 0.0218 * slow, 0.0196 * slow, rng.choice((0.0, 0.000055 * slow))),
        max_sequences=rng.choice((1, 64, 512)),
        kv_cache_tokens=rng.choice((500, 400_000)),
        startup_s=rng.choice((0.0, 20.0, 600.0)),
        validity=rng.choice((ValidityRange(), ValidityRange(2000.0, 500.0))),
    )
    low = rng.choice((0, 0, 1, 3))
    variant = a_variant(
        name,
        pool=pool.name,
        profile=profile,
        min_replicas=low,
        max_replicas=low + rng.choice((0, 1, 20)),
        per_replica=rng.choice((GPU_REPLICA, CPU_REPLICA, {"cpu": 1.0}, {})),
        pinned=rng.random() < 0.15,
        latencies=rng.choice(((), (LatencyObservation(LatencyMetric.TTFT, 0.95, 900.0, 500.0, 1000.0),))),
        arrival_rate_rps=rng.choice((None, 0.0, 2.0)),
        service=f"{name}-svc" if routing is Routing.HTTP_ROUTE and rng.random() < 0.8 else None,
        kv_cache_use_ratio=rng.choice((None, 0.5, 1.0)),
        grace_s=rng.choice((None, 0.0, 30.0)),
    )
    return _with_pods(rng, variant, rng.choice((0, 0, 1, 3, 25)), pool.nodes, now_s)


def _with_pods(rng: Random, variant: Variant, replicas: int, nodes: tuple[Node, ...], now_s: float) -> Variant:
    count = max(0, replicas + rng.choice((0, 0, 0, -1, 2)))
    return replace(variant, replicas=replicas, pods=tuple(_pod(rng, variant, i, nodes, now_s) for i in range(count)))


def _pod(rng: Random, variant: Variant, index: int, nodes: tuple[Node, ...], now_s: float) -> Pod:
    node = rng.choice(nodes).name if nodes and rng.random() < 0.8 else None
    created_s = now_s - rng.choice((-3.0, 0.0, 15.0, 900.0))
    ready = rng.random() < 0.7
    waits = node is None and not ready and rng.random() < 0.5
    return Pod(
        name=f"{variant.name}-{index}",
        node=node,
        ready=ready,
        terminating=rng.random() < 0.1,
        created_s=created_s,
        ready_since_s=rng.choice((None, created_s + 5.0)) if ready else None,
        unschedulable_since_s=created_s if waits else None,
        deletion_cost=rng.choice((None, -100)),
        leaving=rng.random() < 0.1,
    )


def _demand(rng: Random) -> Demand:
    state = rng.choice((DemandState.KNOWN, DemandState.KNOWN, DemandState.KNOWN, *DemandState))
    known = state is DemandState.KNOWN
    prompt, output = rng.choice(TOKENS), rng.choice(TOKENS)
    mix = TokenMix(prompt, prompt * rng.choice((1.0, 3.0)), output, output * rng.choice((1.0, 3.0)))
    return Demand(
        state=state,
        message="as drawn",
        sees_zero_replicas=rng.random() < 0.5,
        arrival_rate_rps=rng.choice(RATES_RPS) if known else None,
        tokens=mix if known and rng.random() < 0.8 else None,
        running=rng.choice((0.0, 40.0)),
        waiting=rng.choice((0.0, 900.0)),
    )


def _policy(rng: Random) -> Policy:
    return Policy(
        forecast_quantile=rng.choice((0.5, 0.9, 0.99)),
        headroom_ratio=rng.choice((0.0, 0.25, 0.9)),
        scale_up_stabilization_s=rng.choice((0.0, 60.0)),
        scale_down_stabilization_s=rng.choice((0.0, 10.0, 300.0)),
        max_scale_up_replicas_per_tick=rng.choice((1, 100)),
        max_scale_down_replicas_per_tick=rng.choice((1, 10)),
        expected_dwell_s=rng.choice((1.0, 1800.0)),
        spot_loss_tolerated_ratio=rng.choice((0.0, 0.4, 1.0)),
        hold_when_unknown_s=rng.choice((0.0, 600.0)),
        fallback=rng.choice(tuple(FallbackAction)),
        violation_usd_per_million_requests=rng.choice((0.0, 1000.0, 1e9)),
    )


def _budgets(rng: Random, deployments: tuple[Deployment, ...]) -> list[DisruptionBudget]:
    pods = [pod.name for deployment in deployments for variant in deployment.variants for pod in variant.pods]
    namespace = deployments[0].key.namespace if deployments else "team-a"
    chosen = frozenset(pod for pod in pods if rng.random() < 0.5)
    return [
        DisruptionBudget(ObjectKey(namespace, f"budget-{i}"), rng.choice((0, 1, 5)), chosen)
        for i in range(rng.randint(0, 2))
    ]


def _past(rng: Random, deployments: tuple[Deployment, ...], now_s: float) -> list[PastLooks]:
    """Of present deployments and of one that is gone, with holes."""
    if rng.random() < 0.6:
        return []
    keys = (*(one.key for one in deployments if rng.random() < 0.7), ObjectKey("team-a", "gone"))
    step_s = rng.choice((10.0, 60.0, 600.0))
    steps = rng.choice((1, 30, 400))
    draw = np.random.default_rng(rng.randint(0, 2**31))
    rate = draw.gamma(2.0, 5.0, (len(keys), steps))
    rate[draw.random(rate.shape) < 0.3] = np.nan
    tokens = draw.gamma(2.0, 200.0, (2, len(keys), steps))
    tokens[draw.random(tokens.shape) < 0.3] = np.nan
    return [PastLooks(step_s, now_s - now_s % step_s, keys, rate, tokens)]
