"""What does each pool consist of, and what does one of its nodes offer?

In: pools, nodes, and the pods that belong to no variant. Out: the domain's pools with their nodes, and for pools that
cannot be planned with the reason in words. Pure.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plimsoll.api import ComputePool
from plimsoll.domain import Node, Pool, Resources
from plimsoll.errors import InvalidObject
from plimsoll.observe.cluster_cache import Contents
from plimsoll.observe.pod_index import requests_by_node
from plimsoll.observe.views import NodeView, PodView


@dataclass(frozen=True, slots=True)
class Pools:
    """The pools by name, and why some cannot be used."""

    usable: Mapping[str, Pool]
    problems: Mapping[str, str]


def resolve_pools(contents: Contents, side_pods: Sequence[PodView]) -> Pools:
    """Every pool with its nodes; `side_pods` are those that belong to no variant."""
    manifests = {key.name: one for key, one in contents.pools.items() if isinstance(one, ComputePool)}
    members = _members(manifests, list(contents.nodes.values()))
    foreign = requests_by_node(side_pods)
    daemons = requests_by_node(pod for pod in side_pods if pod.of_daemonset)
    usable: dict[str, Pool] = {}
    problems = {
        key.name: f"ComputePool {key.name} is not valid: {one}"
        for key, one in contents.pools.items()
        if isinstance(one, InvalidObject)
    }
    for name, manifest in sorted(manifests.items()):
        views = members.get(name, ())
        pool = manifest.to_domain(
            nodes=tuple(_node(view, foreign.get(view.name, {})) for view in views),
            node_resources=_least_offered(views, daemons),
        )
        if pool.node_resources:
            usable[name] = pool
        else:
            problems[name] = (
                f"ComputePool {name} has no node now and no spec.resources, so nothing is known of its nodes: "
                "set spec.resources to what one node offers to replicas"
            )
    return Pools(usable, problems)


def _members(manifests: Mapping[str, ComputePool], nodes: Sequence[NodeView]) -> Mapping[str, tuple[NodeView, ...]]:
    """By pool the nodes that its selector matches, by name."""
    mentioned = {pair for manifest in manifests.values() for pair in manifest.spec.node_selector.items()}
    by_pair: dict[tuple[str, str], list[NodeView]] = defaultdict(list)
    for node in nodes:
        for pair in node.labels.items():
            if pair in mentioned:
                by_pair[pair].append(node)
    members = {}
    for name, manifest in manifests.items():
        pairs = list(manifest.spec.node_selector.items())
        candidates = min((by_pair.get(pair, []) for pair in pairs), key=len)
        own = [node for node in candidates if all(node.labels.get(key) == value for key, value in pairs)]
        members[name] = tuple(sorted(own, key=lambda node: node.name))
    return members


def _node(view: NodeView, foreign_requests: Resources) -> Node:
    return Node(
        view.name, view.ready, view.schedulable, view.allocatable, foreign_requests, view.created_s, view.leaving
    )


def _least_offered(views: Sequence[NodeView], daemons: Mapping[str, Resources]) -> Resources:
    """Of each resource the least that any present node offers once its daemonsets have theirs."""
    offers = [
        {
            name: max(0.0, amount - daemons.get(view.name, {}).get(name, 0.0))
            for name, amount in view.allocatable.items()
        }
        for view in views
        if view.allocatable
    ]
    names = sorted({name for offer in offers for name in offer})
    return {name: min(offer.get(name, 0.0) for offer in offers) for name in names}
