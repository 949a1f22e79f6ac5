"""At which price of a pool would what lost cost as much as the plan?

In: one deployment's plan, and the pools. Out: prices, by arithmetic on the nodes that the plan and the next best differ
in: all else stays as it is. A move has a price of its own, so the planner itself moves a little later; ``what_if``
asks it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from plimsoll.domain import Alternative, DeploymentPlan, PoolPlan, PriceKind, Reason
from plimsoll.explain.money import cost

_CENT = 0.005
"""Differences below this are told as none."""


@dataclass(frozen=True, slots=True)
class BreakEven:
    """The price of one pool's node at which the next best costs what the plan costs, all other prices as they are."""

    pool: str
    now_usd_per_hour: float
    usd_per_hour: float

    @property
    def wins_below(self) -> bool:
        """Whether the price has to fall; else it has to rise."""
        return self.usd_per_hour < self.now_usd_per_hour


def break_evens(plan: DeploymentPlan, pools: Mapping[str, PoolPlan]) -> tuple[BreakEven, ...]:
    """The break-even prices of the next best, in order of pool; none where it lost by something else than its price.

    With n nodes more of a pool at p USD/h each and d USD/h more in all, both cost the same at p - d/n. Pools that are
    paid for have no price that counts, and no price falls to nothing.

    Args:
        plan: of the deployment.
        pools: by name.
    """
    best = cost(plan).next_best
    difference = _dearer_by(plan, best)
    if best is None or difference <= _CENT:
        return ()
    found = []
    for name, more in sorted(best.nodes.items()):
        pool = pools.get(name)
        if pool is None or not more or pool.price_kind is PriceKind.PAID:
            continue
        price = pool.price_usd_per_hour - difference / more
        if price > _CENT / 10.0:
            found.append(BreakEven(name, pool.price_usd_per_hour, price))
    return tuple(found)


def _dearer_by(plan: DeploymentPlan, best: Alternative | None) -> float:
    if best is None or best.usd_per_hour is None or best.reason is not Reason.DEARER:
        return 0.0
    return best.usd_per_hour - plan.usd_per_hour
