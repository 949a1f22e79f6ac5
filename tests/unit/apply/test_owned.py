"""Deployments that Plimsoll owns are created without replicas, updated when their template says so, and only then."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest

from plimsoll.apply.owned import TEMPLATE_HASH_ANNOTATION, OwnedDeployments, OwnedFailure
from plimsoll.apply.writer import Writer
from plimsoll.domain import ObjectKey
from plimsoll.observe import ClusterCache
from unit.apply.fake_api_server import FakeApiServer
from unit.observe.manifests import (
    a_cache,
    a_deployment_manifest,
    a_pool_manifest,
    a_profile_manifest,
    a_template,
    a_variant_spec,
)

PATH = "/apis/apps/v1/namespaces/team-a/deployments/chat-h100"
TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


def an_owner(template: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    variant = a_variant_spec(targetRef=None, template=template or a_template())
    return a_deployment_manifest(variants=[variant], **spec)


def a_world(*objects: tuple[str, dict[str, Any]]) -> tuple[FakeApiServer, ClusterCache]:
    pool = a_pool_manifest(tolerations=[TOLERATION])
    return FakeApiServer(), a_cache(("ComputePool", pool), *(objects or (("InferenceDeployment", an_owner()),)))


def an_operator(server: FakeApiServer, may_write: Callable[[], bool] = lambda: True) -> OwnedDeployments:
    return OwnedDeployments(Writer(server, may_write, lambda _kind, _verb: None))


def bring(
    server: FakeApiServer, cache: ClusterCache, may_write: Callable[[], bool] = lambda: True
) -> tuple[OwnedFailure, ...]:
    """One look of an operator that has just started."""
    return an_operator(server, may_write).bring_up_to_date(cache.contents())


def told(server: FakeApiServer, cache: ClusterCache) -> None:
    """The watch catches up with what was written."""
    live = server.objects[PATH]
    named = live["metadata"] | {"namespace": "team-a", "uid": "uid-live"}
    cache.apply("Deployment", "MODIFIED", live | {"metadata": named})


def test_a_missing_deployment_is_created_without_replicas() -> None:
    server, cache = a_world()
    assert bring(server, cache) == ()
    (body,) = server.written("APPLY", PATH)
    assert body["spec"]["replicas"] == 0
    assert "resourceVersion" not in body["metadata"]


def test_the_inference_deployment_owns_what_it_creates() -> None:
    server, cache = a_world()
    bring(server, cache)
    assert server.objects[PATH]["metadata"]["ownerReferences"] == [
        {
            "apiVersion": "plimsoll.dev/v1alpha1",
            "kind": "InferenceDeployment",
            "name": "chat",
            "uid": "uid-chat",
            "controller": True,
        }
    ]


def test_the_pool_adds_its_selector_and_tolerations_to_the_template() -> None:
    template = a_template()
    template["spec"] |= {"nodeSelector": {"zone": "a", "pool": "elsewhere"}, "tolerations": [{"key": "mine"}]}
    server, cache = a_world(("InferenceDeployment", an_owner(template)))
    bring(server, cache)
    pod = server.objects[PATH]["spec"]["template"]["spec"]
    assert pod["nodeSelector"] == {"zone": "a", "pool": "gpu-h100"}
    assert pod["tolerations"] == [{"key": "mine"}, TOLERATION]
    assert pod["containers"] == template["spec"]["containers"]


def test_pods_carry_the_labels_that_the_deployment_selects() -> None:
    template = a_template() | {"metadata": {"labels": {"app": "engine"}, "annotations": {"note": "kept"}}}
    server, cache = a_world(("InferenceDeployment", an_owner(template)))
    bring(server, cache)
    spec = server.objects[PATH]["spec"]
    labels = spec["template"]["metadata"]["labels"]
    assert labels["app"] == "engine"
    assert spec["selector"]["matchLabels"].items() <= labels.items()
    assert spec["template"]["metadata"]["annotations"] == {"note": "kept"}


def test_an_unchanged_template_is_neither_read_nor_written_again() -> None:
    server, cache = a_world()
    operator = an_operator(server)
    operator.bring_up_to_date(cache.contents())
    told(server, cache)
    server.writes.clear()
    server.reads.clear()
    operator.bring_up_to_date(cache.contents())
    assert (server.writes, server.reads) == ([], [])


def test_a_watch_that_lags_behind_our_own_write_causes_no_second_one() -> None:
    server, cache = a_world()
    operator = an_operator(server)
    operator.bring_up_to_date(cache.contents())
    operator.bring_up_to_date(cache.contents())
    assert len(server.writes) == 1


def test_a_changed_template_takes_nothing_away_before_its_successor_is_ready() -> None:
    server, cache = a_world()
    bring(server, cache)
    strategy = server.objects[PATH]["spec"]["strategy"]
    assert strategy == {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}


def _changed(live: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return live | {"spec": live["spec"] | changes}


def _with_image(live: dict[str, Any], image: str) -> dict[str, Any]:
    changed = deepcopy(live)
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return changed


def _with_labels(live: dict[str, Any], labels: dict[str, str]) -> dict[str, Any]:
    return live | {"metadata": live["metadata"] | {"labels": labels}}


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda live: _with_image(live, "elsewhere:1"), id="kubectl set image"),
        pytest.param(lambda live: _changed(live, strategy={"type": "Recreate"}), id="strategy"),
        pytest.param(lambda live: _with_labels(live, {}), id="labels taken off"),
    ],
)
@pytest.mark.parametrize("restarted", [False, True])
def test_what_somebody_changed_of_an_owned_deployment_is_put_back_once(
    edit: Callable[[dict[str, Any]], dict[str, Any]], restarted: bool, caplog: pytest.LogCaptureFixture
) -> None:
    server, cache = a_world()
    operator = an_operator(server)
    operator.bring_up_to_date(cache.contents())
    ours = deepcopy(server.objects[PATH])
    server.keep(PATH, edit(_changed(ours, replicas=4)))
    told(server, cache)
    operator = an_operator(server) if restarted else operator
    assert operator.bring_up_to_date(cache.contents()) == ()
    assert server.objects[PATH]["spec"] == ours["spec"] | {"replicas": 4}
    assert server.objects[PATH]["metadata"]["labels"] == ours["metadata"]["labels"]
    assert "somebody changed Deployment team-a/chat-h100" in caplog.text
    told(server, cache)
    server.writes.clear()
    server.reads.clear()
    operator.bring_up_to_date(cache.contents())
    assert (server.writes, server.reads) == ([], [])


def test_replicas_that_a_person_sets_are_no_difference() -> None:
    server, cache = a_world()
    operator = an_operator(server)
    operator.bring_up_to_date(cache.contents())
    server.keep(PATH, _changed(server.objects[PATH], replicas=7))
    told(server, cache)
    server.writes.clear()
    server.reads.clear()
    operator.bring_up_to_date(cache.contents())
    assert (server.writes, server.reads) == ([], [])


def test_labels_and_annotations_of_others_are_no_difference() -> None:
    server, cache = a_world()
    operator = an_operator(server)
    operator.bring_up_to_date(cache.contents())
    live = server.objects[PATH]
    metadata = live["metadata"] | {
        "annotations": live["metadata"]["annotations"] | {"deployment.kubernetes.io/revision": "1"}
    }
    server.keep(PATH, live | {"metadata": metadata | {"labels": live["metadata"]["labels"] | {"team": "a"}}})
    told(server, cache)
    server.writes.clear()
    operator.bring_up_to_date(cache.contents())
    assert server.writes == []


def test_a_restart_on_a_large_cluster_looks_for_changes_a_few_at_a_time() -> None:
    owners = [("InferenceDeployment", _named(an_owner(), f"chat-{number:02}")) for number in range(50)]
    server, cache = a_world(*owners)
    bring(server, cache)
    assert len(server.writes) == 50
    for path, live in server.objects.items():
        metadata = live["metadata"] | {"namespace": "team-a", "uid": path}
        cache.apply("Deployment", "MODIFIED", live | {"metadata": metadata})
    operator = an_operator(server)
    written = []
    for _ in range(4):
        server.writes.clear()
        operator.bring_up_to_date(cache.contents())
        written.append(len(server.writes))
    assert written == [20, 20, 10, 0]


def test_those_that_are_refused_do_not_keep_the_others_from_their_turn_after_a_restart() -> None:
    names = [f"chat-{number:02}" for number in range(25)]
    server, cache = a_world(*(("InferenceDeployment", _named(an_owner(), name)) for name in names))
    bring(server, cache)
    for path, live in server.objects.items():
        metadata = live["metadata"] | {"namespace": "team-a", "uid": path}
        cache.apply("Deployment", "MODIFIED", live | {"metadata": metadata})
    for name in names[:20]:
        server.refuse("APPLY", PATH.replace("chat", name), 403)
    operator = an_operator(server)
    server.writes.clear()
    for _ in range(2):
        operator.bring_up_to_date(cache.contents())
    assert len(server.writes) == 5


def _named(owner: dict[str, Any], name: str) -> dict[str, Any]:
    return owner | {"metadata": owner["metadata"] | {"name": name, "uid": f"uid-{name}"}}


def test_a_changed_template_is_applied_with_the_replicas_and_version_just_seen() -> None:
    server, cache = a_world()
    bring(server, cache)
    live = server.objects[PATH]
    server.keep(PATH, live | {"spec": live["spec"] | {"replicas": 4}})
    told(server, cache)
    version = server.objects[PATH]["metadata"]["resourceVersion"]
    changed = an_owner(a_template(cpu="16"))
    changed["metadata"]["generation"] = 2
    cache.apply("InferenceDeployment", "MODIFIED", changed)
    bring(server, cache)
    body = server.written("APPLY", PATH)[-1]
    assert body["spec"]["replicas"] == 4
    assert body["metadata"]["resourceVersion"] == version


def test_a_scaling_in_between_is_seen_by_the_next_look_and_not_undone() -> None:
    server, cache = a_world()
    bring(server, cache)
    told(server, cache)
    changed = an_owner(a_template(cpu="16"))
    changed["metadata"]["generation"] = 2
    cache.apply("InferenceDeployment", "MODIFIED", changed)
    live = server.objects[PATH]
    server.before_write = lambda: (
        None if len(server.writes) > 1 else _keep(server, live | {"spec": live["spec"] | {"replicas": 9}})
    )
    assert bring(server, cache) == ()
    assert server.objects[PATH]["spec"]["replicas"] == 9
    assert server.objects[PATH]["spec"]["template"] == server.written("APPLY", PATH)[-1]["spec"]["template"]


def test_a_deployment_that_never_rests_is_left_to_the_next_tick() -> None:
    server, cache = a_world()
    bring(server, cache)
    server.objects[PATH]["metadata"]["annotations"] = {}
    server.before_write = lambda: _keep(server, server.objects[PATH])
    (failure,) = bring(server, cache)
    assert "409" in failure.message


def _keep(server: FakeApiServer, live: dict[str, Any]) -> None:
    server.keep(PATH, live)


def test_a_hand_made_difference_of_the_hash_is_put_right() -> None:
    server, cache = a_world()
    bring(server, cache)
    live = server.objects[PATH]
    server.keep(PATH, live | {"metadata": live["metadata"] | {"annotations": {TEMPLATE_HASH_ANNOTATION: "old"}}})
    told(server, cache)
    bring(server, cache)
    assert server.objects[PATH]["metadata"]["annotations"][TEMPLATE_HASH_ANNOTATION] != "old"


@pytest.mark.parametrize("owners", [[], [{"uid": "uid-somebody", "controller": True}]])
def test_a_deployment_of_somebody_else_is_never_touched(owners: list[dict[str, Any]]) -> None:
    server, cache = a_world()
    server.keep(PATH, {"metadata": {"name": "chat-h100", "ownerReferences": owners}, "spec": {"replicas": 2}})
    (failure,) = bring(server, cache)
    assert "belongs to somebody else" in failure.message
    assert failure.deployment == ObjectKey("team-a", "chat")
    assert failure.variant == "h100"
    live = server.objects[PATH]
    named = live["metadata"] | {"namespace": "team-a", "uid": "u", "ownerReferences": owners}
    cache.apply("Deployment", None, live | {"metadata": named})
    assert bring(server, cache) == ()
    assert server.writes == []


@pytest.mark.parametrize("mode", ["Recommend", "Paused"])
def test_a_mode_that_does_not_scale_writes_nothing(mode: str) -> None:
    server, cache = a_world(("InferenceDeployment", an_owner(mode=mode)))
    bring(server, cache)
    assert (server.writes, server.reads) == ([], [])


def test_a_deployment_on_its_way_out_gets_nothing_new() -> None:
    owner = an_owner()
    owner["metadata"]["deletionTimestamp"] = "2026-11-01T13:00:00Z"
    server, cache = a_world(("InferenceDeployment", owner))
    bring(server, cache)
    assert server.writes == []


def test_a_variant_whose_pool_is_missing_waits_for_it() -> None:
    server, cache = a_world()
    cache.apply("ComputePool", "DELETED", a_pool_manifest())
    assert bring(server, cache) == ()
    assert server.writes == []


def test_a_variant_whose_profile_is_missing_waits_for_it() -> None:
    server, cache = a_world()
    cache.apply("ServingProfile", "DELETED", a_profile_manifest())
    assert bring(server, cache) == ()
    assert server.writes == []


def test_one_that_is_refused_does_not_stop_the_next() -> None:
    second = an_owner()
    second["metadata"] |= {"name": "talk", "uid": "uid-talk"}
    server, cache = a_world(("InferenceDeployment", an_owner()), ("InferenceDeployment", second))
    server.refuse("APPLY", PATH, 403)
    (failure,) = bring(server, cache)
    assert "403" in failure.message
    assert PATH.replace("chat", "talk") in server.objects


def test_a_replica_that_does_not_lead_creates_nothing() -> None:
    server, cache = a_world()
    bring(server, cache, may_write=lambda: False)
    assert server.writes == []
