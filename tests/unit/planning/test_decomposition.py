"""The decomposition by itself: the same plan every time, and a bound that holds however requests are shared out."""

from dataclasses import replace

import pytest

from plimsoll.domain import Routing
from plimsoll.planning.decomposition import decompose
from plimsoll.planning.problem import Problem
from plimsoll.planning.search import by_programme
from plimsoll.planning.solver import SolveLimits
from unit.planning.random_fleets import a_problem

EXACT = SolveLimits(exact_up_to_columns=10_000, max_branch_nodes=50_000)
ROUNDING_USD_PER_HOUR = 1e-6
API_USD_PER_HOUR_PER_RPS = 2.0
"""Between the cheapest and the dearest rate of the random fleets' pools, so that some overflow and some do not."""
SMALL_FLEETS = range(1, 8)


def with_equal_shares(problem: Problem) -> Problem:
    return replace(problem, needs=tuple(replace(need, routing=Routing.SERVICE) for need in problem.needs))


def with_an_api(problem: Problem) -> Problem:
    needs = (replace(need, api_usd_per_hour_per_rps=API_USD_PER_HOUR_PER_RPS) for need in problem.needs)
    return replace(problem, needs=tuple(needs))


@pytest.mark.parametrize("seed", [10, 14, 19])
def test_the_same_problem_gives_the_same_plan_and_bound(seed: int) -> None:
    first, second = (decompose(a_problem(seed), SolveLimits()) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("seed", SMALL_FLEETS)
def test_the_bound_holds_where_replicas_get_equal_shares(seed: int) -> None:
    assert_bound_holds(with_equal_shares(a_problem(seed)))


@pytest.mark.parametrize("seed", SMALL_FLEETS)
def test_the_bound_holds_where_requests_overflow_to_an_external_api(seed: int) -> None:
    assert_bound_holds(with_an_api(a_problem(seed)))


def assert_bound_holds(problem: Problem) -> None:
    optimal = min(by_programme(problem, {}, EXACT).plans, key=lambda plan: plan.rank)
    assert not any(optimal.missed)
    assert (
        0 < decompose(problem, SolveLimits()).bound_usd_per_hour <= optimal.priced_usd_per_hour + ROUNDING_USD_PER_HOUR
    )
