"""At which price or demand would the planner itself decide otherwise?

In: a situation and a way to plan it. Out: for each pool that the plan and the next best differ in, and for the demand
below and above the present one, the value at which other variants run or not all demand finds room, found by planning
again and again: first by doubling steps away from the present, then by halving. So everything counts that counts in
a decision: whole nodes, the other deployments, what a move costs.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from plimsoll.domain import DeploymentPlan, ObjectKey, Plan, PriceKind
from plimsoll.explain import break_evens, cost
from plimsoll.what_if.outcome import counts, counts_text
from plimsoll.what_if.situation import Situation

Decide = Callable[[Situation], Plan]

_PRECISION = 0.005
"""Of the value that is told, as a share of it; prices and forecasts are seldom better known."""
_MOST_HALVINGS = 12
_RATE_STEP = 1.25
_RATE_STEPS = 12
"""From the present demand to 15 times and a fifteenth of it, 1.25 ^ 12. A guess at what people ask about."""
_CHEAPEST, _DEAREST = 0.01, 10.0
"""Times the present price. Nobody sells below or buys beyond; for nothing at all everything would be a tie."""


class Quantity(StrEnum):
    """What is turned."""

    PRICE = "price"
    RATE = "rate"


@dataclass(frozen=True, slots=True)
class TurningPoint:
    """The value of one quantity from which on the plan is another one."""

    quantity: Quantity
    pool: str | None
    """Whose price it is."""
    now: float
    """US dollars per hour of a node, or requests per second planned for."""
    at: float | None
    """The first value that was found to change the plan; None: none within reach does."""
    reach: float
    """The last value that was tried in that direction."""
    then: str
    """What would run there; where nothing changes, what keeps running."""
    is_short: bool = False
    """Not all demand finds room from there on."""
    by_arithmetic: float | None = None
    """The price at which both would cost the same if nothing else changed."""


@dataclass(frozen=True, slots=True)
class _State:
    """What makes a plan another one: which variants run, and whether all demand is covered. Not how many replicas."""

    variants: frozenset[str]
    is_short: bool


def turning_points(situation: Situation, key: ObjectKey, decide: Decide) -> tuple[TurningPoint, ...]:
    """What would change the decision about a deployment.

    Args:
        situation: as it is.
        key: of the deployment.
        decide: the planner; called some fifty times.
    """
    plan = decide(situation)
    one = _of(plan, key)
    exact = {even.pool: even.usd_per_hour for even in break_evens(one, {pool.name: pool for pool in plan.pools})}
    found = [_price(situation, one, name, cheaper, exact.get(name), decide) for name, cheaper in _pools(situation, one)]
    if one.forecast.required_rps > 0:
        found += [_rate(situation, one, up, decide) for up in (False, True)]
    return tuple(found)


def _pools(situation: Situation, one: DeploymentPlan) -> Iterable[tuple[str, bool]]:
    """The pools whose price speaks for or against the next best, and whether they would have to be cheaper."""
    best = cost(one).next_best
    if best is None:
        return
    used = {variant.pool for variant in one.variants if variant.target}
    wanted = {variant.pool for variant in one.variants if best.replicas.get(variant.key.variant)}
    kinds = {pool.name: pool.price_kind for pool in situation.snapshot.pools}
    for name in sorted(wanted ^ used):
        if kinds.get(name, PriceKind.PAID) is not PriceKind.PAID:
            yield name, name in wanted


def _price(
    situation: Situation, one: DeploymentPlan, name: str, cheaper: bool, exact: float | None, decide: Decide
) -> TurningPoint:
    pool = situation.pool(name)
    now = pool.price_usd_per_hour

    def planned(price: float) -> DeploymentPlan:
        return _of(decide(situation.with_pool(replace(pool, price_usd_per_hour=price))), one.key)

    reach = (_CHEAPEST if cheaper else _DEAREST) * now
    at, then = _turn(planned, one, now, [reach])
    return TurningPoint(
        Quantity.PRICE, name, now, at, reach, counts_text(then), is_short=then.shortfall_rps > 0, by_arithmetic=exact
    )


def _rate(situation: Situation, one: DeploymentPlan, up: bool, decide: Decide) -> TurningPoint:
    now = one.forecast.required_rps

    def planned(rate_rps: float) -> DeploymentPlan:
        return _of(decide(situation.with_rate(one.key, rate_rps)), one.key)

    step = _RATE_STEP if up else 1.0 / _RATE_STEP
    tried = [now * step**power for power in range(1, _RATE_STEPS + 1)]
    at, then = _turn(planned, one, now, tried)
    return TurningPoint(Quantity.RATE, None, now, at, tried[-1], counts_text(then), is_short=then.shortfall_rps > 0)


def _turn(
    planned: Callable[[float], DeploymentPlan], present: DeploymentPlan, now: float, tried: Iterable[float]
) -> tuple[float | None, DeploymentPlan]:
    """The first value on the way through `tried` whose plan is another one, and that plan."""
    before, last = _state(present), now
    then = present
    for value in tried:
        then = planned(value)
        if _state(then) != before:
            return _halved(planned, before, last, value, then)
        last = value
    return None, then


def _halved(
    planned: Callable[[float], DeploymentPlan], before: _State, same: float, other: float, then: DeploymentPlan
) -> tuple[float, DeploymentPlan]:
    for _ in range(_MOST_HALVINGS):
        if abs(same - other) <= _PRECISION * max(abs(same), abs(other)):
            break
        middle = (same + other) / 2.0
        plan = planned(middle)
        if _state(plan) == before:
            same = middle
        else:
            other, then = middle, plan
    return other, then


def _state(plan: DeploymentPlan) -> _State:
    return _State(frozenset(counts(plan)), plan.shortfall_rps > 0)


def _of(plan: Plan, key: ObjectKey) -> DeploymentPlan:
    return next(one for one in plan.deployments if one.key == key)
