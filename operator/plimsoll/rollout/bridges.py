"""Which quick replicas carry demand until the slow ones are ready, and is that worth its price?

In: a ``Situation``, the counts that are being asked for, the room that the plan leaves. Out: a ``Bridge``: extra
replicas by variant with what they cost and avoid, and the variants that would cost more than they avoid. Computed
afresh each tick: replicas on their way count as what they will carry, so nothing is asked for twice, and what was a
bridge leaves by the ordinary rule as soon as the others carry demand. Design section 6.

Request i is violated when it arrives while capacity is missing; a bridge of rate B that is ready after l seconds avoids
sum over stretches after l of min(missing, B) dt of them. It is taken where that times the policy's price of a violation
exceeds what its nodes cost until the gap ends.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from plimsoll.domain import ForecastBasis, Mode, Routing, Variant, VariantKey
from plimsoll.readiness import FreeRoom
from plimsoll.rollout.situation import Situation, movable
from plimsoll.rollout.timeline import Gap, gap_until_ready

SHORTEST_S = 10.0
"""A bridge that would carry for less is not built: it would hardly be ready when it has to leave. One default tick."""
LEAVES_IN_S = 60.0
"""From the moment when a bridge is not needed any more until its nodes are free: a tick or two and the pods' grace."""


@dataclass(frozen=True, slots=True)
class Span:
    """Replicas of one variant that would bridge, and what that means."""

    replicas: int
    rate_rps: float
    ready_in_s: float
    missing_rps: float
    """At most, from the moment when it is ready."""
    lasts_s: float
    usd_per_hour: float
    usd: float
    """Until its nodes are free again."""
    requests: float
    """That find capacity because of it."""
    worth_usd: float

    @property
    def pays(self) -> bool:
        return self.worth_usd > self.usd


@dataclass(frozen=True, slots=True)
class Bridge:
    """What is built, and what is refused because it would cost more than it avoids."""

    built: Mapping[VariantKey, Span] = field(default_factory=dict)
    refused: Mapping[VariantKey, Span] = field(default_factory=dict)


NO_BRIDGE = Bridge()


def plan_bridge(
    situation: Situation, counts: Mapping[VariantKey, int], room: Callable[[], FreeRoom], most: int
) -> Bridge:
    """The quick replicas that pay, the cheapest per request first.

    Args:
        situation: of one deployment.
        counts: what is asked for in any case.
        room: what the plan leaves free, asked only where something is missing; what is built takes its seats from it.
        most: how many replicas may be added at all.
    """
    if situation.deployment.mode is not Mode.AUTO or situation.forecast.basis is not ForecastBasis.KNOWN:
        return NO_BRIDGE
    gap = gap_until_ready(situation, counts)
    built: dict[VariantKey, Span] = {}
    refused: dict[VariantKey, Span] = {}
    budget_usd_per_hour = _left_of_budget(situation)
    for variant in sorted(_quick(situation, gap), key=lambda v: _usd_per_request(situation, v)):
        limit = min(most - sum(one.replicas for one in built.values()), variant.max_replicas - counts[variant.key])
        best = _best(situation, variant, gap, room(), counts[variant.key], limit, budget_usd_per_hour)
        if best is None:
            continue
        if not best.pays:
            refused[variant.key] = best
            continue
        built[variant.key] = best
        room().take(variant.pool, variant.per_replica, best.replicas, fresh=variant.boots)
        budget_usd_per_hour -= best.usd_per_hour
        gap = gap.without(best.rate_rps, best.ready_in_s)
    return Bridge(built, refused)


def _quick(situation: Situation, gap: Gap) -> Iterable[Variant]:
    """Variants that would be ready well before the gap ends, and whose time it is to be started."""
    for variant in movable(situation):
        due = any(
            s.missing_rps > 0.0 and s.begins_s <= variant.lead_s + SHORTEST_S
            for s in gap.after(variant.lead_s).stretches
        )
        if situation.options[variant.key].usable and due and gap.ends_s - variant.lead_s >= SHORTEST_S:
            yield variant


def _usd_per_request(situation: Situation, variant: Variant) -> tuple[float, float, VariantKey]:
    rate_rps = situation.options[variant.key].capacity.per_replica_rps
    return situation.slot_usd_per_hour(variant) / rate_rps, variant.lead_s, variant.key


def _best(
    situation: Situation,
    variant: Variant,
    gap: Gap,
    room: FreeRoom,
    present: int,
    limit: int,
    budget_usd_per_hour: float,
) -> Span | None:
    """The number of replicas with the highest worth above its cost; where none pays, what all that are needed mean."""
    best: Span | None = None
    trial, opened = room.copy(variant.pool), 0
    for replicas in range(1, limit + 1):
        # Without a boot in its lead time only seats on present nodes are as quick as that.
        seated, fresh = trial.take(variant.pool, variant.per_replica, 1, fresh=variant.boots)
        opened += fresh
        if not seated or (opened and situation.is_sold_out(variant)):
            break
        span = _span(situation, variant, gap, present, replicas, opened)
        if span.usd_per_hour > budget_usd_per_hour:
            break
        if best is None or not best.pays or span.worth_usd - span.usd > best.worth_usd - best.usd:
            best = span
        if span.rate_rps >= span.missing_rps:
            break
    return best


def _span(situation: Situation, variant: Variant, gap: Gap, present: int, replicas: int, opened: int) -> Span:
    ahead = gap.after(variant.lead_s)
    rate_rps = _rate_rps(situation, variant, present, replicas, ahead.most_rps)
    requests = ahead.requests(rate_rps)
    # Whole nodes where they are booted for it; elsewhere its seats, since the node cannot be given back meanwhile.
    node_usd_per_hour = situation.pools[variant.pool].marginal_price_usd_per_hour
    slots_usd_per_hour = replicas * situation.slot_usd_per_hour(variant)
    usd_per_hour = opened * node_usd_per_hour if opened else slots_usd_per_hour
    return Span(
        replicas=replicas,
        rate_rps=rate_rps,
        ready_in_s=variant.lead_s,
        missing_rps=ahead.most_rps,
        lasts_s=gap.ends_s - variant.lead_s,
        usd_per_hour=usd_per_hour,
        usd=usd_per_hour * (gap.ends_s + LEAVES_IN_S) / 3600.0,
        requests=requests,
        worth_usd=requests * situation.deployment.policy.violation_usd_per_million_requests / 1e6,
    )


def _rate_rps(situation: Situation, variant: Variant, present: int, replicas: int, missing_rps: float) -> float:
    """How many more requests are within the SLO because of so many replicas, in requests per second.

    Behind a plain Service a slow replica that cannot keep its share takes load off all others all the same. It helps
    where these were overloaded, and does harm where they were not.
    """
    others = {v.key: v.staying_ready_replicas for v in situation.deployment.variants}
    without, with_bridge = {**others, variant.key: present}, {**others, variant.key: present + replicas}
    carried_rps = situation.carried_rps(without)
    more_rps = situation.carried_rps(with_bridge) - carried_rps
    if situation.deployment.routing is not Routing.SERVICE or more_rps >= missing_rps:
        return max(0.0, more_rps)
    demand_rps = carried_rps + missing_rps
    return max(0.0, situation.kept_rps(with_bridge, demand_rps) - situation.kept_rps(without, demand_rps))


def _left_of_budget(situation: Situation) -> float:
    budget = situation.deployment.budget_usd_per_hour
    return float("inf") if budget is None else max(0.0, budget - situation.planned_usd_per_hour)
