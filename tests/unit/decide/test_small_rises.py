"""A rise that fits into the headroom of what runs starts nothing: not at first, not after a restart, not in silence."""

from dataclasses import replace

import pytest

from plimsoll.decide import decide
from plimsoll.domain import Decision, Deployment, ForecastBasis, Memory, Snapshot
from unit.builders import a_deployment, a_forecast, a_pool, a_snapshot, a_variant

DEPLOYMENT = a_deployment(variants=[a_variant(replicas=2)])


def decided(times_carried: float, memory: Memory | None = None, basis: ForecastBasis = ForecastBasis.KNOWN) -> Decision:
    """One tick with so much to be ready for, as a multiple of what the two replicas that run carry."""
    snapshot = a_snapshot([DEPLOYMENT], [a_pool(nodes=1)])
    forecast = a_forecast(DEPLOYMENT, times_carried * carried_rps(DEPLOYMENT, snapshot), basis=basis)
    return decide(snapshot, memory or Memory(), told={DEPLOYMENT.key: forecast})


def carried_rps(deployment: Deployment, snapshot: Snapshot) -> float:
    plan = decide(snapshot, Memory(), told={deployment.key: a_forecast(deployment, 1.0)}).plan
    return plan.deployments[0].variants[0].ready_rps


def wanted(decision: Decision) -> int:
    return decision.plan.deployments[0].variants[0].target


@pytest.mark.parametrize(("times", "replicas"), [(0.99, 2), (1.05, 2), (1.09, 2), (1.15, 3)])
def test_up_to_a_tenth_more_starts_nothing(times: float, replicas: int) -> None:
    first = decided(0.99)

    second = decided(times, first.memory)

    assert wanted(second) == replicas
    assert bool(second.plan.deployments[0].steps) == (replicas > 2)


def test_a_restart_starts_nothing() -> None:
    assert wanted(decided(1.05, Memory())) == 2


def test_metrics_that_are_lost_start_nothing() -> None:
    first = decided(1.05)

    second = decided(1.05, first.memory, ForecastBasis.HELD)

    assert wanted(second) == 2
    assert not second.plan.deployments[0].steps


def test_without_headroom_every_rise_counts() -> None:
    deployment = replace(
        DEPLOYMENT, policy=replace(DEPLOYMENT.policy, headroom_ratio=0.0, confirmed_headroom_ratio=0.0)
    )
    snapshot = a_snapshot([deployment], [a_pool(nodes=1)])
    forecast = a_forecast(deployment, 1.02 * carried_rps(deployment, snapshot))

    assert wanted(decide(snapshot, Memory(), told={deployment.key: forecast})) == 3
