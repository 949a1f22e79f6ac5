"""A rate that is made up: a mean, a daily wave, bursts on top.

In: the source's figures. Out: `Traffic`.
"""

import math

import numpy as np

from plimsoll.engine.arrays import Floats
from plimsoll.simulator.demand.rate import arrivals_s, lengths, shape_for_cv
from plimsoll.simulator.scenario import Scenario
from plimsoll.simulator.sources import Burst, GeneratedSource
from plimsoll.simulator.traffic import Traffic

_WINDOW_S = 10.0
"""Within which the rate is steady."""
_DAY_S = 86400.0


def draw(scenario: Scenario, source: GeneratedSource, rng: np.random.Generator) -> Traffic:
    """Requests at the made-up rate."""
    windows = math.ceil(scenario.duration_s / _WINDOW_S)
    at_s_k: Floats = (np.arange(windows, dtype=np.float64) + 0.5) * _WINDOW_S
    angle_k = 2.0 * math.pi * (at_s_k - source.peak_at.seconds) / _DAY_S
    rate_rps_k: Floats = np.asarray(source.mean_rps * (1.0 + source.daily_amplitude * np.cos(angle_k)))
    for burst in source.bursts:
        rate_rps_k = rate_rps_k * _factor_k(burst, at_s_k)
    pattern = source.arrivals.pattern
    at_s_i = arrivals_s(rate_rps_k, _WINDOW_S, pattern, shape_for_cv(pattern, source.arrivals.cv), rng)
    at_s_i = at_s_i[at_s_i < scenario.duration_s]
    return Traffic(at_s_i, *lengths(scenario, source.lengths, at_s_i.size, rng))


def _factor_k(burst: Burst, at_s_k: Floats) -> Floats:
    """1 outside, the burst's factor within, straight in between."""
    begin_s, ramp_s = burst.begin.seconds, max(burst.ramp.seconds, 1e-9)
    end_s = begin_s + burst.lasts.seconds
    share_k = np.clip(np.minimum((at_s_k - begin_s) / ramp_s, (end_s - at_s_k) / ramp_s), 0.0, 1.0)
    factor_k: Floats = 1.0 + (burst.factor - 1.0) * share_k
    return factor_k
