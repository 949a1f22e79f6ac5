"""A plan becomes the writes that are needed: steps, statuses and Events; one failure never stops the others."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from typing import Any

import pytest

from plimsoll.apply import Applied, Applier, Present, Result
from plimsoll.domain import DeploymentPlan, Finding, Mode, ObjectKey, Phase, Plan, Reason
from unit.apply.fake_api_server import FakeApiServer
from unit.builders import NOW_S
from unit.explain.plans import CHAT, a_deployment_plan, a_plan, a_pool_plan, a_step, a_variant_plan
from unit.observe.manifests import (
    a_cache,
    a_deployment_manifest,
    a_marked_pod,
    a_pool_manifest,
    a_template,
    a_variant_spec,
    a_workload,
)

CHAT_PATH = "/apis/plimsoll.dev/v1alpha1/namespaces/team-a/inferencedeployments/chat"
TALK_PATH = "/apis/plimsoll.dev/v1alpha1/namespaces/team-a/inferencedeployments/talk"
POOL_PATH = "/apis/plimsoll.dev/v1alpha1/computepools/gpu-h100"
SCALE = "/apis/apps/v1/namespaces/team-a/deployments/chat-h100/scale"
TALK = ObjectKey("team-a", "talk")


class World:
    """An API server with two InferenceDeployments, their scales and a pool, and a cache that follows it on demand."""

    def __init__(self, may_write: Callable[[], bool] = lambda: True) -> None:
        pool = a_pool_manifest()
        pool["metadata"]["uid"] = "uid-pool"
        self.server = FakeApiServer(
            {
                CHAT_PATH: a_deployment_manifest(),
                TALK_PATH: a_deployment_manifest("talk"),
                POOL_PATH: pool,
                SCALE: {"spec": {"replicas": 2}},
                SCALE.replace("chat", "talk"): {"spec": {"replicas": 2}},
            }
        )
        self.may_write = may_write
        self.applier = self.restarted()
        self.cached: dict[str, Any] = {}
        self.workloads: list[dict[str, Any]] = []
        self.pods: list[dict[str, Any]] = []
        self.watches_catch_up()

    def restarted(self) -> Applier:
        self.applier = Applier(self.server, self.may_write, lambda _kind, _verb: None, "plimsoll-0", str)
        return self.applier

    def watches_catch_up(self) -> None:
        self.cached = deepcopy(self.server.objects)

    def apply(self, plan: Plan) -> Applied:
        """One tick's writes; `writes` afterwards holds those of this tick alone."""
        self.server.writes.clear()
        chat, talk, pool = (self.cached[path] for path in (CHAT_PATH, TALK_PATH, POOL_PATH))
        cache = a_cache(("InferenceDeployment", chat), ("InferenceDeployment", talk), ("ComputePool", pool))
        for workload in self.workloads:
            cache.apply("Deployment", None, workload)
        for pod in self.pods:
            cache.apply("Pod", None, pod)
        present = Present(cache.contents(), dict(cache.deployments.raw), dict(cache.pools.raw))
        return self.applier.apply(plan, present)

    def set_mode(self, path: str, mode: Mode) -> None:
        """The user sets spec.mode, and the watch tells."""
        live = self.server.objects[path]
        self.server.keep(path, live | {"spec": live["spec"] | {"mode": mode.value}})
        self.watches_catch_up()

    def statuses(self) -> list[str]:
        return [write.path for write in self.server.writes if write.path.endswith("/status")]

    def events(self) -> list[tuple[str, str]]:
        return [(one["type"], one["reason"]) for one in self.server.written("POST", "/events")]

    def status_of(self, path: str) -> Mapping[str, Any]:
        status: Mapping[str, Any] = self.server.objects[path]["status"]
        return status


def moving(key: ObjectKey = CHAT, **overrides: Any) -> DeploymentPlan:
    """A deployment on its way from two replicas to three."""
    step = a_step()
    own = replace(
        step, key=step.key._replace(deployment=key.name), target=replace(step.target, name=f"{key.name}-h100")
    )
    variants = (a_variant_plan(target=3),)
    return a_deployment_plan(**{"key": key, "phase": Phase.MOVING, "steps": (own,), "variants": variants, **overrides})


def at(plan: Plan, seconds: float) -> Plan:
    return replace(plan, now_s=NOW_S + seconds)


def test_a_plan_scales_and_tells_about_it() -> None:
    world = World()
    applied = world.apply(a_plan(moving()))
    assert [outcome.result for outcome in applied.steps] == [Result.WRITTEN]
    assert world.server.objects[SCALE]["spec"]["replicas"] == 3
    assert world.status_of(CHAT_PATH)["targetReplicas"] == 3
    assert world.events() == [("Normal", "ScaleUp")]


def test_a_status_is_applied_and_nothing_else() -> None:
    world = World()
    world.apply(a_plan(moving()))
    (body,) = world.server.written("APPLY", f"{CHAT_PATH}/status")
    assert body["metadata"] == {"name": "chat"}
    assert "spec" not in body


def test_a_steady_state_costs_no_write_and_no_event() -> None:
    world = World()
    plan = a_plan(a_deployment_plan(), a_deployment_plan(key=TALK))
    world.apply(plan)
    assert world.events() == []
    world.watches_catch_up()
    for seconds in (10.0, 20.0, 60.0, 3600.0):
        world.apply(at(plan, seconds))
        assert world.server.writes == []


def test_a_restart_costs_no_write() -> None:
    world = World()
    plan = a_plan(a_deployment_plan(), a_deployment_plan(key=TALK))
    world.apply(plan)
    world.watches_catch_up()
    world.restarted()
    world.apply(at(plan, 60.0))
    assert world.server.writes == []


def test_a_watch_that_lags_does_not_write_the_same_status_twice() -> None:
    world = World()
    plan = a_plan(a_deployment_plan(), a_deployment_plan(key=TALK))
    world.apply(plan)
    world.apply(at(plan, 10.0))
    assert world.server.writes == []


def test_a_status_that_somebody_else_wrote_meanwhile_is_put_right() -> None:
    world = World()
    plan = a_plan(a_deployment_plan(), a_deployment_plan(key=TALK))
    world.apply(plan)
    live = world.server.objects[CHAT_PATH]
    world.server.keep(CHAT_PATH, live | {"status": live["status"] | {"observedGeneration": 99}})
    world.watches_catch_up()
    world.apply(at(plan, 60.0))
    assert world.statuses() == [f"{CHAT_PATH}/status"]
    assert world.status_of(CHAT_PATH)["observedGeneration"] == 1


def test_ready_that_turns_writes_one_event_each_way() -> None:
    world = World()
    well, short = a_plan(a_deployment_plan()), a_plan(a_deployment_plan(shortfall_rps=4.0))
    world.apply(well)
    world.apply(at(short, 10.0))
    assert world.events() == [("Warning", "CapacityShort")]
    world.apply(at(short, 20.0))
    assert world.events() == []
    world.apply(at(well, 30.0))
    assert world.events() == [("Normal", "Steady")]


def test_ready_that_stays_false_for_another_reason_writes_an_event() -> None:
    world = World()
    world.apply(a_plan(a_deployment_plan(shortfall_rps=4.0)))
    world.apply(at(a_plan(a_deployment_plan(variants=(a_variant_plan(ready=1),))), 10.0))
    assert world.events() == [("Warning", "WaitsForReady")]


def test_ready_that_stays_false_for_the_same_reason_writes_no_event() -> None:
    world = World()
    world.apply(a_plan(a_deployment_plan(shortfall_rps=4.0)))
    world.apply(at(a_plan(a_deployment_plan(shortfall_rps=4.0, variants=(a_variant_plan(target=4),))), 10.0))
    assert f"{CHAT_PATH}/status" in world.statuses()
    assert world.events() == []


def test_a_status_that_could_not_be_written_is_tried_again_without_an_event_each_time() -> None:
    world = World()
    world.server.refuse("APPLY", f"{CHAT_PATH}/status", 503)
    short = a_plan(a_deployment_plan(shortfall_rps=4.0))
    assert "503" in world.apply(short).status_failures[0].message
    assert world.events() == []
    world.server.refusals.clear()
    assert world.apply(at(short, 10.0)).status_failures == ()
    assert world.events() == [("Warning", "CapacityShort")]


def test_one_object_that_fails_does_not_stop_the_others() -> None:
    world = World()
    world.server.refuse("PATCH", SCALE, 500)
    world.server.refuse("APPLY", f"{CHAT_PATH}/status", 500)
    applied = world.apply(a_plan(moving(), moving(TALK)))
    assert [outcome.result for outcome in applied.steps] == [Result.FAILED, Result.WRITTEN]
    assert len(applied.status_failures) == 1
    assert world.statuses() == [f"{TALK_PATH}/status", f"{POOL_PATH}/status"]


def unrenderable(key: ObjectKey) -> DeploymentPlan:
    """A plan whose price is not a number, which no status can tell."""
    return a_deployment_plan(key=key, usd_per_hour=float("nan"))


def test_a_status_that_cannot_be_rendered_costs_no_other_object_its_own() -> None:
    world = World()
    applied = world.apply(a_plan(unrenderable(CHAT), moving(TALK)))
    assert world.statuses() == [f"{TALK_PATH}/status", f"{POOL_PATH}/status"]
    (failure,) = applied.status_failures
    assert (failure.kind, failure.name) == ("InferenceDeployment", "team-a/chat")
    assert isinstance(failure.bug, ValueError)
    assert "this status stays as it was: go by the metrics meanwhile" in failure.message
    assert "\n" not in failure.message


def test_a_status_that_can_be_rendered_again_is_written_again() -> None:
    world = World()
    world.apply(a_plan(unrenderable(CHAT)))
    assert world.apply(at(a_plan(a_deployment_plan()), 10.0)).status_failures == ()
    assert f"{CHAT_PATH}/status" in world.statuses()


def test_steps_are_taken_and_told_of_a_deployment_whose_status_cannot_be_rendered() -> None:
    world = World()
    world.apply(a_plan(moving(usd_per_hour=float("nan"))))
    assert world.server.objects[SCALE]["spec"]["replicas"] == 3
    assert world.events() == [("Normal", "ScaleUp")]


def test_a_pool_whose_status_cannot_be_rendered_is_a_failure_of_its_own() -> None:
    world = World()
    plan = a_plan(a_deployment_plan(), a_deployment_plan(key=TALK), pools=(a_pool_plan(usd_per_hour=float("nan")),))
    (failure,) = world.apply(plan).status_failures
    assert (failure.kind, failure.name) == ("ComputePool", "gpu-h100")
    assert world.statuses() == [f"{CHAT_PATH}/status", f"{TALK_PATH}/status"]


def test_a_status_that_the_api_server_does_not_accept_says_that_the_definitions_may_be_of_another_version() -> None:
    world = World()
    world.server.refuse("APPLY", f"{CHAT_PATH}/status", 422)
    (failure,) = world.apply(a_plan(a_deployment_plan())).status_failures
    assert failure.bug is None
    assert "422" in failure.message
    assert "Apply those that `plimsoll crds` prints" in failure.message


def test_a_step_that_fails_is_told_as_a_warning_with_its_cause() -> None:
    world = World()
    world.server.refuse("PATCH", SCALE, 403)
    world.apply(a_plan(moving()))
    assert world.events() == [("Warning", "WriteFailed")]
    note = world.server.written("POST", "/events")[0]["note"]
    assert "h100 2 -> 3: demand rose. Not done: PATCH" in note


def test_a_step_that_somebody_else_did_already_is_no_news() -> None:
    world = World()
    world.server.keep(SCALE, {"spec": {"replicas": 3}})
    world.apply(a_plan(moving()))
    assert world.events() == []


def test_recommend_writes_its_status_and_scales_nothing() -> None:
    world = World()
    applied = world.apply(a_plan(moving(mode=Mode.RECOMMEND)))
    assert applied.steps == ()
    assert world.server.objects[SCALE]["spec"]["replicas"] == 2
    assert f"{CHAT_PATH}/status" in world.statuses()
    assert world.status_of(CHAT_PATH)["plan"]["steps"][0]["to"] == 3
    assert world.events() == []


@pytest.mark.parametrize("mode", [Mode.RECOMMEND, Mode.PAUSED])
def test_a_mode_that_does_not_scale_writes_no_event_when_ready_turns(mode: Mode) -> None:
    world = World()
    world.set_mode(CHAT_PATH, mode)
    world.apply(a_plan(a_deployment_plan(mode=mode)))
    for seconds, told in (
        (10.0, a_deployment_plan(mode=mode, shortfall_rps=4.0)),
        (20.0, a_deployment_plan(mode=mode)),
    ):
        world.apply(at(a_plan(told), seconds))
        assert f"{CHAT_PATH}/status" in world.statuses()
        assert world.events() == []


@pytest.mark.parametrize("mode", [Mode.RECOMMEND, Mode.PAUSED])
def test_a_mode_that_does_not_scale_writes_no_event_about_what_could_not_be_planned(mode: Mode) -> None:
    world = World()
    world.set_mode(CHAT_PATH, mode)
    world.apply(a_plan(findings=(Finding(CHAT, Reason.POOL_MISSING, "pool gpu-h100 is missing: create it"),)))
    assert f"{CHAT_PATH}/status" in world.statuses()
    assert world.events() == []


@pytest.mark.parametrize("mode", [Mode.RECOMMEND, Mode.PAUSED])
def test_a_pause_that_the_plan_does_not_know_of_yet_stops_its_steps(mode: Mode) -> None:
    world = World()
    world.set_mode(CHAT_PATH, mode)
    assert world.apply(a_plan(moving())).steps == ()
    assert world.server.objects[SCALE]["spec"]["replicas"] == 2


def test_a_replica_that_does_not_lead_writes_nothing_and_complains_of_nothing() -> None:
    world = World(may_write=lambda: False)
    applied = world.apply(a_plan(moving()))
    assert world.server.writes == []
    assert applied.status_failures == ()


def test_a_deployment_that_could_not_be_planned_says_why() -> None:
    world = World()
    plan = a_plan(findings=(Finding(CHAT, Reason.POOL_MISSING, "pool gpu-h100 is missing: create it"),))
    world.apply(plan)
    assert f"{CHAT_PATH}/status" in world.statuses()
    assert f"{TALK_PATH}/status" not in world.statuses()
    assert [one["reason"] for one in world.status_of(CHAT_PATH)["conditions"]] == ["PoolMissing", "PoolMissing"]
    assert world.events() == [("Warning", "PoolMissing")]


def test_a_deployment_on_its_way_out_is_told_nothing() -> None:
    world = World()
    world.cached[CHAT_PATH]["metadata"]["deletionTimestamp"] = "2026-11-01T13:00:00Z"
    world.apply(a_plan(a_deployment_plan()))
    assert f"{CHAT_PATH}/status" not in world.statuses()


def test_a_deployment_that_is_gone_by_now_is_no_failure() -> None:
    world = World()
    del world.server.objects[CHAT_PATH]
    assert world.apply(a_plan(a_deployment_plan())).status_failures == ()


def test_a_pool_that_cannot_be_planned_says_what_to_set() -> None:
    world = World()
    world.apply(a_plan(pools=()))
    (ready,) = world.status_of(POOL_PATH)["conditions"]
    assert ready["status"] == "False"
    assert "set spec.resources" in ready["message"]


def test_a_pool_that_is_not_valid_repeats_its_mistake() -> None:
    world = World()
    world.cached[POOL_PATH]["spec"]["price"] = {"onDemandPerHour": "cheap"}
    world.apply(a_plan(pools=()))
    (ready,) = world.status_of(POOL_PATH)["conditions"]
    assert "spec.price.onDemandPerHour" in ready["message"]


def test_a_sold_out_pool_is_written_once() -> None:
    world = World()
    plan = a_plan(pools=(a_pool_plan(stocked_out_until_s=NOW_S + 60.0),))
    world.apply(plan)
    assert world.status_of(POOL_PATH)["stockedOutUntil"] == "1970-01-12T13:47:40Z"
    world.apply(at(plan, 10.0))
    assert world.server.writes == []


def test_an_owned_deployment_that_is_refused_is_reported_and_the_rest_goes_on() -> None:
    world = World()
    owner = a_deployment_manifest(variants=[a_variant_spec(targetRef=None, template=a_template())])
    world.server.keep(CHAT_PATH, owner)
    world.watches_catch_up()
    path = "/apis/apps/v1/namespaces/team-a/deployments/chat-h100"
    world.server.refuse("APPLY", path, 403)
    applied = world.apply(a_plan(moving(TALK)))
    assert [failure.variant for failure in applied.owned_failures] == ["h100"]
    assert [outcome.result for outcome in applied.steps] == [Result.WRITTEN]


def test_a_deployment_without_a_variant_is_scaled_down_then_deleted_and_both_are_told() -> None:
    world = World()
    path = "/apis/apps/v1/namespaces/team-a/deployments/chat-old"
    workload = a_workload("chat-old", replicas=2, controller_uid="uid-chat")
    workload["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "plimsoll", "plimsoll.dev/deployment": "chat"}
    world.server.keep(path, workload)
    world.server.keep(f"{path}/scale", {"spec": {"replicas": 2}})
    world.workloads = [workload]
    plan = a_plan(a_deployment_plan(), a_deployment_plan(key=TALK))
    (outcome,) = world.apply(plan).steps
    assert (outcome.step.to_replicas, outcome.result) == (0, Result.WRITTEN)
    assert world.events() == [("Normal", "MoveOut")]
    world.workloads = [workload | {"spec": workload["spec"] | {"replicas": 0}}]
    world.server.keep(path, world.workloads[0])
    world.apply(at(plan, 10.0))
    assert path not in world.server.objects
    assert world.events() == [("Normal", "MoveOut")]
    world.workloads = []
    world.apply(at(plan, 20.0))
    assert world.server.writes == []


def test_a_pod_that_survives_a_scale_down_given_up_loses_its_mark_once() -> None:
    world = World()
    path = "/api/v1/namespaces/team-a/pods/chat-h100-0"
    pod = a_marked_pod()
    world.server.keep(path, pod)
    world.workloads, world.pods = [a_workload()], [pod]
    plan = a_plan(a_deployment_plan(), a_deployment_plan(key=TALK))
    world.apply(plan)
    assert world.server.written("PATCH", path) == []
    world.apply(at(plan, 120.0))
    assert len(world.server.written("PATCH", path)) == 1
    world.pods = [world.server.objects[path]]
    world.apply(at(plan, 130.0))
    assert world.server.writes == []
