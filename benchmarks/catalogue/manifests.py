"""What does an entry look like as a manifest? The same text whenever the same figures go in."""

import math
from typing import Any

import yaml

from catalogue.pools import PoolTemplate
from catalogue.profiles import Entry
from plimsoll.api import API_VERSION, ComputePool, Duration, ServingProfile, parse

_DIGITS = 4
"""Significant digits of a coefficient: an order better than the measurements."""
_WIDTH = 110


def profile_text(entry: Entry) -> str:
    """A ServingProfile as YAML, checked like any other."""
    source = entry.source
    build, law = source.build, source.step_time
    validity = {
        "maxPromptTokens": source.validity.max_prompt_tokens,
        "maxOutputTokens": source.validity.max_output_tokens,
    }
    provenance: dict[str, Any] = {"kind": source.kind.value, "reference": source.reference}
    if source.date is not None:
        provenance["date"] = source.date
    if source.error_ratio is not None:
        provenance["errorPercent"] = round(100.0 * source.error_ratio, 1)
    spec: dict[str, Any] = {
        "model": build.model.name,
        "engine": source.engine,
        "hardware": build.machine.name,
        "precision": build.precision,
        "coefficients": {
            "alpha": _rounded(law.alpha_ms),
            "beta": _rounded(law.beta_ms_per_sequence),
            "pi": _rounded(law.pi_ms_per_prefill_token),
            "kappa": _rounded(law.kappa_ms_per_kv_token),
        },
        "maxSequences": source.max_sequences,
        "kvCacheTokens": entry.kv_cache_tokens,
        "prefillChunkTokens": source.chunk_tokens,
    }
    if source.ttft_overhead_ms > 0.0:
        spec["ttftOverhead"] = str(Duration.of_ms(source.ttft_overhead_ms))
    spec["startupTime"] = f"{entry.startup_s}s"
    spec["validity"] = {side: math.ceil(tokens) for side, tokens in validity.items() if tokens is not None}
    spec["provenance"] = provenance
    manifest = {
        "apiVersion": API_VERSION,
        "kind": "ServingProfile",
        "metadata": {"name": entry.name},
        "spec": spec,
    }
    parse(ServingProfile, manifest)
    asks = build.devices * build.machine.per_replica
    return (
        f"# {build.model.name} in {build.precision} on {_devices(entry)}.\n"
        f"# One replica asks for {asks:g} {build.machine.resource}. Written by `make catalogue`: do not edit.\n"
        + _yaml(manifest)
    )


def _devices(entry: Entry) -> str:
    build = entry.source.build
    return f"{build.devices} x {build.machine.title}" if build.devices > 1 else build.machine.title


def pool_text(pool: PoolTemplate) -> str:
    """A ComputePool as YAML, checked like any other."""
    spec: dict[str, Any] = {"hardware": pool.machine.name, "nodeSelector": dict(pool.selector)}
    if pool.machine.is_gpu:
        spec["tolerations"] = [{"key": pool.machine.resource, "operator": "Exists", "effect": "NoSchedule"}]
    spec |= {
        "price": pool.price_field,
        "nodes": {"min": pool.nodes_min, "max": pool.nodes_max},
        "provisioningTime": pool.provisioning_time,
        "resources": dict(pool.resources),
    }
    manifest = {
        "apiVersion": API_VERSION,
        "kind": "ComputePool",
        "metadata": {"name": pool.name},
        "spec": spec,
    }
    parse(ComputePool, manifest)
    return (
        f"# {pool.title}: {pool.price_told}.\n"
        "# A template: copy it, put in your own labels, price and number of nodes. Written by `make catalogue`.\n"
        + _yaml(manifest)
    )


def _yaml(manifest: dict[str, Any]) -> str:
    return yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True, width=_WIDTH)


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
