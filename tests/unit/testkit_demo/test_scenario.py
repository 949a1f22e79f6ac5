"""The play and the manifests of the example say the same: names, pools, prices."""

import pytest

from plimsoll.api import parse
from plimsoll_testkit.demo.scenario import (
    GPU_POOL,
    GPU_VARIANT,
    MODELS,
    PAID_POOL,
    STOCKED_OUT_POOL,
    autoscaled_pools,
    documents,
    engines_configuration,
    prices_usd_per_hour,
    stock_out_s,
)


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
