"""Do the replicas of a plan really fit, node by node? First fit by falling size, each node looked at.

In: a room and how many replicas of which shape it is to hold. Out: how many found a seat, and on how many nodes. The
integer programme only counts sums; this is the proof. Seats in use are kept first, because pods do not move by
themselves. Letters: B nodes by R resources. Design section 5.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from plimsoll.planning.problem import Choice
from plimsoll.planning.room import MAX_PODS_PER_NODE, SLACK_RATIO, Room, Shape, dominant_share, fits

Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Packed:
    """Seats found: by choice, how many, and the number of nodes that hold at least one replica."""

    seated: tuple[int, ...]
    nodes: int
    used: Mapping[Shape, int]
    """The nodes in use by what a node offers when it is empty of replicas."""


class Floor:
    """The nodes of one pool while they are being filled; present nodes come before fresh ones.

    Fresh nodes are alike, so only those in use are written down: a pool that may grow to thousands costs nothing.
    """

    def __init__(self, room: Room) -> None:
        self._room = room
        self._names = {node.name: index for index, node in enumerate(room.present)}
        self._offers = [node.free for node in room.present]
        bins = len(self._offers)
        self._free_br = np.array(self._offers, dtype=np.float64).reshape(bins, len(room.resources))
        self._load_b: Counts = np.zeros(bins, dtype=np.int64)
        self._fresh_left = room.fresh

    @property
    def nodes(self) -> int:
        """Nodes that hold at least one replica."""
        return int(np.count_nonzero(self._load_b))

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
        known = [self._names[name] for name in seats if name in self._names]
        if not known or count <= 0:
            return 0
        taken_b = np.bincount(known, minlength=len(self._load_b)).astype(np.int64)
        taken_b = np.minimum(taken_b, self.fits_b(shape))
        # Leaving the emptiest nodes first is what the rollout does on the way down, too.
        order = np.argsort(-taken_b, kind="stable")
        return self._take(shape, count, order, taken_b)

    def seat(self, shape: Shape, count: int) -> int:
        """Seats up to `count` replicas, on nodes in use first; the number that found a seat."""
        if count <= 0:
            return 0
        # Never more nodes at once than the pool may have, also where its maximum was lowered below what is present.
        may_open = max(0, self._room.max_nodes - self.nodes)
        fits_b, in_use_b = self.fits_b(shape), self._load_b > 0
        order = np.argsort(~in_use_b, kind="stable")
        opened = np.cumsum((~in_use_b & (fits_b > 0))[order])
        fits_b[order[(opened > may_open) & ~in_use_b[order]]] = 0
        seated = self._take(shape, count, order, fits_b)
        each = fits(self._room.node, shape)
        fresh = min(self._fresh_left, max(0, self._room.max_nodes - self.nodes), -(-(count - seated) // max(1, each)))
        if fresh <= 0 or each <= 0:
            return seated
        self._open(fresh)
        return seated + self._take(shape, count - seated, np.arange(len(self._load_b)), self._on_last(fresh, each))

    def _open(self, fresh: int) -> None:
        self._fresh_left -= fresh
        self._offers += [self._room.node] * fresh
        offered_br = np.array([self._room.node] * fresh, dtype=np.float64).reshape(fresh, len(self._room.resources))
        self._free_br = np.concatenate([self._free_br, offered_br])
        self._load_b = np.concatenate([self._load_b, np.zeros(fresh, dtype=np.int64)])

    def _on_last(self, fresh: int, each: int) -> Counts:
        limit_b: Counts = np.zeros(len(self._load_b), dtype=np.int64)
        limit_b[-fresh:] = each
        return limit_b

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
    sizes = _sizes(room, (choice for choice, _ in wanted))
    order = sorted(
        range(len(wanted)), key=lambda i: (-sizes[wanted[i][0].shape], *wanted[i][0].shape, wanted[i][0].key)
    )
    floor, seated = Floor(room), [0] * len(wanted)
    _seat_alike(floor, [(index, *wanted[index]) for index in order], seated)
    return Packed(tuple(seated), floor.nodes, floor.used)


def pack_around(room: Room, wanted: Iterable[tuple[Choice, int, int]]) -> Packed:
    """Packs around the pods that are there and do not move: who stays first, then by priority, then by size.

    Args:
        room: the pool.
        wanted: choices with their number of replicas and their priority; `seated` comes back in the same order.
    """
    wanted = tuple(wanted)
    sizes = _sizes(room, (choice for choice, _, _ in wanted))
    order = sorted(
        range(len(wanted)),
        key=lambda i: (
            not wanted[i][0].stays,
            -wanted[i][2],
            -sizes[wanted[i][0].shape],
            *wanted[i][0].shape,
            wanted[i][0].key,
        ),
    )
    floor = Floor(room)
    seated = [floor.keep(choice.shape, count, choice.seats) for choice, count, _ in wanted]
    _seat_alike(floor, [(i, wanted[i][0], wanted[i][1] - seated[i]) for i in order], seated)
    return Packed(tuple(seated), floor.nodes, floor.used)


def _sizes(room: Room, choices: Iterable[Choice]) -> dict[Shape, float]:
    return {shape: dominant_share(shape, room.node) for shape in {choice.shape for choice in choices}}


def _seat_alike(floor: Floor, ordered: Iterable[tuple[int, Choice, int]], seated: list[int]) -> None:
    """Adds to `seated` what finds a seat; neighbours of one shape take theirs together, which is the same and quick."""
    for shape, group in groupby(ordered, key=lambda one: one[1].shape):
        alike = list(group)
        left = floor.seat(shape, sum(count for _, _, count in alike))
        for index, _, count in alike:
            given = min(count, left)
            seated[index] += given
            left -= given
