"""Engines that are slower or faster than their profile are found out, slowly, and only when they can be."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from plimsoll.decide import decide
from plimsoll.domain import (
    DemandState,
    Deployment,
    LatencyMetric,
    LatencyTarget,
    Memory,
    ObjectKey,
    Pod,
    Reason,
    TokenMix,
    VariantKey,
)
from plimsoll.sizing import NOTHING_SIMULATED, OnlineTruth, learn, to_simulate
from unit.builders import MIX, NOW_S, a_demand, a_forecast, a_pod, a_profile, a_snapshot
from unit.sizing.engines_on_trial import PLAYED, PROFILE, Trial

STEP = 0.025
Change = Callable[[Deployment], Deployment]


def factor(truth: OnlineTruth) -> float:
    return truth.factors[PROFILE]


def variant_with(**overrides: Any) -> Change:
    return lambda one: replace(one, variants=tuple(replace(variant, **overrides) for variant in one.variants))


def demand_with(**overrides: Any) -> Change:
    return lambda one: replace(one, demand=replace(one.demand, **overrides))


# --- What is learned -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.3, 0.45, 0.6])
@pytest.mark.parametrize("pace", [0.87, 1.15])
def test_another_pace_is_learned_within_an_hour_at_any_load(pace: float, share: float) -> None:
    trial = Trial(pace=pace, share=share)
    # Of the logarithm 1 - e^-2 = 86% after an hour with a time constant of half an hour: 1.15^0.86 = 1.128.
    assert factor(trial.run(60.0)) == pytest.approx(pace**0.86, abs=STEP)
    assert factor(trial.run(120.0)) == pytest.approx(pace, abs=STEP)


def test_an_engine_as_fast_as_its_profile_is_left_alone() -> None:
    assert factor(Trial().run(60.0)) == 1.0


def test_a_slower_engine_lowers_the_safe_rate_and_is_predicted_as_it_is() -> None:
    trial = Trial(pace=1.15, tick_s=60.0)
    first = last = decide(trial.snapshot(), trial.memory, simulated=PLAYED)
    for _ in range(90):
        trial.now_s += trial.tick_s
        last = decide(trial.snapshot(), last.memory, simulated=PLAYED)
    before, after = (one.plan.deployments[0].variants[0] for one in (first, last))

    assert after.correction == last.plan.corrections[PROFILE] == 1.125
    # A lone request takes half of its limit: 1 - 0.5 of the capacity is safe. At 1.125: 1 - 0.5625 of 1/1.125 of it.
    # Of the first a quarter is left unused, of the second, which requests have confirmed by then, a tenth.
    assert after.safe_rate_rps / before.safe_rate_rps == pytest.approx(0.4375 / 1.125 / 0.5 * 0.9 / 0.75, abs=0.02)
    assert after.compared[0].ratio == pytest.approx(1.0, abs=0.05)
    assert before.correction == 1.0


def test_the_background_simulates_the_corrected_case() -> None:
    trial = Trial(pace=1.15)
    trial.run(60.0)
    snapshot = trial.snapshot()
    plan = decide(snapshot, trial.memory).plan

    (case,) = to_simulate(snapshot, plan, NOTHING_SIMULATED)

    assert case.replica.step_time.alpha_ms == pytest.approx(
        trial.profile.step_time.alpha_ms * plan.corrections[PROFILE]
    )
    assert plan.corrections[PROFILE] > 1.0


def test_the_first_token_teaches_where_there_is_nothing_else_and_its_overhead_is_no_pace() -> None:
    profile = a_profile(PROFILE, ttft_overhead_ms=100.0)
    trial = Trial(pace=1.15, slo=(LatencyTarget(LatencyMetric.TTFT, 0.95, 180.0),), profile=profile)
    assert factor(trial.run(120.0)) == pytest.approx(1.15, abs=STEP)


def test_time_per_token_teaches_where_both_are_seen() -> None:
    trial = Trial(pace=1.15, slo=(LatencyTarget(LatencyMetric.TTFT, 0.95, 500.0), Trial().slo[0]))

    def slow_start(one: Deployment) -> Deployment:
        (variant,) = one.variants
        first, tpot = variant.latencies
        return replace(one, variants=(replace(variant, latencies=(first._replace(value_ms=5_000.0), tpot)),))

    assert factor(trial.run(120.0, slow_start)) == pytest.approx(1.15, abs=STEP)


@pytest.mark.parametrize("tick_s", [5.0, 30.0])
def test_time_counts_and_not_the_number_of_ticks(tick_s: float) -> None:
    assert factor(Trial(pace=1.15, tick_s=tick_s).run(60.0)) == factor(Trial(pace=1.15).run(60.0))


@pytest.mark.parametrize("seed", range(3))
def test_noise_of_a_fifth_leaves_it_within_a_step(seed: int) -> None:
    rng = random.Random(seed)
    trial = Trial(noise=lambda: rng.uniform(0.8, 1.2))
    seen = {factor(trial.run(5.0)) for _ in range(60)}
    assert max(abs(one - 1.0) for one in seen) <= STEP + 1e-9


def test_the_factor_in_use_moves_in_steps_and_seldom() -> None:
    trial = Trial(pace=1.15)
    seen = [factor(trial.run(1.0)) for _ in range(240)]
    assert len(set(seen)) <= 7  # 1, 1.025 .. 1.15
    assert seen == sorted(seen)
    assert all(one / STEP == pytest.approx(round(one / STEP)) for one in seen)


def test_a_clock_that_is_set_back_teaches_nothing() -> None:
    trial = Trial(pace=1.1)
    before = trial.run(60.0).corrections[PROFILE]
    # The next look is of ten minutes ago, by pods that have been ready for long.
    trial.now_s -= 600.0
    snapshot = trial.snapshot()
    after = learn(
        snapshot, {one.key: a_forecast(one) for one in snapshot.deployments}, trial.memory, PLAYED
    ).corrections
    assert after[PROFILE].log_factor == before.log_factor
    assert after[PROFILE].usable_s == before.usable_s


def test_after_the_cause_is_gone_the_correction_goes_back() -> None:
    trial = Trial(pace=1.15)
    assert factor(trial.run(120.0)) > 1.1
    trial.pace = 1.0
    assert factor(trial.run(150.0)) == pytest.approx(1.0, abs=STEP)


def test_another_mix_at_present_is_not_taken_for_another_pace() -> None:
    lighter = TokenMix(MIX.prompt_tokens_mean, MIX.prompt_tokens_p95, MIX.output_tokens_mean * 0.8, 384.0 * 0.8)
    assert factor(Trial(present=lighter).run(120.0)) == 1.0
    assert factor(Trial(present=lighter, pace=1.15).run(120.0)) == pytest.approx(1.15, abs=STEP)


def test_a_group_that_is_a_little_faster_than_told_is_no_faster_engine() -> None:
    assert factor(Trial(pace=0.92, replicas=4, share=0.5).run(120.0)) == 1.0
    assert factor(Trial(pace=1.15, replicas=4, share=0.5).run(120.0)) == pytest.approx(1.15, abs=STEP)


def bucket(low_ms: float | None, high_ms: float | None) -> Change:
    """What requests see is known to lie in there; the value told is the bucket's middle, as good as any."""

    def change(one: Deployment) -> Deployment:
        (variant,) = one.variants
        seen = tuple(
            latency._replace(
                value_ms=((low_ms or 0.0) + (high_ms or 100.0)) / 2.0, at_least_ms=low_ms, at_most_ms=high_ms
            )
            for latency in variant.latencies
        )
        return replace(one, variants=(replace(variant, latencies=seen),))

    return change


@pytest.mark.parametrize(("low_ms", "high_ms"), [(5.0, 25.0), (None, 25.0), (5.0, None)])
def test_a_prediction_within_the_observed_bucket_is_right(low_ms: float | None, high_ms: float | None) -> None:
    # Predicted are 9.8 ms: 7 over 1 - 0.6 x 0.5 of the capacity.
    truth = Trial().run(60.0, bucket(low_ms, high_ms))
    assert (factor(truth), truth.findings) == (1.0, ())
    assert [one.ratio for told in truth.latencies.values() for one in told] == [1.0]


def test_a_prediction_outside_the_observed_bucket_is_moved_to_its_bound() -> None:
    trial = Trial()
    truth = trial.run(240.0, bucket(12.0, 25.0))
    to_its_middle = Trial().run(240.0, bucket(18.5, 18.5))
    assert 1.0 < factor(truth) < 1.25
    assert truth.findings == ()
    assert to_its_middle.findings != ()


def test_deployments_with_one_profile_count_by_their_requests() -> None:
    # Two thirds of the requests see 1.2, one third 1.0: 1.2^(2/3) = 1.129.
    assert together(Trial(pace=1.2, share=0.6), Trial(pace=1.0, share=0.3)) == pytest.approx(1.129, abs=STEP)


def together(*trials: Trial) -> float:
    """What is learned in two hours where these are deployments side by side."""
    memory, now_s, truth = Memory(), NOW_S, None
    for _ in range(240):
        now_s += 30.0
        deployments = []
        for i, trial in enumerate(trials):
            one = trial.deployment()
            key = ObjectKey(one.key.namespace, f"{one.key.name}-{i}")
            variants = tuple(replace(v, key=VariantKey(*key, v.name)) for v in one.variants)
            deployments.append(replace(one, key=key, variants=variants))
        snapshot = a_snapshot(deployments, now_s=now_s)
        truth = learn(snapshot, {one.key: a_forecast(one) for one in deployments}, memory, PLAYED)
        memory = Memory(corrections=truth.corrections, ready=truth.ready)
    assert truth is not None
    return factor(truth)


# --- What teaches nothing --------------------------------------------------------------------------------------------


UNUSABLE: dict[str, Change] = {
    "a queue": demand_with(waiting=5.0, running=10.0),
    "a full cache": variant_with(kv_cache_use_ratio=0.95),
    "a replica that starts": variant_with(
        replicas=2, pods=(a_pod("h100-0"), a_pod("h100-1", ready=False, ready_since_s=None))
    ),
    "a replica that is wanted": variant_with(replicas=2),
    "a replica that leaves": variant_with(pods=(a_pod("h100-0"), a_pod("h100-1", terminating=True))),
    "a replica that is young": variant_with(pods=(a_pod("h100-0", ready_since_s=NOW_S + 1e9),)),
    "no replica": variant_with(replicas=0, pods=()),
    "stale demand": lambda one: replace(one, demand=replace(a_demand(None), state=DemandState.STALE)),
    "few requests": demand_with(window_s=3.0),
    "nothing observed": variant_with(latencies=()),
    "a latency of nothing": variant_with(
        latencies=(Trial().deployment().variants[0].latencies[0]._replace(value_ms=0.0),)
    ),
}


@pytest.mark.parametrize("what", UNUSABLE)
def test_a_moment_that_says_nothing_about_the_engine_teaches_nothing(what: str) -> None:
    truth = Trial(pace=1.2).run(60.0, UNUSABLE[what])
    assert (factor(truth), truth.findings, dict(truth.latencies)) == (1.0, (), {})


@pytest.mark.parametrize(
    ("replicas", "requests", "teaches"), [(1, 99.0, False), (1, 100.0, True), (4, 159.0, False), (4, 160.0, True)]
)
def test_a_p99_needs_a_hundred_requests_and_forty_for_each_replica(
    replicas: int, requests: float, teaches: bool
) -> None:
    p99 = LatencyTarget(LatencyMetric.TPOT, 0.99, 14.0)
    trial = Trial(pace=1.2, slo=(p99,), replicas=replicas)
    truth = trial.run(60.0, demand_with(window_s=requests / (replicas * trial.share * trial.safe_rps)))
    assert bool(truth.latencies) is (factor(truth) > 1.0) is teaches


@pytest.mark.parametrize("share", [0.1, 0.95])
def test_an_idle_minute_and_a_saturated_one_teach_nothing(share: float) -> None:
    truth = Trial(pace=1.2, share=share).run(60.0)
    assert (factor(truth), dict(truth.latencies)) == (1.0, {})


def test_what_is_only_estimated_teaches_nothing() -> None:
    assert factor(Trial(pace=1.2).run(60.0, simulated=NOTHING_SIMULATED)) == 1.0


def test_nothing_is_learned_while_replicas_keep_coming_and_going() -> None:
    trial = Trial(pace=1.2)
    for _ in range(60):
        trial.replicas = 3 - trial.replicas
        truth = trial.run(0.5)
    assert factor(truth) == 1.0


def test_a_pod_that_does_not_say_since_when_it_is_ready_counts_from_its_creation() -> None:
    pod: Pod = a_pod("h100-0", ready_since_s=None)
    assert factor(Trial(pace=1.15).run(60.0, variant_with(pods=(pod,)))) > 1.0


def test_where_engines_count_nothing_the_demand_of_a_lone_variant_is_its_own() -> None:
    assert factor(Trial(pace=1.15).run(60.0, variant_with(arrival_rate_rps=None))) > 1.0


def test_a_pause_in_looking_counts_no_longer_than_what_was_seen() -> None:
    trial = Trial(pace=1.2)
    trial.run(5.0)
    usable_s = trial.memory.corrections[PROFILE].usable_s
    trial.now_s += 7200.0
    trial.run(0.5)
    # The window of demand is a minute.
    assert trial.memory.corrections[PROFILE].usable_s == pytest.approx(usable_s + 60.0)


# --- Beyond the bounds -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("pace", "bound"), [(1.6, 1.25), (0.6, 0.8)])
def test_a_profile_that_is_far_off_is_corrected_to_the_bound_and_said_to_have_drifted(
    pace: float, bound: float
) -> None:
    trial = Trial(pace=pace, share=0.4)
    truth = trial.run(180.0)

    (finding,) = truth.findings
    assert factor(truth) == bound
    assert (finding.reason, finding.variant) == (Reason.PROFILE_DRIFTED, "h100")
    assert f"profile {PROFILE} predicts TPOT p95" in finding.message
    assert f"at {0.4 * trial.safe_rps:.2g} req/s a replica" in finding.message
    assert f"requests see {trial.seen_ms:.2g}ms" in finding.message
    assert "plimsoll profile fit" in finding.message
    assert f"{bound:g} times" in finding.message


def test_the_ratio_told_is_that_of_the_last_half_hour() -> None:
    trial = Trial(pace=1.6, share=0.4)
    truth = trial.run(60.0)
    (seen,) = [one.latest for one in truth.corrections.values() if one.latest is not None]
    assert f"({trial.seen_ms / seen.predicted_ms:.2f}x over the last 30 min)" in truth.findings[0].message


def test_a_wide_miss_for_ten_minutes_is_drift_before_the_mean_is() -> None:
    trial = Trial(pace=1.6, share=0.4)
    assert trial.run(11.0).findings == ()  # the first minute fills the window
    (finding,) = trial.run(1.0).findings
    assert "over the last 11 min" in finding.message


def test_a_small_deviation_is_no_drift() -> None:
    assert Trial(pace=1.15).run(240.0).findings == ()


def test_drift_ends_after_the_profile_is_right_again() -> None:
    trial = Trial(pace=1.6, share=0.4)
    assert trial.run(60.0).findings
    trial.pace = 1.0
    assert trial.run(90.0).findings == ()


# --- What is remembered ----------------------------------------------------------------------------------------------


def test_after_a_restart_profiles_count_as_they_are_written() -> None:
    trial = Trial(pace=1.15)
    trial.run(120.0)
    assert factor(Trial(pace=1.15).run(1.0)) == 1.0


def test_a_profile_that_is_written_anew_starts_anew() -> None:
    trial = Trial(pace=1.15)
    trial.run(120.0)
    trial.profile = replace(trial.profile, step_time=replace(trial.profile.step_time, alpha_ms=6.0))
    assert factor(trial.run(0.5)) == 1.0


@pytest.mark.parametrize(("minutes", "kept"), [(30.0, True), (90.0, False)])
def test_what_was_learned_of_a_profile_outlives_a_short_absence_of_its_users(minutes: float, kept: bool) -> None:
    trial = Trial(pace=1.15)
    trial.run(120.0)
    truth = trial.run(minutes, variant_with(profile=a_profile("another")))
    assert (PROFILE in truth.corrections) is kept
    assert PROFILE not in truth.factors
