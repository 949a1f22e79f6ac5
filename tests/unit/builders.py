"""Frozen values of the domain with sensible defaults; a test states only what it is about.

In: overrides by keyword. Out: the types of ``plimsoll.domain``. Names follow one small world: deployment ``chat`` in
namespace ``team-a`` with variants ``h100`` (pool ``gpu-h100``) and ``xeon`` (pool ``cpu-amx``); the clock stands at
``NOW_S``. ``a_deployment`` gives its own key to the variants it gets, so they need not be told whose they are.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from plimsoll.domain import (
    CapacityTable,
    Demand,
    DemandState,
    Deployment,
    Finding,
    Forecast,
    ForecastBasis,
    LatencyMetric,
    LatencyTarget,
    Mode,
    Node,
    ObjectKey,
    Option,
    Pod,
    Policy,
    Pool,
    PriceKind,
    Profile,
    Resources,
    Routing,
    SizedBy,
    Snapshot,
    StepTime,
    Target,
    TokenMix,
    Variant,
    VariantKey,
)

NOW_S = 1_000_000.0
NAMESPACE = "team-a"
GIB = float(2**30)
MIX = TokenMix(prompt_tokens_mean=512.0, prompt_tokens_p95=1024.0, output_tokens_mean=128.0, output_tokens_p95=384.0)
GPU_REPLICA: Resources = {"cpu": 8.0, "memory": 64 * GIB, "nvidia.com/gpu": 1.0}
CPU_REPLICA: Resources = {"cpu": 16.0, "memory": 64 * GIB}
GPU_NODE: Resources = {"cpu": 64.0, "memory": 512 * GIB, "nvidia.com/gpu": 4.0}
CPU_NODE: Resources = {"cpu": 64.0, "memory": 256 * GIB}


def a_pod(name: str = "pod-0", **overrides: Any) -> Pod:
    """A ready pod without a node, ten minutes old."""
    pod = Pod(
        name=name,
        node=None,
        ready=True,
        terminating=False,
        created_s=NOW_S - 600.0,
        ready_since_s=NOW_S - 540.0,
    )
    return replace(pod, **overrides)


def a_profile(name: str = "llama-8b-h100", **overrides: Any) -> Profile:
    """A measured 8B model on one H100, with the step-time law of the design."""
    profile = Profile(
        name=name,
        model="meta-llama/Llama-3.1-8B-Instruct",
        engine="vLLM",
        hardware="nvidia-h100",
        precision="bf16",
        step_time=StepTime(6.63, 0.0218, 0.0196, 0.000055),
        max_sequences=64,
        kv_cache_tokens=400_000,
        startup_s=60.0,
        provenance="Measured",
    )
    return replace(profile, **overrides)


def a_variant(
    name: str = "h100",
    *,
    pool: str = "gpu-h100",
    replicas: int = 0,
    ready: int | None = None,
    startup_s: float = 60.0,
    **overrides: Any,
) -> Variant:
    """A variant of deployment ``chat`` whose target asks for `replicas`, of which `ready` (default: all) are ready."""
    ready = replicas if ready is None else ready
    variant = Variant(
        key=VariantKey(NAMESPACE, "chat", name),
        pool=pool,
        profile=a_profile(f"profile-{name}", startup_s=startup_s),
        target=Target("apps/v1", "Deployment", NAMESPACE, f"chat-{name}", owned=False),
        min_replicas=0,
        max_replicas=20,
        per_replica=GPU_REPLICA if pool.startswith("gpu") else CPU_REPLICA,
        replicas=replicas,
        pods=tuple(
            a_pod(f"{name}-{i}", ready=i < ready, ready_since_s=NOW_S - 540.0 if i < ready else None)
            for i in range(replicas)
        ),
    )
    return replace(variant, **overrides)


def a_demand(rps: float | None = 10.0, **overrides: Any) -> Demand:
    """Known demand at `rps`; None makes it absent."""
    demand = Demand(
        state=DemandState.ABSENT if rps is None else DemandState.KNOWN,
        message="no series" if rps is None else "fresh",
        sees_zero_replicas=True,
        arrival_rate_rps=rps,
        tokens=None if rps is None else MIX,
    )
    return replace(demand, **overrides)


def a_policy(**overrides: Any) -> Policy:
    """The balanced preset."""
    return Policy(**overrides)


def a_deployment(
    name: str = "chat",
    *,
    namespace: str = NAMESPACE,
    variants: Iterable[Variant] | None = None,
    rps: float | None = 10.0,
    **overrides: Any,
) -> Deployment:
    """A deployment in mode Auto with known demand and a load-aware router; its variants (``h100``) become its own."""
    own = tuple(
        replace(
            variant,
            key=VariantKey(namespace, name, variant.name),
            target=replace(variant.target, namespace=namespace, name=f"{name}-{variant.name}"),
        )
        for variant in ((a_variant(),) if variants is None else variants)
    )
    deployment = Deployment(
        key=ObjectKey(namespace, name),
        uid=f"uid-{namespace}-{name}",
        generation=1,
        model="meta-llama/Llama-3.1-8B-Instruct",
        mode=Mode.AUTO,
        priority=100,
        slo=(LatencyTarget(LatencyMetric.TTFT, 0.95, 800.0), LatencyTarget(LatencyMetric.TPOT, 0.95, 60.0)),
        variants=own,
        demand=a_demand(rps),
        policy=Policy(),
        routing=Routing.LOAD_AWARE,
    )
    return replace(deployment, **overrides)


def a_node(name: str = "node-0", resources: Resources = GPU_NODE, **overrides: Any) -> Node:
    """A ready, schedulable node that nothing foreign runs on."""
    node = Node(
        name=name,
        ready=True,
        schedulable=True,
        allocatable=resources,
        foreign_requests={},
        created_s=NOW_S - 3600.0,
    )
    return replace(node, **overrides)


def a_pool(name: str = "gpu-h100", *, nodes: int | tuple[Node, ...] = 0, **overrides: Any) -> Pool:
    """An on-demand pool of 4-GPU nodes (64-core nodes unless the name starts with ``gpu``), at most 10 of them."""
    resources = overrides.get("node_resources", GPU_NODE if name.startswith("gpu") else CPU_NODE)
    present = tuple(a_node(f"{name}-{i}", resources) for i in range(nodes)) if isinstance(nodes, int) else tuple(nodes)
    pool = Pool(
        name=name,
        hardware="nvidia-h100" if name.startswith("gpu") else "intel-xeon-amx",
        price_kind=PriceKind.ON_DEMAND,
        price_usd_per_hour=12.0 if name.startswith("gpu") else 3.0,
        min_nodes=0,
        max_nodes=10,
        provisioning_s=180.0,
        interruptions_per_hour=0.0,
        node_resources=resources,
        nodes=present,
    )
    return replace(pool, **overrides)


def a_snapshot(
    deployments: Iterable[Deployment] = (),
    pools: Iterable[Pool] = (),
    *,
    now_s: float = NOW_S,
    findings: tuple[Finding, ...] = (),
) -> Snapshot:
    """A snapshot sorted as ``observe`` sorts it."""
    return Snapshot(
        now_s=now_s,
        deployments=tuple(sorted(deployments, key=lambda deployment: deployment.key)),
        pools=tuple(sorted(pools, key=lambda pool: pool.name)),
        findings=findings,
    )


def a_forecast(deployment: Deployment, rps: float | None = None, **overrides: Any) -> Forecast:
    """A forecast of `rps` (default: the deployment's present rate) now and at every variant's lead time."""
    now_rps = (deployment.demand.arrival_rate_rps or 0.0) if rps is None else rps
    forecast = Forecast(
        key=deployment.key,
        basis=ForecastBasis.KNOWN,
        now_rps=now_rps,
        at_lead_rps={variant.name: now_rps for variant in deployment.variants},
        tokens=MIX,
        message="flat",
    )
    return replace(forecast, **overrides)


def an_option(variant: Variant, rps: float = 5.0, **overrides: Any) -> Option:
    """A variant of which each replica carries `rps` safely."""
    return replace(
        Option(key=variant.key, capacity=CapacityTable((1,), (rps,)), unloaded=(), sized_by=SizedBy.ESTIMATE),
        **overrides,
    )


def options_for(deployments: Iterable[Deployment], rps: Mapping[str, float]) -> dict[VariantKey, Option]:
    """One option for every variant, its safe rate looked up by variant name."""
    return {
        variant.key: an_option(variant, rps[variant.name])
        for deployment in deployments
        for variant in deployment.variants
    }
