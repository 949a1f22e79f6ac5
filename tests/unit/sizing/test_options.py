"""What each variant offers: headroom, refusals in words, the guess before the first request, and predictions."""

from dataclasses import replace
from typing import Any

import pytest

from plimsoll.domain import (
    CapacityTable,
    Finding,
    Gain,
    LatencyMetric,
    LatencyTarget,
    Option,
    Profile,
    Reason,
    SizedBy,
    StepTime,
    TokenMix,
    ValidityRange,
)
from plimsoll.sizing import Capacity, predict, size
from plimsoll.sizing.cases import case_of
from unit.builders import MIX, a_deployment, a_forecast, a_policy, a_profile, a_variant

TTFT, TPOT, E2E = LatencyMetric.TTFT, LatencyMetric.TPOT, LatencyMetric.E2E


def a_target(metric: LatencyMetric = TTFT, limit_ms: float = 800.0, quantile: float = 0.95) -> LatencyTarget:
    return LatencyTarget(metric, quantile, limit_ms)


SLOW_LAW = StepTime(50.0, 0.5, 0.5, 0.001)


def _option(profile: Profile | None = None, tokens: TokenMix | None = MIX, **overrides: Any) -> Option:
    deployment = a_deployment(variants=[a_variant(profile=profile or a_profile("profile-h100"))], **overrides)
    options = size([deployment], {deployment.key: a_forecast(deployment, tokens=tokens)}).options
    return options[deployment.variants[0].key]


def _finding(option: Option) -> Finding:
    assert option.finding is not None
    return option.finding


def test_every_variant_of_every_deployment_gets_an_option() -> None:
    chat = a_deployment("chat", variants=[a_variant("h100"), a_variant("xeon", pool="cpu-amx")])
    code = a_deployment("code")

    options = size([chat, code], {each.key: a_forecast(each) for each in (chat, code)}).options

    assert set(options) == {variant.key for deployment in (chat, code) for variant in deployment.variants}
    assert all(option.key == key and option.usable and option.finding is None for key, option in options.items())


def test_nothing_to_size_is_no_option() -> None:
    assert size([], {}).options == {}


def test_headroom_is_taken_off_the_safe_rate() -> None:
    full = _option(policy=a_policy(headroom_ratio=0.0)).capacity.per_replica_rps
    kept = _option(policy=a_policy(headroom_ratio=0.25)).capacity.per_replica_rps

    assert kept == pytest.approx(0.75 * full)


def test_replicas_add_up() -> None:
    capacity = _option().capacity

    assert capacity.total_rps(7) == pytest.approx(7 * capacity.per_replica_rps)


def test_a_slightly_shifted_mix_has_the_same_safe_rate() -> None:
    # So that a plan does not tremble with the mix: both round up to prompts of 528 and outputs of 132 tokens.
    assert _option(tokens=TokenMix(513.0, 1025.0, 130.5, 385.0)) == _option(
        tokens=TokenMix(527.0, 1040.0, 131.9, 391.0)
    )


def test_an_unreachable_slo_says_what_the_variant_needs() -> None:
    # alpha 50, pi .5, a p95 prompt of 1024 tokens in one chunk: 50 + 512 = 562 ms.
    option = _option(a_profile(step_time=SLOW_LAW), slo=(a_target(TTFT, 80.0),))

    assert option.capacity.total_rps(100) == 0.0
    assert not option.usable
    assert [each.value_ms for each in option.unloaded] == [pytest.approx(562.0)]
    assert _finding(option).reason is Reason.SLO_UNREACHABLE
    assert _finding(option).variant == "h100"
    assert _finding(option).message == (
        "slo ttft p95 is 80ms; h100 needs 562ms even for a lone request: allow 562ms, or add a faster variant"
    )


def test_allowing_what_the_message_asks_for_is_enough() -> None:
    for metric, limit_ms in ((TTFT, 570.0), (TPOT, 54.2)):
        assert _option(a_profile(step_time=SLOW_LAW), slo=(a_target(metric, limit_ms),)).usable


def test_of_several_targets_the_one_missed_most_is_told() -> None:
    slo = (a_target(TTFT, 500.0), a_target(TPOT, 5.0, 0.5))

    message = _finding(_option(a_profile(step_time=SLOW_LAW), slo=slo)).message

    assert message.startswith("slo tpot p50 is 5ms; h100 needs 52ms even for a lone request")


def test_a_short_latency_is_not_rounded_to_whole_milliseconds() -> None:
    # A step of alpha alone: 4.011 ms.
    option = _option(a_profile(step_time=StepTime(4.011, 0.0, 0.0, 0.0)), slo=(a_target(TPOT, 1.0),))

    assert "h100 needs 4.02ms" in _finding(option).message


@pytest.mark.parametrize(
    ("validity", "part", "mean", "field", "limit"),
    [
        (ValidityRange(max_prompt_tokens=487), "prompt", 512, "maxPromptTokens", 487),
        (ValidityRange(max_output_tokens=121), "output", 128, "maxOutputTokens", 121),
    ],
)
def test_a_mix_beyond_what_was_measured_is_refused(
    validity: ValidityRange, part: str, mean: int, field: str, limit: int
) -> None:
    option = _option(a_profile("llama-h100", validity=validity))

    assert not option.usable
    assert option.unloaded == ()
    assert _finding(option).reason is Reason.OUTSIDE_PROFILE_RANGE
    assert _finding(option).message == (
        f"h100: the mean {part} is {mean} tokens, but profile llama-h100 was measured up to spec.validity.{field} "
        f"{limit}: measure longer {part}s and raise that, or add another variant"
    )


def test_a_mix_at_the_end_of_what_was_measured_is_accepted() -> None:
    assert _option(a_profile(validity=ValidityRange(512, 128))).usable


def test_a_mix_that_only_its_grid_takes_beyond_what_was_measured_is_accepted() -> None:
    # Requests of 488 tokens are sized for as 512 where the grid has that.
    assert _option(a_profile(validity=ValidityRange(488, 122))).usable


def test_a_request_that_does_not_fit_the_memory_is_refused() -> None:
    # A p95 prompt of 1024 and 128 of output: 1152 tokens.
    refused, accepted = (_option(a_profile("llama-h100", kv_cache_tokens=tokens)) for tokens in (1151, 1152))

    assert accepted.usable
    assert _finding(refused).reason is Reason.OUTSIDE_PROFILE_RANGE
    assert _finding(refused).message == (
        "h100: a p95 prompt and its output take 1152 tokens, but profile llama-h100 has spec.kvCacheTokens 1151: limit "
        "the length of requests, or add a variant with more memory"
    )


def test_before_the_first_request_a_guessed_mix_stands_in() -> None:
    assert _option(tokens=None) == _option(tokens=TokenMix(512.0, 1024.0, 128.0, 384.0))


@pytest.mark.parametrize(
    "overrides",
    [
        {"validity": ValidityRange(max_prompt_tokens=100)},
        {"kv_cache_tokens": 100},
        {"step_time": StepTime(10.0, 0.1, 1.0, 0.001)},  # 1 s of prefill for the guessed prompt, against 800 ms
    ],
)
def test_a_guess_never_rules_a_variant_out(overrides: dict[str, Any]) -> None:
    option = _option(a_profile(**overrides), tokens=None)

    assert option.usable
    assert option.finding is None


def test_what_no_request_could_meet_is_told_before_the_first_one() -> None:
    option = _option(a_profile(step_time=SLOW_LAW), tokens=None, slo=(a_target(TPOT, 50.0),))

    assert not option.usable
    assert _finding(option).reason is Reason.SLO_UNREACHABLE


def test_what_no_request_could_fit_is_told_before_the_first_one() -> None:
    option = _option(a_profile(kv_cache_tokens=1), tokens=None)

    assert not option.usable
    assert _finding(option).reason is Reason.OUTSIDE_PROFILE_RANGE


def test_predictions_stay_within_the_slo_at_the_safe_rate() -> None:
    deployment = a_deployment(policy=a_policy(headroom_ratio=0.0))
    forecast, profile, slo = a_forecast(deployment), deployment.variants[0].profile, deployment.slo
    option = size([deployment], {deployment.key: forecast}).options[deployment.variants[0].key]

    seen = predict(profile, forecast, slo, option.capacity.per_replica_rps, replicas=1)

    assert [(each.metric, each.quantile) for each in seen] == [(target.metric, target.quantile) for target in slo]
    assert all(each.value_ms <= target.limit_ms * 1.001 for each, target in zip(seen, slo, strict=True))


def test_predictions_rise_with_the_rate_from_those_of_a_lone_request() -> None:
    profile, slo = a_profile(), (a_target(TTFT, 800.0), a_target(TPOT, 60.0, 0.5), a_target(E2E, 9_000.0, 0.99))
    option = _option(profile, slo=slo)
    forecast = a_forecast(a_deployment())

    idle, light, heavy, too_much = (predict(profile, forecast, slo, rate, 1) for rate in (0.0, 2.0, 10.0, 1e6))

    assert idle == option.unloaded
    for values in zip(idle, light, heavy, too_much, strict=True):
        assert [each.value_ms for each in values] == sorted({each.value_ms for each in values})


def test_predictions_rise_with_the_rate_also_where_the_slo_cannot_be_met() -> None:
    slo = (a_target(TTFT, 1.0),)
    forecast = a_forecast(a_deployment())

    idle, light, heavy = (predict(a_profile(), forecast, slo, rate, 1)[0].value_ms for rate in (0.0, 2.0, 10.0))

    assert 1.0 < idle < light < heavy


def test_what_passes_outside_the_engine_is_promised_and_predicted_too() -> None:
    slo = (a_target(TTFT, 300.0), a_target(TPOT, 60.0))
    without, with_it = _option(a_profile(), slo=slo), _option(a_profile(ttft_overhead_ms=100.0), slo=slo)

    assert with_it.unloaded[0].value_ms == pytest.approx(without.unloaded[0].value_ms + 100.0)
    assert with_it.unloaded[1] == without.unloaded[1]
    assert with_it.capacity == _option(a_profile(), slo=(a_target(TTFT, 200.0), slo[1])).capacity


def test_an_overhead_as_long_as_the_limit_leaves_nothing() -> None:
    option = _option(a_profile(ttft_overhead_ms=300.0), slo=(a_target(TTFT, 300.0),))

    assert _finding(option).reason is Reason.SLO_UNREACHABLE


def test_a_simulated_case_counts_before_the_estimate() -> None:
    deployment = a_deployment(policy=a_policy(headroom_ratio=0.5))
    forecast = a_forecast(deployment)
    case = case_of(deployment.variants[0].profile, MIX, deployment.slo, forecast.burstiness)
    latencies = tuple((10.0, 20.0, 30.0, 40.0, 50.0, 60.0) for _ in deployment.slo)
    simulated = {case: Capacity((1, 2), (10.0, 24.0), latencies, 10.0, SizedBy.SIMULATION)}

    option = size([deployment], {deployment.key: forecast}, simulated).options[deployment.variants[0].key]
    seen = predict(deployment.variants[0].profile, forecast, deployment.slo, 12.0, 2, simulated)

    assert option.sized_by is SizedBy.SIMULATION
    assert option.capacity == CapacityTable((1, 2), (5.0, 12.0))
    assert [each.value_ms for each in seen] == [50.0 for _ in deployment.slo]


def test_nothing_is_predicted_before_the_first_request_or_outside_the_profile() -> None:
    profile, slo, forecast = a_profile(), (a_target(),), a_forecast(a_deployment())

    assert predict(profile, replace(forecast, tokens=None), slo, 1.0, 1) == ()
    assert predict(replace(profile, kv_cache_tokens=1000), forecast, slo, 1.0, 1) == ()


def test_a_simulation_that_finds_no_safe_rate_says_what_requests_need() -> None:
    # The estimate takes the limit for just within reach; the play knows that it is not.
    chat = a_deployment(slo=(a_target(TTFT, 36.0),))
    forecast = a_forecast(chat)
    case = case_of(chat.variants[0].profile, MIX, chat.slo, forecast.burstiness)
    seen = ((36.4, 37.0, 38.0, 39.0, 40.0, 41.0),)
    simulated = {case: Capacity((1, 2), (0.0, 0.0), seen, 5.0, SizedBy.SIMULATION)}

    option = size([chat], {chat.key: forecast}, simulated).options[chat.variants[0].key]

    assert _finding(option).message.startswith("slo ttft p95 is 36ms; h100 needs 37ms even for a lone request")


def test_a_question_that_drifted_is_estimated_as_far_off_as_the_last_one_was() -> None:
    deployment = a_deployment(policy=a_policy(headroom_ratio=0.0))
    key, profile = deployment.variants[0].key, deployment.variants[0].profile
    before, after = a_forecast(deployment), a_forecast(deployment, tokens=replace(MIX, output_tokens_mean=140.0))
    case = case_of(profile, MIX, deployment.slo, before.burstiness)
    alone_rps = size([deployment], {deployment.key: before}).options[key].capacity.rate_rps[0]
    drifted_rps = size([deployment], {deployment.key: after}).options[key].capacity.rate_rps[0]
    # Bursts leave a lone replica half, and four of them more than four times that.
    latencies = tuple((10.0, 20.0, 30.0, 40.0, 50.0, 60.0) for _ in deployment.slo)
    found = Capacity((1, 4), (0.5 * alone_rps, 3.0 * alone_rps), latencies, alone_rps, SizedBy.SIMULATION)

    first = size([deployment], {deployment.key: before}, {case: found})
    then = size([deployment], {deployment.key: after}, {case: found}, last_gains=first.gains)

    assert then.options[key].sized_by is SizedBy.ESTIMATE
    assert then.options[key].capacity.replicas == (1, 4)
    assert then.options[key].capacity.rate_rps == pytest.approx((0.5 * drifted_rps, 3.0 * drifted_rps))
    assert then.gains == first.gains


def test_what_simulations_said_of_variants_that_are_gone_is_forgotten() -> None:
    deployment = a_deployment()
    gone = deployment.variants[0].key._replace(variant="gone")
    sized = size([deployment], {deployment.key: a_forecast(deployment)}, last_gains={gone: Gain((1,), (0.5,))})
    assert sized.gains == {}
