"""First fit node by node, on floors that can be drawn on paper."""

from plimsoll.domain import PriceKind, Resources
from plimsoll.planning.packing import pack, pack_around
from plimsoll.planning.problem import Problem
from plimsoll.planning.room import MAX_PODS_PER_NODE, fits
from plimsoll.planning.statement import state_problem
from unit.builders import a_deployment, a_forecast, a_node, a_pod, a_pool, a_snapshot, a_variant, options_for
from unit.planning.case import counts, plan

TEN_CORES: Resources = {"cpu": 10.0}


def problem_of(
    sizes: dict[str, float], *, max_nodes: int = 3, nodes: int = 0, seats: dict[str, str] | None = None
) -> Problem:
    """One deployment for each size, all on one pool of ten-core nodes; `seats` puts one pod of some onto a node."""
    fleet = [
        a_deployment(
            name,
            variants=[
                a_variant(
                    "v",
                    pool="cpu",
                    per_replica={"cpu": cores},
                    replicas=1 if name in (seats or {}) else 0,
                    pods=tuple(a_pod(node=seats[name]) for _ in [0] if seats and name in seats),
                )
            ],
        )
        for name, cores in sizes.items()
    ]
    pool = a_pool("cpu", nodes=nodes, max_nodes=max_nodes, node_resources=TEN_CORES)
    forecasts = {deployment.key: a_forecast(deployment) for deployment in fleet}
    return state_problem(a_snapshot(fleet, [pool]), forecasts, options_for(fleet, {"v": 1.0}), {}, {})


def test_the_largest_replicas_are_seated_first() -> None:
    problem = problem_of({"a": 3.0, "b": 7.0, "c": 5.0})
    packed = pack(problem.rooms["cpu"], [(choice, 2) for choice in problem.choices])
    # 7 + 3, 7 + 3, 5 + 5.
    assert (packed.seated, packed.nodes) == ((2, 2, 2), 3)


def test_replicas_beyond_the_last_node_find_no_seat() -> None:
    problem = problem_of({"a": 6.0}, max_nodes=2)
    assert pack(problem.rooms["cpu"], [(problem.choices[0], 5)]).seated == (2,)


def test_pods_that_are_there_keep_their_seats() -> None:
    problem = problem_of({"a": 6.0, "b": 6.0, "c": 8.0}, nodes=2, max_nodes=2, seats={"a": "cpu-0", "b": "cpu-1"})
    wanted = [(choice, 1, 100) for choice in problem.choices]
    # 4 cores are left on each node: c finds no seat, although it is the largest.
    assert pack_around(problem.rooms["cpu"], wanted).seated == (1, 1, 0)
    assert pack(problem.rooms["cpu"], [(choice, 1) for choice in problem.choices]).seated == (1, 0, 1)


def test_new_pods_go_to_nodes_in_use_before_they_open_another() -> None:
    problem = problem_of({"a": 2.0, "b": 2.0}, nodes=3, seats={"a": "cpu-2"})
    packed = pack_around(problem.rooms["cpu"], [(choice, 1, 100) for choice in problem.choices])
    assert packed.nodes == 1


def test_a_lowered_maximum_counts_the_nodes_that_are_present() -> None:
    problem = problem_of({"a": 10.0}, nodes=4, max_nodes=2)
    assert pack(problem.rooms["cpu"], [(problem.choices[0], 4)]).seated == (2,)


def test_replicas_that_ask_for_nothing_are_bound_by_pods_per_node() -> None:
    problem = problem_of({"a": 0.0}, max_nodes=1)
    assert fits((10.0,), (0.0,)) == MAX_PODS_PER_NODE
    assert pack(problem.rooms["cpu"], [(problem.choices[0], 500)]).seated == (MAX_PODS_PER_NODE,)


def test_rounding_does_not_cost_a_slot() -> None:
    # 0.3 / 0.1 is 2.9999999999999996 in binary.
    assert fits((0.3,), (0.1,)) == 3
    assert fits((0.0,), (0.1,)) == 0


def test_a_plan_counts_on_room_that_pods_really_leave() -> None:
    node = {"cpu": 64.0}
    spread = tuple(a_pod(f"old-{i}", node=f"node-{i}") for i in range(2))
    old = a_variant("old", pool="cpu-amx", replicas=2, pods=spread, per_replica={"cpu": 40.0}, pinned=True)
    pool = a_pool(
        "cpu-amx",
        nodes=tuple(a_node(f"node-{i}", node) for i in range(2)),
        node_resources=node,
        max_nodes=2,
        price_kind=PriceKind.PAID,
    )
    fleet = [
        a_deployment("old", variants=[old], rps=2.0),
        a_deployment("new", variants=[a_variant("new", pool="cpu-amx", per_replica={"cpu": 30.0})], rps=2.0),
    ]
    allocation = plan(fleet, [pool], {"old": 1.0, "new": 1.0})
    # 24 cores are free on each of both nodes, 48 in all; none of the new replicas of 30 cores finds a seat.
    assert counts(allocation) == {"old/old": 2}
    assert allocation.shortfall_rps == {fleet[1].key: 2.0}


def test_bookkeeping_of_seats_survives_pods_on_unknown_nodes() -> None:
    problem = problem_of({"a": 6.0}, nodes=1, max_nodes=1, seats={"a": "gone"})
    assert pack_around(problem.rooms["cpu"], [(problem.choices[0], 1, 0)]).seated == (1,)
