"""What one replica takes of a node at least, whatever else is on it: rows that every packing into whole nodes meets.

In: the shapes of a ``Ledger`` and the rooms. Out: ``Weights``: rows of numbers, one for each shape, that sum to at most
what a node offers, however replicas are packed. Prices on them are prices on pools, and bound the cost of whole nodes.
Letters: S shapes, J rows, P pools.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from plimsoll.planning.ledger import Ledger
from plimsoll.planning.programme import WHOLE
from plimsoll.planning.room import Room, fits
from plimsoll.planning.tables import Floats, Ints

CUT_DEPTHS = tuple(range(1, 9))
"""Replicas of more than 1/2 .. 1/9 of a node are told apart; finer ones pack well."""
MOST_SHAPES_COMPARED = 64
"""With more shapes than this in one pool, rows that count whole replicas are left out: each compares with all."""


@dataclass(frozen=True, slots=True)
class Weights:
    """Rows by pool; a node that offers as much as the largest of its pool has room for 1 of each row."""

    weight_sj: Floats
    pool_j: Ints
    offered_j: Floats
    """What all nodes of the pool offer together at its largest, in rows."""


def weigh(ledger: Ledger) -> Weights:
    """The rows of all pools, those left out that another one implies."""
    weights, pools, offered = list[Floats](), list[int](), list[float]()
    for index, room in enumerate(ledger.problem.rooms.values()):
        own = [s for s, (pool, _) in enumerate(ledger.shapes) if pool == index]
        for weight_s, offer in _undominated(_rows(room, [ledger.shapes[s][1] for s in own])):
            row = np.zeros(len(ledger.shapes))
            row[own] = weight_s
            weights.append(row)
            pools.append(index)
            offered.append(offer)
    weight_js = np.array(weights).reshape(len(pools), len(ledger.shapes))
    return Weights(np.ascontiguousarray(weight_js.T), np.array(pools, dtype=np.int64), np.array(offered))


def _rows(room: Room, shapes: list[tuple[float, ...]]) -> Iterable[tuple[Floats, float]]:
    """Weights of shapes, and what all nodes of the room offer together."""
    if not room.classes or not shapes:
        return
    largest = np.array([free for free, _ in room.classes]).max(axis=0) if room.resources else np.zeros(0)
    amounts_sr = np.array(shapes, dtype=np.float64).reshape(len(shapes), len(room.resources))
    for r in range(len(room.resources)):
        if largest[r] <= 0 or not amounts_sr[:, r].any():
            continue
        share_s = np.minimum(1.0, amounts_sr[:, r] / largest[r])
        yield share_s / room.density, _offered(room, [free[r] / largest[r] for free, _ in room.classes])
        for k in CUT_DEPTHS:
            # Source: Fekete and Schepers, New classes of fast lower bounds for bin packing problems, 2001, theorem 1.
            scaled_s = (k + 1) * share_s
            whole_s = np.abs(scaled_s - np.round(scaled_s)) < WHOLE
            yield np.where(whole_s, scaled_s / (k + 1), np.floor(scaled_s) / k), _offered(room, None)
    for shape in shapes if len(shapes) <= MOST_SHAPES_COMPARED else ():
        most = fits(tuple(largest), shape)
        if most > 0:
            as_large_s = np.asarray((amounts_sr >= np.array(shape)).all(axis=1), dtype=np.float64)
            yield as_large_s / most, _offered(room, [fits(free, shape) / most for free, _ in room.classes])


def _offered(room: Room, share_by_class: list[float] | None) -> float:
    """The sum over the nodes that offer most, at most as many as the pool may have."""
    left, total = room.max_nodes, 0.0
    shares = share_by_class or [1.0] * len(room.classes)
    for share, count in sorted(((s, n) for s, (_, n) in zip(shares, room.classes, strict=True)), reverse=True):
        total += share * min(left, count)
        left -= min(left, count)
    return total


def _undominated(rows: Iterable[tuple[Floats, float]]) -> list[tuple[Floats, float]]:
    kept: list[tuple[Floats, float]] = []
    for weight_s, offer in sorted(rows, key=lambda row: (-float(row[0].sum()), row[1], *row[0])):
        if not weight_s.any():
            continue
        if not any((other >= weight_s - WHOLE).all() and more <= offer + WHOLE for other, more in kept):
            kept.append((weight_s, offer))
    return kept
