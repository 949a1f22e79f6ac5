"""What is asked of a deployment? The sources of demand that scenario.yaml may name.

In: nothing. Out: models with defaults, which refuse what makes no sense. What comes of them is drawn by ``demand``.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import Field

from plimsoll.api import Duration
from plimsoll.api.wire import Rule, SpecModel

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Factor = Annotated[float, Field(gt=0.0, le=1e6)]
Rate = Annotated[float, Field(ge=0.0, le=1e6)]


class ArrivalPattern(StrEnum):
    """How intervals between requests are spread around their mean."""

    POISSON = "Poisson"
    GAMMA = "Gamma"
    WEIBULL = "Weibull"


class Lengths(SpecModel):
    """Token lengths of requests: of a trace, request by request, or log-normal by mean and p95."""

    trace: str | None = None
    """File of requests whose pairs of lengths are drawn."""
    prompt_mean: Factor | None = None
    """Tokens of a prompt."""
    prompt_p95: Factor | None = None
    """Up to 3.87 times the mean, the longest tail that a log-normal length has. None: every prompt has the mean."""
    output_mean: Factor | None = None
    """Tokens of an answer."""
    output_p95: Factor | None = None
    """The same for outputs."""

    rules: ClassVar = (
        Rule(
            cel="",
            message="lengths need either a trace, or promptMean and outputMean",
            holds=lambda it: (it.trace is not None) != (it.prompt_mean is not None and it.output_mean is not None),
        ),
        Rule(
            cel="",
            message="a trace has lengths of its own: remove the others, or the trace",
            holds=lambda it: (
                it.trace is None or not any((it.prompt_mean, it.prompt_p95, it.output_mean, it.output_p95))
            ),
        ),
        Rule(
            cel="",
            message="promptP95 is less than promptMean: only 5% of prompts are longer than the p95, write more",
            holds=lambda it: not _is_below(it.prompt_p95, it.prompt_mean),
        ),
        Rule(
            cel="",
            message="outputP95 is less than outputMean: only 5% of outputs are longer than the p95, write more",
            holds=lambda it: not _is_below(it.output_p95, it.output_mean),
        ),
    )

    @property
    def are_said(self) -> bool:
        """Whether there is anything; a shape's file may say it instead."""
        return self.trace is not None or self.prompt_mean is not None


def _is_below(p95: float | None, mean: float | None) -> bool:
    return p95 is not None and mean is not None and p95 < mean


class Arrivals(SpecModel):
    """How bursty requests come around a given rate."""

    pattern: ArrivalPattern = Field(ArrivalPattern.POISSON, strict=False)
    """How intervals between requests are spread around their mean."""
    cv: Annotated[float, Field(gt=0.0, le=20.0)] = 1.0
    """Coefficient of variation of intervals, for Gamma and Weibull."""


class RequestsSource(SpecModel):
    """Every request of a trace: columns TIMESTAMP, ContextTokens, GeneratedTokens."""

    file: str
    """Name of the file."""
    begin: Duration = Duration("0s")
    """Where in the trace the run begins; at its end the trace begins anew."""
    speed: Factor = 1.0
    """How many times faster it is played."""
    share: Share = 1.0
    """Share of its requests that are kept, drawn by chance."""


_NOT_SAID = Lengths.model_construct()


class ShapeSource(SpecModel):
    """A rate every ten minutes: columns t_s and requests_per_min, or t_s and rate_rps."""

    file: str
    """Name of the file."""
    begin: Duration = Duration("0s")
    """Where in the file the run begins; at its end it begins anew."""
    scale: Factor = 1.0
    """By which the rate is multiplied."""
    lengths: Lengths = _NOT_SAID
    """Default: around the file's columns mean_input_tokens and mean_output_tokens."""
    arrivals: Arrivals | None = None
    """Default: Gamma by the file's column rate_weighted_cv, Poisson where it has none."""


class ClientsSource(SpecModel):
    """Clients with a rate, a pattern and a burstiness every ten minutes, and quantiles of their token lengths."""

    file: str
    """Stem of the two files: servegen_m-large for servegen_m-large_clients.csv.gz and .._token_quantiles.csv.gz."""
    clients: tuple[int, ...] = ()
    """Which of them; none: all."""
    begin: Duration = Duration("0s")
    """Where in the files the run begins; at their end they begin anew."""
    scale: Factor = 1.0
    """By which rates are multiplied."""

    @property
    def files(self) -> tuple[str, str]:
        """Names of the two files: rates, token lengths."""
        return f"{self.file}_clients.csv.gz", f"{self.file}_token_quantiles.csv.gz"


class Burst(SpecModel):
    """A time in which more is asked for."""

    begin: Duration
    """Since the run began."""
    lasts: Duration
    """Its ramps included."""
    ramp: Duration = Duration("0s")
    """Until the full factor is reached, and back at its end."""
    factor: Factor
    """By which the rate is multiplied."""


class GeneratedSource(SpecModel):
    """A rate that is made up: a mean, a daily wave, bursts."""

    mean_rps: Rate
    """Requests per second."""
    daily_amplitude: Share = 0.0
    """Of a cosine around the mean: 0.6 goes from 0.4 to 1.6 times the mean."""
    peak_at: Duration = Duration("14h")
    """Time of day of its maximum."""
    bursts: tuple[Burst, ...] = ()
    """Times in which more is asked for."""
    lengths: Lengths
    """Of prompts and answers in tokens."""
    arrivals: Arrivals = Arrivals()
    """How bursty requests come."""


class DemandSource(SpecModel):
    """What one deployment is asked for; the sources of one deployment add up."""

    deployment: Annotated[str, Field(min_length=1)]
    """NAME or NAMESPACE/NAME of an InferenceDeployment."""
    requests: RequestsSource | None = None
    """Every request of a trace."""
    shape: ShapeSource | None = None
    """A rate every ten minutes."""
    clients: ClientsSource | None = None
    """Clients with rates, patterns and lengths of their own."""
    generated: GeneratedSource | None = None
    """A rate that is made up."""

    rules: ClassVar = (
        Rule(
            cel="",
            message="set exactly one of requests, shape, clients, generated",
            holds=lambda it: sum(p is not None for p in (it.requests, it.shape, it.clients, it.generated)) == 1,
        ),
    )

    @property
    def files(self) -> Mapping[str, tuple[str, ...]]:
        """By field the names of the files that it needs."""
        found: dict[str, tuple[str, ...]] = {}
        if self.requests is not None:
            found["requests.file"] = (self.requests.file,)
        if self.shape is not None:
            found["shape.file"] = (self.shape.file,)
        if self.clients is not None:
            found["clients.file"] = self.clients.files
        for name, source in (("shape", self.shape), ("generated", self.generated)):
            if source is not None and source.lengths.trace is not None:
                found[f"{name}.lengths.trace"] = (source.lengths.trace,)
        return found
