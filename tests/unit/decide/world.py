"""A toy cluster around ``decide``: a scheduler, an autoscaler with boot times, pods with start times, a clock of ticks.

In: deployments and pools as they should begin, and what demand does. Out: what happened, tick by tick. Everything that
a real cluster would do between two ticks happens at once, at the beginning of `World.tick`.
"""

from dataclasses import dataclass, field, replace

from plimsoll.decide import decide
from plimsoll.domain import Decision, Demand, Deployment, Memory, Pod, Pool, Snapshot, Step, Variant, VariantKey
from unit.builders import NOW_S, a_demand, a_node, a_snapshot

TICK_S = 10.0
EMPTY_NODE_STAYS_S = 60.0


@dataclass
class ToyNode:
    name: str
    since_s: float


@dataclass
class ToyPod:
    name: str
    since_s: float
    node: str | None = None
    placed_s: float = 0.0


@dataclass
class World:
    """What runs where; it changes only in `tick` and by hand."""

    deployments: list[Deployment]
    pools: list[Pool]
    now_s: float = NOW_S
    memory: Memory = field(default_factory=Memory)
    sold_out: set[str] = field(default_factory=set)
    """Pools whose autoscaler delivers nothing."""
    pods: dict[VariantKey, list[ToyPod]] = field(default_factory=dict)
    nodes: dict[str, list[ToyNode]] = field(default_factory=dict)
    ordered_s: dict[str, float] = field(default_factory=dict)
    """By pool, when the node that is on its way arrives."""
    made: int = 0
    tick_s: float = TICK_S
    empty_node_stays_s: float = EMPTY_NODE_STAYS_S

    def __post_init__(self) -> None:
        for pool in self.pools:
            self.nodes[pool.name] = [ToyNode(node.name, node.created_s) for node in pool.nodes]
        for variant in self.variants:
            self.pods[variant.key] = []

    @property
    def variants(self) -> list[Variant]:
        return [variant for deployment in self.deployments for variant in deployment.variants]

    def tick(self, demand: float | Demand) -> Decision:
        """Lets the cluster do its work, decides for that demand of every deployment, and carries the steps out."""
        self.idle()
        seen = demand if isinstance(demand, Demand) else a_demand(demand)
        decision = decide(self.snapshot(seen), self.memory)
        self.memory = decision.memory
        for step in decision.plan.steps_to_apply:
            self._apply(step)
        return decision

    def idle(self) -> None:
        """Lets the cluster do its work for the length of a tick, and decides nothing."""
        self.now_s += self.tick_s
        for pool in self.pools:
            self._scale_nodes(pool)

    def snapshot(self, demand: Demand) -> Snapshot:
        return a_snapshot(
            [
                replace(d, demand=demand, variants=tuple(self._seen(variant) for variant in d.variants))
                for d in self.deployments
            ],
            [
                replace(
                    pool,
                    nodes=tuple(
                        a_node(node.name, pool.node_resources, created_s=node.since_s) for node in self.nodes[pool.name]
                    ),
                )
                for pool in self.pools
            ],
            now_s=self.now_s,
        )

    def replicas(self) -> dict[str, int]:
        """What the targets ask for, by variant name, zeros left out."""
        return {key.variant: len(pods) for key, pods in self.pods.items() if pods}

    def ready(self, variant: Variant) -> int:
        return sum(self._is_ready(pod, variant) for pod in self.pods[variant.key])

    def ready_rps(self, decision: Decision) -> float:
        """What ready replicas carry right now, by the safe rates of a decision."""
        rates = {v.key: v.safe_rate_rps for plan in decision.plan.deployments for v in plan.variants}
        return sum(rates[variant.key] * self.ready(variant) for variant in self.variants)

    def _is_ready(self, pod: ToyPod, variant: Variant) -> bool:
        return pod.node is not None and self.now_s - pod.placed_s >= variant.profile.startup_s

    def _seen(self, variant: Variant) -> Variant:
        pods = tuple(
            Pod(
                name=pod.name,
                node=pod.node,
                ready=self._is_ready(pod, variant),
                terminating=False,
                created_s=pod.since_s,
                ready_since_s=pod.placed_s + variant.profile.startup_s if self._is_ready(pod, variant) else None,
                unschedulable_since_s=None if pod.node else pod.since_s,
            )
            for pod in self.pods[variant.key]
        )
        return replace(variant, replicas=len(pods), pods=pods)

    def _scale_nodes(self, pool: Pool) -> None:
        nodes, users = self.nodes[pool.name], [v for v in self.variants if v.pool == pool.name]
        if self.ordered_s.get(pool.name, self.now_s + 1) <= self.now_s and pool.name not in self.sold_out:
            del self.ordered_s[pool.name]
            self.made += 1
            nodes.append(ToyNode(f"{pool.name}-{self.made}", self.now_s))
        waiting = [pod for v in users for pod in self.pods[v.key] if not self._place(pool, v, pod)]
        if waiting and pool.name not in self.ordered_s and len(nodes) < pool.max_nodes:
            self.ordered_s[pool.name] = self.now_s + pool.provisioning_s
        if not waiting:
            self.ordered_s.pop(pool.name, None)
        used = {pod.node for v in users for pod in self.pods[v.key]}
        for node in list(nodes):
            old = self.now_s - node.since_s > self.empty_node_stays_s
            if node.name not in used and old and len(nodes) > pool.min_nodes:
                nodes.remove(node)

    def _place(self, pool: Pool, variant: Variant, pod: ToyPod) -> bool:
        for node in self.nodes[pool.name] if pod.node is None else ():
            taken = dict.fromkeys(variant.per_replica, 0.0)
            for other in self.variants:
                count = sum(p.node == node.name for p in self.pods[other.key])
                for name in taken:
                    taken[name] += count * other.per_replica.get(name, 0.0)
            if all(taken[r] + size <= pool.node_resources.get(r, 0.0) for r, size in variant.per_replica.items()):
                pod.node, pod.placed_s = node.name, self.now_s
                break
        return pod.node is not None

    def _apply(self, step: Step) -> None:
        variant = next(variant for variant in self.variants if variant.key == step.key)
        pods = self.pods[step.key]
        assert len(pods) == step.from_replicas, "a step starts from what is there"
        assert variant.min_replicas <= step.to_replicas <= variant.max_replicas
        for _ in range(step.to_replicas - step.from_replicas):
            self.made += 1
            pods.append(ToyPod(f"{step.key.variant}-{self.made}", self.now_s))
        # As a ReplicaSet does: unready pods first, then by deletion cost.
        pods.sort(key=lambda pod: (self._is_ready(pod, variant), pod.name not in step.delete_first))
        del pods[: max(0, step.from_replicas - step.to_replicas)]
