"""The status of an InferenceDeployment: what runs, what it costs, what comes next and what was rejected.

In: figures and sentences. Out: bounded models, which cut what exceeds their bounds. Every decimal is a string, rounded
by who writes it, so that noise does not become a write. Design section 2.
"""

from typing import Annotated

from pydantic import Field

from plimsoll.api.values import DecimalText, Duration, Money, Timestamp
from plimsoll.api.wire import Conditions, Count, Label, Message, StatusModel, cut_items
from plimsoll.domain import DemandState, ForecastBasis, ForecastWay, LatencyMetric, LatencyObservation, Phase, SizedBy

MAX_STATUS_VARIANTS = 16
MAX_STEPS = 16
MAX_ALTERNATIVES = 8
MAX_BREAK_EVENS = 4
MAX_FORECAST_LEADS = 4
MAX_EARLIER_PLANS = 10

_PERCENTILE_BY_QUANTILE = {0.5: "p50", 0.9: "p90", 0.95: "p95", 0.99: "p99"}


class DemandStatus(StatusModel):
    """What arrives now, all variants together."""

    state: DemandState
    """Known, or why not. Figures below are only there while it is Known."""
    message: Message = ""
    """What was seen, or what is missing."""
    arrival_rate: DecimalText | None = None
    """Requests that arrive, per second."""
    prompt_tokens: DecimalText | None = None
    """Mean prompt tokens of a request."""
    prompt_tokens_p95: DecimalText | None = None
    """95th percentile of the prompt tokens of a request."""
    output_tokens: DecimalText | None = None
    """Mean output tokens of a request."""
    output_tokens_p95: DecimalText | None = None
    """95th percentile of the output tokens of a request."""
    prompt_tokens_most: DecimalText | None = None
    """No prompt has more tokens, as far as the engine's histogram tells; absent where it does not."""
    output_tokens_most: DecimalText | None = None
    """No output has more tokens, as far as the engine's histogram tells; absent where it does not."""
    running: DecimalText | None = None
    """Requests being served."""
    waiting: DecimalText | None = None
    """Requests queued."""


class ForecastLeadStatus(StatusModel):
    """How demand a certain time ahead is forecast, and how good that has been lately."""

    seconds: Count
    """So far ahead."""
    way: ForecastWay
    """The way in use. RecentQuantile: the policy's quantile of the recent past and its trend, until another way has
    been clearly better. LastValue, RecentLevel, RecentTrend, DailyShape: that, plus what its own errors lacked."""
    rate: DecimalText
    """Requests per second that are expected not to be exceeded then, at the policy's quantile."""
    loss_over_last_value: DecimalText | None = None
    """Recent mean pinball loss over that of the last value; below 1 is better. Absent while too little is known."""
    covered: DecimalText | None = None
    """Share of what came lately that lay below what had been forecast; near the policy's quantile where forecasts know
    their error. Absent while too little is known."""


class ForecastStatus(StatusModel):
    """The demand that the plan is made for, at the policy's quantile."""

    basis: ForecastBasis
    """Known: from fresh data. Held: from the last known demand. Fallback: from the policy's staleMetrics."""
    now_rate: DecimalText
    """Requests per second that ready capacity must carry now, without what the last plan's headroom covers."""
    required_rate: DecimalText
    """Requests per second to plan for: the most over now and the time that each variant needs to start, without what
    the last plan's headroom covers."""
    burstiness: DecimalText | None = None
    """Squared coefficient of variation of the rate itself, from window to window; absent where arrivals vary no more
    than by chance. Read back after a restart, since it takes many windows to be seen."""
    known_since: Timestamp | None = None
    """Since when demand is known, gaps aside; metrics of the time before a start are read where there are any. Absent
    until the first minute is over."""
    leads: Annotated[
        tuple[ForecastLeadStatus, ...], Field(max_length=MAX_FORECAST_LEADS), cut_items(MAX_FORECAST_LEADS)
    ] = ()
    """The forecast at a few times ahead, the nearest first; none while demand is not known."""
    message: Message = ""
    """How the figures came about."""


class BreakEvenStatus(StatusModel):
    """The price of a pool's node at which the next best would cost as much as the plan, all else as it is."""

    pool: Label
    """The ComputePool."""
    now_per_hour: Money
    """US dollars per hour that a node of it costs."""
    per_hour: Money
    """US dollars per hour of a node at which both cost the same; below the present price it has to fall, above it to
    rise. A move has a price too, so the plan changes a little later."""


class NextBest(StatusModel):
    """The cheapest way that was not taken."""

    label: Label
    """Which one."""
    per_hour: Money
    """US dollars per hour."""
    break_even: Annotated[
        tuple[BreakEvenStatus, ...], Field(max_length=MAX_BREAK_EVENS), cut_items(MAX_BREAK_EVENS)
    ] = ()
    """The prices at which it would cost as much as the plan; none where price is not why it lost."""


class CostStatus(StatusModel):
    """What serving this deployment costs."""

    per_hour: Money
    """US dollars per hour: its share of the price of the nodes in the plan, and what overflows to an external API;
    nodes already paid for count as 0."""
    overflow_per_hour: Money | None = None
    """Of this, what goes to the external API; absent where nothing does."""
    per_million_tokens: Money | None = None
    """US dollars per million tokens, prompt and output together; absent while nothing arrives."""
    per_million_output_tokens: Money | None = None
    """US dollars per million output tokens; absent while nothing arrives."""
    external_per_hour: Annotated[Money | None, Field(alias="externalAPIPerHour")] = None
    """US dollars per hour that the present demand would cost at spec.externalAPI."""
    next_best: NextBest | None = None
    """The cheapest way that was not taken."""


class LatencyPercentiles(StatusModel):
    """One latency by percentile of requests."""

    p50: Duration | None = None
    """Not exceeded by half of the requests."""
    p90: Duration | None = None
    """Not exceeded by 90% of the requests."""
    p95: Duration | None = None
    """Not exceeded by 95% of the requests."""
    p99: Duration | None = None
    """Not exceeded by 99% of the requests."""


class LatencyStatus(StatusModel):
    """Latencies at the percentiles of the SLO."""

    ttft: LatencyPercentiles | None = None
    """Time to first token."""
    tpot: LatencyPercentiles | None = None
    """Time per output token after the first."""
    e2e: LatencyPercentiles | None = None
    """End to end time."""

    @classmethod
    def of(cls, observations: tuple[LatencyObservation, ...]) -> "LatencyStatus | None":
        """The observations at p50, p90, p95 and p99 in wire form; None where there are none."""
        by_metric: dict[LatencyMetric, dict[str, Duration]] = {}
        for seen in observations:
            percentile = _PERCENTILE_BY_QUANTILE.get(round(seen.quantile, 4))
            if percentile is not None:
                by_metric.setdefault(seen.metric, {})[percentile] = Duration.of_ms(seen.value_ms)
        if not by_metric:
            return None
        return cls.model_validate({metric.value: limits for metric, limits in by_metric.items()})


class StartUpsStatus(StatusModel):
    """What the last start-ups of a variant's own pods took, from creation to ready: nine of ten at most so long.
    Rounded up to two digits, and read back after a restart."""

    on_node: Duration | None = None
    """Those on a node that was there; absent until one was seen."""
    with_node: Duration | None = None
    """Those that waited for their node; absent until one was seen."""


class VariantStatus(StatusModel):
    """What one variant runs and should run, and what it is predicted to show."""

    name: Label
    """Name of the variant."""
    pool: Label
    """The ComputePool it runs on."""
    current: Count
    """Replicas that its workload asks for now."""
    ready: Count
    """Replicas that are ready to serve."""
    target: Count
    """Replicas in the plan."""
    safe_rate: DecimalText
    """Requests per second that one replica carries within the SLO, headroom taken off; 0: it cannot meet the SLO."""
    sized_by: SizedBy | None = None
    """What the safe rate stands on. Estimate: a formula, on the safe side, until its turn to be simulated comes.
    Simulation: every request of this traffic, played."""
    correction: DecimalText | None = None
    """How many times its profile's step times it takes, as learned from requests; counted in the safe rate and in what
    is predicted. Absent while it is 1."""
    headroom: DecimalText | None = None
    """Share of its safe rate that is left unused: the policy's headroom, less as requests confirm the profile."""
    predicted: LatencyStatus | None = None
    """Predicted at its share of the load."""
    observed: LatencyStatus | None = None
    """Seen by recent requests."""
    lead_time: Duration | None = None
    """From asking for one more replica until it is ready: nine of ten of its last start-ups took at most so long; until
    any was seen, what its profile and pool say."""
    start_ups: StartUpsStatus | None = None
    """What its start-ups took; absent until one was seen."""
    reason: Label
    """Why the target is what it is, as one CamelCase word."""
    message: Message = ""
    """The same in words, with figures."""


class StepStatus(StatusModel):
    """One change of replicas that is safe now."""

    variant: Label
    """Name of the variant."""
    from_replicas: Annotated[Count, Field(alias="from")]
    """Replicas before."""
    to_replicas: Annotated[Count, Field(alias="to")]
    """Replicas after."""
    reason: Label
    """Why, as one CamelCase word."""
    message: Message = ""
    """Why, in words."""


class AlternativeStatus(StatusModel):
    """A way to serve the deployment that the plan did not take."""

    label: Label
    """Which one."""
    replicas: Annotated[dict[str, Count], Field(max_length=MAX_STATUS_VARIANTS)] = Field(default_factory=dict)
    """Replicas it would take, by variant."""
    per_hour: Money | None = None
    """US dollars per hour; absent where no number of replicas would do."""
    reason: Label
    """The one reason why it lost, as one CamelCase word."""
    detail: Message = ""
    """The same in words, with figures."""


class DwellStatus(StatusModel):
    """For how long plans stand before they use other variants: what a move has to pay itself back. Read back after a
    restart."""

    since: Timestamp
    """Since when plans have used the variants that have a target now."""
    earlier_plans: Annotated[int, Field(ge=0, le=MAX_EARLIER_PLANS)] = 0
    """How many earlier plans, which used other variants, are remembered."""
    earlier_mean: Duration | None = None
    """For how long these stood, on average; rounded up to two digits. Absent where none is remembered."""


class StandbyStatus(StatusModel):
    """A rise of demand that found too little ready. What is ready is kept for the next one until its idling has cost
    as much. Read back after a restart."""

    rate: DecimalText
    """Requests per second that the rise went up to, at most."""
    worth: Money
    """US dollars that the missing capacity cost, by the policy's payBack.violationPricePerMillionRequests."""
    idled: Money | None = None
    """US dollars that idling had cost when this was written; absent while demand is that high."""
    since: Timestamp | None = None
    """When demand was last that high; absent while it is."""


class PlanStatus(StatusModel):
    """Where the deployment stands on its way to the plan."""

    phase: Phase
    """Steady: at the plan. Moving: on the way. Held: demand unknown, nothing shrinks. Short: not all demand can be
    served. Recommended: something else than what runs is recommended, and not applied. Paused: left alone."""
    shortfall_rate: DecimalText | None = None
    """Requests per second that no variant has room for; absent when all demand is covered."""
    overflow_rate: DecimalText | None = None
    """Requests per second of the planned rate that go to the external API; absent where none do."""
    cost_gap: DecimalText | None = None
    """By how much all deployments together might be served cheaper at most, as a share of the plan's cost: "0.004" is
    0.4%. Proven when this status was written; absent where no bound is known."""
    dwell: DwellStatus | None = None
    """For how long plans have stood."""
    standby: StandbyStatus | None = None
    """The rise that what is ready is kept for; absent where none has found too little lately."""
    steps: Annotated[tuple[StepStatus, ...], Field(max_length=MAX_STEPS), cut_items(MAX_STEPS)] = ()
    """What is done now; in mode Recommend: what would be done."""
    alternatives: Annotated[
        tuple[AlternativeStatus, ...], Field(max_length=MAX_ALTERNATIVES), cut_items(MAX_ALTERNATIVES)
    ] = ()
    """What was rejected, cheapest first, and why."""


class InferenceDeploymentStatus(StatusModel):
    """What runs, what it costs and why; written by Plimsoll."""

    observed_generation: Annotated[int, Field(ge=0)] | None = None
    """The metadata.generation that this status answers."""
    conditions: Conditions = ()
    """Ready first of all; True is well."""
    ready_replicas: Count | None = None
    """Ready replicas, all variants together."""
    target_replicas: Count | None = None
    """Replicas in the plan, all variants together."""
    demand: DemandStatus | None = None
    """What arrives now."""
    forecast: ForecastStatus | None = None
    """What the plan is made for."""
    cost: CostStatus | None = None
    """What serving it costs."""
    variants: Annotated[
        tuple[VariantStatus, ...],
        Field(
            max_length=MAX_STATUS_VARIANTS,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
        cut_items(MAX_STATUS_VARIANTS),
    ] = ()
    """By variant."""
    plan: PlanStatus | None = None
    """What comes next, and what was rejected."""
