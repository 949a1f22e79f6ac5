"""ComputePool: nodes of one kind that share a price. Design section 2.

In: what the platform team writes. Out: models for specification and status, and the `Pool` of the domain.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from plimsoll.api.values import DecimalText, Duration, Money, Quantity, Timestamp
from plimsoll.api.wire import (
    AGE,
    Conditions,
    Count,
    Definition,
    Kind,
    Message,
    PrinterColumn,
    Resources,
    Rule,
    SpecModel,
    StatusModel,
)
from plimsoll.domain import Node, Pool, PriceKind, PriceSource
from plimsoll.domain import Resources as Amounts

NodeCount = Annotated[int, Field(ge=0, le=10_000)]
LabelKey = Annotated[str, Field(max_length=317)]
LabelValue = Annotated[str, Field(max_length=63)]
ResourceStatus = Annotated[dict[str, Quantity], Field(max_length=16)]


class Toleration(SpecModel):
    """A taint of the pool's nodes that replicas tolerate; fields as in a PodSpec."""

    key: LabelKey | None = None
    """Key of the taint; absent with operator Exists: every taint."""
    operator: Literal["Exists", "Equal"] | None = None
    """Exists or Equal; default Equal."""
    value: LabelValue | None = None
    """Value of the taint, for Equal."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """Effect of the taint; absent: every effect."""
    toleration_seconds: int | None = None
    """For NoExecute: seconds that a pod stays."""


class PaidPrice(SpecModel):
    """The price of nodes that cost the same whether they are used or not."""

    amortised_per_hour: Money
    """US dollars per node and hour, purchase or reservation spread over its life. Shown, never charged to a choice."""


class Price(SpecModel):
    """What one node costs; exactly one of the three."""

    on_demand_per_hour: Money | None = None
    """US dollars per node and hour, for nodes that come and go at list price."""
    spot_per_hour: Money | None = None
    """US dollars per node and hour, for nodes that the provider may take away."""
    paid: PaidPrice | None = None
    """Nodes already paid for: using them costs nothing more."""
    source: PriceSource = Field(PriceSource.MANIFEST, strict=False)
    """Manifest: the figure above. OpenCost: what node_total_hourly_cost in Prometheus says of the pool's nodes; the
    figure above stands in while it says nothing, so that a missing price is never zero."""
    as_of: Timestamp | None = None
    """When the figure above was looked up; shown with its age."""
    reference: Annotated[str, Field(max_length=256)] | None = None
    """Where the figure above comes from: a price list, an invoice, a contract."""

    rules: ClassVar = (
        Rule(
            cel="[has(self.onDemandPerHour), has(self.spotPerHour), has(self.paid)].filter(x, x).size() == 1",
            message="set exactly one of onDemandPerHour, spotPerHour, paid",
            holds=lambda price: (
                sum(p is not None for p in (price.on_demand_per_hour, price.spot_per_hour, price.paid)) == 1
            ),
        ),
        Rule(
            cel="!has(self.paid) || self.source != 'OpenCost'",
            message="nodes already paid for have no market price: remove source, or set onDemandPerHour or spotPerHour",
            holds=lambda price: price.paid is None or price.source is not PriceSource.OPEN_COST,
        ),
    )

    @property
    def kind(self) -> PriceKind:
        if self.paid is not None:
            return PriceKind.PAID
        return PriceKind.SPOT if self.spot_per_hour is not None else PriceKind.ON_DEMAND

    @property
    def usd_per_hour(self) -> float:
        """Of one node; the amortised price for paid nodes."""
        if self.paid is not None:
            return self.paid.amortised_per_hour.usd
        price = self.spot_per_hour if self.spot_per_hour is not None else self.on_demand_per_hour
        assert price is not None, "a rule of Price lets exactly one through"
        return price.usd


class NodeLimits(SpecModel):
    """How many nodes the pool may have."""

    min: NodeCount = 0
    """Fewest nodes; they stand, and cost, without demand."""
    max: NodeCount
    """Most nodes that may be asked for: the autoscaler's cap, or the number there is."""

    rules: ClassVar = (
        Rule(
            cel="self.min <= self.max",
            message="min is above max: lower min or raise max",
            holds=lambda nodes: nodes.min <= nodes.max,
        ),
    )


class ComputePoolSpec(SpecModel):
    """Which nodes, at what price, how many and how fast."""

    node_selector: Annotated[dict[LabelKey, LabelValue], Field(min_length=1, max_length=16)]
    """Labels that all nodes of the pool have and no other node has."""
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=16)] = ()
    """Taints of these nodes, added to the pods that Plimsoll owns."""
    hardware: Annotated[str, Field(min_length=1, max_length=63)]
    """Name of the hardware as in ServingProfiles, such as h100-sxm or xeon-6-amx."""
    price: Price
    """What one node costs."""
    nodes: NodeLimits
    """How many nodes there may be."""
    provisioning_time: Duration
    """From the request for a node until it is ready, such as 5m; 0s for nodes that are all there already."""
    interruptions_per_hour: Annotated[float, Field(ge=0.0, le=60.0)] | None = None
    """Interruptions of one spot node per hour, such as 0.02; for spotPerHour only. Default: 0."""
    resources: Resources | None = None
    """What one fresh node offers to replicas, what daemonsets take already taken off. Default: the least that present
    nodes offer; needed for pools that may have no node."""

    rules: ClassVar = (
        Rule(
            cel="!has(self.interruptionsPerHour) || has(self.price.spotPerHour)",
            message="interruptionsPerHour is for spot nodes: set price.spotPerHour or remove it",
            holds=lambda spec: spec.interruptions_per_hour is None or spec.price.spot_per_hour is not None,
        ),
    )


class PriceStatus(StatusModel):
    """The price that plans count with."""

    per_hour: Money
    """US dollars per node and hour."""
    source: PriceSource
    """Manifest or OpenCost."""
    as_of: Timestamp | None = None
    """When it was last known to be so; for OpenCost to the hour. Absent where the manifest does not say."""
    message: Message = ""
    """Why it is not the price that spec.price.source asks for; empty where it is."""


class ComputePoolStatus(StatusModel):
    """What the pool holds and costs; written by Plimsoll."""

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The metadata.generation that this status answers."""
    conditions: Conditions = ()
    """Ready first of all; True is well."""
    nodes: Count | None = None
    """Nodes there are."""
    ready: Count | None = None
    """Nodes that are ready and take pods."""
    target: Count | None = None
    """Nodes that the plan needs."""
    allocatable: ResourceStatus = Field(default_factory=dict)
    """What ready nodes offer, all together."""
    free: ResourceStatus = Field(default_factory=dict)
    """What of it no pod has requested."""
    price: PriceStatus | None = None
    """What one node counts with."""
    cost_per_hour: Money | None = None
    """US dollars per hour of the present nodes; for paid nodes the amortised price."""
    packing: DecimalText | None = None
    """Share of the scarcest resource of the present nodes that is requested, 0 to 1; half-empty nodes cost in full."""
    stocked_out_until: Timestamp | None = None
    """The pool failed to deliver a node and is capped to what it has until then; absent: it delivers."""


class ComputePool(Kind):
    """A set of like nodes that share a price: what replicas run on."""

    definition: ClassVar = Definition(
        plural="computepools",
        singular="computepool",
        short_name="cpool",
        scope="Cluster",
        columns=(
            PrinterColumn(
                "Ready",
                "string",
                '.status.conditions[?(@.type=="Ready")].status',
                "Whether the pool can be planned with and delivers.",
            ),
            PrinterColumn(
                "Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', "Why it is ready or not."
            ),
            PrinterColumn("Hardware", "string", ".spec.hardware", "Hardware of its nodes."),
            PrinterColumn("Nodes", "integer", ".status.nodes", "Nodes there are."),
            PrinterColumn("Max", "integer", ".spec.nodes.max", "Most nodes that may be asked for."),
            PrinterColumn("Packing", "string", ".status.packing", "Share of the scarcest resource that is requested."),
            PrinterColumn("USD/h", "string", ".status.costPerHour", "Cost of the present nodes, US dollars an hour."),
            PrinterColumn(
                "Node USD/h", "string", ".status.price.perHour", "Price that a node counts with.", priority=1
            ),
            PrinterColumn("Price from", "string", ".status.price.source", "Where the price comes from.", priority=1),
            PrinterColumn("Price as of", "string", ".status.price.asOf", "When it was last known.", priority=1),
            AGE,
            PrinterColumn("Stocked out until", "string", ".status.stockedOutUntil", "Capped until then.", priority=1),
        ),
    )

    kind: Literal["ComputePool"] = "ComputePool"
    spec: ComputePoolSpec
    """Which nodes, at what price, how many and how fast."""
    status: ComputePoolStatus | None = None
    """What the pool holds and costs; written by Plimsoll."""

    def to_domain(self, nodes: tuple[Node, ...], node_resources: Amounts) -> Pool:
        """The pool with its present nodes.

        Args:
            nodes: the nodes that the selector matches.
            node_resources: what one fresh node offers, where the specification does not say.
        """
        spec = self.spec
        stated = {name: quantity.amount for name, quantity in (spec.resources or {}).items()}
        stocked_out_until = self.status.stocked_out_until if self.status else None
        return Pool(
            name=self.name,
            hardware=spec.hardware,
            price_kind=spec.price.kind,
            price_usd_per_hour=spec.price.usd_per_hour,
            price_as_of_s=spec.price.as_of.seconds if spec.price.as_of else None,
            min_nodes=spec.nodes.min,
            max_nodes=spec.nodes.max,
            provisioning_s=spec.provisioning_time.seconds,
            interruptions_per_hour=spec.interruptions_per_hour or 0.0,
            node_resources=stated or node_resources,
            nodes=nodes,
            stocked_out_until_s=stocked_out_until.seconds if stocked_out_until else None,
        )
