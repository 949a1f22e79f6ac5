"""Who adds a node when pods find no room, and takes it away when it stays empty?

In: pools and the cluster's pending pods. Out: KWOK nodes that come after their pool's boot time, up to its cap, unless
the pool is out of stock, and go when they have been empty for a while; and what they cost in node-seconds. It stands in
for a provider's autoscaler in tests and the demo and is no part of the product. How many nodes are needed is
node_fitting.py.

    with ClusterAutoscaler(control_plane.api_client, pools) as autoscaler:
        autoscaler.set_out_of_stock("gpu-h100", True)
"""

import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

import urllib3.exceptions
from kubernetes.client import ApiClient, ApiException

from plimsoll_testkit.json_api import MERGE_PATCH, items, request
from plimsoll_testkit.kwok import POOL_LABEL, NodeShape, Taint, create_nodes, delete_nodes, pods_on
from plimsoll_testkit.node_fitting import Amounts, PodNeed, allocatable, free_after, nodes_needed, pod_need, suits

POLL_S = 0.5
FINISHED_PHASES = ("Succeeded", "Failed")


@dataclass(frozen=True)
class AutoscaledPool:
    """One pool of equal nodes."""

    name: str
    node_labels: Mapping[str, str]
    allocatable: Mapping[str, str]
    boot_s: float
    """From the request for a node until it is there."""
    min_nodes: int = 0
    max_nodes: int = 10
    empty_removal_s: float = 10.0
    """How long a node is left empty before it goes; real autoscalers wait ten minutes."""
    taints: Sequence[Taint] = field(default=())

    @property
    def shape(self) -> NodeShape:
        return NodeShape(self.name, self.node_labels, self.allocatable, self.taints)


@dataclass
class _PoolState:
    """What is known of a pool's nodes between two looks."""

    boots_s: list[float] = field(default_factory=list)
    """When each node under way will be there."""
    empty_since_s: dict[str, float] = field(default_factory=dict)
    out_of_stock: bool = False
    made: int = 0
    node_seconds: float = 0.0
    present: int = 0


@dataclass(frozen=True)
class _Look:
    """The cluster at one moment: pods by node, and those that found no room."""

    nodes_by_pool: Mapping[str, Sequence[str]]
    pods_by_node: Mapping[str, Sequence[PodNeed]]
    unschedulable: Sequence[PodNeed]


class ClusterAutoscaler:
    """Keeps the pools from a thread of its own between entering and leaving the ``with`` block."""

    def __init__(
        self,
        connect: Callable[[], ApiClient],
        pools: Sequence[AutoscaledPool],
        poll_s: float = POLL_S,
    ) -> None:
        self.pools = {pool.name: pool for pool in pools}
        self.failed_looks = 0
        """How often the API server could not be asked; each is tried again at the next poll."""
        self._connect = connect
        self._poll_s = poll_s
        self._states = {pool.name: _PoolState() for pool in pools}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cluster-autoscaler", daemon=True)
        self._counted_s = time.monotonic()

    def __enter__(self) -> Self:
        self._api = self._connect()
        with self._lock:
            for pool in self.pools.values():
                self._create(pool, pool.min_nodes)
            self._counted_s = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join()
        with self._lock:
            self._count_time()
            for state in self._states.values():
                # The bill ends here, and can still be read afterwards.
                state.present = 0
                state.boots_s.clear()
        with self._api:
            for names in self._nodes_by_pool().values():
                delete_nodes(self._api, names)

    def set_out_of_stock(self, pool: str, out_of_stock: bool) -> None:
        """From now on the provider has none of the pool's nodes to give, or has again; boots under way are lost."""
        with self._lock:
            self._states[pool].out_of_stock = out_of_stock
            if out_of_stock:
                self._states[pool].boots_s.clear()

    def reclaim(self, pool: str, count: int = 1) -> list[str]:
        """Names of the nodes that the provider took back just now, with the pods on them, as spot capacity goes."""
        with self._lock:
            names = list(self._nodes_by_pool()[pool])[:count]
            delete_nodes(self._api, names)
        return names

    def node_seconds(self, pool: str) -> float:
        """What the pool's nodes add up to so far; like a provider's bill it counts a node from its request on."""
        with self._lock:
            self._count_time()
            return self._states[pool].node_seconds

    def nodes_under_way(self, pool: str) -> int:
        """Nodes requested that are not there yet."""
        with self._lock:
            return len(self._states[pool].boots_s)

    def _run(self) -> None:
        while not self._stopping.wait(self._poll_s):
            try:
                with self._lock:
                    self._step()
            except (ApiException, urllib3.exceptions.HTTPError) as error:
                self.failed_looks += 1
                print(
                    f"cluster autoscaler: looks again in {self._poll_s} s, the API server could not be asked: {error}",
                    file=sys.stderr,
                )

    def _step(self) -> None:
        self._count_time()
        look = self._look()
        now_s = time.monotonic()
        waiting = list(look.unschedulable)
        for pool in self.pools.values():
            state = self._states[pool.name]
            state.present = len(look.nodes_by_pool[pool.name])
            self._deliver(pool, state, now_s)
            wanted = [need for need in waiting if suits(need, pool.shape)]
            # A pod counts for the first pool it suits; otherwise two pools would boot a node each for it.
            waiting = [need for need in waiting if need not in wanted]
            self._request(pool, state, wanted, look, now_s)
            self._remove_empty(pool, state, look, now_s)

    def _deliver(self, pool: AutoscaledPool, state: _PoolState, now_s: float) -> None:
        due = [ready_s for ready_s in state.boots_s if ready_s <= now_s]
        state.boots_s = [ready_s for ready_s in state.boots_s if ready_s > now_s]
        self._create(pool, len(due))

    def _request(
        self, pool: AutoscaledPool, state: _PoolState, wanted: Sequence[PodNeed], look: _Look, now_s: float
    ) -> None:
        if state.out_of_stock:
            return
        free: list[Amounts] = [
            free_after(pool.shape, look.pods_by_node.get(name, ())) for name in look.nodes_by_pool[pool.name]
        ]
        # Nodes delivered in this very step are not in the look yet: they are as empty as those under way.
        unseen = state.present - len(free) + len(state.boots_s)
        free += [allocatable(pool.shape)] * unseen
        room = pool.max_nodes - len(free)
        missing = pool.min_nodes - len(free)
        count = min(max(nodes_needed(wanted, pool.shape, free), missing), room)
        state.boots_s += [now_s + pool.boot_s] * max(0, count)

    def _remove_empty(self, pool: AutoscaledPool, state: _PoolState, look: _Look, now_s: float) -> None:
        names = look.nodes_by_pool[pool.name]
        empty = [name for name in names if not look.pods_by_node.get(name)]
        state.empty_since_s = {name: state.empty_since_s.get(name, now_s) for name in empty}
        spare = len(names) - pool.min_nodes
        overdue = [name for name in sorted(empty) if now_s - state.empty_since_s[name] >= pool.empty_removal_s]
        for name in overdue[: max(0, spare)]:
            self._remove_if_still_empty(name, state)

    def _remove_if_still_empty(self, name: str, state: _PoolState) -> None:
        """Cordons and looks a second time, since the scheduler may have filled the node since the first look."""
        self._set_unschedulable(name, True)
        if pods_on(self._api, name):
            self._set_unschedulable(name, False)
            return
        delete_nodes(self._api, [name])
        state.present -= 1
        del state.empty_since_s[name]

    def _set_unschedulable(self, name: str, unschedulable: bool) -> None:
        body = {"spec": {"unschedulable": unschedulable}}
        request(self._api, "PATCH", f"/api/v1/nodes/{name}", body, content_type=MERGE_PATCH)

    def _create(self, pool: AutoscaledPool, count: int) -> None:
        state = self._states[pool.name]
        for _ in range(count):
            state.made += 1
            state.present += 1
            create_nodes(self._api, pool.shape, [f"{pool.name}-{state.made}"])

    def _count_time(self) -> None:
        now_s = time.monotonic()
        for state in self._states.values():
            state.node_seconds += (now_s - self._counted_s) * (state.present + len(state.boots_s))
        self._counted_s = now_s

    def _look(self) -> _Look:
        pods_by_node: dict[str, list[PodNeed]] = defaultdict(list)
        unschedulable: list[PodNeed] = []
        for pod in items(self._api, "/api/v1/pods"):
            node = pod["spec"].get("nodeName")
            if pod["status"].get("phase") in FINISHED_PHASES:
                continue
            if node:
                pods_by_node[node].append(pod_need(pod))
            elif _found_no_room(pod):
                unschedulable.append(pod_need(pod))
        return _Look(self._nodes_by_pool(), pods_by_node, unschedulable)

    def _nodes_by_pool(self) -> dict[str, list[str]]:
        nodes: dict[str, list[str]] = {name: [] for name in self.pools}
        for node in items(self._api, "/api/v1/nodes", {"labelSelector": POOL_LABEL}):
            pool = (node["metadata"].get("labels") or {}).get(POOL_LABEL)
            if pool in nodes:
                nodes[pool].append(node["metadata"]["name"])
        return nodes


def _found_no_room(pod: Mapping[str, Any]) -> bool:
    conditions = pod["status"].get("conditions") or []
    return any(
        condition["type"] == "PodScheduled"
        and condition["status"] == "False"
        and condition.get("reason") == "Unschedulable"
        for condition in conditions
    )
