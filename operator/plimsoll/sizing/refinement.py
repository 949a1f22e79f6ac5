"""What should be simulated next? What the plan stands on first.

In: the snapshot, the plan that was made of it, what has been simulated. Out: cases in the order in which their answers
matter. Pure; running them is up to the caller, a thread beside the loop or a simulator between two ticks.
"""

from collections.abc import Iterator

from plimsoll.domain import Plan, Snapshot
from plimsoll.engine.case import Case
from plimsoll.sizing.cases import case_within_window
from plimsoll.sizing.estimate import estimates
from plimsoll.sizing.options import Simulated
from plimsoll.sizing.refusals import outside_range

_DOUBTFUL_WEIGHT = 4.0
"""How much more an answer matters that the estimate says it cannot be trusted with. A guess."""


def to_simulate(snapshot: Snapshot, plan: Plan, simulated: Simulated, used_only: bool = False) -> tuple[Case, ...]:
    """The cases of this plan that were only estimated, the most important first, each once.

    Args:
        snapshot: of which the plan was made.
        plan: as decided by what is simulated.
        simulated: what has been simulated so far.
        used_only: leave out variants that the plan has no replica of.
    """
    weights: dict[Case, float] = {}
    used: set[Case] = set()
    for case, usd_per_hour, is_used in _weighed(snapshot, plan, used_only):
        if case not in simulated:
            weights[case] = weights.get(case, 0.0) + usd_per_hour
            used |= {case} if is_used else set()
    found = estimates(list(weights))

    def rank(case: Case) -> tuple[bool, float]:
        # What runs comes first; of what does not, a better answer may bring it in.
        return case not in used, -weights[case] * (_DOUBTFUL_WEIGHT if found[case].doubtful else 1.0)

    return tuple(sorted(weights, key=rank))


def _weighed(snapshot: Snapshot, plan: Plan, used_only: bool) -> Iterator[tuple[Case, float, bool]]:
    """Every case with the money that hangs on it, and whether the plan uses it: its replicas' share, else all of it."""
    planned = {one.key: one for one in plan.deployments}
    for deployment in snapshot.deployments:
        told = planned.get(deployment.key)
        if told is None or told.forecast.tokens is None:
            continue
        tokens, bursts = told.forecast.tokens, told.forecast.burstiness
        targets = {variant.key: variant.target for variant in told.variants}
        running = sum(targets.values())
        usd_per_hour = max(told.usd_per_hour, 0.01)
        for variant in deployment.variants:
            if used_only and not targets.get(variant.key):
                continue
            if outside_range(variant.profile, tokens) is None:
                case = case_within_window(deployment, variant.profile, tokens, bursts, plan.corrections)
                target = targets.get(variant.key, 0)
                yield case, usd_per_hour * (target / running if target else 1.0), target > 0
