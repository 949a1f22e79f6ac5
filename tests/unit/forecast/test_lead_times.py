"""How long a new replica takes: its start-up, and the node's boot only where no node has room."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from plimsoll.domain import Node, Pod, Pool
from unit.builders import GPU_NODE, GPU_REPLICA, a_deployment, a_node, a_pod, a_pool, a_variant
from unit.forecast.histories import a_past

RISE = [10.0 + 0.1 * tick for tick in range(61)]
"""Ends at 16 req/s and rises by .01 req/s per s, so 1 req/s more is a lead time of 100 s."""


def _lead_s(pools: Sequence[Pool], pods: tuple[Pod, ...] = (), **overrides: Any) -> float:
    variant = a_variant(pool="gpu-h100", startup_s=60.0, pods=pods, **overrides)
    found = a_past(*RISE, deployment=a_deployment(variants=[variant]), pools=pools).forecast
    return (found.at_lead_rps["h100"] - 16.0) * 100.0


def _pool(*nodes: Node, provisioning_s: float = 180.0) -> Pool:
    return a_pool("gpu-h100", nodes=nodes, provisioning_s=provisioning_s)


FULL_FOREIGN = {"nvidia.com/gpu": 4.0}
BUSY = tuple(a_pod(f"h100-{i}", node="node-0") for i in range(4))


@pytest.mark.parametrize(
    ("pool", "pods", "expected_s"),
    [
        pytest.param(_pool(a_node()), (), 60.0, id="a free node"),
        pytest.param(_pool(), (), 240.0, id="no node at all"),
        pytest.param(_pool(a_node(ready=False)), (), 240.0, id="a node that is not ready"),
        pytest.param(_pool(a_node(schedulable=False)), (), 240.0, id="a cordoned node"),
        pytest.param(_pool(a_node(foreign_requests=FULL_FOREIGN)), (), 240.0, id="taken by others"),
        pytest.param(_pool(a_node(resources={"cpu": 64.0})), (), 240.0, id="a node without such a device"),
        pytest.param(_pool(a_node()), BUSY, 240.0, id="taken by its own pods"),
        pytest.param(_pool(a_node()), BUSY[:3], 60.0, id="one device left"),
        pytest.param(_pool(a_node(), a_node("node-1")), BUSY, 60.0, id="another node is free"),
        pytest.param(_pool(a_node()), (a_pod(node=None),) * 4, 60.0, id="pods without a node take nothing"),
        pytest.param(_pool(provisioning_s=0.0), (), 60.0, id="a pool that boots nothing"),
    ],
)
def test_the_boot_of_a_node_counts_only_where_no_ready_node_has_room(
    pool: Pool, pods: tuple[Pod, ...], expected_s: float
) -> None:
    assert _lead_s([pool], pods) == pytest.approx(expected_s)


def test_room_is_counted_over_all_deployments() -> None:
    pods = tuple(a_pod(f"other-{i}", node="node-0") for i in range(4))
    other = a_deployment("other", variants=[a_variant(pods=pods)])
    chat = a_deployment("chat", variants=[a_variant(startup_s=60.0)])
    past = a_past(*RISE, deployment=chat, pools=[_pool(a_node())])
    alone = past.forecast.at_lead_rps["h100"]

    crowded = replace(past, snapshot=replace(past.snapshot, deployments=(past.deployment, other)))

    assert alone == pytest.approx(16.6)
    assert crowded.forecast.at_lead_rps["h100"] == pytest.approx(18.4)


def test_a_pool_that_is_not_known_adds_no_boot() -> None:
    assert _lead_s([]) == pytest.approx(60.0)


def test_a_replica_that_fits_exactly_has_room() -> None:
    # 3 x 0.1 cores are more than 0.3 by rounding.
    node = a_node(resources={**GPU_NODE, "cpu": 0.1 + 0.1 + 0.1}, foreign_requests={"cpu": 0.2})
    assert _lead_s([_pool(node)], per_replica={**GPU_REPLICA, "cpu": 0.1}) == pytest.approx(60.0)
