"""What would be in the cluster if these manifests were applied?

In: files and folders with YAML. Out: a filled `ClusterCache`. Kinds that a plan does not depend on are passed over; a
file that is no YAML is bad input, and so is a folder without any InferenceDeployment, unless that may be. Nothing is
asked of a cluster.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from plimsoll.api import KINDS
from plimsoll.errors import InvalidObject
from plimsoll.observe import ClusterCache

Raw = Mapping[str, Any]
_CLUSTER_SCOPED = frozenset({"ComputePool", "ServingProfile", "ScalingPolicy", "Node"})
STANDARD_INPUT = "-"
_READ = frozenset(
    {*KINDS, "Deployment", "StatefulSet", "HorizontalPodAutoscaler", "ScaledObject", "PodDisruptionBudget"}
)


def load(paths: Sequence[Path], namespace: str, *, may_be_empty: bool = False) -> ClusterCache:
    """A cache that holds what the manifests declare.

    Args:
        paths: files, or folders that are searched to their depth for ``*.yaml`` and ``*.yml``.
        namespace: of namespaced objects that do not say theirs.
        may_be_empty: whether no InferenceDeployment is an answer, as it is before the first and after the last one.

    Raises:
        InvalidObject: when a path is missing, a file cannot be read, or an InferenceDeployment must be there and none
            is.
    """
    cache = ClusterCache()
    deployments = 0
    for path, raw in _objects(paths):
        kind, metadata = raw.get("kind"), raw.get("metadata")
        if kind not in _READ:
            continue
        if not isinstance(metadata, dict) or not metadata.get("name"):
            raise InvalidObject(f"{path}: a {kind} has no metadata.name: write one")
        own = "" if kind in _CLUSTER_SCOPED else metadata.get("namespace") or namespace
        # Generation and uid come from an API server; here each manifest is as good as just created.
        whole = {**raw, "metadata": {"generation": 1, "uid": "", **metadata, "namespace": own}}
        try:
            cache.apply(kind, None, whole)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # The cache takes what an API server has looked at; a file may hold anything.
            raise InvalidObject(
                f"{path}: {kind} {metadata['name']} cannot be read ({error}): check it with `kubectl apply "
                "--dry-run=server -f`"
            ) from error
        deployments += kind == "InferenceDeployment"
    if not deployments and not may_be_empty:
        raise InvalidObject(
            f"no InferenceDeployment in {', '.join(map(str, paths))}: name the folder that holds one with -f"
        )
    return cache


def manifests_of(kind: str, paths: Sequence[Path]) -> tuple[Raw, ...]:
    """All objects of one kind in these files and folders, as they are written.

    Raises:
        InvalidObject: when a path is missing, a file cannot be read, or one of the objects has no name.
    """
    found = [(path, raw) for path, raw in _objects(paths) if raw.get("kind") == kind]
    for path, raw in found:
        metadata = raw.get("metadata")
        if not isinstance(metadata, dict) or not metadata.get("name") or not isinstance(raw.get("spec"), dict):
            raise InvalidObject(f"{path}: a {kind} needs metadata.name and spec: write them")
    return tuple(raw for _, raw in found)


def _objects(paths: Iterable[Path]) -> Iterator[tuple[Path, Raw]]:
    for path in paths:
        for file in _files(path):
            yield from ((file, one) for one in objects_in(file))


def objects_in(file: Path) -> Iterator[Raw]:
    """The objects of one file of manifests; ``-`` is standard input."""
    try:
        documents = list(yaml.safe_load_all(sys.stdin.read() if str(file) == STANDARD_INPUT else file.read_text()))
    except (yaml.YAMLError, OSError, UnicodeDecodeError) as error:
        raise InvalidObject(f"{file} cannot be read as YAML: {' '.join(str(error).split())}") from error
    for document in documents:
        yield from _listed(document)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.suffix in (".yaml", ".yml") and file.is_file())
    if not path.exists():
        raise InvalidObject(f"{path} is not there: name a file or a folder with -f")
    return [path]


def _listed(document: object) -> Iterator[Raw]:
    """The objects of one document; a List is opened, anything that is no object is passed over (Helm values)."""
    if not isinstance(document, dict):
        return
    if document.get("kind") == "List":
        for one in document.get("items") or ():
            yield from _listed(one)
    else:
        yield document
