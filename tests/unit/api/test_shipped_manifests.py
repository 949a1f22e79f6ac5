"""Do the manifests that users get work as they are?"""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from plimsoll.api import API_VERSION, ComputePool, InferenceDeployment, ScalingPolicy, ServingProfile, parse
from plimsoll.domain import Policy

ROOT = Path(__file__).parents[3]


def ours(folder: str) -> Iterator[dict[str, Any]]:
    """The objects of our group in a folder's YAML files."""
    for path in sorted((ROOT / folder).glob("*.yaml")):
        for manifest in yaml.safe_load_all(path.read_text()):
            if manifest["apiVersion"] == API_VERSION:
                yield manifest


def presets() -> dict[str, Policy]:
    read = (parse(ScalingPolicy, manifest) for manifest in ours("policies") if manifest["kind"] == "ScalingPolicy")
    return {policy.name: policy.to_domain() for policy in read}


def test_the_four_presets_are_there() -> None:
    assert sorted(presets()) == ["balanced", "batch", "cost-first", "latency-first"]


def test_the_balanced_preset_is_what_is_built_in() -> None:
    assert presets()["balanced"] == Policy()


def test_the_presets_range_from_careful_to_cheap() -> None:
    careful_first = [presets()[name] for name in ("latency-first", "balanced", "cost-first", "batch")]
    for careful, cheap in pairwise(careful_first):
        assert careful.forecast_quantile > cheap.forecast_quantile
        assert careful.headroom_ratio > cheap.headroom_ratio
        assert careful.scale_down_stabilization_s > cheap.scale_down_stabilization_s
        assert careful.expected_dwell_s < cheap.expected_dwell_s
        assert careful.violation_usd_per_million_requests > cheap.violation_usd_per_million_requests


@pytest.mark.parametrize("name", ["latency-first", "balanced", "cost-first", "batch"])
def test_a_preset_states_every_field(name: str) -> None:
    manifest = next(manifest for manifest in ours("policies") if manifest["metadata"]["name"] == name)
    assert parse(ScalingPolicy, manifest).spec.to_wire() == parse(ScalingPolicy, manifest).spec.model_dump(
        mode="json", by_alias=True, exclude_unset=True
    )


def test_the_quickstart_refers_only_to_what_it_brings() -> None:
    objects = [parse(manifest["kind"], manifest) for manifest in ours("examples/quickstart")]
    pools = {item.name: item for item in objects if isinstance(item, ComputePool)}
    profiles = {item.name: item for item in objects if isinstance(item, ServingProfile)}
    (deployment,) = (item for item in objects if isinstance(item, InferenceDeployment))
    for variant in deployment.spec.variants:
        assert profiles[variant.profile].spec.model == deployment.spec.model
        assert profiles[variant.profile].spec.hardware == pools[variant.pool].spec.hardware
