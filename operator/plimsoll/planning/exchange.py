"""What would the pools cost if one deployment ran something else, and all others what the plan gives them?

In: a ``Problem`` and the plan taken. Out: dollars per hour more or less, or that there is no room. Small pools are
packed again, node by node, because one node more or less is all there is to tell; in a large one a deployment moves few
of many nodes, and its replicas count with their share of a node at the pool's present density. No solve.
"""

from collections import Counter
from collections.abc import Mapping

from plimsoll.domain import VariantKey
from plimsoll.planning.assessment import Assessment
from plimsoll.planning.packing import Floor
from plimsoll.planning.problem import Choice, Need, Problem
from plimsoll.planning.room import Room, Shape, dominant_share

SMALL_POOL = 32
"""Replicas, and variants that may use it, up to which a pool is packed again. A guess: that is some eight nodes, where
one more or less is much, and each packing takes 0.1 to 0.2 ms: with ten such pools 50 ms in all."""

Content = dict[Shape, int]
"""Replicas in one pool by shape."""


class Exchange:
    """The pools as the plan fills them."""

    def __init__(self, problem: Problem, plan: Assessment) -> None:
        self._plan = plan
        self._rooms = problem.rooms
        self._contents: dict[str, Content] = {name: {} for name in problem.rooms}
        self._used: dict[str, float] = dict.fromkeys(problem.rooms, 0.0)
        for choice in problem.choices:
            if choice.pool in self._contents:
                content, placed = self._contents[choice.pool], plan.placed[choice.key]
                content[choice.shape] = content.get(choice.shape, 0) + placed
                self._used[choice.pool] += placed * _share(choice, problem.rooms[choice.pool])
        self._packings: dict[tuple[str, tuple[int, ...]], int | None] = {}
        users = Counter(choice.pool for choice in problem.choices)
        self._small = {
            name: sum(content.values()) <= SMALL_POOL and users[name] <= SMALL_POOL
            for name, content in self._contents.items()
        }

    def usd_per_hour(self, more_nodes: Mapping[str, float]) -> float:
        """What so many nodes more of these pools cost."""
        return sum(self._rooms[pool].usd_per_hour * nodes for pool, nodes in more_nodes.items())

    def more_nodes(self, need: Need, counts: Mapping[VariantKey, int]) -> dict[str, float] | None:
        """By pool the nodes that all deployments together would need more with these replicas of this one.

        A share of a node in large pools; None where the replicas do not fit.
        """
        changed: dict[str, list[tuple[Choice, int]]] = {}
        for choice in need.choices:
            more = counts.get(choice.key, 0) - self._plan.placed[choice.key]
            if more and choice.pool not in self._rooms:
                return None
            if more:
                changed.setdefault(choice.pool, []).append((choice, more))
        by_pool: dict[str, float] = {}
        for pool, changes in changed.items():
            room = self._rooms[pool]
            nodes = self._nodes(room, changes)
            if nodes is None:
                return None
            by_pool[pool] = nodes - self._plan.nodes[pool]
        return {pool: nodes for pool, nodes in by_pool.items() if nodes}

    def _nodes(self, room: Room, changes: list[tuple[Choice, int]]) -> float | None:
        if self._small[room.name] and sum(more for _, more in changes) <= SMALL_POOL:
            return self._packed(room, changes)
        before = self._plan.nodes[room.name]
        used = self._used[room.name]
        density = min(1.0, used / before) if before and used > 0 else 1.0
        nodes = before + sum(more * _share(choice, room) for choice, more in changes) / density
        return max(nodes, float(min(room.min_nodes, room.max_nodes))) if nodes <= room.max_nodes else None

    def _packed(self, room: Room, changes: list[tuple[Choice, int]]) -> int | None:
        content = dict(self._contents[room.name])
        for choice, more in changes:
            content[choice.shape] += more
        # What leaves a pool is the same whatever takes its place.
        known = (room.name, tuple(content.values()))
        if known not in self._packings:
            self._packings[known] = self._nodes_for(room, content)
        return self._packings[known]

    def _nodes_for(self, room: Room, content: Content) -> int | None:
        floor = Floor(room)
        for shape in sorted(content, key=lambda shape: (-dominant_share(shape, room.node), shape)):
            if floor.seat(shape, content[shape]) < content[shape]:
                return None
        return max(floor.nodes, min(room.min_nodes, room.max_nodes))


def _share(choice: Choice, room: Room) -> float:
    """The share of a node that one replica takes, as its slot is priced."""
    if room.list_usd_per_hour > 0:
        return choice.list_usd_per_hour / room.list_usd_per_hour
    return dominant_share(choice.shape, room.node)
