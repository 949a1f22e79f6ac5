"""What the simulated engines expose is what the product reads, and agrees with what was served."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from plimsoll.observe.dialects import INFERENCE_EXTENSION, VLLM
from plimsoll_testkit.engines.configuration import Configuration, ModelConfig, Slo, VariantConfig
from plimsoll_testkit.engines.engine import Hardware
from plimsoll_testkit.engines.fleet import Fleet, SeenPod
from plimsoll_testkit.engines.web import serve

LAW = Hardware(alpha_ms=10.0, beta_ms=0.1, pi_ms=0.01, kappa_ms=0.0, max_sequences=32, kv_cache_tokens=100_000)
POD = SeenPod("ns", "chat-1", {"app": "chat"}, ready=True, terminating=False)


@pytest.fixture
def fleet() -> Fleet:
    variant = VariantConfig("cpu", {"app": "chat"}, LAW)
    model = ModelConfig("ns", "chat", "acme/chat", Slo(500.0), (variant,), ((0.0, 10.0),), 1.0, 0.1, 100)
    return Fleet(Configuration(1, (model,)))


@pytest.fixture
def url(fleet: Fleet) -> Iterator[str]:
    server = serve(fleet, 0)
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_a_replica_exposes_each_name_that_is_read_from_vllm(fleet: Fleet) -> None:
    fleet.set_pods([POD], 0.0)
    fleet.advance(20.0)
    page = samples(fleet.page("ns", "chat-1"))
    for signal in ("requests", "heartbeat", "running", "waiting"):
        assert getattr(VLLM, signal)[0].name in page, signal
    assert VLLM.kv_use[0].name in page
    for signal in ("prompt_tokens", "output_tokens", "ttft", "tpot", "e2e"):
        assert f"{getattr(VLLM, signal)[0].name}_bucket" in page, signal


def test_counters_of_a_replica_agree_with_the_summary(fleet: Fleet) -> None:
    fleet.set_pods([POD], 0.0)
    fleet.advance(20.0)
    page, told = samples(fleet.page("ns", "chat-1")), summary_of(fleet)
    assert told["ended"] > 100
    assert page["vllm:request_success_total"] == told["ended"]
    assert page["vllm:generation_tokens_total"] == told["output_tokens"]
    assert page["vllm:request_prompt_tokens_sum"] == page["vllm:prompt_tokens_total"] == told["prompt_tokens"]
    assert page["vllm:num_requests_running"] + page["vllm:num_requests_waiting"] == told["in_flight"]


def test_the_gateway_shows_demand_while_no_replica_runs(fleet: Fleet) -> None:
    fleet.advance(20.0)
    counter, queue = INFERENCE_EXTENSION.requests[0].name, INFERENCE_EXTENSION.waiting[0].name
    before = samples(fleet.gateway_page())
    assert before[counter] == 0.0
    assert before[queue] == summary_of(fleet)["arrived"] > 100
    fleet.set_pods([POD], 20.0)
    fleet.advance(21.0)
    after = samples(fleet.gateway_page())
    assert after[queue] == 0.0
    assert after[counter] == summary_of(fleet)["arrived"]


def test_the_gateway_counts_a_request_that_starts_again_once(fleet: Fleet) -> None:
    # Fast enough that the replica is never idle: something is in flight whenever it goes.
    fleet.control("chat", rate_rps=50.0)
    fleet.set_pods([POD], 0.0)
    fleet.advance(20.0)
    fleet.set_pods([], 20.0)
    fleet.control("chat", rate_rps=0.0)
    fleet.set_pods([POD], 20.0)
    fleet.advance(40.0)
    told = summary_of(fleet)
    assert told["retried"] > 0
    assert samples(fleet.gateway_page())[INFERENCE_EXTENSION.requests[0].name] == told["arrived"] == told["ended"]


def test_prometheus_finds_every_replica_and_the_gateway(fleet: Fleet, url: str) -> None:
    fleet.set_pods([POD], 0.0)
    listed = json.loads(get(f"{url}/sd"))
    assert [one["labels"]["pod"] for one in listed] == ["chat-1", "gateway"]
    for one in listed:
        assert b"model_name" in get(f"http://{one['targets'][0]}{one['labels']['__metrics_path__']}")


def test_a_rate_set_from_outside_holds_until_the_next(fleet: Fleet, url: str) -> None:
    post(f"{url}/control", {"deployment": "chat", "rate_rps": 42})
    fleet.advance(1.0)
    assert summary_of(fleet)["rate_rps"] == 42.0
    post(f"{url}/control", {"deployment": "chat", "rate_multiplier": 0.5})
    assert summary_of(fleet)["rate_rps"] == 5.0


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"deployment": "chat"}, 400),
        ({"deployment": "chat", "rate_rps": -1}, 400),
        ({"deployment": "chat", "rate_rps": 1, "rate_multiplier": 1}, 400),
        ({"deployment": "nobody", "rate_rps": 1}, 404),
        ([], 400),
    ],
)
def test_an_order_that_cannot_be_followed_is_refused(url: str, body: object, status: int) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        post(f"{url}/control", body)
    assert refused.value.code == status
    refused.value.close()


def samples(page: bytes | None) -> Mapping[str, float]:
    """Value by sample name; of a histogram's buckets, the last."""
    assert page is not None
    return {one.name: one.value for family in text_string_to_metric_families(page.decode()) for one in family.samples}


def summary_of(fleet: Fleet) -> dict[str, Any]:
    told: Any = fleet.summary()["models"]
    model: dict[str, Any] = told["ns/chat"]
    return model


def get(address: str) -> bytes:
    with opener().open(address, timeout=5.0) as answer:
        content: bytes = answer.read()
    return content


def post(address: str, body: object) -> None:
    with opener().open(urllib.request.Request(address, json.dumps(body).encode()), timeout=5.0) as answer:
        assert answer.status == 200


def opener() -> urllib.request.OpenerDirector:
    return urllib.request.build_opener(urllib.request.ProxyHandler({}))
