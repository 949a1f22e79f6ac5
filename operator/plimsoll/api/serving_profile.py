"""ServingProfile: what one replica of a model build does on one engine and hardware. Design sections 2 and 3.

In: measurements that somebody took. Out: a model for the specification, and the `Profile` of the domain. There is no
status: nothing about a profile changes unless somebody measures again.
"""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from plimsoll.api.engines import Engine
from plimsoll.api.values import CalendarDate, Duration
from plimsoll.api.wire import AGE, Definition, Kind, PrinterColumn, Rule, SpecModel
from plimsoll.domain import Profile, StepTime, ValidityRange

Coefficient = Annotated[float, Field(ge=0.0, le=1_000_000.0)]
Tokens = Annotated[int, Field(ge=1, le=10_000_000_000)]


class Coefficients(SpecModel):
    """The step-time law: one engine step with n running sequences, p prefill tokens and C tokens in the KV cache takes
    alpha + beta n + pi p + kappa C milliseconds."""

    alpha: Annotated[float, Field(gt=0.0, le=1_000_000.0)]
    """Milliseconds of a step whatever it holds."""
    beta: Coefficient
    """Milliseconds per running sequence."""
    pi: Coefficient
    """Milliseconds per prefill token."""
    kappa: Coefficient
    """Milliseconds per token resident in the KV cache."""


class Validity(SpecModel):
    """The lengths that were measured; outside of them predictions are guesses."""

    max_prompt_tokens: Tokens | None = None
    """Longest mean prompt, in tokens."""
    max_output_tokens: Tokens | None = None
    """Longest mean output, in tokens."""


class ProvenanceKind(StrEnum):
    """How sure the figures are."""

    MEASURED = "Measured"
    FITTED = "Fitted"
    ESTIMATED = "Estimated"


class Provenance(SpecModel):
    """Where the figures come from."""

    kind: ProvenanceKind = Field(strict=False)
    """Measured: on this very build, engine and hardware. Fitted: from published measurements of it. Estimated: scaled
    from something else."""
    reference: Annotated[str, Field(min_length=1, max_length=512)] | None = None
    """The benchmark run, publication or data set."""
    date: CalendarDate | None = None
    """The day of the measurement, such as 2026-08-01."""
    error_percent: Annotated[float, Field(ge=0.0, le=1000.0)] | None = None
    """Mean absolute error of the step-time law against the measurements, in percent."""

    rules: ClassVar = (
        Rule(
            cel="self.kind == 'Estimated' || has(self.reference)",
            message="a Measured or Fitted profile needs a reference: say where the figures come from, or use Estimated",
            holds=lambda it: it.kind is ProvenanceKind.ESTIMATED or it.reference is not None,
        ),
    )


class ServingProfileSpec(SpecModel):
    """One model build on one engine on one hardware."""

    model: Annotated[str, Field(min_length=1, max_length=253)]
    """The model, spelled as in the InferenceDeployments that use this profile."""
    engine: Engine = Field(strict=False)
    """The engine that was measured."""
    hardware: Annotated[str, Field(min_length=1, max_length=63)]
    """The hardware of one replica, spelled as in the ComputePool."""
    precision: Annotated[str, Field(min_length=1, max_length=32)]
    """Number format of the weights, such as bf16, fp8, int8 or q4_k_m."""
    coefficients: Coefficients
    """How long a step of the engine takes."""
    max_sequences: Annotated[int, Field(ge=1, le=100_000)]
    """Most sequences that run at once (vLLM: --max-num-seqs)."""
    kv_cache_tokens: Tokens
    """Tokens that fit into the KV cache of one replica."""
    prefill_chunk_tokens: Annotated[int, Field(ge=1, le=10_000_000)] = 2048
    """Most prompt tokens that one step takes in (vLLM: --max-num-batched-tokens)."""
    ttft_overhead: Duration | None = None
    """What a first token takes outside the engine's steps (HTTP, tokenising), such as 8ms; none where absent."""
    startup_time: Duration
    """From a pod's start on a ready node until it is ready: image, weights, warm-up. Such as 90s."""
    validity: Validity = Validity()
    """The lengths that were measured."""
    provenance: Provenance
    """Where the figures come from."""

    rules: ClassVar = (
        Rule(
            cel="self.engine != 'Gateway'",
            message="a gateway serves no tokens: name the engine that was measured",
            holds=lambda spec: spec.engine is not Engine.GATEWAY,
        ),
    )


class ServingProfile(Kind):
    """What one replica of a model build can do on one engine and one hardware, and how far that can be trusted."""

    definition: ClassVar = Definition(
        plural="servingprofiles",
        singular="servingprofile",
        short_name="sprof",
        scope="Cluster",
        columns=(
            PrinterColumn("Model", "string", ".spec.model", "The model."),
            PrinterColumn("Engine", "string", ".spec.engine", "The engine measured."),
            PrinterColumn("Hardware", "string", ".spec.hardware", "The hardware of one replica."),
            PrinterColumn("Precision", "string", ".spec.precision", "Number format of the weights."),
            PrinterColumn("Provenance", "string", ".spec.provenance.kind", "Measured, Fitted or Estimated."),
            PrinterColumn("Error %", "number", ".spec.provenance.errorPercent", "Error of the step-time law."),
            AGE,
            PrinterColumn("Startup", "string", ".spec.startupTime", "From pod start to ready.", priority=1),
            PrinterColumn("Reference", "string", ".spec.provenance.reference", "Where it is from.", priority=1),
        ),
    )

    kind: Literal["ServingProfile"] = "ServingProfile"
    spec: ServingProfileSpec
    """One model build on one engine on one hardware."""

    def to_domain(self) -> Profile:
        spec = self.spec
        law = spec.coefficients
        return Profile(
            name=self.name,
            model=spec.model,
            engine=spec.engine.value,
            hardware=spec.hardware,
            precision=spec.precision,
            step_time=StepTime(law.alpha, law.beta, law.pi, law.kappa),
            max_sequences=spec.max_sequences,
            kv_cache_tokens=spec.kv_cache_tokens,
            chunk_tokens=spec.prefill_chunk_tokens,
            ttft_overhead_ms=spec.ttft_overhead.milliseconds if spec.ttft_overhead is not None else 0.0,
            startup_s=spec.startup_time.seconds,
            provenance=spec.provenance.kind.value,
            validity=ValidityRange(spec.validity.max_prompt_tokens, spec.validity.max_output_tokens),
        )
