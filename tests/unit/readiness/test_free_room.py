"""What present nodes have room for, and how many fresh ones the rest takes."""

from plimsoll.readiness import FreeRoom
from unit.builders import CPU_NODE, a_deployment, a_node, a_pod, a_pool, a_snapshot, a_variant

XEON = a_variant("xeon", pool="cpu-amx", pods=(a_pod(node="cpu-amx-0"), a_pod("late", node=None, ready=False)))
"""16 of the 64 cores of a node a replica; one is placed."""


def room(nodes: int, max_nodes: int = 10) -> FreeRoom:
    return FreeRoom(a_snapshot([a_deployment(variants=[XEON])], [a_pool("cpu-amx", nodes=nodes, max_nodes=max_nodes)]))


def test_present_nodes_are_filled_before_fresh_ones_are_opened() -> None:
    assert room(2).take("cpu-amx", XEON.per_replica, 7) == (7, 0)
    assert room(2).take("cpu-amx", XEON.per_replica, 12) == (12, 2)


def test_no_more_is_seated_than_the_pool_may_grow_to() -> None:
    assert room(1, max_nodes=2).take("cpu-amx", XEON.per_replica, 99) == (7, 1)
    assert room(1).take("cpu-amx", XEON.per_replica, 99, fresh=False) == (3, 0)


def test_what_was_taken_is_gone_but_not_from_the_room_it_was_copied_from() -> None:
    first = room(1)
    second = first.copy("cpu-amx")
    assert second.take("cpu-amx", XEON.per_replica, 3, fresh=False) == (3, 0)
    assert not second.has_room("cpu-amx", XEON.per_replica)
    assert first.has_room("cpu-amx", XEON.per_replica)


def test_nodes_in_trouble_pools_that_are_not_there_and_replicas_of_nothing_have_no_room() -> None:
    cordoned = a_pool("cpu-amx", nodes=(a_node(resources=CPU_NODE, schedulable=False),), max_nodes=1)
    shut = FreeRoom(a_snapshot([], [cordoned]))
    assert shut.take("cpu-amx", XEON.per_replica, 1) == (0, 0)
    assert shut.take("elsewhere", XEON.per_replica, 1) == (0, 0)
    assert room(1).take("cpu-amx", {}, 5) == (0, 0)
