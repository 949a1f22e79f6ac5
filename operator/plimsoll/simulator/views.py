"""How would the operator's cache see the simulated cluster? As views of nodes, pods and workloads, never raw objects.

In: the simulated cluster and the manifests. Out: `Contents` and scales for `observe.resolve`, the very code that the
operator runs. Times become seconds since the epoch here.
"""

from collections.abc import Mapping
from dataclasses import replace

from plimsoll.api import ComputePool, InferenceDeployment
from plimsoll.domain import ObjectKey, Pod, Target, Variant, VariantKey
from plimsoll.observe import Contents
from plimsoll.observe.targets import Scale, Scales, identity, is_watched
from plimsoll.observe.views import NodeView, PodView, Selector, WorkloadView
from plimsoll.simulator.cluster import SimNode, SimPod, SimulatedCluster

_LABEL = "simulated/workload"
"""Marks the pods of a workload here, whatever its own selector."""


class Views:
    """Looks at one cluster again and again."""

    def __init__(self, contents: Contents, variants: Mapping[VariantKey, Variant], start_s: float) -> None:
        self._contents = contents
        self._variants = variants
        self._start_s = start_s
        self._labels = {
            one.name: dict(one.spec.node_selector) for one in contents.pools.values() if isinstance(one, ComputePool)
        }
        self._uids = {
            key: one.metadata.uid for key, one in contents.deployments.items() if isinstance(one, InferenceDeployment)
        }
        self._node_views: dict[str, tuple[tuple[bool, bool], NodeView]] = {}

    def contents(self, cluster: SimulatedCluster) -> Contents:
        """What the watches would have told by now."""
        return replace(
            self._contents,
            nodes={
                ObjectKey("", node.name): self._node(node)
                for nodes in cluster.nodes.values()
                for node in nodes.values()
                if node.ready
            },
            pods={
                ObjectKey(key.namespace, pod.name): self._pod(pod)
                for key, pods in cluster.pods.items()
                for pod in pods.values()
            },
            workloads={
                (variant.target.kind, ObjectKey(variant.target.namespace, variant.target.name)): self._workload(
                    variant, cluster.targets[key]
                )
                for key, variant in self._variants.items()
                if is_watched(variant.target)
            },
        )

    def scales(self, cluster: SimulatedCluster) -> Scales:
        """Of kinds that are not watched."""
        return {
            identity(variant.target): Scale(cluster.targets[key], _selector(variant.target))
            for key, variant in self._variants.items()
            if not is_watched(variant.target)
        }

    def _node(self, node: SimNode) -> NodeView:
        state = (node.ready, node.cordoned)
        kept = self._node_views.get(node.name)
        if kept is not None and kept[0] == state:
            return kept[1]
        view = NodeView(
            name=node.name,
            labels=self._labels[node.pool],
            ready=node.ready,
            schedulable=not node.cordoned,
            allocatable=node.offers,
            created_s=self._start_s + node.requested_s,
        )
        self._node_views[node.name] = (state, view)
        return view

    def _pod(self, pod: SimPod) -> PodView:
        target = self._variants[pod.key].target

        def since_epoch(at_s: float | None) -> float | None:
            return None if at_s is None else self._start_s + at_s

        return PodView(
            namespace=pod.key.namespace,
            labels={_LABEL: target.name},
            pod=Pod(
                name=pod.name,
                node=pod.node.name if pod.node else None,
                ready=pod.ready_since_s is not None,
                terminating=pod.terminating,
                created_s=self._start_s + pod.created_s,
                ready_since_s=since_epoch(pod.ready_since_s),
                unschedulable_since_s=since_epoch(pod.unschedulable_since_s),
            ),
            requests=pod.needs,
            of_daemonset=False,
        )

    def _workload(self, variant: Variant, replicas: int) -> WorkloadView:
        target = variant.target
        key = ObjectKey(target.namespace, target.name)
        declared = self._contents.workloads.get((target.kind, key))
        if declared is not None:
            return replace(declared, replicas=replicas, selector=_selector(target))
        return WorkloadView(
            key=key,
            uid="",
            generation=1,
            labels={},
            annotations={},
            replicas=replicas,
            selector=_selector(target),
            requests=variant.per_replica,
            controller_uid=self._uids[variant.key.deployment_key],
            fingerprint="",
        )


def _selector(target: Target) -> Selector:
    return Selector(equal=((_LABEL, target.name),))
