"""Planning: options and pools in, the cheapest feasible allocation out, for all deployments at once.

In: the snapshot, forecasts, options (what each variant's replicas carry), stock-outs and the last plan's replicas.
Out: an ``Allocation``: replicas, nodes, prices, what is missing, what was rejected and how close to the best it is.
Never: steps towards it (``rollout``), wording of conditions (``explain``), clocks or I/O. Design section 5.

The way through: ``statement`` (a ``problem``: bounds, prices, ``room``) -> ``programme`` -> ``solver`` ->
``assessment`` (the proof by ``packing``, prices by ``attribution``) -> ``search`` (tighten and repeat, ``fallback``,
``budgets``) -> ``shortages``, ``alternatives``.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from plimsoll.domain import (
    Allocation,
    Finding,
    Forecast,
    Mode,
    ObjectKey,
    Option,
    Overflow,
    Reason,
    Snapshot,
    SolverReport,
    StockOut,
    VariantKey,
)
from plimsoll.planning.alternatives import list_alternatives
from plimsoll.planning.problem import Problem
from plimsoll.planning.search import best_plan
from plimsoll.planning.shortages import TOLERATED_RATIO, find_shortages, uncovered_rps
from plimsoll.planning.solver import SolveLimits
from plimsoll.planning.statement import state_problem
from plimsoll.planning.tolerance import left_to_headroom

__all__ = ["SolveLimits", "allocate", "left_to_headroom"]

T = TypeVar("T")
DEFAULT_LIMITS = SolveLimits()


def allocate(
    snapshot: Snapshot,
    forecasts: Mapping[ObjectKey, Forecast],
    options: Mapping[VariantKey, Option],
    stock_outs: Mapping[str, StockOut],
    last_replicas: Mapping[VariantKey, int],
    limits: SolveLimits = DEFAULT_LIMITS,
) -> Allocation:
    """The cheapest allocation that covers every forecast, or the least bad one; it never raises for lack of room.

    Args:
        snapshot: deployments with what they run now, and pools.
        forecasts: one for each deployment.
        options: one for each variant.
        stock_outs: by pool; a pool whose mark still stands is planned with the nodes it has.
        last_replicas: the last plan, where the solve starts; empty after a restart.
        limits: when the solver stops.

    Returns:
        For deployments in mode Recommend, what they would get if they were in Auto; all others are planned around
        what those run now.
    """
    allocation = _allocate(snapshot, forecasts, options, stock_outs, last_replicas, limits, free_recommended=False)
    shown = frozenset(d.key for d in snapshot.deployments if d.mode is Mode.RECOMMEND)
    if not shown:
        return allocation
    start = {**allocation.replicas, **{key: n for key, n in last_replicas.items() if key.deployment_key in shown}}
    free = _allocate(snapshot, forecasts, options, stock_outs, start, limits, free_recommended=True)
    return _merged(allocation, free, shown)


def _allocate(
    snapshot: Snapshot,
    forecasts: Mapping[ObjectKey, Forecast],
    options: Mapping[VariantKey, Option],
    stock_outs: Mapping[str, StockOut],
    last_replicas: Mapping[VariantKey, int],
    limits: SolveLimits,
    *,
    free_recommended: bool,
) -> Allocation:
    problem = state_problem(snapshot, forecasts, options, stock_outs, last_replicas, free_recommended=free_recommended)
    plan, report = best_plan(problem, last_replicas, limits)
    missing = uncovered_rps(problem, plan)
    return Allocation(
        replicas=plan.replicas,
        nodes=plan.nodes,
        usd_per_hour={
            need.key: plan.attributed[need.key] + need.api_usd_per_hour(plan.placed) for need in problem.needs
        },
        shortfall_rps=missing,
        alternatives=list_alternatives(problem, plan, options, stock_outs, snapshot.now_s),
        findings=(*find_shortages(problem, plan, missing), *_unsolved(problem, report)),
        solver=report,
        overflow={
            need.key: Overflow(need.api_rps(plan.placed), need.api_usd_per_hour(plan.placed))
            for need in problem.needs
            if need.api_rps(plan.placed) > TOLERATED_RATIO * max(1.0, need.required_rps)
        },
    )


def _unsolved(problem: Problem, report: SolverReport) -> Iterable[Finding]:
    """That the plan is not the solver's, told to every deployment that runs by it."""
    if report.outcome is not Reason.SOLVED:
        yield from (Finding(need.key, report.outcome, report.message) for need in problem.needs)


def _merged(applied: Allocation, free: Allocation, shown: frozenset[ObjectKey]) -> Allocation:
    """What is applied, with the deployments in `shown` as they would be if they were free."""

    def pick(of_applied: Mapping[ObjectKey, T], of_free: Mapping[ObjectKey, T]) -> dict[ObjectKey, T]:
        kept = {key: value for key, value in of_applied.items() if key not in shown}
        return {**kept, **{key: value for key, value in of_free.items() if key in shown}}

    replicas = {key: (free if key.deployment_key in shown else applied).replicas[key] for key in applied.replicas}
    return Allocation(
        replicas=replicas,
        nodes=applied.nodes,
        usd_per_hour=pick(applied.usd_per_hour, free.usd_per_hour),
        shortfall_rps=pick(applied.shortfall_rps, free.shortfall_rps),
        alternatives=pick(applied.alternatives, free.alternatives),
        findings=(
            *(finding for finding in applied.findings if finding.deployment not in shown),
            *(finding for finding in free.findings if finding.deployment in shown),
        ),
        solver=_weaker(applied.solver, free.solver),
        overflow=pick(applied.overflow, free.overflow),
    )


def _weaker(applied: SolverReport, free: SolverReport) -> SolverReport:
    """Of two solves the one whose cost is proven less well, so that what is told of the plan holds for both."""
    weaker = max(applied, free, key=lambda report: (report.outcome is not Reason.SOLVED, report.gap_ratio))
    return replace(weaker, seconds=applied.seconds + free.seconds)
