"""What is the safe rate of many cases at once, within milliseconds?

In: cases. Out: capacities by the engine's surrogate: one replica with Poisson arrivals, so that more replicas are taken
to add up, and bursts are not seen. What it cannot know well is marked as doubtful. Answers are remembered: the same case
has the same answer.

Array names end in their axes: q for pairs of a case and a target of its SLO.
"""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from plimsoll.domain import SizedBy
from plimsoll.engine.case import Case
from plimsoll.engine.questions import METRICS, Physics
from plimsoll.engine.surrogate import MAX_LOAD_RATIO, normal_of, safe_rates
from plimsoll.sizing.capacity import SHARES, Capacity

_REMEMBERED_ANSWERS = 16_384
"""A few answers for each of some thousand options; about 20 MB."""


class Answers:
    """Remembered answers, the least lately asked for go first. It changes times, never results."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._found: OrderedDict[Case, Capacity] = OrderedDict()

    def __len__(self) -> int:
        return len(self._found)

    def get(self, case: Case) -> Capacity | None:
        found = self._found.get(case)
        if found is not None:
            self._found.move_to_end(case)
        return found

    def remember(self, case: Case, found: Capacity) -> None:
        self._found[case] = found
        while len(self._found) > self._bound:
            self._found.popitem(last=False)


_ANSWERS = Answers(_REMEMBERED_ANSWERS)


def estimates(cases: Sequence[Case], answers: Answers = _ANSWERS) -> dict[Case, Capacity]:
    """The capacity of every case; those that `answers` does not know are worked out together and remembered."""
    known = {case: answers.get(case) for case in cases}
    fresh = estimate([case for case, found in known.items() if found is None])
    for case, found in fresh.items():
        answers.remember(case, found)
    return {case: found for case, found in known.items() if found is not None} | fresh


def estimate(cases: Sequence[Case]) -> dict[Case, Capacity]:
    """The capacity of every case by the surrogate, all of them worked out together."""
    asked = [(case, target) for case in cases for target in case.slo]
    if not asked:
        return {}
    physics = Physics.of([(case.replica, case.prompts, case.outputs) for case, _ in asked])
    metric_q = np.array([METRICS.index(target.metric) for _, target in asked], dtype=np.int64)
    quantile_q = np.array([target.quantile for _, target in asked])
    limit_ms_q = np.array([target.limit_ms for _, target in asked])
    unloaded_ms_q = physics.unloaded_ms(metric_q, normal_of(quantile_q))
    answer = safe_rates(physics, metric_q, quantile_q, limit_ms_q)
    limits_per_ms_q = MAX_LOAD_RATIO * physics.capacity_v
    capacities: dict[Case, Capacity] = {}
    first = 0
    for case in cases:
        of_case = slice(first, first + len(case.slo))
        first += len(case.slo)
        rate_per_ms = float(min(answer.rate_v[of_case].min(), limits_per_ms_q[first - 1]))
        curves = (
            _curve(unloaded, limit, at, rate_per_ms, limits_per_ms_q[first - 1] / MAX_LOAD_RATIO)
            for unloaded, limit, at in zip(
                unloaded_ms_q[of_case], limit_ms_q[of_case], answer.rate_v[of_case], strict=True
            )
        )
        capacities[case] = Capacity(
            replicas=(1,),
            rate_rps=(rate_per_ms * 1000.0,),
            unloaded_ms=tuple(map(float, unloaded_ms_q[of_case])),
            latency_ms=tuple(curves) if rate_per_ms > 0.0 else (),
            sized_by=SizedBy.ESTIMATE,
            doubtful=bool(answer.needs_kernel_v[of_case].any()) or case.burstiness.rate_cv2 > 0.0,
        )
    return capacities


def _curve(
    unloaded_ms: float, limit_ms: float, at_per_ms: float, safe_per_ms: float, capacity_per_ms: float
) -> tuple[float, ...]:
    """Latency over load: from the unloaded one through the limit at its own safe rate, as 1/(1 - load) rises."""
    shares = np.array(SHARES) * safe_per_ms / capacity_per_ms
    rises = np.minimum(shares, MAX_LOAD_RATIO) / (1.0 - np.minimum(shares, MAX_LOAD_RATIO))
    at_share = min(max(at_per_ms / capacity_per_ms, 1e-9), MAX_LOAD_RATIO)
    values = unloaded_ms + (limit_ms - unloaded_ms) * rises / (at_share / (1.0 - at_share))
    return tuple(map(float, values))
