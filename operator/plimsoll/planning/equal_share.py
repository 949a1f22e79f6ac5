"""What becomes of a deployment whose replicas all get the same share of requests, whatever their speed?

In: a ``Need``. Out: the same need once for each rate that the slowest variant in use may have. Within such a mode what
replicas carry adds up again, every one at that rate, and slower variants are out; so the integer programme, the greedy
fallback and any other way of choosing replicas need not know what a plain Service does. Design section 6.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from plimsoll.domain import CapacityTable, Routing, VariantKey
from plimsoll.planning.problem import Choice, Need
from plimsoll.planning.room import SLACK_RATIO

_KNOWN_NEEDS = 512
"""Needs of which the modes are kept. One tick asks four times for those of each deployment, the next for other ones."""


@lru_cache(maxsize=_KNOWN_NEEDS)
def modes(need: Need) -> tuple[Need, ...]:
    """The need in each of its modes, the slowest first; the need itself where all of its replicas are alike.

    Any counts carry `Need.own_rps` in the mode of the slowest variant they use, and no more in any other mode that
    allows them.
    """
    carriers = [choice for choice in need.choices if choice.rate_rps > 0 and choice.upper > 0]
    rates_rps = sorted({choice.rate_rps for choice in carriers})
    if need.routing is not Routing.SERVICE or len(rates_rps) < 2:
        return (need,)
    forced_rps = min((choice.rate_rps for choice in carriers if choice.lower > 0), default=rates_rps[-1])
    return tuple(_mode(need, rate_rps) for rate_rps in rates_rps if rate_rps <= forced_rps)


def mode_of(need: Need, counts: Mapping[VariantKey, int]) -> Need:
    """The mode to fill up from these counts: theirs where they carry what is asked for, else the one that misses least,
    and of those the cheapest."""
    every = modes(need)
    if len(every) == 1:
        return every[0]
    if any(counts.get(choice.key, 0) for choice in need.choices) and need.missed_share(counts) <= SLACK_RATIO:
        used = [c.rate_rps for c in need.choices if c.rate_rps > 0 and counts.get(c.key, 0) > 0]
        slowest_rps = min(used, default=0.0)
        return next((mode for mode in every if mode_rate_rps(mode) >= slowest_rps), every[-1])
    return min(every, key=_missed_and_cost)


def mode_rate_rps(mode: Need) -> float:
    """What every replica counts for in a mode."""
    return min((c.rate_rps for c in mode.choices if c.rate_rps > 0 and c.upper > 0), default=0.0)


def _mode(need: Need, rate_rps: float) -> Need:
    choices = tuple(_at_rate(choice, rate_rps) for choice in need.choices)
    return replace(need, choices=choices, routing=Routing.LOAD_AWARE)


def _at_rate(choice: Choice, rate_rps: float) -> Choice:
    if choice.rate_rps <= 0:
        return choice
    if choice.rate_rps < rate_rps:
        return replace(choice, upper=choice.lower)
    return replace(choice, rate_rps=rate_rps, capacity=CapacityTable((1,), (rate_rps,)))


def _missed_and_cost(mode: Need) -> tuple[float, float]:
    """With the cheapest replicas of the mode, as far as their bounds go: the share missed and the price."""
    counts = {choice.key: choice.lower for choice in mode.choices}
    for choice in sorted(mode.choices, key=lambda c: (c.slot_usd_per_hour, c.list_usd_per_hour, c.key)):
        if choice.rate_rps > 0:
            missing_rps = mode.target_rps - mode.own_rps(counts)
            more = min(choice.capacity.replicas_for(missing_rps), choice.upper - counts[choice.key])
            counts[choice.key] += max(0, more)
    return mode.missed_share(counts), mode.usd_per_hour(counts)
