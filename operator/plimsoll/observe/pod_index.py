"""Which pods does a selector match, without trying every pod for every selector?

In: all pods, and the selectors of all workloads. Out: the pods of each workload; what is left runs on the side. Pure.
Pods are looked up by the label pairs that selectors mention; each pod is given to one workload only.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from plimsoll.domain import Resources
from plimsoll.observe.views import PodView, Selector

W = TypeVar("W")


@dataclass(frozen=True, slots=True)
class Claim(Generic[W]):
    """A workload that selects pods in one namespace; `whose` names it."""

    whose: W
    namespace: str
    selector: Selector


def share_out(
    pods: Sequence[PodView], claims: Sequence[Claim[W]]
) -> tuple[Mapping[W, tuple[PodView, ...]], list[PodView]]:
    """The pods of each claim, by name, and those that nobody claims.

    Where two selectors match one pod, the claim that stands first has it.
    """
    mentioned = {(claim.namespace, pair) for claim in claims for pair in claim.selector.equal}
    by_pair: dict[tuple[str, tuple[str, str]], list[PodView]] = defaultdict(list)
    by_namespace: dict[str, list[PodView]] = defaultdict(list)
    for pod in pods:
        by_namespace[pod.namespace].append(pod)
        for pair in pod.labels.items():
            if (pod.namespace, pair) in mentioned:
                by_pair[pod.namespace, pair].append(pod)
    shared: dict[W, tuple[PodView, ...]] = {}
    taken: set[tuple[str, str]] = set()
    for claim in claims:
        pairs = [by_pair.get((claim.namespace, pair), []) for pair in claim.selector.equal]
        candidates = min(pairs, key=len) if pairs else by_namespace.get(claim.namespace, [])
        own = [
            pod
            for pod in candidates
            if (pod.namespace, pod.pod.name) not in taken and claim.selector.accepts(pod.labels)
        ]
        taken.update((pod.namespace, pod.pod.name) for pod in own)
        shared[claim.whose] = tuple(sorted(own, key=lambda pod: pod.pod.name))
    return shared, [pod for pod in pods if (pod.namespace, pod.pod.name) not in taken]


def requests_by_node(pods: Iterable[PodView]) -> Mapping[str, Resources]:
    """What these pods reserve on each node together."""
    total: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for pod in pods:
        if pod.pod.node is not None:
            for name, amount in pod.requests.items():
                total[pod.pod.node][name] += amount
    return {node: dict(amounts) for node, amounts in total.items()}
