"""What did Prometheus answer this time, and where did it not?

In: nothing. Out: the frozen values that `prometheus` fills and `demand` judges. A reading never says zero for something
that was not there: a signal that is absent is absent from the mapping.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from plimsoll.api import Engine
from plimsoll.domain import LatencyMetric, ObjectKey
from plimsoll.observe.queries import Signal


@dataclass(frozen=True, slots=True)
class Samples:
    """All signals of one pod and model, or for a gateway of one model."""

    namespace: str
    pod: str
    """Empty for a gateway."""
    model: str | None
    """None where the engine does not name it."""
    values: Mapping[Signal, float]
    latencies_ms: Mapping[tuple[LatencyMetric, float], float] = field(default_factory=dict)
    bounds_ms: Mapping[LatencyMetric, tuple[float, ...]] = field(default_factory=dict)
    """Finite bounds of the buckets that latencies were read from, rising; absent where they are not known."""


@dataclass(frozen=True, slots=True)
class EngineReading:
    """All samples of one engine, or why there are none."""

    samples: tuple[Samples, ...] = ()
    failure: str | None = None
    """Why demand could not be read; the samples are empty then."""
    latency_failure: str | None = None
    """Why latencies could not be read although demand could."""


@dataclass(frozen=True, slots=True)
class CustomReading:
    """The answers to the queries of one InferenceDeployment by field name, or why there are none."""

    values: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Every sample that a query gave; one is expected, none means absent."""
    failure: str | None = None
    refused: str | None = None
    """Prometheus does not accept a query as written."""


@dataclass(frozen=True, slots=True)
class PriceReading:
    """What OpenCost says of nodes, in US dollars per hour, or why it says nothing."""

    usd_per_hour: Mapping[str, float] = field(default_factory=dict)
    """By name of the node; as exported, whatever it is."""
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class MetricsReading:
    """One look at Prometheus; an engine or object that was not asked for is not in the mappings."""

    window_s: float
    by_engine: Mapping[Engine, EngineReading] = field(default_factory=dict)
    custom: Mapping[ObjectKey, CustomReading] = field(default_factory=dict)
    prices: PriceReading | None = None
    """None where no pool asks for it."""


def on_the_wire(field_name: str) -> str:
    """A field of `spec.demand.queries` as users write it: `arrival_rate` is `arrivalRate`."""
    first, *rest = field_name.split("_")
    return first + "".join(part.capitalize() for part in rest)
