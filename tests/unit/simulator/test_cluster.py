"""Nodes come when pods find no room, go when they are empty or could be, cost in between, and may be taken away."""

import json
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from plimsoll.domain import Pool, PriceKind, Variant, VariantKey
from plimsoll.simulator.agenda import Agenda
from plimsoll.simulator.cluster import SimPod, SimulatedCluster
from plimsoll.simulator.scenario import ClusterFacts
from unit.builders import a_pool, a_profile, a_variant

QUIET = {"bootSpread": 0.0, "startupSpread": 0.0}
STARTUP_S, BOOT_S = 60.0, 200.0


@dataclass
class Listener:
    """Notes what it is told; every pod needs `drain_s` to finish."""

    drain_s: float = 0.0
    told: list[tuple[str, float]] = field(default_factory=list)

    def pod_ready(self, pod: SimPod, now_s: float) -> None:
        self.told.append((f"ready {pod.name}", now_s))

    def pod_terminating(self, pod: SimPod, now_s: float) -> float:
        self.told.append((f"drains {pod.name}", now_s))
        return now_s + self.drain_s

    def pod_gone(self, pod: SimPod, now_s: float) -> None:
        self.told.append((f"gone {pod.name}", now_s))


@dataclass
class Stage:
    """One pool of nodes with two GPUs, one variant that takes one."""

    cluster: SimulatedCluster
    agenda: Agenda
    listener: Listener
    key: VariantKey
    pool: Pool

    def scale(self, at_s: float, count: int, *first: str) -> None:
        self.agenda.note(at_s, lambda now_s: self.cluster.set_replicas(self.key, count, frozenset(first), now_s))

    def play(self, until_s: float) -> list[tuple[str, float]]:
        for _ in self.agenda.until(until_s):
            pass
        return self.listener.told

    def nodes(self) -> list[str]:
        return sorted(self.cluster.nodes[self.pool.name])


def a_stage(facts: dict[str, Any] | None = None, begin: int = 0, drain_s: float = 0.0, **pool: Any) -> Stage:
    node = {"cpu": 16.0, "nvidia.com/gpu": 2.0}
    one = a_pool(**{"node_resources": node, "provisioning_s": BOOT_S, "max_nodes": 4, **pool})
    variant: Variant = a_variant(
        profile=a_profile(startup_s=STARTUP_S), per_replica={"cpu": 4.0, "nvidia.com/gpu": 1.0}, pool=one.name
    )
    agenda, listener = Agenda(), Listener(drain_s)
    spec = ClusterFacts.model_validate_json(json.dumps({**QUIET, **(facts or {})}))
    cluster = SimulatedCluster([one], [variant], spec, agenda, listener, np.random.default_rng(1))
    cluster.begin({variant.key: begin})
    return Stage(cluster, agenda, listener, variant.key, one)


def test_a_pod_without_room_gets_a_node_at_the_next_scan_and_is_ready_after_boot_and_start() -> None:
    stage = a_stage()
    stage.scale(5.0, 1)
    told = stage.play(1000.0)
    # Scans come every 10 s: requested at 10, there at 210, ready at 270.
    assert [moment for _, moment in told] == [10.0 + BOOT_S + STARTUP_S]
    (node,) = stage.cluster.nodes[stage.pool.name].values()
    assert node.requested_s == 10.0  # from then on it is on the bill


def test_pods_share_nodes_and_no_more_are_asked_for_than_needed() -> None:
    stage = a_stage()
    stage.scale(5.0, 3)
    stage.play(1000.0)
    assert len(stage.nodes()) == 2  # two GPUs each


def test_no_more_nodes_are_asked_for_than_the_pool_may_have() -> None:
    stage = a_stage(max_nodes=1)
    stage.scale(5.0, 3)
    told = stage.play(1000.0)
    assert len(stage.nodes()) == 1
    assert len(told) == 2


def test_replicas_at_the_start_are_ready_on_ready_nodes() -> None:
    stage = a_stage(begin=3)
    assert [moment for _, moment in stage.listener.told] == [0.0, 0.0, 0.0]
    assert len(stage.nodes()) == 2


def test_an_empty_node_goes_after_its_delay_and_is_billed_until_then() -> None:
    stage = a_stage({"emptyNodeRemoval": "5m", "delayAfterAdd": "0s"}, begin=1)
    stage.scale(100.0, 0)
    stage.play(1000.0)
    assert stage.nodes() == []
    assert stage.cluster.lifetimes[stage.pool.name] == [(0.0, 400.0)]


def test_no_node_goes_soon_after_one_came() -> None:
    stage = a_stage({"emptyNodeRemoval": "1m", "delayAfterAdd": "20m"}, begin=1)
    stage.scale(10.0, 3)
    stage.scale(400.0, 0)
    stage.play(10.0 + 1200.0)
    assert len(stage.nodes()) == 2
    stage.play(1300.0)
    assert stage.nodes() == []


def test_the_pools_minimum_always_stands() -> None:
    stage = a_stage({"emptyNodeRemoval": "1m", "delayAfterAdd": "0s"}, min_nodes=1)
    stage.play(1000.0)
    assert len(stage.nodes()) == 1
    assert stage.cluster.lifetimes[stage.pool.name] == []


def test_nodes_that_are_paid_for_are_all_there_and_stay() -> None:
    stage = a_stage(price_kind=PriceKind.PAID, max_nodes=3)
    stage.play(3000.0)
    assert len(stage.nodes()) == 3


def test_a_sold_out_pool_delivers_nothing_and_is_asked_again_after_the_backoff() -> None:
    facts = {"pools": {"gpu-h100": {"stockOuts": [{"begin": "0s", "lasts": "250s"}]}}}
    stage = a_stage(facts)
    stage.scale(5.0, 1)
    told = stage.play(2000.0)
    # Refused at 10 s, asked again 300 s later.
    assert [moment for _, moment in told] == [310.0 + BOOT_S + STARTUP_S]


@pytest.mark.parametrize(
    ("sold_out_until_s", "requested_s"),
    [
        # Refused at 10 s: asked again after 300 s, then after twice as long each time.
        (300, 310.0),
        (800, 910.0),
        (1000, 2110.0),
        # 2400 s would be next, but the longest wait is half an hour, and stays.
        (2200, 3910.0),
        (4000, 5710.0),
    ],
)
def test_the_backoff_doubles_up_to_half_an_hour(sold_out_until_s: int, requested_s: float) -> None:
    stage = a_stage({"pools": {"gpu-h100": {"stockOuts": [{"begin": "0s", "lasts": f"{sold_out_until_s}s"}]}}})
    stage.scale(5.0, 1)
    stage.play(7000.0)
    assert [node.requested_s for node in stage.cluster.nodes[stage.pool.name].values()] == [requested_s]


def test_a_node_that_came_ends_the_backoff() -> None:
    outs = [{"begin": "0s", "lasts": "800s"}, {"begin": "1500s", "lasts": "200s"}]
    stage = a_stage({"pools": {"gpu-h100": {"stockOuts": outs}}})
    stage.scale(5.0, 1)
    stage.scale(1495.0, 3)
    stage.play(7000.0)
    # Refused at 10 and 310 s, granted at 910 s; refused anew at 1500 s, and asked again after 300 s as at first.
    requested = [node.requested_s for node in stage.cluster.nodes[stage.pool.name].values()]
    assert requested == [910.0, 1800.0]


def test_boots_spread_around_the_pools_time_by_the_sigma_of_the_logarithm() -> None:
    stage = a_stage({"bootSpread": 0.3}, max_nodes=200)
    stage.scale(5.0, 400)
    stage.play(3000.0)
    nodes = stage.cluster.nodes[stage.pool.name].values()
    logs = np.log([(node.ready_since_s or np.nan) - node.requested_s for node in nodes])
    assert len(logs) == 200
    assert logs.std() == pytest.approx(0.3, rel=0.15)
    # Half of them take longer than the pool says: the mean of the logarithm, within three standard errors.
    assert logs.mean() == pytest.approx(np.log(BOOT_S), abs=3 * 0.3 / 200**0.5)


def test_starts_spread_around_the_profiles_time_by_the_sigma_of_the_logarithm() -> None:
    stage = a_stage({"startupSpread": 0.2}, max_nodes=100, min_nodes=100)
    stage.play(BOOT_S + 100.0)
    stage.scale(400.0, 200)
    told = stage.play(3000.0)
    logs = np.log([moment - 400.0 for name, moment in told if name.startswith("ready")])
    assert len(logs) == 200
    assert logs.std() == pytest.approx(0.2, rel=0.15)
    assert logs.mean() == pytest.approx(np.log(STARTUP_S), abs=3 * 0.2 / 200**0.5)


def test_a_terminating_pod_stays_until_it_is_done_or_its_grace_is_over() -> None:
    patient = a_stage({"terminationGrace": "2m"}, begin=1, drain_s=30.0)
    patient.scale(100.0, 0)
    assert patient.play(1000.0)[-1][1] == 130.0
    hurried = a_stage({"terminationGrace": "2m"}, begin=1, drain_s=500.0)
    hurried.scale(100.0, 0)
    assert hurried.play(1000.0)[-1][1] == 220.0


def test_an_interrupted_node_drains_within_its_notice_and_its_pods_are_replaced() -> None:
    facts = {"interruptionNotice": "2m", "pools": {"gpu-h100": {"interruptions": [{"at": "100s"}]}}}
    stage = a_stage(facts, begin=1, drain_s=500.0, price_kind=PriceKind.SPOT)
    told = stage.play(1000.0)
    # The new node is requested at the scan at 100 s, which comes first, or at 110 s.
    assert ("drains chat-h100-1", 100.0) in told or told[1][1] == 100.0
    assert told[2][1] == 220.0
    assert told[3][0].startswith("ready")
    assert 100.0 + BOOT_S + STARTUP_S <= told[3][1] <= 110.0 + BOOT_S + STARTUP_S
    assert stage.cluster.lifetimes[stage.pool.name] == [(0.0, 220.0)]


@pytest.mark.parametrize(("share", "taken"), [(0.3, 1), (0.5, 2), (1.0, 3)])
def test_an_interruption_takes_its_share_of_the_nodes_rounded_up_and_the_oldest_first(share: float, taken: int) -> None:
    facts = {"interruptionNotice": "2m", "pools": {"gpu-h100": {"interruptions": [{"at": "1005s", "share": share}]}}}
    stage = a_stage(facts, begin=2, price_kind=PriceKind.SPOT, max_nodes=3)
    stage.scale(100.0, 4)
    stage.scale(500.0, 6)
    # Three nodes, there since 0, 100 and 500 s.
    stage.play(1125.0 + 1.0)
    gone = [begin_s for begin_s, _ in stage.cluster.lifetimes[stage.pool.name]]
    assert gone == [0.0, 100.0, 500.0][:taken]
    assert {end_s for _, end_s in stage.cluster.lifetimes[stage.pool.name]} == {1125.0}


def test_spot_nodes_are_taken_at_the_pools_rate() -> None:
    stage = a_stage(price_kind=PriceKind.SPOT, interruptions_per_hour=1.0, min_nodes=4, max_nodes=4)
    stage.play(200 * 3600.0)
    # Four nodes, each taken after an hour on average and back 200 s later (and a scan): some 4 * 200 / 1.06.
    assert len(stage.cluster.lifetimes[stage.pool.name]) == pytest.approx(755, rel=0.1)


def test_pods_that_are_not_ready_go_first_then_those_that_were_named() -> None:
    stage = a_stage(begin=2)
    names = [name.removeprefix("ready ") for name, _ in stage.listener.told]
    stage.scale(100.0, 3)  # the third one waits for its node
    stage.scale(150.0, 2)
    stage.scale(160.0, 1, names[0])
    told = stage.play(1000.0)
    gone = [name.removeprefix("gone ") for name, _ in told if name.startswith("gone")]
    assert gone[0] not in names
    assert gone[1] == names[0]


@pytest.mark.parametrize(("scoring", "nodes_in_use"), [("LeastAllocated", 2), ("MostAllocated", 1)])
def test_the_scheduler_spreads_or_packs(scoring: str, nodes_in_use: int) -> None:
    stage = a_stage({"scoring": scoring}, min_nodes=2)
    stage.scale(5.0, 2)
    stage.play(100.0)
    assert sum(bool(node.pods) for node in stage.cluster.nodes[stage.pool.name].values()) == nodes_in_use


# --- Nodes of which little is used --------------------------------------------------------------------------------


def a_wide_stage(begin: int, facts: dict[str, Any] | None = None, **pool: Any) -> Stage:
    """Nodes of four GPUs, that go after five minutes."""
    removal = {"emptyNodeRemoval": "5m", "delayAfterAdd": "0s", **(facts or {})}
    return a_stage(removal, begin=begin, node_resources={"cpu": 64.0, "nvidia.com/gpu": 4.0}, **pool)


def a_lonely_stage(facts: dict[str, Any] | None = None, nodes: int = 2, **pool: Any) -> Stage:
    """All nodes are full but the last, which has one pod; at second 10 a pod of the first node goes."""
    begin = 4 * (nodes - 1) + 1
    stage = a_wide_stage(begin, facts, **pool)
    stage.scale(10.0, begin - 1, "chat-h100-1")
    return stage


def test_a_node_of_which_little_is_used_is_emptied_where_its_pods_fit_on_others() -> None:
    stage = a_lonely_stage()
    told = stage.play(1000.0)
    # Seen at the scan at 20; after five minutes its pod ends, and another starts beside the three that are left.
    assert told[-3:] == [("drains chat-h100-5", 320.0), ("gone chat-h100-5", 320.0), ("ready chat-h100-6", 380.0)]
    assert stage.nodes() == [f"{stage.pool.name}-n1"]
    assert stage.cluster.lifetimes[stage.pool.name] == [(0.0, 320.0)]


def test_a_node_that_is_emptied_goes_with_its_last_request() -> None:
    stage = a_lonely_stage()
    stage.listener.drain_s = 45.0
    stage.play(1000.0)
    # The pod of second 10 is gone at 55, so there is room from the scan at 60 on; from 360 on the lonely one drains.
    assert stage.cluster.lifetimes[stage.pool.name] == [(0.0, 405.0)]


def test_a_lonely_pod_stays_where_no_node_is_emptied() -> None:
    stage = a_lonely_stage({"consolidationBelow": 0.0})
    stage.play(1000.0)
    assert len(stage.nodes()) == 2


def test_a_lonely_pod_stays_and_its_node_is_not_avoided_where_the_pool_keeps_as_many_nodes() -> None:
    stage = a_lonely_stage(min_nodes=2)
    # Both nodes are there from the start, so that pods spread: two and one are left.
    stage.scale(12.0, 3, *(f"chat-h100-{n}" for n in (1, 2, 3, 4)))
    stage.scale(900.0, 4)
    stage.play(1000.0)
    assert stage.cluster.lifetimes[stage.pool.name] == []
    assert sorted(len(node.pods) for node in stage.cluster.nodes[stage.pool.name].values()) == [2, 2]


def test_an_empty_node_goes_rather_than_one_with_a_pod_where_two_must_stay() -> None:
    stage = a_wide_stage(9, min_nodes=2, max_nodes=3)
    # One pod is left on the first node, two on the second, and none on the third.
    stage.scale(12.0, 3, *(f"chat-h100-{n}" for n in (3, 5, 6, 7, 8, 9)))
    told = stage.play(1000.0)
    assert [moment for what, moment in told if what.startswith("drains")] == [12.0] * 6
    assert len(stage.cluster.lifetimes[stage.pool.name]) == 1
    assert stage.nodes() == [f"{stage.pool.name}-n{n}" for n in (1, 2)]


def test_a_spot_node_that_is_emptied_goes_with_the_providers_notice_at_the_latest() -> None:
    taken = {"pools": {"gpu-h100": {"interruptions": [{"at": "330s"}]}}}
    facts = {"terminationGrace": "600s", "interruptionNotice": "60s", **taken}
    stage = a_lonely_stage(facts, price_kind=PriceKind.SPOT, interruptions_per_hour=0.0)
    stage.agenda.note(300.0, lambda _: setattr(stage.listener, "drain_s", 500.0))
    stage.play(2000.0)
    assert (0.0, 390.0) in stage.cluster.lifetimes[stage.pool.name]
    assert max(end_s for begin_s, end_s in stage.cluster.lifetimes[stage.pool.name] if begin_s == 0.0) == 390.0


def test_no_node_is_emptied_soon_after_one_came() -> None:
    stage = a_lonely_stage({"delayAfterAdd": "20m"}, max_nodes=3)
    stage.scale(30.0, 9)  # two nodes' worth and one: a third is asked for at second 30
    stage.scale(300.0, 4, *(f"chat-h100-{n}" for n in (2, 3, 4)))
    stage.play(30.0 + 1200.0 - 1.0)
    assert len(stage.nodes()) == 3
    stage.play(2000.0)
    assert len(stage.nodes()) == 1


def test_nodes_are_emptied_one_after_another() -> None:
    stage = a_lonely_stage(nodes=3, max_nodes=3)
    stage.scale(20.0, 4, *(f"chat-h100-{n}" for n in (2, 3, 5, 6)))  # two pods, one and one are left
    stage.listener.drain_s = 45.0
    told = stage.play(1000.0)
    ended = [moment for what, moment in told if what.startswith("drains") and moment > 100.0]
    gone = sorted(end_s for _, end_s in stage.cluster.lifetimes[stage.pool.name])
    assert len(ended) == len(gone) == 2
    assert ended[1] >= gone[0] == ended[0] + 45.0


def test_the_scheduler_avoids_a_node_that_is_to_be_emptied() -> None:
    stage = a_lonely_stage()
    stage.scale(100.0, 5)
    stage.play(200.0)
    # The lonely pod's node has more room, and would be taken but for its taint.
    assert sorted(len(node.pods) for node in stage.cluster.nodes[stage.pool.name].values()) == [1, 4]
    # There is no room for its pod now, so that it is needed again, and taken.
    stage.scale(220.0, 6)
    stage.scale(240.0, 5, "chat-h100-2")
    stage.scale(260.0, 6)
    stage.play(300.0)
    assert not any(node.avoided for node in stage.cluster.nodes[stage.pool.name].values())
