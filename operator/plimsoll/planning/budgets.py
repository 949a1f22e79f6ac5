"""What is left of budgets, spent on what is still missing: the price of every addition is the real one.

In: a ``Problem`` and its best ``Assessment`` so far. Out: the same, or one that covers more. The solver counts a
replica at its share of a node; once that was refuted by the empty rest of the node, the budget it solves with is
tightened for cheaper variants as well, so that it may leave out what could well be paid for.
"""

from plimsoll.planning.assessment import Assessment, assess
from plimsoll.planning.fallback import enough_replicas, in_order_of_price
from plimsoll.planning.problem import Choice, Need, Problem
from plimsoll.planning.room import SLACK_RATIO

_MOST_TRIES = 64
"""Each packs all pools. A guess: a deployment takes one or two, and a long shortage must not cost the tick."""


def spend_budgets(problem: Problem, plan: Assessment) -> Assessment:
    """The plan with replicas added to deployments that have a budget and are short, as far as that makes it better."""
    tries = _MOST_TRIES
    short = [need for need in problem.needs if need.budget_usd_per_hour is not None and _missing_rps(need, plan) > 0]
    for need in sorted(short, key=lambda need: (-need.priority, need.key)):
        for choice in in_order_of_price(need):
            more = _more(need, choice, plan)
            while more > 0 and tries > 0:
                tries -= 1
                tried = assess(problem, {**plan.replicas, choice.key: plan.replicas[choice.key] + more})
                plan = tried if tried.rank < plan.rank else plan
                more = min(more // 2, _more(need, choice, plan))
    return plan


def _missing_rps(need: Need, plan: Assessment) -> float:
    share = need.missed_share(plan.placed)
    return share * need.target_rps if share > SLACK_RATIO else 0.0


def _more(need: Need, choice: Choice, plan: Assessment) -> int:
    missing_rps, count = _missing_rps(need, plan), plan.replicas[choice.key]
    if missing_rps <= 0 or choice.rate_rps <= 0:
        return 0
    return max(0, min(enough_replicas(choice, count, missing_rps), choice.upper) - count)
