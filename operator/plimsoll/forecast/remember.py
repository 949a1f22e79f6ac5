"""What is remembered of demand from tick to tick?

In: a snapshot, perhaps with what was read of the time before it, and the last tick's memory. Out: a new memory: the
last hour look by look, days by tens of minutes, the mix and the burstiness in use. Missing data is not zero demand:
what is not known leaves a gap. What follows from it is left to ``forecast``. Design: section 4.
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from plimsoll.domain import (
    Burstiness,
    Demand,
    DemandState,
    Deployment,
    Forecast,
    Memory,
    MixInUse,
    ObjectKey,
    PastDemand,
    Policy,
    Snapshot,
    TokenMix,
)
from plimsoll.forecast.burstiness import as_told, burstiness_in_use
from plimsoll.forecast.history import LEADS_S, DemandHistory
from plimsoll.forecast.last_hour import AVERAGED, HISTORY_S, LENGTHS, LastHour, lengths
from plimsoll.forecast.recent_past import window_s
from plimsoll.forecast.token_mix import looks_of, mixes_in_use


def remember_demand(snapshot: Snapshot, memory: Memory) -> Memory:
    """The memory with this look at demand added, and what is too old taken out.

    While demand is unknown its last hour is kept for as long as that lasts: it is what is held.

    Args:
        snapshot: what is known at `snapshot.now_s`.
        memory: as handed on by the last tick.
    """
    rates = {deployment.key: known_rate_rps(deployment.demand) for deployment in snapshot.deployments}
    hour = _hour(snapshot, hour_of(memory), rates)
    present = [deployment for deployment in snapshot.deployments if deployment.key in hour]
    away = [key for key in hour if key not in rates]
    since_s = {
        key: memory.unknown_since_s.get(key, snapshot.now_s) for key, rate_rps in rates.items() if rate_rps is None
    }
    mixes = {key: memory.mixes[key] for key in away if key in memory.mixes}
    bursts = {key: memory.burstiness[key] for key in away if key in memory.burstiness}
    return replace(
        memory,
        demand=hour,
        mixes=mixes | _mixes(present, rates, hour, memory.mixes, snapshot.now_s),
        burstiness=bursts | _bursts(present, rates, hour, memory.burstiness),
        past=_past(snapshot, rates, away, hour, memory),
        unknown_since_s=since_s,
    )


def remember_forecasts(forecasts: Mapping[ObjectKey, Forecast], remembered: Memory, before: Memory) -> PastDemand:
    """The past with what is said now, by the rule of the recent past and by the way in use, to be held against what
    comes.

    Args:
        forecasts: as made at this tick.
        remembered: the memory they were made from.
        before: the memory that the last tick left.
    """
    if not isinstance(remembered.past, DemandHistory):
        return remembered.past
    said = {
        key: (*made.recent_quantile_rps, *(score.rate_rps for score in made.scores))
        for key, made in forecasts.items()
        if made.recent_quantile_rps and len(made.scores) == len(LEADS_S)
    }
    last = before.past if isinstance(before.past, DemandHistory) else DemandHistory()
    return remembered.past.with_said(last, said)


def hour_of(memory: Memory) -> LastHour:
    """The last hour in a memory; an empty one after a start."""
    return memory.demand if isinstance(memory.demand, LastHour) else LastHour()


def known_rate_rps(demand: Demand) -> float | None:
    """The arrival rate where it is really known; a rate that cannot be is as good as none."""
    rate_rps = demand.arrival_rate_rps
    if demand.state is not DemandState.KNOWN or rate_rps is None or not math.isfinite(rate_rps) or rate_rps < 0.0:
        return None
    return rate_rps


def _hour(snapshot: Snapshot, last: LastHour, rates: Mapping[ObjectKey, float | None]) -> LastHour:
    # An object that is away for a moment (being mended, the cache is filling) does not lose its past.
    newest_d = last.at_ds[:, -1]
    kept = [key for key, row in last.row.items() if key in rates or newest_d[row] >= snapshot.now_s - HISTORY_S]
    hour = last.only(kept)
    looks: dict[ObjectKey, tuple[float, TokenMix]] = {}
    for deployment in snapshot.deployments:
        rate_rps = rates[deployment.key]
        mix = deployment.demand.tokens or hour.last_mix(deployment.key)
        if rate_rps is not None and mix is not None:
            looks[deployment.key] = (rate_rps, mix)
    hour = hour.with_looks(snapshot.now_s, looks)
    for past in snapshot.past:
        if past.step_s < 60.0:
            hour = hour.with_past(past, snapshot.now_s)
    return hour


def _past(
    snapshot: Snapshot,
    rates: Mapping[ObjectKey, float | None],
    away: Iterable[ObjectKey],
    hour: LastHour,
    memory: Memory,
) -> DemandHistory:
    last = memory.past if isinstance(memory.past, DemandHistory) else DemandHistory()
    policies = {deployment.key: deployment.policy for deployment in snapshot.deployments}
    every: dict[ObjectKey, float | None] = {key: None for key in away if key in last.row}
    every |= rates
    quantiles = {key: policies.get(key, Policy()).forecast_quantile for key in every}
    past = last.with_look(snapshot.now_s, every, quantiles)
    if not snapshot.past:
        return past
    windows = {key: window_s(policy) for key, policy in policies.items()}
    return past.with_past(snapshot.past, hour, quantiles, windows)


def _mixes(
    present: Iterable[Deployment],
    rates: Mapping[ObjectKey, float | None],
    hour: LastHour,
    last: Mapping[ObjectKey, MixInUse],
    now_s: float,
) -> dict[ObjectKey, MixInUse]:
    found, looked = {}, []
    for deployment in present:
        if rates[deployment.key] is None and deployment.key in last:
            found[deployment.key] = last[deployment.key]
        else:
            looked.append(deployment)
    if not looked:
        return found
    rows = np.array([hour.row[deployment.key] for deployment in looked])
    rate_d = np.array([rates[deployment.key] or 0.0 for deployment in looked])
    window_d = np.array([deployment.demand.window_s for deployment in looked])
    before = [last.get(deployment.key) for deployment in looked]
    used_kd = np.array([[np.nan] * LENGTHS if one is None else lengths(one.tokens) for one in before]).T
    jumped_d = np.array([-np.inf if one is None or one.jumped_s is None else one.jumped_s for one in before])
    looks = looks_of(hour, rows, rate_d, window_d, jumped_d, now_s)
    averaged_kd, jump_d = mixes_in_use(used_kd[:AVERAGED], jumped_d, looks, now_s)
    mix_kd = np.concatenate((averaged_kd, looks.longest_kd))
    same_d = (mix_kd == used_kd).all(axis=0) & (jump_d == jumped_d)
    for one, deployment, same, mix, jump in zip(
        before, looked, same_d.tolist(), mix_kd.T.tolist(), jump_d.tolist(), strict=True
    ):
        new = MixInUse(TokenMix(*mix), jump if math.isfinite(jump) else None)
        found[deployment.key] = one if same and one is not None else new
    return found


def _bursts(
    present: Iterable[Deployment],
    rates: Mapping[ObjectKey, float | None],
    hour: LastHour,
    last: Mapping[ObjectKey, Burstiness],
) -> dict[ObjectKey, Burstiness]:
    found: dict[ObjectKey, Burstiness] = {}
    together: dict[tuple[float, bytes], list[ObjectKey]] = defaultdict(list)
    for deployment in present:
        key, window = deployment.key, deployment.demand.window_s
        found[key] = last.get(key) or as_told(deployment.told.rate_cv2, window)
        if rates[key] is not None:
            together[window, hour.at_ds[hour.row[key]].tobytes()].append(key)
    for (window, _), keys in together.items():
        rows: NDArray[np.int64] = np.array([hour.row[key] for key in keys])
        there = ~np.isnan(hour.at_ds[rows[0]])
        told = burstiness_in_use(
            hour.at_ds[rows[0], there], hour.rate_ds[rows][:, there], window, [found[key] for key in keys]
        )
        found |= dict(zip(keys, told, strict=True))
    return found
