"""Mélange, as AIBrix's GPU optimiser runs it: for each model the cheapest mix of hardware for the requests it sees.

In: the rate of the last four minutes. Out: numbers of replicas of all variants of a deployment. Its rule, every 10 s:
an integer programme per model, replicas by price, every slice of the requests on one hardware, each hardware's load
within its replicas. Models know nothing of each other, nodes are not packed, and what is no longer wanted goes at once,
whether the new is up or not. The target is the share of its profiled throughput within the SLO that a replica is loaded
to.

What is simplified: there, the requests of the window are counted in buckets of prompt and output lengths, by powers of
two, each with a throughput of its own on each hardware, so that short ones may be planned for one kind and long ones
for another. Here all requests are one bucket with the lengths of the whole run, cut into slices as there. Both are in
its favour. No router here looks at lengths: each replica gets the whole mix, whatever was planned for it, and the
throughput for that mix is what it has. And the lengths of a few minutes are few: played with the means of the last four
instead, it pays 3 to 7% more on the Azure hour and 2 to 4% more on half a day of like requests, because a mean
that wanders takes more than it gives, and over the edge of what a kind can serve it moves the whole model and back.

Source: Griggs et al., Mélange (arXiv:2404.14527), section 5; tyler-griggs/melange-release melange/solver.py;
vllm-project/aibrix python/aibrix/aibrix/gpu_optimizer/load_monitor (window 240 s, interval 10 s, log2 of lengths).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from plimsoll.domain import Deployment, VariantKey
from plimsoll.simulator.policies.autoscaler import Observation, PolicyKind, Setup, Wanted
from plimsoll.simulator.policies.one_variant import most_replicas
from plimsoll.simulator.policies.wva_v1 import prices
from plimsoll.simulator.safe_rates import safe_rate_rps, setup_mix

INTERVAL_S = 10.0
SCRAPE_S = 10.0
WINDOW_S = 240.0
SLICES = 50
"""Of each bucket."""
DEFAULT_TARGET = 1.0


@dataclass(frozen=True, slots=True)
class Hardware:
    """One column of the programme."""

    key: VariantKey
    usd_per_hour: float
    rate_rps: float
    most: int


class Melange:
    """All deployments, each model for itself."""

    interval_s = INTERVAL_S
    scrape_interval_s = SCRAPE_S

    def __init__(self, setup: Setup, target: float) -> None:
        usd = prices(setup)
        pools = {pool.name: pool for pool in setup.pools}
        self._hardware = {
            deployment.key: [
                Hardware(variant.key, usd[variant.key], rate_rps, most_replicas(variant, pools[variant.pool]))
                for variant in deployment.variants
                if variant.pool in pools
                if (rate_rps := target * _rate_rps(setup, deployment, variant.key)) > 0.0
            ]
            for deployment in setup.deployments
        }

    def decide(self, observation: Observation) -> Wanted:
        replicas: dict[VariantKey, int] = {}
        for deployment in observation.snapshot.deployments:
            rate_rps = observation.rate_rps(deployment.key, WINDOW_S)
            hardware = self._hardware[deployment.key]
            if rate_rps is None or not hardware:
                continue
            wanted = cheapest_mix(hardware, rate_rps)
            if not any(wanted) and not deployment.demand.sees_zero_replicas:
                wanted = cheapest_mix(hardware, min(one.rate_rps for one in hardware))
            replicas |= {variant.key: 0 for variant in deployment.variants}
            replicas |= {one.key: count for one, count in zip(hardware, wanted, strict=True)}
        return Wanted(replicas)


def cheapest_mix(hardware: Sequence[Hardware], rate_rps: float) -> tuple[int, ...]:
    """Replicas of each that serve the rate for the least money; as many as there may be where that is not enough.

    The slices of a bucket are alike, so a programme over counts of slices is that over the slices themselves; it is
    solved by depth first, best value for money first, without what cannot be cheaper any more.
    """
    if rate_rps <= 0.0:
        return (0,) * len(hardware)
    slice_rps = rate_rps / SLICES
    order = sorted(
        range(len(hardware)), key=lambda i: (hardware[i].usd_per_hour / hardware[i].rate_rps, hardware[i].key)
    )
    if sum(math.floor(one.rate_rps * one.most / slice_rps + 1e-9) for one in hardware) < SLICES:
        return tuple(one.most for one in hardware)
    best_usd, best = math.inf, (0,) * len(hardware)

    def look(place: int, left: int, usd: float, counts: tuple[tuple[int, int], ...]) -> None:
        nonlocal best_usd, best
        if left <= 0:
            if usd < best_usd - 1e-9:
                best_usd, found = usd, dict(counts)
                best = tuple(found.get(i, 0) for i in range(len(hardware)))
            return
        if place == len(order):
            return
        one = hardware[order[place]]
        # No later one is better value, so the rest costs at least this.
        if usd + left * slice_rps * one.usd_per_hour / one.rate_rps >= best_usd - 1e-9:
            return
        enough = min(math.ceil(left * slice_rps / one.rate_rps - 1e-9), one.most)
        for count in range(enough, -1, -1):
            taken = math.floor(count * one.rate_rps / slice_rps + 1e-9)
            look(place + 1, left - taken, usd + count * one.usd_per_hour, (*counts, (order[place], count)))

    look(0, SLICES, 0.0, ())
    return best


def _rate_rps(setup: Setup, deployment: Deployment, key: VariantKey) -> float:
    mix = setup_mix(setup, deployment.key)
    variant = next(one for one in deployment.variants if one.key == key)
    return 0.0 if mix is None else safe_rate_rps(variant.profile, mix, deployment.slo)


def _make(setup: Setup, target: float) -> Melange:
    return Melange(setup, target)


MELANGE = PolicyKind("melange", _make, DEFAULT_TARGET, (0.4, 0.5, 0.6, 0.7, 0.8))
