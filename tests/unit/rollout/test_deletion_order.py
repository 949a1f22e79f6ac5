"""Which pods are named to go first."""

from plimsoll.domain import Pod, Target
from plimsoll.rollout.deletion_order import delete_first, pods_by_node
from unit.builders import NOW_S, a_deployment, a_pod, a_snapshot, a_variant


def on(node: str | None, name: str, age_s: float = 600.0, *, ready: bool = True, terminating: bool = False) -> Pod:
    return a_pod(name, node=node, created_s=NOW_S - age_s, ready=ready, terminating=terminating)


def first(pods: list[Pod], count: int, *, others: list[Pod] | None = None, empties_pay: bool = True) -> tuple[str, ...]:
    """The names for a variant with `pods`, next to another variant with `others`."""
    mine = a_variant("mine", replicas=len(pods), pods=tuple(pods))
    theirs = a_variant("theirs", pods=tuple(others or []))
    on_node = pods_by_node(a_snapshot([a_deployment(variants=[mine, theirs])]))
    return delete_first(mine, count, on_node, empties_pay=empties_pay)


def test_pods_whose_going_empties_a_node_go_first() -> None:
    pods = [on("full", "a", 10.0), on("full", "b", 10.0), on("lonely", "old", 9000.0)]
    assert first(pods, 1) == ("old",)


def test_a_node_that_others_use_is_not_emptied() -> None:
    pods = [on("shared", "a", 9000.0), on("own", "b", 100.0), on("own", "c", 50.0)]
    assert first(pods, 2, others=[on("shared", "x")]) == ("c", "b")


def test_a_node_is_emptied_whole_or_not_at_all() -> None:
    pods = [on("two", "a", 1.0), on("two", "b", 2.0), on("one", "c", 900.0), on(None, "d", 3.0)]
    # One node of one pod goes whole; of the other two pods only one may go, so the newest goes.
    assert first(pods, 2) == ("c", "a")


def test_without_nodes_to_give_back_the_newest_go_first() -> None:
    pods = [on("full", "a", 10.0), on("full", "b", 20.0), on("lonely", "old", 9000.0)]
    assert first(pods, 2, empties_pay=False) == ("a", "b")


def test_pods_that_are_not_ready_are_named_first_because_kubernetes_takes_them_first() -> None:
    pods = [on("lonely", "ready"), on("x", "starting", 5.0, ready=False), on(None, "pending", 2.0, ready=False)]
    assert first(pods, 2) == ("pending", "starting")
    assert first(pods, 3) == ("pending", "starting", "ready")


def test_pods_that_are_going_already_are_not_named() -> None:
    assert first([on("a", "going", terminating=True), on("b", "stays")], 2) == ("stays",)


def test_equal_pods_go_in_order_of_name() -> None:
    assert first([on("n", "b"), on("n", "a"), on("n", "c"), on(None, "z", 900.0)], 2) == ("a", "b")


def test_kinds_that_do_not_listen_are_not_told() -> None:
    target = Target("apps/v1", "StatefulSet", "team-a", "chat", owned=False)
    variant = a_variant("mine", replicas=2, target=target)
    assert delete_first(variant, 1, {}, empties_pay=True) == ()
