"""Solving the programme with HiGHS: everything covered if that can be, else the highest priority first.

In: a ``Programme``, or rows of another, a start and limits. Out: the values of all columns with the solver's own bound,
or why there are none. The only place that knows highspy; it never raises. Design section 5.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto

import highspy
import numpy as np

from plimsoll.planning.programme import Floats, Programme, Row

TIER_SLACK = 1e-5
"""By how much a tier that has been solved may get worse again: ten times HiGHS's own feasibility tolerance, without
which it now and then calls its own answer infeasible."""
AGREEMENT = 1e-6
"""How far the values' cost may be from the objective that HiGHS reports, as a share."""


def _stopped() -> float:
    return 0.0


@dataclass(frozen=True, slots=True)
class SolveLimits:
    """When the solver stops. Node counts and gaps keep a plan reproducible; wall time is for the operator only."""

    time_limit_s: float | None = None
    """None never looks at the clock: for tests and the simulator."""
    exact_up_to_columns: int = 400
    """Whole-number columns up to which the gap is closed entirely; measured: such fleets take well under a second."""
    gap_ratio: float = 0.01
    """Above that, a plan this close to the bound is good enough."""
    max_branch_nodes: int = 2000
    programme_up_to_needs: int = 60
    """Deployments up to which the integer programme is tried first; larger fleets are decomposed.

    Measured once, generated fleet, seed 1, at 20, 40, 60 and 100 deployments: the programme alone, within its limits,
    takes 0.06, 0.25, 0.8 and 1.2 s of processor time for 71.7, 200, 305 and 477 USD/h; the decomposition 0.4, 0.3, 0.6
    and 0.6 s for 68.4, 145, 250 and 419. Where the programme proves nothing, both run and the better one is taken.
    """
    max_tiers: int = 8
    """Priorities told apart when there is not enough; lower ones share the last place."""

    stopwatch_s: Callable[[], float] = _stopped
    """Reads seconds that have passed; the default stands still, so that a plan depends on nothing but its problem."""

    def after(self, seconds: float) -> "SolveLimits":
        """What is left of the limits once that much time has been spent."""
        if self.time_limit_s is None:
            return self
        return replace(self, time_limit_s=max(0.0, self.time_limit_s - seconds))


class Outcome(Enum):
    """How one call to the solver ended."""

    SOLVED = auto()
    INFEASIBLE = auto()
    STOPPED = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Solved:
    """What the solver found; `values` is None unless the outcome is SOLVED. Objective and bound in programme units."""

    outcome: Outcome
    values: Floats | None = None
    objective: float = 0.0
    bound: float = 0.0
    seconds: float = 0.0
    message: str = ""


class _SilentHighs(highspy.Highs):
    """HiGHS that never writes to standard output, where the operator's JSON lines and the CLI's answers go."""

    def __init__(self) -> None:
        # Highs.__init__ sets callbacks up, which prints a banner before output can be turned off (seen with 1.16).
        super(highspy.Highs, self).__init__()
        self.setOptionValue("output_flag", False)


def solve(programme: Programme, start: Floats | None, limits: SolveLimits) -> Solved:
    """The cheapest plan that covers everything; where there is none, the cheapest of those that miss least."""
    no_slack = programme.upper.copy()
    no_slack[list(programme.slack)] = 0.0
    answer = _run(programme, programme.cost, no_slack, programme.rows, start, limits)
    if answer.outcome is not Outcome.INFEASIBLE:
        return answer
    rows, seconds = programme.rows, answer.seconds
    for weights in programme.tiers:
        tier = _run(
            programme, _weighed(weights, len(programme.cost)), programme.upper, rows, start, limits.after(seconds)
        )
        seconds += tier.seconds
        if tier.values is None:
            return replace(tier, seconds=seconds)
        rows = (*rows, Row(tuple(weights), tuple(weights.values()), -np.inf, _at_most(tier.objective)))
        start = tier.values
    answer = _run(programme, programme.cost, programme.upper, rows, start, limits.after(seconds))
    if answer.values is None and start is not None:
        # What the tiers settled is covered in any case; only the price has not been looked at.
        return Solved(Outcome.SOLVED, start, float(programme.cost @ start), 0.0, seconds, answer.message)
    return replace(answer, seconds=answer.seconds + seconds)


def _weighed(weights: Mapping[int, float], columns: int) -> Floats:
    cost = np.zeros(columns)
    cost[list(weights)] = list(weights.values())
    return cost


def _at_most(objective: float) -> float:
    return max(0.0, objective) * (1 + TIER_SLACK) + TIER_SLACK


def solve_rows(
    cost: Floats,
    upper: Floats,
    rows: tuple[Row, ...],
    start: Floats | None,
    gap_ratio: float,
    limits: SolveLimits,
    whole: tuple[bool, ...] | None = None,
) -> Solved:
    """The cheapest numbers from 0 to `upper` that meet all rows, or as close to it as `gap_ratio`.

    Args:
        cost: of one unit of each column.
        upper: the most of each column.
        rows: constraints.
        start: where to begin; None: nowhere.
        gap_ratio: share of the cost by which the answer may exceed the proven bound.
        limits: when to stop.
        whole: which columns are whole numbers; None: all.

    Returns:
        Values, objective and bound in the unit of `cost`.
    """
    options = _options(limits, gap_ratio)
    return _run_model(whole or (True,) * len(cost), options, cost, upper, rows, start, limits)


def _run(
    programme: Programme,
    cost: Floats,
    upper: Floats,
    rows: tuple[Row, ...],
    start: Floats | None,
    limits: SolveLimits,
) -> Solved:
    small = sum(programme.whole) <= limits.exact_up_to_columns
    options = _options(limits, 0.0 if small else limits.gap_ratio)
    return _run_model(programme.whole, options, cost, upper, rows, start, limits)


def _run_model(
    integral: tuple[bool, ...],
    options: Mapping[str, float | int | str],
    cost: Floats,
    upper: Floats,
    rows: tuple[Row, ...],
    start: Floats | None,
    limits: SolveLimits,
) -> Solved:
    if limits.time_limit_s is not None and limits.time_limit_s <= 0:
        # HiGHS would still solve what its presolve settles.
        return Solved(Outcome.STOPPED, message="Time limit reached")
    # HiGHS takes NaN for an answer and calls the result optimal; so it must not see one.
    numbers = [cost, upper, np.array([number for row in rows for number in row.coefficients])]
    if not all(np.isfinite(part).all() for part in numbers):
        return Solved(Outcome.FAILED, message="a price, rate or size is not a finite number")
    solver = _SilentHighs()
    for option, value in options.items():
        solver.setOptionValue(option, value)
    if solver.passModel(_model(integral, cost, upper, rows)) == highspy.HighsStatus.kError:
        return Solved(Outcome.FAILED, message="HiGHS refuses the programme")
    if start is not None:
        # Whole numbers only: HiGHS fills in the rest, and drops a start that does not fit.
        whole = np.flatnonzero(np.array(integral)).astype(np.int32)
        solver.setSolution(len(whole), whole, np.minimum(start, upper)[whole])
    solver.run()
    answer = _answer(solver)
    if start is not None and answer.values is not None and not _agrees(answer, cost):
        # Seen with HiGHS 1.16 when presolve settles everything: the objective is right, the values are the start's.
        left = limits.after(answer.seconds)
        again = _run_model(integral, _options(left, float(options["mip_rel_gap"])), cost, upper, rows, None, left)
        return replace(again, seconds=again.seconds + answer.seconds)
    return answer


def _agrees(answer: Solved, cost: Floats) -> bool:
    assert answer.values is not None, "only an answer with values is compared"
    return abs(float(cost @ answer.values) - answer.objective) <= AGREEMENT * max(1.0, abs(answer.objective))


def _options(limits: SolveLimits, gap_ratio: float) -> dict[str, float | int | str]:
    options: dict[str, float | int | str] = {
        "threads": 1,
        "random_seed": 0,
        "mip_rel_gap": gap_ratio,
        "mip_abs_gap": 1e-9,
        "mip_max_nodes": limits.max_branch_nodes,
    }
    return options if limits.time_limit_s is None else {**options, "time_limit": limits.time_limit_s}


def _model(integral: tuple[bool, ...], cost: Floats, upper: Floats, rows: tuple[Row, ...]) -> highspy.HighsLp:
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(cost), len(rows)
    model.col_cost_, model.col_lower_, model.col_upper_ = cost, np.zeros(len(cost)), upper
    model.row_lower_ = np.array([row.lower for row in rows], dtype=np.float64)
    model.row_upper_ = np.array([row.upper for row in rows], dtype=np.float64)
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_ = np.cumsum([0, *(len(row.columns) for row in rows)]).astype(np.int32)
    model.a_matrix_.index_ = np.array([column for row in rows for column in row.columns], dtype=np.int32)
    model.a_matrix_.value_ = np.array([number for row in rows for number in row.coefficients], dtype=np.float64)
    kinds = {True: highspy.HighsVarType.kInteger, False: highspy.HighsVarType.kContinuous}
    model.integrality_ = [kinds[whole] for whole in integral]
    return model


def _answer(solver: highspy.Highs) -> Solved:
    status, info, seconds = solver.getModelStatus(), solver.getInfo(), solver.getRunTime()
    told = solver.modelStatusToString(status)
    kinds = highspy.HighsModelStatus
    if status in (kinds.kInfeasible, kinds.kUnboundedOrInfeasible):
        return Solved(Outcome.INFEASIBLE, seconds=seconds, message=told)
    stopped = status in (kinds.kTimeLimit, kinds.kSolutionLimit, kinds.kIterationLimit, kinds.kInterrupt)
    feasible = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
    if status in (kinds.kOptimal, kinds.kModelEmpty) or (stopped and feasible):
        bound = info.mip_dual_bound if np.isfinite(info.mip_dual_bound) else 0.0
        values = np.array(solver.getSolution().col_value)
        return Solved(Outcome.SOLVED, values, info.objective_function_value, bound, seconds, told)
    return Solved(Outcome.STOPPED if stopped else Outcome.FAILED, seconds=seconds, message=told)
