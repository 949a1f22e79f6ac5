"""What does a million tokens cost on each entry, at the highest rate that keeps an SLO?

In: entries and pools. Out: safe rates by the kernel of ``engine``, and prices per replica and per million tokens. Nodes
are taken as full: a half-empty one costs the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from catalogue.pools import PoolTemplate
from catalogue.profiles import Entry
from plimsoll.domain import LatencyMetric, LatencyTarget, PriceKind
from plimsoll.engine.case import Case
from plimsoll.engine.questions import METRICS, Physics
from plimsoll.engine.search import safe_rate_per_ms
from plimsoll.engine.serving import Replica
from plimsoll.engine.surrogate import safe_rates
from plimsoll.engine.workload import Lengths

PROMPTS, OUTPUTS = Lengths(512.0, 1024.0), Lengths(128.0, 384.0)
"""The reference mix: a chat with short answers."""


@dataclass(frozen=True, slots=True)
class Slo:
    """What must be kept, with a name for the page."""

    name: str
    ttft_p95_ms: float
    tpot_p95_ms: float


SLOS = (
    Slo("tight chat", 500.0, 50.0),
    Slo("relaxed chat", 2000.0, 100.0),
    Slo("batch-like", 10000.0, 250.0),
)


@dataclass(frozen=True, slots=True)
class Offer:
    """One entry under one SLO."""

    entry: Entry
    slo: Slo
    safe_rate_rps: float
    """Of one replica with Poisson arrivals; 0 where even a lone request is too slow."""
    list_usd_per_hour: float | None
    """Of one replica, its share of a full node; None: no price found."""
    spot_usd_per_hour: float | None

    def per_million_output(self, usd_per_hour: float | None) -> float | None:
        return self._per_million(usd_per_hour, OUTPUTS.mean)

    def per_million_total(self, usd_per_hour: float | None) -> float | None:
        """Prompt and output tokens counted alike."""
        return self._per_million(usd_per_hour, PROMPTS.mean + OUTPUTS.mean)

    def _per_million(self, usd_per_hour: float | None, tokens: float) -> float | None:
        if usd_per_hour is None or self.safe_rate_rps == 0.0:
            return None
        return usd_per_hour / 3600.0 / (self.safe_rate_rps * tokens) * 1e6


def offers(entries: Sequence[Entry], pools: Sequence[PoolTemplate]) -> tuple[Offer, ...]:
    """Every entry under every SLO."""
    return tuple(
        Offer(
            entry,
            slo,
            safe_rate_rps(entry, slo),
            replica_usd_per_hour(entry, pools, PriceKind.ON_DEMAND),
            replica_usd_per_hour(entry, pools, PriceKind.SPOT),
        )
        for slo in SLOS
        for entry in entries
    )


def replica_usd_per_hour(entry: Entry, pools: Sequence[PoolTemplate], kind: PriceKind) -> float | None:
    """The cheapest share of a full node, by the price list; None where no pool of that kind has a price."""
    build = entry.source.build
    prices = [
        pool.usd_per_hour / pool.replicas(build.devices)
        for pool in pools
        if pool.machine.name == build.machine.name
        and pool.price_kind is kind
        and pool.usd_per_hour is not None
        and pool.replicas(build.devices) > 0
    ]
    return min(prices, default=None)


def safe_rate_rps(entry: Entry, slo: Slo) -> float:
    """The highest rate of one replica at which the kernel sees both p95 within their limits."""
    source = entry.source
    ttft_ms = slo.ttft_p95_ms - source.ttft_overhead_ms
    replica = Replica(source.step_time, source.max_sequences, entry.kv_cache_tokens, source.chunk_tokens)
    limits = (
        LatencyTarget(LatencyMetric.TTFT, 0.95, ttft_ms),
        LatencyTarget(LatencyMetric.TPOT, 0.95, slo.tpot_p95_ms),
    )
    guess_per_ms = _guess_per_ms(replica, limits)
    if guess_per_ms == 0.0:
        return 0.0
    return 1000.0 * safe_rate_per_ms(Case(replica, PROMPTS, OUTPUTS, limits), 1, guess_per_ms)


def _guess_per_ms(replica: Replica, limits: tuple[LatencyTarget, ...]) -> float:
    physics = Physics.of([(replica, PROMPTS, OUTPUTS)] * len(limits))
    answer = safe_rates(
        physics,
        np.array([METRICS.index(one.metric) for one in limits], dtype=np.int64),
        np.array([one.quantile for one in limits]),
        np.array([one.limit_ms for one in limits]),
    )
    return float(answer.rate_v.min())


def cheapest(found: Sequence[Offer]) -> Offer | None:
    """By list price per million output tokens, then name."""
    priced = [(one.per_million_output(one.list_usd_per_hour), one.entry.name, one) for one in found]
    return min(((usd, name, one) for usd, name, one in priced if usd is not None), default=(0.0, "", None))[2]


def break_even_usd_per_hour(cpu: Offer, gpu: Offer) -> float | None:
    """The price of the CPU replica at which both cost the same per token; None where either has none."""
    usd = gpu.per_million_output(gpu.list_usd_per_hour)
    if usd is None or cpu.safe_rate_rps == 0.0:
        return None
    return usd / 1e6 * cpu.safe_rate_rps * OUTPUTS.mean * 3600.0
