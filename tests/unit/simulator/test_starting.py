"""What runs when a run begins is the same for every policy: as named, else as planned for the first ten minutes."""

from pathlib import Path

import pytest

from plimsoll.errors import InvalidObject
from plimsoll.simulator.episode import draw
from plimsoll.simulator.safe_rates import concurrency_at, mix_of, safe_concurrency, safe_rate_rps, setup_mix
from plimsoll.simulator.scenario import load
from plimsoll.simulator.starting import first_replicas
from unit.simulator.folders import STEADY, a_folder, an_episode
from unit.simulator.test_world import KEY


def test_named_replicas_are_taken(tmp_path: Path) -> None:
    assert first_replicas(an_episode(tmp_path, startReplicas={"chat/h100": 3})) == {KEY: 3}
    assert first_replicas(an_episode(tmp_path, startReplicas={"team-a/chat/h100": 2})) == {KEY: 2}


def test_a_variant_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidObject, match="startReplicas names chat/l4"):
        first_replicas(an_episode(tmp_path, startReplicas={"chat/l4": 1}))


def test_without_names_enough_runs_for_the_first_ten_minutes(tmp_path: Path) -> None:
    busy = [{"deployment": "chat", "generated": {**STEADY, "meanRps": 60.0}}]
    planned = first_replicas(an_episode(tmp_path, startReplicas={}, demand=busy))
    episode = an_episode(tmp_path, startReplicas={}, demand=busy)
    mix, (deployment,) = mix_of(episode.traffic[KEY.deployment_key]), episode.deployments
    assert mix is not None
    safe_rps = safe_rate_rps(deployment.variants[0].profile, mix, deployment.slo)
    # The policy's headroom, a quarter, is left free.
    assert planned[KEY] >= 60.0 / safe_rps
    assert planned[KEY] <= 60.0 / safe_rps / 0.75 * 1.3 + 1.0


def test_nothing_is_planned_for_what_is_never_asked(tmp_path: Path) -> None:
    quiet = [{"deployment": "chat", "generated": {**STEADY, "meanRps": 0.0}}]
    assert first_replicas(an_episode(tmp_path, startReplicas={}, demand=quiet)) == {KEY: 0}


def test_a_policy_is_told_the_mix_that_a_careful_user_has_measured(tmp_path: Path) -> None:
    episode = draw(load(a_folder(tmp_path)), 1)
    told = setup_mix(episode.setup(), KEY.deployment_key)
    assert told == mix_of(episode.traffic[KEY.deployment_key])


def test_requests_held_at_the_safe_rate_grow_with_the_rate_and_stay_within_the_slots(tmp_path: Path) -> None:
    episode = an_episode(tmp_path)
    (deployment,) = episode.deployments
    profile, mix = deployment.variants[0].profile, mix_of(episode.traffic[KEY.deployment_key])
    assert mix is not None
    assert concurrency_at(profile, mix, 1.0) < concurrency_at(profile, mix, 5.0) <= profile.max_sequences
    assert concurrency_at(profile, mix, 1e9) == profile.max_sequences
    assert 1.0 <= safe_concurrency(profile, mix, deployment.slo) <= profile.max_sequences
