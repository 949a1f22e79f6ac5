"""A node can be done without when little of it is used and its pods fit on others."""

import pytest

from plimsoll.domain import Resources, VariantKey
from plimsoll.simulator.cluster.consolidation import unneeded, utilisation
from plimsoll.simulator.cluster.objects import SimNode, SimPod

GPUS = {"cpu": 32.0, "nvidia.com/gpu": 4.0}


def a_node(name: str, *pods: Resources, offers: Resources = GPUS) -> SimNode:
    """Ready, with a pod for each of these needs."""
    node = SimNode(name, "pool", 0.0, offers, ready_since_s=0.0)
    for number, needs in enumerate(pods):
        node.take(SimPod(f"{name}-{number}", VariantKey("ai", "chat", "h100"), "pool", needs, 0.0))
    return node


def with_gpus(name: str, used: int) -> SimNode:
    return a_node(name, *[{"nvidia.com/gpu": 1.0}] * used)


@pytest.mark.parametrize(
    ("used", "names"),
    [
        pytest.param((0, 4), {"n0"}, id="an empty node"),
        pytest.param((1, 3), {"n0"}, id="one pod for which there is room"),
        pytest.param((1, 4), set(), id="one pod for which there is none"),
        pytest.param((2, 2), set(), id="half of it in use is not little"),
        pytest.param((1,), set(), id="the only node"),
        pytest.param((1, 1), {"n0"}, id="of two only one: the other has both pods then"),
        pytest.param((1, 0), {"n1"}, id="an empty node rather than one with a pod to move"),
        # The first one's pod goes to the second, which has two to move then; the third has room for one.
        pytest.param((1, 1, 3, 4), {"n0"}, id="who takes in a pod has it to move"),
    ],
)
def test_a_node_can_be_done_without(used: tuple[int, ...], names: set[str]) -> None:
    assert unneeded([with_gpus(f"n{n}", count) for n, count in enumerate(used)], below=0.5) == names


def test_all_pods_of_a_node_must_find_room_or_none_moves() -> None:
    n0 = a_node("n0", {"nvidia.com/gpu": 1.0}, {"cpu": 30.0}, offers={"cpu": 30.0, "nvidia.com/gpu": 4.0})
    # The first pod would fit beside three others; the second fits nowhere, so that place is left for n2's.
    nodes = [
        n0,
        a_node("n1", *[{"cpu": 8.0, "nvidia.com/gpu": 1.0}] * 3),
        a_node("n2", {"cpu": 8.0, "nvidia.com/gpu": 1.0}),
    ]
    assert unneeded(nodes, below=0.5) == {"n2"}


def test_who_could_be_done_without_before_comes_first() -> None:
    nodes = [with_gpus("n0", 1), with_gpus("n1", 1)]
    nodes[1].note_unneeded(True, 60.0)
    assert unneeded(nodes, below=0.5) == {"n1"}


def test_where_nothing_is_emptied_only_empty_nodes_can_be_done_without() -> None:
    assert unneeded([with_gpus("n0", 1), with_gpus("n1", 1), with_gpus("n2", 0)], below=0.0) == {"n2"}


def test_nodes_that_boot_or_are_taken_back_are_no_place_to_go() -> None:
    booting, cordoned = with_gpus("n1", 0), with_gpus("n2", 1)
    booting.ready_since_s, cordoned.cordoned = None, True
    assert unneeded([with_gpus("n0", 1), booting, cordoned], below=0.5) == set()


def test_cpu_and_memory_tell_how_much_is_used_only_where_there_are_no_accelerators() -> None:
    assert utilisation(a_node("gpu", {"cpu": 30.0, "nvidia.com/gpu": 1.0})) == 0.25
    offers = {"cpu": 8.0, "memory": 100.0, "ephemeral-storage": 50.0}
    plain = a_node("cpu", {"cpu": 2.0, "memory": 60.0}, offers=offers)
    assert utilisation(plain) == pytest.approx(0.6)


def test_a_node_is_unneeded_since_it_is_empty_or_since_the_first_look_that_said_so() -> None:
    empty, lonely = with_gpus("n0", 0), with_gpus("n1", 1)
    empty.empty_since_s = 3.0
    for moment_s in (10.0, 20.0):
        empty.note_unneeded(True, moment_s)
        lonely.note_unneeded(True, moment_s)
    assert (empty.unneeded_since_s, lonely.unneeded_since_s) == (3.0, 10.0)
    lonely.note_unneeded(False, 30.0)
    assert lonely.unneeded_since_s is None
