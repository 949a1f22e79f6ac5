"""Which mix of two variants comes next? Good guesses at plans that differ, by the price of slots alone.

In: a ``Need`` and what the plan gives it. Out: counts of replicas, or None where there is nothing to try. As many of
one variant as the demand fills, and the rest by the other: what a whole number of the larger leaves over is what mixes
are good for. Cheap on purpose: a handful of pairs, no packing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from plimsoll.domain import Option, Routing, VariantKey
from plimsoll.planning.problem import Choice, Need

MOST_MIXED = 3
"""Variants that are paired, the cheapest rates first."""

Counts = dict[VariantKey, int]


def best_mix(need: Need, taken: Mapping[VariantKey, int]) -> Counts | None:
    """The cheapest mix of two variants that carries the target and is not what the plan takes.

    Nothing where replicas stay as they are, or share equally: a mix there is only as good as its slowest variant.
    """
    if need.routing is Routing.SERVICE or any(choice.stays for choice in need.choices):
        return None
    plan = {choice.key: taken[choice.key] for choice in need.choices}
    mixes = [counts for counts in _mixes(need) if {**dict.fromkeys(plan, 0), **counts} != plan]
    return min(mixes, key=lambda counts: _price(need, counts), default=None)


def load_aware_counts(need: Need, options: Mapping[VariantKey, Option]) -> Counts | None:
    """The cheapest replicas if a router knew their load; None where none does better by the price of slots.

    What sharing by speed saves: behind a plain Service only a lone replica is simulated, so that what replicas gain by
    standing side by side is left out, and the saving is told too low rather than too high.
    """
    if need.routing is not Routing.SERVICE or any(choice.stays for choice in need.choices):
        return None
    choices = tuple(
        replace(choice, capacity=options[choice.key].capacity, rate_rps=options[choice.key].capacity.per_replica_rps)
        for choice in need.choices
    )
    aware = replace(need, choices=choices, routing=Routing.LOAD_AWARE)
    return min((*_alone(aware), *_mixes(aware)), key=lambda counts: _price(aware, counts), default=None)


def _alone(need: Need) -> Iterable[Counts]:
    for choice in _usable(need):
        count = max(choice.lower, choice.capacity.replicas_for(need.target_rps))
        if count <= choice.upper:
            yield {other.key: other.lower for other in need.choices} | {choice.key: count}


def _mixes(need: Need) -> Iterable[Counts]:
    cheapest = sorted(_usable(need), key=lambda c: (c.slot_usd_per_hour / c.rate_rps, c.list_usd_per_hour, c.key))
    for first in cheapest[:MOST_MIXED]:
        filled = min(first.capacity.replicas_for(need.target_rps) - 1, first.upper)
        if filled <= first.lower:
            continue
        missing_rps = need.target_rps - first.total_rps(filled)
        for second in cheapest[:MOST_MIXED]:
            count = max(second.lower, second.capacity.replicas_for(missing_rps))
            # Where the second carries it all there is nothing left to mix.
            if second.key == first.key or second.total_rps(count) >= need.target_rps:
                continue
            if 0 < count <= second.upper:
                # The second comes in whole replicas, too: what it carries beyond the rest, the first need not.
                enough = max(first.lower, first.capacity.replicas_for(need.target_rps - second.total_rps(count)))
                yield {c.key: c.lower for c in need.choices if c.lower} | {first.key: enough, second.key: count}


def _usable(need: Need) -> list[Choice]:
    return [choice for choice in need.choices if choice.rate_rps > 0 and choice.upper > 0]


def _price(need: Need, counts: Counts) -> tuple[float, float, list[tuple[VariantKey, int]]]:
    listed = sum(choice.list_usd_per_hour * counts.get(choice.key, 0) for choice in need.choices)
    return need.slots_usd_per_hour(counts), listed, sorted(counts.items())
