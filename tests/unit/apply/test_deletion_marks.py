"""A mark that a pod should go first is taken back once no step wants that any more, and only if the mark is ours."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from plimsoll.api import DELETION_COST_ANNOTATION
from plimsoll.apply.deletion_marks import DeletionMarks, mark
from plimsoll.apply.writer import Writer
from plimsoll.domain import Step
from plimsoll.observe import ClusterCache
from unit.apply.fake_api_server import FakeApiServer
from unit.builders import NOW_S
from unit.explain.plans import a_deployment_plan, a_plan, a_step
from unit.observe.manifests import a_cache, a_deployment_manifest, a_marked_pod, a_workload

PATH = "/api/v1/namespaces/team-a/pods/chat-h100-0"
LONG_S = 61.0


class World:
    """Deployment chat with one pod, which is marked, and an operator."""

    def __init__(
        self, pod: dict[str, Any] | None = None, may_write: Callable[[], bool] = lambda: True, **spec: Any
    ) -> None:
        self.pod = pod or a_marked_pod()
        self.server = FakeApiServer({PATH: self.pod})
        self.cache: ClusterCache = a_cache(
            ("InferenceDeployment", a_deployment_manifest(**spec)), ("Deployment", a_workload()), ("Pod", self.pod)
        )
        self.marks = DeletionMarks(Writer(self.server, may_write, lambda _kind, _verb: None))

    def look(self, after_s: float, *steps: Step) -> None:
        plan = replace(a_plan(a_deployment_plan(steps=steps)), now_s=NOW_S + after_s)
        self.marks.take_back(plan, self.cache.contents())

    def annotations(self) -> dict[str, str]:
        found: dict[str, str] = self.server.objects[PATH]["metadata"]["annotations"]
        return found


def test_a_pod_that_stays_loses_its_mark_and_nothing_else() -> None:
    world = World()
    world.look(0.0)
    world.look(LONG_S)
    assert world.annotations() == {"other": "stays"}
    (body,) = world.server.written("PATCH", PATH)
    assert body["metadata"]["uid"] == "uid-pod"


def test_a_pod_that_may_still_be_about_to_go_keeps_it() -> None:
    world = World()
    for after_s in (0.0, 20.0, 50.0):
        world.look(after_s)
    assert (world.server.writes, world.server.reads) == ([], [])


def test_a_pod_that_a_step_names_again_keeps_it_for_as_long_again() -> None:
    world = World()
    world.look(0.0)
    world.look(50.0, a_step(from_replicas=2, to_replicas=1, delete_first=("chat-h100-0",)))
    world.look(LONG_S)
    assert world.server.writes == []
    world.look(LONG_S + LONG_S)
    assert DELETION_COST_ANNOTATION not in world.annotations()


def test_the_mark_is_taken_back_once_and_then_costs_nothing() -> None:
    world = World()
    world.look(0.0)
    world.look(LONG_S)
    world.server.reads.clear()
    world.cache.apply("Pod", "MODIFIED", world.server.objects[PATH])
    for after_s in (70.0, 200.0, 300.0):
        world.look(after_s)
    assert (len(world.server.writes), world.server.reads) == (1, [])


@pytest.mark.parametrize(
    "pod",
    [
        pytest.param(a_marked_pod("somebody"), id="set by somebody else"),
        pytest.param(a_marked_pod(managedFields=[]), id="set by nobody knows whom"),
    ],
)
def test_a_wish_of_somebody_else_stays_and_is_looked_at_once(pod: dict[str, Any]) -> None:
    world = World(pod)
    for after_s in (0.0, LONG_S, 100.0, 200.0):
        world.look(after_s)
    assert (len(world.server.reads), world.server.writes) == (1, [])


@pytest.mark.parametrize(
    "world",
    [
        pytest.param(lambda: World(a_marked_pod(cost="-5")), id="another number"),
        pytest.param(lambda: World(a_marked_pod(deletionTimestamp="2026-11-01T13:00:00Z")), id="already leaving"),
        pytest.param(lambda: World(a_marked_pod(labels={"app": "web"})), id="of no deployment"),
        pytest.param(lambda: World(mode="Paused"), id="paused"),
        pytest.param(lambda: World(mode="Recommend"), id="recommended only"),
    ],
)
def test_what_is_not_idle_and_ours_to_write_is_not_even_looked_at(world: Callable[[], World]) -> None:
    made = world()
    for after_s in (0.0, LONG_S, 200.0):
        made.look(after_s)
    assert (made.server.reads, made.server.writes) == ([], [])


def test_a_pod_that_is_gone_or_leaving_by_now_is_left_alone() -> None:
    world = World()
    world.look(0.0)
    world.server.keep(PATH, a_marked_pod(deletionTimestamp="2026-11-01T13:00:00Z"))
    world.look(LONG_S)
    del world.server.objects[PATH]
    world.look(LONG_S)
    assert world.server.writes == []


def test_a_refusal_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.server.refuse("PATCH", PATH, 403)
    world.look(0.0)
    world.look(LONG_S)
    assert "pod team-a/chat-h100-0 keeps its mark to go first" in caplog.text
    world.server.refusals.clear()
    world.look(LONG_S + 10.0)
    assert DELETION_COST_ANNOTATION not in world.annotations()


def test_a_replica_that_does_not_lead_takes_nothing_back(caplog: pytest.LogCaptureFixture) -> None:
    world = World(may_write=lambda: False)
    world.look(0.0)
    world.look(LONG_S)
    assert DELETION_COST_ANNOTATION in world.annotations()
    assert caplog.text == ""


def test_marking_a_pod_that_is_gone_is_no_failure() -> None:
    server = FakeApiServer()
    mark("team-a", "gone", Writer(server, lambda: True, lambda _kind, _verb: None))
    assert server.objects == {}
