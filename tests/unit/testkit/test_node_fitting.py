"""Does the stand-in autoscaler ask for just the nodes that pending pods would fill?"""

from decimal import Decimal
from typing import Any

import pytest

from plimsoll_testkit.kwok import NodeShape, Taint
from plimsoll_testkit.node_fitting import PodNeed, free_after, nodes_needed, pod_need, suits

L4 = NodeShape("l4", {"pool": "l4"}, {"cpu": "16", "memory": "64Gi", "nvidia.com/gpu": "2"}, (Taint("gpu", "yes"),))
TOLERATES = ({"key": "gpu", "operator": "Exists"},)


def a_need(cpu: str = "1", gpu: int = 0, pool: str = "l4", tolerations: Any = TOLERATES) -> PodNeed:
    requests = {"pods": Decimal(1), "cpu": Decimal(cpu), "nvidia.com/gpu": Decimal(gpu)}
    return PodNeed(requests, {"pool": pool} if pool else {}, tolerations)


def test_node_count_is_what_first_fit_needs() -> None:
    # Five pods of one GPU, two GPUs a node: 2 + 2 + 1.
    assert nodes_needed([a_need(gpu=1)] * 5, L4, []) == 3


def test_scarcest_resource_decides() -> None:
    # Nine cores of sixteen: one pod a node although two GPUs are there.
    assert nodes_needed([a_need(cpu="9", gpu=1)] * 2, L4, []) == 2


def test_big_pods_go_first_so_small_ones_fill_the_gaps() -> None:
    # In the order given, the four small pods would take the first node and leave two nodes for the big ones.
    needs = [*[a_need(cpu="4")] * 4, a_need(cpu="8"), a_need(cpu="8")]

    assert nodes_needed(needs, L4, []) == 2


def test_free_and_coming_nodes_are_filled_before_new_ones_are_asked_for() -> None:
    half_full = free_after(L4, [a_need(gpu=1)])
    coming = free_after(L4, [])

    assert nodes_needed([a_need(gpu=1)] * 3, L4, [half_full, coming]) == 0
    assert nodes_needed([a_need(gpu=1)] * 4, L4, [half_full, coming]) == 1


def test_pod_that_no_node_could_hold_asks_for_none() -> None:
    assert nodes_needed([a_need(gpu=3)], L4, []) == 0
    assert not suits(a_need(gpu=3), L4)


def test_overfull_node_takes_nothing_more() -> None:
    overfull = free_after(L4, [a_need(gpu=2), a_need(gpu=1)])

    assert nodes_needed([a_need(gpu=1)], L4, [overfull]) == 1


@pytest.mark.parametrize(
    ("need", "expected"),
    [
        (a_need(), True),
        (a_need(pool="h100"), False),
        (a_need(pool=""), False),  # may run anywhere: booting this pool for it would be a guess
        (a_need(tolerations=()), False),
        (a_need(tolerations=({"key": "gpu", "value": "yes"},)), True),
        (a_need(tolerations=({"key": "gpu", "operator": "Equal", "value": "no"},)), False),
        (a_need(tolerations=({"operator": "Exists"},)), True),
        (a_need(tolerations=({"key": "gpu", "operator": "Exists", "effect": "NoExecute"},)), False),
        (a_need(tolerations=({"key": "other", "operator": "Exists"},)), False),
    ],
)
def test_pod_suits_a_pool_by_selector_and_toleration(need: PodNeed, expected: bool) -> None:
    assert suits(need, L4) is expected


def test_pod_asks_for_the_sum_of_its_containers_and_one_place() -> None:
    containers = [
        {"name": "engine", "resources": {"requests": {"cpu": "1500m", "nvidia.com/gpu": "1"}}},
        {"name": "proxy", "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}},
        {"name": "none"},
    ]

    need = pod_need({"spec": {"containers": containers, "nodeSelector": {"pool": "l4"}}})

    assert need.requests == {"pods": 1, "cpu": 2, "memory": 1024**3, "nvidia.com/gpu": 1}
    assert need.node_selector == {"pool": "l4"}
