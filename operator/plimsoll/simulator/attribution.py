"""Which station does the excess over the bound come from?

In: an episode, played once more under Plimsoll with a note of every plan. Out: US dollars by station. The bill of a
minute is taken apart in steps, each the cheapest minute (`bound.programme`) with one thing more as Plimsoll had it:

    bound       least demand around the minute, true safe rates without bursts, misses left out
    + chance    the minute's own demand, nobody left out, at true safe rates without bursts
    + sizing    safe rates as the plan had them: profiles, corrections, bursts, headroom
    + forecast  demand as it was forecast
    + planning  the nodes that the plan wanted
    + rollout   the nodes on the bill: start-ups, stabilisation, nodes that wait to be removed

A step may be negative: too little was forecast, or a move had not been made yet. Array names end in their axes: m
minutes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from plimsoll.domain import CapacityTable, ObjectKey, Plan, PriceKind, VariantKey
from plimsoll.engine.arrays import Floats
from plimsoll.simulator.bound import Bound
from plimsoll.simulator.bound.capacity import most_of_one_rps, true_table
from plimsoll.simulator.bound.programme import Asked, Way, solve
from plimsoll.simulator.episode import START_S, Episode
from plimsoll.simulator.policies import Autoscaler, Observation, Wanted, make
from plimsoll.simulator.policies.plimsoll import Plimsoll
from plimsoll.simulator.reckoning import reckon
from plimsoll.simulator.result import RunResult
from plimsoll.simulator.shares import Watcher, ignore
from plimsoll.simulator.world import World

STEPS = ("chance", "sizing", "forecast", "planning", "rollout")
_NEVER_USD = 1e3
"""A price of a miss at which nobody is left out while there is room."""


@dataclass(frozen=True, slots=True)
class Attribution:
    """The excess over the bound, by station."""

    bound_usd: float
    usd: Mapping[str, float]
    """By step; with the bound they sum up to the bill."""
    usd_m: Mapping[str, Floats]


class Noting:
    """Plimsoll, and the last plan of every minute."""

    def __init__(self, policy: Autoscaler) -> None:
        assert isinstance(policy, Plimsoll), "only Plimsoll has stations to attribute to"
        self._policy = policy
        self.plans: dict[int, Plan] = {}

    @property
    def interval_s(self) -> float:
        return self._policy.interval_s

    @property
    def scrape_interval_s(self) -> float:
        return self._policy.scrape_interval_s

    def decide(self, observation: Observation) -> Wanted:
        wanted = self._policy.decide(observation)
        if self._policy.plan is not None:
            self.plans[int((observation.now_s - START_S) // 60.0)] = self._policy.plan
        return wanted


def attributed(
    episode: Episode, bound: Bound, policy: Plimsoll | None = None, watch: Watcher = ignore
) -> tuple[RunResult, Attribution]:
    """One run of Plimsoll, as it comes unless another one is given, and where its cost comes from."""
    noting = Noting(policy or make("plimsoll", episode.setup()))
    world = World(episode, noting)
    world.play(watch)
    result = reckon(world, episode, "plimsoll", took_s=0.0)
    return result, attribution(episode, noting.plans, result, bound)


def attribution(episode: Episode, plans: Mapping[int, Plan], result: RunResult, bound: Bound) -> Attribution:
    """The bill of a run taken apart, given the last plan of every minute."""
    minutes = episode.minutes
    pools = {pool.name: pool for pool in episode.pools}
    tables = {
        variant.key: true_table(episode.true_profiles[variant.key], deployment.slo, episode.traffic[deployment.key])
        for deployment in episode.deployments
        for variant in deployment.variants
    }
    demand = {key: one.rate_rps_m(minutes) for key, one in episode.traffic.items()}
    known: dict[object, float] = {}

    def least(asked: Sequence[Asked]) -> float:
        key = tuple(
            (one.key, tuple((way.variant.key, round(way.carried_share, 4)) for way in one.ways)) for one in asked
        )
        if key not in known:
            known[key] = solve(asked, pools, _NEVER_USD).usd
        return known[key]

    levels = np.zeros((len(STEPS) + 1, minutes))
    levels[0] = bound.usd_m * (bound.usd / max(float(bound.usd_m.sum()), 1e-12))
    levels[5] = sum((one.usd_m for one in result.pools if one.price_kind is not PriceKind.PAID), np.zeros(minutes))
    for m in range(minutes):
        plan = plans.get(m)
        rates = {key: float(rate_m[m]) for key, rate_m in demand.items()}
        levels[1, m] = least(_asked(episode, rates, tables))
        if plan is None:
            levels[2:5, m] = levels[5, m]
            continue
        sized = _sized(plan)
        forecast = {one.key: one.forecast.required_rps for one in plan.deployments}
        levels[2, m] = least(_asked(episode, rates, sized))
        levels[3, m] = least(_asked(episode, forecast, sized))
        levels[4, m] = sum(
            one.target_nodes * one.price_usd_per_hour / 60.0
            for one in plan.pools
            if one.price_kind is not PriceKind.PAID
        )
    usd_m = dict(zip(STEPS, np.diff(levels, axis=0), strict=True))
    return Attribution(bound.usd, {name: float(values.sum()) for name, values in usd_m.items()}, usd_m)


def _sized(plan: Plan) -> Mapping[VariantKey, CapacityTable]:
    """What the plan took each variant's replicas to carry."""
    return {
        variant.key: CapacityTable((1,), (variant.safe_rate_rps,))
        for deployment in plan.deployments
        for variant in deployment.variants
    }


def _asked(
    episode: Episode, rates: Mapping[ObjectKey, float], tables: Mapping[VariantKey, CapacityTable]
) -> Sequence[Asked]:
    found = []
    for deployment in episode.deployments:
        rate_rps = rates.get(deployment.key, 0.0)
        ways = [
            Way(variant, most_of_one_rps(tables[variant.key], rate_rps) / rate_rps)
            for variant in deployment.variants
            if rate_rps > 0.0 and variant.key in tables and tables[variant.key].per_replica_rps > 0.0
        ]
        if ways:
            found.append(Asked(deployment.key, rate_rps * 60.0, ways))
    return found
