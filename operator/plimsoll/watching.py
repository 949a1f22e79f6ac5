"""How do watch events reach the cache, and when is the cache complete?

In: kopf's raw watch events, kind by kind. Out: a filled ``ClusterCache``, and ``WatchSync``, which knows when the first
listing is in and drops what vanished unseen (kopf lists anew after a gap and does not tell what is gone by then).
Only ``on.event``: other kopf handlers write annotations and finalizers, and an index is quadratic. Design section 7.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import kopf

from plimsoll.api import GROUP, VERSION
from plimsoll.api_server import PAGE, ApiServer, client_configuration
from plimsoll.domain import ObjectKey
from plimsoll.errors import NotFound, PlimsollError
from plimsoll.observe import ClusterCache
from plimsoll.settings import ClusterSettings
from plimsoll.waiting import pause

log = logging.getLogger(__name__)

_NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


@dataclass(frozen=True, slots=True)
class WatchedKind:
    """One kind that is watched.

    An optional one is left out where the API server does not serve it; one of everywhere is watched in all namespaces,
    also where only some are served.
    """

    kind: str
    group: str
    version: str
    plural: str
    namespaced: bool = True
    optional: bool = False
    everywhere: bool = False

    @property
    def root(self) -> str:
        return f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"


WATCHED = (
    WatchedKind("InferenceDeployment", GROUP, VERSION, "inferencedeployments"),
    WatchedKind("ComputePool", GROUP, VERSION, "computepools", namespaced=False),
    WatchedKind("ServingProfile", GROUP, VERSION, "servingprofiles", namespaced=False),
    WatchedKind("ScalingPolicy", GROUP, VERSION, "scalingpolicies", namespaced=False),
    WatchedKind("Node", "", "v1", "nodes", namespaced=False),
    # A pod takes room on its node whatever its namespace; daemonsets hardly ever run in a served one.
    WatchedKind("Pod", "", "v1", "pods", everywhere=True),
    WatchedKind("Deployment", "apps", "v1", "deployments"),
    WatchedKind("StatefulSet", "apps", "v1", "statefulsets"),
    WatchedKind("HorizontalPodAutoscaler", "autoscaling", "v2", "horizontalpodautoscalers"),
    WatchedKind("PodDisruptionBudget", "policy", "v1", "poddisruptionbudgets"),
    WatchedKind("ScaledObject", "keda.sh", "v1alpha1", "scaledobjects", optional=True),
    WatchedKind("HTTPRoute", "gateway.networking.k8s.io", "v1", "httproutes", optional=True),
)


def served_kinds(server: ApiServer) -> tuple[WatchedKind, ...]:
    """The watched kinds that the API server has.

    Raises:
        NotFound: one that is not optional is missing; the message says how to install it.
    """
    served = []
    for watched in WATCHED:
        try:
            names = {resource["name"] for resource in server.get(watched.root)["resources"]}
        except NotFound:
            names = set()
        if watched.plural in names:
            served.append(watched)
        elif not watched.optional:
            raise NotFound(_missing(watched))
    return tuple(served)


def _missing(watched: WatchedKind) -> str:
    told = f"the API server does not serve {watched.plural} at {watched.root}: "
    if watched.group == GROUP:
        return told + "install the CRDs first (kubectl apply -f crds/, or the Helm chart with crds.install=true)"
    return told + "is it a Kubernetes of 1.23 or later, and the one you mean? Check --kubeconfig and --context"


@dataclass(frozen=True, slots=True)
class Pauses:
    """Seconds before the next look at what there is; guesses between a late look and a busy API server."""

    while_incomplete_s: float = 0.5
    after_gap_s: float = 2.0
    """The watches that list anew after one outage share a look."""
    after_failure_s: float = 5.0
    otherwise_s: float = 300.0
    """For a gap after which there was nothing left to list, so that no event told of it."""


class WatchSync:
    """Which objects the watches have told of, against which ones there are."""

    def __init__(
        self,
        cache: ClusterCache,
        server: ApiServer,
        kinds: tuple[WatchedKind, ...],
        namespaces: tuple[str, ...],
        pauses: Pauses = Pauses(),
    ) -> None:
        self._cache = cache
        self._server = server
        self._kinds = kinds
        self._namespaces = namespaces
        self._pauses = pauses
        self._listed_anew = asyncio.Event()
        self._uids: dict[str, dict[ObjectKey, str]] = {watched.kind: {} for watched in kinds}
        self.complete = False
        """Whether everything that was there at the start has been told."""

    def on_event(self, kind: str, event_type: str | None, raw: Mapping[str, Any]) -> None:
        """Take over one event; a late farewell to an earlier object of the same name is not one to its successor."""
        metadata = raw["metadata"]
        key, uids = ObjectKey(metadata.get("namespace") or "", metadata["name"]), self._uids[kind]
        if event_type is None and self.complete:
            # Not of the first listing: a watch was away for longer than the API server remembers, and a list says
            # nothing of what was deleted meanwhile.
            self._listed_anew.set()
        if event_type == "DELETED":
            if uids.get(key) not in (None, metadata["uid"]):
                return
            uids.pop(key, None)
        else:
            uids[key] = metadata["uid"]
        self._cache.apply(kind, event_type, raw)

    async def run(self, stopping: asyncio.Event) -> None:
        """Look until the first listing is complete, then after each gap in a watch, and every few minutes besides."""
        while not stopping.is_set():
            self._listed_anew.clear()
            await pause(await self._look_and_forget(), stopping, self._listed_anew)
            if self._listed_anew.is_set():
                await pause(self._pauses.after_gap_s, stopping)

    async def _look_and_forget(self) -> float:
        """Returns how long the next look may wait."""
        try:
            complete, gone = await asyncio.to_thread(self.look)
        except PlimsollError as error:
            log.warning(
                "cannot compare the cache with the cluster: %s: trying again in %gs",
                error,
                self._pauses.after_failure_s,
            )
            return self._pauses.after_failure_s
        self.forget(gone)
        if complete and not self.complete:
            log.info("the first listing is complete")
        self.complete = self.complete or complete
        return self._pauses.otherwise_s if self.complete else self._pauses.while_incomplete_s

    def look(self) -> tuple[bool, list[tuple[str, ObjectKey, str]]]:
        """Compare with the API server, in a worker thread: whether all is known, and what is known but gone.

        What is gone is only reported: the caller hands it to `forget` in the thread of the events.
        """
        known_before = {kind: dict(uids) for kind, uids in self._uids.items()}
        complete, gone = True, []
        for watched in self._kinds:
            there = self._listed(watched)
            known = known_before[watched.kind]
            complete = complete and there.keys() <= self._uids[watched.kind].keys()
            gone += [(watched.kind, key, uid) for key, uid in known.items() if key not in there]
        return complete, gone

    def forget(self, gone: list[tuple[str, ObjectKey, str]]) -> None:
        """Drop objects whose deletion no watch has told."""
        for kind, key, uid in gone:
            if self._uids[kind].get(key) == uid:
                log.info("dropped from the cache: deleted while its watch was down", extra={"object": f"{kind} {key}"})
                self.on_event(kind, "DELETED", {"metadata": {"namespace": key.namespace, "name": key.name, "uid": uid}})

    def _listed(self, watched: WatchedKind) -> dict[ObjectKey, str]:
        if watched.namespaced and self._namespaces and not watched.everywhere:
            paths = [f"{watched.root}/namespaces/{namespace}/{watched.plural}" for namespace in self._namespaces]
        else:
            paths = [f"{watched.root}/{watched.plural}"]
        return {key: uid for path in paths for key, uid in self._names(path).items()}

    def _names(self, path: str) -> dict[ObjectKey, str]:
        found = (item["metadata"] for item in self._server.items(path, accept=_NAMES_ONLY))
        return {ObjectKey(one.get("namespace") or "", one["name"]): one["uid"] for one in found}


@dataclass(frozen=True, slots=True)
class Scope:
    """Kinds that are watched in the same namespaces; no namespace means the whole cluster."""

    namespaces: tuple[str, ...]
    kinds: tuple[WatchedKind, ...]


def scopes(kinds: tuple[WatchedKind, ...], namespaces: tuple[str, ...]) -> tuple[Scope, ...]:
    """Every kind in one scope; each scope is a kopf operator of its own, since kopf has one for all of its kinds."""
    if not namespaces:
        return (Scope((), kinds),)
    served = tuple(watched for watched in kinds if watched.namespaced and not watched.everywhere)
    return Scope(namespaces, served), Scope((), tuple(watched for watched in kinds if watched not in served))


def registry_for(sync: WatchSync, kinds: tuple[WatchedKind, ...], cluster: ClusterSettings) -> kopf.OperatorRegistry:
    """kopf's handlers: one login, and one event handler for each kind."""
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    def login(**_: Any) -> kopf.ConnectionInfo:
        return _connection(cluster)

    for watched in kinds:
        _register(registry, watched, sync)
    return registry


def _register(registry: kopf.OperatorRegistry, watched: WatchedKind, sync: WatchSync) -> None:
    # A coroutine: kopf runs plain functions in threads, and the cache has no lock.
    @kopf.on.event(watched.group, watched.version, watched.plural, registry=registry, id=f"watch-{watched.plural}")
    async def handler(event: Mapping[str, Any], **_: Any) -> None:
        sync.on_event(watched.kind, event["type"], event["object"])


def kopf_settings() -> kopf.OperatorSettings:
    """kopf reduced to its watches: no peering, no scanning, no Events, no finalizers."""
    settings = kopf.OperatorSettings()
    settings.peering.standalone = True
    settings.scanning.disabled = True
    settings.posting.enabled = False
    settings.posting.loggers = False
    settings.watching.chunk_size = int(PAGE)
    settings.watching.inactivity_timeout = 70.0
    # Workers are idle most of the time; at the default of 5 s a churning cluster keeps thousands of them.
    settings.queueing.idle_timeout = 1.0
    settings.queueing.exit_timeout = 0.5
    return settings


def _connection(cluster: ClusterSettings) -> kopf.ConnectionInfo:
    configuration = client_configuration(cluster)
    # "Bearer x" from a kubeconfig, "bearer x" from a service account: the client writes both.
    _, _, token = (configuration.get_api_key_with_prefix("BearerToken") or "").partition(" ")
    return kopf.ConnectionInfo(
        server=configuration.host,
        ca_path=configuration.ssl_ca_cert,
        insecure=not configuration.verify_ssl,
        username=configuration.username or None,
        password=configuration.password or None,
        scheme="Bearer" if token else None,
        token=token or None,
        certificate_path=configuration.cert_file,
        private_key_path=configuration.key_file,
    )
