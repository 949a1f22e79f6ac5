"""The decomposition against the integer programme solved to proven optimality, on two hundred random fleets."""

from functools import cache

import pytest

from plimsoll.planning.decomposition import Decomposed, decompose
from plimsoll.planning.search import Answer, by_programme
from plimsoll.planning.solver import SolveLimits
from unit.planning.random_fleets import a_problem

EXACT = SolveLimits(exact_up_to_columns=10_000, max_branch_nodes=50_000)
FLEETS, FLEETS_A_TEST = 200, 10
WORST_RATIO, MEAN_RATIO = 1.03, 1.01
ROUNDING_USD_PER_HOUR = 1e-6
"""What HiGHS's own tolerances and sums in another order may differ by."""


@cache
def both(seed: int) -> tuple[Decomposed, Answer]:
    problem = a_problem(seed)
    return decompose(problem, SolveLimits()), by_programme(problem, {}, EXACT)


@pytest.mark.parametrize("first", range(0, FLEETS, FLEETS_A_TEST))
def test_decomposition_is_within_a_hundredth_of_the_optimum_and_covers_what_can_be_covered(first: int) -> None:
    ratios = []
    for seed in range(first, first + FLEETS_A_TEST):
        decomposed, programme = both(seed)
        optimal = min(programme.plans, key=lambda plan: plan.rank)
        assert decomposed.plan.missed <= optimal.missed, seed
        ratios.append(decomposed.plan.priced_usd_per_hour / optimal.priced_usd_per_hour)
    assert max(ratios) <= WORST_RATIO, dict(enumerate(ratios, first))
    assert sum(ratios) / len(ratios) <= MEAN_RATIO, dict(enumerate(ratios, first))


@pytest.mark.parametrize("first", range(0, FLEETS, FLEETS_A_TEST))
def test_neither_bound_is_above_what_the_other_solver_found(first: int) -> None:
    for seed in range(first, first + FLEETS_A_TEST):
        decomposed, programme = both(seed)
        optimal = min(programme.plans, key=lambda plan: plan.rank)
        found, best = decomposed.plan.priced_usd_per_hour, optimal.priced_usd_per_hour
        assert programme.bound_usd_per_hour <= found + ROUNDING_USD_PER_HOUR, seed
        assert programme.bound_usd_per_hour <= best + ROUNDING_USD_PER_HOUR, seed
        assert decomposed.bound_usd_per_hour <= best + ROUNDING_USD_PER_HOUR, seed
