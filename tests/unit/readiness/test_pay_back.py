"""What a start costs, and for how long a plan is expected to stand."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from plimsoll.domain import Deployment, Dwell, ObjectKey, Told
from plimsoll.readiness import known_dwells, remember_dwells, start_usd, with_expected_dwells
from plimsoll.readiness.pay_back import REMEMBERED, end_usd
from unit.builders import NOW_S, a_deployment, a_policy, a_snapshot, a_variant

CHAT = a_deployment(
    variants=[a_variant("h100"), a_variant("xeon", pool="cpu-amx")], policy=a_policy(expected_dwell_s=1800.0)
)


def seen(*plans: tuple[float, dict[str, int]], deployment: Deployment = CHAT) -> Mapping[ObjectKey, Dwell]:
    """What is remembered of plans by when they were made."""
    dwells: Mapping[ObjectKey, Dwell] = {}
    for at_s, counts in plans:
        replicas = {variant.key: counts.get(variant.name, 0) for variant in deployment.variants}
        dwells = remember_dwells(a_snapshot([deployment], now_s=NOW_S + at_s), replicas, dwells)
    return dwells


def expected_s(dwells: Mapping[ObjectKey, Dwell]) -> float:
    return with_expected_dwells(a_snapshot([CHAT]), dwells).deployments[0].policy.expected_dwell_s


def test_a_start_costs_its_share_of_a_node_until_it_is_ready_and_a_tenth_more_for_those_that_fail() -> None:
    # 6 USD an hour for 5 minutes are 0.50 USD; what it leaves behind some day is told apart.
    assert start_usd(6.0, 300.0) - end_usd(6.0) == pytest.approx(0.55)
    assert start_usd(0.0, 300.0) == 0.0


def test_a_replica_that_has_left_costs_its_share_of_a_node_for_ten_minutes_more() -> None:
    assert end_usd(6.0) == pytest.approx(1.0)
    assert start_usd(6.0, 0.0) == end_usd(6.0)
    assert end_usd(0.0) == 0.0


def test_until_a_plan_was_left_the_policy_says_how_long_one_stands() -> None:
    assert expected_s({}) == 1800.0
    assert expected_s(seen((0.0, {"h100": 2}), (9000.0, {"h100": 3}))) == 1800.0


def test_plans_that_were_left_soon_make_the_next_expected_to_stand_for_less() -> None:
    # (3 x 1800 + 200) / 4
    assert expected_s(seen((0.0, {"h100": 2}), (200.0, {"xeon": 6}))) == pytest.approx(1400.0)


def test_plans_that_stood_long_make_the_next_expected_to_stand_for_longer() -> None:
    assert expected_s(seen((0.0, {"h100": 2}), (9000.0, {"h100": 1, "xeon": 1}))) == pytest.approx(3600.0)


def test_a_process_that_has_seen_no_plan_goes_by_what_the_status_tells() -> None:
    told = Dwell(frozenset({"h100"}), NOW_S - 900.0, (7200.0,))
    snapshot = a_snapshot([replace(CHAT, told=Told(dwell=told))])
    known = known_dwells(snapshot, {})
    # (3 x 1800 + 7200) / 4
    assert expected_s(known) == pytest.approx(3150.0)
    # The plan that stands has stood since before the start.
    stays = remember_dwells(snapshot, {CHAT.variants[0].key: 2}, known)
    moves = remember_dwells(snapshot, {CHAT.variants[1].key: 2}, known)
    assert stays == {CHAT.key: told}
    assert moves[CHAT.key].lasted_s == (7200.0, 900.0)


def test_a_process_that_has_seen_a_plan_does_not_read_the_status() -> None:
    own = Dwell(frozenset({"h100"}), NOW_S)
    snapshot = a_snapshot([replace(CHAT, told=Told(dwell=Dwell(frozenset({"xeon"}), 0.0, (60.0,))))])
    assert known_dwells(snapshot, {CHAT.key: own}) == {CHAT.key: own}


def test_only_the_last_plans_are_remembered_and_a_deployment_that_is_gone_is_forgotten() -> None:
    plans = [(100.0 * i, {"h100" if i % 2 else "xeon": 1}) for i in range(REMEMBERED + 5)]
    dwells = seen(*plans)
    assert dwells[CHAT.key].lasted_s == (100.0,) * REMEMBERED
    assert remember_dwells(a_snapshot([]), {}, dwells) == {}
