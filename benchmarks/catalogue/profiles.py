"""Which profiles are in the catalogue, and what does each stand on?

In: measured laws. Out: `Entry`s: the measured builds themselves, and builds scaled from the nearest measured ones, each
with how. The error of a scaled one is how far scaling misses where both ends were measured.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from catalogue import hardware as hw
from catalogue import models
from catalogue.hardware import Machine
from catalogue.models import Model
from catalogue.scaling import kv_cache_tokens, relative_error, scaled
from catalogue.sources import GPU_MEMORY_SHARE, Measured
from plimsoll.api.serving_profile import ProvenanceKind
from plimsoll.domain import StepTime

CPU_KV_GB = 32.0
"""Guess of what an operator gives to the cache on a CPU node (vLLM: VLLM_CPU_KVCACHE_SPACE; llama.cpp: -c)."""
_LOADING_GB_S = 1.0
"""Weights from a node's disk or a near registry: guess; one GB/s is a good network disk."""
CPU_STEP_FLOOR_MS = 5.0
"""Guess: some hundred operators a step, each ending with all threads waiting for the last."""
_ENGINE_STARTS_S = {"vLLM": 60, "TensorRTLLM": 90, "LlamaCpp": 10, "Custom": 60}
"""Until an engine with its weights in memory is warm: guess."""
_ENGINE_SLUGS = {"vLLM": "vllm", "TensorRTLLM": "trtllm", "LlamaCpp": "llamacpp", "Custom": "custom"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One ServingProfile of the catalogue."""

    source: Measured
    scaled_from: str | None = None
    """In words; None where this very build was measured."""

    @property
    def name(self) -> str:
        build = self.source.build
        devices = f"-x{build.devices}" if build.devices > 1 else ""
        parts = (build.model.slug, build.precision, _ENGINE_SLUGS[self.source.engine], build.machine.name + devices)
        return "-".join(parts).replace("_", "-")

    @property
    def kv_cache_tokens(self) -> int:
        build = self.source.build
        most_gb = math.inf if build.machine.is_gpu else CPU_KV_GB
        return _two_digits(kv_cache_tokens(build, GPU_MEMORY_SHARE, most_gb))

    @property
    def startup_s(self) -> int:
        loading_s = self.source.build.weight_bytes / 1e9 / _LOADING_GB_S
        return math.ceil((_ENGINE_STARTS_S[self.source.engine] + loading_s) / 5.0) * 5


def _two_digits(count: int) -> int:
    unit: int = 10 ** max(len(str(count)) - 2, 0)
    return count // unit * unit


@dataclass(frozen=True, slots=True)
class Scaling:
    """A build that nobody measured: its alpha and kappa like one measured law's, its beta and pi like another's."""

    model: Model
    precision: str
    machine: Machine
    like: str
    arithmetic_like: str | None = None
    """None: the same."""
    engine: str | None = None
    """None: the same."""
    max_sequences: int | None = None
    devices: int = 1
    pairings: int = 0
    """Doublings of devices beyond those of the measured law; each costs the efficiency that one was seen to cost."""


_H100, _TRT_70B = "h100-vllm-8b", "h200-sxm-trtllm-llama-3.3-70b"
_XEON_BF16, _XEON_4_INT8, _XEON_5_INT8 = "xeon-6430-13b", "xeon-8480-gptj", "xeon-5-gptj"
_XEON_6, _ARM = "xeon-6-8b", "neoverse-n2-8b"
_ZEN_4BIT, _ZEN_8BIT = "epyc-9554-q4_k_m", "epyc-9554-q8_0"


def _gpus() -> Iterator[Scaling]:
    for model in (models.LLAMA_1B, models.LLAMA_3B):
        for machine in (hw.H100, hw.L4):
            yield Scaling(model, "bf16", machine, _H100)
    for machine in (hw.H200, hw.A100, hw.L4, hw.MI300X, hw.GAUDI2):
        yield Scaling(models.LLAMA_8B, "bf16", machine, _H100)
    for precision, machine in (("fp8", hw.H100), ("int8", hw.A100), ("fp8", hw.L4), ("int4", hw.L4)):
        yield Scaling(models.LLAMA_8B, precision, machine, _H100)
    yield Scaling(models.LLAMA_70B, "int4", hw.H100, _H100)
    for devices, pairings in ((4, 2), (8, 3)):
        yield Scaling(models.LLAMA_70B, "fp8", hw.H100, _TRT_70B, devices=devices, pairings=pairings)


def _intel_and_slices() -> Iterator[Scaling]:
    small, large = (models.LLAMA_1B, models.LLAMA_3B), (models.LLAMA_1B, models.LLAMA_3B, models.LLAMA_8B)
    for model in large:
        yield Scaling(model, "bf16", hw.XEON_4, _XEON_BF16, engine="vLLM")
        yield Scaling(model, "int8", hw.XEON_4, _XEON_BF16, _XEON_4_INT8, "vLLM")
        yield Scaling(model, "int8", hw.XEON_4_VNNI, _XEON_BF16, "desktop-q8_0", "vLLM")
        yield Scaling(model, "int8", hw.XEON_6_CLOUD, _XEON_6, engine="vLLM")
    yield Scaling(models.LLAMA_8B, "bf16", hw.XEON_5, _XEON_BF16, engine="vLLM")
    yield Scaling(models.LLAMA_8B, "int8", hw.XEON_5, _XEON_BF16, _XEON_5_INT8, "vLLM")
    for model in small:
        yield Scaling(model, "int8", hw.XEON_6, _XEON_6, engine="vLLM")
        for part in (hw.XEON_4_SLICE, hw.XEON_4_HALF_SLICE):
            yield Scaling(model, "int8", part, _XEON_BF16, _XEON_4_INT8, "vLLM", max_sequences=8)
        yield Scaling(model, "q4_k_m", hw.GRAVITON_3_SLICE, _ARM, max_sequences=8)


def _others() -> Iterator[Scaling]:
    for machine in (hw.EPYC_4, hw.EPYC_5):
        for model in (models.LLAMA_1B, models.LLAMA_3B, models.LLAMA_8B):
            yield Scaling(model, "q4_k_m", machine, _ZEN_4BIT)
        yield Scaling(models.LLAMA_8B, "q8_0", machine, _ZEN_8BIT)
    for machine in (hw.GRAVITON_3, hw.GRAVITON_4):
        for model in (models.LLAMA_1B, models.LLAMA_3B, models.LLAMA_8B):
            yield Scaling(model, "q4_k_m", machine, _ARM)
        yield Scaling(models.LLAMA_8B, "q8_0", machine, _ARM)
    yield Scaling(models.LLAMA_70B, "q4_k_m", hw.GRAVITON_4, _ARM)
    for model in (models.LLAMA_1B, models.LLAMA_3B):
        yield Scaling(model, "q4_0", hw.DESKTOP, "desktop-q4_0")


def entries(measured: Mapping[str, Measured], pair_efficiency: float) -> tuple[Entry, ...]:
    """The whole catalogue, by name.

    Args:
        measured: laws by key.
        pair_efficiency: what two GPUs reach of twice one.
    """
    errors = {True: scaling_error(measured, gpu=True), False: scaling_error(measured, gpu=False)}
    floors_ms = {True: gpu_step_floor_ms(measured), False: CPU_STEP_FLOOR_MS}
    own = [Entry(one) for one in measured.values()]
    others = [
        _scaled_entry(asked, measured, pair_efficiency, errors[asked.machine.is_gpu], floors_ms[asked.machine.is_gpu])
        for asked in (*_gpus(), *_intel_and_slices(), *_others())
    ]
    return tuple(sorted((*own, *others), key=lambda entry: entry.name))


def gpu_step_floor_ms(measured: Mapping[str, Measured]) -> float:
    """No GPU was seen to take a shorter step."""
    return min(one.step_time.alpha_ms for one in measured.values() if one.build.machine.is_gpu)


def _scaled_entry(
    asked: Scaling, measured: Mapping[str, Measured], pair_efficiency: float, error: float, floor_ms: float
) -> Entry:
    base = measured[asked.like]
    other = measured[asked.arithmetic_like or asked.like]
    build = replace(
        base.build, model=asked.model, precision=asked.precision, machine=asked.machine, devices=asked.devices
    )
    if asked.machine.is_gpu is False:
        build = replace(build, kv_bytes_per_element=models.KV_BYTES_16_BIT)
    efficiency = pair_efficiency**asked.pairings
    memory, arithmetic = (scaled(one.step_time, one.build, build, efficiency, floor_ms) for one in (base, other))
    law = StepTime(
        memory.alpha_ms,
        arithmetic.beta_ms_per_sequence,
        arithmetic.pi_ms_per_prefill_token,
        memory.kappa_ms_per_kv_token,
    )
    how = _how(asked, base, other, pair_efficiency)
    return Entry(
        replace(
            base,
            build=build,
            engine=asked.engine or base.engine,
            step_time=law,
            kind=ProvenanceKind.ESTIMATED,
            reference=f"Not measured. {how} The error is the mean of this scaling wherever both ends were measured.",
            error_ratio=error,
            max_sequences=asked.max_sequences or base.max_sequences,
        ),
        how,
    )


def _how(asked: Scaling, base: Measured, other: Measured, pair_efficiency: float) -> str:
    parts = [f"Scaled from {Entry(base).name}: alpha by weight bytes over bandwidth, kappa by cache bytes over it"]
    if other is base:
        parts[0] += ", beta and pi by operations over peak arithmetic."
    else:
        parts[0] += f"; beta and pi from {Entry(other).name} by operations over peak arithmetic."
    if asked.pairings:
        parts.append(
            f"Each doubling of GPUs reaches {pair_efficiency:.0%} of twice as much, as two H100 against one H200 do."
        )
    return " ".join(parts)


# --- How far is scaling off where both ends were measured? -----------------------------------------------------------

_GPU_CHECKS = (
    ("h100-sxm-vllm-70b", "a100-sxm-80gb-vllm-70b"),
    ("h100-sxm-trtllm-llama-3.1-8b", "h200-sxm-trtllm-llama-3.1-8b"),
    ("h200-sxm-trtllm-llama-3.1-8b", "h200-sxm-trtllm-llama-3.3-70b"),
    (_H100, "h100-pcie-vllm-8b"),
    (_H100, "mi300x-70b"),
)
_CPU_CHECKS = (
    ("desktop-q4_0", "desktop-q8_0"),
    (_ZEN_4BIT, _ZEN_8BIT),
    ("desktop-q4_0", _ARM),
    (_XEON_4_INT8, _XEON_5_INT8),
    (_XEON_5_INT8, _XEON_6),
)


@dataclass(frozen=True, slots=True)
class Check:
    """One measured law scaled to another measured build."""

    source: str
    target: str
    alpha_error: float
    pi_error: float


def checks(measured: Mapping[str, Measured], gpu: bool) -> Sequence[Check]:
    """Each pair, predicted against measured."""
    return [_check(measured[source], measured[target]) for source, target in (_GPU_CHECKS if gpu else _CPU_CHECKS)]


def _check(source: Measured, target: Measured) -> Check:
    law = scaled(source.step_time, source.build, target.build)
    return Check(
        Entry(source).name,
        Entry(target).name,
        relative_error(law.alpha_ms, target.step_time.alpha_ms),
        relative_error(law.pi_ms_per_prefill_token, target.step_time.pi_ms_per_prefill_token),
    )


def scaling_error(measured: Mapping[str, Measured], gpu: bool) -> float:
    """Mean over the pairs of that kind."""
    return mean_error(checks(measured, gpu))


def mean_error(found: Sequence[Check]) -> float:
    """Over both terms that matter."""
    return sum(check.alpha_error + check.pi_error for check in found) / (2.0 * len(found))
