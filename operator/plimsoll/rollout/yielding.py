"""Who has to give way? The only deployments whose ready replicas go although demand is not covered without them.

In: the snapshot and the allocation. Out: their keys. A shortage alone is no reason to take away what serves: the plan
may be short because nodes are cordoned, a profile was changed or the solver failed. It is one where a higher priority
that is scaled waits for the very pool, where the budget is exceeded, or where replicas.max was lowered.
"""

from plimsoll.domain import Allocation, Deployment, Mode, ObjectKey, Reason, Snapshot


def gives_way(snapshot: Snapshot, allocation: Allocation) -> frozenset[ObjectKey]:
    """Keys of the deployments that go down to what the plan leaves them, even below their demand."""
    over_budget = {finding.deployment for finding in allocation.findings if finding.reason is Reason.OVER_BUDGET}
    waiting = _highest_waiting(snapshot, allocation)
    return frozenset(
        deployment.key
        for deployment in snapshot.deployments
        if deployment.key in over_budget or _is_outranked(deployment, allocation, waiting) or _is_above_max(deployment)
    )


def _highest_waiting(snapshot: Snapshot, allocation: Allocation) -> dict[str, int]:
    """By pool the highest priority of those whose replicas there are not all ready yet.

    Only of those in mode Auto: a recommendation is never applied, so it takes room from nobody.
    """
    highest: dict[str, int] = {}
    for deployment in (one for one in snapshot.deployments if one.mode is Mode.AUTO):
        for variant in deployment.variants:
            if allocation.replicas.get(variant.key, 0) > variant.ready_replicas:
                highest[variant.pool] = max(deployment.priority, highest.get(variant.pool, deployment.priority))
    return highest


def _is_outranked(deployment: Deployment, allocation: Allocation, waiting: dict[str, int]) -> bool:
    return any(
        allocation.replicas.get(variant.key, variant.replicas) < variant.replicas
        and waiting.get(variant.pool, deployment.priority) > deployment.priority
        for variant in deployment.variants
    )


def _is_above_max(deployment: Deployment) -> bool:
    return any(variant.replicas > variant.max_replicas for variant in deployment.variants)
