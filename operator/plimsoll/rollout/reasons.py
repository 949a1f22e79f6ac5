"""Why is each variant where it is, and what does it wait for? One reason and one sentence each.

In: a ``Situation``, the counts that are written now, and what the planner rejected. Out: reason and words by variant.
The words are for the owner of the deployment: figures first, then what has to happen.
"""

from collections.abc import Mapping
from datetime import UTC, datetime

from plimsoll.domain import Alternative, ForecastBasis, Mode, Reason, Standby, Variant, VariantKey
from plimsoll.rollout.booting import boot_wait_s
from plimsoll.rollout.bridges import Bridge, Span
from plimsoll.rollout.disruption import Disruption
from plimsoll.rollout.equal_shares import least_rps, slows_others_down
from plimsoll.rollout.situation import Situation, current_counts
from plimsoll.rollout.steps import allowed_up, is_safe, leaves_rps, limits_down, ready_gone, settled_up, up_window_s
from plimsoll.rollout.stock_outs import stuck_pods
from plimsoll.rollout.voluntary import only_cheaper

Told = tuple[Reason, str]
NOT_APPLIED = "not applied: mode is Recommend; set mode: Auto to apply"
"""What is added to whatever is only recommended."""


def tell(
    situation: Situation,
    counts: Mapping[VariantKey, int],
    bridge: Bridge,
    disruption: Disruption,
    rejected: tuple[Alternative, ...],
) -> dict[VariantKey, Told]:
    """Reason and sentence for every variant of one deployment.

    Args:
        situation: what the steps were computed from.
        counts: what is written now, by variant.
        bridge: replicas among them that are there only until others are ready.
        disruption: what PodDisruptionBudgets allow after these counts.
        rejected: the planner's alternatives; their label is the variant's name.
    """
    return {
        variant.key: _tell(situation, variant, counts, bridge, disruption, rejected)
        for variant in situation.deployment.variants
    }


def _tell(
    situation: Situation,
    variant: Variant,
    counts: Mapping[VariantKey, int],
    bridge: Bridge,
    disruption: Disruption,
    rejected: tuple[Alternative, ...],
) -> Told:
    if situation.deployment.mode is Mode.PAUSED:
        return Reason.PAUSED, f"mode is Paused: {variant.name} stays at {variant.replicas} replicas"
    if variant.pinned:
        return Reason.PINNED, f"{variant.name} is scaled by somebody else and stays at {variant.replicas} replicas"
    to, wanted = counts[variant.key], situation.wanted[variant.key]
    if situation.deployment.mode is Mode.RECOMMEND and wanted != variant.replicas:
        return _recommended(situation, variant)
    if variant.key in bridge.built:
        return _bridges(variant, to, bridge.built[variant.key])
    if to != variant.replicas:
        return _step(situation, variant, to)
    if wanted > variant.replicas:
        return _waits_up(situation, variant)
    if wanted < variant.replicas:
        return _waits_down(situation, variant, counts, disruption)
    if variant.key in bridge.refused:
        return _does_not_bridge(situation, variant, bridge.refused[variant.key])
    return _stays(situation, variant, rejected)


def _bridges(variant: Variant, to: int, span: Span) -> Told:
    return Reason.BRIDGING, (
        f"{variant.replicas} to {to} replicas: {span.replicas} of them bridge until slower replicas are ready: up to "
        f"{span.missing_rps:.1f} req/s would have no capacity for {span.lasts_s:.0f} s, they carry {span.rate_rps:.1f} "
        f"from {span.ready_in_s:.0f} s on; that costs {span.usd:.2f} USD and avoids {span.requests:.0f} violations "
        f"worth {span.worth_usd:.2f} USD"
    )


def _does_not_bridge(situation: Situation, variant: Variant, span: Span) -> Told:
    price = situation.deployment.policy.violation_usd_per_million_requests
    return Reason.BRIDGE_DOES_NOT_PAY, (
        f"stays at {variant.replicas} replicas: up to {span.missing_rps:.1f} req/s have no capacity for "
        f"{span.lasts_s:.0f} s, but {span.replicas} more to carry them would cost {span.usd:.2f} USD and avoid "
        f"{span.requests:.0f} violations worth {span.worth_usd:.2f} USD (payBack.violationPricePerMillionRequests is "
        f"{price:g})"
    )


def _recommended(situation: Situation, variant: Variant) -> Told:
    wanted, present = situation.wanted[variant.key], variant.replicas
    each_rps = situation.options[variant.key].capacity.per_replica_rps
    return Reason.RECOMMEND_ONLY, (
        f"{_counted(wanted)} recommended, {present} {'is' if present == 1 else 'are'} asked for: "
        f"{situation.forecast.required_rps:.1f} req/s are expected in all, each replica carries {each_rps:.1f}; "
        f"{NOT_APPLIED}"
    )


def _counted(replicas: int) -> str:
    return "1 replica is" if replicas == 1 else f"{replicas} replicas are"


def _step(situation: Situation, variant: Variant, to: int) -> Told:
    present, wanted = variant.replicas, situation.wanted[variant.key]
    others = [v for v in situation.deployment.variants if v.key != variant.key]
    change = f"{present} to {to} replicas"
    if to > present and wanted <= present:
        gone = f"{variant.leaving_replicas} of {present} sit on nodes that are about to go"
        return Reason.NODE_LEAVING, f"{change}: {gone}, what replaces them is started before"
    if to > present:
        leaving = any(situation.wanted[v.key] < v.replicas for v in others)
        partly = "" if to == wanted else f" (of {wanted} wanted: {_why_no_more(situation, variant, to)})"
        each_rps = situation.options[variant.key].capacity.per_replica_rps
        need = f"{situation.forecast.required_rps:.1f} req/s are expected, each replica carries {each_rps:.1f}"
        return Reason.MOVE_IN if leaving else Reason.SCALE_UP, f"{change}{partly}: {need}"
    if _is_withdrawn(situation, variant, to):
        return Reason.STOCK_OUT, (
            f"{change}: they wait for pool {variant.pool}, which is sold out for another "
            f"{situation.stock_outs[variant.pool].until_s - situation.now_s:.0f} s; others are asked for in their place"
        )
    replaced = wanted == 0 and any(situation.wanted[v.key] > 0 for v in others)
    left_rps = situation.ready_rps({**current_counts(situation.deployment), variant.key: to})
    why = f"ready replicas carry {left_rps:.1f} req/s without the rest, {situation.need_rps:.1f} are needed"
    return Reason.MOVE_OUT if replaced else Reason.SCALE_DOWN, f"{change}: {why}"


def _why_no_more(situation: Situation, variant: Variant, to: int) -> str:
    if settled_up(situation, variant) <= to < allowed_up(situation, variant):
        wait_s = boot_wait_s(situation, variant)
        return f"the rest boots nodes, and is asked for once it has been wanted for {wait_s:.0f} s"
    return "as many as the policy allows at once"


def _is_withdrawn(situation: Situation, variant: Variant, to: int) -> bool:
    return situation.is_sold_out(variant) and variant.replicas - to <= len(stuck_pods(variant))


def _waits_up(situation: Situation, variant: Variant) -> Told:
    wanted, policy = situation.wanted[variant.key], situation.deployment.policy
    if slows_others_down(situation, variant):
        return Reason.ROUTED_EQUALLY, (
            f"waits: {_counted(wanted)} wanted, but behind a plain Service the first of them would slow down what is "
            f"ready until the others follow: less than {situation.need_rps:.1f} req/s would be carried meanwhile; set "
            "spec.routing.type to HTTPRoute or LoadAware"
        )
    if situation.keeps_for_next_rise:
        return Reason.KEPT_FOR_NEXT_RISE, (
            f"waits: {_counted(wanted)} wanted, but more than enough is ready and kept for the next rise; both would "
            "be paid for (payBack.longestStandby says for how long at most)"
        )
    if settled_up(situation, variant) <= variant.replicas:
        window_s = max(up_window_s(situation, variant), boot_wait_s(situation, variant))
        waits = f"waits: goes up to {wanted} replicas once they have been wanted for {window_s:.0f} s"
        return Reason.WAITS_FOR_STABILISATION, waits + _because(situation, variant)
    limit = policy.max_scale_up_replicas_per_tick
    return Reason.WAITS_FOR_STEP_LIMIT, f"waits: {wanted} replicas are wanted, the policy allows {limit} more at once"


def _because(situation: Situation, variant: Variant) -> str:
    """Why it must be wanted for so long, where that is not the policy's word."""
    if only_cheaper(situation):
        return f", because they are only cheaper: what is asked for carries {situation.asked_rps:.1f} req/s"
    if allowed_up(situation, variant) > variant.replicas:
        return f", because a node of pool {variant.pool} has to be booted for them"
    return ""


def _waits_down(
    situation: Situation, variant: Variant, counts: Mapping[VariantKey, int], disruption: Disruption
) -> Told:
    wanted, policy = situation.wanted[variant.key], situation.deployment.policy
    if situation.forecast.basis is not ForecastBasis.KNOWN:
        return Reason.HELD, f"stays at {variant.replicas} replicas: demand is not known ({situation.forecast.message})"
    if situation.shortfall_rps > 0 and not situation.gives_way:
        return _stays_while_short(situation, variant)
    fewer = {**counts, variant.key: variant.replicas - 1}
    if not is_safe(situation, fewer):
        enough = leaves_rps(situation, fewer, situation.need_rps)
        # What would take over is not started while this one is kept: neither waits for the other.
        held_back = situation.keeps_for_next_rise and not any(
            other.staying_ready_replicas < other.replicas for other in situation.deployment.variants
        )
        if situation.standby is not None and (enough or held_back):
            return _kept(situation, variant, situation.standby)
        reason = Reason.BRIDGING if _is_bridge(situation, variant) else Reason.WAITS_FOR_READY
        return reason, _waits_for_others(situation, variant)
    limits, window_s = limits_down(situation, variant), policy.scale_down_stabilization_s
    if not limits.window_full:
        return Reason.WAITS_FOR_STABILISATION, (
            f"waits: goes down to {wanted} replicas after demand has been watched for {window_s:.0f} s"
        )
    if limits.highest >= variant.replicas:
        return Reason.WAITS_FOR_STABILISATION, (
            f"waits: {limits.highest} replicas were wanted within the last {window_s:.0f} s; "
            f"goes down to {wanted} when that is over"
        )
    if disruption.allowed(variant) == 0 and ready_gone(variant, variant.replicas - 1) > 0:
        return Reason.WAITS_FOR_DISRUPTION_BUDGET, (
            f"waits: {wanted} replicas are wanted, but PodDisruptionBudget {disruption.tightest(variant)} lets no "
            f"ready pod go now; if {variant.name} is to leave, the budget has to allow it"
        )
    limit = policy.max_scale_down_replicas_per_tick
    return Reason.WAITS_FOR_STEP_LIMIT, f"waits: {wanted} replicas are wanted, the policy allows {limit} fewer at once"


def _kept(situation: Situation, variant: Variant, standby: Standby) -> Told:
    policy = situation.deployment.policy
    since_s = situation.now_s if standby.needed_s is None else standby.needed_s
    until = datetime.fromtimestamp(since_s + policy.longest_standby_s, UTC).strftime("%H:%M:%SZ")
    return Reason.KEPT_FOR_NEXT_RISE, (
        f"stays at {variant.replicas} replicas, {situation.wanted[variant.key]} are wanted: the last rise, to "
        f"{standby.rate_rps:.1f} req/s, found too little, at {standby.worth_usd:.2f} USD of violations. What is ready "
        f"is kept for the next one until idling has cost as much ({standby.idled_usd:.2f} USD so far), until {until} "
        "at most (payBack.longestStandby)"
    )


def _is_bridge(situation: Situation, variant: Variant) -> bool:
    """True where pods are younger than the plan that does not want them."""
    since_s = situation.histories[variant.key][-1].at_s
    extra = variant.replicas - max(situation.wanted[variant.key], situation.planned_lately(variant))
    return 0 < extra <= sum(pod.created_s >= since_s for pod in variant.pods)


def _stays_while_short(situation: Situation, variant: Variant) -> Told:
    missing = f"{situation.shortfall_rps:.1f} req/s have no capacity elsewhere"
    if stuck_pods(variant) and situation.is_sold_out(variant):
        reason, waits = _sold_out(situation, variant)
        return reason, f"{waits}; {missing}, so they go on waiting"
    return Reason.CAPACITY_SHORT, f"stays at {variant.replicas} replicas: {missing}, so nothing is taken away"


def _waits_for_others(situation: Situation, variant: Variant) -> str:
    counts = current_counts(situation.deployment)
    starting = [
        f"{v.ready_replicas} of {situation.wanted[v.key]} {v.name} replicas are ready"
        for v in situation.deployment.variants
        if situation.wanted[v.key] > v.ready_replicas
    ]
    without_rps = least_rps(situation, {**counts, variant.key: situation.wanted[variant.key]})
    return (
        f"waits: {'; '.join(starting) or 'too few replicas are ready'}; {variant.name} leaves when "
        f"{situation.need_rps:.1f} req/s are covered without it (now {without_rps:.1f})"
    )


def _stays(situation: Situation, variant: Variant, rejected: tuple[Alternative, ...]) -> Told:
    stuck, replicas = stuck_pods(variant), variant.replicas
    if stuck and situation.is_sold_out(variant):
        return _sold_out(situation, variant)
    if variant.ready_replicas < replicas:
        waits = f" ({len(stuck)} wait for a node)" if stuck else ""
        return Reason.WAITS_FOR_READY, f"{variant.ready_replicas} of {replicas} replicas are ready{waits}"
    if situation.forecast.basis is not ForecastBasis.KNOWN:
        return Reason.HELD, f"stays at {replicas} replicas: demand is not known ({situation.forecast.message})"
    if replicas == 0:
        return _not_used(situation, variant, rejected)
    wanted = sum(situation.wanted[v.key] for v in situation.deployment.variants)
    if wanted == 1 and not situation.deployment.demand.sees_zero_replicas and situation.forecast.required_rps <= 0:
        return Reason.KEEPS_ONE_REPLICA, "one replica stays: without any, this source of demand would see no request"
    carry_rps = situation.options[variant.key].capacity.total_rps(replicas)
    need = f"{situation.forecast.required_rps:.1f} req/s are expected in all"
    return Reason.CHEAPEST, f"{replicas} ready replicas carry up to {carry_rps:.1f} req/s; {need}"


def _sold_out(situation: Situation, variant: Variant) -> Told:
    left_s = situation.stock_outs[variant.pool].until_s - situation.now_s
    waiting = f"{len(stuck_pods(variant))} of {variant.replicas} replicas wait for pool {variant.pool}"
    return Reason.STOCK_OUT, f"{waiting}, sold out for another {left_s:.0f} s"


def _not_used(situation: Situation, variant: Variant, rejected: tuple[Alternative, ...]) -> Told:
    finding = situation.options[variant.key].finding
    if finding is not None:
        return finding.reason, finding.message
    for alternative in rejected:
        if alternative.label == variant.name:
            return alternative.reason, f"not used: {alternative.detail}"
    return Reason.STEADY, "not used: nothing needs it"
