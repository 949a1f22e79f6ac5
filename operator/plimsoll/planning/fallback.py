"""A plan without a solver: what was there last time, trimmed and filled up, deployment by deployment.

In: a ``Problem`` and the replicas to begin with. Out: replicas that respect bounds, room and budgets. It is the
solver's start, and the answer where the solver has none. Highest priority first, the cheapest rate first.
"""

from collections.abc import Mapping
from math import floor

from plimsoll.domain import VariantKey
from plimsoll.planning.equal_share import mode_of
from plimsoll.planning.packing import Floor
from plimsoll.planning.problem import Choice, Need, Problem
from plimsoll.planning.programme import budget_floor
from plimsoll.planning.room import SLACK_RATIO

Counts = dict[VariantKey, int]


def fill_up(problem: Problem, begin: Mapping[VariantKey, int]) -> Counts:
    """Replicas by variant: `begin` within its bounds, without what is not needed, with what is missing.

    Args:
        problem: needs and rooms.
        begin: replicas to begin with, usually those of the last plan; empty for a plan from nothing.
    """
    floors = {name: Floor(room) for name, room in problem.rooms.items()}
    counts: Counts = {}
    needs = sorted((mode_of(need, begin) for need in problem.needs), key=lambda need: (-need.priority, need.key))
    trimmed = {need.key: _trimmed(need, begin, problem) for need in needs}
    for stays in (True, False):
        for need in needs:
            for choice in need.choices:
                if bool(choice.stays) == stays:
                    counts[choice.key] = max(choice.lower, _keep(choice, trimmed[need.key][choice.key], floors))
    for need in needs:
        _cover(need, problem, floors, counts)
    return counts


def in_order_of_price(need: Need) -> list[Choice]:
    """The choices of a deployment, the cheapest rate first."""
    return sorted(need.choices, key=_price)


def enough_replicas(choice: Choice, count: int, missing_rps: float) -> int:
    """How many replicas it takes to carry so much more than `count` of them do."""
    return choice.capacity.replicas_for(choice.total_rps(count) + missing_rps)


def _keep(choice: Choice, count: int, floors: Mapping[str, Floor]) -> int:
    if choice.pool not in floors:
        return count
    pool = floors[choice.pool]
    kept = pool.keep(choice.shape, count, choice.seats)
    return kept + pool.seat(choice.shape, count - kept)


def _price(choice: Choice) -> tuple[float, float, VariantKey]:
    rate_rps = choice.rate_rps or 1e-9
    return choice.slot_usd_per_hour / rate_rps, choice.list_usd_per_hour / rate_rps, choice.key


def _is_spot(choice: Choice, problem: Problem) -> bool:
    return choice.pool in problem.rooms and problem.rooms[choice.pool].spot


def _trimmed(need: Need, begin: Mapping[VariantKey, int], problem: Problem) -> Counts:
    counts = {c.key: min(c.upper, max(c.lower, begin.get(c.key, 0))) for c in need.choices}
    for choice in sorted(need.choices, key=_price, reverse=True):
        spare_rps = _total_rps(need, counts) - need.target_rps
        if not _is_spot(choice, problem):
            spare_rps = min(spare_rps, _total_rps(need, counts, problem) - need.protected_rps)
        removable = counts[choice.key] - choice.lower
        if choice.rate_rps > 0:
            needed_rps = choice.total_rps(counts[choice.key]) - spare_rps
            removable = min(removable, max(0, counts[choice.key] - choice.capacity.replicas_for(needed_rps)))
        counts[choice.key] -= removable
    return counts


def _total_rps(need: Need, counts: Mapping[VariantKey, int], without_spot: Problem | None = None) -> float:
    return sum(
        choice.total_rps(counts[choice.key])
        for choice in need.choices
        if without_spot is None or not _is_spot(choice, without_spot)
    )


def _cover(need: Need, problem: Problem, floors: Mapping[str, Floor], counts: Counts) -> None:
    """Adds to `counts` what is missing: first what must survive a spot loss, then the rest."""
    for choice in in_order_of_price(need):
        if not _is_spot(choice, problem):
            _add(need, choice, need.protected_rps - _total_rps(need, counts, problem), floors, counts)
    for choice in in_order_of_price(need):
        _add(need, choice, need.target_rps - _total_rps(need, counts), floors, counts)


def _add(need: Need, choice: Choice, missing_rps: float, floors: Mapping[str, Floor], counts: Counts) -> None:
    if missing_rps <= SLACK_RATIO * need.target_rps or choice.rate_rps <= 0 or choice.pool not in floors:
        return
    count = counts[choice.key]
    wanted = min(enough_replicas(choice, count, missing_rps), choice.upper) - count
    if need.budget_usd_per_hour is not None and choice.slot_usd_per_hour > 0:
        spent = sum(other.slot_usd_per_hour * counts[other.key] for other in need.choices)
        wanted = min(wanted, floor((budget_floor(need) - spent) / choice.slot_usd_per_hour + SLACK_RATIO))
    if wanted > 0:
        counts[choice.key] += floors[choice.pool].seat(choice.shape, wanted)
