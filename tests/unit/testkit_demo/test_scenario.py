"""The play and the manifests of the example say the same: names, pools, prices."""

import pytest

from plimsoll.api import parse
from plimsoll.rollout.bridges import SHORTEST_S
from plimsoll_testkit.demo.__main__ import PLAY_S
from plimsoll_testkit.demo.scenario import (
    GPU_POOL,
    GPU_VARIANT,
    MODELS,
    PAID_POOL,
    STOCKED_OUT_POOL,
    autoscaled_pools,
    documents,
    engines_configuration,
    in_ms,
    prices_usd_per_hour,
    stock_out_s,
)
from plimsoll_testkit.demo.stage import WINDOW_S
from plimsoll_testkit.kwok import STARTUP_ANNOTATION


def test_plimsoll_reads_every_object_of_the_example() -> None:
    ours = [one for name in ("pools", "profiles", "policy", "models") for one in documents(name)]
    kinds = {type(parse(one["kind"], one)).__name__ for one in ours}
    assert kinds == {"ComputePool", "ServingProfile", "ScalingPolicy", "InferenceDeployment"}


def test_every_model_of_the_example_is_played() -> None:
    assert tuple(one["metadata"]["name"] for one in documents("models")) == MODELS
    assert [one["deployment"] for one in engines_configuration(250.0)["models"]] == list(MODELS)


def test_every_model_has_a_variant_on_the_pool_of_the_comparison() -> None:
    pools = [{one["name"]: one["pool"] for one in model["spec"]["variants"]} for model in documents("models")]
    assert [one[GPU_VARIANT] for one in pools] == [GPU_POOL] * len(MODELS)


def test_every_target_is_a_workload_of_the_example() -> None:
    workloads = {one["metadata"]["name"] for one in documents("workloads")}
    targets = {one["targetRef"]["name"] for model in documents("models") for one in model["spec"]["variants"]}
    assert targets == workloads


def test_every_pool_has_a_price_and_only_the_paid_one_begins_with_nodes() -> None:
    pools = autoscaled_pools()
    assert set(prices_usd_per_hour()) == {pool.name for pool in pools} >= {GPU_POOL, PAID_POOL, STOCKED_OUT_POOL}
    assert {pool.name for pool in pools if pool.min_nodes} == {PAID_POOL}


def test_a_shorter_play_is_the_same_play_faster() -> None:
    long, short = engines_configuration(200.0), engines_configuration(100.0)
    points = [model["models"][0]["traffic"]["rate_points"] for model in (long, short)]
    assert [at_s / 2 for at_s, _ in points[0]] == pytest.approx([at_s for at_s, _ in points[1]])
    assert [rate for _, rate in points[0]] == [rate for _, rate in points[1]]


def test_the_stock_out_lies_within_the_busy_stretch() -> None:
    points = engines_configuration(250.0)["models"][0]["traffic"]["rate_points"]
    busy_from_s, quiet_again_s = points[1][0], points[-1][0]
    from_s, until_s = stock_out_s(250.0)
    assert busy_from_s < from_s < until_s < quiet_again_s


def promised_lead_s(model: str, variant: str) -> float:
    """Until one more replica is ready, by what the example's pool and profile say."""
    (spec,) = [one["spec"] for one in documents("models") if one["metadata"]["name"] == model]
    (told,) = [one for one in spec["variants"] if one["name"] == variant]
    (profile,) = [one["spec"] for one in documents("profiles") if one["metadata"]["name"] == told["profile"]]
    (boot_s,) = [pool.boot_s for pool in autoscaled_pools() if pool.name == told["pool"]]
    return boot_s + in_ms(profile["startupTime"]) / 1000.0


def test_a_bridge_carries_for_long_enough_even_when_demand_is_seen_late() -> None:
    """How late: a message takes 3 s to bring its users, and rates are of the last 6 s."""
    ahead_s = promised_lead_s("assist", "l4") - promised_lead_s("assist", "xeon-spot")
    assert ahead_s == 20.0
    assert ahead_s >= SHORTEST_S + 3.0 + WINDOW_S


def test_workloads_start_as_slowly_as_their_profiles_say() -> None:
    starts = {
        one["metadata"]["name"]: float(one["spec"]["template"]["metadata"]["annotations"][STARTUP_ANNOTATION])
        for one in documents("workloads")
    }
    profiles = {one["metadata"]["name"]: one["spec"] for one in documents("profiles")}
    for model in documents("models"):
        for variant in model["spec"]["variants"]:
            promised_s = in_ms(profiles[variant["profile"]]["startupTime"]) / 1000.0
            assert starts[variant["targetRef"]["name"]] == promised_s, variant["name"]


def test_chat_s_morning_rises_by_less_than_a_replica_while_one_starts() -> None:
    points = engines_configuration(PLAY_S)["models"][0]["traffic"]["rate_points"]
    (from_s, low_rps), (until_s, high_rps) = points[1:3]
    risen_rps = (high_rps - low_rps) / (until_s - from_s) * promised_lead_s("chat", "l4")
    # One L4 carries 2.5 req/s of chat by the estimate, 3 as simulated.
    assert risen_rps < 0.6 * 2.5
