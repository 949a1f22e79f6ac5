"""Arrivals at pods: what counts, what is taken off, and what follows when pods or samples come and go."""

import math
from dataclasses import replace

import pytest

from plimsoll.api import Engine
from plimsoll.domain import DemandState, TokenMix
from plimsoll.observe.queries import Signal
from plimsoll.observe.reading import MetricsReading
from unit.builders import NOW_S, a_pod
from unit.observe.answers import (
    a_reading,
    a_server,
    an_asked,
    demand_of,
    known_before,
    old_pods,
    pod_samples,
    without,
)


def test_arrivals_are_completions_plus_growth_of_requests_in_flight() -> None:
    # 5 done a second; in flight 10 -> 70 within 60 s: one more a second came than went.
    demand, _ = demand_of(an_asked(), a_reading(pod_samples(running=40.0, waiting=30.0)))
    assert demand.state is DemandState.KNOWN
    assert demand.arrival_rate_rps == pytest.approx(6.0)
    assert (demand.running, demand.waiting) == (40.0, 30.0)


def test_demand_says_over_how_long_it_was_averaged() -> None:
    demand, _ = demand_of(an_asked(), replace(a_reading(pod_samples()), window_s=8.0))
    assert demand.window_s == 8.0


def test_a_draining_backlog_is_not_demand() -> None:
    # 5 done a second, 3 of them from the backlog: 190 -> 10 in 60 s.
    demand, _ = demand_of(an_asked(), a_reading(pod_samples(waiting_before=180.0)))
    assert demand.arrival_rate_rps == pytest.approx(2.0)


def test_arrivals_never_fall_below_zero() -> None:
    demand, _ = demand_of(an_asked(), a_reading(pod_samples(request_rate=0.0, running=0.0)))
    assert demand.state is DemandState.KNOWN
    assert demand.arrival_rate_rps == 0.0


def test_no_requests_at_fresh_pods_is_known_zero() -> None:
    quiet = pod_samples(request_rate=0.0, running=0.0, running_before=0.0)
    demand, _ = demand_of(an_asked(), a_reading(quiet))
    assert (demand.state, demand.arrival_rate_rps) == (DemandState.KNOWN, 0.0)


def test_a_pod_that_left_still_counts_within_the_window() -> None:
    # It did 3 a second of the window and had 12 in flight at its beginning, which the others did not get.
    gone = pod_samples("chat-h100-b", gone=True, request_rate=3.0, running_before=12.0)
    demand, _ = demand_of(an_asked(), a_reading(pod_samples(), gone))
    assert demand.arrival_rate_rps == pytest.approx(5.0 + 3.0 - 12.0 / 60.0)


def test_a_new_pod_counts_from_its_first_requests_on() -> None:
    new = a_pod("chat-h100-b", ready_since_s=NOW_S - 20.0)
    asked = an_asked(a_server(*old_pods("chat-h100-a"), new))
    young = without(
        pod_samples("chat-h100-b", request_rate=1.0, scrapes=1.0, running=6.0),
        Signal.RUNNING_BEFORE,
        Signal.WAITING_BEFORE,
    )
    demand, _ = demand_of(asked, a_reading(pod_samples(), young), known_before())
    assert demand.arrival_rate_rps == pytest.approx(5.0 + 1.0 + 6.0 / 60.0)


def test_a_new_pod_that_is_not_scraped_yet_is_not_missed() -> None:
    new = a_pod("chat-h100-b", ready_since_s=NOW_S - 20.0)
    demand, _ = demand_of(an_asked(a_server(*old_pods("chat-h100-a"), new)), a_reading(pod_samples()), known_before())
    assert demand.state is DemandState.KNOWN
    assert demand.arrival_rate_rps == pytest.approx(5.0)
    assert "taken to be like the others" not in demand.message


def test_history_that_does_not_reach_back_does_not_look_like_a_rush() -> None:
    first_look = without(pod_samples(running=600.0), Signal.RUNNING_BEFORE, Signal.WAITING_BEFORE)
    demand, _ = demand_of(an_asked(), a_reading(first_look))
    assert demand.arrival_rate_rps == pytest.approx(5.0)


def test_a_counter_that_never_counted_is_no_request() -> None:
    # SGLang's and TGI's counters appear with the first request; the gauges are there from the start.
    silent = without(pod_samples(running=0.0, running_before=0.0), Signal.REQUEST_RATE, Signal.REQUESTS)
    demand, _ = demand_of(an_asked(), a_reading(silent))
    assert (demand.state, demand.arrival_rate_rps) == (DemandState.KNOWN, 0.0)


def test_a_counter_seen_once_is_not_zero() -> None:
    seen_once = without(pod_samples(), Signal.REQUEST_RATE)
    demand, _ = demand_of(an_asked(), a_reading(seen_once))
    assert demand.state is DemandState.STALE
    assert demand.arrival_rate_rps is None
    assert "at least four scrape intervals" in demand.message


@pytest.mark.parametrize("value", [math.nan, math.inf, -1.0])
@pytest.mark.parametrize("signal", [Signal.REQUEST_RATE, Signal.RUNNING, Signal.WAITING])
def test_values_that_cannot_be_make_demand_invalid(signal: Signal, value: float) -> None:
    samples = pod_samples()
    broken = replace(samples, values={**samples.values, signal: value})
    demand, _ = demand_of(an_asked(), a_reading(broken), known_before())
    assert demand.state is DemandState.INVALID
    assert demand.arrival_rate_rps is None
    assert "chat-h100-a" in demand.message
    assert signal in demand.message


def test_one_missing_pod_of_four_is_taken_to_be_like_the_others() -> None:
    names = ["chat-h100-a", "chat-h100-b", "chat-h100-c", "chat-h100-d"]
    seen = [pod_samples(name) for name in names[:3]]
    demand, _ = demand_of(an_asked(a_server(*old_pods(*names))), a_reading(*seen))
    assert demand.state is DemandState.KNOWN
    assert demand.arrival_rate_rps == pytest.approx(20.0)
    assert "1 of 4 ready pods" in demand.message


def test_a_guess_for_missing_pods_never_lowers_demand() -> None:
    names = ["chat-h100-a", "chat-h100-b"]
    before = known_before(40.0, pods=names)
    demand, after = demand_of(an_asked(a_server(*old_pods(*names))), a_reading(pod_samples()), before)
    assert demand.arrival_rate_rps == 40.0
    assert after.last[an_asked().key].arrival_rate_rps == 40.0


def test_a_guess_for_missing_pods_may_raise_demand() -> None:
    names = ["chat-h100-a", "chat-h100-b"]
    demand, _ = demand_of(
        an_asked(a_server(*old_pods(*names))), a_reading(pod_samples(request_rate=30.0)), known_before(40.0, pods=names)
    )
    assert demand.arrival_rate_rps == pytest.approx(60.0)


def test_what_a_missing_pod_did_before_is_not_counted_beside_the_guess() -> None:
    names = ["chat-h100-a", "chat-h100-b"]
    fading = pod_samples("chat-h100-b", gone=True, request_rate=4.0)
    demand, _ = demand_of(an_asked(a_server(*old_pods(*names))), a_reading(pod_samples(), fading))
    assert demand.arrival_rate_rps == pytest.approx(10.0)


def test_too_few_pods_seen_is_stale() -> None:
    names = ["chat-h100-a", "chat-h100-b", "chat-h100-c"]
    demand, _ = demand_of(an_asked(a_server(*old_pods(*names))), a_reading(pod_samples()))
    assert demand.state is DemandState.STALE
    assert "only 1 of 3 ready pods" in demand.message


def test_terminating_and_unready_pods_are_not_missed() -> None:
    pods = (
        *old_pods("chat-h100-a"),
        a_pod("chat-h100-b", ready_since_s=NOW_S - 3600.0, terminating=True),
        a_pod("chat-h100-c", ready=False, ready_since_s=None),
    )
    demand, _ = demand_of(an_asked(a_server(*pods)), a_reading(pod_samples()))
    assert demand.state is DemandState.KNOWN
    assert demand.arrival_rate_rps == pytest.approx(5.0)


def test_all_variants_add_up_each_in_the_words_of_its_engine() -> None:
    # OpenVINO counts arrivals, so growth of what it has in flight must not be added again.
    asked = an_asked(
        a_server(*old_pods("chat-h100-a")),
        a_server(*old_pods("chat-xeon-a"), variant="xeon", engine=Engine.OPENVINO),
    )
    xeon = pod_samples("chat-xeon-a", model="llama-int8", request_rate=2.0, running=70.0)
    vllm, openvino = a_reading(pod_samples()), a_reading(xeon, engine=Engine.OPENVINO)
    both = MetricsReading(vllm.window_s, {**vllm.by_engine, **openvino.by_engine})
    demand, _ = demand_of(asked, both)
    assert demand.arrival_rate_rps == pytest.approx(7.0)


def test_an_engine_that_counts_no_requests_says_what_to_do() -> None:
    asked = an_asked(a_server(*old_pods("chat-h100-a"), engine=Engine.LLAMA_CPP))
    demand, _ = demand_of(asked, a_reading(pod_samples(), engine=Engine.LLAMA_CPP))
    assert demand.state is DemandState.ABSENT
    assert "llama.cpp" in demand.message
    assert "spec.demand.engine to Gateway" in demand.message


def test_tokens_are_means_over_all_pods_weighted_by_their_requests() -> None:
    names = ["chat-h100-a", "chat-h100-b"]
    busy = pod_samples("chat-h100-b", prompt_tokens_rate=1000.0, prompts_rate=15.0, prompt_tokens_p95=100.0)
    demand, _ = demand_of(an_asked(a_server(*old_pods(*names))), a_reading(pod_samples(), busy))
    # Prompts are 3500 tokens by 20 requests, their p95 weighs 900 five times and 100 fifteen times.
    assert demand.tokens == TokenMix(175.0, 300.0, 100.0, 250.0)


def test_the_high_output_is_weighted_by_the_requests_of_each_pod() -> None:
    names = ["chat-h100-a", "chat-h100-b"]
    short = pod_samples("chat-h100-b", output_tokens_rate=300.0, outputs_rate=15.0, output_tokens_p95=50.0)
    demand, _ = demand_of(an_asked(a_server(*old_pods(*names))), a_reading(pod_samples(), short))
    # Outputs are 800 tokens by 20 requests, their p95 weighs 250 five times and 50 fifteen times.
    assert demand.tokens == TokenMix(500.0, 900.0, 40.0, 100.0)


def test_without_a_histogram_the_high_prompt_is_twice_the_mean() -> None:
    demand, _ = demand_of(an_asked(), a_reading(without(pod_samples(), Signal.PROMPT_TOKENS_P95)))
    assert demand.tokens == TokenMix(500.0, 1000.0, 100.0, 250.0)


def test_without_a_histogram_the_high_output_is_that_of_a_geometric_length() -> None:
    demand, _ = demand_of(an_asked(), a_reading(without(pod_samples(), Signal.OUTPUT_TOKENS_P95)))
    assert demand.tokens == TokenMix(500.0, 900.0, 100.0, 300.0)


def test_the_high_output_is_never_below_the_mean() -> None:
    # Coarse buckets can say so: the p95 lies within the first of them.
    demand, _ = demand_of(an_asked(), a_reading(pod_samples(output_tokens_p95=60.0)))
    assert demand.tokens == TokenMix(500.0, 900.0, 100.0, 100.0)


def test_with_nothing_done_in_the_window_the_last_mix_is_kept() -> None:
    idle = pod_samples(
        request_rate=0.0,
        prompt_tokens_rate=0.0,
        prompts_rate=0.0,
        prompt_tokens_p95=math.nan,
        output_tokens_rate=0.0,
        outputs_rate=0.0,
        output_tokens_p95=math.nan,
    )
    demand, after = demand_of(an_asked(), a_reading(idle), known_before())
    assert demand.tokens == TokenMix(500.0, 900.0, 100.0, 250.0)
    again, _ = demand_of(an_asked(), a_reading(idle), after, NOW_S + 10.0)
    assert again.tokens == demand.tokens


def test_without_any_request_ever_the_mix_is_unknown_and_demand_known() -> None:
    fresh = without(
        pod_samples(request_rate=0.0, running=0.0, running_before=0.0),
        Signal.PROMPT_TOKENS_RATE,
        Signal.PROMPTS_RATE,
        Signal.OUTPUT_TOKENS_RATE,
        Signal.OUTPUTS_RATE,
    )
    demand, _ = demand_of(an_asked(), a_reading(fresh))
    assert demand.state is DemandState.KNOWN
    assert demand.tokens is None


def test_the_largest_length_is_that_of_all_pods() -> None:
    names = ["chat-h100-a", "chat-h100-b"]
    pods = [
        pod_samples(name, prompt_tokens_most=most, output_tokens_most=500.0)
        for name, most in zip(names, (2000.0, 5000.0), strict=True)
    ]
    demand, _ = demand_of(an_asked(a_server(*old_pods(*names))), a_reading(*pods))
    assert demand.tokens == TokenMix(500.0, 900.0, 100.0, 250.0, prompt_tokens_most=5000.0, output_tokens_most=500.0)


def test_no_largest_length_is_known_where_one_pod_does_not_tell_its_own() -> None:
    names = ["chat-h100-a", "chat-h100-b"]
    telling = pod_samples("chat-h100-a", prompt_tokens_most=2000.0)
    demand, _ = demand_of(an_asked(a_server(*old_pods(*names))), a_reading(telling, pod_samples("chat-h100-b")))
    assert demand.tokens is not None
    assert demand.tokens.prompt_tokens_most == math.inf


def test_a_pod_without_requests_says_nothing_of_the_largest_length() -> None:
    names = ["chat-h100-a", "chat-h100-b"]
    telling = pod_samples("chat-h100-a", prompt_tokens_most=2000.0)
    idle = pod_samples("chat-h100-b", prompts_rate=0.0, prompt_tokens_rate=0.0, prompt_tokens_most=math.nan)
    demand, _ = demand_of(an_asked(a_server(*old_pods(*names))), a_reading(telling, idle))
    assert demand.tokens is not None
    assert demand.tokens.prompt_tokens_most == 2000.0
