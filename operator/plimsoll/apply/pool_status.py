"""What does a ComputePool's status say?

In: one pool's part of the plan, what is wrong with it, the status as it stands. Out: the status as raw dictionary. Its
figures are counts, so any difference is worth a write. Pure.
"""

from collections.abc import Mapping
from typing import Any

from plimsoll.api import ComputePoolStatus, DecimalText, Money, PriceStatus, Quantity, Timestamp
from plimsoll.apply.status import conditions
from plimsoll.domain import PoolPlan, PriceSource, Reason, Resources
from plimsoll.explain import ConditionType, Verdict

_PRICE_AGE_STEP_S = 3600.0


def pool_status(plan: PoolPlan, generation: int, present: Mapping[str, Any] | None, now_s: float) -> dict[str, Any]:
    """The status of a pool that is part of the plan."""
    free = {name: max(0.0, amount - plan.requested.get(name, 0.0)) for name, amount in plan.allocatable.items()}
    stocked_out_until_s = plan.stocked_out_until_s
    return ComputePoolStatus(
        observed_generation=generation,
        conditions=conditions((_ready(plan),), present, generation, now_s),
        nodes=plan.nodes,
        ready=plan.ready_nodes,
        target=plan.target_nodes,
        allocatable=_quantities(plan.allocatable),
        free=_quantities(free),
        price=_price(plan),
        cost_per_hour=Money.of(plan.usd_per_hour),
        packing=_packing(plan),
        stocked_out_until=None if stocked_out_until_s is None else Timestamp.of(stocked_out_until_s),
    ).to_wire()


def unplanned_pool_status(
    message: str, generation: int, present: Mapping[str, Any] | None, now_s: float
) -> dict[str, Any]:
    """The status of a pool whose manifest cannot be used."""
    verdict = Verdict(ConditionType.READY, False, Reason.INVALID_SPEC, message)
    return ComputePoolStatus(
        observed_generation=generation, conditions=conditions((verdict,), present, generation, now_s)
    ).to_wire()


def pool_status_differs(new: Mapping[str, Any], old: Mapping[str, Any] | None) -> bool:
    """Whether anything changed; sentences count, since their figures are the counts beside them."""
    return new != old


def _ready(plan: PoolPlan) -> Verdict:
    if plan.stocked_out_until_s is None:
        return Verdict(ConditionType.READY, True, Reason.STEADY, f"{plan.ready_nodes} of {plan.nodes} nodes ready")
    return Verdict(
        ConditionType.READY,
        False,
        Reason.STOCK_OUT,
        f"nodes that were asked for did not come; capped to {plan.nodes} nodes until "
        f"{Timestamp.of(plan.stocked_out_until_s)}, then tried again. Other pools carry the load meanwhile",
    )


def _price(plan: PoolPlan) -> PriceStatus:
    """A price that is read anew each tick gets its age to the hour, so that it is not a write each tick."""
    as_of_s = plan.price_as_of_s
    if as_of_s is not None and plan.price_source is PriceSource.OPEN_COST:
        as_of_s -= as_of_s % _PRICE_AGE_STEP_S
    return PriceStatus(
        per_hour=Money.of(plan.price_usd_per_hour, places=4),
        source=plan.price_source,
        as_of=None if as_of_s is None else Timestamp.of(as_of_s),
        message=plan.price_note,
    )


def _packing(plan: PoolPlan) -> DecimalText | None:
    shares = [plan.requested.get(name, 0.0) / amount for name, amount in plan.allocatable.items() if amount > 0]
    return DecimalText.of(min(1.0, max(shares)), 2) if shares else None


def _quantities(amounts: Resources) -> dict[str, Quantity]:
    return {name: Quantity.of(name, amount) for name, amount in sorted(amounts.items())}
