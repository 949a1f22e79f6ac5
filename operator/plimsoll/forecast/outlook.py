"""Which way to forecast is in use for a deployment at each lead time, and what does it say between those?

In: the past of all deployments. Out: for each of them a score a lead time. The recent quantile and its trend stand
until another way has been clearly better than what they really said, so a deployment without much of a past is
forecast by them alone. Design: section 4.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from plimsoll.domain import ForecastScore, ForecastWay, ObjectKey, PastDemand
from plimsoll.forecast.candidates import CLEARLY_BETTER, Way
from plimsoll.forecast.chance import Chance
from plimsoll.forecast.history import LEADS_S, SLOTS_S, DemandHistory

WAYS = {
    Way.LAST_VALUE: ForecastWay.LAST_VALUE,
    Way.RECENT_LEVEL: ForecastWay.RECENT_LEVEL,
    Way.RECENT_TREND: ForecastWay.RECENT_TREND,
    Way.DAILY_SHAPE: ForecastWay.DAILY_SHAPE,
}

_UNKNOWN = (math.nan,) * len(LEADS_S)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the best of the other ways says of one deployment at each of `LEADS_S`, and both losses there."""

    rate_rps: tuple[float, ...]
    way: tuple[ForecastWay, ...]
    loss_rps: tuple[float, ...]
    recent_quantile_loss_rps: tuple[float, ...]
    last_value_loss_rps: tuple[float, ...] = _UNKNOWN
    covered_ratio: tuple[float, ...] = _UNKNOWN
    """Share of what came that lay below what the way in use at that time had said; NaN while too little was said."""
    known_since_s: float | None = None
    expected_rps: tuple[float, ...] = _UNKNOWN
    """What that way expects, without the margin that makes a quantile of it."""

    def scores(
        self, seen_rps: Sequence[float], planned_rps: Sequence[float], chance: Chance
    ) -> tuple[ForecastScore, ...]:
        """The way in use at each lead time.

        Args:
            seen_rps: what the recent quantile and its trend say at each of `LEADS_S`, chance included.
            planned_rps: the same less chance.
            chance: that of the deployment.
        """
        found = []
        for at, (lead_s, slot_s) in enumerate(zip(LEADS_S, SLOTS_S, strict=True)):
            rate_rps, loss, recent_loss = (
                self.rate_rps[at],
                self.loss_rps[at],
                _finite(self.recent_quantile_loss_rps[at]),
            )
            score = ForecastScore(
                lead_s=lead_s,
                way=ForecastWay.RECENT_QUANTILE,
                rate_rps=seen_rps[at],
                loss_rps=recent_loss,
                recent_quantile_loss_rps=recent_loss,
                last_value_loss_rps=_finite(self.last_value_loss_rps[at]),
                covered_ratio=_finite(self.covered_ratio[at]),
                planned_rps=planned_rps[at],
            )
            # Both must be known: the other way's loss is finite where its rate is, the rule's once it was tried.
            if math.isfinite(rate_rps) and recent_loss is not None and loss < CLEARLY_BETTER * recent_loss:
                less_rps = chance.taken_off(rate_rps, self.expected_rps[at], slot_s)
                score = replace(score, way=self.way[at], rate_rps=rate_rps, loss_rps=loss, planned_rps=less_rps)
            found.append(score)
        return tuple(found)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def nothing_ahead() -> Outlook:
    """Of a deployment without a past."""
    return Outlook(_UNKNOWN, (ForecastWay.LAST_VALUE,) * len(LEADS_S), _UNKNOWN, _UNKNOWN)


def outlooks(past: PastDemand) -> Mapping[ObjectKey, Outlook]:
    """Of every deployment that has a past."""
    if not isinstance(past, DemandHistory) or past.by_minutes is None or past.by_tens is None:
        return {}
    rates, expected = past.quantile_dl.tolist(), past.expected_dl.tolist()
    ways = np.concatenate((past.by_minutes.way_dl, past.by_tens.way_dl), axis=1).tolist()
    losses = np.concatenate((past.by_minutes.loss_dl, past.by_tens.loss_dl), axis=1).tolist()
    last = np.concatenate((past.by_minutes.last_value_loss_dl, past.by_tens.last_value_loss_dl), axis=1).tolist()
    said, covered, since = past.said_loss_dl.tolist(), past.covered_dl.tolist(), past.since_d.tolist()
    return {
        key: Outlook(
            tuple(rates[row]),
            tuple(WAYS[Way(way)] for way in ways[row]),
            tuple(losses[row]),
            tuple(said[row]),
            tuple(last[row]),
            tuple(covered[row]),
            _finite(since[row]),
            tuple(expected[row]),
        )
        for key, row in past.row.items()
    }


def ahead(scores: Sequence[ForecastScore], lead_s: float) -> tuple[float, ForecastScore] | None:
    """Demand that long ahead, between the scores on either side, and the score of the other way that counts most.

    Args:
        scores: by rising lead time.
        lead_s: of what is asked for.

    Returns:
        The rate to plan for in requests per second; None where the recent quantile is all there is.
    """
    for before, after in pairwise(scores):
        if before.lead_s <= lead_s <= after.lead_s:
            share = (lead_s - before.lead_s) / (after.lead_s - before.lead_s)
            nearest = (after, before) if share >= 0.5 else (before, after)
            other = next((each for each in nearest if each.way is not ForecastWay.RECENT_QUANTILE), None)
            rate_rps = before.planned_rps + share * (after.planned_rps - before.planned_rps)
            return None if other is None else (rate_rps, other)
    return None
