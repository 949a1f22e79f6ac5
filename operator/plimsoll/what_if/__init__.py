"""What if? A situation in, the very decision on a changed copy of it out, and what would have to change.

In: a ``Situation`` (snapshot, memory, the operator's forecasts) and texts such as ``pool.gpu-h100.price=2.10``. Out:
plans before and after with the reason, and the prices and rates at which the planner decides otherwise. Pure: it runs
``decide`` itself, no copy of it, and nothing here is ever applied.

- ``fields``: what can be assumed of a pool, a deployment, a variant.
- ``assumptions``: texts become a changed situation, or a sentence about what can be set.
- ``outcome``: two plans side by side, with one reason.
- ``turning_points``: where the plan becomes another one, by planning again.
"""

from plimsoll.what_if.assumptions import Assumption, assume
from plimsoll.what_if.outcome import (
    Outcome,
    SloVerdict,
    counts,
    counts_text,
    outcomes,
    reason,
    slo_verdict,
    total_usd_per_hour,
)
from plimsoll.what_if.situation import Situation
from plimsoll.what_if.turning_points import Quantity, TurningPoint, turning_points

__all__ = [
    "Assumption",
    "Outcome",
    "Quantity",
    "Situation",
    "SloVerdict",
    "TurningPoint",
    "assume",
    "counts",
    "counts_text",
    "outcomes",
    "reason",
    "slo_verdict",
    "total_usd_per_hour",
    "turning_points",
]
