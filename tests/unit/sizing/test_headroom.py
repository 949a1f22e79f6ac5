"""The policy's headroom shrinks as requests under load confirm the profile, and is whole again where it has drifted."""

import math
from dataclasses import replace

import pytest

from plimsoll.decide import decide
from plimsoll.domain import Correction, Policy, PriceKind
from plimsoll.sizing import OnlineTruth, size
from plimsoll.sizing.headroom import (
    CONFIRMING_LOAD_RATIO,
    confirmed_ratio,
    confirmed_variants,
    confirms,
    headroom_ratio,
    loaded_s,
)
from unit.builders import NOW_S, a_deployment, a_forecast, a_pool, a_profile, a_snapshot, a_variant
from unit.sizing.engines_on_trial import PLAYED, PROFILE, Trial

POLICY = Policy(headroom_ratio=0.25, confirmed_headroom_ratio=0.1)


def learned(loaded_s: float, drifted: bool = False) -> Correction:
    step_time = a_profile(PROFILE).step_time
    return Correction(step_time=step_time, at_s=NOW_S, usable_s=1e6, loaded_s=loaded_s, drifted=drifted)


def confirmed(truth: OnlineTruth) -> float:
    (ratio,) = truth.confirmed.values()
    return ratio


# --- The rule --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loaded_s", "ratio"),
    [(0.0, 0.0), (119.0, 0.0), (120.0, 0.25), (300.0, 0.5), (600.0, 0.75), (1199.0, 0.75), (1200.0, 1.0), (1e9, 1.0)],
)
def test_time_under_load_confirms_a_profile_quarter_by_quarter(loaded_s: float, ratio: float) -> None:
    assert confirmed_ratio(learned(loaded_s)) == ratio


def test_a_profile_that_has_drifted_is_not_confirmed_however_long_it_was_seen() -> None:
    assert confirmed_ratio(learned(1e9, drifted=True)) == 0.0


@pytest.mark.parametrize(("ratio", "headroom"), [(0.0, 0.25), (0.25, 0.2125), (0.5, 0.175), (1.0, 0.1)])
def test_headroom_goes_from_the_policys_to_its_confirmed_one(ratio: float, headroom: float) -> None:
    assert headroom_ratio(POLICY, ratio) == pytest.approx(headroom)


@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0])
def test_a_policy_with_less_headroom_than_the_confirmed_one_keeps_its_own(ratio: float) -> None:
    assert headroom_ratio(Policy(headroom_ratio=0.05, confirmed_headroom_ratio=0.1), ratio) == 0.05


# --- What confirms ---------------------------------------------------------------------------------------------------


def test_requests_under_load_confirm_what_they_are_seen_for() -> None:
    trial = Trial(share=0.6)
    # The first minute fills the window of the pods that are ready.
    quarters = [confirmed(trial.run(minutes)) for minutes in (2.0, 1.5, 3.0, 5.0, 10.0)]
    assert quarters == [0.0, 0.25, 0.5, 0.75, 1.0]


@pytest.mark.parametrize("pace", [0.9, 1.15])
def test_a_profile_that_is_a_little_off_is_corrected_and_confirmed(pace: float) -> None:
    trial = Trial(pace=pace, share=0.6)
    truth = trial.run(40.0)
    assert truth.factors[PROFILE] != 1.0
    # What is seen of a slower engine and is not in the correction yet, headroom still has to cover.
    assert confirmed(truth) == (1.0 if pace < 1.0 else 0.75)
    assert confirmed(trial.run(60.0)) == 1.0


def test_what_looks_have_shown_and_the_correction_lacks_keeps_headroom() -> None:
    slower = learned(1e9)
    by_log = {log: confirmed_ratio(replace(slower, log_factor=log)) for log in (-0.2, 0.02, 0.035, 0.045, 0.055, 0.1)}
    assert by_log == {-0.2: 1.0, 0.02: 1.0, 0.035: 0.75, 0.045: 0.5, 0.055: 0.25, 0.1: 0.0}
    assert confirmed_ratio(replace(slower, log_factor=0.1, factor=1.1)) == 1.0


@pytest.mark.parametrize(
    ("load_ratio", "log_factor_at_most", "told"),
    [(0.6, 0.0, True), (0.6, 0.1, True), (0.6, 0.11, False), (0.6, math.inf, False), (0.3, 0.0, False)],
)
def test_a_look_that_may_be_of_a_slower_engine_confirms_nothing(
    load_ratio: float, log_factor_at_most: float, told: bool
) -> None:
    assert confirms(load_ratio, log_factor_at_most) is told


@pytest.mark.parametrize(("more", "confirms"), [(-0.01, 0.0), (0.01, 1.0)])
def test_load_confirms_from_a_share_of_the_safe_rate_on(more: float, confirms: float) -> None:
    assert confirmed(Trial(share=CONFIRMING_LOAD_RATIO + more).run(60.0)) == confirms


def test_little_load_teaches_of_the_pace_and_confirms_nothing() -> None:
    truth = Trial(pace=1.15, share=0.3).run(60.0)
    assert truth.factors[PROFILE] > 1.0
    assert confirmed(truth) == 0.0


def test_idle_moments_confirm_nothing_and_take_nothing_away() -> None:
    idle = Trial(share=0.01)
    assert confirmed(idle.run(120.0)) == 0.0
    trial = Trial(share=0.6)
    trial.run(12.0)
    trial.share = 0.01
    assert confirmed(trial.run(120.0)) == 0.75


def test_a_profile_that_drifts_later_is_confirmed_no_longer_until_it_is_right_again() -> None:
    trial = Trial(share=0.45)
    assert confirmed(trial.run(30.0)) == 1.0
    trial.pace = 1.6
    assert confirmed(trial.run(60.0)) == 0.0
    trial.pace = 1.0
    assert confirmed(trial.run(120.0)) == 1.0


def test_on_spot_nodes_a_confirmed_profile_keeps_its_headroom() -> None:
    spot, paid = a_variant("spot", pool="gpu-spot"), a_variant("paid", pool="gpu-l4")
    chat = a_deployment(variants=[spot, paid])
    pools = [a_pool("gpu-spot", price_kind=PriceKind.SPOT), a_pool("gpu-l4")]
    corrections = {one.profile.name: learned(1e9) for one in chat.variants}
    found = confirmed_variants(a_snapshot([chat], pools), corrections)
    spot_key, paid_key = (one.key for one in chat.variants)
    assert found.get(spot_key, 0.0) == 0.0
    assert found[paid_key] == 1.0


@pytest.mark.parametrize("told", [0.25, 0.2125, 0.175, 0.1375, 0.1])
def test_a_headroom_that_was_told_stands_for_the_time_that_it_took(told: float) -> None:
    again = headroom_ratio(POLICY, confirmed_ratio(learned(loaded_s(POLICY, told))))
    assert again == pytest.approx(told)


def test_a_headroom_that_never_shrinks_tells_of_no_time() -> None:
    assert loaded_s(Policy(headroom_ratio=0.2, confirmed_headroom_ratio=0.2), 0.2) == 0.0


def test_a_profile_that_is_written_anew_is_to_be_confirmed_anew() -> None:
    trial = Trial(share=0.6)
    assert confirmed(trial.run(30.0)) == 1.0
    trial.profile = replace(trial.profile, step_time=replace(trial.profile.step_time, alpha_ms=6.0))
    assert confirmed(trial.run(0.5)) == 0.0


# --- What it does ----------------------------------------------------------------------------------------------------


def test_a_confirmed_profile_leaves_less_of_the_same_safe_rate_unused() -> None:
    chat = a_deployment(variants=[a_variant("h100"), a_variant("xeon", pool="cpu-amx")], policy=POLICY)
    h100, xeon = chat.variants
    assert h100.profile.name != xeon.profile.name

    def offered_rps(ratio: float) -> tuple[float, float]:
        options = size([chat], {chat.key: a_forecast(chat)}, PLAYED, confirmed={h100.key: ratio}).options
        return options[h100.key].capacity.per_replica_rps, options[xeon.key].capacity.per_replica_rps

    (full, other), (half, same), (least, still) = (offered_rps(ratio) for ratio in (0.0, 0.5, 1.0))
    assert (half / full, least / full) == pytest.approx((0.825 / 0.75, 0.9 / 0.75))
    # Each variant by itself.
    assert other == same == still


def test_an_estimate_keeps_its_headroom_whatever_requests_have_confirmed() -> None:
    chat = a_deployment(policy=POLICY)
    (key,) = (one.key for one in chat.variants)
    full, same = (
        size([chat], {chat.key: a_forecast(chat)}, confirmed={key: ratio}).options[key].capacity for ratio in (0.0, 1.0)
    )
    assert full == same


def test_decisions_follow_what_requests_confirm() -> None:
    trial = Trial(share=0.45, tick_s=60.0)
    safe_rps = []
    memory = trial.memory
    for minute in range(150):
        trial.now_s += trial.tick_s
        trial.pace = 1.0 if minute < 30 else 1.6
        decision = decide(trial.snapshot(), memory, simulated=PLAYED)
        memory = decision.memory
        safe_rps.append(decision.plan.deployments[0].variants[0].safe_rate_rps)
    # A quarter is left unused, then a tenth; after the drift a quarter of what an engine 1.25 times as slow
    # carries, the bound of corrections: of 1/1.25 of the capacity 1 - 0.5 x 1.25 instead of 1 - 0.5.
    assert safe_rps[0] == pytest.approx(0.75 * trial.safe_rps)
    assert safe_rps[29] == pytest.approx(0.9 * trial.safe_rps)
    assert decision.plan.corrections[PROFILE] == 1.25
    assert safe_rps[-1] / safe_rps[0] == pytest.approx((1.0 - 0.5 * 1.25) / 1.25 / 0.5, abs=0.02)
