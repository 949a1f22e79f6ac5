"""What would the operator decide on these manifests and this demand?

In: a filled cache and assumed demand. Out: the situation of an operator on a cluster that has just got these objects,
whose pools have no node yet, what was noticed, and what one replica costs. Asks nobody.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plimsoll.api import ServingProfile
from plimsoll.domain import (
    Demand,
    DemandState,
    DeploymentPlan,
    Finding,
    ObjectKey,
    Plan,
    Pool,
    Profile,
    TokenMix,
    Variant,
    VariantKey,
)
from plimsoll.errors import InvalidObject
from plimsoll.explain import ConditionType, group_by_deployment, verdicts
from plimsoll.observe import ClusterCache, resolve, with_demand
from plimsoll.observe.cluster_cache import Contents
from plimsoll.observe.demand import Observed
from plimsoll.observe.targets import Scale, identity, targets_to_look_up
from plimsoll.observe.token_mix import OUTPUT_P95_OVER_MEAN
from plimsoll.observe.views import Selector
from plimsoll.what_if import Situation

_NOW_S = 0.0
"""No decision on objects without a past depends on the time; a fixed one gives the same output for the same input."""
ASSUMED_PROMPT_TOKENS, ASSUMED_OUTPUT_TOKENS = 512.0, 128.0
"""Where --demand gives a rate alone. A guess in the range of chat traffic; the output says that it was assumed."""


@dataclass(frozen=True, slots=True)
class OfflinePlan:
    """A plan, what is wrong with the objects it was made of, and prices per replica."""

    plan: Plan
    mistakes: tuple[str, ...]
    """Objects besides InferenceDeployments that are not valid."""
    findings: Mapping[ObjectKey, Sequence[Finding]]
    """By deployment, also of those that are not part of the plan."""
    replica_usd_per_hour: Mapping[VariantKey, float]

    @property
    def feasible(self) -> bool:
        """Whether all is well: every deployment planned, demand covered, nothing to be mended."""
        left_out = bool(self.mistakes or self.plan.findings)
        return not left_out and all(self._well(one) for one in self.plan.deployments)

    def is_well(self, key: ObjectKey) -> bool:
        """Whether this deployment is planned, its demand covered, and nothing of it to be mended."""
        return any(self._well(one) for one in self.plan.deployments if one.key == key)

    def _well(self, plan: DeploymentPlan) -> bool:
        told = verdicts(plan, self.findings.get(plan.key, ()), self.plan.pools)
        stalled = any(one.type is ConditionType.STALLED for one in told)
        return not stalled and plan.shortfall_rps <= 0 and not self._left_out(plan.key)

    def _left_out(self, key: ObjectKey) -> bool:
        """A finding that is older than the plan is about an object that cannot be used as written."""
        planned = {one.key: one.findings for one in self.plan.deployments}.get(key, ())
        return any(one not in planned for one in self.findings.get(key, ()))


@dataclass(frozen=True, slots=True)
class OfflineWorld:
    """What manifests declare, as the operator would see it, and what is wrong with them."""

    situation: Situation
    mistakes: tuple[str, ...]
    findings: tuple[Finding, ...]

    def planned(self, plan: Plan, situation: Situation | None = None) -> OfflinePlan:
        """The plan together with what is known besides.

        Args:
            plan: as decided.
            situation: of which it was decided, where that is another one.
        """
        noticed = (*self.findings, *(one for each in plan.deployments for one in each.findings))
        snapshot = (situation or self.situation).snapshot
        pools = {pool.name: pool for pool in snapshot.pools}
        return OfflinePlan(
            plan=plan,
            mistakes=self.mistakes,
            findings={key: tuple(dict.fromkeys(found)) for key, found in group_by_deployment(noticed).items()},
            replica_usd_per_hour={
                variant.key: replica_usd_per_hour(variant, pools[variant.pool])
                for deployment in snapshot.deployments
                for variant in deployment.variants
            },
        )


def offline_world(cache: ClusterCache, demand: Mapping[ObjectKey, Demand]) -> OfflineWorld:
    """The objects as on a cluster that has just got them.

    Args:
        cache: the objects.
        demand: by deployment; of the others nothing is known.

    Raises:
        InvalidObject: when demand is given for a deployment that is not among them.
    """
    contents = cache.contents()
    unknown = sorted(set(demand) - set(contents.deployments))
    if unknown:
        known = ", ".join(map(str, sorted(contents.deployments)))
        raise InvalidObject(f"--demand names {unknown[0]}, which is not among the manifests: they have {known}")
    # A kind that is not watched (LeaderWorkerSet) is taken as there: its variant states what a replica needs.
    scales = {identity(target): Scale(0, Selector()) for target in targets_to_look_up(contents)}
    cluster = resolve(contents, scales)
    snapshot = with_demand(cluster, {key: Observed(one) for key, one in demand.items()}, _NOW_S)
    return OfflineWorld(
        situation=Situation(snapshot, profiles=usable_profiles(contents)),
        mistakes=_mistakes(contents),
        findings=cluster.findings,
    )


def usable_profiles(contents: Contents) -> Mapping[str, Profile]:
    """All valid profiles by name."""
    return {
        key.name: one.to_domain() for key, one in sorted(contents.profiles.items()) if isinstance(one, ServingProfile)
    }


def stated_tokens(prompt_tokens: float, output_tokens: float) -> TokenMix:
    """Lengths that a person states: prompts are of that length, outputs spread as where no histogram is to be had."""
    return TokenMix(prompt_tokens, prompt_tokens, output_tokens, OUTPUT_P95_OVER_MEAN * output_tokens)


def known_demand(rate_rps: float, tokens: TokenMix | None) -> Demand:
    """Demand as if it had been observed."""
    message = "as given" if tokens else "as given, with assumed token lengths"
    return Demand(
        DemandState.KNOWN,
        message,
        sees_zero_replicas=True,
        arrival_rate_rps=rate_rps,
        tokens=tokens or stated_tokens(ASSUMED_PROMPT_TOKENS, ASSUMED_OUTPUT_TOKENS),
    )


def replica_usd_per_hour(variant: Variant, pool: Pool) -> float:
    """A node's price divided by the number of replicas that fit on a fresh node."""
    fit = min(
        (
            math.floor(pool.node_resources.get(name, 0.0) / amount)
            for name, amount in variant.per_replica.items()
            if amount
        ),
        default=1,
    )
    return pool.price_usd_per_hour / max(fit, 1)


def _mistakes(contents: Contents) -> tuple[str, ...]:
    kinds = (
        ("ComputePool", contents.pools),
        ("ServingProfile", contents.profiles),
        ("ScalingPolicy", contents.policies),
    )
    return tuple(
        f"{kind} {key.name}: {one}"
        for kind, objects in kinds
        for key, one in sorted(objects.items())
        if isinstance(one, InvalidObject)
    )
