"""What would a machine do that nobody measured? Scale the nearest measured law by what bounds each of its terms.

In: a measured law with its model and machine, and the model and machine that are asked about. Out: a law. Pure.

    alpha  a step reads all weights:            weight bytes / bandwidth
    pi     a prompt token costs arithmetic:     2 parameters / peak operations
    beta   an output token costs arithmetic:    as pi
    kappa  a cached token is read:              KV bytes per token / bandwidth

Each term keeps the efficiency that the measured machine reached, but no step is faster than a floor: launching kernels
and synchronising threads takes its time however small the model. Where kappa was not measured (0), beta holds what the
cache cost at the lengths measured, so it becomes no more than the least: reading it at full bandwidth.
"""

from dataclasses import dataclass

from catalogue.hardware import Machine
from catalogue.models import KV_BYTES_16_BIT, Model
from plimsoll.domain import StepTime

_MS_PER_S = 1000.0
_GB = 1e9


@dataclass(frozen=True, slots=True)
class Build:
    """A model in a number format on so many devices of a machine."""

    model: Model
    precision: str
    machine: Machine
    devices: int = 1
    kv_bytes_per_element: int = KV_BYTES_16_BIT

    @property
    def weight_bytes(self) -> float:
        return self.model.weight_bytes(self.precision)

    @property
    def kv_bytes_per_token(self) -> float:
        return self.model.kv_bytes_per_token(self.kv_bytes_per_element)

    @property
    def bytes_per_ms(self) -> float:
        return self.devices * self.machine.bandwidth_gb_s * _GB / _MS_PER_S

    @property
    def operations_per_ms(self) -> float:
        return self.devices * self.machine.peak(self.precision) * 1e12 / _MS_PER_S

    @property
    def streaming_ms(self) -> float:
        """The least that a step takes: all weights once, at full bandwidth."""
        return self.weight_bytes / self.bytes_per_ms

    @property
    def prompt_token_ms(self) -> float:
        """The least that a prompt token takes, at peak."""
        return 2.0 * self.model.parameters / self.operations_per_ms

    @property
    def cached_token_ms(self) -> float:
        """The least that reading a cached token takes."""
        return self.kv_bytes_per_token / self.bytes_per_ms


def scaled(
    law: StepTime, measured: Build, asked: Build, devices_efficiency: float = 1.0, floor_ms: float = 0.0
) -> StepTime:
    """The law of another build, each term at the efficiency that the measured one reached.

    Args:
        law: of the measured build.
        measured: what was measured.
        asked: what is asked about.
        devices_efficiency: share of their sum that the asked devices reach together, over the same of the measured
            ones.
        floor_ms: the least that alpha may be.
    """
    streaming_efficiency = measured.streaming_ms / law.alpha_ms
    arithmetic = asked.prompt_token_ms / measured.prompt_token_ms / devices_efficiency
    kappa = (
        law.kappa_ms_per_kv_token * asked.cached_token_ms / measured.cached_token_ms
        if law.kappa_ms_per_kv_token > 0.0
        else asked.cached_token_ms
    )
    return StepTime(
        alpha_ms=max(asked.streaming_ms / streaming_efficiency / devices_efficiency, floor_ms),
        beta_ms_per_sequence=law.beta_ms_per_sequence * arithmetic,
        pi_ms_per_prefill_token=law.pi_ms_per_prefill_token * arithmetic,
        kappa_ms_per_kv_token=kappa / devices_efficiency,
    )


def is_possible(law: StepTime, build: Build) -> bool:
    """Whether a step leaves the time to read all weights once."""
    return law.alpha_ms >= build.streaming_ms


def doubling_efficiency(pair_rate: float, single_rate: float) -> float:
    """What two devices reach of twice one, from rates of the same work with the same arithmetic."""
    return pair_rate / (2.0 * single_rate)


def kv_cache_tokens(build: Build, memory_share: float, most_gb: float = float("inf")) -> int:
    """Tokens that fit beside the weights.

    Args:
        build: what runs.
        memory_share: of the memory that the engine may use, weights included; the rest is for activations.
        most_gb: that whoever runs it gives to the cache at most.
    """
    free_gb = build.devices * build.machine.memory_gb * memory_share - build.weight_bytes / _GB
    if free_gb <= 0.0:
        raise ValueError(
            f"{build.model.slug} in {build.precision} does not fit on {build.devices} x {build.machine.name}"
        )
    return int(min(free_gb, most_gb) * _GB / build.kv_bytes_per_token)


def relative_error(predicted: float, measured: float) -> float:
    """Size of the deviation, relative to what was measured."""
    return abs(predicted / measured - 1.0)
