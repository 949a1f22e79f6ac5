"""Scales of kinds that are not watched: read, refused for good, or kept while the API server is silent."""

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from plimsoll.api_server import translated
from plimsoll.domain import Reason, Target
from plimsoll.errors import ClusterUnavailable
from plimsoll.observe.scales import ScaleReader, parse_selector
from plimsoll.observe.targets import Scale, Unavailable, identity
from plimsoll.observe.views import Requirement, Selector

TARGET = Target("serving.example.com/v1", "Fleet", "team-a", "chat", owned=False)
ROOT = "/apis/serving.example.com/v1"
PATH = f"{ROOT}/namespaces/team-a/fleets/chat"
KINDS = {"resources": [{"kind": "Fleet", "name": "fleets"}, {"kind": "Scale", "name": "fleets/scale"}]}
SCALE = {"spec": {"replicas": 3}, "status": {"replicas": 2, "selector": "app=chat"}}


class FakeServer:
    """Answers by path; an HTTP status stands for a refusal, an exception is raised, what is missing is 404."""

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = dict(answers)
        self.asked: list[str] = []

    def get(self, path: str) -> Mapping[str, Any]:
        self.asked.append(path)
        answer = self.answers.get(path, 404)
        if isinstance(answer, int):
            raise translated(answer, "Refused", path)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, threading.Event):
            answer.wait(10.0)
            return {}
        found: Mapping[str, Any] = answer
        return found


def read(*servers: FakeServer, timeout_s: float = 1.0) -> Scale | Unavailable:
    """The scale as the last of the servers, asked one after the other by one reader, leaves it."""
    remaining = list(servers)

    def get(path: str) -> Mapping[str, Any]:
        return remaining[0].get(path)

    reader = ScaleReader(get, timeout_s)
    for _ in servers:
        scales = asyncio.run(reader.read([TARGET]))
        remaining.append(remaining.pop(0))
    reader.close()
    return scales[identity(TARGET)]


def refusal(server: FakeServer) -> Unavailable:
    found = read(server)
    assert isinstance(found, Unavailable)
    return found


def test_a_scale_is_read_with_its_selector() -> None:
    assert read(FakeServer({ROOT: KINDS, f"{PATH}/scale": SCALE})) == Scale(3, Selector(equal=(("app", "chat"),)))


def test_the_plural_of_a_kind_is_asked_for_once() -> None:
    server = FakeServer({ROOT: KINDS, f"{PATH}/scale": SCALE})
    read(server, server, server)
    assert server.asked.count(ROOT) == 1


def test_no_targets_cost_no_request() -> None:
    server = FakeServer({})
    assert asyncio.run(ScaleReader(server.get).read([])) == {}
    assert server.asked == []


def test_a_kind_without_a_scale_says_so() -> None:
    found = refusal(FakeServer({ROOT: KINDS, PATH: {"metadata": {}}}))
    assert found.reason is Reason.TARGET_NOT_SCALABLE
    assert "has no scale subresource" in found.message


def test_a_missing_object_is_missing_not_unscalable() -> None:
    assert refusal(FakeServer({ROOT: KINDS})).reason is Reason.TARGET_MISSING


@pytest.mark.parametrize("answers", [{}, {ROOT: {"resources": []}}], ids=["no group", "no kind"])
def test_a_kind_that_is_not_served_says_what_to_install(answers: Mapping[str, Any]) -> None:
    found = refusal(FakeServer(answers))
    assert found.reason is Reason.TARGET_MISSING
    assert "CustomResourceDefinition" in found.message


def test_a_missing_permission_says_which() -> None:
    found = refusal(FakeServer({ROOT: KINDS, f"{PATH}/scale": 403}))
    assert found.reason is Reason.TARGET_NOT_SCALABLE
    assert "its role needs get and patch" in found.message


@pytest.mark.parametrize("fault", [500, 429, ClusterUnavailable(PATH)], ids=["500", "429", "no connection"])
def test_a_silent_api_server_leaves_the_scale_last_read(fault: Any) -> None:
    good = FakeServer({ROOT: KINDS, f"{PATH}/scale": SCALE})
    bad = FakeServer({ROOT: KINDS, f"{PATH}/scale": fault})
    assert read(good, bad, bad) == Scale(3, Selector(equal=(("app", "chat"),)))


def test_a_scale_never_read_is_missing_not_zero() -> None:
    assert refusal(FakeServer({ROOT: KINDS, f"{PATH}/scale": 500})).reason is Reason.TARGET_MISSING


def test_a_server_that_never_answers_costs_the_tick_no_more_than_the_time_out() -> None:
    stuck = threading.Event()

    async def timed() -> float:
        clock = asyncio.get_running_loop()
        reader = ScaleReader(FakeServer({ROOT: stuck}).get, timeout_s=0.2)
        started_s = clock.time()
        scales = await reader.read([TARGET])
        took_s = clock.time() - started_s
        stuck.set()
        assert isinstance(scales[identity(TARGET)], Unavailable)
        return took_s

    # Twice the time-out is room for a busy machine.
    assert asyncio.run(timed()) < 0.4


@pytest.mark.parametrize(
    ("text", "selector"),
    [
        ("", Selector()),
        ("app=chat,tier==gpu", Selector(equal=(("app", "chat"), ("tier", "gpu")))),
        (
            "app=chat, tier in (a, b),!canary,zone notin (z),x!=1,marked",
            Selector(
                equal=(("app", "chat"),),
                requirements=(
                    Requirement("tier", "In", frozenset({"a", "b"})),
                    Requirement("canary", "DoesNotExist"),
                    Requirement("zone", "NotIn", frozenset({"z"})),
                    Requirement("x", "NotIn", frozenset({"1"})),
                    Requirement("marked", "Exists"),
                ),
            ),
        ),
    ],
)
def test_selectors_are_read_from_their_text_form(text: str, selector: Selector) -> None:
    assert parse_selector(text) == selector
