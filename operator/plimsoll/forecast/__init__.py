"""How much demand must each deployment be ready for: now, and when a replica asked for now would be ready.

In: a snapshot's demand and what is remembered of it (``remember``). Out: the memory with this look added, and a
``Forecast`` for every deployment. The rule of the recent past, a quantile never below what is sure of the latest sample
plus a clear trend (``recent_past``), stands until another way (``candidates``) has been shown to be better; beside the
rate a token mix and a burstiness that do not tremble (``token_mix``, ``burstiness``). Missing data is not zero demand:
what was known is held, then the policy's fallback decides. What a replica carries is left to ``sizing``. Design:
section 4.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from statistics import NormalDist

import numpy as np

from plimsoll.domain import (
    POISSON,
    Burstiness,
    Deployment,
    FallbackAction,
    Forecast,
    ForecastBasis,
    ForecastScore,
    Memory,
    ObjectKey,
    Snapshot,
    TokenMix,
)
from plimsoll.forecast.chance import Chance, shorter_cv2
from plimsoll.forecast.history import LEADS_S
from plimsoll.forecast.last_hour import HISTORY_S, LastHour
from plimsoll.forecast.outlook import Outlook, ahead, nothing_ahead, outlooks
from plimsoll.forecast.recent_past import recent_past, surely_rps, window_s
from plimsoll.forecast.remember import hour_of, known_rate_rps, remember_demand, remember_forecasts
from plimsoll.readiness import with_lead_times

__all__ = ["HISTORY_S", "forecast", "remember_demand", "remember_forecasts"]


def forecast(snapshot: Snapshot, memory: Memory) -> Mapping[ObjectKey, Forecast]:
    """Demand of every deployment at its policy's quantile.

    Args:
        snapshot: what is known at `snapshot.now_s`.
        memory: as returned by `remember_demand` for this snapshot.

    Returns:
        A forecast for each deployment of the snapshot. Where demand is known, `now_rps` is at least what of the
        latest rate is more than the chance of counting, and every lead time's rate at least `now_rps`.
    """
    snapshot = with_lead_times(snapshot)
    hour, ways = hour_of(memory), outlooks(memory.past)
    recents = _recents(snapshot, hour, memory.burstiness)
    forecasts = {}
    for deployment in snapshot.deployments:
        mix = memory.mixes.get(deployment.key)
        recent = recents[deployment.key]
        if recent.latest_rps is None:
            since_s = memory.unknown_since_s.get(deployment.key, snapshot.now_s)
            made = _unknown(deployment, hour, recent, mix.tokens if mix else None, since_s, snapshot.now_s)
        else:
            outlook = ways.get(deployment.key, nothing_ahead())
            made = _known(deployment, recent, mix.tokens if mix else deployment.demand.tokens, outlook)
        bursts = memory.burstiness.get(deployment.key, POISSON)
        forecasts[deployment.key] = replace(made, burstiness=bursts, message=made.message + _bursts(made.basis, bursts))
    return forecasts


@dataclass(frozen=True, slots=True)
class _Recent:
    """What the rule of the recent past says of one deployment."""

    latest_rps: float | None
    """None: demand is unknown, and the past is that before the last sample."""
    surely_rps: float
    """What of it is more than the chance of counting."""
    level_rps: float
    reach_rps: float
    slope_rps_per_s: float
    lead_s: Mapping[str, float]
    """By variant."""
    at_lead_rps: Mapping[str, float]
    at_leads_rps: tuple[float, ...]
    """At each of `LEADS_S`."""
    seen_at_leads_rps: tuple[float, ...]
    """The same, chance included."""
    chance: Chance


def _recents(
    snapshot: Snapshot, hour: LastHour, burstiness: Mapping[ObjectKey, Burstiness]
) -> dict[ObjectKey, _Recent]:
    rows = [hour.row.get(deployment.key, -1) for deployment in snapshot.deployments]
    latest = [known_rate_rps(deployment.demand) for deployment in snapshot.deployments]
    at_ds, rate_ds = np.full((2, len(rows), hour.at_ds.shape[1]), np.nan)
    seen = np.array([row >= 0 for row in rows], bool)
    at_ds[seen], rate_ds[seen] = (each[[row for row in rows if row >= 0]] for each in (hour.at_ds, hour.rate_ds))
    until_d = np.where([each is None for each in latest], at_ds[:, -1], snapshot.now_s)
    window_d = np.array([window_s(deployment.policy) for deployment in snapshot.deployments])
    quantile_d = np.array([deployment.policy.forecast_quantile for deployment in snapshot.deployments])
    averaged_s_d = np.array([deployment.demand.window_s for deployment in snapshot.deployments])
    bursts = [burstiness.get(deployment.key, POISSON) for deployment in snapshot.deployments]
    shorter_cv2_d = np.array([shorter_cv2(each) for each in bursts])
    past = recent_past(at_ds, rate_ds, until_d - window_d, quantile_d, averaged_s_d, shorter_cv2_d)
    latest_d = np.array([0.0 if each is None else each for each in latest])
    # Before any mix is known nothing is remembered; a lone look is all there is, and the first request must be served.
    latest_d = np.where(seen, surely_rps(latest_d, averaged_s_d), latest_d)
    leads = [{one.name: one.lead_s for one in deployment.variants} for deployment in snapshot.deployments]
    most = max((len(each) for each in leads), default=0)
    lead_dl = np.array([[*LEADS_S, *each.values(), *[0.0] * (most - len(each))] for each in leads])
    lead_dl = lead_dl.reshape(len(leads), len(LEADS_S) + most)
    deviations = {quantile: NormalDist().inv_cdf(quantile) for quantile in set(quantile_d.tolist())}
    found = {}
    columns = (
        latest_d.tolist(),
        past.level_d.tolist(),
        past.reach(latest_d).tolist(),
        past.slope_d.tolist(),
        leads,
        past.expected(latest_d, lead_dl).tolist(),
        past.as_seen().expected(latest_d, lead_dl[:, : len(LEADS_S)]).tolist(),
        map(Chance, averaged_s_d.tolist(), shorter_cv2_d.tolist(), [deviations[each] for each in quantile_d.tolist()]),
    )
    for deployment, rate_rps, surely, level, reach, slope, lead_s, rates, seen_rates, chance in zip(
        snapshot.deployments, latest, *columns, strict=True
    ):
        found[deployment.key] = _Recent(
            latest_rps=rate_rps,
            surely_rps=surely,
            level_rps=level,
            reach_rps=reach,
            slope_rps_per_s=slope,
            lead_s=lead_s,
            at_lead_rps=dict(zip(lead_s, rates[len(LEADS_S) :], strict=False)),
            at_leads_rps=tuple(rates[: len(LEADS_S)]),
            seen_at_leads_rps=tuple(seen_rates),
            chance=chance,
        )
    return found


def _known(deployment: Deployment, recent: _Recent, tokens: TokenMix | None, outlook: Outlook) -> Forecast:
    assert recent.latest_rps is not None, "unknown demand is held, not forecast"
    now_rps = max(recent.surely_rps, recent.level_rps)
    scores = outlook.scores(recent.seen_at_leads_rps, recent.at_leads_rps, recent.chance)
    at_lead_rps = dict(recent.at_lead_rps)
    expected = _trend(recent)
    for name, lead in sorted(recent.lead_s.items(), key=lambda each: each[1]):
        found = ahead(scores, lead)
        if found is not None:
            at_lead_rps[name] = min(recent.reach_rps, max(now_rps, found[0]))
            expected = _by_other_way(found[1], name, at_lead_rps[name], lead)
    return Forecast(
        key=deployment.key,
        basis=ForecastBasis.KNOWN,
        now_rps=now_rps,
        at_lead_rps=at_lead_rps,
        tokens=tokens,
        message=(
            f"{recent.latest_rps:.2f} req/s arrive; p{deployment.policy.forecast_quantile * 100:g} of the last "
            f"{_duration(window_s(deployment.policy))} less chance is {recent.level_rps:.2f} req/s{expected}"
        ),
        scores=scores,
        recent_quantile_rps=recent.seen_at_leads_rps,
        known_since_s=outlook.known_since_s,
        surely_rps=recent.surely_rps,
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


def _trend(recent: _Recent) -> str:
    if recent.slope_rps_per_s <= 0.0 or not recent.at_lead_rps:
        return "; no rising trend"
    name = max(sorted(recent.at_lead_rps), key=lambda variant: recent.lead_s[variant])
    return (
        f"; rising by {recent.slope_rps_per_s * 60.0:.2f} req/s a minute: {recent.at_lead_rps[name]:.2f} req/s "
        f"expected when {name}, the slowest to start, is ready in {_duration(recent.lead_s[name])}"
    )


# --- Where demand is not known ---------------------------------------------------------------------------------------


def _unknown(
    deployment: Deployment, hour: LastHour, recent: _Recent, tokens: TokenMix | None, since_s: float, now_s: float
) -> Forecast:
    """What was known last, for as long as the policy holds it; then what the policy falls back to."""
    policy = deployment.policy
    row = hour.row.get(deployment.key)
    last_rps = 0.0 if row is None else float(hour.rate_ds[row, -1])
    peak_rps = 0.0 if row is None else float(np.nanmax(hour.rate_ds[row]))
    rate_rps = max(recent.level_rps, last_rps)
    held = "what runs (no demand was ever seen)" if row is None else f"the last known {rate_rps:.2f} req/s"
    peak = policy.fallback is FallbackAction.PEAK
    until_s = since_s + policy.hold_when_unknown_s
    if now_s < until_s:
        basis = ForecastBasis.HELD
        action = f"holding {held} until {_clock(until_s)}, {'then the peak remembered' if peak else 'and beyond'}"
    elif peak:
        basis, rate_rps = ForecastBasis.FALLBACK, peak_rps
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
