"""HPA, KEDA, KPA, Dynamo, SkyServe, static: each against its published rule, worked out by hand."""

import math
from dataclasses import replace

import pytest

from plimsoll.domain import LatencyMetric, LatencyTarget, ObjectKey, PriceKind, StepTime, VariantKey
from plimsoll.simulator.policies import make
from plimsoll.simulator.policies.dynamo import Dynamo, itl_ms, seconds_per_request
from plimsoll.simulator.policies.hpa import Hpa, wanted_replicas
from plimsoll.simulator.policies.keda import ScaledObject, external_replicas
from plimsoll.simulator.policies.kpa import Kpa
from plimsoll.simulator.policies.one_variant import choose
from plimsoll.simulator.policies.skyserve import Hysteresis
from plimsoll.simulator.policies.static import bought
from unit.builders import NOW_S, a_deployment, a_pool, a_variant
from unit.simulator.seen import CHAT, H100, a_scrape, a_setup, an_observation, at_rate, running

# --- HPA -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("replicas", "ready", "total", "wanted"),
    [
        (4, 4, 60.0, 6),  # 60/4 = 15 over a target of 10: ratio 1.5, ceil(4 x 1.5) = 6
        (4, 4, 44.0, 4),  # 1.1: within the tolerance
        (4, 4, 45.0, 5),  # 1.125: beyond it, ceil(4.5) = 5
        (4, 4, 35.0, 4),  # 0.875 beyond it, but ceil(3.5) is 4 again
        (4, 4, 25.0, 3),
        (4, 2, 30.0, 4),  # two ready at 15, two idle ones counted: 30/40 would be down, so nothing
        (4, 2, 60.0, 6),  # 60/40 = 1.5 even so
        (4, 2, 10.0, 3),  # 0.5 of two; the others counted as on target: (10 + 20)/40 = 0.75, ceil(3) = 3
    ],
)
def test_hpa_brings_the_metric_to_its_target(replicas: int, ready: int, total: float, wanted: int) -> None:
    assert wanted_replicas(replicas, ready, total, target=10.0) == wanted


def test_hpa_goes_up_by_four_pods_or_doubles() -> None:
    assert Hpa(1.0).after(0.0, replicas=2, ready=2, total=100.0) == 6  # 2 + 4
    assert Hpa(1.0).after(0.0, replicas=10, ready=10, total=100.0) == 20  # 10 x 2


def test_hpa_goes_down_to_the_highest_recommendation_of_five_minutes() -> None:
    hpa = Hpa(10.0)
    assert hpa.after(0.0, 6, 6, 60.0) == 6
    assert hpa.after(15.0, 6, 6, 40.0) == 6
    assert hpa.after(285.0, 6, 6, 20.0) == 6  # 0 s is still within 300 s
    assert hpa.after(300.0, 6, 6, 20.0) == 4  # now the highest is that of 15 s


def test_hpa_without_a_metric_changes_nothing() -> None:
    policy = make("hpa", a_setup())
    assert policy.decide(an_observation([running(3)])).replicas == {H100: 3}


def test_hpa_reads_what_the_pods_hold() -> None:
    setup = a_setup()
    target = 0.5 * choose(setup)[CHAT].safe_concurrency
    scrape = a_scrape([2.0 * target, 2.0 * target])
    assert make("hpa=0.5", setup).decide(an_observation([running(2)], {H100: [scrape]})).replicas == {H100: 4}


# --- KEDA ------------------------------------------------------------------------------------------------------------


def test_keda_goes_to_zero_after_its_cooldown_and_wakes_with_one() -> None:
    keda = ScaledObject(10.0)
    assert keda.after(0.0, 2, 20.0, to_zero=True) == 2
    assert keda.after(30.0, 2, 0.0, to_zero=True) == 2  # the HPA still has the 2 of 30 s ago
    assert keda.after(270.0, 2, 0.0, to_zero=True) == 2
    assert keda.after(300.0, 2, 0.0, to_zero=True) == 0
    assert keda.after(315.0, 0, 5.0, to_zero=True) == 0  # it looks every 30 s only
    assert keda.after(330.0, 0, 5.0, to_zero=True) == 1


@pytest.mark.parametrize(
    ("replicas", "total", "wanted"),
    [
        (8, 60.0, 6),  # 60/80 = 0.75: beyond the tolerance, 60/10
        (8, 88.0, 8),  # 1.1: within it
        (8, 89.0, 9),  # 1.1125: beyond it, ceil(8.9)
        (8, 72.0, 8),  # 0.9: within it
        (8, 0.0, 0),
    ],
)
def test_keda_divides_the_sum_by_its_target(replicas: int, total: float, wanted: int) -> None:
    assert external_replicas(replicas, total, target=10.0) == wanted


def test_keda_does_not_mind_pods_that_boot() -> None:
    setup = a_setup([running(8, ready=4)])
    each = 1.5 * 0.8 * choose(setup)[CHAT].safe_concurrency
    # Four ready pods hold 1.5 targets each, six in all: of eight replicas that is 0.75, and six are enough. An HPA on
    # a metric of pods counts the booting ones as idle, finds a change of direction, and keeps the eight.
    pods = [a_scrape([each] * 4, at_s=NOW_S + t) for t in range(0, 301, 15)]
    for policy, last in (("keda", 6), ("hpa", 8)):
        made = make(policy, setup)
        seen = [an_observation([running(8, ready=4)], {H100: [one]}, now_s=one.at_s) for one in pods]
        wanted = [made.decide(one).replicas[H100] for one in seen]
        assert wanted[-1] == last
    # Down to the highest recommendation of five minutes: that of the first look stands for 300 s.
    keda = ScaledObject(10.0)
    assert keda.after(0.0, 8, 80.0, to_zero=False) == 8
    assert [keda.after(t, 8, 60.0, to_zero=False) for t in (15.0, 285.0, 300.0)] == [8, 8, 6]


def test_keda_takes_a_missing_metric_for_zero() -> None:
    keda = make("keda", a_setup([running(4)]))
    wanted = [keda.decide(an_observation([running(4)], now_s=NOW_S + t)).replicas[H100] for t in range(0, 301, 15)]
    assert wanted[0] == 1  # an HPA would have kept the 4


# --- KPA -------------------------------------------------------------------------------------------------------------


def test_kpa_in_stable_mode_divides_the_mean_by_its_target() -> None:
    assert Kpa(10.0).after(0.0, ready=3, stable=41.0, panic=41.0) == 5  # ceil(4.1)


def test_kpa_halves_at_most_in_one_tick() -> None:
    assert Kpa(10.0).after(0.0, ready=9, stable=0.0, panic=0.0) == 4  # floor(9/2)


def test_kpa_panics_at_twice_the_ready_pods_and_does_not_shrink_for_a_minute() -> None:
    kpa = Kpa(10.0)
    assert kpa.after(0.0, ready=2, stable=20.0, panic=40.0) == 4  # ceil(40/10) = 4 = 2 x 2
    assert kpa.after(2.0, ready=2, stable=20.0, panic=30.0) == 4
    assert kpa.after(60.0, ready=4, stable=20.0, panic=20.0) == 4
    assert kpa.after(62.0, ready=4, stable=20.0, panic=20.0) == 2


def test_kpa_keeps_one_replica_where_nobody_would_see_demand() -> None:
    scrapes = [a_scrape([0.0], at_s=NOW_S - t) for t in (58.0, 4.0, 2.0, 0.0)]
    policy = make("kpa", a_setup([running(1)]))
    assert policy.decide(an_observation([running(1)], {H100: scrapes})).replicas == {H100: 1}


# --- Dynamo ----------------------------------------------------------------------------------------------------------


def test_dynamo_adds_up_prefill_and_decode_of_its_profile() -> None:
    law = StepTime(alpha_ms=10.0, beta_ms_per_sequence=0.5, pi_ms_per_prefill_token=0.02, kappa_ms_per_kv_token=0.0)
    # Prefill 1 x 10 + 0.02 x 1000 = 30 ms. Batch (30 - 10)/0.5 = 40; decode 100 x 30/40 = 75 ms. Together 0.105 s.
    seconds = seconds_per_request(law, 256, 2048, prompt=1000.0, output=100.0, itl_ms=30.0)
    assert seconds == pytest.approx(0.105)
    assert Dynamo(seconds).after(50.0) == 6  # 5.25 rounded up
    assert Dynamo(seconds).after(0.0) == 1


def test_dynamo_takes_the_last_interval_for_the_next() -> None:
    setup = a_setup()
    policy = make("dynamo", setup)
    calm = policy.decide(an_observation([running(1)], routed={CHAT: at_rate(1.0)})).replicas[H100]
    busy = policy.decide(an_observation([running(1)], routed={CHAT: at_rate(400.0)})).replicas[H100]
    assert (calm, busy > 5) == (1, True)


def test_dynamo_has_a_time_per_token_even_of_an_end_to_end_limit() -> None:
    deployment = a_deployment(slo=(LatencyTarget(LatencyMetric.E2E, 0.95, 5000.0),))
    assert itl_ms(deployment, output=100.0) == 50.0


# --- SkyServe --------------------------------------------------------------------------------------------------------


def test_skyserve_goes_up_after_five_minutes_on_end_and_down_after_twenty() -> None:
    service = Hysteresis(target_rps=2.0, replicas=1)
    assert [service.after(5.0, 0) for _ in range(15)] == [1] * 14 + [3]  # 15 looks of 20 s; ceil(5/2) = 3
    assert [service.after(1.0, 0) for _ in range(59)] == [3] * 59
    assert service.after(5.0, 0) == 3  # as wanted again: it begins to count anew
    assert [service.after(1.0, 0) for _ in range(60)] == [3] * 59 + [1]


def test_skyserve_comes_from_zero_at_once() -> None:
    assert Hysteresis(target_rps=2.0, replicas=0).after(5.0, 0) == 3


def test_skyserve_puts_one_on_demand_for_each_spot_replica_that_is_not_ready() -> None:
    spot, on_demand = VariantKey("team-a", "chat", "spot"), H100
    variants = [a_variant("spot", pool="gpu-spot", replicas=3, ready=1), a_variant(replicas=0)]
    deployment = a_deployment(variants=variants)
    pools = [a_pool("gpu-h100"), a_pool("gpu-spot", price_kind=PriceKind.SPOT, price_usd_per_hour=4.0)]
    setup = a_setup([deployment], pools)
    chosen = choose(setup)[CHAT]
    assert chosen.variant.key == spot
    rate = 0.8 * chosen.safe_rate_rps * 2.5
    setup = a_setup([deployment], pools, {CHAT: [rate] * 60})
    wanted = make("skyserve", setup).decide(an_observation([deployment], routed={CHAT: at_rate(rate)}))
    assert wanted.replicas == {spot: 3, on_demand: 2}


# --- Static ----------------------------------------------------------------------------------------------------------


def test_static_buys_for_the_busiest_minutes() -> None:
    assert bought(peak_rps=21.0, safe_rate_rps=10.0, target=1.0) == 3
    assert bought(peak_rps=21.0, safe_rate_rps=10.0, target=0.5) == 5
    assert bought(peak_rps=0.0, safe_rate_rps=10.0, target=1.0) == 1


def test_a_model_that_nobody_will_ask_has_its_one_replica_all_the_same() -> None:
    deployment = a_deployment(variants=[a_variant(replicas=0)])
    setup = a_setup([deployment], rps_m={CHAT: [0.0] * 60}, prompt=0.0, output=0.0)
    for policy in ("hpa", "keda", "kpa", "static", "dynamo"):
        assert make(policy, setup).decide(an_observation([deployment])).replicas == {H100: 1}


def test_a_careful_user_takes_the_variant_that_is_cheapest_for_the_peak() -> None:
    variants = [a_variant("h100"), a_variant("xeon", pool="cpu-amx")]
    slow = replace(variants[1].profile, step_time=StepTime(20.0, 1.0, 0.3, 0.0005))
    deployment = a_deployment(variants=[variants[0], replace(variants[1], profile=slow)])
    pools = [a_pool("gpu-h100"), a_pool("cpu-amx")]
    busy = a_setup([deployment], pools, {CHAT: [50.0] * 60})
    calm = a_setup([deployment], pools, {CHAT: [0.01] * 60})
    # One H100 is a quarter of a node of 12 USD, a Xeon replica a quarter of one of 3 USD that carries far less.
    assert choose(busy)[CHAT].variant.name == "h100"
    assert choose(calm)[CHAT].variant.name == "xeon"


def test_a_variant_whose_pool_cannot_hold_the_peak_is_not_taken_for_its_price() -> None:
    variants = [a_variant("h100"), a_variant("paid", pool="gpu-paid")]
    paid = a_pool("gpu-paid", price_kind=PriceKind.PAID, max_nodes=1)
    setup = a_setup([a_deployment(variants=variants)], [a_pool("gpu-h100"), paid])
    rate = choose(setup)[CHAT].safe_rate_rps
    few, many = {CHAT: [3.0 * rate] * 60}, {CHAT: [5.0 * rate] * 60}
    pools = [a_pool("gpu-h100"), paid]
    assert choose(a_setup([a_deployment(variants=variants)], pools, few))[CHAT].variant.name == "paid"
    assert choose(a_setup([a_deployment(variants=variants)], pools, many))[CHAT].variant.name == "h100"


def test_what_ran_elsewhere_stays_until_the_chosen_variant_is_ready() -> None:
    variants = [a_variant("h100", replicas=2), a_variant("xeon", pool="cpu-amx", replicas=0)]
    xeon = VariantKey("team-a", "chat", "xeon")
    pools = [a_pool("gpu-h100", price_kind=PriceKind.PAID, max_nodes=1), a_pool("cpu-amx", price_usd_per_hour=0.001)]
    deployment = a_deployment(variants=variants)
    setup = a_setup([deployment], pools, {CHAT: [500.0] * 60})
    policy = make("static@xeon", setup)
    first = policy.decide(an_observation([deployment])).replicas
    assert H100 not in first
    assert first[xeon] > 1
    booting = a_deployment(variants=[variants[0], a_variant("xeon", pool="cpu-amx", replicas=first[xeon], ready=0)])
    assert H100 not in policy.decide(an_observation([booting])).replicas
    up = a_deployment(variants=[variants[0], a_variant("xeon", pool="cpu-amx", replicas=first[xeon])])
    assert policy.decide(an_observation([up])).replicas[H100] == 0


def test_whoever_solves_for_seen_mixes_does_nothing_for_a_deployment_that_nobody_asks() -> None:
    assert make("melange", a_setup(prompt=0.0)).decide(an_observation()).replicas == {}


def test_rates_of_a_deployment_without_traffic_are_no_number() -> None:
    assert an_observation().rate_rps(ObjectKey("team-a", "chat"), 60.0) is None
    assert math.isclose(an_observation(routed={CHAT: at_rate(7.0)}).rate_rps(CHAT, 61.0) or 0.0, 7.0)
