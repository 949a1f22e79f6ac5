"""The picture shows the figures of the last tick, although a status keeps older ones for a while."""

from typing import Any

from plimsoll_testkit.demo.live_figures import pools_with_live_figures, with_live_figures

PAGE = """
# TYPE plimsoll_arrival_rate_requests_per_second gauge
plimsoll_arrival_rate_requests_per_second{deployment="chat",namespace="demo"} 14.04
plimsoll_arrival_rate_requests_per_second{deployment="chat",namespace="other"} 99.0
# TYPE plimsoll_forecast_requests_per_second gauge
plimsoll_forecast_requests_per_second{deployment="chat",namespace="demo"} 16.55
# TYPE plimsoll_cost_usd_per_million_tokens gauge
plimsoll_cost_usd_per_million_tokens{deployment="chat",namespace="demo"} 0.26349
# TYPE plimsoll_safe_rate_requests_per_second gauge
plimsoll_safe_rate_requests_per_second{deployment="chat",namespace="demo",pool="gpu-h100",variant="h100"} 21.5
# TYPE plimsoll_latency_seconds gauge
plimsoll_latency_seconds{deployment="chat",latency="ttft",namespace="demo",pool="gpu-h100",quantile="0.95",source="predicted",variant="h100"} 0.0421
plimsoll_latency_seconds{deployment="chat",latency="ttft",namespace="demo",pool="gpu-h100",quantile="0.95",source="observed",variant="h100"} 0.0446
"""  # noqa: E501


def chat() -> dict[str, Any]:
    return {
        "metadata": {"namespace": "demo", "name": "chat"},
        "status": {
            "demand": {"arrivalRate": "4.093", "state": "Known"},
            "forecast": {"requiredRate": "5"},
            "variants": [
                {"name": "h100", "ready": 1, "safeRate": "20", "observed": {"tpot": {"p95": "9ms"}}},
                {"name": "l4", "ready": 2, "safeRate": "3"},
            ],
        },
    }


def test_rates_price_and_latencies_are_those_of_the_last_tick() -> None:
    (renewed,) = with_live_figures([chat()], PAGE)
    assert renewed["status"] == {
        "demand": {"arrivalRate": "14.04", "state": "Known"},
        "forecast": {"requiredRate": "16.55"},
        "cost": {"perMillionTokens": "0.263"},
        "variants": [
            {
                "name": "h100",
                "ready": 1,
                "safeRate": "21.5",
                "predicted": {"ttft": {"p95": "42.1ms"}},
                "observed": {"ttft": {"p95": "44.6ms"}},
            },
            {"name": "l4", "ready": 2, "safeRate": "3"},
        ],
    }


def test_what_the_page_does_not_tell_stays_as_it_is() -> None:
    assert with_live_figures([chat()], "") == [chat()]


def test_an_object_without_a_status_gets_none_of_another_one() -> None:
    bare = {"metadata": {"namespace": "demo", "name": "tags"}}
    (renewed,) = with_live_figures([bare], PAGE)
    assert renewed["status"] == {"variants": []}


def test_replicas_are_those_of_the_last_tick() -> None:
    page = "".join(
        f'plimsoll_{name}_replicas{{deployment="chat",namespace="demo",pool="gpu-l4",variant="l4"}} {count}.0\n'
        for name, count in (("desired", 3), ("current", 2), ("ready", 1))
    )
    (renewed,) = with_live_figures([chat()], page)
    h100, l4 = renewed["status"]["variants"]
    assert (h100["ready"], h100.get("target")) == (1, None)
    assert (l4["target"], l4["current"], l4["ready"]) == (3, 2, 1)


def test_nodes_of_a_pool_are_those_of_the_last_tick() -> None:
    page = "".join(
        f'plimsoll_pool_{name}{{pool="gpu-l4"}} {value}\n'
        for name, value in (("nodes", 1.0), ("target_nodes", 2.0), ("cost_usd_per_hour", 0.35))
    )
    pools: list[dict[str, Any]] = [
        {"metadata": {"name": "gpu-l4"}, "status": {"nodes": 3, "packing": "1"}},
        {"metadata": {"name": "cpu-amx"}},
    ]
    gpu, cpu = pools_with_live_figures(pools, page)
    assert gpu["status"] == {"nodes": 1, "target": 2, "costPerHour": "0.35", "packing": "1"}
    assert cpu["status"] == {}
