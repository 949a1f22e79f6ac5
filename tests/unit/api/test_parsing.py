"""Does `parse` read what is good, and say what to write where it is not?"""

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest

from plimsoll.api import (
    DEPLOYMENT_LABEL,
    KINDS,
    VARIANT_LABEL,
    ComputePool,
    InferenceDeployment,
    ScalingPolicy,
    ServingProfile,
    owned_deployment_name,
    parse,
)
from plimsoll.domain import (
    ExternalPrice,
    FallbackAction,
    LatencyMetric,
    LatencyTarget,
    Mode,
    Policy,
    Pool,
    PriceKind,
    Profile,
    StepTime,
    ValidityRange,
)
from plimsoll.errors import InvalidObject
from unit.api.manifests import (
    Manifest,
    a_compute_pool,
    a_scaling_policy,
    a_serving_profile,
    an_inference_deployment,
    changed,
)
from unit.api.refusals import REFUSALS, Refusal

GOOD = (an_inference_deployment(), a_compute_pool(), a_serving_profile(), a_scaling_policy())


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: refusal.label)
def test_a_wrong_object_is_told_the_field_its_value_and_what_to_write(refusal: Refusal) -> None:
    with pytest.raises(InvalidObject) as refused:
        parse(refusal.manifest["kind"], refusal.manifest)
    assert str(refused.value) == refusal.parse_says


@pytest.mark.parametrize("manifest", GOOD, ids=lambda manifest: manifest["kind"])
def test_a_good_object_survives_reading_and_writing(manifest: Manifest) -> None:
    read = parse(manifest["kind"], manifest)
    assert parse(manifest["kind"], read.to_wire()) == read
    assert type(read) is KINDS[manifest["kind"]]


def test_several_mistakes_are_told_together() -> None:
    manifest = changed(an_inference_deployment(), "spec/mode", "auto")
    manifest = changed(manifest, "spec/slo/ttft/p95", "80")
    with pytest.raises(InvalidObject) as refused:
        parse(InferenceDeployment, manifest)
    assert str(refused.value) == (
        'spec.mode is "auto": write one of Auto, Recommend, Paused; '
        'spec.slo.ttft.p95 is "80": write a duration such as 80ms'
    )


def test_endless_mistakes_are_counted_not_listed() -> None:
    manifest = changed(a_compute_pool(), "spec/nodeSelector", {f"label-{n}": n for n in range(12)})
    with pytest.raises(InvalidObject) as refused:
        parse(ComputePool, manifest)
    told = str(refused.value)
    assert told.count("write text (numbers and true or false need quotes)") == 8
    assert told.endswith("; and 4 more")


def test_a_long_wrong_value_is_cut() -> None:
    manifest = changed(an_inference_deployment(), "spec/variants", {"x": "y" * 500})
    with pytest.raises(InvalidObject) as refused:
        parse(InferenceDeployment, manifest)
    assert str(refused.value) == f'spec.variants is {{"x": "{"y" * 72}…: write a list'


def test_an_unknown_field_without_a_near_name_lists_what_there_is() -> None:
    with pytest.raises(InvalidObject) as refused:
        parse(ComputePool, changed(a_compute_pool(), "spec/nodes/weight", 3))
    assert str(refused.value) == "spec.nodes.weight is not a field: there are min, max"


def test_a_kind_of_another_group_is_refused() -> None:
    with pytest.raises(InvalidObject) as refused:
        parse("Deployment", {})
    assert str(refused.value) == (
        'kind is "Deployment": plimsoll.dev/v1alpha1 has the kinds InferenceDeployment, ComputePool, ServingProfile, '
        "ScalingPolicy"
    )


def test_another_version_is_refused() -> None:
    with pytest.raises(InvalidObject) as refused:
        parse(ComputePool, changed(a_compute_pool(), "apiVersion", "plimsoll.dev/v2"))
    assert str(refused.value) == 'apiVersion is "plimsoll.dev/v2": write plimsoll.dev/v1alpha1'


def test_a_value_that_no_manifest_can_hold_is_refused() -> None:
    with pytest.raises(InvalidObject) as refused:
        parse(ComputePool, changed(a_compute_pool(), "spec/hardware", {1, 2}))
    assert str(refused.value) == "{1, 2} cannot stand in a manifest: write text, a number, a list or a map"


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_a_coefficient_that_is_not_finite_is_refused(number: float) -> None:
    with pytest.raises(InvalidObject, match=r"^spec\.coefficients\.beta is "):
        parse(ServingProfile, changed(a_serving_profile(), "spec/coefficients/beta", number))


def test_nulls_count_as_absent_as_they_do_for_the_api_server() -> None:
    manifest = changed(an_inference_deployment(), "spec/mode", None)
    manifest = changed(manifest, "spec/budget", None)
    read = parse(InferenceDeployment, manifest)
    assert read.spec.mode is Mode.AUTO
    assert read.spec.budget is None


def test_fields_of_metadata_that_plimsoll_does_not_read_are_no_mistake() -> None:
    manifest = changed(a_compute_pool(), "metadata/managedFields", [{"manager": "kubectl"}])
    assert parse(ComputePool, manifest).metadata.name == "gpu-h100"


def test_an_unquoted_date_is_the_text_it_was() -> None:
    manifest = changed(a_serving_profile(), "spec/provenance/date", date(2026, 2, 9))
    assert parse(ServingProfile, manifest).spec.provenance.date == "2026-02-09"


def test_labels_and_names_of_owned_deployments_are_pinned() -> None:
    # Deployments in running clusters carry them: changing one orphans every replica.
    assert (DEPLOYMENT_LABEL, VARIANT_LABEL) == ("plimsoll.dev/deployment", "plimsoll.dev/variant")
    assert owned_deployment_name("chat", "xeon") == "chat-xeon"


def test_metadata_must_be_there() -> None:
    with pytest.raises(InvalidObject) as refused:
        parse(ScalingPolicy, {"spec": {}})
    assert str(refused.value) == "metadata is missing, add it"


def test_a_pod_template_passes_through_unread() -> None:
    manifest = an_inference_deployment()
    template = manifest["spec"]["variants"][1]["template"]
    assert parse(InferenceDeployment, manifest).spec.variants[1].template == template


@pytest.mark.parametrize("status", [{"stockedOutUntil": "soon"}, "odd", {"conditions": [{"type": "Ready"}]}])
def test_an_unreadable_status_counts_as_none(status: Any) -> None:
    assert parse(ComputePool, changed(a_compute_pool(), "status", status)).status is None


def test_a_status_of_a_newer_version_is_read_as_far_as_it_is_known() -> None:
    status = {"stockedOutUntil": datetime(2026, 1, 1, tzinfo=UTC).isoformat(), "colour": "blue"}
    read = parse(ComputePool, changed(a_compute_pool(), "status", status))
    assert read.status is not None
    assert read.status.stocked_out_until == "2026-01-01T00:00:00+00:00"


def test_a_kind_without_status_ignores_one() -> None:
    assert parse(ScalingPolicy, changed(a_scaling_policy(), "status", {"x": 1})).spec.headroom == 0.4


# --- What the domain gets --------------------------------------------------------------------------------------------


def test_an_inference_deployment_gives_its_promises_in_milliseconds() -> None:
    manifest = changed(an_inference_deployment(), "spec/slo", {"e2e": {"p99": "1m30s"}, "ttft": {"p50": "0.5s"}})
    assert parse(InferenceDeployment, manifest).spec.slo.targets() == (
        LatencyTarget(LatencyMetric.TTFT, 0.50, 500.0),
        LatencyTarget(LatencyMetric.E2E, 0.99, 90_000.0),
    )


def test_an_inference_deployment_has_these_defaults() -> None:
    spec = parse(InferenceDeployment, an_inference_deployment()).spec
    assert (spec.mode, spec.priority, spec.policy, spec.budget, spec.external_api) == (
        Mode.AUTO,
        100,
        "balanced",
        None,
        None,
    )
    assert (spec.variants[1].replicas.min, spec.variants[0].per_replica) == (0, None)


def test_the_metrics_name_the_model_as_the_spec_does_unless_told_otherwise() -> None:
    manifest = an_inference_deployment()
    assert parse(InferenceDeployment, manifest).metrics_model_name == "llama-3.1-8b"
    renamed = changed(manifest, "spec/demand/modelName", "chat")
    assert parse(InferenceDeployment, renamed).metrics_model_name == "chat"


def test_the_price_to_beat_is_in_dollars() -> None:
    prices = {"inputPerMillion": "0.15", "outputPerMillion": "0.60"}
    external = parse(InferenceDeployment, changed(an_inference_deployment(), "spec/externalAPI", prices))
    assert external.spec.external_api is not None
    assert external.spec.external_api.to_domain() == ExternalPrice(0.15, 0.60)


def test_a_pool_becomes_the_domains_pool() -> None:
    manifest = changed(a_compute_pool(), "status", {"stockedOutUntil": "1970-01-01T00:16:40Z"})
    assert parse(ComputePool, manifest).to_domain(nodes=(), node_resources={"cpu": 1.0}) == Pool(
        name="gpu-h100",
        hardware="h100",
        price_kind=PriceKind.ON_DEMAND,
        price_usd_per_hour=6.88,
        min_nodes=0,
        max_nodes=8,
        provisioning_s=300.0,
        interruptions_per_hour=0.0,
        node_resources={"cpu": 23.5, "memory": 240 * 1024.0**3, "nvidia.com/gpu": 1.0},
        nodes=(),
        stocked_out_until_s=1000.0,
    )


def test_a_pool_that_states_no_resources_takes_those_of_its_nodes() -> None:
    manifest = a_compute_pool()
    del manifest["spec"]["resources"]
    pool = parse(ComputePool, manifest).to_domain(nodes=(), node_resources={"cpu": 4.0})
    assert pool.node_resources == {"cpu": 4.0}


@pytest.mark.parametrize(
    ("price", "kind", "usd"),
    [
        ({"onDemandPerHour": "6.88"}, PriceKind.ON_DEMAND, 6.88),
        ({"spotPerHour": "2.10"}, PriceKind.SPOT, 2.10),
        ({"paid": {"amortisedPerHour": "1.10"}}, PriceKind.PAID, 1.10),
    ],
)
def test_a_price_knows_its_kind(price: Manifest, kind: PriceKind, usd: float) -> None:
    read = parse(ComputePool, changed(a_compute_pool(), "spec/price", price)).spec.price
    assert (read.kind, read.usd_per_hour) == (kind, usd)


def test_a_profile_becomes_the_domains_profile() -> None:
    assert parse(ServingProfile, a_serving_profile()).to_domain() == Profile(
        name="llama-h100",
        model="llama-3.1-8b",
        engine="vLLM",
        hardware="h100",
        precision="bf16",
        step_time=StepTime(6.63, 0.0218, 0.0196, 0.000055),
        max_sequences=256,
        kv_cache_tokens=400_000,
        startup_s=90.0,
        provenance="Fitted",
        validity=ValidityRange(4096, None),
    )


def test_an_empty_policy_has_the_built_in_defaults() -> None:
    empty = parse(ScalingPolicy, {"metadata": {"name": "balanced"}})
    assert empty.to_domain() == Policy()


def test_a_policy_that_says_nothing_of_confirmed_profiles_leaves_two_fifths_of_its_headroom() -> None:
    policy = parse(ScalingPolicy, {"metadata": {"name": "odd"}, "spec": {"headroom": 0.4}}).to_domain()
    assert policy.confirmed_headroom_ratio == pytest.approx(0.16)


def test_every_field_of_a_policy_reaches_the_domain() -> None:
    spec = {
        "forecastQuantile": 0.5,
        "headroom": 0.1,
        "confirmedHeadroom": 0.03,
        "stabilization": {"scaleUp": "1s", "scaleDown": "2s"},
        "stepLimits": {"scaleUpReplicas": 3, "scaleDownReplicas": 4},
        "payBack": {"expectedDwell": "5s", "violationPricePerMillionRequests": "9.00", "longestStandby": "10s"},
        "spot": {"lossTolerated": 0.6},
        "staleMetrics": {"staleAfter": "7s", "holdFor": "8s", "fallback": "Peak"},
    }
    assert parse(ScalingPolicy, {"metadata": {"name": "odd"}, "spec": spec}).to_domain() == Policy(
        name="odd",
        forecast_quantile=0.5,
        headroom_ratio=0.1,
        confirmed_headroom_ratio=0.03,
        scale_up_stabilization_s=1.0,
        scale_down_stabilization_s=2.0,
        max_scale_up_replicas_per_tick=3,
        max_scale_down_replicas_per_tick=4,
        expected_dwell_s=5.0,
        spot_loss_tolerated_ratio=0.6,
        demand_stale_after_s=7.0,
        hold_when_unknown_s=8.0,
        fallback=FallbackAction.PEAK,
        violation_usd_per_million_requests=9.0,
        longest_standby_s=10.0,
    )


def test_what_is_read_is_written_as_json() -> None:
    read = parse(InferenceDeployment, an_inference_deployment())
    assert json.loads(json.dumps(read.to_wire()))["spec"]["slo"] == {"ttft": {"p95": "800ms"}, "tpot": {"p95": "60ms"}}
