"""From an episode to its bound: rates of every minute, the best price of a miss, the sum.

In: an `Episode` and the share that may miss. Out: a `Bound`. The price of a miss is looked for on a sample of minutes;
any price gives a valid bound, the best one the highest.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from plimsoll.domain import Deployment, ObjectKey, VariantKey
from plimsoll.engine.arrays import Floats
from plimsoll.engine.serving import Router
from plimsoll.simulator.bound.demand import least_rps_m
from plimsoll.simulator.bound.misses import Load, completes_rps, loads, sharing
from plimsoll.simulator.bound.programme import Asked, Minute, Way, solve
from plimsoll.simulator.episode import Episode

_GRID = 1.01
"""Rates are rounded down to powers of this, so that like minutes are solved once."""
_SAMPLE = 60
"""Minutes on which the price of a miss is looked for."""
_HALVINGS = 10
_PRICES = (1e-3, 1e4)
"""Of what a request costs on average: where the price of a miss is looked for."""

_Question = tuple[tuple[int, float, tuple[float, ...]], ...]
"""A minute: for each deployment that is asked its place, its requests, and the rates of its variants."""


@dataclass(frozen=True, slots=True)
class Bound:
    """No policy that keeps the SLO is cheaper."""

    usd: float
    usd_m: Floats
    """By minute: what the nodes of the cheapest minute cost; together about the bound."""
    usd_per_miss: float


def least_cost(episode: Episode, may_miss: float) -> Bound:
    """The bound of one episode.

    Args:
        episode: what is drawn.
        may_miss: share of all requests that need not keep the SLO, 0 to 1.
    """
    cases = _Cases(episode)
    questions = Counter(cases.question(m) for m in range(episode.minutes))
    total = sum(one.count for one in episode.traffic.values())
    allowance = may_miss * total
    price = _best_price(cases, questions, allowance, total)
    answers = {question: cases.solve(question, price) for question in questions}
    bound = sum(answers[question].bound * count for question, count in questions.items()) - price * allowance
    usd_m = np.array([answers[cases.question(m)].usd for m in range(episode.minutes)])
    return Bound(max(bound, 0.0), usd_m, price)


class _Cases:
    """What is asked in each minute."""

    def __init__(self, episode: Episode) -> None:
        self._pools = {pool.name: pool for pool in episode.pools}
        self._episode = episode
        self._deployments: list[Deployment] = []
        self._completes: dict[VariantKey, float] = {}
        self._rates: dict[VariantKey, Floats] = {}
        self._requests: dict[ObjectKey, Floats] = {}
        self._loads: dict[tuple[VariantKey, int], tuple[Load, ...]] = {}
        for deployment in episode.deployments:
            traffic = episode.traffic[deployment.key]
            for variant in deployment.variants:
                profile = episode.true_profiles[variant.key]
                most_rps = completes_rps(profile, deployment.slo, traffic)
                if most_rps > 0.0 and variant.pool in self._pools:
                    self._completes[variant.key] = most_rps
                    self._rates[variant.key] = least_rps_m(profile, traffic, episode.minutes)
            self._requests[deployment.key] = traffic.rate_rps_m(episode.minutes) * 60.0
            self._deployments.append(deployment)

    def question(self, m: int) -> _Question:
        """The minute, rounded down."""
        found = []
        for place, deployment in enumerate(self._deployments):
            requests = _down(float(self._requests[deployment.key][m]))
            rates = tuple(
                _down(float(self._rates[variant.key][m])) if variant.key in self._rates else 0.0
                for variant in deployment.variants
            )
            if requests > 0.0 and any(rates):
                found.append((place, requests, rates))
        return tuple(found)

    def solve(self, question: _Question, usd_per_miss: float) -> Minute:
        return solve([self._asked(*one) for one in question], self._pools, usd_per_miss) if question else _NOTHING

    def _asked(self, place: int, requests: float, rates: tuple[float, ...]) -> Asked:
        deployment = self._deployments[place]
        asked = [
            (variant, rate_rps) for variant, rate_rps in zip(deployment.variants, rates, strict=True) if rate_rps > 0.0
        ]
        replicas = 1
        if self._episode.scenario.router(deployment.routing) is not Router.RANDOM:
            # However the variants are mixed, no more even out the arrivals than the slowest one would need alone.
            replicas = sharing(max((rate_rps / self._completes[one.key] for one, rate_rps in asked), default=1.0))
        ways = [
            Way(variant, load.rate_rps / rate_rps, load.missed_share * load.rate_rps / rate_rps)
            for variant, rate_rps in asked
            for load in self._loads_of(deployment, variant.key, replicas)
        ]
        return Asked(deployment.key, requests, ways)

    def _loads_of(self, deployment: Deployment, key: VariantKey, replicas: int) -> tuple[Load, ...]:
        if (key, replicas) not in self._loads:
            traffic = self._episode.traffic[deployment.key]
            self._loads[key, replicas] = loads(self._episode.true_profiles[key], deployment.slo, traffic, replicas)
        return self._loads[key, replicas]


_NOTHING = Minute(0.0, 0.0, 0.0)


def _best_price(cases: _Cases, questions: Mapping[_Question, int], allowance: float, total: int) -> float:
    """The price at which as many requests miss as may, by halving on a sample of minutes."""
    if total == 0:
        return 0.0
    spread = sorted(question for question in questions if question)
    sample = spread[:: max(1, math.ceil(len(spread) / _SAMPLE))]
    seen = sum(_requests(question) * questions[question] for question in sample)
    whole = sum(_requests(question) * questions[question] for question in spread)
    if seen <= 0.0:
        return 0.0
    share = allowance / whole
    average = _average_usd(cases, sample, questions) / seen
    low, high = average * _PRICES[0], average * _PRICES[1]
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        missed = sum(cases.solve(question, middle).missed * questions[question] for question in sample)
        low, high = (middle, high) if missed > share * seen else (low, middle)
    return math.sqrt(low * high)


def _average_usd(cases: _Cases, sample: Iterable[_Question], questions: Mapping[_Question, int]) -> float:
    """What the sample costs where a miss costs more than any node."""
    usd = sum(cases.solve(question, 1e3).usd * questions[question] for question in sample)
    return max(usd, 1e-9)


def _requests(question: _Question) -> float:
    return sum(requests for _, requests, _ in question)


def _down(value: float) -> float:
    if value <= 0.0:
        return 0.0
    return float(_GRID ** math.floor(math.log(value) / math.log(_GRID) + 1e-9))
