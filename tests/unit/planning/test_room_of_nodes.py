"""Several resources on whole nodes: what a replica takes of each, and what is not there for it."""

import pytest

from plimsoll.domain import PriceKind, Reason
from unit.builders import GIB, GPU_NODE, a_deployment, a_node, a_pool, a_variant
from unit.planning.case import counts, plan

FOUR_GPUS = {"cpu": 64.0, "memory": 512 * GIB, "nvidia.com/gpu": 4.0}


def test_the_gpus_of_one_replica_sit_on_one_node() -> None:
    three = a_variant("three", per_replica={"cpu": 8.0, "memory": 64 * GIB, "nvidia.com/gpu": 3.0})
    allocation = plan([a_deployment(variants=[three], rps=4.0)], [a_pool("gpu-h100")], {"three": 1.0})
    # 4 x 3 GPUs are 3 nodes of 4 by sum, but each node has room for one replica of 3.
    assert allocation.nodes["gpu-h100"] == 4


def test_gpus_that_a_large_replica_leaves_over_are_used_by_small_ones() -> None:
    three = a_variant("three", per_replica={"cpu": 8.0, "memory": 64 * GIB, "nvidia.com/gpu": 3.0})
    one = a_variant("one", per_replica={"cpu": 8.0, "memory": 64 * GIB, "nvidia.com/gpu": 1.0})
    fleet = [a_deployment("large", variants=[three], rps=2.0), a_deployment("small", variants=[one], rps=2.0)]
    allocation = plan(fleet, [a_pool("gpu-h100")], {"three": 1.0, "one": 1.0})
    assert counts(allocation) == {"large/three": 2, "small/one": 2}
    assert allocation.nodes["gpu-h100"] == 2


@pytest.mark.parametrize(
    ("scarce", "amount", "nodes"),
    # 8 replicas on nodes of 64 cores, 512 GiB and 4 GPUs.
    [("cpu", 24.0, 4), ("memory", 200 * GIB, 4), ("nvidia.com/gpu", 2.0, 4), ("nvidia.com/gpu", 1.0, 2)],
)
def test_whichever_resource_is_scarcest_says_how_many_fit_on_a_node(scarce: str, amount: float, nodes: int) -> None:
    shape = {"cpu": 8.0, "memory": 64 * GIB, "nvidia.com/gpu": 1.0, scarce: amount}
    allocation = plan([a_deployment(variants=[a_variant("v", per_replica=shape)], rps=8.0)], [a_pool()], {"v": 1.0})
    assert allocation.nodes["gpu-h100"] == nodes


def test_cpu_replicas_may_fill_what_gpu_replicas_leave_of_a_node() -> None:
    gpu = a_variant("gpu", per_replica={"cpu": 8.0, "memory": 64 * GIB, "nvidia.com/gpu": 1.0})
    cpu = a_variant("cpu", per_replica={"cpu": 16.0, "memory": 64 * GIB})
    fleet = [a_deployment("a", variants=[gpu], rps=4.0), a_deployment("b", variants=[cpu], rps=2.0)]
    allocation = plan(fleet, [a_pool()], {"gpu": 1.0, "cpu": 1.0})
    # 4 x 8 + 2 x 16 = 64 cores.
    assert allocation.nodes["gpu-h100"] == 1


def test_what_daemonsets_take_of_a_fresh_node_is_not_planned_with() -> None:
    variant = a_variant("v", per_replica={"cpu": 16.0, "nvidia.com/gpu": 1.0})
    chat = a_deployment(variants=[variant], rps=8.0)
    whole = a_pool(node_resources={"cpu": 64.0, "nvidia.com/gpu": 4.0})
    less_daemonsets = a_pool(node_resources={"cpu": 63.0, "nvidia.com/gpu": 4.0})
    # A core for daemonsets leaves room for 3 replicas of 16 cores.
    assert plan([chat], [whole], {"v": 1.0}).nodes["gpu-h100"] == 2
    assert plan([chat], [less_daemonsets], {"v": 1.0}).nodes["gpu-h100"] == 3


def test_what_daemonsets_take_of_present_nodes_is_not_planned_with() -> None:
    taken = a_node("a", GPU_NODE, foreign_requests={"cpu": 40.0})
    pool = a_pool(nodes=(taken,), max_nodes=1, price_kind=PriceKind.PAID)
    allocation = plan([a_deployment(variants=[a_variant("v")], rps=4.0)], [pool], {"v": 1.0})
    # 24 cores are left: 3 replicas of 8.
    assert counts(allocation) == {"chat/v": 3}
    assert [finding.reason for finding in allocation.findings] == [Reason.CAPACITY_SHORT]


def test_a_resource_that_nodes_do_not_have_leaves_no_room() -> None:
    gaudi = a_variant("gaudi", per_replica={"cpu": 8.0, "habana.ai/gaudi": 1.0})
    allocation = plan([a_deployment(variants=[gaudi], rps=1.0)], [a_pool()], {"gaudi": 1.0})
    assert counts(allocation) == {}
    assert allocation.shortfall_rps


def test_minimum_nodes_are_paid_for_and_filled_first() -> None:
    kept, other = a_variant("kept", pool="cpu-kept"), a_variant("other", pool="cpu-other")
    pools = [a_pool("cpu-kept", min_nodes=1, price_usd_per_hour=9.0), a_pool("cpu-other", price_usd_per_hour=3.0)]
    allocation = plan([a_deployment(variants=[kept, other], rps=4.0)], pools, {"kept": 1.0, "other": 1.0})
    # The node that is kept in any case costs nothing more.
    assert counts(allocation) == {"chat/kept": 4}
    assert allocation.nodes == {"cpu-kept": 1, "cpu-other": 0}
