"""Events tell a change once, and a failure to tell stops nothing."""

import logging

import pytest

from plimsoll.apply.events import EventRecorder, Happening
from plimsoll.apply.writer import Writer
from plimsoll.domain import Reason
from unit.apply.fake_api_server import FakeApiServer
from unit.explain.plans import CHAT

PATH = "/apis/events.k8s.io/v1/namespaces/team-a/events"
SCALED = Happening(CHAT, "uid-chat", Reason.SCALE_UP, "h100 2 -> 3", is_warning=False)


def a_recorder(server: FakeApiServer) -> EventRecorder:
    writer = Writer(server, lambda: True, lambda _kind, _verb: None)
    return EventRecorder(writer, "plimsoll-0", lambda now_s: f"at {now_s:g}")


def test_an_event_names_its_object_its_reason_and_who_reports() -> None:
    server = FakeApiServer()
    a_recorder(server).record(SCALED, 5.0)
    (event,) = server.written("POST", PATH)
    assert event["regarding"] == {
        "apiVersion": "plimsoll.dev/v1alpha1",
        "kind": "InferenceDeployment",
        "name": "chat",
        "namespace": "team-a",
        "uid": "uid-chat",
    }
    assert (event["type"], event["reason"], event["note"]) == ("Normal", "ScaleUp", "h100 2 -> 3")
    assert (event["eventTime"], event["reportingInstance"]) == ("at 5", "plimsoll-0")


def test_a_failure_is_a_warning() -> None:
    server = FakeApiServer()
    a_recorder(server).record(Happening(CHAT, "u", Reason.WRITE_FAILED, "no", is_warning=True), 0.0)
    assert server.written("POST")[0]["type"] == "Warning"


def test_the_same_words_are_told_once_in_ten_minutes() -> None:
    server = FakeApiServer()
    recorder = a_recorder(server)
    for now_s in (0.0, 10.0, 599.0):
        recorder.record(SCALED, now_s)
    assert len(server.writes) == 1
    recorder.record(SCALED, 600.0)
    assert len(server.writes) == 2


def test_other_words_or_another_object_are_told_at_once() -> None:
    server = FakeApiServer()
    recorder = a_recorder(server)
    recorder.record(SCALED, 0.0)
    recorder.record(Happening(CHAT, "uid-chat", Reason.SCALE_UP, "h100 3 -> 4", is_warning=False), 1.0)
    recorder.record(Happening(CHAT, "uid-of-its-successor", Reason.SCALE_UP, "h100 2 -> 3", is_warning=False), 1.0)
    assert len(server.writes) == 3


def test_an_event_that_is_refused_is_logged_and_let_go(caplog: pytest.LogCaptureFixture) -> None:
    server = FakeApiServer()
    server.refuse("POST", PATH, 403)
    with caplog.at_level(logging.WARNING):
        a_recorder(server).record(SCALED, 0.0)
    assert "event not written: POST" in caplog.text


def test_a_long_note_is_cut_to_the_bytes_that_the_api_server_takes() -> None:
    server = FakeApiServer()
    a_recorder(server).record(Happening(CHAT, "u", Reason.STEADY, "\N{EURO SIGN}" * 1024, is_warning=False), 0.0)
    # Three bytes each: 341 of them are 1023 bytes.
    assert server.written("POST")[0]["note"] == "\N{EURO SIGN}" * 341
