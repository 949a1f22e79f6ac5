"""Every way to write an object wrongly that the API knows of: what `parse` says, and what the API server says.

In: nothing. Out: one table, which the unit test reads with `parse` and the integration test with a real API server,
so that the two cannot drift apart. `server_says` is None where the server prunes, and `parse` alone refuses.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from unit.api.manifests import (
    REMOVED,
    Manifest,
    a_compute_pool,
    a_scaling_policy,
    a_serving_profile,
    a_target_variant,
    a_template_variant,
    an_inference_deployment,
    changed,
)


class Refusal(NamedTuple):
    """One spoilt place of a good manifest, the whole message of `parse`, and a part of the API server's."""

    label: str
    good: Callable[[], Manifest]
    path: str
    value: Any
    parse_says: str
    server_says: str | None

    @property
    def manifest(self) -> Manifest:
        return changed(self.good(), self.path, self.value)


_EXACTLY_ONE = "set exactly one of targetRef (a workload of yours) and template (a Deployment Plimsoll owns)"
_QUERIES_RULE = "queries belong to the engine Custom alone: set engine: Custom and queries.arrivalRate, or neither"
_ROUTE_RULE = "httpRoute belongs to the type HTTPRoute alone: set type: HTTPRoute and httpRoute, or neither"
_QUANTITY_RULE = 'write a quantity such as 2, "500m" or 16Gi (fractions in quotes)'
_NAME_RULE = "use lower case letters, digits and dashes, with a letter or digit at both ends"

REFUSALS = (
    # --- InferenceDeployment
    Refusal(
        "duration without unit",
        an_inference_deployment,
        "spec/slo/ttft/p95",
        "80",
        'spec.slo.ttft.p95 is "80": write a duration such as 80ms',
        "spec.slo.ttft.p95 in body should match",
    ),
    Refusal(
        "duration as a number",
        an_inference_deployment,
        "spec/slo/ttft/p95",
        80,
        "spec.slo.ttft.p95 is 80: write a duration such as 80ms",
        "spec.slo.ttft.p95 in body must be of type string",
    ),
    Refusal(
        "latency limit of zero",
        an_inference_deployment,
        "spec/slo/ttft/p95",
        "0.0s",
        'spec.slo.ttft.p95 is "0.0s": write a duration above zero, such as 80ms',
        "write a duration above zero, such as 80ms",
    ),
    Refusal(
        "no latency in the SLO",
        an_inference_deployment,
        "spec/slo",
        {},
        "spec.slo: set at least one of ttft, tpot, e2e, for example ttft: {p95: 800ms}",
        "set at least one of ttft, tpot, e2e, for example ttft: {p95: 800ms}",
    ),
    Refusal(
        "no percentile of a latency",
        an_inference_deployment,
        "spec/slo/tpot",
        {},
        "spec.slo.tpot: set at least one of p50, p90, p95, p99, for example p95: 800ms",
        "set at least one of p50, p90, p95, p99, for example p95: 800ms",
    ),
    Refusal(
        "SLO missing",
        an_inference_deployment,
        "spec/slo",
        REMOVED,
        "spec.slo is missing, add it: The latency promises; at least one",
        "spec.slo: Required value",
    ),
    Refusal(
        "misspelt field",
        an_inference_deployment,
        "spec/varaints",
        [],
        "spec.varaints is not a field: did you mean variants?",
        None,
    ),
    Refusal(
        "field in snake case",
        a_compute_pool,
        "spec/node_selector",
        {"pool": "gpu"},
        "spec.node_selector is not a field: did you mean nodeSelector?",
        None,
    ),
    Refusal(
        "unknown percentile",
        an_inference_deployment,
        "spec/slo/ttft/p42",
        "1s",
        "spec.slo.ttft.p42 is not a field: there are p50, p90, p95, p99",
        None,
    ),
    Refusal(
        "unknown mode",
        an_inference_deployment,
        "spec/mode",
        "auto",
        'spec.mode is "auto": write one of Auto, Recommend, Paused',
        'supported values: "Auto", "Recommend", "Paused"',
    ),
    Refusal(
        "negative priority",
        an_inference_deployment,
        "spec/priority",
        -1,
        "spec.priority is -1: write 0 or more",
        "spec.priority in body should be greater than or equal to 0",
    ),
    Refusal(
        "priority in quotes",
        an_inference_deployment,
        "spec/priority",
        "100",
        'spec.priority is "100": write a whole number without quotes',
        "spec.priority in body must be of type integer",
    ),
    Refusal(
        "unknown engine",
        an_inference_deployment,
        "spec/demand/engine",
        "vllm",
        'spec.demand.engine is "vllm": write one of vLLM, SGLang, TGI, TensorRTLLM, LlamaCpp, OpenVINO, Gateway, '
        "Custom",
        'supported values: "vLLM", "SGLang", "TGI", "TensorRTLLM", "LlamaCpp", "OpenVINO", "Gateway", "Custom"',
    ),
    Refusal(
        "Custom without queries",
        an_inference_deployment,
        "spec/demand/engine",
        "Custom",
        f"spec.demand: {_QUERIES_RULE}",
        _QUERIES_RULE,
    ),
    Refusal(
        "queries for a known engine",
        an_inference_deployment,
        "spec/demand/queries",
        {"arrivalRate": "sum(rate(requests_total[1m]))"},
        f"spec.demand: {_QUERIES_RULE}",
        _QUERIES_RULE,
    ),
    Refusal(
        "no variants",
        an_inference_deployment,
        "spec/variants",
        [],
        "spec.variants is []: give at least 1",
        "spec.variants in body should have at least 1 items",
    ),
    Refusal(
        "a variant with neither target nor template",
        an_inference_deployment,
        "spec/variants/0/targetRef",
        REMOVED,
        f"spec.variants[0]: {_EXACTLY_ONE}",
        _EXACTLY_ONE,
    ),
    Refusal(
        "a variant with target and template",
        an_inference_deployment,
        "spec/variants/0/template",
        a_template_variant()["template"],
        f"spec.variants[0]: {_EXACTLY_ONE}",
        _EXACTLY_ONE,
    ),
    Refusal(
        "template without containers",
        an_inference_deployment,
        "spec/variants/1/template/spec",
        {"nodeName": "n1"},
        "spec.variants[1].template.spec.containers is missing: write a pod template with at least one container",
        "spec.variants[1].template.spec.containers: Required value",
    ),
    Refusal(
        "min above max",
        an_inference_deployment,
        "spec/variants/0/replicas/min",
        21,
        "spec.variants[0].replicas: min is above max: lower min or raise max",
        "min is above max: lower min or raise max",
    ),
    Refusal(
        "no upper limit of replicas",
        an_inference_deployment,
        "spec/variants/0/replicas/max",
        REMOVED,
        "spec.variants[0].replicas.max is missing, add it: Most replicas, whatever the demand",
        "spec.variants[0].replicas.max: Required value",
    ),
    Refusal(
        "two variants of one name",
        an_inference_deployment,
        "spec/variants/1/name",
        "h100",
        "spec: two variants have the same name: rename one",
        'Duplicate value: {"name":"h100"}',
    ),
    Refusal(
        "two variants on one target",
        an_inference_deployment,
        "spec/variants/1",
        {**a_target_variant(), "name": "again"},
        "spec: two variants scale the same targetRef: give each variant a workload of its own",
        "two variants scale the same targetRef: give each variant a workload of its own",
    ),
    Refusal(
        "an HTTPRoute with another routing",
        an_inference_deployment,
        "spec/routing",
        {"type": "LoadAware", "httpRoute": "chat"},
        f"spec.routing: {_ROUTE_RULE}",
        _ROUTE_RULE,
    ),
    Refusal(
        "routing by an HTTPRoute without its name",
        an_inference_deployment,
        "spec/routing",
        {"type": "HTTPRoute"},
        f"spec.routing: {_ROUTE_RULE}",
        _ROUTE_RULE,
    ),
    Refusal(
        "routing by an HTTPRoute to variants without a Service",
        an_inference_deployment,
        "spec/routing",
        {"type": "HTTPRoute", "httpRoute": "chat"},
        "spec: with routing.type HTTPRoute every variant needs its service: name the Service over its pods",
        "with routing.type HTTPRoute every variant needs its service",
    ),
    Refusal(
        "two variants behind one Service",
        an_inference_deployment,
        "spec/variants",
        [{**a_target_variant(), "service": "chat"}, {**a_template_variant(), "service": "chat"}],
        "spec: two variants name the same service: give each variant a Service of its own",
        "two variants name the same service: give each variant a Service of its own",
    ),
    Refusal(
        "an unknown use of the external API",
        an_inference_deployment,
        "spec/externalAPI",
        {"inputPerMillion": "0.15", "outputPerMillion": "0.60", "use": "Always"},
        'spec.externalAPI.use is "Always": write one of Compare, Overflow',
        "spec.externalAPI.use: Unsupported value",
    ),
    Refusal(
        "variant name that cannot be a label",
        an_inference_deployment,
        "spec/variants/0/name",
        "H100",
        f'spec.variants[0].name is "H100": {_NAME_RULE}',
        "spec.variants[0].name in body should match",
    ),
    Refusal(
        "fraction of a resource without quotes",
        an_inference_deployment,
        "spec/variants/1/perReplica/cpu",
        0.5,
        f"spec.variants[1].perReplica.cpu is 0.5: {_QUANTITY_RULE}",
        "spec.variants[1].perReplica.cpu in body must be of type integer,string",
    ),
    Refusal(
        "unit that Kubernetes does not know",
        an_inference_deployment,
        "spec/variants/1/perReplica/memory",
        "64GB",
        f'spec.variants[1].perReplica.memory is "64GB": {_QUANTITY_RULE}',
        "spec.variants[1].perReplica.memory in body should match",
    ),
    Refusal(
        "money as a number",
        an_inference_deployment,
        "spec/budget",
        {"perHour": 12.5},
        'spec.budget.perHour is 12.5: write US dollars as a decimal number in quotes, such as "12.50"',
        "spec.budget.perHour in body must be of type string",
    ),
    Refusal(
        "money with a currency sign",
        an_inference_deployment,
        "spec/budget",
        {"perHour": "$12"},
        'spec.budget.perHour is "$12": write US dollars as a decimal number in quotes, such as "12.50"',
        "spec.budget.perHour in body should match",
    ),
    Refusal(
        "half a price to beat",
        an_inference_deployment,
        "spec/externalAPI",
        {"inputPerMillion": "0.15"},
        "spec.externalAPI.outputPerMillion is missing, add it: US dollars per million output tokens",
        "spec.externalAPI.outputPerMillion: Required value",
    ),
    Refusal(
        "name too long for a label",
        an_inference_deployment,
        "metadata/name",
        "x" * 64,
        "metadata.name is longer than 63 characters, and it becomes a label value: shorten it",
        "metadata.name is longer than 63 characters, and it becomes a label value: shorten it",
    ),
    Refusal(
        "spec missing",
        an_inference_deployment,
        "spec",
        REMOVED,
        "spec is missing, add it: What to serve, how fast, and with what",
        "spec: Required value",
    ),
    # --- ComputePool
    Refusal(
        "pool without a price",
        a_compute_pool,
        "spec/price",
        {},
        "spec.price: set exactly one of onDemandPerHour, spotPerHour, paid",
        "set exactly one of onDemandPerHour, spotPerHour, paid",
    ),
    Refusal(
        "pool with two prices",
        a_compute_pool,
        "spec/price/spotPerHour",
        "2.10",
        "spec.price: set exactly one of onDemandPerHour, spotPerHour, paid",
        "set exactly one of onDemandPerHour, spotPerHour, paid",
    ),
    Refusal(
        "paid pool without the amortised price",
        a_compute_pool,
        "spec/price",
        {"paid": {}},
        "spec.price.paid.amortisedPerHour is missing, add it: US dollars per node and hour, purchase or reservation "
        "spread over its life",
        "spec.price.paid.amortisedPerHour: Required value",
    ),
    Refusal(
        "interruptions of nodes that are not spot",
        a_compute_pool,
        "spec/interruptionsPerHour",
        0.1,
        "spec: interruptionsPerHour is for spot nodes: set price.spotPerHour or remove it",
        "interruptionsPerHour is for spot nodes: set price.spotPerHour or remove it",
    ),
    Refusal(
        "fewest nodes above most nodes",
        a_compute_pool,
        "spec/nodes/min",
        9,
        "spec.nodes: min is above max: lower min or raise max",
        "min is above max: lower min or raise max",
    ),
    Refusal(
        "pool that selects every node",
        a_compute_pool,
        "spec/nodeSelector",
        {},
        "spec.nodeSelector is {}: give at least 1",
        "spec.nodeSelector in body should have at least 1 properties",
    ),
    Refusal(
        "toleration with a wrong effect",
        a_compute_pool,
        "spec/tolerations",
        [{"key": "nvidia.com/gpu", "effect": "NoSchedul"}],
        'spec.tolerations[0].effect is "NoSchedul": write one of NoSchedule, PreferNoSchedule, NoExecute',
        'supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
    ),
    # --- ServingProfile
    Refusal(
        "step without a fixed part",
        a_serving_profile,
        "spec/coefficients/alpha",
        0,
        "spec.coefficients.alpha is 0: write more than 0",
        "spec.coefficients.alpha in body should be greater than 0",
    ),
    Refusal(
        "measured by nobody",
        a_serving_profile,
        "spec/provenance",
        {"kind": "Measured"},
        "spec.provenance: a Measured or Fitted profile needs a reference: say where the figures come from, or use "
        "Estimated",
        "a Measured or Fitted profile needs a reference: say where the figures come from, or use Estimated",
    ),
    Refusal(
        "profile of a gateway",
        a_serving_profile,
        "spec/engine",
        "Gateway",
        "spec: a gateway serves no tokens: name the engine that was measured",
        "a gateway serves no tokens: name the engine that was measured",
    ),
    Refusal(
        "date in words",
        a_serving_profile,
        "spec/provenance/date",
        "last week",
        'spec.provenance.date is "last week": write a date such as 2026-08-01',
        "spec.provenance.date in body should match",
    ),
    Refusal(
        "no sequences",
        a_serving_profile,
        "spec/maxSequences",
        0,
        "spec.maxSequences is 0: write 1 or more",
        "spec.maxSequences in body should be greater than or equal to 1",
    ),
    # --- ScalingPolicy
    Refusal(
        "quantile of one",
        a_scaling_policy,
        "spec/forecastQuantile",
        1,
        "spec.forecastQuantile is 1: write less than 1",
        "spec.forecastQuantile in body should be less than 1",
    ),
    Refusal(
        "quantile of zero",
        a_scaling_policy,
        "spec/forecastQuantile",
        0.0,
        "spec.forecastQuantile is 0.0: write more than 0",
        "spec.forecastQuantile in body should be greater than 0",
    ),
    Refusal(
        "more headroom for a confirmed profile than for one that is not",
        a_scaling_policy,
        "spec/confirmedHeadroom",
        0.9,
        "spec: confirmedHeadroom is above headroom: a confirmed profile needs no more of it; lower it",
        "confirmedHeadroom is above headroom: a confirmed profile needs no more of it; lower it",
    ),
    Refusal(
        "headroom in percent",
        a_scaling_policy,
        "spec/headroom",
        25,
        "spec.headroom is 25: write less than 1",
        "spec.headroom in body should be less than 1",
    ),
    Refusal(
        "wait without unit",
        a_scaling_policy,
        "spec/stabilization",
        {"scaleDown": 300},
        "spec.stabilization.scaleDown is 300: write a duration with its unit, such as 800ms, 30s, 5m or 1h",
        "spec.stabilization.scaleDown in body must be of type string",
    ),
    Refusal(
        "unknown fallback",
        a_scaling_policy,
        "spec/staleMetrics",
        {"fallback": "Zero"},
        'spec.staleMetrics.fallback is "Zero": write one of Hold, Peak',
        'supported values: "Hold", "Peak"',
    ),
)
