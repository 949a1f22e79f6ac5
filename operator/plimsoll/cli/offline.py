"""What would the operator decide on these manifests and this demand?

In: a filled cache, assumed demand, a way to simulate safe rates. Out: the very decision that the operator would take on
a cluster that has just got these objects, whose pools have no node yet, with what was noticed and what one replica
costs. Asks nobody.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from plimsoll.decide import decide
from plimsoll.domain import (
    Decision,
    Demand,
    DemandState,
    DeploymentPlan,
    Finding,
    Memory,
    ObjectKey,
    Plan,
    Pool,
    Snapshot,
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
from plimsoll.sizing import Capacity, Case, to_simulate

_NOW_S = 0.0
"""No decision on objects without a past depends on the time; a fixed one gives the same output for the same input."""
_ROUNDS, _MOST_SIMULATIONS = 3, 32
"""A simulated variant may lose against another one, which is then simulated too; 32 take about ten seconds. Guesses."""
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

    def _well(self, plan: DeploymentPlan) -> bool:
        told = verdicts(plan, self.findings.get(plan.key, ()), self.plan.pools)
        stalled = any(one.type is ConditionType.STALLED for one in told)
        return not stalled and plan.shortfall_rps <= 0 and not self._left_out(plan.key)

    def _left_out(self, key: ObjectKey) -> bool:
        """A finding that is older than the plan is about an object that cannot be used as written."""
        planned = {one.key: one.findings for one in self.plan.deployments}.get(key, ())
        return any(one not in planned for one in self.findings.get(key, ()))


def plan_offline(
    cache: ClusterCache,
    demand: Mapping[ObjectKey, Demand],
    simulate: Callable[[Case], Capacity] | None = None,
) -> OfflinePlan:
    """The decision on these objects.

    Args:
        cache: the objects.
        demand: by deployment; of the others nothing is known.
        simulate: gives the safe rate of a case that the plan stands on; none: all are estimated.

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
    plan = _decide(snapshot, simulate).plan
    noticed = (*cluster.findings, *(one for each in plan.deployments for one in each.findings))
    pools = {pool.name: pool for pool in snapshot.pools}
    return OfflinePlan(
        plan=plan,
        mistakes=_mistakes(contents),
        findings={key: tuple(dict.fromkeys(found)) for key, found in group_by_deployment(noticed).items()},
        replica_usd_per_hour={
            variant.key: replica_usd_per_hour(variant, pools[variant.pool])
            for deployment in snapshot.deployments
            for variant in deployment.variants
        },
    )


def _decide(snapshot: Snapshot, simulate: Callable[[Case], Capacity] | None) -> Decision:
    """Decided anew until the plan stands on simulations, within bounds."""
    simulated: dict[Case, Capacity] = {}
    decision = decide(snapshot, Memory())
    if simulate is None:
        return decision
    for _ in range(_ROUNDS):
        cases = to_simulate(snapshot, decision.plan, simulated, used_only=True)[: _MOST_SIMULATIONS - len(simulated)]
        if not cases:
            break
        simulated |= {case: simulate(case) for case in cases}
        decision = decide(snapshot, Memory(), simulated=simulated)
    return decision


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
