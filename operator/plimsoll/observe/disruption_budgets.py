"""Which pods of variants does each PodDisruptionBudget protect?

In: the budgets, and the pods that variants claimed. Out: the domain's budgets, by key; those that select none of these
pods are left out. Unlike a workload, a budget shares its pods with others. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from plimsoll.domain import DisruptionBudget
from plimsoll.observe.views import BudgetView, PodView

_Pair = tuple[str, str]


def disruption_budgets(budgets: Sequence[BudgetView], pods: Iterable[PodView]) -> tuple[DisruptionBudget, ...]:
    """The budgets that protect any of these pods."""
    by_namespace: dict[str, list[PodView]] = defaultdict(list)
    by_pair: dict[tuple[str, _Pair], list[PodView]] = defaultdict(list)
    wanted = {(one.key.namespace, pair) for one in budgets if one.selector for pair in one.selector.equal}
    for pod in pods:
        by_namespace[pod.namespace].append(pod)
        for pair in pod.labels.items():
            if (pod.namespace, pair) in wanted:
                by_pair[pod.namespace, pair].append(pod)
    found = []
    for budget in sorted(budgets, key=lambda one: one.key):
        namespace, selector = budget.key.namespace, budget.selector
        equal = selector.equal if selector else ()
        candidates = [by_pair[namespace, pair] for pair in equal] or [by_namespace[namespace]]
        names = frozenset(
            pod.pod.name for pod in min(candidates, key=len) if selector is None or selector.accepts(pod.labels)
        )
        if names:
            found.append(DisruptionBudget(budget.key, budget.allowed, names))
    return tuple(found)
