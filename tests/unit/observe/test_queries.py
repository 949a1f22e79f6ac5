"""The PromQL that is asked: few queries, every name from the table, nothing asked for that an engine lacks."""

import pytest

from plimsoll.api import Engine
from plimsoll.domain import LatencyMetric
from plimsoll.observe.dialects import (
    DIALECTS,
    ENVOY_AI_GATEWAY,
    INFERENCE_EXTENSION,
    LLAMA_CPP,
    SGLANG,
    VLLM,
    Dialect,
    Series,
    dialects_of,
)
from plimsoll.observe.queries import Labels, Signal, demand_query, latency_of_signal, latency_query, latency_signal

BY_POD = "namespace, pod, model_name"


def demand_text(dialect: Dialect, labels: Labels | None = None) -> str:
    return demand_query(dialect, labels or Labels(), 60.0)


def test_every_engine_of_the_api_has_a_row_and_custom_has_none() -> None:
    assert {dialect.engine for dialect in DIALECTS} == set(Engine) - {Engine.CUSTOM}
    assert dialects_of(Engine.CUSTOM) == ()


@pytest.mark.parametrize("engine", [one for one in Engine if one not in (Engine.GATEWAY, Engine.CUSTOM)])
def test_an_engine_in_pods_has_exactly_one_row(engine: Engine) -> None:
    assert len(dialects_of(engine)) == 1


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.title)
def test_every_row_says_where_its_names_stand_and_has_a_heartbeat(dialect: Dialect) -> None:
    assert "/" in dialect.documented
    assert dialect.heartbeat


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.title)
def test_parentheses_and_braces_are_balanced(dialect: Dialect) -> None:
    latency = latency_query(dialect, Labels(), 60.0, [(metric, 0.95) for metric in LatencyMetric])
    for text in (demand_text(dialect), latency or ""):
        for opening, closing in ("()", "[]", "{}"):
            assert text.count(opening) == text.count(closing)
        assert "None" not in text


def test_completions_are_rated_over_the_window_by_pod_and_model() -> None:
    rate = f"sum by ({BY_POD}) (rate(vllm:request_success_total[60000ms]))"
    assert f'label_replace({rate}, "plimsoll_signal", "request_rate", "", "")' in demand_text(VLLM)


def test_in_flight_is_asked_for_at_both_ends_of_the_window() -> None:
    assert f"sum by ({BY_POD}) ((vllm:num_requests_running offset 60000ms))" in demand_text(VLLM)
    assert f"sum by ({BY_POD}) (vllm:num_requests_running)" in demand_text(VLLM)


def test_old_and_new_names_are_alternatives_of_one_signal() -> None:
    assert f"max by ({BY_POD}) (vllm:kv_cache_usage_perc or vllm:gpu_cache_usage_perc)" in demand_text(VLLM)


def test_buckets_of_alternative_histograms_never_mix() -> None:
    text = latency_query(VLLM, Labels(), 60.0, [(LatencyMetric.TPOT, 0.9)])
    assert text is not None
    assert text.count("histogram_quantile(0.9, ") == 3
    assert text.count(" or histogram_quantile") == 2


def test_the_largest_length_is_not_told_where_the_bucket_without_a_bound_has_some() -> None:
    def by_bound(matcher: str) -> str:
        return f"sum by ({BY_POD}, le) (rate(vllm:request_prompt_tokens_bucket{matcher}[60000ms]))"

    last, others = by_bound('{le="+Inf"}'), by_bound('{le!="+Inf"}')
    text = f"(histogram_quantile(1, {by_bound('')}) unless (max by ({BY_POD}) ({last}) > max by ({BY_POD}) ({others})))"
    assert f'label_replace({text}, "plimsoll_signal", "prompt_tokens_most", "", "")' in demand_text(VLLM)


def test_matchers_of_a_histogram_hold_for_each_of_its_buckets() -> None:
    assert 'gen_ai_client_token_usage_token_bucket{gen_ai_token_type="input", le!="+Inf"}' in demand_text(
        ENVOY_AI_GATEWAY
    )


def test_bounds_of_buckets_are_those_of_the_first_histogram_that_is_there() -> None:
    text = latency_query(VLLM, Labels(), 60.0, [(LatencyMetric.TPOT, 0.9), (LatencyMetric.TPOT, 0.5)])
    assert text is not None
    first, second = "vllm:request_time_per_output_token_seconds", "vllm:inter_token_latency_seconds"
    assert text.count('"tpot_bounds"') == 1
    assert f"count by (le) ({first}_bucket) or" in text
    assert f"(count by (le) ({second}_bucket) unless on () (count({first}_bucket)))" in text


def test_a_gateway_is_asked_by_model_not_by_pod() -> None:
    assert "sum by (namespace, model_name)" in demand_text(INFERENCE_EXTENSION)
    assert "pod" not in demand_text(INFERENCE_EXTENSION).replace("pods", "")
    assert "sum by (namespace, gen_ai_original_model)" in demand_text(ENVOY_AI_GATEWAY)


def test_requests_refused_for_want_of_a_replica_are_counted_at_the_gateway() -> None:
    assert 'request_error_total{error_code=~"ServiceUnavailable|InferencePoolResourceExhausted"}' in demand_text(
        INFERENCE_EXTENSION
    )


def test_labels_of_the_scrape_configuration_may_have_other_names() -> None:
    text = demand_text(VLLM, Labels(namespace="kubernetes_namespace", pod="kubernetes_pod_name"))
    assert "sum by (kubernetes_namespace, kubernetes_pod_name, model_name)" in text


def test_what_an_engine_does_not_expose_is_not_asked_for() -> None:
    text = demand_text(LLAMA_CPP)
    assert f'"{Signal.REQUEST_RATE.value}"' not in text
    assert f'"{Signal.PROMPT_TOKENS_RATE.value}"' not in text
    assert latency_query(LLAMA_CPP, Labels(), 60.0, [(LatencyMetric.TTFT, 0.95)]) is None


def test_token_counters_stand_in_for_histograms_that_are_off() -> None:
    text = demand_text(SGLANG)
    assert "rate(sglang:prompt_tokens_histogram_sum[60000ms])) or sum by" in text
    assert "rate(sglang:prompt_tokens_total[60000ms])" in text


def test_the_suffix_of_a_histogram_stands_before_its_matchers() -> None:
    assert Series("x", 'type="input"').selector("_bucket") == 'x_bucket{type="input"}'


def test_a_latency_signal_is_read_back_as_it_was_written() -> None:
    assert latency_of_signal(latency_signal(LatencyMetric.TPOT, 0.99)) == (LatencyMetric.TPOT, 0.99)
    assert latency_of_signal("request_rate") is None
