"""How much demand must each deployment be ready for: now, and when a replica asked for now would be ready.

In: a snapshot's demand and the history of the last hour. Out: the history with this look added, and a ``Forecast`` for
every deployment. Plain on purpose: a quantile of the recent past, never below the latest sample, plus the trend up to
each variant's lead time; and a token mix and a burstiness that do not tremble (``token_mix``, ``burstiness``). Missing
data is not zero demand: what was known is held, then the policy's fallback decides. What a replica carries is left to
``sizing``. Design: section 4.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from plimsoll.domain import (
    POISSON,
    Burstiness,
    Demand,
    DemandSample,
    DemandState,
    Deployment,
    FallbackAction,
    Forecast,
    ForecastBasis,
    ForecastScore,
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
from plimsoll.forecast.outlook import Outlook, ahead, nothing_ahead, outlooks
from plimsoll.forecast.token_mix import MIX_WINDOW_S, mix_in_use
from plimsoll.readiness import with_lead_times

HISTORY_S = 3600.0
"""How far back demand is remembered, for the fallback to the peak. Convention: an hour."""

SAMPLE_S = 10.0
"""At most one sample is remembered in each stretch of this length, the highest: the default tick. So an hour holds 361
samples however fast the loop runs."""

WINDOW_IN_STABILISATIONS = 2.0
"""The recent past, as a multiple of the policy's scale-down stabilisation: 10 minutes by default. A guess that lets one
setting say how slowly a deployment forgets."""

SHORTEST_WINDOW_S, LONGEST_WINDOW_S = 60.0, 1800.0
"""Bounds of the recent past: below, a quantile is of a handful of samples; above, a morning still counts at noon."""

TREND_SAMPLES = 6
"""Fewer show no trend: one minute at the default tick. A guess."""

CLEAR_RISE = 0.4
"""Kendall's tau, (rising pairs - falling pairs) / pairs, below which a rise is no trend, however many samples show it:
samples of a rate over a minute are not independent. A guess."""

CLEAR_RISE_DEVIATIONS = 2.5
"""And tau must be this many of its own standard deviations above 0, which asks more of few samples. Convention: 1 in
160 by chance."""

LONGEST_REACH = 2.0
"""Extrapolation ends at this multiple of the highest rate of the recent past: no line goes on for ever. A guess."""


# --- What is remembered ----------------------------------------------------------------------------------------------


def remember_demand(snapshot: Snapshot, memory: Memory) -> Memory:
    """The memory with this look at demand added, and what is too old taken out.

    While demand is unknown its last hour is kept for as long as that lasts: it is what is held.

    Args:
        snapshot: what is known at `snapshot.now_s`.
        memory: as handed on by the last tick.
    """
    demand: dict[ObjectKey, tuple[DemandSample, ...]] = {}
    mixes: dict[ObjectKey, MixInUse] = {}
    bursts: dict[ObjectKey, Burstiness] = {}
    unknown_since_s: dict[ObjectKey, float] = {}
    for deployment in snapshot.deployments:
        key, history = deployment.key, memory.demand.get(deployment.key, ())
        rate_rps = known_rate_rps(deployment.demand)
        if rate_rps is None:
            unknown_since_s[key] = memory.unknown_since_s.get(key, snapshot.now_s)
        else:
            history = _with_sample(history, snapshot.now_s, rate_rps, deployment.demand.tokens)
        if history:
            demand[key] = history
            mixes[key] = _mix(memory.mixes.get(key), history, rate_rps, deployment.demand.window_s, snapshot.now_s)
            last = memory.burstiness.get(key) or as_told(deployment.told_rate_cv2, deployment.demand.window_s)
            bursts[key] = last if rate_rps is None else burstiness_in_use(history, deployment.demand.window_s, last)
    for key, history in memory.demand.items():
        # An object that is away for a moment (being mended, the cache is filling) does not lose its past.
        if key not in demand and history and history[-1].at_s >= snapshot.now_s - HISTORY_S:
            demand[key] = history
            mixes |= {key: memory.mixes[key]} if key in memory.mixes else {}
            bursts |= {key: memory.burstiness[key]} if key in memory.burstiness else {}
    past = _past(snapshot, memory)
    return replace(memory, demand=demand, mixes=mixes, burstiness=bursts, past=past, unknown_since_s=unknown_since_s)


def _past(snapshot: Snapshot, memory: Memory) -> DemandHistory:
    last = memory.past if isinstance(memory.past, DemandHistory) else DemandHistory()
    rates: dict[ObjectKey, float | None] = {key: None for key in last.row if key in memory.demand}
    rates |= {deployment.key: known_rate_rps(deployment.demand) for deployment in snapshot.deployments}
    quantiles = dict.fromkeys(rates, Policy().forecast_quantile)
    quantiles |= {deployment.key: deployment.policy.forecast_quantile for deployment in snapshot.deployments}
    return last.with_look(snapshot.now_s, rates, quantiles)


def remember_forecasts(forecasts: Mapping[ObjectKey, Forecast], remembered: Memory, before: Memory) -> PastDemand:
    """The past with what the rule of the recent past says now, to be held against what comes.

    Args:
        forecasts: as made at this tick.
        remembered: the memory they were made from.
        before: the memory that the last tick left.
    """
    if not isinstance(remembered.past, DemandHistory):
        return remembered.past
    said = {key: made.recent_quantile_rps for key, made in forecasts.items() if made.recent_quantile_rps}
    last = before.past if isinstance(before.past, DemandHistory) else DemandHistory()
    return remembered.past.with_said(last, said)


def known_rate_rps(demand: Demand) -> float | None:
    """The arrival rate where it is really known; a rate that cannot be is as good as none."""
    rate_rps = demand.arrival_rate_rps
    if demand.state is not DemandState.KNOWN or rate_rps is None or not math.isfinite(rate_rps) or rate_rps < 0.0:
        return None
    return rate_rps


def _with_sample(
    history: tuple[DemandSample, ...], now_s: float, rate_rps: float, tokens: TokenMix | None
) -> tuple[DemandSample, ...]:
    mix = tokens or (history[-1].tokens if history else None)
    if mix is None:
        return history
    if history and history[-1].at_s // SAMPLE_S == now_s // SAMPLE_S:
        rate_rps = max(rate_rps, history[-1].arrival_rate_rps)
        history = history[:-1]
    return (*(each for each in history if now_s - HISTORY_S <= each.at_s < now_s), DemandSample(now_s, rate_rps, mix))


def _mix(
    last: MixInUse | None, history: tuple[DemandSample, ...], rate_rps: float | None, window_s: float, now_s: float
) -> MixInUse:
    if last is not None and rate_rps is None:
        return last
    recent = [sample for sample in history if sample.at_s >= now_s - MIX_WINDOW_S] or history[-1:]
    # The oldest sample, too, stands for the window before it.
    recent_s = now_s - recent[0].at_s + window_s
    mean_rps = math.fsum(sample.arrival_rate_rps for sample in recent) / len(recent)
    return mix_in_use(last, history[-1].tokens, recent, (rate_rps or 0.0) * window_s, mean_rps * recent_s, now_s)


# --- What is forecast ------------------------------------------------------------------------------------------------


def forecast(snapshot: Snapshot, memory: Memory) -> Mapping[ObjectKey, Forecast]:
    """Demand of every deployment at its policy's quantile.

    Args:
        snapshot: what is known at `snapshot.now_s`.
        memory: as returned by `remember_demand` for this snapshot.

    Returns:
        A forecast for each deployment of the snapshot. Where demand is known, `now_rps` is at least the latest rate
        and every lead time's rate at least `now_rps`.
    """
    snapshot = with_lead_times(snapshot)
    ways = outlooks(memory.past)
    forecasts = {}
    for deployment in snapshot.deployments:
        history = memory.demand.get(deployment.key, ())
        rate_rps = known_rate_rps(deployment.demand)
        mix = memory.mixes.get(deployment.key)
        in_use = mix.tokens if mix else None
        if rate_rps is None:
            since_s = memory.unknown_since_s.get(deployment.key, snapshot.now_s)
            made = _unknown(deployment, history, in_use, since_s, snapshot.now_s)
        else:
            lead_s = {variant.name: variant.lead_s for variant in deployment.variants}
            tokens = in_use or deployment.demand.tokens
            outlook = ways.get(deployment.key, nothing_ahead())
            made = _known(deployment, rate_rps, history, tokens, lead_s, snapshot.now_s, outlook)
        bursts = memory.burstiness.get(deployment.key, POISSON)
        forecasts[deployment.key] = replace(made, burstiness=bursts, message=made.message + _bursts(made.basis, bursts))
    return forecasts


def _known(
    deployment: Deployment,
    latest_rps: float,
    history: Sequence[DemandSample],
    tokens: TokenMix | None,
    lead_s: Mapping[str, float],
    now_s: float,
    outlook: Outlook,
) -> Forecast:
    window_s = _window_s(deployment.policy)
    recent = [sample for sample in history if sample.at_s >= now_s - window_s]
    quantile = deployment.policy.forecast_quantile
    level_rps = _quantile_rps(recent, quantile)
    now_rps = max(latest_rps, level_rps)
    slope_rps_per_s = _rising_slope_rps_per_s(recent)
    highest_rps = max([latest_rps, *(sample.arrival_rate_rps for sample in recent)])
    reach_rps = max(now_rps, LONGEST_REACH * highest_rps)

    def recent_rps(lead: float) -> float:
        return min(reach_rps, now_rps + slope_rps_per_s * lead)

    scores = outlook.scores(recent_rps)
    at_lead_rps = {name: recent_rps(lead) for name, lead in lead_s.items()}
    expected = _trend(slope_rps_per_s, at_lead_rps, lead_s)
    for name, lead in sorted(lead_s.items(), key=lambda each: each[1]):
        found = ahead(scores, lead)
        if found is not None:
            at_lead_rps[name] = min(reach_rps, max(now_rps, found[0]))
            expected = _by_other_way(found[1], name, at_lead_rps[name], lead)
    return Forecast(
        key=deployment.key,
        basis=ForecastBasis.KNOWN,
        now_rps=now_rps,
        at_lead_rps=at_lead_rps,
        tokens=tokens,
        message=(
            f"{latest_rps:.2f} req/s arrive; p{quantile * 100:g} of the last {_duration(window_s)} is "
            f"{level_rps:.2f} req/s{expected}"
        ),
        scores=scores,
        recent_quantile_rps=tuple(map(recent_rps, LEADS_S)),
    )


def _by_other_way(score: ForecastScore, name: str, rate_rps: float, lead_s: float) -> str:
    return (
        f"; {rate_rps:.2f} req/s expected by {score.way} when {name} is ready in {_duration(lead_s)} (its recent loss "
        f"{score.loss_rps:.3f} req/s, that of the recent past's quantile {score.recent_quantile_loss_rps:.3f})"
    )


def _bursts(basis: ForecastBasis, bursts: Burstiness) -> str:
    if basis is not ForecastBasis.KNOWN or bursts.rate_cv2 <= 0.0:
        return ""
    return f"; bursty: every {_duration(bursts.window_s)} the rate changes by about {math.sqrt(bursts.rate_cv2):.0%}"


def _trend(slope_rps_per_s: float, at_lead_rps: Mapping[str, float], lead_s: Mapping[str, float]) -> str:
    if slope_rps_per_s <= 0.0 or not at_lead_rps:
        return "; no rising trend"
    name = max(sorted(at_lead_rps), key=lambda variant: lead_s[variant])
    return (
        f"; rising by {slope_rps_per_s * 60.0:.2f} req/s a minute: {at_lead_rps[name]:.2f} req/s expected when {name}, "
        f"the slowest to start, is ready in {_duration(lead_s[name])}"
    )


def _window_s(policy: Policy) -> float:
    wanted_s = WINDOW_IN_STABILISATIONS * policy.scale_down_stabilization_s
    return min(max(wanted_s, SHORTEST_WINDOW_S), LONGEST_WINDOW_S)


def _quantile_rps(samples: Sequence[DemandSample], quantile: float) -> float:
    if not samples:
        return 0.0
    return float(np.quantile([sample.arrival_rate_rps for sample in samples], quantile))


def _rising_slope_rps_per_s(samples: Sequence[DemandSample]) -> float:
    """The median slope of all pairs of samples (Theil and Sen), where the rise is clear; 0 otherwise.

    A median, so that a burst or a gap of a quarter of the samples does not turn it.
    """
    if len(samples) < TREND_SAMPLES:
        return 0.0
    at_s = np.array([sample.at_s for sample in samples])
    rate_rps = np.array([sample.arrival_rate_rps for sample in samples])
    first, second = np.triu_indices(len(samples), k=1)
    rise_rps = rate_rps[second] - rate_rps[first]
    if np.sign(rise_rps).mean() < max(CLEAR_RISE, CLEAR_RISE_DEVIATIONS * _kendall_deviation(len(samples))):
        return 0.0
    return max(0.0, float(np.median(rise_rps / (at_s[second] - at_s[first]))))


def _kendall_deviation(samples: int) -> float:
    """Standard deviation of tau without a trend: sqrt(2 (2 n + 5) / (9 n (n - 1))). Source: Kendall 1938."""
    return math.sqrt(2.0 * (2.0 * samples + 5.0) / (9.0 * samples * (samples - 1.0)))


# --- Where demand is not known ---------------------------------------------------------------------------------------


def _unknown(
    deployment: Deployment,
    history: Sequence[DemandSample],
    tokens: TokenMix | None,
    since_s: float,
    now_s: float,
) -> Forecast:
    """What was known last, for as long as the policy holds it; then what the policy falls back to."""
    policy = deployment.policy
    last_s = history[-1].at_s if history else now_s
    recent = [sample for sample in history if sample.at_s >= last_s - _window_s(policy)]
    rate_rps = max(_quantile_rps(recent, policy.forecast_quantile), history[-1].arrival_rate_rps if history else 0.0)
    held = f"the last known {rate_rps:.2f} req/s" if history else "what runs (no demand was ever seen)"
    peak = policy.fallback is FallbackAction.PEAK
    until_s = since_s + policy.hold_when_unknown_s
    if now_s < until_s:
        basis = ForecastBasis.HELD
        action = f"holding {held} until {_clock(until_s)}, {'then the peak remembered' if peak else 'and beyond'}"
    elif peak:
        basis, rate_rps = ForecastBasis.FALLBACK, max((each.arrival_rate_rps for each in history), default=0.0)
        action = f"held until {_clock(until_s)}, now ready for the highest remembered rate, {rate_rps:.2f} req/s"
    else:
        basis = ForecastBasis.FALLBACK
        action = f"held until {_clock(until_s)}, still holding {held}"
    return Forecast(
        key=deployment.key,
        basis=basis,
        now_rps=rate_rps,
        at_lead_rps={variant.name: rate_rps for variant in deployment.variants},
        tokens=tokens,
        message=f"demand unknown since {_clock(since_s)}: {action} (policy {policy.name}, fallback {policy.fallback})",
    )


# --- Words -----------------------------------------------------------------------------------------------------------


def _clock(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _duration(seconds: float) -> str:
    minutes = seconds / 60.0
    return f"{minutes:g} min" if minutes >= 1.0 and minutes.is_integer() else f"{seconds:.0f} s"
