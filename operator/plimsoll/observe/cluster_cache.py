"""What is in the cluster at this moment, as far as the watches have told?

In: watch events of eleven kinds, one by one. Out: plain dictionaries of trimmed views by key, and the four kinds of our
own as parsed models, or as the mistake that keeps them from being one. Synchronous and without a lock: the loop that
feeds it also reads it. When the first listing is complete is not known here. Design section 7.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from plimsoll.api import ComputePool, InferenceDeployment, Kind, ScalingPolicy, ServingProfile, parse
from plimsoll.domain import ObjectKey, Told
from plimsoll.errors import InvalidObject
from plimsoll.observe.told import told_by
from plimsoll.observe.views import (
    BudgetView,
    NodeView,
    PodView,
    Raw,
    RivalView,
    RouteView,
    WorkloadView,
    autoscaler_view,
    budget_view,
    node_view,
    pod_view,
    route_view,
    scaled_object_view,
    workload_view,
)

K = TypeVar("K", bound=Kind)
V = TypeVar("V")

_METADATA_KEPT = (
    "name",
    "namespace",
    "uid",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "resourceVersion",
    "labels",
)


class Shelf(Generic[V]):
    """The objects of one kind by key; an object whose view is None is not kept."""

    def __init__(self, view: Callable[[Raw], V | None]) -> None:
        self._view = view
        self._objects: dict[ObjectKey, V] = {}

    @property
    def objects(self) -> Mapping[ObjectKey, V]:
        return self._objects

    def put(self, key: ObjectKey, raw: Raw) -> None:
        viewed = self._view(raw)
        if viewed is None:
            self.drop(key)
        else:
            self._objects[key] = viewed

    def drop(self, key: ObjectKey) -> None:
        self._objects.pop(key, None)


class OwnShelf(Generic[K]):
    """The objects of one of our kinds: raw for whoever writes their status, and parsed once for each generation."""

    def __init__(self, model: type[K]) -> None:
        self._model = model
        self._raw: dict[ObjectKey, Raw] = {}
        self._parsed: dict[ObjectKey, K | InvalidObject] = {}

    @property
    def raw(self) -> Mapping[ObjectKey, Raw]:
        """Trimmed manifests: part of the metadata, the spec and the status."""
        return self._raw

    @property
    def parsed(self) -> Mapping[ObjectKey, K | InvalidObject]:
        """The model, or the mistake in the manifest."""
        return self._parsed

    def put(self, key: ObjectKey, raw: Raw) -> None:
        before, trimmed = self._raw.get(key), _trimmed(raw)
        self._raw[key] = trimmed
        # Our own status writes come back as events: they must not cost a parse each.
        if before is not None and _parts_parsed(before) == _parts_parsed(trimmed):
            return
        try:
            self._parsed[key] = parse(self._model, _for_parsing(trimmed))
        except InvalidObject as mistake:
            self._parsed[key] = mistake

    def drop(self, key: ObjectKey) -> None:
        self._raw.pop(key, None)
        self._parsed.pop(key, None)


@dataclass(frozen=True, slots=True)
class Contents:
    """All that the cache holds at one moment; later events do not change it."""

    deployments: Mapping[ObjectKey, InferenceDeployment | InvalidObject] = field(default_factory=dict)
    pools: Mapping[ObjectKey, ComputePool | InvalidObject] = field(default_factory=dict)
    profiles: Mapping[ObjectKey, ServingProfile | InvalidObject] = field(default_factory=dict)
    policies: Mapping[ObjectKey, ScalingPolicy | InvalidObject] = field(default_factory=dict)
    deleting: frozenset[ObjectKey] = frozenset()
    """InferenceDeployments on their way out."""
    told: Mapping[ObjectKey, Told] = field(default_factory=dict)
    """By InferenceDeployment what its status tells of the time before, where it tells anything."""
    nodes: Mapping[ObjectKey, NodeView] = field(default_factory=dict)
    pods: Mapping[ObjectKey, PodView] = field(default_factory=dict)
    workloads: Mapping[tuple[str, ObjectKey], WorkloadView] = field(default_factory=dict)
    """By kind and key."""
    rivals: tuple[RivalView, ...] = ()
    routes: Mapping[ObjectKey, RouteView] = field(default_factory=dict)
    """HTTPRoutes; none where the API server does not serve the kind."""
    budgets: tuple[BudgetView, ...] = ()


class ClusterCache:
    """Everything that the watches have told."""

    def __init__(self) -> None:
        self.deployments = OwnShelf(InferenceDeployment)
        self.told: Shelf[Told] = Shelf(told_by)
        self.pools = OwnShelf(ComputePool)
        self.profiles = OwnShelf(ServingProfile)
        self.policies = OwnShelf(ScalingPolicy)
        self.nodes: Shelf[NodeView] = Shelf(node_view)
        self.pods: Shelf[PodView] = Shelf(pod_view)
        self.workloads: Mapping[str, Shelf[WorkloadView]] = {
            "Deployment": Shelf(workload_view),
            "StatefulSet": Shelf(workload_view),
        }
        self.autoscalers: Shelf[RivalView] = Shelf(autoscaler_view)
        self.scaled_objects: Shelf[RivalView] = Shelf(scaled_object_view)
        self.routes: Shelf[RouteView] = Shelf(route_view)
        self.budgets: Shelf[BudgetView] = Shelf(budget_view)
        self._shelves: Mapping[str, tuple[Shelf[Any] | OwnShelf[Any], ...]] = {
            "InferenceDeployment": (self.deployments, self.told),
            "ComputePool": (self.pools,),
            "ServingProfile": (self.profiles,),
            "ScalingPolicy": (self.policies,),
            "Node": (self.nodes,),
            "Pod": (self.pods,),
            **{kind: (shelf,) for kind, shelf in self.workloads.items()},
            "HorizontalPodAutoscaler": (self.autoscalers,),
            "ScaledObject": (self.scaled_objects,),
            "HTTPRoute": (self.routes,),
            "PodDisruptionBudget": (self.budgets,),
        }

    def apply(self, kind: str, event_type: str | None, raw: Raw) -> None:
        """Take over one watch event.

        Args:
            kind: as in the object's manifest.
            event_type: ADDED, MODIFIED or DELETED; None for an object of the first listing, as kopf has it.
            raw: the whole object.
        """
        metadata = raw["metadata"]
        key = ObjectKey(metadata.get("namespace") or "", metadata["name"])
        for shelf in self._shelves[kind]:
            if event_type == "DELETED":
                shelf.drop(key)
            else:
                shelf.put(key, raw)

    def contents(self) -> Contents:
        """What is here now, to be read in another thread while events go on coming in."""
        return Contents(
            deployments=dict(self.deployments.parsed),
            pools=dict(self.pools.parsed),
            profiles=dict(self.profiles.parsed),
            policies=dict(self.policies.parsed),
            deleting=frozenset(
                key for key, raw in self.deployments.raw.items() if raw["metadata"].get("deletionTimestamp")
            ),
            told=dict(self.told.objects),
            nodes=dict(self.nodes.objects),
            pods=dict(self.pods.objects),
            workloads={
                (kind, key): view for kind, shelf in self.workloads.items() for key, view in shelf.objects.items()
            },
            budgets=tuple(self.budgets.objects.values()),
            rivals=(*self.autoscalers.objects.values(), *self.scaled_objects.objects.values()),
            routes=dict(self.routes.objects),
        )


def _trimmed(raw: Raw) -> Raw:
    metadata = {name: raw["metadata"][name] for name in _METADATA_KEPT if name in raw["metadata"]}
    return {"metadata": metadata, "spec": raw.get("spec"), "status": raw.get("status")}


def _parts_parsed(trimmed: Raw) -> tuple[Any, Any, Any]:
    metadata = trimmed["metadata"]
    return (metadata.get("uid"), metadata.get("generation")), trimmed["spec"], _stock_out(trimmed)


def _stock_out(trimmed: Raw) -> Any:
    return (trimmed["status"] or {}).get("stockedOutUntil")


def _for_parsing(trimmed: Raw) -> Raw:
    stocked_out_until = _stock_out(trimmed)
    status = {"status": {"stockedOutUntil": stocked_out_until}} if stocked_out_until else {}
    spec = {"spec": trimmed["spec"]} if trimmed["spec"] is not None else {}
    return {"metadata": trimmed["metadata"], **spec, **status}
