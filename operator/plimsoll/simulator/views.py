"""How does the operator see the simulated cluster? As its own `Cluster`, what `observe.resolve` makes of the manifests.

In: the manifests resolved once, the simulated cluster as it is. Out: the same with the pods, nodes and replica counts
of the moment. Only these change during a run, so only they are put in anew, and what has not changed is the same object
as before. Times become seconds since the epoch here.
"""

from collections.abc import Mapping
from dataclasses import replace

from plimsoll.domain import Deployment, Node, Pod, Pool, Variant
from plimsoll.observe import Cluster
from plimsoll.observe.attribution import Asked
from plimsoll.simulator.cluster import SimNode, SimPod, SimulatedCluster


class Views:
    """Looks at one cluster again and again."""

    def __init__(self, resolved: Cluster, start_s: float) -> None:
        self._last = resolved
        self._start_s = start_s
        self._pods: dict[str, tuple[tuple[object, ...], Pod]] = {}
        self._nodes: dict[str, tuple[bool, Node]] = {}

    def cluster(self, simulated: SimulatedCluster) -> Cluster:
        """What the watches would have told by now."""
        pairs = [
            self._deployment(deployment, asked, simulated)
            for deployment, asked in zip(self._last.deployments, self._last.asked, strict=True)
        ]
        self._last = replace(
            self._last,
            deployments=tuple(deployment for deployment, _ in pairs),
            asked=tuple(asked for _, asked in pairs),
            pools=tuple(self._pool(pool, simulated.nodes[pool.name]) for pool in self._last.pools),
        )
        return self._last

    def _deployment(
        self, deployment: Deployment, asked: Asked, simulated: SimulatedCluster
    ) -> tuple[Deployment, Asked]:
        variants = tuple(
            self._variant(one, simulated.targets[one.key], simulated.pods[one.key]) for one in deployment.variants
        )
        if all(now is before for now, before in zip(variants, deployment.variants, strict=True)):
            return deployment, asked
        pods = {one.name: one.pods for one in variants}
        servers = tuple(replace(one, pods=pods.get(one.variant, one.pods)) for one in asked.servers)
        return replace(deployment, variants=variants), replace(asked, servers=servers)

    def _variant(self, variant: Variant, target: int, pods: Mapping[str, SimPod]) -> Variant:
        views = tuple(self._pod(pod) for _, pod in sorted(pods.items()))
        same_pods = len(views) == len(variant.pods) and all(
            now is before for now, before in zip(views, variant.pods, strict=True)
        )
        if target == variant.replicas and same_pods:
            return variant
        return replace(variant, replicas=target, pods=views)

    def _pod(self, pod: SimPod) -> Pod:
        leaving = pod.node is not None and pod.node.cordoned
        state = (pod.node, pod.ready_since_s, pod.terminating, pod.unschedulable_since_s, leaving)
        kept = self._pods.get(pod.name)
        if kept is not None and kept[0] == state:
            return kept[1]
        view = Pod(
            name=pod.name,
            node=pod.node.name if pod.node else None,
            ready=pod.ready_since_s is not None,
            terminating=pod.terminating,
            created_s=self._start_s + pod.created_s,
            ready_since_s=self._since_epoch(pod.ready_since_s),
            unschedulable_since_s=self._since_epoch(pod.unschedulable_since_s),
            leaving=leaving,
        )
        self._pods[pod.name] = (state, view)
        return view

    def _since_epoch(self, at_s: float | None) -> float | None:
        return None if at_s is None else self._start_s + at_s

    def _pool(self, pool: Pool, nodes: Mapping[str, SimNode]) -> Pool:
        # A node is no object of the cluster before it is ready: that is when it is created, not when it was asked for.
        views = tuple(
            self._node(node, node.ready_since_s) for _, node in sorted(nodes.items()) if node.ready_since_s is not None
        )
        return pool if views == pool.nodes else replace(pool, nodes=views)

    def _node(self, node: SimNode, ready_since_s: float) -> Node:
        kept = self._nodes.get(node.name)
        if kept is not None and kept[0] == node.cordoned:
            return kept[1]
        view = Node(
            name=node.name,
            ready=True,
            schedulable=not node.cordoned,
            allocatable=node.offers,
            foreign_requests={},
            created_s=self._start_s + ready_since_s,
            leaving=node.cordoned,
        )
        self._nodes[node.name] = (node.cordoned, view)
        return view
