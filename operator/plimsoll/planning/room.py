"""How much room a pool has: present nodes with what is free on them, and fresh ones it may still ask for.

In: amounts by resource, in the order that the room names. Out: how many replicas of a shape fit. A replica never
straddles nodes. Design section 5.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import floor

Shape = tuple[float, ...]
"""Amounts of the room's resources, in the room's order."""

MAX_PODS_PER_NODE = 110
"""The kubelet's default; only matters for replicas that request nothing at all."""
SLACK_RATIO = 1e-9
"""Rounding allowed when amounts are divided: 3 x 0.1 cores fit into 0.3 cores."""


@dataclass(frozen=True, slots=True)
class Bin:
    """One node: what it offers to replicas, foreign requests already taken off."""

    name: str
    free: Shape


@dataclass(frozen=True, slots=True)
class Room:
    """One pool: its present usable nodes, and how many fresh ones may come on top."""

    name: str
    resources: tuple[str, ...]
    usd_per_hour: float
    """What one more node costs: 0 for a paid pool."""
    list_usd_per_hour: float
    spot: bool
    sold_out: bool
    min_nodes: int
    max_nodes: int
    node: Shape
    """What one fresh node offers."""
    present: tuple[Bin, ...]
    fresh: int
    classes: tuple[tuple[Shape, int], ...]
    """Present and fresh nodes by what they offer, with their number, the roomiest first."""
    density: float = 1.0
    """Share of a node that a plan may count on; lowered when replicas turned out not to pack."""

    def slots(self, shape: Shape) -> int:
        """How many replicas of one shape fit into the pool at its largest, when nothing else is in it."""
        total, left = 0, self.max_nodes
        for count, nodes in sorted(((fits(free, shape), nodes) for free, nodes in self.classes), reverse=True):
            total += count * min(nodes, left)
            left -= min(nodes, left)
        return total


def classes_of(present: Iterable[Bin], node: Shape, fresh: int) -> tuple[tuple[Shape, int], ...]:
    """Nodes with the same free amounts and their number, the roomiest first."""
    counts: dict[Shape, int] = {node: fresh} if fresh else {}
    for bin_ in present:
        counts[bin_.free] = counts.get(bin_.free, 0) + 1
    return tuple(sorted(counts.items(), reverse=True))


def fits(free: Shape, shape: Shape) -> int:
    """How many replicas of a shape go into the free amounts of one node."""
    counts = [floor(f / s + SLACK_RATIO) for f, s in zip(free, shape, strict=True) if s > 0]
    return max(0, min((*counts, MAX_PODS_PER_NODE)))


def dominant_share(shape: Shape, node: Shape) -> float:
    """The largest share that a shape takes of any resource of a node, at most 1."""
    shares = [s / n if n > 0 else 1.0 for s, n in zip(shape, node, strict=True) if s > 0]
    return min(1.0, max(shares, default=0.0))
