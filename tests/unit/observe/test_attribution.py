"""Whose samples are these: by pod, by the name of a workload whose pod is gone, by model where a pod has several."""

from dataclasses import replace

import pytest

from plimsoll.api import Engine
from plimsoll.domain import DemandState, LatencyMetric, LatencyObservation, LatencyTarget, ObjectKey
from plimsoll.observe.attribution import attribute
from plimsoll.observe.demand import DemandMemory, Observed, observe_demand
from plimsoll.observe.reading import EngineReading, MetricsReading, Samples
from unit.builders import NOW_S
from unit.observe.answers import KEY, WINDOW_S, a_reading, a_server, an_asked, demand_of, old_pods, pod_samples

TTFT_P95 = (LatencyMetric.TTFT, 0.95)


def observed_of(*samples: Samples) -> Observed:
    asked = an_asked(a_server(*old_pods("chat-h100-a", "chat-h100-b")))
    observed, _ = observe_demand([asked], a_reading(*samples), DemandMemory(), NOW_S)
    return observed[KEY]


def with_ttft(pod: str, ttft_ms: float, rate_rps: float = 5.0) -> Samples:
    samples = pod_samples(pod, request_rate=rate_rps)
    return Samples(samples.namespace, pod, samples.model, samples.values, {TTFT_P95: ttft_ms})


@pytest.mark.parametrize("pod", ["chat-h100-6d4cf56db6-x7k2p", "chat-h100-0", "chat-h100-0-1"])
def test_a_pod_that_is_gone_is_known_by_its_workloads_name(pod: str) -> None:
    found = attribute([an_asked()], a_reading(pod_samples(pod, gone=True)))
    assert [(one.server.variant, one.pod) for one in found[KEY].pods] == [("h100", None)]


@pytest.mark.parametrize("pod", ["chat-h1000-0", "chat", "other-h100-0", "chat-h100-a-b-c-d"])
def test_a_strangers_pod_is_nobodys(pod: str) -> None:
    found = attribute([an_asked(a_server())], a_reading(pod_samples(pod, gone=True)))
    assert found[KEY].pods == ()


def test_two_deployments_of_one_model_in_one_namespace_keep_apart() -> None:
    other = an_asked(a_server(*old_pods("fast-h100-a"), variant="h100"), key=ObjectKey("team-a", "fast"))
    reading = a_reading(pod_samples(), pod_samples("fast-h100-a", request_rate=9.0))
    observed, _ = observe_demand([an_asked(), other], reading, DemandMemory(), NOW_S)
    assert observed[KEY].demand.arrival_rate_rps == pytest.approx(5.0)
    assert observed[other.key].demand.arrival_rate_rps == pytest.approx(9.0)


def test_of_several_models_in_a_pod_the_one_asked_for_counts() -> None:
    # Triton counts a request once for every part of an ensemble.
    reading = a_reading(pod_samples(), pod_samples(model="preprocessing", request_rate=50.0))
    demand, _ = demand_of(an_asked(), reading)
    assert demand.arrival_rate_rps == pytest.approx(5.0)


def test_several_models_none_of_them_asked_for_says_which_there_are() -> None:
    demand, _ = demand_of(an_asked(model="x"), a_reading(pod_samples(model="a"), pod_samples(model="b")))
    assert demand.state is DemandState.ABSENT
    assert "report the models a, b, none of them x: set spec.demand.modelName" in demand.message


def test_the_only_model_of_our_own_pod_counts_whatever_it_is_called() -> None:
    demand, _ = demand_of(an_asked(model="x"), a_reading(pod_samples(model="llama-int8")))
    assert demand.arrival_rate_rps == pytest.approx(5.0)


def test_samples_of_an_engine_that_the_variant_does_not_run_are_left_out() -> None:
    reading = MetricsReading(
        WINDOW_S, {Engine.VLLM: EngineReading((pod_samples(),)), Engine.SGLANG: EngineReading((pod_samples(),))}
    )
    demand, _ = demand_of(an_asked(), reading)
    assert demand.arrival_rate_rps == pytest.approx(5.0)


def test_latencies_of_a_variant_weigh_its_pods_by_what_they_served() -> None:
    observed = observed_of(with_ttft("chat-h100-a", 100.0, 1.0), with_ttft("chat-h100-b", 500.0, 3.0))
    assert observed.latencies == {"h100": (LatencyObservation(*TTFT_P95, 400.0),)}
    assert observed.arrival_rate_rps == {"h100": pytest.approx(4.0)}


@pytest.mark.parametrize(
    ("seen_ms", "low_ms", "high_ms"),
    [
        ((150.0, 150.0), 100.0, 200.0),
        ((200.0, 150.0), 100.0, 200.0),  # a bound belongs to the bucket below it
        ((50.0, 150.0), 75.0, 175.0),  # 0 .. 100 for a quarter of the requests, 100 .. 200 for the others
        ((400.0, 150.0), 175.0, None),  # at the last bound, where the quantile lies beyond
    ],
)
def test_latencies_are_known_to_within_their_buckets(
    seen_ms: tuple[float, float], low_ms: float, high_ms: float | None
) -> None:
    bounds = {LatencyMetric.TTFT: (100.0, 200.0, 400.0)}
    first, second = (
        replace(with_ttft(f"chat-h100-{pod}", value_ms, weight), bounds_ms=bounds)
        for pod, value_ms, weight in zip("ab", seen_ms, (1.0, 3.0), strict=True)
    )
    (latency,) = observed_of(first, second).latencies["h100"]
    assert (latency.at_least_ms, latency.at_most_ms) == (low_ms, high_ms)


def test_a_pod_that_served_nothing_has_no_say_in_latency() -> None:
    observed = observed_of(with_ttft("chat-h100-a", 100.0), with_ttft("chat-h100-b", float("nan"), 0.0))
    assert observed.latencies["h100"] == (LatencyObservation(*TTFT_P95, 100.0),)


def test_latencies_not_observed_are_left_out() -> None:
    asked = an_asked(slo=(LatencyTarget(LatencyMetric.E2E, 0.5, 1.0),))
    observed, _ = observe_demand([asked], a_reading(with_ttft("chat-h100-a", 100.0)), DemandMemory(), NOW_S)
    assert observed[KEY].latencies == {"h100": ()}


def test_the_fullest_cache_of_a_variant_is_told() -> None:
    observed = observed_of(pod_samples(kv_use=0.4), pod_samples("chat-h100-b", kv_use=0.9))
    assert observed.kv_cache_use_ratio == {"h100": 0.9}
    assert observed_of(pod_samples()).kv_cache_use_ratio == {}


def test_each_variant_gets_the_arrivals_of_its_own_pods() -> None:
    asked = an_asked(a_server(*old_pods("chat-h100-a")), a_server(*old_pods("chat-l4-a"), variant="l4"))
    reading = a_reading(pod_samples(), pod_samples("chat-l4-a", request_rate=2.0))
    observed, _ = observe_demand([asked], reading, DemandMemory(), NOW_S)
    assert observed[KEY].arrival_rate_rps == {"h100": pytest.approx(5.0), "l4": pytest.approx(2.0)}
