"""A Deployment whose variant is gone serves until the others carry the demand; then it is scaled to 0, and deleted."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from plimsoll.apply.retirement import Retirement, retire
from plimsoll.apply.steps import Result
from plimsoll.apply.writer import Writer
from plimsoll.domain import DeploymentPlan, Forecast, ForecastBasis, Mode, Phase, Reason
from plimsoll.observe import ClusterCache
from plimsoll.resource_paths import ResourcePaths
from unit.apply.fake_api_server import FakeApiServer
from unit.explain.plans import CHAT, a_deployment_plan, a_plan, a_variant_plan
from unit.observe.manifests import a_cache, a_deployment_manifest, a_template, a_variant_spec, a_workload

PATH = "/apis/apps/v1/namespaces/team-a/deployments/chat-old"
SCALE = f"{PATH}/scale"
OURS = {"app.kubernetes.io/managed-by": "plimsoll", "plimsoll.dev/deployment": "chat", "plimsoll.dev/variant": "old"}


class World:
    """Deployment chat-old, made for a variant that is no longer in the spec of chat, and what is known of it."""

    def __init__(self, replicas: int = 3, labels: dict[str, str] = OURS, owner_uid: str = "uid-chat", **spec: Any):
        self.owner = a_deployment_manifest(**{"variants": [a_variant_spec()], **spec})
        workload = a_workload("chat-old", replicas=replicas, controller_uid=owner_uid)
        workload["metadata"]["labels"] = labels
        workload["status"] = {"replicas": replicas}
        self.server = FakeApiServer({PATH: workload, SCALE: {"spec": {"replicas": replicas}}})
        self.cache: ClusterCache = a_cache(("InferenceDeployment", self.owner), ("Deployment", workload))

    def retire(self, *deployments: DeploymentPlan, may_write: Callable[[], bool] = lambda: True) -> Retirement:
        writer = Writer(self.server, may_write, lambda _kind, _verb: None)
        return retire(a_plan(*deployments), self.cache.contents(), writer, ResourcePaths(self.server.get))

    def live(self) -> dict[str, Any]:
        return self.server.objects[PATH]


def a_forecast(basis: ForecastBasis = ForecastBasis.KNOWN, rps: float = 10.0) -> Forecast:
    return Forecast(CHAT, basis, rps, {"h100": rps}, None, "flat")


def test_it_is_scaled_to_none_once_those_that_stay_are_ready() -> None:
    world = World()
    (outcome,) = world.retire(a_deployment_plan()).outcomes
    assert outcome.result is Result.WRITTEN
    assert (outcome.step.reason, outcome.step.from_replicas, outcome.step.to_replicas) == (Reason.MOVE_OUT, 3, 0)
    assert "no variant uses Deployment/chat-old any more" in outcome.step.message
    assert [write.path for write in world.server.writes] == [SCALE]
    assert world.server.objects[SCALE]["spec"]["replicas"] == 0


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(a_deployment_plan(variants=(a_variant_plan(ready=1, target=2),)), id="a replica is not ready"),
        pytest.param(
            a_deployment_plan(variants=(a_variant_plan(), a_variant_plan("xeon", ready=0, target=1))),
            id="a variant is not ready",
        ),
        pytest.param(a_deployment_plan(shortfall_rps=0.5, phase=Phase.SHORT), id="not enough for all demand"),
        pytest.param(a_deployment_plan(forecast=a_forecast(ForecastBasis.HELD)), id="demand is not known"),
        pytest.param(a_deployment_plan(forecast=a_forecast(ForecastBasis.FALLBACK)), id="demand is guessed"),
        pytest.param(a_deployment_plan(variants=(a_variant_plan(ready=0, target=0),)), id="nothing else serves"),
        pytest.param(a_deployment_plan(variants=()), id="nothing else is there"),
        pytest.param(a_deployment_plan(generation=0), id="the plan is of an older spec"),
        pytest.param(a_deployment_plan(mode=Mode.PAUSED), id="paused when planned"),
        pytest.param(None, id="no plan"),
    ],
)
def test_it_serves_on_until_it_is_known_that_nobody_misses_it(plan: DeploymentPlan | None) -> None:
    world = World()
    assert world.retire(*([plan] if plan else [])) == Retirement()
    assert world.server.writes == []


def test_without_demand_that_a_gateway_would_see_nothing_else_must_serve() -> None:
    plan = a_deployment_plan(0.0, variants=(a_variant_plan(ready=0, target=0),), forecast=a_forecast(rps=0.0))
    plan = replace(plan, demand=replace(plan.demand, sees_zero_replicas=True))
    assert [one.result for one in World().retire(plan).outcomes] == [Result.WRITTEN]


def test_it_is_deleted_once_it_has_no_replicas() -> None:
    world = World(replicas=0)
    (deleted,) = world.retire().deleted
    assert (deleted.owner, deleted.variant) == (CHAT, "old")
    assert PATH not in world.server.objects


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"status": {"replicas": 1}}, id="a pod is still there"),
        pytest.param({"spec": {"replicas": 2}}, id="scaled up meanwhile"),
        pytest.param({"metadata": {"name": "chat-old", "uid": "uid-of-a-successor"}}, id="another by that name"),
        pytest.param({"metadata": {"name": "chat-old", "uid": "uid-chat-old"}}, id="without its owner"),
    ],
)
def test_what_is_not_as_it_was_told_is_not_deleted(changes: dict[str, Any]) -> None:
    world = World(replicas=0)
    world.server.keep(PATH, world.live() | changes)
    assert world.retire() == Retirement()
    assert world.server.writes == []


def test_a_successor_of_that_name_is_not_scaled() -> None:
    world = World()
    world.server.keep(PATH, world.live() | {"metadata": {"name": "chat-old", "uid": "uid-of-a-successor"}})
    assert world.retire(a_deployment_plan()) == Retirement()
    assert world.server.writes == []


def test_a_scaling_up_between_the_look_and_the_deletion_is_looked_at_again() -> None:
    world = World(replicas=0)
    world.server.before_write = lambda: _scaled_up(world)
    assert world.retire() == Retirement()
    assert PATH in world.server.objects


def _scaled_up(world: World) -> None:
    world.server.before_write = lambda: None
    world.server.keep(PATH, world.live() | {"spec": world.live()["spec"] | {"replicas": 2}})


@pytest.mark.parametrize("replicas", [0, 3])
@pytest.mark.parametrize(
    "world",
    [
        pytest.param(lambda replicas: World(replicas, labels={}), id="without our label"),
        pytest.param(lambda replicas: World(replicas, owner_uid="uid-somebody"), id="of another owner"),
        pytest.param(lambda replicas: World(replicas, mode="Paused"), id="paused"),
        pytest.param(lambda replicas: World(replicas, mode="Recommend"), id="recommended only"),
        pytest.param(
            lambda replicas: World(replicas, variants=[a_variant_spec("old", targetRef=None, template=a_template())]),
            id="a variant's own",
        ),
        pytest.param(
            lambda replicas: World(replicas, variants=[a_variant_spec(target="chat-old")]), id="named by a targetRef"
        ),
    ],
)
def test_what_is_not_ours_or_still_in_use_is_never_touched(world: Callable[[int], World], replicas: int) -> None:
    made = world(replicas)
    assert made.retire(a_deployment_plan()) == Retirement()
    assert made.server.writes == []


@pytest.mark.parametrize("replicas", [0, 3])
def test_one_that_another_inference_deployment_names_is_left_to_it(replicas: int) -> None:
    world = World(replicas)
    world.cache.apply(
        "InferenceDeployment", None, a_deployment_manifest("talk", variants=[a_variant_spec(target="chat-old")])
    )
    assert world.retire(a_deployment_plan()) == Retirement()
    assert world.server.writes == []


@pytest.mark.parametrize("replicas", [0, 3])
def test_an_owner_on_its_way_out_takes_it_along(replicas: int) -> None:
    world = World(replicas)
    world.owner["metadata"]["deletionTimestamp"] = "2026-11-01T13:00:00Z"
    world.cache.apply("InferenceDeployment", "MODIFIED", world.owner)
    assert world.retire(a_deployment_plan()) == Retirement()
    assert world.server.writes == []


def test_a_refused_deletion_is_told_and_one_that_is_gone_is_not() -> None:
    world = World(replicas=0)
    world.server.refuse("DELETE", PATH, 403)
    (failure,) = world.retire().failures
    assert (failure.deployment, failure.variant) == (CHAT, "old")
    assert "403" in failure.message
    del world.server.objects[PATH]
    assert world.retire() == Retirement()


def test_a_replica_that_does_not_lead_deletes_nothing() -> None:
    world = World(replicas=0)
    assert world.retire(may_write=lambda: False) == Retirement()
    assert PATH in world.server.objects
