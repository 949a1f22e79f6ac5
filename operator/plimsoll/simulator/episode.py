"""What is drawn for one run? The requests, and how far the engines' true speed is from their profiles.

In: a scenario and a seed. Out: an `Episode`, the same for every policy, so that policies are compared on the very same
requests and engines. The clairvoyant bound reads it whole; an autoscaler never sees it.

The truth of a variant: each coefficient of its profile's step-time law times exp(sigma (c + o) / sqrt 2), where sigma
is the scenario's profile_error, c a standard normal draw for the variant and o one for the coefficient: half of the
error is a speed that is off as a whole, half is a law that is off in shape.
"""

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from plimsoll.domain import Deployment, ObjectKey, Pool, Profile, StepTime, VariantKey
from plimsoll.observe import Cluster, resolve
from plimsoll.observe.targets import Scale, identity, targets_to_look_up
from plimsoll.observe.views import Selector
from plimsoll.simulator.demand import draw_traffic
from plimsoll.simulator.demand.history import History
from plimsoll.simulator.demand.history import draw as draw_history
from plimsoll.simulator.policies.autoscaler import Setup
from plimsoll.simulator.scenario import Scenario
from plimsoll.simulator.traffic import Traffic

START_S = 1_715_558_400.0
"""Seconds since the epoch at the start of every run: a Monday, midnight UTC (2024-05-13)."""
_COEFFICIENTS = 4
NO_HISTORIES: Mapping[ObjectKey, History] = {}


@dataclass(frozen=True, slots=True)
class Episode:
    """One scenario with one seed."""

    scenario: Scenario
    seed: int
    cluster: Cluster
    """The manifests' objects resolved, before any pod or node is there."""
    traffic: Mapping[ObjectKey, Traffic]
    true_profiles: Mapping[VariantKey, Profile]

    @property
    def deployments(self) -> tuple[Deployment, ...]:
        return self.cluster.deployments

    @property
    def pools(self) -> tuple[Pool, ...]:
        return self.cluster.pools

    @property
    def minutes(self) -> int:
        return math.ceil(self.scenario.spec.hours * 60.0 - 1e-9)

    def rng(self, *names: object) -> np.random.Generator:
        """A stream of its own for each purpose, so that one more draw for one thing changes no other."""
        return stream(self.seed, *names)

    def setup(self) -> Setup:
        """What policies are made with."""

        def means(output: bool, quantile: float | None) -> dict[ObjectKey, float]:
            return {key: _statistic(one, output, quantile) for key, one in self.traffic.items()}

        return Setup(
            deployments=self.deployments,
            pools=self.pools,
            demand_rps_m={key: one.rate_rps_m(self.minutes) for key, one in self.traffic.items()},
            prompt_tokens_mean=means(output=False, quantile=None),
            output_tokens_mean=means(output=True, quantile=None),
            prompt_tokens_p95=means(output=False, quantile=0.95),
            output_tokens_p95=means(output=True, quantile=0.95),
            prompt_tokens_most=means(output=False, quantile=1.0),
            output_tokens_most=means(output=True, quantile=1.0),
            tick_interval_s=self.scenario.spec.tick_interval.seconds,
        )


def draw(scenario: Scenario, seed: int, histories: Mapping[ObjectKey, History] = NO_HISTORIES) -> Episode:
    """The episode of that seed.

    Args:
        scenario: what is simulated.
        seed: what chance is drawn from.
        histories: demand of deployments whose past was read from Prometheus, in place of what the scenario says.

    Raises:
        InvalidObject: demand cannot be read.
    """
    cluster = objects(scenario)
    traffic = {one.key: _traffic(scenario, one.key, seed, histories) for one in cluster.deployments}
    truths = {
        variant.key: _true_profile(variant.profile, scenario.spec.profile_error, stream(seed, "profile", variant.key))
        for deployment in cluster.deployments
        for variant in deployment.variants
    }
    return Episode(scenario, seed, cluster, traffic, truths)


def objects(scenario: Scenario) -> Cluster:
    """The manifests resolved as the operator resolves them, on a cluster without pods and nodes."""
    scales = {identity(target): Scale(0, Selector()) for target in targets_to_look_up(scenario.contents)}
    return resolve(scenario.contents, scales)


def _traffic(scenario: Scenario, key: ObjectKey, seed: int, histories: Mapping[ObjectKey, History]) -> Traffic:
    rng = stream(seed, "traffic", key)
    if key in histories:
        return draw_history(histories[key], scenario.duration_s, rng)
    return draw_traffic(scenario, key, rng)


def stream(seed: int, *names: object) -> np.random.Generator:
    """Randomness that depends on the seed and the names alone."""
    return np.random.default_rng([seed, zlib.crc32("/".join(map(str, names)).encode())])


def _true_profile(profile: Profile, sigma: float, rng: np.random.Generator) -> Profile:
    common, own = rng.standard_normal(), rng.standard_normal(_COEFFICIENTS)
    factors = np.exp(sigma * (common + own) / math.sqrt(2.0))
    law = profile.step_time
    return replace(
        profile,
        step_time=StepTime(
            law.alpha_ms * float(factors[0]),
            law.beta_ms_per_sequence * float(factors[1]),
            law.pi_ms_per_prefill_token * float(factors[2]),
            law.kappa_ms_per_kv_token * float(factors[3]),
        ),
    )


def _statistic(traffic: Traffic, output: bool, quantile: float | None) -> float:
    tokens_i = traffic.output_tokens_i if output else traffic.prompt_tokens_i
    if tokens_i.size == 0:
        return 0.0
    return float(tokens_i.mean()) if quantile is None else float(np.quantile(tokens_i, quantile))
