"""What is played? Arrival rates over time, a stock-out, and the pools' node autoscaler, for `examples/demo/`.

In: the length of the play. Out: the engines' configuration and the pools that the stand-in autoscaler keeps. Times are
shares of the whole, so that a shorter play is the same play, faster.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from plimsoll_testkit.cluster_autoscaler import AutoscaledPool

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "demo"
NAMESPACE = "demo"
SEED = 7
STOCKED_OUT_POOL = "gpu-l4"
PAID_POOL = "cpu-amx"
GPU_VARIANT = "h100"
"""The variant of every model on the pool of the comparison, "everything on the GPU pool"."""
GPU_POOL = "gpu-h100"
MODELS = ("chat", "assist", "tags")

_STOCK_OUT_FROM, _STOCK_OUT_UNTIL = 0.37, 0.54
"""From after the nodes of the first message are there until the end of the busy time."""

RatePoints = Sequence[tuple[float, float]]
"""Share of the play and requests per second, joined by straight lines."""


@dataclass(frozen=True)
class Play:
    """How one model is asked."""

    rates: RatePoints
    prompt_scale: float
    """Lengths as a share of the trace's."""


def _working_day(quiet_rps: float, busy_rps: float) -> RatePoints:
    """A morning that fills up until noon, an even afternoon, and an evening in which all can go where it is cheap.

    While an L4 starts (16 s) the morning brings chat about half of what one carries: it has nothing quicker to
    bridge with, and a rise of noisy rates is only seen after a while.
    """
    return ((0.0, quiet_rps), (0.04, quiet_rps), (0.42, busy_rps), (0.54, busy_rps), (0.56, quiet_rps))


PLAYS: Mapping[str, Play] = {
    "chat": Play(_working_day(2.0, 11.0), prompt_scale=0.5),
    # The assistant lives in an app that sends a message to everybody, twice: within seconds many times as many come,
    # while an L4 takes 24 s to serve it. Quick replicas on CPU nodes are there 20 s earlier and bridge that, even where
    # a busy machine sees demand late (no bridge is built that would carry for less than 10 s). Until the first message
    # the paid nodes, which carry 9 req/s of it, are enough. One L4 carries all that the first brings (20 req/s and
    # more), and is there long enough before the second for the CPUs to leave; then the provider has no L4 left.
    "assist": Play(
        (
            (0.0, 2.0), (0.08, 2.0), (0.22, 5.5),
            (0.25, 5.5), (0.26, 18.0),
            (0.407, 18.0), (0.417, 44.0),
            (0.54, 44.0), (0.56, 2.0),
        ),
        prompt_scale=0.25,
    ),
    "tags": Play(_working_day(4.0, 8.0), prompt_scale=0.25),
}  # fmt: skip


def documents(name: str) -> list[dict[str, Any]]:
    """The manifests of one file of the example."""
    return [one for one in yaml.safe_load_all((EXAMPLES / f"{name}.yaml").read_text()) if one]


def scales() -> str:
    """How the trace's lengths are scaled, in words."""
    return "lengths " + ", ".join(f"x {play.prompt_scale:g} for {name}" for name, play in PLAYS.items())


def stock_out_s(seconds: float) -> tuple[float, float]:
    """When the L4 pool delivers nothing."""
    return _STOCK_OUT_FROM * seconds, _STOCK_OUT_UNTIL * seconds


def engines_configuration(seconds: float) -> dict[str, Any]:
    """For the engines process: what the manifests say of models and profiles, and the play."""
    profiles = {one["metadata"]["name"]: one["spec"] for one in documents("profiles")}
    return {"seed": SEED, "models": [_model(one, profiles, seconds) for one in documents("models")]}


def _model(manifest: Mapping[str, Any], profiles: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    name, spec = manifest["metadata"]["name"], manifest["spec"]
    play = PLAYS[name]
    return {
        "namespace": NAMESPACE,
        "deployment": name,
        "model_name": spec["model"],
        "slo": {"ttft_ms": in_ms(spec["slo"]["ttft"]["p95"]), "tpot_ms": in_ms(spec["slo"]["tpot"]["p95"])},
        "traffic": {
            "rate_points": [[share * seconds, rate] for share, rate in play.rates],
            # Of the Azure conversation hour (1.09); where that trace is there, its own intervals are replayed.
            "interval_cv": 1.1,
            "prompt_scale": play.prompt_scale,
            "max_tokens": 3000,
        },
        "variants": [
            {
                "name": variant["name"],
                "selector": {"app": variant["targetRef"]["name"]},
                "hardware": _hardware(profiles[variant["profile"]]),
            }
            for variant in spec["variants"]
        ],
    }


def _hardware(profile: Mapping[str, Any]) -> dict[str, Any]:
    law = profile["coefficients"]
    return {
        **{f"{letter}_ms": law[letter] for letter in ("alpha", "beta", "pi", "kappa")},
        "max_sequences": profile["maxSequences"],
        "kv_cache_tokens": profile["kvCacheTokens"],
    }


def in_ms(duration: str) -> float:
    """A duration such as ``800ms``, ``1.5s`` or ``2m`` as the API writes it."""
    for unit, ms in (("ms", 1.0), ("s", 1000.0), ("m", 60_000.0)):
        if duration.endswith(unit):
            return float(duration.removesuffix(unit)) * ms
    raise ValueError(f"{duration} has no unit: ms, s or m")


def autoscaled_pools() -> list[AutoscaledPool]:
    """Every pool of the example, as the stand-in for a provider's autoscaler keeps it."""
    return [
        AutoscaledPool(
            name=pool["metadata"]["name"],
            node_labels=pool["spec"]["nodeSelector"],
            allocatable=pool["spec"]["resources"],
            boot_s=in_ms(pool["spec"]["provisioningTime"]) / 1000.0,
            min_nodes=pool["spec"]["nodes"]["min"],
            max_nodes=pool["spec"]["nodes"]["max"],
            empty_removal_s=8.0,
        )
        for pool in documents("pools")
    ]


def prices_usd_per_hour() -> dict[str, float]:
    """Price of one node by pool; of paid ones the amortised price."""
    prices = {}
    for pool in documents("pools"):
        price = pool["spec"]["price"]
        told = price.get("onDemandPerHour") or price.get("spotPerHour") or price["paid"]["amortisedPerHour"]
        prices[pool["metadata"]["name"]] = float(told)
    return prices
