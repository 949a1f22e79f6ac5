"""Did it work, and what did it cost? The summary of a play, and why it failed if it did.

In: what users saw, what nodes cost, which steps were written. Out: the figures of the JSON file, sentences, and the
reasons for a non-zero exit code.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from plimsoll_testkit.demo.recording import StepCounts
from plimsoll_testkit.demo.scenario import GPU_POOL, PAID_POOL, STOCKED_OUT_POOL

ATTAINMENT_FLOOR = 0.95
"""Share of all requests within every SLO, below which the demo counts as failed: the SLOs are 95th percentiles."""

TOLD_IN_FULL = 3


@dataclass(frozen=True)
class Summary:
    """The figures of one play."""

    slo_attainment: float
    usd_per_million_tokens: float
    gpu_only_usd_per_million_tokens: float
    moves: int
    scale_ups: int
    scale_downs: int
    api_writes: int
    ticks: int
    seconds_to_control_plane: float
    control_plane: str
    requests: int
    retried: int
    usd: float
    gpu_only_usd: float
    gpu_only_mean_nodes: float
    attainment_by_model: Mapping[str, float]
    latencies: Mapping[str, Any]
    moves_to_gpu: int
    moves_to_cpu: int
    seeds: tuple[int, ...]
    mix: str
    stock_out_s: tuple[float, float]
    """When the L4 pool delivered nothing."""
    stock_out_noticed_s: float | None
    bridges: tuple[str, ...]
    """Quick replicas that were started to carry demand until slow ones are ready, in the operator's words."""
    rejected: tuple[str, ...]
    """Cheaper places that were not moved to, in the operator's words."""

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def attainment(model: Mapping[str, Any]) -> float:
    """Share of one model's requests within its SLO; those still queued beyond the limit count as missed."""
    judged = model["ended"] + model["late_in_flight"]
    return model["within_slo"] / judged if judged else 0.0


def costs_usd(
    node_seconds: Mapping[str, float], prices: Mapping[str, float], gpu_only_node_seconds: float
) -> tuple[float, float]:
    """What the nodes cost, and what they would have cost with everything on the GPU pool.

    The paid nodes are paid either way, used or not, and count in both at their amortised price.
    """
    paid = node_seconds[PAID_POOL] * prices[PAID_POOL] / 3600.0
    others = sum(seconds * prices[pool] / 3600.0 for pool, seconds in node_seconds.items() if pool != PAID_POOL)
    return paid + others, paid + gpu_only_node_seconds * prices[GPU_POOL] / 3600.0


def failures(summary: Summary, steps: StepCounts) -> list[str]:
    """Why the demo did not show what it should; empty when it did."""
    found = []
    if steps.scale_ups == 0:
        found.append("the operator never scaled up")
    if steps.scale_downs == 0:
        found.append("the operator never scaled down")
    if steps.moves_to_gpu == 0:
        found.append("no work moved from CPU to GPU")
    if steps.moves_to_cpu == 0:
        found.append("no work moved from GPU to CPU")
    if not summary.bridges:
        found.append("no quick replica bridged the start of a slow one")
    if not summary.rejected:
        found.append("no move was rejected because it would not pay back")
    for name, share in summary.attainment_by_model.items():
        if share < ATTAINMENT_FLOOR:
            found.append(f"{name} was within its SLO for {share:.1%} of its requests, below {ATTAINMENT_FLOOR:.0%}")
    return found


def sentences(summary: Summary) -> list[str]:
    """The summary for people."""
    saved = 1.0 - summary.usd / summary.gpu_only_usd
    (from_s, until_s), noticed_s = summary.stock_out_s, summary.stock_out_noticed_s
    noticed = (
        "the operator never waited for it long enough to mark it"
        if noticed_s is None
        else f"the operator marked it at {noticed_s:.0f} s"
    )
    lines = [
        f"{summary.requests} requests ({summary.mix}, seed {summary.seeds[0]})",
        f"{summary.slo_attainment:.1%} within every SLO",
        f"cost: ${summary.usd:.3f}, ${summary.usd_per_million_tokens:.3f} per million tokens",
        f"everything on {GPU_POOL}: ${summary.gpu_only_usd:.3f}, "
        f"${summary.gpu_only_usd_per_million_tokens:.3f} per million tokens ({saved:.0%} saved)",
        f"  ({_gpu_only_nodes(summary)}; same forecasts, same safe rates, replicas there at once and without boot; "
        "the paid CPU nodes count at their amortised price in both)",
        f"steps: {summary.scale_ups} up, {summary.scale_downs} down, {summary.moves_to_gpu} moves to GPU, "
        f"{summary.moves_to_cpu} to CPU, {summary.retried} requests begun again elsewhere; "
        f"{summary.api_writes} API writes in {summary.ticks} ticks",
        f"{STOCKED_OUT_POOL} was out of stock from {from_s:.0f} to {until_s:.0f} s: {noticed}",
    ]
    lines += _told_first("bridges", summary.bridges) + _told_first("moves rejected", summary.rejected)
    lines.append(
        "95th percentiles, predicted / seen at the same moment, medians of the play (seen by users in all of it):"
    )
    for name, variants in summary.latencies.items():
        for variant, told in variants.items():
            figures = [
                f"{metric.upper()} {predicted} / {told['observed'][metric]} ({told['by_users'][metric]})"
                for metric, predicted in told["predicted"].items()
            ]
            lines.append(f"  {name} on {variant}: {', '.join(figures)}")
    return lines


def _told_first(what: str, told: tuple[str, ...]) -> list[str]:
    """How many there were, and the first few of them in full."""
    return [f"{what}: {len(told)}", *(f"  {one}" for one in told[:TOLD_IN_FULL])]


def _gpu_only_nodes(summary: Summary) -> str:
    """How many nodes the comparison keeps, and whether demand or the number of models decides it."""
    told = f"{summary.gpu_only_mean_nodes:.1f} nodes on average, at least one a model since a GPU is not shared"
    # A look before the operator's first tick counts one a model too, so the floor is met to the digit.
    if summary.gpu_only_mean_nodes <= len(summary.attainment_by_model) + 0.005:
        return f"{told}, and no model needed a second: the saving is that of not keeping a GPU for each"
    return told
