"""A step is looked at again, then done with one write, or dropped with a typed reason."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from plimsoll.apply.steps import Result, StepOutcome, log_fields, take_step
from plimsoll.apply.writer import Writer
from plimsoll.domain import Reason, Step, Target, VariantKey
from plimsoll.resource_paths import ResourcePaths
from unit.apply.fake_api_server import FakeApiServer

SCALE = "/apis/apps/v1/namespaces/team-a/deployments/chat-h100/scale"
PODS = "/api/v1/namespaces/team-a/pods"
STEP = Step(
    key=VariantKey("team-a", "chat", "h100"),
    target=Target("apps/v1", "Deployment", "team-a", "chat-h100", owned=False),
    from_replicas=3,
    to_replicas=1,
    reason=Reason.SCALE_DOWN,
    message="demand fell",
    delete_first=("chat-h100-a", "chat-h100-b"),
)


def a_server(replicas: int | None = 3) -> FakeApiServer:
    spec = {} if replicas is None else {"replicas": replicas}
    pods = {f"{PODS}/{name}": {"metadata": {"name": name}} for name in STEP.delete_first}
    return FakeApiServer({SCALE: {"metadata": {"name": "chat-h100"}, "spec": spec}, **pods})


def take(server: FakeApiServer, step: Step = STEP, may_write: Callable[[], bool] = lambda: True) -> StepOutcome:
    return take_step(step, Writer(server, may_write, lambda _kind, _verb: None), ResourcePaths(server.get))


def test_a_step_sets_the_replicas_it_was_planned_for() -> None:
    server = a_server()
    assert take(server).result is Result.WRITTEN
    assert server.objects[SCALE]["spec"] == {"replicas": 1}


def test_pods_that_should_go_first_are_marked_before_the_scale_down() -> None:
    server = a_server()
    take(server)
    assert [write.path for write in server.writes] == [f"{PODS}/chat-h100-a", f"{PODS}/chat-h100-b", SCALE]
    marked = server.objects[f"{PODS}/chat-h100-a"]["metadata"]["annotations"]
    assert marked == {"controller.kubernetes.io/pod-deletion-cost": "-100"}


def test_a_pod_that_is_gone_already_does_not_stop_the_step() -> None:
    server = a_server()
    del server.objects[f"{PODS}/chat-h100-a"]
    assert take(server).result is Result.WRITTEN


def test_the_scale_write_carries_the_resource_version_of_the_second_look() -> None:
    server = a_server()
    seen = server.objects[SCALE]["metadata"]["resourceVersion"]
    take(server)
    assert server.written("PATCH", "/scale") == [{"metadata": {"resourceVersion": seen}, "spec": {"replicas": 1}}]


def test_a_target_that_somebody_scaled_since_the_plan_is_left_alone() -> None:
    server = a_server(replicas=5)
    outcome = take(server)
    assert outcome.result is Result.CHANGED_MEANWHILE
    assert "asks for 5 replicas by now, the plan knew 3" in outcome.message
    assert server.writes == []


def test_somebody_who_scales_between_look_and_write_wins() -> None:
    server = a_server()
    server.before_write = lambda: None if server.writes else _scale_to(server, 7)
    outcome = take(server, replace(STEP, delete_first=()))
    assert outcome.result is Result.CHANGED_MEANWHILE
    assert server.objects[SCALE]["spec"]["replicas"] == 7


def _scale_to(server: FakeApiServer, replicas: int) -> None:
    server.keep(SCALE, {"spec": {"replicas": replicas}})


def test_a_controller_that_writes_its_status_meanwhile_does_not_cost_the_step() -> None:
    server = a_server()
    server.before_write = lambda: None if server.writes else _scale_to(server, 3)
    assert take(server, replace(STEP, delete_first=())).result is Result.WRITTEN
    assert server.objects[SCALE]["spec"]["replicas"] == 1


def test_a_target_that_never_rests_is_left_to_the_next_tick() -> None:
    server = a_server()
    server.before_write = lambda: _scale_to(server, 3)
    assert take(server, replace(STEP, delete_first=())).result is Result.CHANGED_MEANWHILE
    assert len(server.writes) == 4


def test_replicas_that_are_there_already_cost_no_write() -> None:
    server = a_server(replicas=1)
    assert take(server).result is Result.ALREADY_THERE
    assert server.writes == []


def test_a_scale_without_replicas_counts_as_zero() -> None:
    server = a_server(replicas=None)
    step = replace(STEP, from_replicas=0, to_replicas=2, delete_first=())
    assert take(server, step).result is Result.WRITTEN


@pytest.mark.parametrize(
    ("status", "result"),
    [
        (404, Result.TARGET_GONE),
        (409, Result.CHANGED_MEANWHILE),
        (403, Result.FAILED),
        (422, Result.FAILED),
        (500, Result.FAILED),
    ],
)
def test_a_refused_write_becomes_an_outcome_not_an_exception(status: int, result: Result) -> None:
    server = a_server()
    server.refuse("PATCH", SCALE, status)
    outcome = take(server)
    assert outcome.result is result
    assert str(status) in outcome.message


def test_a_target_that_is_gone_is_told_as_gone() -> None:
    assert take(FakeApiServer()).result is Result.TARGET_GONE


def test_a_replica_that_does_not_lead_writes_nothing() -> None:
    server = a_server()
    outcome = take(server, may_write=lambda: False)
    assert outcome.result is Result.NOT_LEADING
    assert server.writes == []


def test_leading_that_ends_between_two_writes_stops_the_second() -> None:
    server = a_server()
    outcome = take(server, may_write=lambda: not server.writes)
    assert outcome.result is Result.NOT_LEADING
    assert len(server.writes) == 1
    assert server.objects[SCALE]["spec"]["replicas"] == 3


def test_a_kind_that_is_not_known_is_looked_up_once() -> None:
    root = "/apis/serving.example.com/v1"
    kinds: dict[str, Any] = {
        "resources": [{"kind": "Scale", "name": "fleets/scale"}, {"kind": "Fleet", "name": "fleets"}]
    }
    server = FakeApiServer({root: kinds})
    paths, fleet = ResourcePaths(server.get), Target("serving.example.com/v1", "Fleet", "team-a", "x", owned=False)
    assert paths.scale_of(fleet) == f"{root}/namespaces/team-a/fleets/x/scale"
    paths.scale_of(fleet)
    assert server.reads == [root]


def test_a_kind_that_the_api_server_does_not_have_ends_the_step_with_its_name() -> None:
    server = FakeApiServer({"/apis/serving.example.com/v1": {"resources": []}})
    fleet = Target("serving.example.com/v1", "Fleet", "team-a", "x", owned=False)
    outcome = take(server, replace(STEP, target=fleet))
    assert outcome.result is Result.TARGET_GONE
    assert "knows no kind Fleet in serving.example.com/v1" in outcome.message


def test_a_kind_of_the_core_group_lives_under_api() -> None:
    controller = Target("v1", "ReplicationController", "team-a", "x", owned=False)
    server = FakeApiServer(
        {"/api/v1": {"resources": [{"kind": "ReplicationController", "name": "replicationcontrollers"}]}}
    )
    assert ResourcePaths(server.get).of(controller) == "/api/v1/namespaces/team-a/replicationcontrollers/x"


def test_successful_writes_are_counted_by_kind_and_verb() -> None:
    counted: list[tuple[str, str]] = []
    server = a_server()
    server.refuse("PATCH", f"{PODS}/chat-h100-b", 404)
    writer = Writer(server, lambda: True, lambda kind, verb: counted.append((kind, verb)))
    take_step(STEP, writer, ResourcePaths(server.get))
    assert counted == [("Pod", "patch"), ("Deployment/scale", "patch")]


def test_the_log_names_the_step_and_its_result() -> None:
    assert log_fields(StepOutcome(STEP, Result.WRITTEN)) == {
        "deployment": "team-a/chat",
        "variant": "h100",
        "from": 3,
        "to": 1,
        "reason": "ScaleDown",
        "result": "Written",
    }
