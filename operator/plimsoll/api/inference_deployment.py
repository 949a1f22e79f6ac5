"""InferenceDeployment: one model, its latency promises, and the variants that may serve it. Design section 2.

In: what users write. Out: models for the specification; the status stands in `inference_deployment_status`.
"""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from plimsoll.api.engines import Engine
from plimsoll.api.inference_deployment_status import InferenceDeploymentStatus
from plimsoll.api.routing import RoutingSpec
from plimsoll.api.values import LatencyLimit, Money
from plimsoll.api.wire import AGE, Definition, Kind, ObjectName, PrinterColumn, Resources, Rule, SpecModel
from plimsoll.domain import ExternalPrice, ExternalUse, LatencyMetric, LatencyTarget, Mode, Routing

MAX_VARIANTS = 16
DEFAULT_PRIORITY = 100
DEFAULT_POLICY = "balanced"

ModelName = Annotated[str, Field(min_length=1, max_length=253)]
PromQL = Annotated[str, Field(min_length=1, max_length=2048)]
ReplicaCount = Annotated[int, Field(ge=0, le=10_000)]


class Percentiles(SpecModel):
    """Limits of one latency by percentile of requests."""

    p50: LatencyLimit | None = None
    """Limit for half of the requests."""
    p90: LatencyLimit | None = None
    """Limit for 90% of the requests."""
    p95: LatencyLimit | None = None
    """Limit for 95% of the requests."""
    p99: LatencyLimit | None = None
    """Limit for 99% of the requests."""

    rules: ClassVar = (
        Rule(
            cel="has(self.p50) || has(self.p90) || has(self.p95) || has(self.p99)",
            message="set at least one of p50, p90, p95, p99, for example p95: 800ms",
            holds=lambda limits: any((limits.p50, limits.p90, limits.p95, limits.p99)),
        ),
    )

    def by_quantile(self) -> tuple[tuple[float, LatencyLimit], ...]:
        """The limits that are set, as (quantile from 0 to 1, limit), rising."""
        limits = ((0.50, self.p50), (0.90, self.p90), (0.95, self.p95), (0.99, self.p99))
        return tuple((quantile, limit) for quantile, limit in limits if limit is not None)


class SLO(SpecModel):
    """The latency promises; each is kept with as few dollars as possible."""

    ttft: Percentiles | None = None
    """Time to first token: from the arrival of a request to its first output token."""
    tpot: Percentiles | None = None
    """Time per output token after the first, the mean over one request (also called inter-token latency)."""
    e2e: Percentiles | None = None
    """End to end: from the arrival of a request to its last output token."""

    rules: ClassVar = (
        Rule(
            cel="has(self.ttft) || has(self.tpot) || has(self.e2e)",
            message="set at least one of ttft, tpot, e2e, for example ttft: {p95: 800ms}",
            holds=lambda slo: any((slo.ttft, slo.tpot, slo.e2e)),
        ),
    )

    def targets(self) -> tuple[LatencyTarget, ...]:
        """Every promise, in the order TTFT, TPOT, E2E and by rising quantile."""
        by_metric = ((LatencyMetric.TTFT, self.ttft), (LatencyMetric.TPOT, self.tpot), (LatencyMetric.E2E, self.e2e))
        return tuple(
            LatencyTarget(metric, quantile, limit.milliseconds)
            for metric, percentiles in by_metric
            if percentiles is not None
            for quantile, limit in percentiles.by_quantile()
        )


class Queries(SpecModel):
    """PromQL for engines that Plimsoll does not know. Each query gives one sample for the whole deployment."""

    arrival_rate: PromQL
    """Requests that arrive, per second."""
    prompt_tokens: PromQL | None = None
    """Mean prompt tokens of a request."""
    output_tokens: PromQL | None = None
    """Mean output tokens of a request."""
    running: PromQL | None = None
    """Requests being served now."""
    waiting: PromQL | None = None
    """Requests queued now."""


class DemandSource(SpecModel):
    """Where the demand is read from."""

    engine: Engine = Field(strict=False)
    """What counts the requests. A serving engine: the replicas' own metrics, each variant's as its profile's
    engine names them. Gateway: the counters of the gateway in front; only these show demand while no replica runs, so
    only with Gateway does a deployment scale to zero and back. Custom: the queries given below."""
    model_name: ModelName | None = None
    """The metrics' model label (vLLM: model_name). Default: spec.model."""
    queries: Queries | None = None
    """For the engine Custom only."""

    rules: ClassVar = (
        Rule(
            cel="(self.engine == 'Custom') == has(self.queries)",
            message="queries belong to the engine Custom alone: set engine: Custom and queries.arrivalRate, or neither",
            holds=lambda demand: (demand.engine is Engine.CUSTOM) == (demand.queries is not None),
        ),
    )


class TargetRef(SpecModel):
    """A workload in the same namespace that has a scale subresource."""

    api_version: Annotated[str, Field(min_length=1, max_length=253)]
    """Group and version, such as apps/v1."""
    kind: Annotated[str, Field(min_length=1, max_length=63)]
    """Kind, such as Deployment, StatefulSet or LeaderWorkerSet."""
    name: ObjectName
    """Name of the workload."""


class ReplicaLimits(SpecModel):
    """How far a variant may be scaled."""

    min: ReplicaCount = 0
    """Fewest replicas, kept even without demand."""
    max: ReplicaCount
    """Most replicas, whatever the demand. 0 takes the variant out of service."""

    rules: ClassVar = (
        Rule(
            cel="self.min <= self.max",
            message="min is above max: lower min or raise max",
            holds=lambda replicas: replicas.min <= replicas.max,
        ),
    )


def _require_containers(template: dict[str, Any]) -> dict[str, Any]:
    spec = template.get("spec")
    containers = spec.get("containers") if isinstance(spec, dict) else None
    if isinstance(containers, list) and containers:
        return template
    raise PydanticCustomError(
        "template", "spec.containers is missing: write a pod template with at least one container"
    )


_OPEN_OBJECT = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
PodTemplate = Annotated[
    dict[str, Any],
    AfterValidator(_require_containers),
    # The full PodTemplateSpec has some 8,000 lines of schema; the API server checks it when the Deployment is written.
    WithJsonSchema(
        {
            **_OPEN_OBJECT,
            "required": ["spec"],
            "properties": {
                "metadata": {**_OPEN_OBJECT, "description": "Labels and annotations of the pods."},
                "spec": {
                    **_OPEN_OBJECT,
                    "description": "PodSpec of the replica.",
                    "required": ["containers"],
                    "properties": {
                        "containers": {
                            "type": "array",
                            "description": "Containers of the replica; the requests of all are what a replica takes.",
                            "minItems": 1,
                            "maxItems": 32,
                            "items": {
                                **_OPEN_OBJECT,
                                "required": ["name"],
                                "properties": {"name": {"type": "string", "description": "Name of the container."}},
                            },
                        }
                    },
                },
            },
        }
    ),
]


class VariantSpec(SpecModel):
    """One way to serve the model: a model build on an engine on the nodes of one pool."""

    name: Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]
    """Name of the variant, unique in this object (lower case letters, digits and dashes)."""
    pool: ObjectName
    """Name of the ComputePool whose nodes the replicas run on."""
    profile: ObjectName
    """Name of the ServingProfile that was measured for this build, engine and hardware."""
    target_ref: TargetRef | None = None
    """The workload to scale. Plimsoll writes its scale subresource and nothing else. Either this or template."""
    template: PodTemplate | None = None
    """PodTemplateSpec of a Deployment that Plimsoll creates and owns, named <object>-<variant>; the pool's node
    selector and tolerations are added. Either this or targetRef."""
    per_replica: Resources | None = None
    """What one replica requests, such as nvidia.com/gpu: 1. Default: the requests in the target's pod template; needed
    for kinds that keep the template elsewhere (LeaderWorkerSet: the sum over one group)."""
    replicas: ReplicaLimits
    """How far this variant may be scaled."""
    service: ObjectName | None = None
    """Name of the Service over this variant's pods alone, as the HTTPRoute's backendRefs name it; needed with
    routing.type HTTPRoute, and not read otherwise."""

    rules: ClassVar = (
        Rule(
            cel="has(self.targetRef) != has(self.template)",
            message="set exactly one of targetRef (a workload of yours) and template (a Deployment Plimsoll owns)",
            holds=lambda variant: (variant.target_ref is None) != (variant.template is None),
        ),
    )


class ExternalAPI(SpecModel):
    """The same model at a public API: its list price, and whether requests really go there."""

    input_per_million: Money
    """US dollars per million prompt tokens."""
    output_per_million: Money
    """US dollars per million output tokens."""
    use: ExternalUse = Field(ExternalUse.COMPARE, strict=False)
    """Compare: the price is shown beside the plan's cost and decides nothing. Overflow: own replicas are scaled down,
    to none if need be, wherever the API is cheaper, and what finds no room goes there instead of being reported as
    missing. Set Overflow only where your gateway really sends there what the replicas do not take (a fallback
    backend, retries on 429 or 503): Plimsoll does not configure that, and without it these requests would fail. One
    replica stays unless demand.engine is Gateway, because without any nothing would show the demand."""

    def to_domain(self) -> ExternalPrice:
        return ExternalPrice(self.input_per_million.usd, self.output_per_million.usd, self.use)


class Budget(SpecModel):
    """What may be spent."""

    per_hour: Money
    """Most US dollars per hour for the nodes of this deployment; demand beyond it is reported, not served. What
    overflows to an external API is paid on top: requests that come are paid for there whether planned or not."""


def _targets_are_distinct(spec: "InferenceDeploymentSpec") -> bool:
    targets = [variant.target_ref for variant in spec.variants if variant.target_ref is not None]
    return len(targets) == len(set(targets))


def _routed_variants_have_services(spec: "InferenceDeploymentSpec") -> bool:
    return spec.routing.type is not Routing.HTTP_ROUTE or all(variant.service for variant in spec.variants)


def _services_are_distinct(spec: "InferenceDeploymentSpec") -> bool:
    services = [variant.service for variant in spec.variants if variant.service is not None]
    return len(services) == len(set(services))


def _names_are_distinct(spec: "InferenceDeploymentSpec") -> bool:
    return len({variant.name for variant in spec.variants}) == len(spec.variants)


class InferenceDeploymentSpec(SpecModel):
    """What to serve, how fast, and with what."""

    model: ModelName
    """The model, spelled as in the ServingProfiles of all variants, such as meta-llama/Llama-3.1-8B-Instruct."""
    mode: Mode = Field(Mode.AUTO, strict=False)
    """Auto scales. Recommend writes status and metrics only. Paused leaves replicas as they are."""
    priority: Annotated[int, Field(ge=0, le=1_000_000)] = DEFAULT_PRIORITY
    """Who keeps capacity when there is not enough for all: the higher number."""
    slo: SLO
    """The latency promises; at least one."""
    demand: DemandSource
    """Where the demand is read from."""
    variants: Annotated[
        tuple[VariantSpec, ...],
        Field(
            min_length=1,
            max_length=MAX_VARIANTS,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ]
    """The ways to serve the model; Plimsoll decides how many replicas of each."""
    external_api: ExternalAPI | None = Field(None, alias="externalAPI")
    """The price to beat, shown beside the cost of the plan; with use: Overflow also the place for what own replicas
    do not carry."""
    routing: RoutingSpec = RoutingSpec()
    """What shares requests out among the replicas: it decides what different variants carry together."""
    budget: Budget | None = None
    """What may be spent; default: no limit."""
    policy: ObjectName = DEFAULT_POLICY
    """Name of the ScalingPolicy. "balanced" needs no object: it stands for the built-in defaults until one of that
    name exists."""

    rules: ClassVar = (
        Rule(
            cel="self.variants.all(v, self.variants.exists_one(w, w.name == v.name))",
            message="two variants have the same name: rename one",
            holds=_names_are_distinct,
        ),
        Rule(
            cel=(
                "self.variants.all(v, !has(v.targetRef) || "
                "self.variants.exists_one(w, has(w.targetRef) && w.targetRef == v.targetRef))"
            ),
            message="two variants scale the same targetRef: give each variant a workload of its own",
            holds=_targets_are_distinct,
        ),
        Rule(
            cel="!has(self.routing) || self.routing.type != 'HTTPRoute' || self.variants.all(v, has(v.service))",
            message="with routing.type HTTPRoute every variant needs its service: name the Service over its pods",
            holds=_routed_variants_have_services,
        ),
        Rule(
            cel=(
                "self.variants.all(v, !has(v.service) || "
                "self.variants.exists_one(w, has(w.service) && w.service == v.service))"
            ),
            message="two variants name the same service: give each variant a Service of its own",
            holds=_services_are_distinct,
        ),
    )


class InferenceDeployment(Kind):
    """One model served within its latency promises at the lowest cost, on whichever of its variants that takes."""

    definition: ClassVar = Definition(
        plural="inferencedeployments",
        singular="inferencedeployment",
        short_name="infd",
        scope="Namespaced",
        columns=(
            PrinterColumn(
                "Ready",
                "string",
                '.status.conditions[?(@.type=="Ready")].status',
                "Whether demand is served within the SLO.",
            ),
            PrinterColumn(
                "Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', "Why it is ready or not."
            ),
            PrinterColumn("Replicas", "integer", ".status.readyReplicas", "Ready replicas, all variants together."),
            PrinterColumn("Target", "integer", ".status.targetReplicas", "Replicas in the plan."),
            PrinterColumn("USD/h", "string", ".status.cost.perHour", "Cost of its share of nodes, US dollars an hour."),
            PrinterColumn("USD/Mtok", "string", ".status.cost.perMillionTokens", "US dollars per million tokens."),
            PrinterColumn("Mode", "string", ".spec.mode", "Auto, Recommend or Paused."),
            AGE,
            PrinterColumn("Model", "string", ".spec.model", "The model served.", priority=1),
            PrinterColumn("Req/s", "string", ".status.demand.arrivalRate", "Arrivals per second.", priority=1),
            PrinterColumn("Phase", "string", ".status.plan.phase", "Where it stands on its way.", priority=1),
            PrinterColumn("Next best", "string", ".status.cost.nextBest.label", "The runner-up.", priority=1),
        ),
    )
    rules: ClassVar = (
        Rule(
            cel="size(self.metadata.name) <= 63",
            message="metadata.name is longer than 63 characters, and it becomes a label value: shorten it",
            holds=lambda deployment: len(deployment.metadata.name) <= 63,
        ),
    )

    kind: Literal["InferenceDeployment"] = "InferenceDeployment"
    spec: InferenceDeploymentSpec
    """What to serve, how fast, and with what."""
    status: InferenceDeploymentStatus | None = None
    """What runs, what it costs and why; written by Plimsoll."""

    @property
    def metrics_model_name(self) -> str:
        """The value of the metrics' model label."""
        return self.spec.demand.model_name or self.spec.model
