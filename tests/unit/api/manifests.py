"""Good manifests of the four kinds, as YAML would give them, and one way to change a single place of them.

In: nothing, or a path and a value. Out: fresh dictionaries, so that a test states only what it spoils.
"""

import copy
from typing import Any

Manifest = dict[str, Any]

REMOVED = object()
"""As a value of `changed`: take the field away."""


def an_inference_deployment() -> Manifest:
    return {
        "apiVersion": "plimsoll.dev/v1alpha1",
        "kind": "InferenceDeployment",
        "metadata": {"name": "chat", "namespace": "team-a", "uid": "u-1", "generation": 3},
        "spec": {
            "model": "llama-3.1-8b",
            "slo": {"ttft": {"p95": "800ms"}, "tpot": {"p95": "60ms"}},
            "demand": {"engine": "vLLM"},
            "variants": [a_target_variant(), a_template_variant()],
        },
    }


def a_target_variant() -> Manifest:
    return {
        "name": "h100",
        "pool": "gpu-h100",
        "profile": "llama-h100",
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "chat-h100"},
        "replicas": {"min": 1, "max": 20},
    }


def a_template_variant() -> Manifest:
    return {
        "name": "xeon",
        "pool": "cpu-amx",
        "profile": "llama-xeon",
        "template": {"spec": {"containers": [{"name": "engine", "image": "engine:1", "args": ["--port=8000"]}]}},
        "replicas": {"max": 4},
        "perReplica": {"cpu": 30, "memory": "64Gi"},
    }


def a_compute_pool() -> Manifest:
    return {
        "apiVersion": "plimsoll.dev/v1alpha1",
        "kind": "ComputePool",
        "metadata": {"name": "gpu-h100"},
        "spec": {
            "hardware": "h100",
            "nodeSelector": {"pool": "gpu-h100"},
            "price": {"onDemandPerHour": "6.88"},
            "nodes": {"max": 8},
            "provisioningTime": "5m",
            "resources": {"cpu": "23500m", "memory": "240Gi", "nvidia.com/gpu": 1},
        },
    }


def a_serving_profile() -> Manifest:
    return {
        "apiVersion": "plimsoll.dev/v1alpha1",
        "kind": "ServingProfile",
        "metadata": {"name": "llama-h100"},
        "spec": {
            "model": "llama-3.1-8b",
            "engine": "vLLM",
            "hardware": "h100",
            "precision": "bf16",
            "coefficients": {"alpha": 6.63, "beta": 0.0218, "pi": 0.0196, "kappa": 0.000055},
            "maxSequences": 256,
            "kvCacheTokens": 400000,
            "startupTime": "90s",
            "validity": {"maxPromptTokens": 4096},
            "provenance": {"kind": "Fitted", "reference": "load points", "date": "2026-02-09", "errorPercent": 2.4},
        },
    }


def a_scaling_policy() -> Manifest:
    return {
        "apiVersion": "plimsoll.dev/v1alpha1",
        "kind": "ScalingPolicy",
        "metadata": {"name": "careful"},
        "spec": {"headroom": 0.4},
    }


def changed(manifest: Manifest, path: str, value: Any) -> Manifest:
    """A copy with the field at a path such as spec/variants/0/name set, or taken away with REMOVED."""
    result = copy.deepcopy(manifest)
    *parents, last = path.split("/")
    place: Any = result
    for part in parents:
        place = place[int(part)] if isinstance(place, list) else place[part]
    if value is REMOVED:
        del place[last]
    else:
        place[int(last) if isinstance(place, list) else last] = value
    return result
