"""What is the safe rate of many cases at once, within milliseconds?

In: cases. Out: capacities by the engine's surrogate: one replica with Poisson arrivals, so that more replicas are taken
to add up, and bursts are not seen. What it cannot know well is marked as doubtful. Answers are remembered: the same
case has the same answer.

Array names end in their axes: c for cases, q for pairs of a case and a target of its SLO, s for shares of the load.
"""

from collections import OrderedDict
from collections.abc import Sequence

import numpy as np

from plimsoll.domain import SizedBy
from plimsoll.engine.arrays import Floats
from plimsoll.engine.case import Case
from plimsoll.engine.questions import METRICS, Physics
from plimsoll.engine.surrogate import MAX_LOAD_RATIO, normal_of, safe_rates
from plimsoll.sizing.capacity import SHARES, Capacity

_REMEMBERED_ANSWERS = 16_384
"""A few answers for each of some thousand options; about 20 MB."""

_SHOWN_RATIO = 1.5
"""Times the unloaded latency: a limit to draw a curve through where the SLO's own cannot be met."""
_FULL_SHARE = 0.5
"""Of what a replica completes: the load that counts as full where there is no safe rate."""
_STEEPEST_LOAD = 0.99


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
    # Where even a lone request misses there is no safe rate, but latencies rise with the load all the same.
    shown_ms_q = np.where(limit_ms_q < unloaded_ms_q, _SHOWN_RATIO * unloaded_ms_q, limit_ms_q)
    answer = safe_rates(physics, metric_q, quantile_q, shown_ms_q)
    capacity_q = physics.capacity_v
    rate_q = np.minimum(answer.rate_v, MAX_LOAD_RATIO * capacity_q)
    first_c = np.cumsum([0, *(len(case.slo) for case in cases[:-1])])
    reachable_c = np.logical_and.reduceat(limit_ms_q >= unloaded_ms_q, first_c)
    rate_c = np.where(reachable_c, np.minimum.reduceat(rate_q, first_c), 0.0)
    full_c = np.where(rate_c > 0.0, rate_c, _FULL_SHARE * capacity_q[first_c])
    doubtful_c = np.logical_or.reduceat(answer.needs_kernel_v, first_c)
    full_q = np.repeat(full_c, [len(case.slo) for case in cases])
    latency_ms_qs = _curves(unloaded_ms_q, shown_ms_q, rate_q / capacity_q, full_q / capacity_q).tolist()
    return {
        case: Capacity(
            replicas=(1,),
            rate_rps=(float(rate) * 1000.0,),
            latency_ms=tuple(map(tuple, latency_ms_qs[first : first + len(case.slo)])),
            full_rps=float(full) * 1000.0,
            sized_by=SizedBy.ESTIMATE,
            doubtful=bool(doubtful) or not case.burstiness.is_steady,
        )
        for case, first, rate, full, doubtful in zip(cases, first_c, rate_c, full_c, doubtful_c, strict=True)
    }


def _curves(unloaded_ms_q: Floats, limit_ms_q: Floats, limit_load_q: Floats, full_load_q: Floats) -> Floats:
    """Latency over load, q by share: from the unloaded one through the limit at its own load, as load/(1 - load)."""
    loads_qs = np.minimum(np.array(SHARES) * full_load_q[:, None], _STEEPEST_LOAD)
    steepness_q = limit_load_q / (1.0 - np.minimum(limit_load_q, _STEEPEST_LOAD))
    rise_ms_q = (limit_ms_q - unloaded_ms_q) / steepness_q
    curves_ms_qs: Floats = unloaded_ms_q[:, None] + rise_ms_q[:, None] * (loads_qs / (1.0 - loads_qs))
    return curves_ms_qs
