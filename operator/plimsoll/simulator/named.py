"""Is everything there that scenario.yaml names? Deployments, variants and pools of the manifests, and files of demand.

In: a specification and the manifests beside it. Out: nothing, or what is asked of whom; a name of nothing is told by
field, with the nearest name that there is. A run must not go on without it: its figures would be about something else.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from plimsoll.api import InferenceDeployment, nearest
from plimsoll.domain import ObjectKey, VariantKey
from plimsoll.errors import InvalidObject
from plimsoll.observe import Contents

if TYPE_CHECKING:
    from plimsoll.simulator.scenario import Scenario, ScenarioSpec
    from plimsoll.simulator.sources import DemandSource


def demand_of(
    file: Path, spec: "ScenarioSpec", contents: Contents, namespace: str
) -> "Mapping[ObjectKey, tuple[DemandSource, ...]]":
    """By deployment what it is asked for.

    Raises:
        InvalidObject: a source names no deployment, or several.
    """
    found: dict[ObjectKey, tuple[DemandSource, ...]] = {}
    for number, source in enumerate(spec.demand):
        own, _, name = source.deployment.rpartition("/")
        matching = [
            key
            for key, one in sorted(contents.deployments.items())
            if isinstance(one, InferenceDeployment) and key.name == name and own in ("", key.namespace)
        ]
        exact = [key for key in matching if key.namespace == (own or namespace)]
        if len(exact or matching) != 1:
            known = ", ".join(map(str, sorted(contents.deployments)))
            raise InvalidObject(
                f"{file}: demand[{number}].deployment is {source.deployment}, which names no InferenceDeployment of "
                f"this folder, or several: it has {known}"
            )
        key = (exact or matching)[0]
        found[key] = (*found.get(key, ()), source)
    return found


def refuse_unknown_pools(file: Path, spec: "ScenarioSpec", contents: Contents) -> None:
    """Something that would happen to a pool that is not there would happen to none.

    Raises:
        InvalidObject: cluster.pools names one that is not among the manifests.
    """
    known = sorted(key.name for key in contents.pools)
    for name in spec.cluster.pools:
        if name not in known:
            raise InvalidObject(
                f"{file}: cluster.pools names {name}, which is no ComputePool of this folder: {nearest(name, known)}"
            )


def refuse_unknown_variants(file: Path, spec: "ScenarioSpec", contents: Contents) -> None:
    """What is to run when the run begins must be something that can.

    Raises:
        InvalidObject: startReplicas names a variant that is not among the manifests, or less than nothing of it.
    """
    keys = [
        VariantKey(key.namespace, key.name, variant.name)
        for key, one in sorted(contents.deployments.items())
        if isinstance(one, InferenceDeployment)
        for variant in one.spec.variants
    ]
    try:
        start_replicas(spec.start_replicas, keys)
    except InvalidObject as error:
        raise InvalidObject(f"{file}: {error}") from error


def start_replicas(named: Mapping[str, int], keys: Sequence[VariantKey]) -> Mapping[VariantKey, int]:
    """By variant what scenario.yaml says by NAME/VARIANT or NAMESPACE/NAME/VARIANT.

    Raises:
        InvalidObject: one of them is not among the keys, or less than nothing is to run of it.
    """
    known = {f"{key.deployment}/{key.variant}": key for key in keys} | {str(key): key for key in keys}
    for name, replicas in named.items():
        if name not in known:
            raise InvalidObject(f"startReplicas names {name}, which is no variant here: {nearest(name, list(known))}")
        if replicas < 0:
            raise InvalidObject(f"startReplicas.{name} is {replicas}: write 0 or more")
    return {known[name]: replicas for name, replicas in named.items()}


def refuse_missing_files(scenario: "Scenario", without: Collection[ObjectKey] = ()) -> None:
    """Better now than after the hour that the scenario before it takes.

    Args:
        scenario: whose demand is to be read.
        without: deployments whose demand comes from elsewhere.

    Raises:
        InvalidObject: a file with demand is in none of the folders.
    """
    for number, source in enumerate(scenario.spec.demand):
        if any(source in sources for key, sources in scenario.demand.items() if key not in without):
            for field, names in source.files.items():
                for name in names:
                    scenario.file(name, f"demand[{number}].{field}")
