"""Do the replicas of a plan really fit, node by node? First fit by falling size, each node looked at.

In: a room and how many replicas of which shape it is to hold. Out: how many found a seat, and on how many nodes. The
integer programme only counts sums; this is the proof. Seats in use are kept first, because pods do not move by
themselves. Letters: B nodes by R resources. Design section 5.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from plimsoll.planning.problem import Choice, relative_size
from plimsoll.planning.room import MAX_PODS_PER_NODE, SLACK_RATIO, Room, Shape

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Packed:
    """Seats found: by choice, how many, and the number of nodes that hold at least one replica."""

    seated: tuple[int, ...]
    nodes: int
    used: Mapping[Shape, int]
    """The nodes in use by what a node offers when it is empty of replicas."""


class Floor:
    """The nodes of one pool while they are being filled; present nodes come before fresh ones."""

    def __init__(self, room: Room) -> None:
        self._room = room
        self._names = {node.name: index for index, node in enumerate(room.present)}
        self._offers = [node.free for node in room.present] + [room.node] * room.fresh
        bins = len(self._offers)
        self._free_br = np.array(self._offers, dtype=np.float64).reshape(bins, len(room.resources))
        self._load_b: Counts = np.zeros(bins, dtype=np.int64)

    @property
    def nodes(self) -> int:
        """Nodes that hold at least one replica."""
        return int((self._load_b > 0).sum())

    @property
    def used(self) -> dict[Shape, int]:
        """Nodes that hold at least one replica, by what a node offers when it is empty of replicas."""
        counts: dict[Shape, int] = {}
        for index in np.flatnonzero(self._load_b):
            counts[self._offers[index]] = counts.get(self._offers[index], 0) + 1
        return counts

    def fits_b(self, shape: Shape) -> Counts:
        """How many more replicas of a shape each node takes."""
        wanted_r = np.array(shape, dtype=np.float64)
        asked = wanted_r > 0
        ratios_br = self._free_br[:, asked] / wanted_r[asked] + SLACK_RATIO
        fits_b = np.full(len(self._load_b), MAX_PODS_PER_NODE, dtype=np.int64) - self._load_b
        if asked.any():
            fits_b = np.minimum(fits_b, np.floor(ratios_br.min(axis=1)).astype(np.int64))
        clipped_b: Counts = np.maximum(fits_b, 0)
        return clipped_b

    def keep(self, shape: Shape, count: int, seats: Iterable[str]) -> int:
        """Keeps up to `count` replicas on the nodes they are on, those on the fullest nodes first."""
        taken_b = np.zeros(len(self._load_b), dtype=np.int64)
        for name in seats:
            if name in self._names:
                taken_b[self._names[name]] += 1
        taken_b = np.minimum(taken_b, self.fits_b(shape))
        # Leaving the emptiest nodes first is what the rollout does on the way down, too.
        order = np.argsort(-taken_b, kind="stable")
        return self._take(shape, count, order, taken_b)

    def seat(self, shape: Shape, count: int) -> int:
        """Seats up to `count` replicas, on nodes in use first; the number that found a seat."""
        fits_b = self.fits_b(shape)
        order = np.argsort(self._load_b == 0, kind="stable")
        opened = np.cumsum(((self._load_b == 0) & (fits_b > 0))[order])
        # Never more nodes at once than the pool may have, also where its maximum was lowered below what is present.
        allowed = opened <= max(0, self._room.max_nodes - self.nodes)
        in_use = (self._load_b > 0)[order]
        fits_b[order[~(allowed | in_use)]] = 0
        return self._take(shape, count, order, fits_b)

    def _take(self, shape: Shape, count: int, order: Counts, limit_b: Counts) -> int:
        before = np.cumsum(limit_b[order]) - limit_b[order]
        take_b = np.zeros(len(self._load_b), dtype=np.int64)
        take_b[order] = np.clip(count - before, 0, limit_b[order])
        self._free_br -= take_b[:, None] * np.array(shape, dtype=np.float64)
        self._load_b += take_b
        return int(take_b.sum())


def pack(room: Room, wanted: Iterable[tuple[Choice, int]]) -> Packed:
    """Packs from an empty pool, the largest replicas first.

    Args:
        room: the pool.
        wanted: choices with their number of replicas; `seated` comes back in the same order.
    """
    wanted = tuple(wanted)
    order = sorted(range(len(wanted)), key=lambda i: (-relative_size(wanted[i][0], room), wanted[i][0].key))
    floor, seated = Floor(room), [0] * len(wanted)
    for index in order:
        choice, count = wanted[index]
        seated[index] = floor.seat(choice.shape, count)
    return Packed(tuple(seated), floor.nodes, floor.used)


def pack_around(room: Room, wanted: Iterable[tuple[Choice, int, int]]) -> Packed:
    """Packs around the pods that are there and do not move: who stays first, then by priority, then by size.

    Args:
        room: the pool.
        wanted: choices with their number of replicas and their priority; `seated` comes back in the same order.
    """
    wanted = tuple(wanted)
    order = sorted(
        range(len(wanted)),
        key=lambda i: (not wanted[i][0].stays, -wanted[i][2], -relative_size(wanted[i][0], room), wanted[i][0].key),
    )
    floor = Floor(room)
    seated = [floor.keep(choice.shape, count, choice.seats) for choice, count, _ in wanted]
    for index in order:
        choice, count, _ = wanted[index]
        seated[index] += floor.seat(choice.shape, count - seated[index])
    return Packed(tuple(seated), floor.nodes, floor.used)
