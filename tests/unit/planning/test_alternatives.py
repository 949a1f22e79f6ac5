"""Each rejected variant has its price and the one reason why it lost."""

from dataclasses import replace

import pytest

from plimsoll.domain import Alternative, ExternalPrice, ExternalUse, Finding, Mode, PriceKind, Reason, Routing, StockOut
from plimsoll.planning.alternatives import list_alternatives
from plimsoll.planning.assessment import assess
from plimsoll.planning.statement import state_problem
from unit.builders import (
    GIB,
    NOW_S,
    a_demand,
    a_deployment,
    a_forecast,
    a_policy,
    a_pool,
    a_snapshot,
    a_variant,
    an_option,
    options_for,
)
from unit.planning.case import counts, plan

ONE_GPU = {"cpu": 16.0, "memory": 128 * GIB, "nvidia.com/gpu": 1.0}
H100_POOL = a_pool("gpu-h100", node_resources=ONE_GPU, price_usd_per_hour=3.0)
L4_POOL = a_pool("gpu-l4", node_resources=ONE_GPU, price_usd_per_hour=1.0)
RPS = {"h100": 6.0, "l4": 1.0}
H100, L4 = a_variant("h100"), a_variant("l4", pool="gpu-l4")
CHAT = a_deployment(variants=[H100, L4], rps=6.0)


def only(alternatives: tuple[Alternative, ...]) -> Alternative:
    (alternative,) = alternatives
    return alternative


def test_a_dearer_variant_says_by_how_much() -> None:
    lost = only(plan([CHAT], [H100_POOL, L4_POOL], RPS).alternatives[CHAT.key])
    # 6 l4 nodes for 1 USD/h each against one h100 node for 3.
    more_nodes = {"gpu-l4": 6, "gpu-h100": -1}
    assert lost == Alternative("l4", {"l4": 6}, 6.0, Reason.DEARER, "3.00 USD/h more", more_nodes)


def test_the_slo_is_the_reason_where_the_option_says_so() -> None:
    finding = Finding(CHAT.key, Reason.SLO_UNREACHABLE, "slo ttft p95 is 80ms; l4 needs 120ms", "l4")
    options = options_for([CHAT], RPS)
    options[CHAT.variants[1].key] = an_option(CHAT.variants[1], 0.0, finding=finding)
    lost = only(plan([CHAT], [H100_POOL, L4_POOL], RPS, options=options).alternatives[CHAT.key])
    assert (lost.reason, lost.detail, lost.usd_per_hour) == (Reason.SLO_UNREACHABLE, finding.message, None)


def test_a_variant_without_a_safe_rate_says_so_without_a_finding() -> None:
    lost = only(plan([CHAT], [H100_POOL, L4_POOL], {"h100": 6.0, "l4": 0.0}).alternatives[CHAT.key])
    assert (lost.reason, lost.detail) == (Reason.SLO_UNREACHABLE, "l4 has no safe rate")


def test_a_full_pool_is_told_from_a_sold_out_one() -> None:
    small = replace(L4_POOL, max_nodes=2)
    lost = only(plan([CHAT], [H100_POOL, small], RPS).alternatives[CHAT.key])
    assert (lost.reason, lost.detail) == (Reason.POOL_FULL, "6 replicas do not fit into pool gpu-l4 (at most 2 nodes)")
    mark = {"gpu-l4": StockOut(NOW_S - 60.0, NOW_S + 240.0, 1)}
    lost = only(plan([CHAT], [H100_POOL, L4_POOL], RPS, stock_outs=mark).alternatives[CHAT.key])
    assert lost.reason is Reason.STOCK_OUT
    assert lost.detail == "needs 6 replicas; pool gpu-l4 is sold out, next try in 240 s"


def test_a_replica_limit_is_named() -> None:
    chat = a_deployment(variants=[H100, replace(L4, max_replicas=5)], rps=6.0)
    lost = only(plan([chat], [H100_POOL, L4_POOL], RPS).alternatives[chat.key])
    assert (lost.reason, lost.detail) == (Reason.REPLICA_LIMIT, "needs 6 replicas, replicas.max is 5")


def test_a_cheaper_spot_pool_may_be_too_risky() -> None:
    spot = replace(L4_POOL, price_kind=PriceKind.SPOT, price_usd_per_hour=0.1)
    chat = replace(CHAT, policy=a_policy(spot_loss_tolerated_ratio=0.0))
    lost = only(plan([chat], [H100_POOL, spot], RPS).alternatives[chat.key])
    assert lost.reason is Reason.SPOT_RISK
    assert lost.usd_per_hour == pytest.approx(0.6)


def test_a_variant_beyond_the_budget_says_so() -> None:
    chat = replace(CHAT, budget_usd_per_hour=4.0)
    lost = only(plan([chat], [H100_POOL, L4_POOL], RPS).alternatives[chat.key])
    assert (lost.reason, lost.detail) == (Reason.OVER_BUDGET, "6.00 USD/h, the budget is 4.00 USD/h")


def test_a_saving_too_small_for_its_move_says_so() -> None:
    chat = a_deployment(variants=[replace(H100, replicas=1), L4], rps=6.0)
    pools = [H100_POOL, replace(L4_POOL, price_usd_per_hour=0.49)]
    allocation = plan([chat], pools, RPS)
    # 6 x 0.49 = 2.94: saves 0.06 USD/h, 0.03 in half an hour; 240 s of overlap cost 0.196 and a tenth more for starts
    # that fail, 600 s of idling at the end 0.49; 2% of 3 USD/h for half an hour are another 0.03.
    assert counts(allocation) == {"chat/h100": 1}
    lost = only(allocation.alternatives[chat.key])
    assert (lost.reason, lost.detail) == (
        Reason.CHANGE_DOES_NOT_PAY,
        "saves 0.06 USD/h, 0.030 USD in the 30 min that the plan is expected to stand; starting 6 replicas costs 0.706 "
        "USD of overlap, start-up risk and idle nodes once they end, and 0.030 USD (2% of the cost so far) must be "
        "gained besides",
    )


def test_an_equal_variant_says_that_it_costs_the_same() -> None:
    twin = a_deployment(variants=[H100, a_variant("twin")], rps=6.0)
    lost = only(plan([twin], [H100_POOL], {"h100": 6.0, "twin": 6.0}).alternatives[twin.key])
    assert (lost.label, lost.detail) == ("twin", "costs the same")


def test_a_paused_deployment_is_told_what_it_misses() -> None:
    chat = a_deployment(variants=[H100, replace(L4, replicas=6)], rps=6.0, mode=Mode.PAUSED)
    lost = only(plan([chat], [H100_POOL, L4_POOL], RPS).alternatives[chat.key])
    assert lost.reason is Reason.PAUSED
    assert lost.usd_per_hour == pytest.approx(3.0)
    assert "saves 3.00 USD/h" in lost.detail


def test_at_most_four_alternatives_the_cheapest_first() -> None:
    names = ["h100", "v1", "v2", "v3", "v4", "v5"]
    chat = a_deployment(variants=[a_variant(name) for name in names], rps=6.0)
    rps = {"h100": 6.0, "v1": 3.0, "v2": 0.0, "v3": 2.0, "v4": 1.0, "v5": 1.5}
    lost = plan([chat], [H100_POOL], rps).alternatives[chat.key]
    assert [a.label for a in lost] == ["v1", "v3", "v5", "v4"]
    assert [a.usd_per_hour for a in lost] == [6.0, 9.0, 12.0, 18.0]


def test_the_number_of_replicas_follows_the_table() -> None:
    options = options_for([CHAT], RPS)
    table = replace(options[CHAT.variants[1].key].capacity, replicas=(1, 2, 6), rate_rps=(0.5, 1.5, 6.0))
    options[CHAT.variants[1].key] = an_option(CHAT.variants[1], capacity=table)
    lost = only(plan([CHAT], [H100_POOL, L4_POOL], RPS, options=options).alternatives[CHAT.key])
    assert lost.replicas == {"l4": 6}


def test_the_runner_up_may_be_a_mix_of_two_variants() -> None:
    chat = a_deployment(variants=[H100, L4], rps=8.0)
    lost = plan([chat], [H100_POOL, replace(L4_POOL, price_usd_per_hour=0.9)], RPS).alternatives[chat.key]
    # The plan: 1 h100 and 2 l4 for 4.80. 2 h100: 6.00; 8 l4: 7.20. No other mix of whole numbers is told.
    assert [one.label for one in lost] == ["h100", "l4"]
    assert [one.usd_per_hour for one in lost] == pytest.approx([6.0, 7.2])
    dearer = plan([chat], [H100_POOL, replace(L4_POOL, price_usd_per_hour=1.6)], RPS).alternatives[chat.key]
    # The plan: 2 h100 for 6.00. 1 h100 and 2 l4: 6.20; 8 l4: 12.80.
    assert [one.label for one in dearer] == ["1 x h100 + 2 x l4", "l4"]
    assert [one.usd_per_hour for one in dearer] == pytest.approx([6.2, 12.8])
    assert dearer[0].replicas == {"h100": 1, "l4": 2}
    assert (dearer[0].reason, dearer[0].detail) == (Reason.DEARER, "0.20 USD/h more")


def test_what_equal_shares_cost_is_told() -> None:
    chat = a_deployment(variants=[H100, L4], rps=8.0, routing=Routing.SERVICE)
    lost = plan([chat], [H100_POOL, L4_POOL], RPS).alternatives[chat.key]
    # Equal shares: 2 h100 for 6.00. Load-aware: 1 h100 and 2 l4 for 5.00.
    assert (lost[0].label, lost[0].reason, lost[0].replicas) == (
        "routing LoadAware",
        Reason.ROUTED_EQUALLY,
        {"h100": 1, "l4": 2},
    )
    assert lost[0].usd_per_hour == pytest.approx(5.0)
    assert "would do with 1 x h100, 2 x l4 and save 1.00 USD/h" in lost[0].detail
    aware = replace(chat, routing=Routing.LOAD_AWARE)
    assert "routing LoadAware" not in [
        one.label for one in plan([aware], [H100_POOL, L4_POOL], RPS).alternatives[chat.key]
    ]


def test_the_external_api_is_an_alternative_where_requests_overflow() -> None:
    # 512 x 2.0 + 128 x 8.0 = 2048 micro-USD a request: 7.37 USD/h for 1 req/s.
    chat = a_deployment(rps=6.0, external_price=ExternalPrice(2.0, 8.0, ExternalUse.OVERFLOW))
    lost = only(plan([chat], [H100_POOL], RPS).alternatives[chat.key])
    assert (lost.label, lost.reason, lost.replicas) == ("external API", Reason.DEARER, {})
    assert lost.usd_per_hour == pytest.approx(6.0 * 7.3728)
    blind = replace(chat, demand=a_demand(12.0, sees_zero_replicas=False))
    lost = only(plan([blind], [H100_POOL], RPS).alternatives[chat.key])
    # One replica has to stay: 6 of 12 req/s at the API.
    assert lost.replicas == {"h100": 1}
    assert lost.usd_per_hour == pytest.approx(3.0 + 6.0 * 7.3728)
    compared = replace(chat, external_price=ExternalPrice(2.0, 8.0))
    assert plan([compared], [H100_POOL], RPS).alternatives[chat.key] == ()


def test_own_replicas_are_the_alternative_to_a_cheaper_api() -> None:
    chat = a_deployment(rps=6.0, external_price=ExternalPrice(0.01, 0.01, ExternalUse.OVERFLOW))
    lost = only(plan([chat], [H100_POOL], RPS).alternatives[chat.key])
    assert (lost.label, lost.reason) == ("h100", Reason.DEARER)
    assert lost.usd_per_hour == pytest.approx(3.0)


def test_in_large_pools_a_replica_counts_with_its_share_of_a_node() -> None:
    small_replica = {"cpu": 4.0, "nvidia.com/gpu": 0.25}
    h100, l4 = replace(H100, max_replicas=400), replace(L4, max_replicas=400, per_replica=small_replica)
    pools = [replace(H100_POOL, max_nodes=200), replace(L4_POOL, max_nodes=150)]
    fleet = [a_deployment(f"chat-{i}", variants=[h100, l4], rps=50.0) for i in range(8)]
    allocation = plan(fleet, pools, {"h100": 6.0, "l4": 1.0})
    # 50 l4 a deployment, a quarter of a node each: 12.5 nodes for 12.50; 9 h100 nodes for 27.
    mixed, alone = allocation.alternatives[fleet[0].key]
    assert (mixed.label, mixed.reason) == ("1 x h100 + 44 x l4", Reason.DEARER)
    # 3.00 + 44 x 0.25.
    assert mixed.usd_per_hour == pytest.approx(14.0)
    assert (alone.label, alone.replicas, alone.reason) == ("h100", {"h100": 9}, Reason.DEARER)
    assert alone.usd_per_hour == pytest.approx(27.0)


def test_a_saving_within_the_gap_of_the_search_says_so() -> None:
    chat = a_deployment(variants=[H100, L4], rps=6.0)
    problem = state_problem(
        a_snapshot([chat], [H100_POOL, L4_POOL]), {chat.key: a_forecast(chat)}, options_for([chat], RPS), {}, {}
    )
    six_l4 = assess(problem, {chat.variants[1].key: 6})
    lost = only(list_alternatives(problem, six_l4, options_for([chat], RPS), {}, NOW_S)[chat.key])
    assert (lost.label, lost.usd_per_hour, lost.reason) == ("h100", 3.0, Reason.WITHIN_GAP)
