"""How much has to be carried in each minute, at least?

In: a deployment's traffic and a variant's true profile. Out: by minute a rate in requests of the run's mean size. The
engine time of a request beyond the steps' fixed part is pi I + (O - 1)(beta + kappa (I + O/2)): a minute of long
requests asks for more of them.

Array names end in their axes: i for requests, m for minutes.
"""

import numpy as np

from plimsoll.domain import Profile
from plimsoll.engine.arrays import Floats
from plimsoll.simulator.traffic import Traffic

AROUND_MINUTES = 5
"""What a fleet must carry for so long is no chance any more. Chance moves the demand of a minute by a tenth at two
requests a second, and a fleet that carries a rate for long carries such minutes too."""


def engine_ms_i(profile: Profile, traffic: Traffic) -> Floats:
    """What each request takes of an engine, the fixed part of steps left out."""
    law, prompts_i = profile.step_time, traffic.prompt_tokens_i.astype(np.float64)
    outputs_i = traffic.output_tokens_i.astype(np.float64)
    per_token_ms_i = law.beta_ms_per_sequence + law.kappa_ms_per_kv_token * (prompts_i + outputs_i / 2.0)
    found_i: Floats = law.pi_ms_per_prefill_token * prompts_i + (outputs_i - 1.0) * per_token_ms_i
    return np.maximum(found_i, 1e-6)


def least_rps_m(profile: Profile, traffic: Traffic, minutes: int) -> Floats:
    """By minute the lowest mean rate of any few minutes around it."""
    if traffic.count == 0:
        return np.zeros(minutes)
    ms_i = engine_ms_i(profile, traffic)
    minute_i = np.minimum((traffic.arrival_s_i // 60.0).astype(np.int64), minutes - 1)
    total_ms_m = np.bincount(minute_i, weights=ms_i, minlength=minutes)
    return lowest_around(total_ms_m / float(ms_i.mean()) / 60.0, AROUND_MINUTES)


def lowest_around(value_m: Floats, width: int) -> Floats:
    """Of all spans of `width` minutes within the run that hold a minute, the lowest mean."""
    width = min(width, value_m.size)
    means = np.convolve(value_m, np.ones(width) / width, mode="valid")
    lowest_m = np.empty(value_m.size)
    for m in range(value_m.size):
        lowest_m[m] = means[max(0, m - width + 1) : m + 1].min()
    return np.maximum(lowest_m, 0.0)
