"""What was seen during the play? One look every second, and what follows from all of them.

In: looks at the stage. Out: what everything on the GPU pool would have cost, and the operator's steps by kind.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from plimsoll_testkit.demo.scenario import GPU_VARIANT, in_ms

CPU_VARIANTS = frozenset({"xeon", "xeon-spot"})
BRIDGING, REJECTED = "Bridging", "ChangeDoesNotPay"
"""Reasons as the operator spells them."""


@dataclass(frozen=True)
class Look:
    """The stage at one moment."""

    at_s: float
    deployments: Sequence[Mapping[str, Any]]
    pools: Sequence[Mapping[str, Any]]
    users: Mapping[str, Any]
    last_step: str


@dataclass
class Recording:
    """All looks of a play, condensed."""

    gpu_only_node_seconds: float = 0.0
    watched_s: float = 0.0
    last_at_s: float | None = None
    pairs: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = field(default_factory=dict)
    """By model and variant, then latency: p95 predicted and seen by the operator, ms, at every look that has both."""
    stock_out_noticed_s: float | None = None
    """When the operator first marked the pool that ran out; None if it never waited for it long enough."""
    rejected: dict[tuple[str, str], str] = field(default_factory=dict)
    """By model and variant, the first time that a cheaper place was not moved to, in the operator's words."""

    @property
    def gpu_only_mean_nodes(self) -> float:
        """Nodes that everything on the GPU pool would have kept, on average."""
        return self.gpu_only_node_seconds / self.watched_s if self.watched_s else 0.0

    def add(self, look: Look) -> None:
        """Take a look into account."""
        elapsed_s = 0.0 if self.last_at_s is None else look.at_s - self.last_at_s
        self.last_at_s = look.at_s
        self.watched_s += elapsed_s
        if self.stock_out_noticed_s is None and any(is_marked(pool) for pool in look.pools):
            self.stock_out_noticed_s = look.at_s
        for deployment in look.deployments:
            status = deployment.get("status") or {}
            self.gpu_only_node_seconds += elapsed_s * gpu_only_replicas(status)
            name = deployment["metadata"]["name"]
            self._add_rejected(name, look.at_s, status)
            for variant in status.get("variants") or ():
                self._add_pairs(name, variant)

    def _add_rejected(self, deployment: str, at_s: float, status: Mapping[str, Any]) -> None:
        for one in (status.get("plan") or {}).get("alternatives") or ():
            if one["reason"] == REJECTED and float(one.get("perHour", "inf")) < float(status["cost"]["perHour"]):
                told = f"{at_s:.0f} s, {deployment} to {one['label']}: {one['detail']}"
                self.rejected.setdefault((deployment, one["label"]), told)

    def _add_pairs(self, deployment: str, variant: Mapping[str, Any]) -> None:
        pairs = self.pairs.setdefault((deployment, variant["name"]), {})
        for metric in ("ttft", "tpot"):
            predicted, seen = (
                ((variant.get(source) or {}).get(metric) or {}).get("p95") for source in ("predicted", "observed")
            )
            if variant.get("ready") and predicted is not None and seen is not None:
                pairs.setdefault(metric, []).append((in_ms(predicted), in_ms(seen)))


def is_marked(pool: Mapping[str, Any]) -> bool:
    """Whether the operator holds the pool for out of stock."""
    return bool((pool.get("status") or {}).get("stockedOutUntil"))


def gpu_only_replicas(status: Mapping[str, Any]) -> int:
    """Replicas that this demand would need if all of it ran on the GPU pool: the same forecast, the same safe rate.

    They appear at once and leave at once, without boot, and one GPU is one node: to the advantage of the comparison.
    """
    gpu = next((one for one in status.get("variants") or () if one["name"] == GPU_VARIANT), None)
    if gpu is None or float(gpu["safeRate"]) <= 0.0:
        return 1
    return max(1, math.ceil(float(status["forecast"]["requiredRate"]) / float(gpu["safeRate"])))


@dataclass(frozen=True)
class StepCounts:
    """The steps that the operator wrote."""

    scale_ups: int
    scale_downs: int
    moves_to_gpu: int
    moves_to_cpu: int
    bridges: tuple[str, ...] = ()
    """Every bridge in the operator's words."""


def count_steps(log: Sequence[Mapping[str, Any]]) -> StepCounts:
    """Count from the operator's own log.

    A deployment has moved to the GPU when replicas run on GPU nodes alone, and the time before, when they ran on one
    kind alone, it was CPU nodes; to the CPU the other way round. A bridge is no move: once it ends, they run where they
    ran before. Variants that never step are taken to have no replicas.
    """
    written = [line for line in log if line.get("result") == "Written"]
    replicas: dict[str, dict[str, int]] = {}
    for line in written:
        # What a variant had before its first step.
        replicas.setdefault(line["deployment"], {}).setdefault(line["variant"], line["from"])
    on_cpu = {deployment: _on_cpu(counts) for deployment, counts in replicas.items()}
    moves = {True: 0, False: 0}
    for line in written:
        deployment, counts = line["deployment"], replicas[line["deployment"]]
        counts[line["variant"]] = line["to"]
        side = _on_cpu(counts)
        if side is not None:
            moves[side] += on_cpu[deployment] is (not side)
            on_cpu[deployment] = side
    return StepCounts(
        scale_ups=sum(line["to"] > line["from"] for line in written),
        scale_downs=sum(line["to"] < line["from"] for line in written),
        moves_to_gpu=moves[False],
        moves_to_cpu=moves[True],
        bridges=tuple(
            f"{line['deployment']} on {line['variant']}: {line['message']}"
            for line in written
            if line["reason"] == BRIDGING
        ),
    )


def _on_cpu(replicas: Mapping[str, int]) -> bool | None:
    """Whether all of them are on CPU nodes (True) or on GPU nodes (False); None where they are on both, or none is."""
    sides = {variant in CPU_VARIANTS for variant, count in replicas.items() if count > 0}
    return sides.pop() if len(sides) == 1 else None
