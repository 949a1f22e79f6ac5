"""Until the replicas that are on their way are ready: how much demand has no capacity, and for how long?

In: a ``Situation`` and the counts that are being asked for. Out: a ``Gap``: stretches of time from now on, with what is
missing in each. What the plan itself cannot cover is no gap: nothing that comes would end it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import ceil

from plimsoll.domain import Variant, VariantKey
from plimsoll.rollout.situation import ROUNDING, Situation

LATE_RATIO = 0.25
"""A pod that is later than its variant's lead time is expected within this share of it from now on. Guess."""


STEP_S = 10.0
"""Stretches are at most so long where demand rises. The default tick: nothing is decided more often."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """So much is missing from `begins_s` to `ends_s`, in seconds from now."""

    begins_s: float
    ends_s: float
    missing_rps: float


@dataclass(frozen=True, slots=True)
class Gap:
    """Stretches by rising time without holes between them; empty where nothing is missing."""

    stretches: tuple[Stretch, ...] = ()

    @property
    def ends_s(self) -> float:
        """When the last replica that closes it is ready, in seconds from now."""
        return max((one.ends_s for one in self.stretches if one.missing_rps > 0.0), default=0.0)

    def after(self, from_s: float) -> "Gap":
        """What is left of it from then on."""
        return Gap(
            tuple(
                Stretch(max(from_s, s.begins_s), s.ends_s, s.missing_rps) for s in self.stretches if s.ends_s > from_s
            )
        )

    def without(self, rate_rps: float, from_s: float) -> "Gap":
        """What is left of it once so much more is carried from then on."""
        cut = [one for s in self.stretches for one in _cut(s, from_s)]
        return Gap(tuple(_less(one, rate_rps) if one.begins_s >= from_s else one for one in cut))

    @property
    def most_rps(self) -> float:
        return max((one.missing_rps for one in self.stretches), default=0.0)

    def requests(self, rate_rps: float) -> float:
        """How many requests would find capacity if so much more were carried throughout."""
        return sum(min(rate_rps, one.missing_rps) * (one.ends_s - one.begins_s) for one in self.stretches)


def gap_until_ready(situation: Situation, counts: Mapping[VariantKey, int]) -> Gap:
    """What is missing from now until everything that is asked for is ready.

    Args:
        situation: demand now and at each variant's lead time, and the pods there are.
        counts: what the targets are set to now.
    """
    if situation.ready_now_rps >= situation.forecast.required_rps:
        return Gap()  # What most deployments are in at most ticks.
    arrivals = {v.key: sorted(_arrivals(situation, v, counts[v.key])) for v in situation.deployment.variants}
    knots = {v.lead_s for v in situation.deployment.variants}
    last_s = max([*knots, *(at_s for times in arrivals.values() for at_s in times)], default=0.0)
    if situation.forecast.required_rps > situation.forecast.now_rps:
        knots |= {STEP_S * step for step in range(1, ceil(last_s / STEP_S))}
    moments = sorted({0.0, *knots, *(at_s for times in arrivals.values() for at_s in times)})
    never_rps = _missing_rps(situation, arrivals, moments[-1])
    found = [
        Stretch(begins_s, ends_s, max(0.0, _missing_rps(situation, arrivals, begins_s, ends_s) - never_rps))
        for begins_s, ends_s in pairwise(moments)
    ]
    return Gap(tuple(found)) if any(one.missing_rps > 0.0 for one in found) else Gap()


def _arrivals(situation: Situation, variant: Variant, count: int) -> Iterable[float]:
    """When each replica beyond the ready ones is ready, in seconds from now."""
    stuck = {pod.name for pod in situation.waiting_in_vain(variant)}
    stays = count - variant.leaving_replicas - variant.staying_ready_replicas
    coming = [pod for pod in variant.pods if not pod.ready and not pod.terminating and not pod.leaving]
    for pod in coming[: max(0, stays)]:
        if pod.name not in stuck:
            yield max(LATE_RATIO * variant.lead_s, variant.lead_s - (situation.now_s - pod.created_s))
    for _ in range(stays - len(coming)):
        yield variant.lead_s


def _missing_rps(
    situation: Situation, arrivals: Mapping[VariantKey, list[float]], begins_s: float, ends_s: float | None = None
) -> float:
    """Demand halfway through the stretch, less what is ready at its beginning; 0 where that is enough."""
    middle_s = begins_s if ends_s is None else (begins_s + ends_s) / 2.0
    demand_rps = _demand_rps(situation, middle_s) * (1.0 - ROUNDING)
    ready = {
        v.key: v.staying_ready_replicas + sum(at_s <= begins_s for at_s in arrivals[v.key])
        for v in situation.deployment.variants
    }
    return max(0.0, demand_rps - situation.carried_rps(ready))


def _demand_rps(situation: Situation, in_s: float) -> float:
    """What is to come between now and the variants' lead times, linear; level after the last.

    The forecast stays at the level of the recent past for a while after demand has gone. Replicas are kept for that,
    but requests that do not come are not violated: so much as fewer come now, fewer are counted throughout.
    """
    return max(0.0, _forecast_rps(situation, in_s) - _gone_rps(situation))


def _gone_rps(situation: Situation) -> float:
    """By how much fewer requests come than the forecast has at this moment; 0 where that is not known."""
    seen_rps = situation.deployment.demand.arrival_rate_rps
    return 0.0 if seen_rps is None else max(0.0, situation.forecast.now_rps - seen_rps)


def _forecast_rps(situation: Situation, in_s: float) -> float:
    forecast = situation.forecast
    points = [(0.0, forecast.now_rps)]
    points += sorted(
        (v.lead_s, forecast.at_lead_rps[v.name])
        for v in situation.deployment.variants
        if v.name in forecast.at_lead_rps
    )
    for (t0, r0), (t1, r1) in pairwise(points):
        if in_s <= t1:
            return r0 + (r1 - r0) * (in_s - t0) / (t1 - t0) if t1 > t0 else max(r0, r1)
    return points[-1][1]


def _cut(stretch: Stretch, at_s: float) -> Iterable[Stretch]:
    if stretch.begins_s < at_s < stretch.ends_s:
        yield Stretch(stretch.begins_s, at_s, stretch.missing_rps)
        yield Stretch(at_s, stretch.ends_s, stretch.missing_rps)
    else:
        yield stretch


def _less(stretch: Stretch, rate_rps: float) -> Stretch:
    return Stretch(stretch.begins_s, stretch.ends_s, max(0.0, stretch.missing_rps - rate_rps))
