"""The cache is complete when the watches have told of everything, and keeps nothing that is gone."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlencode

import kopf
import pytest

from plimsoll.api_server import translated
from plimsoll.domain import ObjectKey
from plimsoll.errors import ClusterUnavailable, NotFound
from plimsoll.observe import ClusterCache
from plimsoll.settings import ClusterSettings
from plimsoll.watching import WATCHED, Pauses, WatchedKind, WatchSync, kopf_settings, registry_for, scopes, served_kinds
from unit.apply.fake_api_server import FakeApiServer

POD = next(watched for watched in WATCHED if watched.kind == "Pod")
DEPLOYMENT = next(watched for watched in WATCHED if watched.kind == "Deployment")
KEY = ObjectKey("team-a", "chat-0")
QUICK = Pauses(while_incomplete_s=0.01, after_gap_s=0.05, after_failure_s=0.01)


def a_pod(name: str = "chat-0", uid: str = "uid-1") -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "team-a", "uid": uid, "creationTimestamp": "2026-11-01T12:00:00Z"},
        "spec": {"containers": []},
        "status": {"phase": "Running"},
    }


class Listing(FakeApiServer):
    """Answers lists of names, two a page, as the API server does when asked for metadata only."""

    def __init__(self, pods: Mapping[str, list[dict[str, Any]]]) -> None:
        super().__init__()
        self.pods = pods
        self.page = 2
        self.accepted: list[str] = []

    def get(self, path: str, query: Mapping[str, str] | None = None, accept: str = "application/json") -> Any:
        self.reads.append(f"{path}?{urlencode(query or {})}")
        self.accepted.append(accept)
        self._check("GET", path)
        items = self.pods.get(path, [])
        start = int((query or {}).get("continue", 0))
        more = {"continue": str(start + self.page)} if start + self.page < len(items) else {}
        shown = items[start : start + self.page]
        return {"metadata": more, "items": [{"metadata": pod["metadata"]} for pod in shown] or None}


class World:
    """A cache behind its synchronisation, and the API server it is compared with."""

    def __init__(self, *there: dict[str, Any], namespaces: tuple[str, ...] = ()) -> None:
        self.server = Listing({"/api/v1/pods": list(there)})
        self.cache = ClusterCache()
        self.sync = WatchSync(self.cache, self.server, (POD,), namespaces, QUICK)

    def tell(self, event_type: str | None, pod: dict[str, Any]) -> None:
        self.sync.on_event("Pod", event_type, pod)

    @property
    def known(self) -> list[str]:
        return sorted(key.name for key in self.cache.contents().pods)


@pytest.mark.parametrize("event_type", [None, "ADDED", "MODIFIED"])
def test_what_a_watch_tells_is_in_the_cache(event_type: str | None) -> None:
    world = World()
    world.tell(event_type, a_pod())
    assert world.known == ["chat-0"]


def test_what_a_watch_says_is_deleted_leaves_the_cache() -> None:
    world = World()
    world.tell("ADDED", a_pod())
    world.tell("DELETED", a_pod())
    assert world.known == []


def test_a_late_farewell_to_an_earlier_object_does_not_drop_its_successor() -> None:
    world = World()
    world.tell("ADDED", a_pod(uid="uid-1"))
    world.tell("ADDED", a_pod(uid="uid-2"))
    world.tell("DELETED", a_pod(uid="uid-1"))
    assert world.known == ["chat-0"]
    world.tell("DELETED", a_pod(uid="uid-2"))
    assert world.known == []


def test_a_farewell_to_something_never_told_of_is_harmless() -> None:
    world = World()
    world.tell("DELETED", a_pod())
    assert world.known == []


def test_a_cache_that_lacks_something_is_not_complete() -> None:
    world = World(a_pod(), a_pod("chat-1"))
    world.tell(None, a_pod())
    assert world.sync.look() == (False, [])
    world.tell(None, a_pod("chat-1"))
    assert world.sync.look() == (True, [])


def test_an_empty_cluster_is_complete_at_once() -> None:
    assert World().sync.look() == (True, [])


def test_all_pages_of_a_list_are_read_as_names_only() -> None:
    world = World(*(a_pod(f"chat-{i}") for i in range(5)))
    for i in range(4):
        world.tell(None, a_pod(f"chat-{i}"))
    assert world.sync.look() == (False, [])
    assert len(world.server.reads) == 3
    assert all("as=PartialObjectMetadataList" in accepted for accepted in world.server.accepted)


def test_what_vanished_unseen_is_reported_and_not_yet_dropped() -> None:
    world = World()
    world.tell(None, a_pod())
    assert world.sync.look() == (True, [("Pod", KEY, "uid-1")])
    assert world.known == ["chat-0"]


def test_what_vanished_unseen_is_dropped_when_told_to_forget_it(caplog: pytest.LogCaptureFixture) -> None:
    world = World()
    world.tell(None, a_pod())
    _, gone = world.sync.look()
    with caplog.at_level(logging.INFO):
        world.sync.forget(gone)
    assert world.known == []
    assert "dropped from the cache" in caplog.text
    assert world.sync.look() == (True, [])


def test_what_came_back_meanwhile_under_the_same_name_is_not_forgotten() -> None:
    world = World()
    world.tell(None, a_pod())
    _, gone = world.sync.look()
    world.tell("ADDED", a_pod(uid="uid-2"))
    world.sync.forget(gone)
    assert world.known == ["chat-0"]


def test_an_object_told_of_during_the_look_is_not_reported_as_gone() -> None:
    world = World()

    class Late(Listing):
        def get(self, *args: Any, **options: Any) -> Any:
            page = super().get(*args, **options)
            world.tell("ADDED", a_pod("chat-late"))
            return page

    world.sync = WatchSync(world.cache, Late({}), (POD,), ())
    assert world.sync.look() == (True, [])


def test_only_the_served_namespaces_are_compared_but_pods_take_room_everywhere() -> None:
    server = Listing({})
    WatchSync(ClusterCache(), server, (DEPLOYMENT, POD), ("team-a", "team-b")).look()
    assert [read.split("?")[0] for read in server.reads] == [
        "/apis/apps/v1/namespaces/team-a/deployments",
        "/apis/apps/v1/namespaces/team-b/deployments",
        "/api/v1/pods",
    ]


def test_a_look_that_fails_says_so_instead_of_calling_everything_gone() -> None:
    world = World()
    world.tell(None, a_pod())
    world.server.refuse("GET", "/api/v1/pods", 503)
    with pytest.raises(ClusterUnavailable):
        world.sync.look()
    assert world.known == ["chat-0"]


# --- When it is compared ---------------------------------------------------------------------------------------------


class Run:
    """The sync at work, beside what the test makes of the world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.stopping = asyncio.Event()

    async def __aenter__(self) -> "Run":
        self.running = asyncio.create_task(self.world.sync.run(self.stopping))
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stopping.set()
        await asyncio.wait_for(self.running, timeout=1.0)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(1.5):
            while not holds():
                await asyncio.sleep(0.005)

    def delete_unseen(self) -> None:
        self.world.server.pods = {"/api/v1/pods": [a_pod("chat-1", "uid-2")]}


def both_told() -> World:
    world = World(a_pod(), a_pod("chat-1", "uid-2"))
    world.tell(None, a_pod())
    world.tell(None, a_pod("chat-1", "uid-2"))
    return world


def test_a_watch_that_lists_anew_after_a_gap_brings_out_at_once_what_was_deleted_in_it() -> None:
    world = both_told()

    async def scene() -> None:
        async with Run(world) as run:
            await run.until(lambda: world.sync.complete)
            run.delete_unseen()
            world.tell(None, a_pod("chat-1", "uid-2"))
            await run.until(lambda: world.known == ["chat-1"])

    asyncio.run(scene())


def test_a_long_listing_after_a_gap_costs_few_looks() -> None:
    world = both_told()

    async def scene() -> int:
        async with Run(world) as run:
            await run.until(lambda: world.sync.complete)
            before = len(world.server.reads)
            for _ in range(50):
                world.tell(None, a_pod())
                await asyncio.sleep(0.001)
            await asyncio.sleep(2 * QUICK.after_gap_s)
            return len(world.server.reads) - before

    # 50 ms of events and as long a pause: one look for what came before it ends, one for what came after.
    assert 1 <= asyncio.run(scene()) <= 3


def test_an_ordinary_event_costs_no_look() -> None:
    world = both_told()

    async def scene() -> int:
        async with Run(world) as run:
            await run.until(lambda: world.sync.complete)
            before = len(world.server.reads)
            world.tell("MODIFIED", a_pod())
            world.tell("ADDED", a_pod("chat-2", "uid-3"))
            await asyncio.sleep(3 * QUICK.after_gap_s)
            return len(world.server.reads) - before

    assert asyncio.run(scene()) == 0


def test_a_look_that_fails_is_repeated_soon(caplog: pytest.LogCaptureFixture) -> None:
    world = both_told()

    async def scene() -> None:
        async with Run(world) as run:
            await run.until(lambda: world.sync.complete)
            run.delete_unseen()
            world.server.refuse("GET", "/api/v1/pods", 503)
            world.tell(None, a_pod("chat-1", "uid-2"))
            await run.until(lambda: "cannot compare the cache with the cluster" in caplog.text)
            world.server.refusals.clear()
            await run.until(lambda: world.known == ["chat-1"])

    asyncio.run(scene())


# --- Which kinds there are -------------------------------------------------------------------------------------------


def a_server_of(kinds: tuple[WatchedKind, ...]) -> FakeApiServer:
    roots: dict[str, Any] = {}
    for watched in kinds:
        roots.setdefault(watched.root, {"resources": []})["resources"].append({"name": watched.plural})
    return FakeApiServer(roots)


def test_every_kind_that_is_served_is_watched() -> None:
    assert served_kinds(a_server_of(WATCHED)) == WATCHED


def test_a_cluster_without_keda_is_served_all_the_same() -> None:
    without = tuple(watched for watched in WATCHED if watched.kind != "ScaledObject")
    assert served_kinds(a_server_of(without)) == without


@pytest.mark.parametrize("missing", [watched for watched in WATCHED if not watched.optional], ids=lambda one: one.kind)
def test_a_missing_kind_is_named_with_what_to_do(missing: WatchedKind) -> None:
    server = a_server_of(tuple(watched for watched in WATCHED if watched is not missing))
    with pytest.raises(NotFound, match=missing.plural) as refused:
        served_kinds(server)
    ours = missing.group == "plimsoll.dev"
    wanted = "install the CRDs first (kubectl apply -f crds/" if ours else "Check --kubeconfig and --context"
    assert wanted in str(refused.value)


def test_an_api_server_that_is_down_is_not_taken_for_one_without_crds() -> None:
    server = a_server_of(WATCHED)
    server.refusals["GET", WATCHED[0].root] = translated(503, "down", "GET")
    with pytest.raises(ClusterUnavailable):
        served_kinds(server)


def test_where_only_some_namespaces_are_served_pods_and_nodes_are_watched_in_the_whole_cluster() -> None:
    served, whole = scopes(WATCHED, ("team-a",))
    assert served.namespaces == ("team-a",)
    assert whole.namespaces == ()
    assert {"Pod", "Node", "ComputePool"} <= {watched.kind for watched in whole.kinds}
    assert {"InferenceDeployment", "Deployment", "StatefulSet"} <= {watched.kind for watched in served.kinds}
    assert sorted(map(str, (*served.kinds, *whole.kinds))) == sorted(map(str, WATCHED))


def test_where_all_namespaces_are_served_there_is_one_scope() -> None:
    (scope,) = scopes(WATCHED, ())
    assert (scope.namespaces, scope.kinds) == ((), WATCHED)


def test_kopf_watches_every_kind_and_writes_nothing_of_its_own() -> None:
    sync = World().sync
    registry = registry_for(sync, WATCHED, ClusterSettings())
    handlers = registry._watching.get_all_handlers()
    assert {handler.id for handler in handlers} == {f"watch-{watched.plural}" for watched in WATCHED}
    assert not registry._changing.get_all_handlers()
    assert not registry._spawning.get_all_handlers()
    settings = kopf_settings()
    assert settings.peering.standalone
    assert not settings.posting.enabled
    assert isinstance(registry, kopf.OperatorRegistry)
