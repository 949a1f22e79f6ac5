"""What came of a run? Money, kept promises, and what happened minute by minute.

In: nothing. Out: frozen values, and their JSON: per scenario the bound, what Plimsoll paid over it by station, and per
policy the mean over seeds of every figure, with its spread.

`usd` is what the bill says: every node-second of on-demand and spot nodes from the request for the node until it is
given back, by its price. Nodes that are already paid for are on no bill, whatever runs on them; their amortised price
stands beside it in `paid_usd` and is the same for every policy.

Array names end in their axes: m for the minutes of the run.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from plimsoll.domain import LatencyMetric, ObjectKey, PriceKind, VariantKey
from plimsoll.engine.arrays import Floats

FIGURES = (
    "usd",
    "usd_per_million_tokens",
    "slo_attainment",
    "worst_model_attainment",
    "requests",
    "moves",
    "dropped",
    "paid_usd",
)
"""Names of the figures of a run that are averaged over seeds."""


@dataclass(frozen=True, slots=True)
class Move:
    """One change of the replicas that a variant's target asks for."""

    at_s: float
    """Since the start of the run."""
    key: VariantKey
    from_replicas: int
    to_replicas: int
    reason: str


@dataclass(frozen=True, slots=True)
class PoolSeries:
    """One pool minute by minute."""

    name: str
    price_kind: PriceKind
    price_usd_per_hour: float
    """Of one node; for paid pools the amortised price."""
    nodes_m: Floats
    """Mean number of nodes that are on the bill, booting ones included."""

    @property
    def usd_m(self) -> Floats:
        """Cost of each minute; for paid pools the amortised cost, for show."""
        cost_m: Floats = self.nodes_m * (self.price_usd_per_hour / 60.0)
        return cost_m


@dataclass(frozen=True, slots=True)
class LatencySeries:
    """One latency of one model by the minute in which requests came; NaN where none came, infinite where dropped."""

    metric: LatencyMetric
    limit_ms: float | None
    """The strictest limit of the SLO; None where the SLO says nothing of this latency."""
    quantile: float | None
    """The quantile that the SLO promises."""
    p50_ms_m: Floats
    p95_ms_m: Floats
    p99_ms_m: Floats


@dataclass(frozen=True, slots=True)
class ModelSeries:
    """One deployment minute by minute."""

    key: ObjectKey
    model: str
    demand_rps_m: Floats
    """Requests that came, per second."""
    ready_rps_m: Floats
    """What its ready replicas complete at most, with their true speed."""
    safe_rps_m: Floats
    """The safe line: what they carry within the SLO, with their true speed, by the closed form of sizing: mean mix of
    the run, Poisson arrivals, no headroom."""
    within_slo_m: Floats
    """Share of the requests that came in this minute which kept every SLO; NaN where none came."""
    replicas_m: Mapping[str, Floats]
    """Ready replicas by variant, mean over the minute."""
    latencies: tuple[LatencySeries, ...]


@dataclass(frozen=True, slots=True)
class RunResult:
    """One scenario under one policy with one seed."""

    scenario: str
    policy: str
    """As it was asked for: ``hpa`` or ``hpa=0.6``."""
    seed: int
    hours: float
    usd: float
    paid_usd: float
    """Amortised price of nodes that are paid for already: shown, not part of `usd`."""
    requests: int
    dropped: int
    """Requests that never got an answer: refused, given up by their client, or lost with their replica."""
    slo_attainment: float
    """Share of all requests, dropped ones included, within every SLO of their model, 0 to 1."""
    tokens: float
    """Prompt and output tokens of answered requests."""
    moves: tuple[Move, ...] = ()
    pools: tuple[PoolSeries, ...] = ()
    models: tuple[ModelSeries, ...] = ()
    by_model: Mapping[ObjectKey, float] = field(default_factory=dict)
    """SLO attainment of each deployment."""
    took_s: float = 0.0
    """Real time of the run."""

    @property
    def usd_per_million_tokens(self) -> float:
        """Of answered requests; infinite where nothing was answered."""
        return self.usd / self.tokens * 1e6 if self.tokens > 0 else math.inf

    @property
    def worst_model_attainment(self) -> float:
        """SLO attainment of the deployment that has the lowest, 0 to 1: the share of all hides what small ones miss."""
        return min(self.by_model.values(), default=self.slo_attainment)

    @property
    def minutes(self) -> int:
        return math.ceil(self.hours * 60.0 - 1e-9)

    def figure(self, name: str) -> float:
        """One of `FIGURES`."""
        return float(len(self.moves) if name == "moves" else getattr(self, name))


@dataclass(frozen=True, slots=True)
class ScenarioResult:
    """All runs of one scenario, and the clairvoyant bound of each seed where it has been computed."""

    name: str
    runs: tuple[RunResult, ...]
    bound_usd: Mapping[int, float] = field(default_factory=dict)
    """By seed."""
    excess_usd: Mapping[int, Mapping[str, float]] = field(default_factory=dict)
    """By seed: what Plimsoll paid over that seed's bound, by station in the order in which they add up to its bill."""

    def of_policy(self, policy: str) -> tuple[RunResult, ...]:
        return tuple(run for run in self.runs if run.policy == policy)

    @property
    def policies(self) -> tuple[str, ...]:
        """In the order in which they were asked for."""
        return tuple(dict.fromkeys(run.policy for run in self.runs))

    @property
    def has_several_models(self) -> bool:
        """Whether the share of all requests may hide one model's."""
        return len(_models(self.runs)) > 1

    @property
    def excess_over_bound_usd(self) -> dict[int, Mapping[str, float]]:
        """By seed, the excess of those that have a bound: without one there is nothing to start from."""
        return {seed: self.excess_usd[seed] for seed in sorted(self.excess_usd) if seed in self.bound_usd}

    @property
    def mean_excess_usd(self) -> dict[str, float]:
        """By station, the mean over seeds that have a bound; where a station added nothing it counts as 0."""
        known = self.excess_over_bound_usd.values()
        stations = dict.fromkeys(station for one in known for station in one)
        return {name: fmean(one.get(name, 0.0) for one in known) for name in stations}

    def as_data(self) -> dict[str, Any]:
        """The JSON of one scenario."""
        bound = list(self.bound_usd.values())
        return {
            "bound_usd": _number(fmean(bound)) if bound else None,
            "bound_usd_spread": _number(_spread(bound)) if bound else None,
            "excess_usd": {station: _number(usd) for station, usd in self.mean_excess_usd.items()},
            "hours": self.runs[0].hours if self.runs else 0.0,
            "policies": {policy: _averaged(self.of_policy(policy)) for policy in self.policies},
        }


def report_data(scenarios: Iterable[ScenarioResult]) -> dict[str, Any]:
    """The JSON of many scenarios: ``{"scenarios": {name: {bound_usd, ..., policies: {name: {usd, ..., spread}}}}}``."""
    return {"scenarios": {one.name: one.as_data() for one in scenarios}}


def to_json(scenarios: Iterable[ScenarioResult]) -> str:
    return json.dumps(report_data(scenarios), indent=2, sort_keys=True)


def _averaged(runs: Sequence[RunResult]) -> dict[str, Any]:
    """Each figure's mean over seeds, and under `spread` the largest less the smallest."""
    values = {name: [run.figure(name) for run in runs] for name in FIGURES}
    return {
        **{name: _number(fmean(found)) for name, found in values.items()},
        "spread": {name: _number(_spread(found)) for name, found in values.items()},
        "slo_attainment_by_model": {
            str(key): _number(fmean(run.by_model[key] for run in runs if key in run.by_model)) for key in _models(runs)
        },
        "seeds": [run.seed for run in runs],
    }


def _models(runs: Iterable[RunResult]) -> list[ObjectKey]:
    return sorted({key for run in runs for key in run.by_model})


def _spread(values: Sequence[float]) -> float:
    # The difference of two infinite costs is no number.
    return max(values) - min(values) if all(map(math.isfinite, values)) else math.inf


def _number(value: float) -> float | None:
    """Rounded to what means something; JSON has no infinity."""
    return float(f"{value:.8g}") if math.isfinite(value) else None
