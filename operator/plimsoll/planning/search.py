"""From a problem to the plan that is taken: solve, prove by packing, tighten and solve again, or fall back.

In: a ``Problem``, the last plan's replicas and limits. Out: the best ``Assessment`` found, and how the solve went.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from plimsoll.domain import Reason, SolverReport, VariantKey
from plimsoll.planning.assessment import Assessment, assess, tighten
from plimsoll.planning.budgets import spend_budgets
from plimsoll.planning.fallback import fill_up
from plimsoll.planning.problem import Problem
from plimsoll.planning.programme import Floats, Programme, write_programme
from plimsoll.planning.solver import Outcome, Solved, SolveLimits, solve

ROUNDS = 4
"""How often a plan that does not pack is tightened. Guess: each round costs a solve; later ones rarely gain."""

MISSED_ALIKE = 1e-4
"""Shares of demand that count as equal: ten times by how much the solver may let them get worse for a lower price."""


def best_plan(problem: Problem, last: Mapping[VariantKey, int], limits: SolveLimits) -> tuple[Assessment, SolverReport]:
    """The best plan found and the report on the solve.

    Args:
        problem: needs and rooms.
        last: replicas of the last plan, the start of the solve; variants that are gone are ignored.
        limits: when to stop.
    """
    repaired = assess(problem, fill_up(problem, last))
    candidates: list[Assessment] = []
    first: Solved | None = None
    least_missed: tuple[float, ...] = ()
    tried, seconds = problem, 0.0
    for _ in range(ROUNDS):
        programme = write_programme(tried, limits.max_tiers)
        solved = solve(programme, _start(programme, repaired), limits.after(seconds))
        seconds += solved.seconds
        if first is None and solved.values is not None:
            least_missed = programme.missed(solved.values)
        first = first or solved
        if solved.values is None:
            break
        wanted = programme.replicas_of(solved.values)
        found = assess(problem, wanted)
        # With what did not find a seat made up for elsewhere, and without what the solver's tolerance left too much.
        mended = assess(problem, fill_up(problem, wanted))
        candidates += [found, mended]
        if any(_is_close(plan, solved, tried, limits) for plan in (found, mended) if plan.missed <= found.missed):
            break
        tighter = tighten(tried, found, wanted, programme.nodes_of(solved.values))
        if tighter is None:
            break
        tried = tighter
    assert first is not None, "at least one round is solved"
    if not candidates:
        candidates = [assess(problem, fill_up(problem, {}))]
    best = spend_budgets(problem, min((repaired, *candidates), key=lambda candidate: candidate.rank))
    return best, _report(best, replace(first, seconds=seconds), least_missed, problem.usd_per_unit)


def _is_close(plan: Assessment, solved: Solved, problem: Problem, limits: SolveLimits) -> bool:
    """True where a plan within budget costs next to nothing more than the solver counted on."""
    excess = plan.priced_usd_per_hour - solved.objective * problem.usd_per_unit
    return plan.over_budget == 0 and excess <= limits.gap_ratio * plan.usd_per_hour


def _start(programme: Programme, plan: Assessment) -> Floats:
    """The whole-number columns as the plan sets them, for HiGHS to begin with; the others stay 0."""
    values = np.zeros(len(programme.cost))
    for choice in programme.problem.choices:
        values[programme.placed[choice.key]] = min(choice.upper, plan.placed[choice.key])
        if choice.key in programme.unplaced:
            values[programme.unplaced[choice.key]] = plan.replicas[choice.key] - plan.placed[choice.key]
    for column, value in programme.modes_of(plan.placed).items():
        values[column] = value
    for name, room in programme.problem.rooms.items():
        for column, (free, _) in zip(programme.nodes[name], room.classes, strict=True):
            values[column] = plan.packed[name].used.get(free, 0)
    return values


def _report(best: Assessment, first: Solved, least_missed: tuple[float, ...], usd_per_unit: float) -> SolverReport:
    """The solve in figures; the bound is on node prices, what the plan pays for moves already taken off.

    It is one on plans that miss no more than the solver did: a plan that misses more is cheap for that reason.
    """
    cost = best.usd_per_hour
    if first.values is None:
        timed_out = first.outcome is Outcome.STOPPED
        return SolverReport(
            outcome=Reason.SOLVE_TIMED_OUT if timed_out else Reason.SOLVE_FAILED,
            cost_usd_per_hour=cost,
            bound_usd_per_hour=0.0,
            gap_ratio=1.0 if cost > 0 else 0.0,
            seconds=first.seconds,
            message=f"no plan from the solver ({first.message}): the last plan or a greedy one stands in its place",
        )
    distance = max(0.0, best.priced_usd_per_hour - first.bound * usd_per_unit)
    misses_more = any(missed > least + MISSED_ALIKE for missed, least in zip(best.missed, least_missed, strict=True))
    bound = 0.0 if misses_more else max(0.0, cost - distance)
    return SolverReport(
        outcome=Reason.SOLVED,
        cost_usd_per_hour=cost,
        bound_usd_per_hour=bound,
        gap_ratio=(cost - bound) / cost if cost > 0 else float(misses_more),
        seconds=first.seconds,
        message="not everything fits: the highest priority comes first"
        if any(best.missed)
        else "everything is covered",
    )
