"""A cluster, event by event: who is where, who is ready, and what is on the bill?

In: replicas that targets ask for. Out: calls to a `Listener`, and node lifetimes. The life of a pod: created, placed
when a node has room, ready after its start-up, terminating until its requests are done or its grace is over. The life
of a node: requested when pods find no room (from then on it is on the bill), ready after its boot, removed once it has
been unneeded for long enough (emptied first where a few pods are left that fit elsewhere), or taken back by the
provider after a notice.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Mapping
from functools import partial
from typing import Protocol

import numpy as np

from plimsoll.domain import Pool, PriceKind, Variant, VariantKey
from plimsoll.simulator.agenda import Agenda
from plimsoll.simulator.cluster.consolidation import unneeded
from plimsoll.simulator.cluster.node_groups import nodes_missing
from plimsoll.simulator.cluster.objects import SimNode, SimPod
from plimsoll.simulator.cluster.replica_sets import leaving_order
from plimsoll.simulator.cluster.scheduling import chosen_node
from plimsoll.simulator.scenario import ClusterFacts, PoolFacts

_LONGEST_BACKOFF_S = 1800.0
"""cluster-autoscaler --max-node-group-backoff-duration."""


class Listener(Protocol):
    """Whoever serves requests in the pods."""

    def pod_ready(self, pod: SimPod, now_s: float) -> None:
        """Requests may go to it from now on."""

    def pod_terminating(self, pod: SimPod, now_s: float) -> float:
        """No request goes to it from now on; returns when it will have finished those that it has."""

    def pod_gone(self, pod: SimPod, now_s: float) -> None:
        """It is there no more, whatever it had not finished is lost."""


class SimulatedCluster:
    """Pods and nodes of one run."""

    def __init__(
        self,
        pools: Collection[Pool],
        variants: Collection[Variant],
        facts: ClusterFacts,
        agenda: Agenda,
        listener: Listener,
        rng: np.random.Generator,
    ) -> None:
        self._pools = {pool.name: pool for pool in pools}
        self._variants = {variant.key: variant for variant in variants}
        self._facts = facts
        self._agenda = agenda
        self._listener = listener
        self._rng = rng
        self.nodes: dict[str, dict[str, SimNode]] = {pool.name: {} for pool in pools}
        """By pool and name; booting ones included."""
        self.pods: dict[VariantKey, dict[str, SimPod]] = {key: {} for key in self._variants}
        """By variant and name; terminating ones included."""
        self.targets: dict[VariantKey, int] = dict.fromkeys(self._variants, 0)
        self.lifetimes: dict[str, list[tuple[float, float]]] = {pool.name: [] for pool in pools}
        """By pool: from when to when each node that is gone was on the bill."""
        self._delete_first: dict[VariantKey, frozenset[str]] = {}
        self._pending: dict[str, dict[str, SimPod]] = defaultdict(dict)
        self._made: dict[str, int] = defaultdict(int)
        self._backoff: dict[str, tuple[float, float]] = {}
        """By pool: until when it is not asked again, and for how long after the next failure."""
        self._added_s = -math.inf

    # --- The start ---------------------------------------------------------------------------------------------------

    def begin(self, replicas: Mapping[VariantKey, int]) -> None:
        """All that is there at the start: nodes that always are, those that these replicas need, and they, ready."""
        for pool in self._pools.values():
            always = pool.max_nodes if pool.price_kind is PriceKind.PAID else pool.min_nodes
            for _ in range(always):
                self._boot(pool, 0.0, at_once=True)
        for key, count in sorted(replicas.items()):
            self.targets[key] = count
            for _ in range(count):
                self._begin_pod(self._variants[key])
        self._added_s = -math.inf
        for pool in self._pools.values():
            for interruption in self._facts_of(pool.name).interruptions:
                self._agenda.note(interruption.at.seconds, partial(self._take_back, pool.name, interruption.share))
        self._agenda.every(self._facts.scan_interval.seconds, self._scan)

    def _begin_pod(self, variant: Variant) -> None:
        pool, pod = self._pools[variant.pool], self._create(variant, 0.0)
        # Placed here and not by the scheduler, from which it would have to start first.
        del self._pending[pool.name][pod.name]
        node = chosen_node(pod, self.nodes[pool.name].values(), self._facts.scoring)
        if node is None and len(self.nodes[pool.name]) < pool.max_nodes:
            node = self._boot(pool, 0.0, at_once=True)
        if node is None or not node.has_room(pod.needs):
            self._pending[pool.name][pod.name], pod.unschedulable_since_s = pod, 0.0
            return
        node.take(pod)
        pod.node, pod.unschedulable_since_s = node, None
        self._become_ready(pod, 0.0)

    # --- Workloads ---------------------------------------------------------------------------------------------------

    def set_replicas(self, key: VariantKey, count: int, delete_first: frozenset[str], now_s: float) -> None:
        """The target asks for so many replicas from now on."""
        self.targets[key] = count
        self._delete_first[key] = delete_first
        self._reconcile(key, now_s)

    def _reconcile(self, key: VariantKey, now_s: float) -> None:
        staying = [pod for pod in self.pods[key].values() if not pod.terminating]
        missing = self.targets[key] - len(staying)
        for _ in range(missing):
            self._create(self._variants[key], now_s)
        if missing > 0:
            self._schedule(self._variants[key].pool, now_s)
        if missing < 0:
            for pod in leaving_order(staying, self._delete_first.get(key, frozenset()))[:-missing]:
                self._terminate(pod, now_s, self._facts.termination_grace.seconds)

    def _create(self, variant: Variant, now_s: float) -> SimPod:
        self._made[variant.target.name] += 1
        name = f"{variant.target.name}-{self._made[variant.target.name]}"
        pod = SimPod(name, variant.key, variant.pool, variant.per_replica, now_s)
        self.pods[variant.key][name] = pod
        self._pending[variant.pool][name] = pod
        return pod

    def _terminate(self, pod: SimPod, now_s: float, grace_s: float) -> None:
        served = pod.is_ready
        pod.terminating = True
        self._pending[pod.pool].pop(pod.name, None)
        if not served:
            self._remove(pod, now_s)
            return
        done_s = self._listener.pod_terminating(pod, now_s)
        self._agenda.note(min(done_s, now_s + grace_s), lambda then_s: self._remove(pod, then_s))

    def _remove(self, pod: SimPod, now_s: float) -> None:
        if self.pods[pod.key].pop(pod.name, None) is None:
            return
        self._listener.pod_gone(pod, now_s)
        if pod.node is not None:
            pod.node.release(pod, now_s)
            if pod.node.emptied and not pod.node.pods:
                self._drop(pod.node, now_s)
            self._schedule(pod.pool, now_s)

    # --- Scheduling --------------------------------------------------------------------------------------------------

    def _schedule(self, pool: str, now_s: float) -> None:
        for pod in list(self._pending[pool].values()):
            node = chosen_node(pod, self.nodes[pool].values(), self._facts.scoring)
            if node is None:
                pod.unschedulable_since_s = now_s if pod.unschedulable_since_s is None else pod.unschedulable_since_s
                continue
            del self._pending[pool][pod.name]
            node.take(pod)
            pod.node, pod.unschedulable_since_s = node, None
            startup_s = self._variants[pod.key].profile.startup_s * self._spread(self._facts.startup_spread)
            self._agenda.note(now_s + startup_s, partial(self._become_ready, pod))

    def _become_ready(self, pod: SimPod, now_s: float) -> None:
        if not pod.terminating:
            pod.ready_since_s = now_s
            self._listener.pod_ready(pod, now_s)

    # --- Nodes -------------------------------------------------------------------------------------------------------

    def _scan(self, now_s: float) -> None:
        for pool in self._pools.values():
            if pool.price_kind is not PriceKind.PAID:
                self._add_nodes(pool, now_s)
                self._remove_unneeded(pool, now_s)

    def _add_nodes(self, pool: Pool, now_s: float) -> None:
        nodes = self.nodes[pool.name].values()
        staying = [node for node in nodes if not node.cordoned]
        booting = sum(not node.ready for node in staying)
        missing = max(
            nodes_missing(list(self._pending[pool.name].values()), pool.node_resources, booting),
            pool.min_nodes - len(staying),
        )
        missing = min(missing, pool.max_nodes - len(nodes))
        until_s, wait_s = self._backoff.get(pool.name, (-math.inf, self._facts.stock_out_backoff.seconds))
        if missing <= 0 or now_s < until_s:
            return
        if self._is_sold_out(pool.name, now_s):
            self._backoff[pool.name] = (now_s + wait_s, min(2.0 * wait_s, _LONGEST_BACKOFF_S))
            return
        self._backoff.pop(pool.name, None)
        for _ in range(missing):
            self._boot(pool, now_s)

    def _boot(self, pool: Pool, now_s: float, at_once: bool = False) -> SimNode:
        self._made[pool.name] += 1
        node = SimNode(f"{pool.name}-n{self._made[pool.name]}", pool.name, now_s, pool.node_resources)
        self.nodes[pool.name][node.name] = node
        if at_once:
            self._node_ready(node, now_s)
        else:
            self._added_s = now_s
            boot_s = pool.provisioning_s * self._spread(self._facts.boot_spread)
            self._agenda.note(now_s + boot_s, lambda then_s: self._node_ready(node, then_s))
        return node

    def _node_ready(self, node: SimNode, now_s: float) -> None:
        if node.name not in self.nodes[node.pool]:
            return
        node.ready_since_s = node.empty_since_s = now_s
        pool = self._pools[node.pool]
        if pool.price_kind is PriceKind.SPOT and pool.interruptions_per_hour > 0.0:
            life_s = self._rng.exponential(3600.0 / pool.interruptions_per_hour)
            self._agenda.note(now_s + life_s, lambda then_s: self._interrupt(node, then_s))
        self._schedule(node.pool, now_s)

    def _remove_unneeded(self, pool: Pool, now_s: float) -> None:
        nodes = self.nodes[pool.name]
        spare = sum(not node.cordoned for node in nodes.values()) - pool.min_nodes
        names = unneeded(nodes.values(), self._facts.consolidation_below) if spare > 0 else frozenset()
        for node in nodes.values():
            node.note_unneeded(node.name in names, now_s)
        if now_s - self._added_s < self._facts.delay_after_add.seconds:
            return
        for node in nodes.values():
            node.avoided = node.name in names
        overdue = [node for node in nodes.values() if self._is_overdue(node, now_s)]
        for node in sorted(overdue, key=lambda one: (bool(one.pods), one.name))[: max(0, spare)]:
            if not node.pods:
                self._drop(node, now_s)
            elif not self._is_emptying():
                self._empty(node, now_s)
                break

    def _is_overdue(self, node: SimNode, now_s: float) -> bool:
        since_s = node.unneeded_since_s
        return since_s is not None and now_s - since_s >= self._facts.empty_node_removal.seconds

    def _is_emptying(self) -> bool:
        """One node at a time, as --max-drain-parallelism has it."""
        return any(node.emptied for nodes in self.nodes.values() for node in nodes.values())

    def _take_back(self, pool: str, share: float, now_s: float) -> None:
        """The provider wants that share of a pool's nodes back, the oldest first."""
        nodes = sorted(self.nodes[pool].values(), key=lambda one: (one.requested_s, one.name))
        candidates = [node for node in nodes if node.ready and (node.emptied or not node.cordoned)]
        for node in candidates[: math.ceil(share * len(candidates))]:
            self._interrupt(node, now_s)

    def _interrupt(self, node: SimNode, now_s: float) -> None:
        if (node.cordoned and not node.emptied) or node.name not in self.nodes[node.pool]:
            return
        notice_s = self._facts.interruption_notice.seconds
        self._vacate(node, min(notice_s, self._facts.termination_grace.seconds), now_s)
        self._agenda.note(now_s + notice_s, lambda then_s: self._drop(node, then_s))

    def _empty(self, node: SimNode, now_s: float) -> None:
        node.emptied = True
        self._vacate(node, self._facts.termination_grace.seconds, now_s)

    def _vacate(self, node: SimNode, grace_s: float, now_s: float) -> None:
        """No pod comes any more, those that are there end, and others are made in their place."""
        node.cordoned = True
        keys = sorted({pod.key for pod in node.pods.values()})
        for pod in list(node.pods.values()):
            if not pod.terminating:
                self._terminate(pod, now_s, grace_s)
        for key in keys:
            self._reconcile(key, now_s)

    def _drop(self, node: SimNode, now_s: float) -> None:
        if self.nodes[node.pool].pop(node.name, None) is None:
            return
        for pod in list(node.pods.values()):
            self._remove(pod, now_s)
        self.lifetimes[node.pool].append((node.requested_s, now_s))

    # --- Facts -------------------------------------------------------------------------------------------------------

    def _facts_of(self, pool: str) -> PoolFacts:
        return self._facts.pools.get(pool, PoolFacts())

    def _is_sold_out(self, pool: str, now_s: float) -> bool:
        return any(
            one.begin.seconds <= now_s < one.begin.seconds + one.lasts.seconds
            for one in self._facts_of(pool).stock_outs
        )

    def _spread(self, sigma: float) -> float:
        return float(np.exp(sigma * self._rng.standard_normal()))
