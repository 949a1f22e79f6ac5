"""When a pool counts as sold out, for how long, and what ends it."""

from typing import Any

import pytest

from plimsoll.domain import Memory, Pod, Pool, PriceKind, Snapshot, StockOut
from plimsoll.rollout import mark_stock_outs
from unit.builders import GPU_NODE, NOW_S, a_deployment, a_node, a_pod, a_pool, a_snapshot, a_variant

POOL = a_pool("gpu-h100", provisioning_s=180.0)


def waiting(for_s: float, **overrides: Any) -> Pod:
    return a_pod(ready=False, unschedulable_since_s=NOW_S - for_s, **overrides)


def a_look(pod: Pod | None = None, pool: Pool = POOL) -> Snapshot:
    pods = (pod,) if pod else ()
    return a_snapshot([a_deployment(variants=[a_variant("h100", replicas=1, pods=pods)])], [pool])


def remembered(*, since_s: float = 400.0, until_s: float = -100.0, failures: int = 1) -> Memory:
    """A mark that began `since_s` ago and ends `until_s` from now."""
    return Memory(stock_outs={"gpu-h100": StockOut(NOW_S - since_s, NOW_S + until_s, failures)})


def test_a_pod_that_waits_longer_than_provisioning_takes_marks_its_pool() -> None:
    # 180 s x 1.5.
    assert mark_stock_outs(a_look(waiting(270.0)), Memory()) == {}
    assert mark_stock_outs(a_look(waiting(271.0)), Memory()) == {"gpu-h100": StockOut(NOW_S, NOW_S + 300.0, 1)}


def test_a_pool_without_provisioning_time_is_given_half_a_minute() -> None:
    fixed = a_pool("gpu-h100", nodes=1, max_nodes=1, provisioning_s=0.0)
    assert mark_stock_outs(a_look(waiting(30.0), fixed), Memory()) == {}
    assert "gpu-h100" in mark_stock_outs(a_look(waiting(31.0), fixed), Memory())


@pytest.mark.parametrize(
    "pod",
    [
        waiting(900.0, terminating=True),
        waiting(900.0, node="gpu-h100-0"),
        a_pod(ready=False),
        a_pod(ready=True, unschedulable_since_s=NOW_S - 900.0),
    ],
    ids=["terminating", "placed", "starting", "ready"],
)
def test_pods_that_do_not_wait_for_a_node_mark_nothing(pod: Pod) -> None:
    assert mark_stock_outs(a_look(pod), Memory()) == {}


def test_a_mark_stands_until_it_ends() -> None:
    memory = remembered(since_s=100.0, until_s=200.0)
    assert mark_stock_outs(a_look(), memory) == memory.stock_outs
    assert mark_stock_outs(a_look(waiting(400.0)), memory) == memory.stock_outs


@pytest.mark.parametrize(("failures", "wait_s"), [(1, 600.0), (2, 1200.0), (3, 2400.0), (4, 3600.0), (30, 3600.0)])
def test_every_new_failure_doubles_the_wait_up_to_an_hour(failures: int, wait_s: float) -> None:
    marks = mark_stock_outs(a_look(waiting(400.0)), remembered(failures=failures))
    assert marks == {"gpu-h100": StockOut(NOW_S, NOW_S + wait_s, failures + 1)}


def test_a_mark_that_has_ended_is_remembered_for_an_hour_so_that_failures_add_up() -> None:
    recent = remembered(until_s=-3599.0)
    assert mark_stock_outs(a_look(), recent) == recent.stock_outs
    assert mark_stock_outs(a_look(), remembered(until_s=-3600.0)) == {}


def test_a_delivered_node_clears_the_mark_and_its_failures() -> None:
    memory = remembered(since_s=100.0, until_s=200.0, failures=3)
    new = a_pool("gpu-h100", nodes=(a_node("new", GPU_NODE, created_s=NOW_S - 50.0),))
    old = a_pool("gpu-h100", nodes=(a_node("old", GPU_NODE, created_s=NOW_S - 500.0),))
    booting = a_pool("gpu-h100", nodes=(a_node("new", GPU_NODE, created_s=NOW_S - 50.0, ready=False),))
    assert mark_stock_outs(a_look(pool=new), memory) == {}
    assert mark_stock_outs(a_look(pool=old), memory) == memory.stock_outs
    assert mark_stock_outs(a_look(pool=booting), memory) == memory.stock_outs


def test_after_a_restart_the_mark_in_the_status_counts() -> None:
    pool = a_pool("gpu-h100", stocked_out_until_s=NOW_S + 200.0)
    assert mark_stock_outs(a_look(pool=pool), Memory()) == {"gpu-h100": StockOut(NOW_S - 100.0, NOW_S + 200.0, 1)}


def test_a_status_that_lags_behind_is_not_read_while_memory_knows_better() -> None:
    pool = a_pool("gpu-h100", stocked_out_until_s=NOW_S + 200.0)
    look = a_look(pool=pool)
    running = Memory(targets={look.deployments[0].variants[0].key: ()})
    assert mark_stock_outs(look, running) == {}


def test_each_pool_is_marked_by_its_own_pods() -> None:
    other = a_pool("cpu-amx")
    fleet = [a_deployment(variants=[a_variant("h100", pods=(waiting(400.0),)), a_variant("xeon", pool="cpu-amx")])]
    assert set(mark_stock_outs(a_snapshot(fleet, [POOL, other]), Memory())) == {"gpu-h100"}


def interrupted(going: int, staying: int = 5, **overrides: Any) -> Snapshot:
    """A pool of which so many nodes are about to go, each with a pod on it."""
    nodes = [a_node(f"node-{n}", GPU_NODE, leaving=n < going) for n in range(going + staying)]
    pods = [a_pod(f"pod-{n}", node=f"node-{n}", leaving=n < going) for n in range(going + staying)]
    pool = a_pool("gpu-h100", nodes=tuple(nodes), **{"price_kind": PriceKind.SPOT, **overrides})
    return a_snapshot([a_deployment(variants=[a_variant("h100", replicas=len(pods), pods=tuple(pods))])], [pool])


def test_spot_that_takes_several_nodes_back_at_once_has_none_to_give() -> None:
    assert mark_stock_outs(interrupted(2), Memory()) == {"gpu-h100": StockOut(NOW_S, NOW_S + 300.0, 1)}


def test_nodes_that_take_long_to_go_are_no_further_failure() -> None:
    ended = remembered(since_s=400.0, until_s=-100.0)
    assert mark_stock_outs(interrupted(2), ended) == ended.stock_outs


@pytest.mark.parametrize(
    "snapshot",
    [interrupted(1, staying=1), interrupted(2, staying=7), interrupted(4, price_kind=PriceKind.ON_DEMAND)],
    ids=["a single one", "few of many", "maintenance on demand"],
)
def test_what_goes_singly_or_is_not_spot_is_replaced_in_its_pool(snapshot: Snapshot) -> None:
    assert mark_stock_outs(snapshot, Memory()) == {}
