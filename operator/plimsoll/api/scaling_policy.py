"""ScalingPolicy: how careful to be. Design section 2; presets lie in policies/.

In: what the platform team writes; every field has a default. Out: a model for the specification, and the `Policy` of
the domain. The defaults are the domain's own, written there once. There is no status: a policy is a set of constants.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from plimsoll.api.values import Duration, Money
from plimsoll.api.wire import AGE, Definition, Kind, PrinterColumn, Rule, SpecModel
from plimsoll.domain import FallbackAction, Policy

_BUILT_IN = Policy()
CONFIRMED_SHARE = _BUILT_IN.confirmed_headroom_ratio / _BUILT_IN.headroom_ratio
"""What of a headroom is left of a confirmed profile, where a policy says nothing of it."""

StepLimit = Annotated[int, Field(ge=1, le=10_000)]
Share = Annotated[float, Field(ge=0.0, le=1.0)]


def _duration(seconds: float) -> Duration:
    return Duration.of_seconds(seconds)


class Stabilization(SpecModel):
    """How long a wish must last before it is acted on."""

    scale_up: Duration = _duration(_BUILT_IN.scale_up_stabilization_s)
    """Scale up only to what was wanted throughout this time; 0s: at once, but up to 20s where a node has to boot."""
    scale_down: Duration = _duration(_BUILT_IN.scale_down_stabilization_s)
    """Scale down, or move out, only to the most that was wanted within this time."""


class StepLimits(SpecModel):
    """The most that one variant changes in one round of the loop (10 seconds by default)."""

    scale_up_replicas: StepLimit = _BUILT_IN.max_scale_up_replicas_per_tick
    """Most replicas added at a time."""
    scale_down_replicas: StepLimit = _BUILT_IN.max_scale_down_replicas_per_tick
    """Most replicas removed at a time."""


class PayBack(SpecModel):
    """When a move is worth its price."""

    expected_dwell: Duration = _duration(_BUILT_IN.expected_dwell_s)
    """For how long a new plan is expected to stand; a move must save more within it than running both sides costs."""
    violation_price_per_million_requests: Money = Money.of(_BUILT_IN.violation_usd_per_million_requests)
    """What a million requests without capacity are worth, in US dollars: quick replicas carry demand until slow ones
    are ready where that costs less, and what is ready is kept after a rise that found too little, until its idling has
    cost as much. "0": never."""
    longest_standby: Duration = _duration(_BUILT_IN.longest_standby_s)
    """For how long it is kept at most. 0s: not at all."""


class Spot(SpecModel):
    """How much may hang on nodes that the provider can take away."""

    loss_tolerated: Share = _BUILT_IN.spot_loss_tolerated_ratio
    """Share of demand, 0 to 1, that may be left without capacity when any one spot pool vanishes. 0: none may."""


class StaleMetrics(SpecModel):
    """What to do while demand is unknown. It is never taken for zero, and nothing is scaled down."""

    stale_after: Duration = _duration(_BUILT_IN.demand_stale_after_s)
    """Age at which the last sample no longer counts."""
    hold_for: Duration = _duration(_BUILT_IN.hold_when_unknown_s)
    """How long the last plan is held before the fallback applies."""
    fallback: FallbackAction = Field(_BUILT_IN.fallback, strict=False)
    """Hold: keep the last plan for as long as it takes. Peak: plan for the highest demand that is remembered."""


class ScalingPolicySpec(SpecModel):
    """How careful to be; every field has a default."""

    forecast_quantile: Annotated[float, Field(gt=0.0, lt=1.0)] = _BUILT_IN.forecast_quantile
    """Quantile of the demand forecast to plan for, between 0 and 1: 0.9 is exceeded one time in ten."""
    headroom: Annotated[float, Field(ge=0.0, lt=1.0)] = _BUILT_IN.headroom_ratio
    """Share of a replica's predicted safe rate that is left unused, from 0 to below 1."""
    confirmed_headroom: Annotated[float, Field(ge=0.0, lt=1.0)] | None = None
    """The same once requests under load have confirmed the profile; on spot nodes headroom stays. Two fifths of
    headroom where nothing is said; the same as headroom: it never shrinks."""
    stabilization: Stabilization = Stabilization()
    """How long a wish must last before it is acted on."""
    step_limits: StepLimits = StepLimits()
    """The most that changes at a time."""
    pay_back: PayBack = PayBack()
    """When a move is worth its price."""
    spot: Spot = Spot()
    """How much may hang on spot nodes."""
    stale_metrics: StaleMetrics = StaleMetrics()
    """What to do while demand is unknown."""

    rules: ClassVar = (
        Rule(
            cel="!has(self.confirmedHeadroom) || self.confirmedHeadroom <= self.headroom",
            message="confirmedHeadroom is above headroom: a confirmed profile needs no more of it; lower it",
            holds=lambda spec: spec.confirmed_headroom is None or spec.confirmed_headroom <= spec.headroom,
        ),
    )


class ScalingPolicy(Kind):
    """How careful to be with a deployment: the trade between cost and the risk of a missed SLO."""

    definition: ClassVar = Definition(
        plural="scalingpolicies",
        singular="scalingpolicy",
        short_name="spol",
        scope="Cluster",
        columns=(
            PrinterColumn("Quantile", "number", ".spec.forecastQuantile", "Quantile of demand planned for."),
            PrinterColumn("Headroom", "number", ".spec.headroom", "Share of a replica left unused."),
            PrinterColumn("Scale down", "string", ".spec.stabilization.scaleDown", "Wait before scaling down."),
            PrinterColumn("Spot loss", "number", ".spec.spot.lossTolerated", "Share of demand at risk on spot."),
            PrinterColumn("Fallback", "string", ".spec.staleMetrics.fallback", "When demand stays unknown."),
            AGE,
        ),
    )

    kind: Literal["ScalingPolicy"] = "ScalingPolicy"
    spec: ScalingPolicySpec = ScalingPolicySpec()
    """How careful to be; every field has a default."""

    def to_domain(self) -> Policy:
        spec = self.spec
        return Policy(
            name=self.name,
            forecast_quantile=spec.forecast_quantile,
            headroom_ratio=spec.headroom,
            confirmed_headroom_ratio=(
                CONFIRMED_SHARE * spec.headroom if spec.confirmed_headroom is None else spec.confirmed_headroom
            ),
            scale_up_stabilization_s=spec.stabilization.scale_up.seconds,
            scale_down_stabilization_s=spec.stabilization.scale_down.seconds,
            max_scale_up_replicas_per_tick=spec.step_limits.scale_up_replicas,
            max_scale_down_replicas_per_tick=spec.step_limits.scale_down_replicas,
            expected_dwell_s=spec.pay_back.expected_dwell.seconds,
            violation_usd_per_million_requests=spec.pay_back.violation_price_per_million_requests.usd,
            longest_standby_s=spec.pay_back.longest_standby.seconds,
            spot_loss_tolerated_ratio=spec.spot.loss_tolerated,
            demand_stale_after_s=spec.stale_metrics.stale_after.seconds,
            hold_when_unknown_s=spec.stale_metrics.hold_for.seconds,
            fallback=spec.stale_metrics.fallback,
        )
