"""Why not something else? For each deployment what other ways to serve it would cost, and the reason that binds.

In: the problem and the plan taken. Out: a few ``Alternative`` values a deployment, the cheapest first: every variant
alone, the best mix of two (``mixes``), the external API where requests overflow, and behind a plain Service what a
router that knows the load would save. No further solve: ``exchange`` says what pools would cost with this one
deployment's replicas exchanged.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from plimsoll.domain import Alternative, ObjectKey, Option, Reason, StockOut, VariantKey
from plimsoll.planning.assessment import Assessment, unprotected_rps
from plimsoll.planning.exchange import Exchange
from plimsoll.planning.mixes import best_mix, load_aware_counts
from plimsoll.planning.problem import CHANGE_RATIO, Choice, Need, Problem
from plimsoll.planning.programme import budget_floor

MAX_ALTERNATIVES = 4
"""A status has to stay small and readable."""
CENT = 0.005
"""Differences below this are told as none."""
EXTERNAL_API = "external API"
LOAD_AWARE = "routing LoadAware"

Counts = Mapping[VariantKey, int]


def list_alternatives(
    problem: Problem,
    plan: Assessment,
    options: Mapping[VariantKey, Option],
    stock_outs: Mapping[str, StockOut],
    now_s: float,
) -> dict[ObjectKey, tuple[Alternative, ...]]:
    """By deployment what the plan did not take, at most `MAX_ALTERNATIVES`, the cheapest first."""
    waits_s = {name: max(0.0, mark.until_s - now_s) for name, mark in stock_outs.items()}
    judge = _Judge(problem, plan, options, waits_s, Exchange(problem, plan))
    found = {}
    for need in problem.needs:
        rejected = sorted(judge.rejected(need), key=lambda a: (a.usd_per_hour is None, a.usd_per_hour or 0.0, a.label))
        found[need.key] = tuple(rejected[:MAX_ALTERNATIVES])
    return found


@dataclass(frozen=True, slots=True)
class _Judge:
    """All that a verdict is made from."""

    problem: Problem
    plan: Assessment
    options: Mapping[VariantKey, Option]
    waits_s: Mapping[str, float]
    exchange: Exchange

    def rejected(self, need: Need) -> Iterable[Alternative]:
        """Everything else that one deployment could run."""
        runs = {choice.key for choice in need.choices if self.plan.replicas[choice.key] > 0}
        alone = [self._alone(need, choice) for choice in need.choices if runs != {choice.key}]
        yield from alone
        prices = [one.usd_per_hour for one in alone if one.usd_per_hour is not None]
        yield from self._mix(need, min(prices, default=None))
        yield from self._api(need)
        yield from self._load_aware(need)

    def _alone(self, need: Need, choice: Choice) -> Alternative:
        name, option = choice.key.variant, self.options[choice.key]
        if option.finding is not None or choice.rate_rps <= 0:
            reason = option.finding.reason if option.finding else Reason.SLO_UNREACHABLE
            detail = option.finding.message if option.finding else f"{name} has no safe rate"
            return Alternative(name, {name: 0}, None, reason, detail)
        # The smallest number that carries the target alone, by the table; at least the lower bound.
        count = max(choice.lower, choice.capacity.replicas_for(max(need.target_rps, need.required_rps)))
        limit = self._limit(choice, count)
        if limit is not None:
            return Alternative(name, {name: count}, None, *limit)
        return self._judged(need, name, {choice.key: count}) or Alternative(
            name, {name: count}, None, *self._no_room(choice, count)
        )

    def _limit(self, choice: Choice, count: int) -> tuple[Reason, str] | None:
        # Whoever stays as it is has its own count for an upper bound; that is no limit the user set.
        room = self.problem.rooms.get(choice.pool)
        if choice.stays is not None or count <= choice.upper or room is None:
            return None
        if choice.upper >= room.slots(choice.shape):
            return None
        return Reason.REPLICA_LIMIT, f"needs {count} replicas, replicas.max is {choice.upper}"

    def _no_room(self, choice: Choice, count: int) -> tuple[Reason, str]:
        room = self.problem.rooms.get(choice.pool)
        if room is not None and room.sold_out:
            wait_s = self.waits_s.get(choice.pool, 0.0)
            return Reason.STOCK_OUT, (
                f"needs {count} replicas; pool {choice.pool} is sold out, next try in {wait_s:.0f} s"
            )
        nodes = room.max_nodes if room else 0
        return Reason.POOL_FULL, f"{count} replicas do not fit into pool {choice.pool} (at most {nodes} nodes)"

    def _mix(self, need: Need, best_alone_usd_per_hour: float | None) -> Iterable[Alternative]:
        counts = best_mix(need, self.plan.replicas)
        if counts is None:
            return
        told = self._judged(need, _label(need, counts), counts)
        if told is not None and told.usd_per_hour is not None:
            beaten = best_alone_usd_per_hour is not None and told.usd_per_hour > best_alone_usd_per_hour - CENT
            # One more line is worth it only where it is the runner-up.
            if not beaten:
                yield told

    def _api(self, need: Need) -> Iterable[Alternative]:
        """All that may go to the external API there; nothing where it does already."""
        if need.api_usd_per_hour_per_rps is None or need.required_rps <= 0:
            return
        counts = {choice.key: choice.lower for choice in need.choices}
        startable = [choice for choice in need.choices if choice.rate_rps > 0 and choice.upper > 0]
        if need.keeps_one and not any(counts.values()) and startable:
            counts[min(startable, key=lambda c: (c.slot_usd_per_hour, c.list_usd_per_hour, c.key)).key] = 1
        if any(self.plan.replicas[key] != count for key, count in counts.items()):
            told = self._judged(need, EXTERNAL_API, counts)
            yield from [] if told is None else [told]

    def _load_aware(self, need: Need) -> Iterable[Alternative]:
        """What equal shares cost: the same deployment behind a router that knows the load, where that is cheaper."""
        counts = load_aware_counts(need, self.options)
        more = None if counts is None else self.exchange.more_nodes(need, counts)
        if counts is None or more is None:
            return
        difference = self.exchange.usd_per_hour(more)
        if difference > -CENT:
            return
        runs = ", ".join(f"{count} x {key.variant}" for key, count in sorted(counts.items()) if count)
        detail = (
            f"behind a plain Service every pod gets the same share whatever its speed; a router that balances by load "
            f"would do with {runs} and save {-difference:.2f} USD/h: put one in front and set routing.type LoadAware"
        )
        usd_per_hour = max(0.0, self.plan.attributed[need.key] + difference)
        replicas = {key.variant: count for key, count in counts.items()}
        yield Alternative(LOAD_AWARE, replicas, usd_per_hour, Reason.ROUTED_EQUALLY, detail)

    def _judged(self, need: Need, label: str, counts: Counts) -> Alternative | None:
        """The alternative with its price; None where it does not fit."""
        more = self.exchange.more_nodes(need, counts)
        if more is None:
            return None
        of_nodes = self.exchange.usd_per_hour(more)
        api_usd_per_hour = need.api_usd_per_hour(counts)
        difference = of_nodes + api_usd_per_hour - need.api_usd_per_hour(self.plan.placed)
        nodes_usd_per_hour = max(0.0, self.plan.attributed[need.key] + of_nodes)
        reason, detail = self._verdict(need, counts, nodes_usd_per_hour, difference)
        replicas = {key.variant: count for key, count in counts.items() if count or label == key.variant}
        return Alternative(label, replicas, nodes_usd_per_hour + api_usd_per_hour, reason, detail, more)

    def _verdict(self, need: Need, counts: Counts, nodes_usd_per_hour: float, difference: float) -> tuple[Reason, str]:
        if need.protected_rps > 0 and unprotected_rps(need, self.problem.rooms, counts) > 0:
            pools = {c.pool for c in need.choices if counts.get(c.key, 0) and self.problem.rooms[c.pool].spot}
            lost = " or ".join(sorted(pools))
            return Reason.SPOT_RISK, f"{need.protected_rps:.1f} req/s must survive the loss of spot pool {lost}"
        if need.budget_usd_per_hour is not None and nodes_usd_per_hour > budget_floor(need):
            budget = need.budget_usd_per_hour
            return Reason.OVER_BUDGET, f"{nodes_usd_per_hour:.2f} USD/h, the budget is {budget:.2f} USD/h"
        if difference > CENT:
            return Reason.DEARER, f"{difference:.2f} USD/h more"
        stays = next((c.stays for c in need.choices if c.stays and counts.get(c.key, 0) != c.lower), None)
        if stays is not None:
            return stays, f"saves {-difference:.2f} USD/h, but the replicas stay as they are ({stays.value})"
        if difference >= -CENT:
            return Reason.CHANGE_DOES_NOT_PAY, "costs the same"
        change = need.changes_usd_per_hour(counts) - need.changes_usd_per_hour(self.plan.replicas)
        if -difference <= change + CENT:
            return Reason.CHANGE_DOES_NOT_PAY, _does_not_pay_back(need, counts, -difference)
        return _saves(-difference)


def _does_not_pay_back(need: Need, counts: Counts, saved_usd_per_hour: float) -> str:
    hours = need.dwell_s / 3600.0
    more = [(choice, counts.get(choice.key, 0)) for choice in need.choices]
    started = sum(max(0, count - choice.current) for choice, count in more)
    move_usd = sum(max(0, count - choice.current) * choice.move_usd_per_hour for choice, count in more) * hours
    change_usd = sum(max(0, count - choice.planned) * choice.change_usd_per_hour for choice, count in more) * hours
    return (
        f"saves {saved_usd_per_hour:.2f} USD/h, {saved_usd_per_hour * hours:.3f} USD in the {need.dwell_s / 60.0:.0f} "
        f"min that the plan is expected to stand; starting {started} replicas costs {move_usd:.3f} USD of overlap, "
        f"start-up risk and idle nodes once they end, and {change_usd:.3f} USD ({CHANGE_RATIO:.0%} of the cost so far) "
        "must be gained besides"
    )


def _saves(saved_usd_per_hour: float) -> tuple[Reason, str]:
    return Reason.WITHIN_GAP, (
        f"might save {saved_usd_per_hour:.2f} USD/h: within the gap at which the search for the cheapest plan of all "
        "deployments together ended"
    )


def _label(need: Need, counts: Counts) -> str:
    return " + ".join(
        f"{counts[choice.key]} x {choice.key.variant}" for choice in need.choices if counts.get(choice.key, 0)
    )
