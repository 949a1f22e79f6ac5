"""Does a real API server take what we write as we mean it: statuses, steps, owned Deployments, Events and the lease?

In: a control plane, plans made by hand. Preconditions are tested by the fence, which is asked before each write: what
it does there happens exactly between our look and our write.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from kubernetes.client import ApiClient

from integration.world import install_crds
from plimsoll.api import DELETION_COST_ANNOTATION
from plimsoll.api_server import ApiServer
from plimsoll.apply import Applier, Present, Result
from plimsoll.apply.deletion_marks import DeletionMarks, mark
from plimsoll.apply.owned import OwnedDeployments
from plimsoll.apply.steps import StepOutcome, take_step
from plimsoll.apply.writer import Writer
from plimsoll.domain import (
    DeploymentPlan,
    Finding,
    LatencyMetric,
    LatencyObservation,
    Mode,
    ObjectKey,
    Phase,
    Plan,
    Reason,
    Step,
    Target,
)
from plimsoll.leader import Elector
from plimsoll.observe import ClusterCache
from plimsoll.resource_paths import ResourcePaths
from plimsoll.settings import LeaderSettings
from plimsoll_testkit.json_api import delete, items, request
from unit.explain.plans import (
    a_deployment_plan,
    a_plan,
    a_pool_plan,
    a_step,
    a_variant_plan,
    an_alternative,
)
from unit.observe.manifests import (
    a_deployment_manifest,
    a_pool_manifest,
    a_profile_manifest,
    a_template,
    a_variant_spec,
)

API = "/apis/plimsoll.dev/v1alpha1"
POOLS = f"{API}/computepools"


@pytest.fixture(scope="module")
def kinds(api: ApiClient) -> None:
    install_crds(api)


@pytest.fixture
def server(api: ApiClient, kinds: None) -> ApiServer:
    return ApiServer(api, timeout_s=10.0)


class Place:
    """One namespace with a Deployment, and what is written there."""

    def __init__(self, api: ApiClient, server: ApiServer, namespace: str) -> None:
        self.api = api
        self.server = server
        self.namespace = namespace
        self.workloads = f"/apis/apps/v1/namespaces/{namespace}/deployments"
        self.models = f"{API}/namespaces/{namespace}/inferencedeployments"
        self.cache = ClusterCache()

    def add_workload(self, replicas: int = 2) -> None:
        labels = {"app": "chat"}
        pod = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "engine", "image": "engine"}]}}
        request(
            self.api,
            "POST",
            self.workloads,
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "chat-h100"},
                "spec": {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod},
            },
        )

    def add_model(self, **spec: Any) -> dict[str, Any]:
        manifest = a_deployment_manifest(**spec)
        manifest["metadata"] = {"name": "chat", "namespace": self.namespace}
        made = request(self.api, "POST", self.models, manifest)
        self.cache.apply("InferenceDeployment", None, made)
        return made

    def add_pool(self, name: str, **spec: Any) -> None:
        manifest = a_pool_manifest(name, **spec) | {"apiVersion": "plimsoll.dev/v1alpha1", "kind": "ComputePool"}
        self.cache.apply("ComputePool", None, request(self.api, "POST", POOLS, manifest))

    def follow(self, name: str) -> None:
        """The watch tells of a Deployment."""
        self.cache.apply("Deployment", None, self.workload(name))

    def workload(self, name: str = "chat-h100") -> dict[str, Any]:
        return request(self.api, "GET", f"{self.workloads}/{name}")

    def scale(self, replicas: int, name: str = "chat-h100") -> bool:
        body = {"spec": {"replicas": replicas}}
        request(self.api, "PATCH", f"{self.workloads}/{name}/scale", body, content_type="application/merge-patch+json")
        return True

    def step(self, from_replicas: int, to_replicas: int, **changes: Any) -> Step:
        target = Target("apps/v1", "Deployment", self.namespace, "chat-h100", owned=False)
        return a_step("h100", from_replicas, to_replicas, target=target, **changes)

    def take(self, step: Step, may_write: Callable[[], bool] = lambda: True) -> StepOutcome:
        return take_step(step, self.writer(may_write), ResourcePaths(self.server.get))

    def writer(self, may_write: Callable[[], bool] = lambda: True) -> Writer:
        return Writer(self.server, may_write, lambda _kind, _verb: None)

    def plan(self, *deployments: DeploymentPlan, **changes: Any) -> Plan:
        own = tuple(replace(one, key=ObjectKey(self.namespace, "chat")) for one in deployments)
        return replace(a_plan(*own, now_s=time.time()), **changes)

    def present(self) -> Present:
        return Present(self.cache.contents(), dict(self.cache.deployments.raw), dict(self.cache.pools.raw))


@pytest.fixture
def place(api: ApiClient, server: ApiServer, namespace: str) -> Place:
    return Place(api, server, namespace)


def an_applier(place: Place) -> Applier:
    return Applier(place.server, lambda: True, lambda _kind, _verb: None, "plimsoll-0", _micro_time)


def _micro_time(now_s: float) -> str:
    return datetime.fromtimestamp(now_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def status_of(place: Place, path: str) -> dict[str, Any]:
    status: dict[str, Any] = request(place.api, "GET", path)["status"]
    return status


# --- Steps -----------------------------------------------------------------------------------------------------------


def test_a_step_scales_a_deployment_to_zero_and_back(place: Place) -> None:
    place.add_workload(2)
    assert place.take(place.step(2, 0)).result is Result.WRITTEN
    assert place.workload()["spec"]["replicas"] == 0
    assert place.take(place.step(0, 3)).result is Result.WRITTEN
    assert place.workload()["spec"]["replicas"] == 3


def test_somebody_who_scales_between_our_look_and_our_write_wins(place: Place) -> None:
    place.add_workload(2)
    outcome = place.take(place.step(2, 3), may_write=lambda: place.scale(7))
    assert outcome.result is Result.CHANGED_MEANWHILE
    assert place.workload()["spec"]["replicas"] == 7


def test_a_target_that_is_not_there_is_told_as_gone(place: Place) -> None:
    assert place.take(place.step(2, 3)).result is Result.TARGET_GONE


def test_pods_that_should_go_first_are_marked_for_the_replica_set(place: Place) -> None:
    place.add_workload(0)
    pods = f"/api/v1/namespaces/{place.namespace}/pods"
    spec = {"containers": [{"name": "engine", "image": "engine"}]}
    request(place.api, "POST", pods, {"metadata": {"name": "last"}, "spec": spec})
    outcome = place.take(place.step(0, 1, delete_first=("last", "gone-already")))
    assert outcome.result is Result.WRITTEN
    (pod,) = [one for one in items(place.api, pods) if one["metadata"]["name"] == "last"]
    assert pod["metadata"]["annotations"]["controller.kubernetes.io/pod-deletion-cost"] == "-100"


def test_a_mark_without_a_reason_is_taken_back_if_it_is_ours(place: Place) -> None:
    place.add_workload(0)
    place.follow("chat-h100")
    place.add_model()
    pods = f"/api/v1/namespaces/{place.namespace}/pods"
    for name in ("ours", "theirs"):
        spec = {"containers": [{"name": "engine", "image": "engine"}]}
        request(place.api, "POST", pods, {"metadata": {"name": name, "labels": {"app": "chat"}}, "spec": spec})
    mark(place.namespace, "ours", place.writer())
    wish = {"metadata": {"annotations": {DELETION_COST_ANNOTATION: "-100"}}}
    request(place.api, "PATCH", f"{pods}/theirs", wish, content_type="application/merge-patch+json")
    for pod in items(place.api, pods):
        place.cache.apply("Pod", None, pod)
    marks, plan = DeletionMarks(place.writer()), place.plan(a_deployment_plan())
    marks.take_back(plan, place.cache.contents())
    marks.take_back(replace(plan, now_s=plan.now_s + 120.0), place.cache.contents())
    after = {one["metadata"]["name"]: one["metadata"].get("annotations") or {} for one in items(place.api, pods)}
    assert DELETION_COST_ANNOTATION not in after["ours"]
    assert after["theirs"][DELETION_COST_ANNOTATION] == "-100"


# --- Statuses and Events ---------------------------------------------------------------------------------------------


def a_full_plan() -> DeploymentPlan:
    """One in which every field of the status has something to say."""
    seen = (LatencyObservation(LatencyMetric.TTFT, 0.95, 912.0), LatencyObservation(LatencyMetric.TPOT, 0.5, 38.25))
    return a_deployment_plan(
        phase=Phase.MOVING,
        variants=(a_variant_plan(ready=1, target=3, predicted=seen, observed=seen),),
        steps=(a_step(),),
        alternatives=(an_alternative(), an_alternative("nothing would do", None)),
        external_usd_per_hour=40.0,
        shortfall_rps=1.5,
    )


def test_a_status_is_stored_as_written_so_that_a_restart_finds_nothing_to_write(place: Place) -> None:
    place.add_model()
    # Recommended, since the one write under test is the status.
    plan = place.plan(replace(a_full_plan(), mode=Mode.RECOMMEND), pools=())
    assert an_applier(place).apply(plan, place.present()).status_failures == ()
    stored = request(place.api, "GET", f"{place.models}/chat")
    assert stored["status"]["plan"]["alternatives"][1]["label"] == "nothing would do"
    place.cache.apply("InferenceDeployment", "MODIFIED", stored)
    an_applier(place).apply(replace(plan, now_s=plan.now_s + 3600.0), place.present())
    after = request(place.api, "GET", f"{place.models}/chat")
    assert after["metadata"]["resourceVersion"] == stored["metadata"]["resourceVersion"]


def test_what_a_status_no_longer_says_goes_away(place: Place) -> None:
    place.add_model()
    applier = an_applier(place)
    applier.apply(place.plan(a_deployment_plan(shortfall_rps=4.0)), place.present())
    assert status_of(place, f"{place.models}/chat")["plan"]["shortfallRate"] == "4"
    applier.apply(place.plan(a_deployment_plan()), place.present())
    assert "shortfallRate" not in status_of(place, f"{place.models}/chat")["plan"]


def test_a_successor_of_the_same_name_gets_a_status_of_its_own(place: Place) -> None:
    first = place.add_model()
    applier = an_applier(place)
    applier.apply(place.plan(a_deployment_plan(shortfall_rps=4.0)), place.present())
    delete(place.api, f"{place.models}/chat")
    place.cache.apply("InferenceDeployment", "DELETED", first)
    place.add_model()
    applier.apply(place.plan(a_deployment_plan(shortfall_rps=4.0)), place.present())
    assert status_of(place, f"{place.models}/chat")["plan"]["shortfallRate"] == "4"


def test_a_pool_s_status_is_stored_as_written_and_a_stock_out_ends(place: Place) -> None:
    name = f"pool-{place.namespace}"
    place.add_pool(name)
    try:
        sold_out = a_pool_plan(name, stocked_out_until_s=time.time() + 60.0)
        plan = place.plan(pools=(sold_out,))
        an_applier(place).apply(plan, place.present())
        stored = request(place.api, "GET", f"{POOLS}/{name}")
        assert "stockedOutUntil" in stored["status"]
        place.cache.apply("ComputePool", "MODIFIED", stored)
        an_applier(place).apply(replace(plan, now_s=plan.now_s + 10.0), place.present())
        again = request(place.api, "GET", f"{POOLS}/{name}")
        assert again["metadata"]["resourceVersion"] == stored["metadata"]["resourceVersion"]
        an_applier(place).apply(place.plan(pools=(a_pool_plan(name),)), place.present())
        assert "stockedOutUntil" not in status_of(place, f"{POOLS}/{name}")
    finally:
        delete(place.api, f"{POOLS}/{name}")


def test_a_pool_that_loses_its_last_node_tells_so(place: Place) -> None:
    name = f"pool-{place.namespace}"
    place.add_pool(name)
    empty = a_pool_plan(name, nodes=0, ready_nodes=0, allocatable={}, requested={}, usd_per_hour=0.0)
    try:
        applier = an_applier(place)
        assert applier.apply(place.plan(pools=(a_pool_plan(name),)), place.present()).status_failures == ()
        assert status_of(place, f"{POOLS}/{name}")["free"]
        assert applier.apply(place.plan(pools=(empty,)), place.present()).status_failures == ()
        told = status_of(place, f"{POOLS}/{name}")
        assert told["nodes"] == 0
        assert "free" not in told
    finally:
        delete(place.api, f"{POOLS}/{name}")


def test_a_deployment_that_can_no_longer_be_planned_keeps_nothing_that_looks_like_a_plan(place: Place) -> None:
    place.add_model()
    applier = an_applier(place)
    assert applier.apply(place.plan(a_full_plan(), pools=()), place.present()).status_failures == ()
    key = ObjectKey(place.namespace, "chat")
    missing = Finding(key, Reason.POOL_MISSING, "pool gpu-h100 is missing: create it")
    unplanned = replace(place.plan(pools=()), findings=(missing,))
    assert applier.apply(unplanned, place.present()).status_failures == ()
    assert set(status_of(place, f"{place.models}/chat")) == {"observedGeneration", "conditions"}


def test_an_event_is_taken_with_the_longest_note_there_is(place: Place) -> None:
    model = place.add_model()
    long = replace(place.step(2, 3), message="\N{EURO SIGN}" * 2000)
    place.add_workload(2)
    plan = place.plan(a_deployment_plan(steps=(replace(long, key=long.key._replace(namespace=place.namespace)),)))
    an_applier(place).apply(plan, place.present())
    events = items(place.api, f"/apis/events.k8s.io/v1/namespaces/{place.namespace}/events")
    (event,) = [one for one in events if one["regarding"].get("uid") == model["metadata"]["uid"]]
    assert (event["reason"], event["type"]) == ("ScaleUp", "Normal")


def test_a_status_of_what_is_gone_creates_nothing(place: Place) -> None:
    gone = place.add_model()
    delete(place.api, f"{place.models}/chat")
    applied = an_applier(place).apply(place.plan(a_deployment_plan()), place.present())
    assert applied.status_failures == ()
    assert gone["metadata"]["name"] not in [one["metadata"]["name"] for one in items(place.api, place.models)]


# --- Owned Deployments -----------------------------------------------------------------------------------------------


def an_owner(place: Place, **container: Any) -> dict[str, Any]:
    template = a_template()
    template["spec"]["containers"][0] |= {"image": "engine", **container}
    place.cache.apply("ComputePool", None, a_pool_manifest())
    place.cache.apply("ServingProfile", None, a_profile_manifest())
    return place.add_model(variants=[a_variant_spec(targetRef=None, template=template)])


def change_template(place: Place, owner: dict[str, Any], **container: Any) -> None:
    """The user edits the template, and the watch tells."""
    template = a_template()
    template["spec"]["containers"][0] |= {"image": "engine", **container}
    owner["spec"]["variants"][0]["template"] = template
    owner["metadata"]["generation"] += 1
    place.cache.apply("InferenceDeployment", "MODIFIED", owner)


def test_an_owned_deployment_is_created_without_replicas_and_names_its_owner(place: Place) -> None:
    owner = an_owner(place)
    assert OwnedDeployments(place.writer()).bring_up_to_date(place.cache.contents()) == ()
    made = place.workload()
    assert made["spec"]["replicas"] == 0
    assert made["metadata"]["ownerReferences"][0]["uid"] == owner["metadata"]["uid"]
    assert made["spec"]["template"]["spec"]["nodeSelector"] == {"pool": "gpu-h100"}


def test_a_changed_template_keeps_the_replicas_and_loses_what_it_no_longer_says(place: Place) -> None:
    owner = an_owner(place, args=["--old"])
    OwnedDeployments(place.writer()).bring_up_to_date(place.cache.contents())
    place.scale(3)
    place.follow("chat-h100")
    change_template(place, owner, command=["serve"])
    assert OwnedDeployments(place.writer()).bring_up_to_date(place.cache.contents()) == ()
    made = place.workload()
    (container,) = made["spec"]["template"]["spec"]["containers"]
    assert made["spec"]["replicas"] == 3
    assert container["command"] == ["serve"]
    assert "args" not in container


def test_a_scaling_during_an_update_is_not_undone(place: Place) -> None:
    owner = an_owner(place)
    OwnedDeployments(place.writer()).bring_up_to_date(place.cache.contents())
    place.follow("chat-h100")
    change_template(place, owner, command=["serve"])
    assert OwnedDeployments(place.writer(lambda: place.scale(5))).bring_up_to_date(place.cache.contents()) == ()
    made = place.workload()
    assert made["spec"]["replicas"] == 5
    assert made["spec"]["template"]["spec"]["containers"][0]["command"] == ["serve"]


def test_an_owned_deployment_is_scaled_by_steps_after_an_apply(place: Place) -> None:
    an_owner(place)
    OwnedDeployments(place.writer()).bring_up_to_date(place.cache.contents())
    assert place.take(place.step(0, 2)).result is Result.WRITTEN
    assert place.workload()["spec"]["replicas"] == 2


def an_edited_workload(place: Place, spec: dict[str, Any], manager: str = "kubectl-edit") -> None:
    """A person changes the Deployment itself, and the watch tells."""
    body = {"spec": spec}
    path = f"{place.workloads}/chat-h100"
    request(place.api, "PATCH", path, body, {"fieldManager": manager}, "application/strategic-merge-patch+json")
    place.follow("chat-h100")


def test_what_a_person_changed_of_an_owned_deployment_is_put_back_but_for_replicas(place: Place) -> None:
    an_owner(place)
    owned = OwnedDeployments(place.writer())
    owned.bring_up_to_date(place.cache.contents())
    container = {"name": "engine", "image": "elsewhere:1"}
    template = {"spec": {"containers": [container]}}
    an_edited_workload(place, {"template": template, "strategy": {"$retainKeys": ["type"], "type": "Recreate"}})
    place.scale(3)
    assert place.workload()["spec"]["strategy"] == {"type": "Recreate"}
    assert owned.bring_up_to_date(place.cache.contents()) == ()
    spec = place.workload()["spec"]
    assert spec["template"]["spec"]["containers"][0]["image"] == "engine"
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    assert spec["replicas"] == 3


def test_what_others_add_to_an_owned_deployment_stays_and_costs_no_write(place: Place) -> None:
    an_owner(place)
    writes: list[str] = []
    owned = OwnedDeployments(Writer(place.server, lambda: True, lambda kind, _verb: writes.append(kind)))
    owned.bring_up_to_date(place.cache.contents())
    annotations = {"kubectl.kubernetes.io/restartedAt": "2026-11-01T12:00:00Z"}
    an_edited_workload(place, {"template": {"metadata": {"annotations": annotations}}}, "kubectl-rollout")
    edited = place.workload()
    owned.bring_up_to_date(place.cache.contents())
    assert place.workload()["spec"] == edited["spec"]
    place.follow("chat-h100")
    writes.clear()
    for replicas in (2, 5):
        place.scale(replicas)
        place.follow("chat-h100")
        owned.bring_up_to_date(place.cache.contents())
    assert writes == []


# --- The lease -------------------------------------------------------------------------------------------------------


def test_of_two_replicas_one_leads_and_hands_over_on_release(place: Place) -> None:
    settings = LeaderSettings(lease_namespace=place.namespace)
    first, second = (
        Elector(place.server, settings, name, time.monotonic, lambda: datetime.now(UTC)) for name in ("one", "two")
    )
    assert asyncio.run(first.try_once())
    assert not asyncio.run(second.try_once())
    assert asyncio.run(first.try_once())
    first.release()
    assert asyncio.run(second.try_once())
    lease = request(place.api, "GET", f"/apis/coordination.k8s.io/v1/namespaces/{place.namespace}/leases/plimsoll")
    assert lease["spec"]["holderIdentity"] == "two"
    assert lease["spec"]["leaseTransitions"] == 1
