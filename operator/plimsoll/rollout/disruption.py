"""How many ready pods may go, by the PodDisruptionBudgets that protect them?

In: the snapshot's budgets, and steps as they are decided. Out: the limit for each variant. Kubernetes heeds a budget
when pods are evicted, but not when a workload is scaled down: so we do. A budget that several variants share is spent
by the one that comes first.
"""

from collections.abc import Iterable

from plimsoll.domain import DisruptionBudget, ObjectKey, Snapshot, Variant


class Disruption:
    """What the budgets still allow in this tick."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._left = {budget.key: budget.allowed for budget in snapshot.disruption_budgets}
        self._by_pod: dict[tuple[str, str], list[DisruptionBudget]] = {}
        for budget in snapshot.disruption_budgets:
            for pod in budget.pods:
                self._by_pod.setdefault((budget.key.namespace, pod), []).append(budget)

    def allowed(self, variant: Variant) -> int | None:
        """How many of its ready pods may go now; None where no budget protects any."""
        return min((max(0, self._left[key]) for key in self._protecting(variant)), default=None)

    def tightest(self, variant: Variant) -> ObjectKey | None:
        """The budget that allows least."""
        return min(self._protecting(variant), key=lambda key: (self._left[key], key), default=None)

    def spend(self, variant: Variant, pods: int) -> None:
        """So many ready pods of the variant go."""
        for key in self._protecting(variant):
            self._left[key] -= pods

    def _protecting(self, variant: Variant) -> Iterable[ObjectKey]:
        found = (self._by_pod.get((variant.key.namespace, pod.name), ()) for pod in variant.pods)
        return {budget.key for budgets in found for budget in budgets}
