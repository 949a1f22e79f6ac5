"""What is there, put together: which deployments can be worked with, on which pools, and what stands in the way?

In: the contents of the cache and the scales of kinds that are not watched; then what metrics say. Out: the deployments
and pools of a `Snapshot` with every finding. Pure. A bad object is a finding and never stops the others: a variant that
cannot be used is left out and the deployment goes on with the rest; a deployment without a usable variant is left out.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from plimsoll.api import Engine, InferenceDeployment
from plimsoll.api.inference_deployment import DEFAULT_POLICY
from plimsoll.domain import (
    NOTHING_TOLD,
    Demand,
    DemandState,
    Deployment,
    DisruptionBudget,
    Finding,
    ObjectKey,
    Pod,
    Policy,
    Pool,
    Reason,
    Snapshot,
    Told,
    Variant,
    VariantKey,
)
from plimsoll.errors import InvalidObject
from plimsoll.observe.attribution import Asked, Server
from plimsoll.observe.cluster_cache import Contents
from plimsoll.observe.demand import Observed
from plimsoll.observe.disruption_budgets import disruption_budgets
from plimsoll.observe.pod_index import Claim, share_out
from plimsoll.observe.pool_nodes import resolve_pools
from plimsoll.observe.prices import pools_priced_by_open_cost
from plimsoll.observe.retired import retired_workloads
from plimsoll.observe.routes import missing_route
from plimsoll.observe.targets import Found, Scales, Unavailable, claims, find, identity
from plimsoll.observe.variants import World, resolve_variant
from plimsoll.observe.views import PodView

_NOT_READ = Demand(DemandState.ABSENT, "metrics were not read", sees_zero_replicas=False)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A snapshot that still lacks what metrics say."""

    deployments: tuple[Deployment, ...]
    pools: tuple[Pool, ...]
    findings: tuple[Finding, ...]
    asked: tuple[Asked, ...]
    """What metrics are to be asked, one for each deployment."""
    open_cost_pools: frozenset[str] = frozenset()
    """Pools whose price OpenCost is asked for."""
    disruption_budgets: tuple[DisruptionBudget, ...] = ()


def resolve(contents: Contents, scales: Scales) -> Cluster:
    """All deployments and pools, sorted, with what was left out and why."""
    manifests = {
        key: one
        for key, one in sorted(contents.deployments.items())
        if isinstance(one, InferenceDeployment) and key not in contents.deleting
    }
    found = _find_targets(manifests, contents, scales)
    pods, side_pods = share_out(list(contents.pods.values()), _pod_claims(found))
    pools = resolve_pools(contents, side_pods)
    retired = _retired_servers(contents, side_pods)
    rivals = {identity(rival.target): rival.description for rival in contents.rivals}
    world = World(pools, contents.profiles, rivals, contents.routes)
    leaving = frozenset(node.name for node in contents.nodes.values() if node.leaving)
    deployments: list[Deployment] = []
    findings = _invalid(contents)
    asked: list[Asked] = []
    for key, manifest in manifests.items():
        policy, noticed = _policy(key, manifest, contents)
        noticed += missing_route(manifest, contents.routes)
        variants: list[Variant] = []
        for spec in manifest.spec.variants:
            name = VariantKey(key.namespace, key.name, spec.name)
            own_pods = tuple(_with_node(view.pod, leaving) for view in pods.get(name, ()))
            resolved = resolve_variant(manifest, spec, found[name], own_pods, world)
            noticed += resolved.findings
            variants += [resolved.variant] if resolved.variant else []
        if variants:
            told = contents.told.get(key, NOTHING_TOLD)
            deployments.append(_deployment(key, manifest, tuple(variants), policy, told))
            asked.append(_asked(manifest, deployments[-1], retired.get(key, ())))
        else:
            noticed.append(_no_usable_variant(key, noticed))
        findings += noticed
    return Cluster(
        tuple(deployments),
        tuple(pool for _, pool in sorted(pools.usable.items())),
        tuple(findings),
        tuple(asked),
        pools_priced_by_open_cost(contents),
        disruption_budgets(contents.budgets, (view for views in pods.values() for view in views)),
    )


def with_demand(cluster: Cluster, observed: Mapping[ObjectKey, Observed], now_s: float) -> Snapshot:
    """The snapshot of one tick; a deployment of which nothing was observed has absent demand."""
    return Snapshot(
        now_s=now_s,
        deployments=tuple(_with_metrics(one, observed.get(one.key)) for one in cluster.deployments),
        pools=cluster.pools,
        findings=cluster.findings,
        disruption_budgets=cluster.disruption_budgets,
    )


def _with_metrics(deployment: Deployment, observed: Observed | None) -> Deployment:
    if observed is None:
        return deployment
    variants = tuple(
        replace(
            variant,
            latencies=observed.latencies.get(variant.name, ()),
            arrival_rate_rps=observed.arrival_rate_rps.get(variant.name),
            kv_cache_use_ratio=observed.kv_cache_use_ratio.get(variant.name),
        )
        for variant in deployment.variants
    )
    return replace(deployment, demand=observed.demand, variants=variants)


def _find_targets(
    manifests: Mapping[ObjectKey, InferenceDeployment], contents: Contents, scales: Scales
) -> Mapping[VariantKey, Found | Unavailable]:
    winners = claims(manifests.values())
    return {
        VariantKey(key.namespace, key.name, spec.name): find(manifest, spec, contents, scales, winners)
        for key, manifest in manifests.items()
        for spec in manifest.spec.variants
    }


def _pod_claims(found: Mapping[VariantKey, Found | Unavailable]) -> list[Claim[VariantKey]]:
    return [
        Claim(key, key.namespace, target.selector)
        for key, target in sorted(found.items())
        if not isinstance(target, Unavailable)
    ]


def _deployment(
    key: ObjectKey, manifest: InferenceDeployment, variants: tuple[Variant, ...], policy: Policy, told: Told
) -> Deployment:
    spec = manifest.spec
    return Deployment(
        key=key,
        uid=manifest.metadata.uid,
        generation=manifest.metadata.generation,
        model=spec.model,
        mode=spec.mode,
        priority=spec.priority,
        slo=spec.slo.targets(),
        variants=variants,
        demand=replace(_NOT_READ, sees_zero_replicas=spec.demand.engine is Engine.GATEWAY),
        policy=policy,
        budget_usd_per_hour=spec.budget.per_hour.usd if spec.budget else None,
        external_price=spec.external_api.to_domain() if spec.external_api else None,
        routing=spec.routing.type,
        http_route=spec.routing.http_route,
        told=told,
    )


def _retired_servers(contents: Contents, pods: Sequence[PodView]) -> Mapping[ObjectKey, Sequence[Server]]:
    """By deployment the servers whose variant is gone, but which still take their share of its requests."""
    retired = retired_workloads(contents)
    claims_made = [Claim(one.workload.key, one.workload.key.namespace, one.workload.selector) for one in retired]
    shared, _ = share_out(pods, claims_made) if claims_made else ({}, [])
    servers: dict[ObjectKey, list[Server]] = defaultdict(list)
    for one in retired:
        if one.engine is not None:
            own_pods = tuple(view.pod for view in shared[one.workload.key])
            # No variant can have such a name: what these pods do must not count as that of a variant named alike.
            name = f"{one.variant} (removed)"
            servers[one.owner].append(Server(name, one.engine, one.workload.key.name, own_pods))
    return servers


def _asked(manifest: InferenceDeployment, deployment: Deployment, retired: Sequence[Server]) -> Asked:
    queries = manifest.spec.demand.queries
    return Asked(
        key=deployment.key,
        source=manifest.spec.demand.engine,
        model=manifest.metrics_model_name,
        servers=(
            *(
                Server(variant.name, Engine(variant.profile.engine), variant.target.name, variant.pods)
                for variant in deployment.variants
            ),
            *retired,
        ),
        slo=deployment.slo,
        stale_after_s=deployment.policy.demand_stale_after_s,
        queries=queries.model_dump(exclude_none=True) if queries else {},
    )


def _with_node(pod: Pod, leaving: frozenset[str]) -> Pod:
    return replace(pod, leaving=True) if pod.node in leaving else pod


def _policy(key: ObjectKey, manifest: InferenceDeployment, contents: Contents) -> tuple[Policy, list[Finding]]:
    """The policy that is named, else the built-in defaults with a finding."""
    name = manifest.spec.policy
    policy = contents.policies.get(ObjectKey("", name))
    if policy is None and name == DEFAULT_POLICY:
        return Policy(), []
    if policy is None:
        message = f"spec.policy is {name}, and there is no ScalingPolicy of that name: create it, or name another one"
    elif isinstance(policy, InvalidObject):
        message = f"spec.policy is {name}, and that ScalingPolicy is not valid: {policy}"
    else:
        return policy.to_domain(), []
    return Policy(), [Finding(key, Reason.POLICY_MISSING, f"{message}; until then the built-in defaults apply")]


def _invalid(contents: Contents) -> list[Finding]:
    return [
        Finding(key, Reason.INVALID_SPEC, f"{one}; until then its workloads are left as they are")
        for key, one in sorted(contents.deployments.items())
        if isinstance(one, InvalidObject) and key not in contents.deleting
    ]


def _no_usable_variant(key: ObjectKey, noticed: list[Finding]) -> Finding:
    why = "; ".join(f"{finding.variant}: {finding.message}" for finding in noticed if finding.variant)
    return Finding(key, Reason.NO_USABLE_VARIANT, f"none of its variants can be used, so nothing is scaled. {why}")
