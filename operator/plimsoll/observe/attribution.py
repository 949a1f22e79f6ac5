"""Which samples speak of which deployment and variant?

In: deployments with their variants and pods, and a `MetricsReading`. Out: for each deployment the samples of its pods,
and for a gateway those of its model. Pods that are gone still have a rate within the window; they are found again by
the name of the workload they came from. Near-linear: every sample is looked up, never searched for. Pure.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from plimsoll.api import Engine
from plimsoll.domain import LatencyTarget, ObjectKey, Pod
from plimsoll.observe.reading import MetricsReading, Samples

_NAME_PARTS_ADDED = 3
"""At most so many dash-separated parts stand behind a workload's name in that of its pod (LeaderWorkerSet: two)."""


@dataclass(frozen=True, slots=True)
class Server:
    """One variant as far as its metrics go."""

    variant: str
    engine: Engine
    workload: str
    """Name of the target, with which the names of its pods begin."""
    pods: tuple[Pod, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """One deployment whose demand is wanted."""

    key: ObjectKey
    source: Engine
    model: str
    """The value of the metrics' model label."""
    servers: tuple[Server, ...]
    slo: tuple[LatencyTarget, ...]
    stale_after_s: float
    queries: Mapping[str, str] = field(default_factory=dict)
    """For the source Custom: PromQL by field of `spec.demand.queries`."""


@dataclass(frozen=True, slots=True)
class PodSamples:
    """Samples of one pod that serves, or lately served, a deployment."""

    server: Server
    samples: Samples
    pod: Pod | None
    """None when the pod is gone."""


@dataclass(frozen=True, slots=True)
class Attributed:
    """All that the reading says of one deployment."""

    pods: tuple[PodSamples, ...] = ()
    gateway: tuple[Samples, ...] = ()
    other_models: tuple[str, ...] = field(default=())
    """Models that its pods report instead of the one asked for, where it is unclear which is meant."""


def attribute(asked: Sequence[Asked], reading: MetricsReading) -> Mapping[ObjectKey, Attributed]:
    """The samples of each deployment; every deployment asked for is a key."""
    pods = _by_deployment(asked, reading)
    gateways = _by_gateway_model(asked, reading)
    attributed = {}
    for one in asked:
        chosen, other_models = _of_the_model(pods.get(one.key, ()), one.model)
        attributed[one.key] = Attributed(chosen, gateways.get(one.key, ()), other_models)
    return attributed


def _by_deployment(asked: Sequence[Asked], reading: MetricsReading) -> Mapping[ObjectKey, Sequence[PodSamples]]:
    alive: dict[tuple[str, str], tuple[ObjectKey, Server, Pod]] = {}
    workloads: dict[tuple[str, str], tuple[ObjectKey, Server]] = {}
    for one in asked:
        for server in one.servers:
            workloads[one.key.namespace, server.workload] = (one.key, server)
            for pod in server.pods:
                alive[one.key.namespace, pod.name] = (one.key, server, pod)
    found: dict[ObjectKey, list[PodSamples]] = defaultdict(list)
    for engine, engine_reading in reading.by_engine.items():
        for samples in engine_reading.samples:
            known = alive.get((samples.namespace, samples.pod))
            owner = (known[0], known[1]) if known else _workload_of(samples, workloads)
            if owner is not None and owner[1].engine is engine:
                found[owner[0]].append(PodSamples(owner[1], samples, known[2] if known else None))
    return found


def _workload_of(
    samples: Samples, workloads: Mapping[tuple[str, str], tuple[ObjectKey, Server]]
) -> tuple[ObjectKey, Server] | None:
    name = samples.pod
    for _ in range(_NAME_PARTS_ADDED):
        name, dash, _ = name.rpartition("-")
        if not dash:
            return None
        if (samples.namespace, name) in workloads:
            return workloads[samples.namespace, name]
    return None


def _of_the_model(found: Iterable[PodSamples], model: str) -> tuple[tuple[PodSamples, ...], tuple[str, ...]]:
    """Per pod the samples of the model asked for, or those of the only model it reports.

    A pod that reports several models, none of them the one asked for, cannot be read: a Triton ensemble counts one
    request once for each of its parts.
    """
    by_pod: dict[str, list[PodSamples]] = defaultdict(list)
    for one in found:
        by_pod[one.samples.pod].append(one)
    chosen: list[PodSamples] = []
    others: set[str] = set()
    for reports in by_pod.values():
        named = [one for one in reports if one.samples.model in (model, None)]
        if named or len(reports) == 1:
            chosen += named or reports
        else:
            others |= {one.samples.model or "" for one in reports}
    return tuple(sorted(chosen, key=lambda one: (one.server.variant, one.samples.pod))), tuple(sorted(others))


def _by_gateway_model(asked: Sequence[Asked], reading: MetricsReading) -> Mapping[ObjectKey, tuple[Samples, ...]]:
    """A gateway may run in a namespace of its own: a model that one deployment alone claims is found wherever it is."""
    by_model: dict[str, list[Samples]] = defaultdict(list)
    for samples in reading.by_engine[Engine.GATEWAY].samples if Engine.GATEWAY in reading.by_engine else ():
        by_model[samples.model or ""].append(samples)
    claims: dict[str, int] = defaultdict(int)
    through_gateway = [one for one in asked if one.source is Engine.GATEWAY]
    for one in through_gateway:
        claims[one.model] += 1
    found: dict[ObjectKey, tuple[Samples, ...]] = {}
    for one in through_gateway:
        everywhere = by_model.get(one.model, [])
        here = tuple(samples for samples in everywhere if samples.namespace == one.key.namespace)
        found[one.key] = here or (tuple(everywhere) if claims[one.model] == 1 else ())
    return found
