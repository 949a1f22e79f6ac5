"""Where the money above the bound went: for each seed, and in the mean over them.

In: a scenario's results. Out: what the page draws, the mean first.
"""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from plimsoll.simulator.result import ScenarioResult


def excess(scenario: ScenarioResult) -> list[dict[str, Any]]:
    """One for each seed that has a bound; where there are several, before them the mean, of no seed."""
    bound_usd, by_seed = scenario.bound_usd, scenario.excess_over_bound_usd
    found = [_drawn(seed, bound_usd[seed], by_cause) for seed, by_cause in by_seed.items()]
    if len(found) > 1:
        found.insert(0, _drawn(None, fmean(bound_usd[seed] for seed in by_seed), scenario.mean_excess_usd))
    return found


def _drawn(seed: int | None, bound: float, by_cause: Mapping[str, float]) -> dict[str, Any]:
    causes = [{"cause": cause, "usd": value} for cause, value in by_cause.items()]
    return {"policy": "plimsoll", "seed": seed, "bound_usd": bound, "causes": causes}
