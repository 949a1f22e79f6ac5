"""A whole run: money and promises add up, metrics tell nearly the truth, and the same seed gives the same run."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from plimsoll.domain import DemandState, VariantKey
from plimsoll.simulator.policies import Observation, Wanted
from plimsoll.simulator.reckoning import reckon, sum_of_spans
from plimsoll.simulator.result import RunResult
from plimsoll.simulator.world import World
from unit.simulator.folders import STEADY, an_episode

KEY = VariantKey("team-a", "chat", "h100")


class Script:
    """A policy that wants what a script says from some moment on, and remembers what it saw."""

    interval_s = 30.0
    scrape_interval_s = 15.0

    def __init__(self, **wanted: int) -> None:
        self.wanted = {int(name.removeprefix("at_")): count for name, count in wanted.items()}
        self.seen: list[Observation] = []

    def decide(self, observation: Observation) -> Wanted:
        self.seen.append(observation)
        passed_s = observation.now_s - self.seen[0].now_s
        due = [count for at_s, count in sorted(self.wanted.items()) if at_s <= passed_s]
        return Wanted({KEY: due[-1]}, {KEY: "as written"}) if due else Wanted({})


def played(folder: Path, policy: Script, seed: int = 1, **spec: object) -> RunResult:
    episode = an_episode(folder, seed, **spec)
    world = World(episode, policy)
    world.play()
    return reckon(world, episode, "script", took_s=0.0)


def test_a_cluster_that_stands_still_costs_its_node_hours(tmp_path: Path) -> None:
    result = played(tmp_path, Script())
    # One replica on one node at 12 USD/h for half an hour.
    assert result.usd == pytest.approx(6.0)
    assert result.paid_usd == 0.0
    assert result.dropped == 0
    assert result.moves == ()
    assert result.requests == pytest.approx(2.0 * 1800.0, rel=0.05)
    assert result.tokens == pytest.approx(result.requests * 250.0, rel=0.1)
    assert result.slo_attainment > 0.99


def test_a_node_is_billed_from_its_request_on(tmp_path: Path) -> None:
    # Five replicas need a second node: wanted at 390 s, requested at the scan at 390 or 400 s, kept to the end.
    result = played(tmp_path, Script(at_300=5))
    assert result.usd == pytest.approx(6.0 + 12.0 * (1800.0 - 395.0) / 3600.0, abs=0.02)
    (move,) = result.moves
    assert (move.from_replicas, move.to_replicas, move.reason) == (1, 5, "as written")
    (pool,) = result.pools
    assert pool.usd_m.sum() == pytest.approx(result.usd)


def test_requests_without_any_replica_are_dropped_and_count_as_missed(tmp_path: Path) -> None:
    result = played(tmp_path, Script(at_300=0))
    # Gone at 390 s; what comes afterwards finds nobody.
    assert result.dropped / result.requests == pytest.approx((1800.0 - 390.0) / 1800.0, abs=0.03)
    assert result.slo_attainment == pytest.approx(390.0 / 1800.0, abs=0.03)
    model = result.models[0]
    assert model.within_slo_m[-1] == 0.0
    assert np.isinf(model.latencies[0].p50_ms_m[-1])
    assert model.replicas_m["h100"][[0, -1]].tolist() == [1.0, 0.0]


def test_replicas_are_held_within_the_manifests_bounds(tmp_path: Path) -> None:
    result = played(tmp_path, Script(at_60=500))
    assert result.moves[0].to_replicas == 20


def test_metrics_tell_nearly_the_truth(tmp_path: Path) -> None:
    policy = Script()
    played(tmp_path, policy)
    demands = [one.snapshot.deployments[0].demand for one in policy.seen]
    assert {one.state for one in demands} == {DemandState.KNOWN}
    rates = np.array([one.arrival_rate_rps for one in demands])
    assert rates.mean() == pytest.approx(2.0, rel=0.05)
    tokens = demands[-1].tokens
    assert tokens is not None
    assert tokens.prompt_tokens_mean == pytest.approx(200.0, rel=0.2)
    (variant,) = policy.seen[-1].snapshot.deployments[0].variants
    assert variant.ready_replicas == 1
    assert variant.latencies[0].value_ms > 0.0


def test_no_replica_and_no_gateway_means_unknown_demand_never_zero(tmp_path: Path) -> None:
    policy = Script(at_60=0)
    played(tmp_path, policy)
    assert policy.seen[-1].snapshot.deployments[0].demand.state is not DemandState.KNOWN


def test_a_gateway_sees_demand_without_any_replica(tmp_path: Path) -> None:
    policy = Script(at_60=0)
    played(tmp_path, policy, model={"demand": {"engine": "Gateway"}})
    last = policy.seen[-1]
    assert last.snapshot.deployments[0].demand.arrival_rate_rps == pytest.approx(2.0, rel=0.4)
    # A minute's worth of clients waits: two a second for 60 s.
    assert last.queued[KEY.deployment_key] == pytest.approx(120.0, rel=0.3)
    assert last.rate_rps(KEY.deployment_key, 300.0) == pytest.approx(2.0, rel=0.15)


def test_other_autoscalers_see_concurrency(tmp_path: Path) -> None:
    policy = Script()
    played(tmp_path, policy)
    last = policy.seen[-1]
    seen = last.concurrency(KEY, 300.0)
    assert seen is not None
    assert seen > 0.0
    scrape = last.latest(KEY)
    assert scrape is not None
    assert scrape.pods == tuple(pod.name for pod in last.snapshot.deployments[0].variants[0].pods)


def test_the_same_seed_gives_the_same_run_and_another_one_another(tmp_path: Path) -> None:
    spec = {"profileError": 0.1, "cluster": {"bootSpread": 0.2}, "hours": 0.3}
    first, again, other = (played(tmp_path, Script(at_60=5), seed, **spec) for seed in (1, 1, 2))
    figures = [(one.usd, one.slo_attainment, one.tokens, one.moves) for one in (first, again, other)]
    assert figures[0] == figures[1]
    assert figures[0] != figures[2]


def test_true_coefficients_are_as_far_from_the_profile_as_the_scenario_says(tmp_path: Path) -> None:
    logs = []
    for seed in range(200):
        episode = an_episode(tmp_path, seed, profileError=0.1, hours=0.01)
        stated = episode.deployments[0].variants[0].profile.step_time.alpha_ms
        logs.append(np.log(episode.true_profiles[KEY].step_time.alpha_ms / stated))
    assert np.std(logs) == pytest.approx(0.1, rel=0.2)
    assert abs(np.mean(logs)) < 0.03
    assert an_episode(tmp_path, 1).true_profiles[KEY].step_time.alpha_ms == stated


def test_every_slo_counts_for_each_request(tmp_path: Path) -> None:
    tight = {"slo": {"ttft": {"p95": "800ms"}, "tpot": {"p95": "1ms"}}}
    # No step is as short as 1 ms, so only requests of one token are within.
    assert played(tmp_path, Script(), model=tight).slo_attainment < 0.05


def test_spans_are_shared_out_to_minutes() -> None:
    # From 30 s to 150 s: half of the first minute, all of the second, half of the third.
    assert sum_of_spans([(30.0, 150.0)], 240.0, 4).tolist() == [0.5, 1.0, 0.5, 0.0]


def test_a_run_without_any_request_keeps_everything(tmp_path: Path) -> None:
    nothing = [{"deployment": "chat", "generated": {**STEADY, "meanRps": 0.0}}]
    result = played(tmp_path, Script(), demand=nothing, hours=0.1)
    assert (result.requests, result.slo_attainment) == (0, 1.0)
    assert replace(result, tokens=0.0).usd_per_million_tokens == np.inf
