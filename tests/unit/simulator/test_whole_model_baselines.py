"""WVA 1 and 2, Mélange, and labels of policies: each against its published rule, worked out by hand."""

import pytest

from plimsoll.domain import Deployment, VariantKey
from plimsoll.errors import InvalidObject
from plimsoll.simulator.policies import POLICIES, make, parsed
from plimsoll.simulator.policies.melange import Hardware, cheapest_mix
from plimsoll.simulator.policies.one_variant import replica_usd_per_hour
from plimsoll.simulator.policies.wva_v1 import PodLoad, step
from plimsoll.simulator.policies.wva_v2 import changed
from unit.builders import a_deployment, a_pool, a_variant
from unit.simulator.seen import CHAT, H100, a_scrape, a_setup, an_observation, at_rate, running

XEON = VariantKey("team-a", "chat", "xeon")
POOLS = (a_pool("gpu-h100"), a_pool("cpu-amx"))


def two_variants(h100: tuple[int, int], xeon: tuple[int, int]) -> Deployment:
    """Replicas of each variant, and how many of them are ready."""
    return a_deployment(
        variants=[
            a_variant(replicas=h100[0], ready=h100[1]),
            a_variant("xeon", pool="cpu-amx", replicas=xeon[0], ready=xeon[1]),
        ]
    )


@pytest.mark.parametrize(
    ("kv", "waiting", "change"),
    [
        ([0.65, 0.72], [0, 0], 0),  # spare 0.15 and 0.08, mean 0.115: enough; with one less (1.37) not
        ([0.65, 0.76], [0, 0], 1),  # spare 0.15 and 0.04, mean 0.095 < 0.1
        ([0.2, 0.2], [2, 3], 1),  # places to spare 3 and 2, mean 2.5 < 3
        ([0.85, 0.9], [0, 0], 1),  # all saturated
        ([0.85, 0.2], [0, 0], 0),  # one left to look at, which is not taken
        ([0.3, 0.3, 0.3], [0, 0, 0], -1),  # 0.9/2 = 0.45 would leave 0.35
        ([0.4, 0.4], [0, 0], 0),  # 0.8 on one would leave nothing
        ([0.3, 0.3], [2, 1], 0),  # a queue of 3 on one would leave 2
    ],
)
def test_wva_1_moves_by_what_there_is_to_spare(kv: list[float], waiting: list[float], change: int) -> None:
    assert step([PodLoad(*one) for one in zip(kv, waiting, strict=True)], kv_threshold=0.80) == change


def test_wva_1_grows_the_cheapest_and_shrinks_the_dearest() -> None:
    deployment = a_deployment(variants=[a_variant(replicas=2), a_variant("xeon", pool="cpu-amx", replicas=1)])
    setup = a_setup([deployment], POOLS)
    full = {H100: [a_scrape([1, 1], kv=[0.9, 0.9])], XEON: [a_scrape([1], kv=[0.9])]}
    idle = {H100: [a_scrape([0, 0], kv=[0.1, 0.1])], XEON: [a_scrape([0], kv=[0.1])]}
    # A quarter of a node each: 12/4 USD for an H100, 3/4 for a Xeon.
    assert make("wva-v1", setup).decide(an_observation([deployment], full)).replicas == {XEON: 2}
    assert make("wva-v1", setup).decide(an_observation([deployment], idle)).replicas == {H100: 1}


@pytest.mark.parametrize(("h100", "xeon"), [((2, 2), (2, 1)), ((2, 1), (2, 2))])
def test_wva_1_moves_nothing_of_a_model_while_a_replica_is_on_its_way(
    h100: tuple[int, int], xeon: tuple[int, int]
) -> None:
    deployment = two_variants(h100, xeon)
    policy = make("wva-v1", a_setup([deployment], POOLS))
    for kv in (0.9, 0.1):
        scrapes = {
            H100: [a_scrape([1] * h100[1], kv=[kv] * h100[1])],
            XEON: [a_scrape([1] * xeon[1], kv=[kv] * xeon[1])],
        }
        assert policy.decide(an_observation([deployment], scrapes)).replicas == {}


def test_wva_1_takes_the_last_by_name_of_equal_prices() -> None:
    deployment = a_deployment(variants=[a_variant("h100", replicas=2), a_variant("h200", replicas=2)])
    h200 = VariantKey("team-a", "chat", "h200")
    loads = {key: [a_scrape([0, 0], kv=[0.1, 0.1])] for key in (H100, h200)}
    policy = make("wva-v1", a_setup([deployment], POOLS))
    assert policy.decide(an_observation([deployment], loads)).replicas == {h200: 1}


def test_wva_1_looks_at_the_peak_of_the_last_minute() -> None:
    setup = a_setup([running(2)])
    now = an_observation([running(2)], {H100: [a_scrape([1, 1], kv=[0.1, 0.1])]})
    peak = a_scrape([1, 1], kv=[0.9, 0.9], at_s=now.now_s - 30.0)
    since = an_observation([running(2)], {H100: [peak, a_scrape([1, 1], kv=[0.1, 0.1])]})
    assert make("wva-v1", setup).decide(now).replicas == {H100: 1}
    assert make("wva-v1", setup).decide(since).replicas == {H100: 3}


def test_wva_1_is_inert_without_metrics() -> None:
    assert make("wva-v1", a_setup([running(2)])).decide(an_observation([running(2)])).replicas == {}


def test_wva_2_orders_what_is_missing_of_the_cheapest_token() -> None:
    variants = (a_variant(replicas=1), a_variant("xeon", pool="cpu-amx", replicas=1))
    supply, usd = {H100: 1000.0, XEON: 400.0}, {H100: 3.0, XEON: 1.0}
    keys = [one.key for one in variants]
    assert keys == [H100, XEON]
    # Supply 1400, needed 1700/0.85 - 1400 = 600; a Xeon token costs 1/400, an H100 token 3/1000: ceil(600/400) = 2.
    assert changed(variants, supply, usd, demand=1700.0, up=0.85, down=0.70) == {XEON: 3}
    # 1150/0.85 = 1353 <= 1400, and 1400 - 1150/0.70 < 0: nothing.
    assert changed(variants, supply, usd, demand=1150.0, up=0.85, down=0.70) == {}
    # Spare 1400 - 210/0.70 = 1100: one H100 (1000), then 100 is no Xeon.
    assert changed(variants, supply, usd, demand=210.0, up=0.85, down=0.70) == {H100: 0}


def test_wva_2_leaves_the_last_replica() -> None:
    assert changed((a_variant(replicas=1),), {H100: 1000.0}, {H100: 3.0}, demand=0.0, up=0.85, down=0.70) == {}


def test_wva_2_learns_what_an_engine_that_queues_can_hold() -> None:
    setup, deployment = a_setup([running(2)]), running(2)
    # 400,000 tokens of cache: 0.8 of it is supply, until pods queue at 0.2 of it.
    calm = {H100: [a_scrape([9, 9], kv=[0.2, 0.2])]}
    queues = {H100: [a_scrape([9, 9], waiting=[6, 6], kv=[0.2, 0.2])]}
    assert make("wva-v2", setup).decide(an_observation([deployment], calm)).replicas == {H100: 1}
    # Demand 160,000 + 12 x 512 = 166,144; /0.85 = 195,464; supply 2 x 80,000: one more.
    assert make("wva-v2", setup).decide(an_observation([deployment], queues)).replicas == {H100: 3}


def test_melange_mixes_hardware_where_that_is_cheapest() -> None:
    big, small = Hardware(H100, 7.0, 10.0, 9), Hardware(XEON, 1.0, 1.2, 9)
    # 11/s: one big and one small cost 8; two big 14; small ones alone 10 (ceil(11/1.2)), of which there are 9.
    assert cheapest_mix([big, small], 11.0) == (1, 1)
    # 4/s: four small ones cost 4.
    assert cheapest_mix([big, small], 4.0) == (0, 4)
    assert cheapest_mix([big, small], 0.0) == (0, 0)
    assert cheapest_mix([big, small], 1000.0) == (9, 9)


def test_melange_takes_the_old_away_before_the_new_is_up() -> None:
    deployment = a_deployment(variants=[a_variant(replicas=1), a_variant("xeon", pool="cpu-amx", replicas=0)])
    setup = a_setup([deployment], (a_pool("gpu-h100"), a_pool("cpu-amx", price_usd_per_hour=0.01)))
    wanted = make("melange", setup).decide(an_observation([deployment], routed={CHAT: at_rate(0.1)}))
    assert wanted.replicas == {H100: 0, XEON: 1}


def test_a_replica_costs_its_share_of_a_node() -> None:
    assert replica_usd_per_hour(a_variant(), a_pool("gpu-h100")) == 3.0  # four GPUs in a node of 12 USD


def test_a_label_names_policy_variants_and_target() -> None:
    kind, target, variants = parsed("hpa@l4+h100=0.6")
    assert (kind.name, target, variants) == ("hpa", 0.6, ("l4", "h100"))
    kind, target, variants = parsed("hpa")
    assert (kind.name, target, variants) == ("hpa", 0.8, ())


@pytest.mark.parametrize(
    ("label", "message"),
    [("hpb", "no policy hpb"), ("hpa=fast", "fast is no number"), ("hpa@b200", "no deployment has a variant b200")],
)
def test_a_wrong_label_says_what_there_is(label: str, message: str) -> None:
    with pytest.raises(InvalidObject, match=message):
        make(label, a_setup())


def test_every_baseline_has_targets_to_try_besides_its_default() -> None:
    for kind in POLICIES.values():
        assert kind.default_target not in kind.targets
        assert kind.name == "plimsoll" or len(kind.targets) >= 3


def test_every_baseline_decides_for_a_running_deployment() -> None:
    seen = an_observation([running(2)], {H100: [a_scrape([3, 4], kv=[0.1, 0.1])]}, {CHAT: at_rate(10.0)})
    for name in POLICIES:
        wanted = make(name, a_setup([running(2)])).decide(seen)
        assert all(count >= 0 for count in wanted.replicas.values())
