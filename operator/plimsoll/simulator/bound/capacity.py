"""What does one replica carry while each percentile of its SLO holds? What the bound's excess is attributed by.

In: true profiles, the run's lengths, the SLO. Out: the table of true safe rates at steady arrivals, by number of
replicas. It goes on rising beyond the eight replicas that are played, by what each doubling gives at most.
"""

import math
from collections.abc import Sequence

from plimsoll.domain import POISSON, CapacityTable, LatencyTarget, Profile
from plimsoll.simulator.answers import ANSWERS
from plimsoll.simulator.safe_rates import mix_of
from plimsoll.simulator.traffic import Traffic
from plimsoll.sizing.cases import case_of

_GAIN_BY_DOUBLING = 1.04
"""Beyond eight replicas; what sizing takes for its first guess, and more than was seen (see ``sizing.simulate``)."""


def true_table(profile: Profile, slo: Sequence[LatencyTarget], traffic: Traffic) -> CapacityTable:
    """By number of replicas, without headroom; nothing where nobody asks."""
    mix = mix_of(traffic)
    if mix is None:
        return CapacityTable((1,), (0.0,))
    answer = ANSWERS.of(case_of(profile, mix, slo, POISSON))
    return CapacityTable(answer.replicas, answer.rate_rps)


def most_of_one_rps(table: CapacityTable, rate_rps: float) -> float:
    """What a replica carries as one of so many as carry that rate alone."""
    count = max(table.replicas_for(rate_rps), 1)
    played = table.replicas[-1]
    if count <= played:
        return table.total_rps(count) / count
    return table.per_replica_rps * float(_GAIN_BY_DOUBLING ** math.log2(count / played))
