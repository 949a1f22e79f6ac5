"""What is simulated? A folder: the manifests as they stand on a cluster, and `scenario.yaml` with all the rest.

In: a folder. Out: a frozen `Scenario`. Mistakes are told like those in a manifest: field, value, what to write.
Files with demand are looked for in the folder, then in the data folder that is passed (see shared data formats).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field

from plimsoll.api import Duration, InferenceDeployment, parse_part
from plimsoll.api.wire import SpecModel
from plimsoll.domain import Mode, ObjectKey, Routing
from plimsoll.engine.serving import Router
from plimsoll.errors import InvalidObject
from plimsoll.manifests import load as load_manifests
from plimsoll.observe import Contents
from plimsoll.settings import LoopSettings
from plimsoll.simulator import named
from plimsoll.simulator.sources import DemandSource, Share

FILE = "scenario.yaml"
_ROUTERS = {
    Routing.SERVICE: Router.RANDOM,
    Routing.LOAD_AWARE: Router.LEAST_LOADED,
    Routing.HTTP_ROUTE: Router.WEIGHTED,
}

MOST_HOURS = 24.0 * 31.0
"""Of a run."""


class StockOut(SpecModel):
    """A time in which the provider has no node of a pool to give; those that are there stay."""

    begin: Duration
    """Since the run began."""
    lasts: Duration
    """From then on."""


class Interruption(SpecModel):
    """A moment at which the provider takes nodes of a pool back, with notice."""

    at: Duration
    """Since the run began."""
    share: Share = 1.0
    """Of the pool's nodes at that moment, rounded up."""


class PoolFacts(SpecModel):
    """What happens to one pool, next to what its manifest says."""

    stock_outs: tuple[StockOut, ...] = ()
    """Times in which the provider has no node to give."""
    interruptions: tuple[Interruption, ...] = ()
    """Besides those that come by chance, at the manifest's interruptionsPerHour."""


class Scoring(StrEnum):
    """Which node the scheduler prefers among those with room."""

    LEAST_ALLOCATED = "LeastAllocated"
    """The emptiest: kube-scheduler's default."""
    MOST_ALLOCATED = "MostAllocated"
    """The fullest: what clusters set that pay for nodes."""


class ClusterFacts(SpecModel):
    """How the cluster behaves."""

    boot_spread: Share = 0.15
    """Sigma of the logarithm of a node's boot time around the pool's provisioningTime. A guess."""
    startup_spread: Share = 0.10
    """Sigma of the logarithm of a replica's start around its profile's startupTime. A guess."""
    scan_interval: Duration = Duration("10s")
    """Of the cluster autoscaler (--scan-interval)."""
    empty_node_removal: Duration = Duration("10m")
    """For how long a node is empty, or could be emptied, before it goes (--scale-down-unneeded-time)."""
    consolidation_below: Share = 0.5
    """A node that is used by less than this share, and whose pods fit on others, is emptied: they end, and start again
    there (--scale-down-utilization-threshold, --scale-down-gpu-utilization-threshold). 0: only empty nodes go; write it
    if pods may not be evicted, because a PodDisruptionBudget forbids it or their annotation safe-to-evict is false."""
    delay_after_add: Duration = Duration("10m")
    """After a node was added, for how long none is removed (--scale-down-delay-after-add)."""
    stock_out_backoff: Duration = Duration("5m")
    """After a failed request, for how long no node of the pool is asked for (--initial-node-group-backoff-duration)."""
    scoring: Scoring = Field(Scoring.LEAST_ALLOCATED, strict=False)
    """Which node the scheduler prefers among those with room: the emptiest (its default) or the fullest."""
    termination_grace: Duration = Duration("120s")
    """Longest time in which a pod on its way out finishes its requests (terminationGracePeriodSeconds)."""
    interruption_notice: Duration = Duration("120s")
    """Between the notice and the end of a spot node."""
    scrape_delay: Duration = Duration("2s")
    """From a scrape until its samples can be queried. A guess."""
    pools: dict[str, PoolFacts] = Field(default_factory=dict)
    """By name of a ComputePool what happens to it."""


class ScenarioSpec(SpecModel):
    """scenario.yaml."""

    description: str = ""
    """What it is about, in a sentence; stands on the report's page."""
    hours: Annotated[float, Field(gt=0.0, le=MOST_HOURS)]
    """How long the run is."""
    seeds: Annotated[tuple[int, ...], Field(min_length=1)] = (1, 2, 3)
    """What chance is drawn from, a run each."""
    policies: tuple[str, ...] = ("plimsoll",)
    """Compared when the command line names none."""
    profile_error: Share = 0.10
    """How far the engines' true step-time coefficients are from the profiles: sigma of their logarithm."""
    tick_interval: Duration = Duration.of_seconds(LoopSettings().interval_s)
    """From one look of Plimsoll to the next (the operator's loop.interval_s)."""
    router: Literal["RoundRobin", "LeastLoaded", "Weighted", "Random"] | None = None
    """How requests are spread over the replicas of every deployment. Default: as each one's spec.routing says, Service
    by chance, LoadAware by load, HTTPRoute by weight."""
    client_timeout: Duration = Duration("60s")
    """A client that has seen no token by then goes away: its request is dropped."""
    start_replicas: dict[str, int] = Field(default_factory=dict)
    """By NAME/VARIANT or NAMESPACE/NAME/VARIANT, ready when the run begins; none named: as planned for its first ten
    minutes. The same for every policy."""
    demand: tuple[DemandSource, ...] = ()
    """What is asked for; none: nothing, unless it is read from Prometheus."""
    cluster: ClusterFacts = ClusterFacts()
    """How the cluster behaves."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """A scenario that can be run."""

    name: str
    spec: ScenarioSpec
    contents: Contents
    """The manifests, as the operator's cache would hold them."""
    demand: Mapping[ObjectKey, tuple[DemandSource, ...]]
    data_folders: tuple[Path, ...]
    """Where files of demand are looked for, in this order."""

    def router(self, routing: Routing) -> Router:
        """Who spreads the requests of a deployment with that routing."""
        return Router(self.spec.router) if self.spec.router else _ROUTERS[routing]

    @property
    def duration_s(self) -> float:
        return self.spec.hours * 3600.0

    def file(self, name: str, field: str = "") -> Path:
        """A file with demand.

        Args:
            name: of the file.
            field: of scenario.yaml that names it, for whoever has to mend it.

        Raises:
            InvalidObject: it is in none of the folders.
        """
        for folder in self.data_folders:
            for candidate in (folder / name, folder / "traces" / name):
                if candidate.is_file():
                    return candidate
        what = f"{field} is {name}, which is" if field else f"{name} is"
        raise InvalidObject(
            f"scenario {self.name}: {what} in none of {', '.join(map(str, self.data_folders))}: copy it there, or set "
            "PLIMSOLL_DATA_DIR to the folder that holds it"
        )


def load(
    folder: Path, data_folder: Path | None = None, namespace: str = "default", hours: float | None = None
) -> Scenario:
    """The scenario of a folder.

    Args:
        folder: with manifests and `scenario.yaml`.
        data_folder: with public traces, where there is one.
        namespace: of manifests and names that do not say theirs.
        hours: of a run whose demand comes from elsewhere: the folder need not say how long it is, nor have a
            scenario.yaml at all.

    Raises:
        InvalidObject: when something is missing or not valid.
    """
    file = folder / FILE
    spec = _spec(file, hours)
    contents = load_manifests([folder], namespace).contents()
    _refuse_mistakes(contents)
    named.refuse_unknown_pools(file, spec, contents)
    named.refuse_unknown_variants(file, spec, contents)
    contents = replace(contents, deployments={key: _acted_on(one) for key, one in contents.deployments.items()})
    data = (data_folder,) if data_folder else ()
    return Scenario(
        name=folder.resolve().name,
        spec=spec,
        contents=contents,
        demand=named.demand_of(file, spec, contents, namespace),
        data_folders=(folder, *data),
    )


def _spec(file: Path, hours: float | None) -> ScenarioSpec:
    if not file.parent.is_dir():
        raise InvalidObject(f"there is no folder {file.parent}: name one with manifests and {FILE}")
    if not file.is_file():
        if hours is not None:
            return ScenarioSpec(hours=hours)
        raise InvalidObject(f"{file.parent} has no {FILE}: write one that says at least hours and demand")
    try:
        raw = yaml.safe_load(file.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InvalidObject(f"{file} cannot be read as YAML: {' '.join(str(error).split())}") from error
    try:
        spec = parse_part(ScenarioSpec, {**raw, "hours": hours} if isinstance(raw, dict) and hours else raw)
        if hours is None and not spec.demand:
            raise InvalidObject("demand is missing, add it: what is asked of each InferenceDeployment")
    except InvalidObject as error:
        raise InvalidObject(f"{file}: {error}") from error
    return spec


def _refuse_mistakes(contents: Contents) -> None:
    """A run must not go on without an object that is not valid: its figures would be about something else."""
    for kind, objects in (
        ("InferenceDeployment", contents.deployments),
        ("ComputePool", contents.pools),
        ("ServingProfile", contents.profiles),
        ("ScalingPolicy", contents.policies),
    ):
        for key, one in sorted(objects.items()):
            if isinstance(one, InvalidObject):
                raise InvalidObject(f"{kind} {key.name}: {one}")


def _acted_on(manifest: InferenceDeployment | InvalidObject) -> InferenceDeployment | InvalidObject:
    """What is only recommended on the cluster is done here: that is what a simulation is asked for."""
    if isinstance(manifest, InvalidObject) or manifest.spec.mode is not Mode.RECOMMEND:
        return manifest
    return manifest.model_copy(update={"spec": manifest.spec.model_copy(update={"mode": Mode.AUTO})})
