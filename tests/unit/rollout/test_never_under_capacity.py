"""A toy cluster in which pods become ready whenever they like: no step of ours takes away what demand needs."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from plimsoll.domain import Memory, Step, Variant
from plimsoll.rollout import roll_out
from unit.builders import NOW_S, a_deployment, a_forecast, a_pod, a_policy, a_snapshot, a_variant, options_for
from unit.rollout.case import POOLS, RPS, an_allocation

TICK_S = 10.0
POLICY = a_policy(scale_down_stabilization_s=30.0, max_scale_down_replicas_per_tick=2)
MAX_REPLICAS = {"h100": 4, "xeon": 8}
MIN_REPLICAS = {"h100": 0, "xeon": 1}


@dataclass
class ToyCluster:
    """Targets with pods; a Deployment controller that removes unready pods first, then those it is told to."""

    delays: Iterator[float]
    now_s: float = NOW_S
    made: int = 0
    pods: dict[str, dict[str, float]] = field(default_factory=lambda: {"h100": {}, "xeon": {}})
    """By variant and pod name, when the pod becomes ready."""

    def variant(self, name: str) -> Variant:
        pods = tuple(a_pod(pod, ready=at_s <= self.now_s) for pod, at_s in self.pods[name].items())
        return replace(
            a_variant(name, pool="gpu-h100" if name == "h100" else "cpu-amx", replicas=len(pods), pods=pods),
            min_replicas=MIN_REPLICAS[name],
            max_replicas=MAX_REPLICAS[name],
        )

    def ready_rps(self) -> float:
        return sum(RPS[name] * sum(at_s <= self.now_s for at_s in pods.values()) for name, pods in self.pods.items())

    def apply(self, step: Step) -> None:
        pods = self.pods[step.key.variant]
        assert len(pods) == step.from_replicas
        for _ in range(step.to_replicas - step.from_replicas):
            self.made += 1
            pods[f"{step.key.variant}-{self.made}"] = self.now_s + next(self.delays)
        order = sorted(pods, key=lambda pod: (pods[pod] <= self.now_s, pod not in step.delete_first, pod))
        for pod in order[: max(0, step.from_replicas - step.to_replicas)]:
            del pods[pod]


Phase = tuple[float, int, int]
anything = st.tuples(
    st.sampled_from([0.0, 1.0, 4.0, 9.0, 14.0, 22.0]),
    st.integers(0, MAX_REPLICAS["h100"]),
    st.integers(MIN_REPLICAS["xeon"], MAX_REPLICAS["xeon"]),
)
# 14 req/s are 3 h100 (18) or 7 xeons (14): moves to and fro, where most can go wrong.
moves: st.SearchStrategy[Phase] = st.sampled_from([(14.0, 3, 1), (14.0, 0, 7), (14.0, 2, 1), (4.0, 0, 2)])
phases_of_ticks = st.lists(anything | moves, min_size=2, max_size=10)
"""Demand, and what the planner wants of both variants, each for five ticks."""
delays = st.lists(st.sampled_from([0.0, 5.0, 25.0, 70.0, 1e9]), min_size=1, max_size=8)
"""When new pods become ready, in turn; some never do."""


def cycle(values: list[float]) -> Iterator[float]:
    while True:
        yield from values


@settings(max_examples=80, deadline=2000)
@given(phases_of_ticks, delays)
@example([(14.0, 3, 1), (14.0, 0, 7)], [0.0, 0.0, 0.0, 0.0, 1e9])
def test_no_step_takes_ready_capacity_below_demand(phases: list[Phase], delays: list[float]) -> None:
    cluster, memory = ToyCluster(cycle(delays)), Memory()
    for rps, h100, xeon in (phase for phase in phases for _ in range(5)):
        cluster.now_s += TICK_S
        chat = a_deployment(variants=[cluster.variant("h100"), cluster.variant("xeon")], rps=rps, policy=POLICY)
        covered_rps = min(rps, RPS["h100"] * h100 + RPS["xeon"] * xeon)
        rollout = roll_out(
            a_snapshot([chat], POOLS, now_s=cluster.now_s),
            {chat.key: a_forecast(chat)},
            options_for([chat], RPS),
            an_allocation(chat, {"h100": h100, "xeon": xeon}, shortfall_rps=rps - covered_rps),
            {},
            memory,
        )
        memory = Memory(targets=rollout.targets)
        before_rps = cluster.ready_rps()
        for step in rollout.steps:
            cluster.apply(step)
            name = step.key.variant
            assert MIN_REPLICAS[name] <= step.to_replicas <= MAX_REPLICAS[name]
            assert step.to_replicas != step.from_replicas
        assert cluster.ready_rps() >= min(before_rps, rps) - 1e-4
        assert set(rollout.reasons) == {variant.key for variant in chat.variants}


@settings(max_examples=20, deadline=2000)
@given(
    st.sampled_from([0.0, 4.0, 9.0]),
    st.integers(0, MAX_REPLICAS["h100"]),
    st.integers(MIN_REPLICAS["xeon"], MAX_REPLICAS["xeon"]),
    st.integers(0, MAX_REPLICAS["h100"]),
    st.integers(0, MAX_REPLICAS["xeon"]),
)
def test_a_plan_that_stands_is_reached(rps: float, h100: int, xeon: int, had_h100: int, had_xeon: int) -> None:
    wanted = {"h100": h100, "xeon": xeon}
    assume(rps <= sum(RPS[name] * n for name, n in wanted.items()))
    cluster, memory = ToyCluster(cycle([25.0])), Memory()
    for name, had in (("h100", had_h100), ("xeon", had_xeon)):
        cluster.pods[name] = {f"{name}-old-{i}": 0.0 for i in range(had)}
    for _ in range(20):
        cluster.now_s += TICK_S
        chat = a_deployment(variants=[cluster.variant("h100"), cluster.variant("xeon")], rps=rps, policy=POLICY)
        rollout = roll_out(
            a_snapshot([chat], POOLS, now_s=cluster.now_s),
            {chat.key: a_forecast(chat)},
            options_for([chat], RPS),
            an_allocation(chat, wanted),
            {},
            memory,
        )
        memory = Memory(targets=rollout.targets)
        for step in rollout.steps:
            cluster.apply(step)
    assert {name: len(pods) for name, pods in cluster.pods.items()} == wanted
    assert rollout.steps == ()
