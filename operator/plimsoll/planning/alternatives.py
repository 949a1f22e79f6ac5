"""Why not something else? For each deployment what serving it with one variant alone would cost, and why it lost.

In: the problem and the plan taken. Out: a few ``Alternative`` values a deployment, the cheapest first. No further
solve: only the nodes of the pools concerned are packed again, with one deployment's replicas exchanged.
"""

from collections.abc import Mapping

from plimsoll.domain import Alternative, ObjectKey, Option, Reason, StockOut, VariantKey
from plimsoll.planning.assessment import Assessment
from plimsoll.planning.packing import Floor
from plimsoll.planning.problem import CHANGE_RATIO, Choice, Need, Problem
from plimsoll.planning.programme import budget_floor
from plimsoll.planning.room import Room, Shape, dominant_share

MAX_ALTERNATIVES = 4
"""A status has to stay small and readable."""
CENT = 0.005
"""Differences below this are told as none."""

NO_NODES: Mapping[str, float] = {}

Content = dict[Shape, int]
"""Replicas in one pool by shape."""


def list_alternatives(
    problem: Problem,
    plan: Assessment,
    options: Mapping[VariantKey, Option],
    stock_outs: Mapping[str, StockOut],
    now_s: float,
) -> dict[ObjectKey, tuple[Alternative, ...]]:
    """By deployment what the plan did not take, at most `MAX_ALTERNATIVES`, the cheapest first."""
    contents = {name: _content(problem, name, plan) for name in problem.rooms}
    waits = {name: mark.until_s - now_s for name, mark in stock_outs.items()}
    found = {}
    for need in problem.needs:
        rejected = [
            _judge(need, choice, problem, plan, options[choice.key], contents, waits)
            for choice in need.choices
            if not _is_plan(need, choice, plan)
        ]
        rejected.sort(key=lambda a: (a.usd_per_hour is None, a.usd_per_hour or 0.0, a.label))
        found[need.key] = tuple(rejected[:MAX_ALTERNATIVES])
    return found


def _content(problem: Problem, pool: str, plan: Assessment) -> Content:
    content: Content = {}
    for choice in problem.choices_in(pool):
        content[choice.shape] = content.get(choice.shape, 0) + plan.placed[choice.key]
    return content


def _is_plan(need: Need, choice: Choice, plan: Assessment) -> bool:
    running = {other.key for other in need.choices if plan.replicas[other.key] > 0}
    return running == {choice.key}


def _replicas_alone(need: Need, choice: Choice) -> int:
    """The smallest number of replicas that carries the target alone, by the table; at least the lower bound."""
    return max(choice.lower, choice.capacity.replicas_for(max(need.target_rps, need.required_rps)))


def _judge(
    need: Need,
    choice: Choice,
    problem: Problem,
    plan: Assessment,
    option: Option,
    contents: Mapping[str, Content],
    waits: Mapping[str, float],
) -> Alternative:
    name = choice.key.variant

    def lost(
        reason: Reason,
        detail: str,
        count: int = 0,
        usd_per_hour: float | None = None,
        nodes: Mapping[str, float] = NO_NODES,
    ) -> Alternative:
        return Alternative(name, {name: count}, usd_per_hour, reason, detail, nodes)

    if option.finding is not None or not option.usable:
        reason = option.finding.reason if option.finding else Reason.SLO_UNREACHABLE
        return lost(reason, option.finding.message if option.finding else f"{name} has no safe rate")
    count, room = _replicas_alone(need, choice), problem.rooms.get(choice.pool)
    # Whoever stays as it is has its own count for an upper bound; that is no limit the user set.
    if choice.stays is None and count > choice.upper and room is not None and choice.upper < room.slots(choice.shape):
        return lost(Reason.REPLICA_LIMIT, f"needs {count} replicas, replicas.max is {choice.upper}", count)
    more = None if room is None else _more_nodes(need, choice, count, problem, plan, contents)
    if room is None or more is None:
        if room is not None and room.sold_out:
            wait_s = max(0.0, waits.get(choice.pool, 0.0))
            sold_out = f"needs {count} replicas; pool {choice.pool} is sold out, next try in {wait_s:.0f} s"
            return lost(Reason.STOCK_OUT, sold_out, count)
        nodes = room.max_nodes if room else 0
        return lost(
            Reason.POOL_FULL, f"{count} replicas do not fit into pool {choice.pool} (at most {nodes} nodes)", count
        )
    difference = sum(problem.rooms[pool].usd_per_hour * nodes for pool, nodes in more.items())
    usd_per_hour = max(0.0, plan.attributed[need.key] + difference)
    return lost(*_verdict(need, choice, room, usd_per_hour, difference), count, usd_per_hour, more)


def _verdict(need: Need, choice: Choice, room: Room, usd_per_hour: float, difference: float) -> tuple[Reason, str]:
    if room.spot and need.protected_rps > 0:
        return Reason.SPOT_RISK, f"{need.protected_rps:.1f} req/s must survive the loss of spot pool {room.name}"
    if need.budget_usd_per_hour is not None and usd_per_hour > budget_floor(need):
        return Reason.OVER_BUDGET, f"{usd_per_hour:.2f} USD/h, the budget is {need.budget_usd_per_hour:.2f} USD/h"
    if difference > CENT:
        return Reason.DEARER, f"{difference:.2f} USD/h more"
    if choice.stays is not None:
        return choice.stays, f"saves {-difference:.2f} USD/h, but the replicas stay as they are ({choice.stays.value})"
    if difference >= -CENT:
        return Reason.CHANGE_DOES_NOT_PAY, "costs the same"
    return Reason.CHANGE_DOES_NOT_PAY, (
        f"saves {-difference:.2f} USD/h, less than the overlap of the move and {CHANGE_RATIO:.0%} of the cost so far"
    )


def _more_nodes(
    need: Need, choice: Choice, count: int, problem: Problem, plan: Assessment, contents: Mapping[str, Content]
) -> dict[str, int] | None:
    """By pool, how many more nodes all deployments together would need; None where it does not fit."""
    changed: dict[str, Content] = {}
    for other in need.choices:
        replicas = count if other.key == choice.key else 0
        if other.pool in problem.rooms and replicas != plan.placed[other.key]:
            content = changed.setdefault(other.pool, dict(contents[other.pool]))
            content[other.shape] += replicas - plan.placed[other.key]
    more = {}
    for pool, content in changed.items():
        room = problem.rooms[pool]
        nodes = _nodes(room, content)
        if nodes is None:
            return None
        more[pool] = max(nodes, room.min_nodes) - plan.nodes[pool]
    return {pool: nodes for pool, nodes in more.items() if nodes}


def _nodes(room: Room, content: Content) -> int | None:
    floor = Floor(room)
    for shape in sorted(content, key=lambda shape: (-dominant_share(shape, room.node), shape)):
        if floor.seat(shape, content[shape]) < content[shape]:
            return None
    return floor.nodes
