"""Where the money above the bound went: for each seed, and in the mean over them.

In: what each station cost, by policy and seed. Out: what the page draws, the mean first.
"""

from collections.abc import Mapping
from statistics import fmean
from typing import Any

from plimsoll.simulator.report.background import Background


def excess(about: Background, bound_usd: Mapping[int, float]) -> list[dict[str, Any]]:
    """One for each policy and seed; before them the mean of a policy with several, whose seed is None.

    A seed without a bound has nothing to start from.
    """
    by_policy: dict[str, dict[int, Mapping[str, float]]] = {}
    for (policy, seed), by_cause in about.excess_usd.items():
        if seed in bound_usd:
            by_policy.setdefault(policy, {})[seed] = by_cause
    found = []
    for policy, by_seed in by_policy.items():
        seeds = sorted(by_seed)
        if len(seeds) > 1:
            causes = list(dict.fromkeys(cause for seed in seeds for cause in by_seed[seed]))
            means = {cause: fmean(by_seed[seed].get(cause, 0.0) for seed in seeds) for cause in causes}
            found.append(_drawn(policy, None, fmean(bound_usd[seed] for seed in seeds), means))
        found += [_drawn(policy, seed, bound_usd[seed], by_seed[seed]) for seed in seeds]
    return found


def _drawn(policy: str, seed: int | None, bound: float, by_cause: Mapping[str, float]) -> dict[str, Any]:
    causes = [{"cause": cause, "usd": value} for cause, value in by_cause.items()]
    return {"policy": policy, "seed": seed, "bound_usd": bound, "causes": causes}
