"""Which changes of one deployment are safe right now? Up at once; down only what is not missed.

In: a deployment as it is, its forecast, options, wanted replicas and their history. Out: for every variant the count
to write, and why it is not (yet) the wanted one. Computed afresh each tick from what is observed, so that a restart in
the middle of a move goes on where it stands. Design section 6.

The rule for going down: after the step, sum over variants of total_rps(min(ready, new)) >= the rate that is expected,
or, for a deployment that gives way, the part of it that the plan covers. Replicas that are not ready count for nothing,
and the last ready one stays as long as any is wanted.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from plimsoll.domain import (
    Deployment,
    Forecast,
    ForecastBasis,
    Mode,
    Option,
    Pool,
    StockOut,
    Variant,
    VariantKey,
    carried_rps,
)
from plimsoll.rollout.deletion_order import takes_unready_first
from plimsoll.rollout.stabilization import History, highest, known_for_s, lowest
from plimsoll.rollout.stock_outs import stuck_pods

ROUNDING = 1e-6
"""Share of the demand that may be missing by rounding: what the planner tolerates, too."""


@dataclass(frozen=True, slots=True)
class Situation:
    """All that decides over the steps of one deployment."""

    now_s: float
    deployment: Deployment
    forecast: Forecast
    options: Mapping[VariantKey, Option]
    wanted: Mapping[VariantKey, int]
    """What the planner wants, by variant."""
    shortfall_rps: float
    """What the planner could not cover."""
    gives_way: bool
    """True where ready replicas go down to the plan although it leaves demand uncovered."""
    histories: Mapping[VariantKey, History]
    stock_outs: Mapping[str, StockOut]
    pools: Mapping[str, Pool]
    overflow_rps: float = 0.0
    """What the plan leaves to an external API."""

    @property
    def need_rps(self) -> float:
        """What ready replicas must carry after every step."""
        given_up_rps = self.shortfall_rps if self.gives_way else 0.0
        return max(0.0, self.forecast.required_rps - given_up_rps - self.overflow_rps) * (1 - ROUNDING)

    def ready_rps(self, counts: Mapping[VariantKey, int]) -> float:
        """What the ready replicas carry once the targets stand at `counts`."""
        return carried_rps(
            self.deployment.routing,
            (
                (self.options[variant.key].capacity, ready_after(variant, counts[variant.key]))
                for variant in self.deployment.variants
            ),
        )

    def ready_replicas(self, counts: Mapping[VariantKey, int]) -> int:
        return sum(ready_after(variant, counts[variant.key]) for variant in self.deployment.variants)

    def is_sold_out(self, variant: Variant) -> bool:
        mark = self.stock_outs.get(variant.pool)
        return mark is not None and mark.until_s > self.now_s


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds one variant back from going down, next to capacity."""

    window_full: bool
    highest: int
    """The highest count wanted within the window."""


def ready_after(variant: Variant, replicas: int) -> int:
    """Ready replicas that are certain to be left when the target stands at `replicas`."""
    ready = min(variant.ready_replicas, variant.replicas)
    if takes_unready_first(variant):
        return min(ready, replicas)
    return max(0, ready - max(0, variant.replicas - replicas))


def current_counts(deployment: Deployment) -> dict[VariantKey, int]:
    """What the targets ask for now."""
    return {variant.key: variant.replicas for variant in deployment.variants}


def next_counts(situation: Situation) -> dict[VariantKey, int]:
    """By variant the count to write now; the present one where nothing is to be written."""
    counts = current_counts(situation.deployment)
    if situation.deployment.mode is Mode.PAUSED:
        return counts
    counts = _ups(situation, counts)
    if situation.forecast.basis is not ForecastBasis.KNOWN:
        return counts
    counts = _withdrawn(situation, counts)
    return _downs(situation, counts)


def limits_down(situation: Situation, variant: Variant) -> Limits:
    """What the stabilisation window says about going down."""
    window_s = situation.deployment.policy.scale_down_stabilization_s
    history = situation.histories[variant.key]
    return Limits(
        window_full=known_for_s(history, situation.now_s) >= window_s,
        highest=highest(history, situation.now_s, window_s),
    )


def allowed_up(situation: Situation, variant: Variant) -> int:
    """The count that may be gone up to: what has been wanted throughout the policy's window for going up."""
    window_s = situation.deployment.policy.scale_up_stabilization_s
    stable = lowest(situation.histories[variant.key], situation.now_s, window_s)
    return max(variant.min_replicas, min(situation.wanted[variant.key], stable))


def _ups(situation: Situation, counts: dict[VariantKey, int]) -> dict[VariantKey, int]:
    left = situation.deployment.policy.max_scale_up_replicas_per_tick
    counts = dict(counts)
    for variant in sorted(_movable(situation), key=lambda v: (_lead_s(situation, v), v.key)):
        more = min(left, max(0, allowed_up(situation, variant) - variant.replicas))
        counts[variant.key] += more
        left -= more
    return counts


def _withdrawn(situation: Situation, counts: dict[VariantKey, int]) -> dict[VariantKey, int]:
    """Takes back replicas that wait for a sold-out pool, once others are asked for in their place."""
    replaced = situation.shortfall_rps <= 0 and all(
        counts[variant.key] >= situation.wanted[variant.key] for variant in _movable(situation)
    )
    if not replaced:
        return counts
    counts = dict(counts)
    for variant in _movable(situation):
        stuck = len(stuck_pods(variant)) if situation.is_sold_out(variant) else 0
        to = max(situation.wanted[variant.key], variant.min_replicas, variant.replicas - stuck)
        if to < variant.replicas and ready_after(variant, to) == ready_after(variant, variant.replicas):
            counts[variant.key] = to
    return counts


def _downs(situation: Situation, counts: dict[VariantKey, int]) -> dict[VariantKey, int]:
    left = situation.deployment.policy.max_scale_down_replicas_per_tick
    left -= sum(max(0, variant.replicas - counts[variant.key]) for variant in situation.deployment.variants)
    for variant in sorted(_movable(situation), key=lambda v: _leaving_order(situation, v)):
        limits = limits_down(situation, variant)
        if not limits.window_full or situation.wanted[variant.key] >= variant.replicas:
            continue
        low = max(situation.wanted[variant.key], limits.highest, variant.min_replicas, counts[variant.key] - left)
        to = _lowest_safe(situation, counts, variant.key, low)
        left -= counts[variant.key] - to
        counts = {**counts, variant.key: to}
    return counts


def _lowest_safe(situation: Situation, counts: Mapping[VariantKey, int], key: VariantKey, low: int) -> int:
    for to in range(low, counts[key]):
        if is_safe(situation, {**counts, key: to}):
            return to
    return counts[key]


def is_safe(situation: Situation, counts: Mapping[VariantKey, int]) -> bool:
    """True when ready replicas carry the demand at `counts`, and one is left where any is wanted."""
    served = situation.ready_replicas(current_counts(situation.deployment)) > 0
    wants_any = any(situation.wanted[variant.key] > 0 for variant in situation.deployment.variants)
    if served and wants_any and situation.ready_replicas(counts) == 0:
        return False
    return situation.ready_rps(counts) >= situation.need_rps


def _movable(situation: Situation) -> tuple[Variant, ...]:
    return tuple(variant for variant in situation.deployment.variants if not variant.pinned)


def _lead_s(situation: Situation, variant: Variant) -> float:
    pool = situation.pools.get(variant.pool)
    return variant.profile.startup_s + (pool.provisioning_s if pool else 0.0)


def _leaving_order(situation: Situation, variant: Variant) -> tuple[bool, float, VariantKey]:
    """Variants that leave altogether first, then those on dear nodes."""
    pool = situation.pools.get(variant.pool)
    price = pool.marginal_price_usd_per_hour if pool else 0.0
    return situation.wanted[variant.key] > 0, -price, variant.key
