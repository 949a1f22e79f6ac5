"""What decides over the steps of one deployment, in one value.

In: a deployment as it is, its forecast, options, wanted replicas and their history. Out: a ``Situation``, and what its
ready replicas carry after a step. Nothing is decided here. Design section 6.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from plimsoll.domain import (
    CapacityTable,
    Deployment,
    Forecast,
    Option,
    Pod,
    Pool,
    Standby,
    StockOut,
    Variant,
    VariantKey,
    carried_rps,
    kept_rps,
)
from plimsoll.rollout.deletion_order import takes_unready_first
from plimsoll.rollout.stabilization import History, highest, known_for_s
from plimsoll.rollout.stock_outs import stuck_pods

ROUNDING = 1e-6
"""Share of the demand that may be missing by rounding: what the planner tolerates, too."""

LEAST_KEPT_USD = 0.01
"""A rise that cost less is not kept for. Guess: a cent."""

PASSING_S = 20.0
"""A plan that stood for less may be one between two samples of the forecast's recent past, which are 10 s apart."""


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
    planned_usd_per_hour: float = 0.0
    """The deployment's share of the plan's price."""
    standby: Standby | None = None
    """The rise that what is ready is kept for."""
    gives_room: bool = False
    """True where another deployment is short of room that this one has: nothing is kept then."""

    @property
    def need_rps(self) -> float:
        """What ready replicas must carry after every step."""
        given_up_rps = self.shortfall_rps if self.gives_way else 0.0
        return max(0.0, self.forecast.required_rps - given_up_rps - self.overflow_rps) * (1 - ROUNDING)

    @property
    def floor_rps(self) -> float:
        """What ready replicas must carry after a step down: what is needed, and what is kept of that which is ready."""
        if self.standby is None or self.standby.worth_usd < LEAST_KEPT_USD or self.gives_room or self.gives_way:
            return self.need_rps
        return max(self.need_rps, min(self.standby.rate_rps, self.ready_now_rps) * (1 - ROUNDING))

    @property
    def keeps_for_next_rise(self) -> bool:
        """True where more is kept than is needed."""
        return self.floor_rps > self.need_rps

    def carried_rps(self, replicas: Mapping[VariantKey, int]) -> float:
        """What so many replicas carry together within the SLO, as the router shares requests out among them."""
        return carried_rps(self.deployment.routing, self._fleet(replicas))

    def kept_rps(self, replicas: Mapping[VariantKey, int], demand_rps: float) -> float:
        """How much of a demand so many replicas keep within the SLO, though it may be too much for some of them."""
        return kept_rps(self.deployment.routing, self._fleet(replicas), demand_rps)

    def _fleet(self, replicas: Mapping[VariantKey, int]) -> Iterable[tuple[CapacityTable, int]]:
        return (
            (self.options[variant.key].capacity, replicas.get(variant.key, 0)) for variant in self.deployment.variants
        )

    def ready_rps(self, counts: Mapping[VariantKey, int]) -> float:
        """What the ready replicas carry once the targets stand at `counts`."""
        return self.carried_rps({v.key: ready_after(v, counts[v.key]) for v in self.deployment.variants})

    @property
    def ready_now_rps(self) -> float:
        """What the ready replicas carry as long as nothing is written."""
        return self.ready_rps(current_counts(self.deployment))

    def slot_usd_per_hour(self, variant: Variant) -> float:
        """Price of the share of a node that one replica takes, by its scarcest resource; 0 where nothing is paid."""
        pool = self.pools.get(variant.pool)
        if pool is None:
            return 0.0
        node = pool.node_resources
        shares = [amount / node[name] for name, amount in variant.per_replica.items() if node.get(name)]
        return pool.marginal_price_usd_per_hour * min(1.0, max(shares, default=1.0))

    def ready_replicas(self, counts: Mapping[VariantKey, int]) -> int:
        return sum(ready_after(variant, counts[variant.key]) for variant in self.deployment.variants)

    @property
    def asked_rps(self) -> float:
        """What all replicas that are asked for carry, once they are ready."""
        return self.asked_rps_without(None)

    def asked_rps_without(self, pool: str | None) -> float:
        """The same were that pool lost; what waits for a pool that is sold out counts for nothing."""
        left = {v.key: self._counted(v) for v in self.deployment.variants if v.pool != pool}
        return self.carried_rps(left)

    def _counted(self, variant: Variant) -> int:
        """Replicas without those that wait in vain, and without a bridge: that is to be replaced, not leant on."""
        waiting = len(self.waiting_in_vain(variant))
        return min(variant.replicas - variant.leaving_replicas - waiting, self.planned_lately(variant))

    def planned_lately(self, variant: Variant) -> int:
        """The most that the plan wanted within the window for going down; all there are until that has been watched."""
        window_s = max(PASSING_S, self.deployment.policy.scale_down_stabilization_s)
        history = self.histories[variant.key]
        watched = known_for_s(history, self.now_s) >= window_s
        return min(variant.replicas, highest(history, self.now_s, window_s)) if watched else variant.replicas

    def is_sold_out(self, variant: Variant) -> bool:
        mark = self.stock_outs.get(variant.pool)
        return mark is not None and mark.until_s > self.now_s

    def waiting_in_vain(self, variant: Variant) -> tuple[Pod, ...]:
        """Its pods that the scheduler finds no place for in a pool that is sold out."""
        return stuck_pods(variant) if self.is_sold_out(variant) else ()


def ready_after(variant: Variant, replicas: int) -> int:
    """Ready replicas that are certain to be left when the target stands at `replicas`.

    Those whose node is about to go count for nothing; they are the first to be taken.
    """
    ready = min(variant.staying_ready_replicas, variant.replicas)
    if takes_unready_first(variant):
        return min(ready, replicas)
    return max(0, ready - max(0, variant.replicas - replicas))


def current_counts(deployment: Deployment) -> dict[VariantKey, int]:
    """What the targets ask for now."""
    return {variant.key: variant.replicas for variant in deployment.variants}


def movable(situation: Situation) -> tuple[Variant, ...]:
    return tuple(variant for variant in situation.deployment.variants if not variant.pinned)
