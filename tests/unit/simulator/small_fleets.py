"""Small fleets with something to choose, for tests that play every policy on them.

In: a folder and a seed. Out: episodes of nine minutes, each with one or two models of two variants.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yaml

from plimsoll.simulator.episode import Episode, draw
from plimsoll.simulator.scenario import load
from unit.observe.manifests import a_deployment_manifest, a_pool_manifest, a_profile_manifest, a_variant_spec

HOURS = 0.15
SHORT = {"promptMean": 200.0, "promptP95": 500.0, "outputMean": 40.0, "outputP95": 100.0}
GPU = a_pool_manifest(
    "gpu-h100", resources={"cpu": 16, "nvidia.com/gpu": 1}, price={"onDemandPerHour": "6.00"}, provisioningTime="2m"
)
SPOT = a_pool_manifest(
    "gpu-spot",
    resources={"cpu": 16, "nvidia.com/gpu": 1},
    price={"spotPerHour": "2.40"},
    provisioningTime="2m",
)
SWARM = a_pool_manifest(
    "swarm",
    hardware="cpu",
    resources={"cpu": 8},
    price={"paid": {"amortisedPerHour": "0.20"}},
    nodes={"min": 6, "max": 6},
    provisioningTime="0s",
)
LARGE_SWARM = {**SWARM, "metadata": {"name": "swarm-large"}}
LARGE_SWARM["spec"] = {**SWARM["spec"], "nodes": {"min": 20, "max": 20}, "nodeSelector": {"pool": "swarm-large"}}
SMALL = a_pool_manifest(
    "small", hardware="cpu", resources={"cpu": 8}, price={"onDemandPerHour": "0.40"}, nodes={"min": 0, "max": 30},
    provisioningTime="1m",
)  # fmt: skip
FAST = a_profile_manifest(
    "llama-h100",
    coefficients={"alpha": 20.0, "beta": 0.4, "pi": 0.2, "kappa": 0.0003},
    maxSequences=32,
    kvCacheTokens=60_000,
    startupTime="30s",
)
SLOW = a_profile_manifest(
    "llama-cpu",
    hardware="cpu",
    coefficients={"alpha": 60.0, "beta": 2.0, "pi": 2.0, "kappa": 0.001},
    maxSequences=8,
    kvCacheTokens=60_000,
    startupTime="20s",
)


def on_gpu(pool: str = "gpu-h100") -> dict[str, Any]:
    return a_variant_spec(pool, pool=pool, targetRef=None, template=_template({"cpu": "8", "nvidia.com/gpu": "1"}))


def on_cpu(pool: str) -> dict[str, Any]:
    return a_variant_spec(pool, pool=pool, profile="llama-cpu", targetRef=None, template=_template({"cpu": "7"}))


def paid_nodes(folder: Path, seed: int) -> Episode:
    """Two models on slow nodes that are paid for, too few of them, or on dear GPUs."""
    tight = {"ttft": {"p99": "2s"}, "tpot": {"p99": "200ms"}}
    models = {
        name: a_deployment_manifest(name, slo=tight, variants=[on_gpu(), on_cpu("swarm")]) for name in ("chat", "mail")
    }
    return _drawn(
        folder, seed, models, [GPU, SWARM], {"chat": 14.0, "mail": 1.5}, {"chat/gpu-h100": 2, "mail/swarm": 6}
    )


def few_misses(folder: Path, seed: int) -> Episode:
    """Nodes that are paid for, on which one model misses too much for its own percentile and all together do not."""
    slos = {
        "chat": {"ttft": {"p99": "4s"}, "tpot": {"p99": "300ms"}},
        "mail": {"ttft": {"p99": "1500ms"}, "tpot": {"p99": "300ms"}},
    }
    models = {
        name: a_deployment_manifest(name, slo=slo, variants=[on_gpu(), on_cpu("swarm-large")])
        for name, slo in slos.items()
    }
    start = {"chat/swarm-large": 14, "mail/swarm-large": 6}
    return _drawn(folder, seed, models, [GPU, LARGE_SWARM], {"chat": 4.0, "mail": 0.5}, start)


def small_nodes(folder: Path, seed: int) -> Episode:
    """A GPU or small nodes by the hour, and demand that comes like clockwork."""
    model = a_deployment_manifest(
        slo={"ttft": {"p95": "3s"}, "tpot": {"p95": "250ms"}}, variants=[on_gpu(), on_cpu("small")]
    )
    even = {"pattern": "Gamma", "cv": 0.2}
    return _drawn(folder, seed, {"chat": model}, [GPU, SMALL], {"chat": 4.0}, {"chat/small": 8}, arrivals=even)


def spot_nodes(folder: Path, seed: int) -> Episode:
    """GPUs on spot or on demand behind a router of least load."""
    model = a_deployment_manifest(
        slo={"ttft": {"p95": "1s"}, "tpot": {"p95": "80ms"}},
        routing={"type": "LoadAware"},
        variants=[on_gpu(), on_gpu("gpu-spot")],
    )
    return _drawn(folder, seed, {"chat": model}, [GPU, SPOT], {"chat": 14.0}, {"chat/gpu-spot": 2})


SMALL_FLEETS: Final[dict[str, Callable[[Path, int], Episode]]] = {
    "paid": paid_nodes,
    "misses": few_misses,
    "small": small_nodes,
    "spot": spot_nodes,
}


def _drawn(
    folder: Path,
    seed: int,
    models: dict[str, dict[str, Any]],
    pools: list[dict[str, Any]],
    mean_rps: dict[str, float],
    start: dict[str, int],
    **shape: Any,
) -> Episode:
    kinds = [("InferenceDeployment", one) for one in models.values()]
    kinds += [("ComputePool", one) for one in pools]
    kinds += [("ServingProfile", one) for one in (FAST, SLOW)]
    manifests = [{"apiVersion": "plimsoll.dev/v1alpha1", "kind": kind, **one} for kind, one in kinds]
    demand = [
        {"deployment": f"team-a/{name}", "generated": {"meanRps": rate, "lengths": SHORT, **shape}}
        for name, rate in mean_rps.items()
    ]
    spec = {"hours": HOURS, "demand": demand, "startReplicas": start}
    (folder / "all.yaml").write_text(yaml.safe_dump_all(manifests))
    (folder / "scenario.yaml").write_text(yaml.safe_dump(spec))
    return draw(load(folder, None), seed)


def _template(requests: dict[str, str]) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "engine", "resources": {"requests": requests}}]}}
