"""What did the plan decide about one deployment, in words, verdicts and figures?

In: a finished plan. Out: verdicts (conditions before they get their timestamps), costs with what they beat, what would
change the decision, and sentences. Pure, and after the fact: nothing here influences a decision. Design sections 2, 6.

- ``verdicts``: the conditions.
- ``money``: cost per hour and per token, the gap to the proven lower bound.
- ``break_even``: the price at which what lost would win, and which limit keeps it out.
- ``sentences``: the same as text.
"""

from plimsoll.explain.break_even import BreakEven, break_evens
from plimsoll.explain.money import Cost, cost, proven_gap_ratio, usd_per_million_tokens
from plimsoll.explain.sentences import gap_text, latencies_text, overflow_text, ready_capacity_rps, summary
from plimsoll.explain.verdicts import ConditionType, Verdict, group_by_deployment, verdicts, verdicts_without_plan

__all__ = [
    "BreakEven",
    "ConditionType",
    "Cost",
    "Verdict",
    "break_evens",
    "cost",
    "gap_text",
    "group_by_deployment",
    "latencies_text",
    "overflow_text",
    "proven_gap_ratio",
    "ready_capacity_rps",
    "summary",
    "usd_per_million_tokens",
    "verdicts",
    "verdicts_without_plan",
]
