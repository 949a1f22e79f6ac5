"""From a problem to the plan that is taken: the solver that suits its size, or both, or what needs no solver.

In: a ``Problem``, the last plan's replicas and limits. Out: the best ``Assessment`` found, and how the solve went.
Small problems go to the integer programme, solved, proven by packing, tightened and solved again; large ones, and
small ones that it does not come close to the bound of, to the decomposition. A solver that fails is an answer as
well: then the better of the last plan, repaired, and a greedy one is taken.
"""

import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from plimsoll.domain import Reason, SolverReport, VariantKey
from plimsoll.planning.assessment import Assessment, assess, tighten
from plimsoll.planning.budgets import spend_budgets
from plimsoll.planning.decomposition import decompose
from plimsoll.planning.fallback import fill_up
from plimsoll.planning.problem import Problem
from plimsoll.planning.programme import Floats, Programme, write_programme
from plimsoll.planning.solver import Outcome, Solved, SolveLimits, solve

ROUNDS = 4
"""How often a plan that does not pack is tightened. Guess: each round costs a solve; later ones rarely gain."""

MISSED_ALIKE = 1e-4
"""Shares of demand that count as equal: ten times by how much the solver may let them get worse for a lower price."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What one solver found, or why it found nothing."""

    outcome: Outcome
    plans: tuple[Assessment, ...] = ()
    bound_usd_per_hour: float = 0.0
    """On the priced cost of all plans that miss no more than `least_missed`."""
    least_missed: tuple[float, ...] = ()
    seconds: float = 0.0
    message: str = ""

    def proves(self, plan: Assessment) -> bool:
        """Whether the bound holds for a plan: one that misses more is cheap for that reason."""
        return self.outcome is Outcome.SOLVED and all(
            missed <= least + MISSED_ALIKE for missed, least in zip(plan.missed, self.least_missed, strict=True)
        )


def best_plan(problem: Problem, last: Mapping[VariantKey, int], limits: SolveLimits) -> tuple[Assessment, SolverReport]:
    """The best plan found and the report on the solve; it never raises for what a solver does.

    Args:
        problem: needs and rooms.
        last: replicas of the last plan, the start of the solve; variants that are gone are ignored.
        limits: when to stop, and from which size on to decompose.
    """
    answers = _answers(problem, last, limits)
    plans = [plan for answer in answers for plan in answer.plans]
    if not all(answer.plans for answer in answers):
        plans += [assess(problem, fill_up(problem, begin)) for begin in (last, {})]
    best = spend_budgets(problem, min(plans, key=lambda plan: plan.rank))
    return best, _report(best, answers)


def _answers(problem: Problem, last: Mapping[VariantKey, int], limits: SolveLimits) -> list[Answer]:
    def decomposed() -> Answer:
        return _by_decomposition(problem, limits)

    if len(problem.needs) > limits.programme_up_to_needs:
        return [_guarded(decomposed)]
    whole = _guarded(lambda: by_programme(problem, last, limits))
    if not whole.plans or _is_proven(whole, limits):
        return [whole]
    return [whole, _guarded(decomposed)]


def _is_proven(answer: Answer, limits: SolveLimits) -> bool:
    best = min(answer.plans, key=lambda plan: plan.rank)
    distance = best.priced_usd_per_hour - answer.bound_usd_per_hour
    return answer.proves(best) and distance <= limits.gap_ratio * best.usd_per_hour


def _guarded(solver: Callable[[], Answer]) -> Answer:
    """The solver's answer; a mistake in it becomes one, told with its text and place, and never ends the tick."""
    try:
        return solver()
    except Exception as mistake:  # noqa: BLE001 - told in the report, logged by the loop, counted in a metric
        place = traceback.extract_tb(mistake.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        return Answer(Outcome.FAILED, message=f"{type(mistake).__name__}: {mistake} at {where}")


def _by_decomposition(problem: Problem, limits: SolveLimits) -> Answer:
    found = decompose(problem, limits)
    return Answer(
        Outcome.SOLVED,
        (found.plan,),
        found.bound_usd_per_hour,
        # The bound holds need by need; where something is missing it says nothing of plans that miss elsewhere.
        found.plan.missed if found.bound_usd_per_hour > 0 else (-1.0,) * len(found.plan.missed),
        found.seconds,
    )


def by_programme(problem: Problem, last: Mapping[VariantKey, int], limits: SolveLimits) -> Answer:
    """What the integer programme finds, tightened where its plan does not pack."""
    # Twice: what was added first may have become superfluous by what was added after it.
    repaired = assess(problem, fill_up(problem, fill_up(problem, last)))
    plans: list[Assessment] = []
    first: Solved | None = None
    least_missed: tuple[float, ...] = ()
    order_usd_per_hour = 0.0
    tried, seconds = problem, 0.0
    for _ in range(ROUNDS):
        programme = write_programme(tried, limits.max_tiers)
        solved = solve(programme, _start(programme, repaired), limits.after(seconds))
        seconds += solved.seconds
        if first is None and solved.values is not None:
            least_missed = programme.missed(solved.values)
            order_usd_per_hour = programme.order_usd_per_hour
        first = first or solved
        if solved.values is None:
            break
        wanted = programme.replicas_of(solved.values)
        found = assess(problem, wanted)
        # With what did not find a seat made up for elsewhere, and without what the solver's tolerance left too much.
        mended = assess(problem, fill_up(problem, wanted))
        plans += [found, mended]
        if any(_is_close(plan, solved, tried, limits) for plan in (found, mended) if plan.missed <= found.missed):
            break
        tighter = tighten(tried, found, wanted, programme.nodes_of(solved.values))
        if tighter is None:
            break
        tried = tighter
    assert first is not None, "at least one round is solved"
    bound_usd_per_hour = max(0.0, first.bound * problem.usd_per_unit - order_usd_per_hour)
    if first.values is None:
        return Answer(first.outcome, seconds=seconds, message=first.message)
    return Answer(first.outcome, (repaired, *plans), bound_usd_per_hour, least_missed, seconds, first.message)


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


def _report(best: Assessment, answers: list[Answer]) -> SolverReport:
    """The solve in figures; the bound is on node prices, what the plan pays for moves already taken off."""
    cost, seconds = best.usd_per_hour, sum(answer.seconds for answer in answers)
    if not any(answer.plans for answer in answers):
        why = "; ".join(answer.message for answer in answers)
        timed_out = all(answer.outcome is Outcome.STOPPED for answer in answers)
        return SolverReport(
            outcome=Reason.SOLVE_TIMED_OUT if timed_out else Reason.SOLVE_FAILED,
            cost_usd_per_hour=cost,
            bound_usd_per_hour=0.0,
            gap_ratio=1.0 if cost > 0 else 0.0,
            seconds=seconds,
            message=f"no plan from the solver ({why}): the last plan or a greedy one stands in its place",
        )
    proven = [answer.bound_usd_per_hour for answer in answers if answer.plans and answer.proves(best)]
    distance = max(0.0, best.priced_usd_per_hour - max(proven, default=0.0))
    bound = max(0.0, cost - distance) if proven else 0.0
    failed = [answer for answer in answers if answer.outcome is Outcome.FAILED]
    covered = "not everything fits: the highest priority comes first" if any(best.missed) else "everything is covered"
    return SolverReport(
        # One solver's plan stands where the other failed; that it did is a mistake to be told all the same.
        outcome=Reason.SOLVE_FAILED if failed else Reason.SOLVED,
        cost_usd_per_hour=cost,
        bound_usd_per_hour=bound,
        gap_ratio=(cost - bound) / cost if cost > 0 else float(not proven),
        seconds=seconds,
        message="; ".join([*(f"one of two solvers failed ({answer.message})" for answer in failed), covered]),
    )
