"""Readiness: how long will it be until a replica that is asked for now serves?

In: a snapshot, and the start-ups that were seen. Out: the same snapshot in which every variant has its `LeadTime`, the
one that forecast, planning and rollout all go by. Never: a decision, clocks or I/O. Design section 6.

``free_room`` says what present nodes have room for, ``start_ups`` what was observed, ``lead_times`` puts them together.
``pay_back`` says what a start costs, and for how long a plan is expected to stand.
"""

from plimsoll.readiness.free_room import FreeRoom
from plimsoll.readiness.lead_times import with_lead_times
from plimsoll.readiness.pay_back import known_dwells, remember_dwells, start_usd, with_expected_dwells
from plimsoll.readiness.start_ups import remember_start_ups

__all__ = [
    "FreeRoom",
    "known_dwells",
    "remember_dwells",
    "remember_start_ups",
    "start_usd",
    "with_expected_dwells",
    "with_lead_times",
]
