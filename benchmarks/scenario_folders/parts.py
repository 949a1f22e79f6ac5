"""Which objects does a scenario consist of? Pools and profiles of the catalogue, deployments of their own.

In: names of the catalogue. Out: manifests as plain mappings. A profile loses its range of validity here: in a scenario
engines are as their profiles say, give or take `profileError`, whatever the lengths.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

CATALOG = Path(__file__).resolve().parents[2] / "charts" / "plimsoll" / "catalog"
Manifest = dict[str, Any]
GIB_OF_A_SMALL_REPLICA = 12


@dataclass(frozen=True, slots=True)
class Folder:
    """One scenario as it is written."""

    name: str
    scenario: Mapping[str, Any]
    objects: Sequence[Manifest]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to serve a model: a profile on a pool."""

    name: str
    pool: str
    profile: str
    needs: Mapping[str, str]
    most: int
    fewest: int = 0


@dataclass(frozen=True, slots=True)
class Model:
    """One InferenceDeployment."""

    name: str
    model: str
    slo: Mapping[str, Mapping[str, str]]
    ways: Sequence[Way]
    priority: int = 100
    external_api: Mapping[str, str] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


def pool(template: str, name: str | None = None, most: int | None = None, **spec: Any) -> Manifest:
    """A pool of the catalogue, with another name or other figures."""
    found = _read(CATALOG / "pools" / f"{template}.yaml")
    found["metadata"]["name"] = name or template
    found["spec"] |= spec
    if most is not None:
        fewest = most if "paid" in found["spec"]["price"] else found["spec"]["nodes"]["min"]
        found["spec"]["nodes"] = {"min": fewest, "max": most}
    return found


def profile(template: str) -> Manifest:
    """A profile of the catalogue."""
    found = _read(CATALOG / "profiles" / f"{template}.yaml")
    found["spec"].pop("validity", None)
    return found


def slice_of(
    template: str, name: str, parts: float, weights_gib: float, memory_gib: float, kib_a_token: float
) -> Manifest:
    """A profile on a share of its device: as many times slower as there are parts, its cache what memory is left.

    Args:
        template: profile on the whole device.
        name: of the new one.
        parts: how many share the device, all of them busy.
        weights_gib: of the model.
        memory_gib: of the share.
        kib_a_token: of KV cache.
    """
    found = profile(template)
    spec = found["spec"]
    found["metadata"]["name"] = name
    spec["coefficients"] = {key: float(f"{value * parts:.4g}") for key, value in spec["coefficients"].items()}
    free_gib = 0.9 * memory_gib - weights_gib - 0.5
    spec["kvCacheTokens"] = min(spec["kvCacheTokens"], int(free_gib * 2**20 / kib_a_token) // 1000 * 1000)
    spec["maxSequences"] = max(int(spec["maxSequences"] / parts), 1)
    spec["provenance"] = {
        "kind": "Estimated",
        "reference": f"Not measured. {template} with every term {parts:g} times slower: all shares of the device busy.",
    }
    return found


def deployment(model: Model) -> Manifest:
    """An InferenceDeployment that owns its workloads."""
    found: Manifest = {
        "apiVersion": "plimsoll.dev/v1alpha1",
        "kind": "InferenceDeployment",
        "metadata": {"name": model.name},
        "spec": {
            "model": model.model,
            "priority": model.priority,
            "slo": {metric: dict(limits) for metric, limits in model.slo.items()},
            "demand": {"engine": "vLLM", "modelName": model.name},
            "variants": [
                {
                    "name": way.name,
                    "pool": way.pool,
                    "profile": way.profile,
                    "template": {
                        "spec": {"containers": [{"name": "engine", "resources": {"requests": dict(way.needs)}}]}
                    },
                    "replicas": {"min": way.fewest, "max": way.most},
                }
                for way in model.ways
            ],
            **model.extra,
        },
    }
    if model.external_api:
        found["spec"]["externalAPI"] = dict(model.external_api)
    return found


def _read(path: Path) -> Manifest:
    found: Manifest = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
    return found
