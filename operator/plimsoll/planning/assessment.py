"""What a set of replicas is worth: does it pack, what does it cost, what does it leave uncovered?

In: a ``Problem`` and wanted replicas, wherever they come from (solver, last plan, greedy). Out: an ``Assessment``, the
one authority by which plans are compared: `CapacityTable.total_rps` for rates, packing node by node for room.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from plimsoll.domain import ObjectKey, VariantKey
from plimsoll.planning.attribution import attribute
from plimsoll.planning.packing import Packed, pack, pack_around
from plimsoll.planning.problem import Choice, Need, Problem
from plimsoll.planning.programme import SPOT_WEIGHT, TRACE_RATIO, budget_floor
from plimsoll.planning.room import SLACK_RATIO, Room

DIGITS = 6
"""Violations are compared to this many digits: the solver's own feasibility tolerance."""
_LEAST_OF_RATE = 0.5
MIN_DENSITY = 0.5
"""A node is never counted on for less; first fit never leaves more than half of the used nodes half empty."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """One plan, judged."""

    replicas: Mapping[VariantKey, int]
    placed: Mapping[VariantKey, int]
    """Of these, the ones that have a seat on a node."""
    packed: Mapping[str, Packed]
    nodes: Mapping[str, int]
    usd_per_hour: float
    """The price of all nodes, and of what overflows to external APIs."""
    priced_usd_per_hour: float
    """The same with the price of moves and changes, and the trace that breaks ties."""
    attributed: Mapping[ObjectKey, float]
    over_budget: int
    """Deployments that spend more than their budget on something that need not run."""
    missed: tuple[float, ...]
    """Shares of demand not met, summed by priority, the highest first."""

    @property
    def rank(self) -> tuple[int, tuple[float, ...], float, tuple[tuple[VariantKey, int], ...]]:
        """Smaller is better; total, so that the same candidates give the same plan in whatever order they come."""
        return (
            self.over_budget,
            self.missed,
            round(self.priced_usd_per_hour, DIGITS + 3),
            tuple(sorted(self.replicas.items())),
        )


def assess(problem: Problem, wanted: Mapping[VariantKey, int]) -> Assessment:
    """The judged plan; replicas without a seat are dropped unless they must run."""
    placed = {choice.key: wanted.get(choice.key, 0) for choice in problem.choices}
    packed: dict[str, Packed] = {}
    for name, room in problem.rooms.items():
        around, best = _pack_room(problem, name, room, wanted)
        packed[name] = best
        placed.update(around)
    replicas = {c.key: max(placed[c.key], min(c.lower, wanted.get(c.key, 0))) for c in problem.choices}
    nodes = {name: max(packed[name].nodes, min(room.min_nodes, room.max_nodes)) for name, room in problem.rooms.items()}
    usd_per_hour = sum(room.usd_per_hour * nodes[name] for name, room in problem.rooms.items())
    usd_per_hour += sum(need.api_usd_per_hour(placed) for need in problem.needs)
    attributed = attribute(problem, placed, nodes)
    return Assessment(
        replicas=replicas,
        placed=placed,
        packed=packed,
        nodes=nodes,
        usd_per_hour=usd_per_hour,
        priced_usd_per_hour=usd_per_hour + _moves_and_trace(problem, replicas),
        attributed=attributed,
        over_budget=sum(over_budget(need, attributed[need.key], placed) > 0 for need in problem.needs),
        missed=_missed(problem, replicas, placed),
    )


def _pack_room(
    problem: Problem, name: str, room: Room, wanted: Mapping[VariantKey, int]
) -> tuple[dict[VariantKey, int], Packed]:
    users = [
        (choice, wanted.get(choice.key, 0), need.priority)
        for need in problem.needs
        for choice in need.choices
        if choice.pool == name and wanted.get(choice.key, 0) > 0
    ]
    around = pack_around(room, users)
    seats = [(choice, seated) for (choice, _, _), seated in zip(users, around.seated, strict=True)]
    # Pods that stay put may spread over more nodes than needed; an autoscaler that consolidates brings them together.
    anew = pack(room, seats)
    best = anew if sum(anew.seated) == sum(around.seated) and anew.nodes <= around.nodes else around
    return {choice.key: seated for choice, seated in seats}, best


def capacity_rps(need: Need, placed: Mapping[VariantKey, int]) -> float:
    """What the placed replicas of a deployment carry safely, by the table."""
    return need.own_rps(placed)


def unprotected_rps(need: Need, rooms: Mapping[str, Room], placed: Mapping[VariantKey, int]) -> float:
    """What the policy wants to survive the loss of any one spot pool, and would not."""
    spot = {c.pool for c in need.choices if c.pool in rooms and rooms[c.pool].spot and placed.get(c.key, 0) > 0}
    left_rps = [need.own_rps({c.key: placed.get(c.key, 0) for c in need.choices if c.pool != pool}) for pool in spot]
    return max(0.0, need.protected_rps - min(left_rps)) if spot else 0.0


def over_budget(need: Need, attributed_usd_per_hour: float, placed: Mapping[VariantKey, int]) -> float:
    """By how much a deployment's share of the nodes exceeds its budget; 0 where nothing runs that need not run."""
    priced = [choice for choice in need.choices if choice.slot_usd_per_hour > 0]
    more = any(placed.get(choice.key, 0) > choice.lower for choice in priced)
    last_one = need.keeps_one and sum(placed.get(choice.key, 0) for choice in need.choices) <= 1
    if need.budget_usd_per_hour is None or not more or last_one:
        return 0.0
    return max(0.0, attributed_usd_per_hour - budget_floor(need))


def _moves_and_trace(problem: Problem, replicas: Mapping[VariantKey, int]) -> float:
    return sum(need.changes_usd_per_hour(replicas) for need in problem.needs) + sum(
        TRACE_RATIO * choice.list_usd_per_hour * replicas[choice.key] for choice in problem.choices
    )


def _missed(
    problem: Problem, replicas: Mapping[VariantKey, int], placed: Mapping[VariantKey, int]
) -> tuple[float, ...]:
    by_priority: dict[int, float] = {}
    for need in problem.needs:
        missing = float(sum(max(0, c.lower - placed[c.key]) for c in need.choices))
        missing += need.missed_share(placed)
        if need.protected_rps > 0:
            missing += SPOT_WEIGHT * unprotected_rps(need, problem.rooms, placed) / need.protected_rps
        by_priority[need.priority] = by_priority.get(need.priority, 0.0) + missing
    return tuple(round(by_priority[priority], DIGITS) for priority in sorted(by_priority, reverse=True))


def tighten(
    problem: Problem, assessment: Assessment, wanted: Mapping[VariantKey, int], planned_nodes: Mapping[str, int]
) -> Problem | None:
    """The same problem with what the assessment refuted made tighter; None where there was nothing to refute.

    Args:
        problem: as it was solved.
        assessment: of that solution.
        wanted: the replicas of that solution.
        planned_nodes: by pool, the nodes that the solution thought were enough.
    """
    rooms = {
        name: _tighter_room(room, planned_nodes.get(name, 0), assessment.nodes[name])
        for name, room in problem.rooms.items()
    }
    tighter = Problem(needs=tuple(_tighter_need(need, assessment, wanted) for need in problem.needs), rooms=rooms)
    return None if tighter == problem else tighter


def _tighter_room(room: Room, planned: int, needed: int) -> Room:
    if room.usd_per_hour == 0 or not 0 < planned < needed:
        return room
    return replace(room, density=max(MIN_DENSITY, room.density * planned / needed))


def _tighter_choice(choice: Choice, placed: int, wanted: int, falls_short: bool) -> Choice:
    if placed < wanted:
        choice = replace(choice, upper=max(choice.lower, placed))
    if falls_short and wanted > 0:
        # So few together carry less each than the solver counted on; where that is nothing, it tries more of them.
        each_rps = max(choice.total_rps(wanted) / wanted, _LEAST_OF_RATE * choice.rate_rps)
        choice = replace(choice, rate_rps=min(choice.rate_rps, each_rps))
    return choice


def _tighter_need(need: Need, assessment: Assessment, wanted: Mapping[VariantKey, int]) -> Need:
    falls_short = need.missed_share(wanted) > SLACK_RATIO
    choices = tuple(
        _tighter_choice(choice, assessment.placed[choice.key], wanted.get(choice.key, 0), falls_short)
        for choice in need.choices
    )
    attributed = assessment.attributed[need.key]
    if need.budget_usd_per_hour is None or over_budget(need, attributed, assessment.placed) == 0:
        return replace(need, choices=choices)
    # The programme prices a replica at its slot; what it really pays for includes the empty rest of its nodes.
    slots_usd_per_hour = need.slots_usd_per_hour(assessment.placed)
    return replace(
        need, choices=choices, budget_usd_per_hour=need.budget_usd_per_hour * slots_usd_per_hour / attributed
    )
