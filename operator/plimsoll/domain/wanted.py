"""What does the user want? Promises, modes and policies.

In: nothing. Out: frozen types.
"""

from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """Auto scales, Recommend only says what it would do, Paused writes nothing but status."""

    AUTO = "Auto"
    RECOMMEND = "Recommend"
    PAUSED = "Paused"


class LatencyMetric(StrEnum):
    """Time to first token, time per output token after the first, and end to end time of a request."""

    TTFT = "ttft"
    TPOT = "tpot"
    E2E = "e2e"


@dataclass(frozen=True, slots=True)
class LatencyTarget:
    """One promise: the given quantile (0 to 1, exclusive) of one latency stays at or below the limit."""

    metric: LatencyMetric
    quantile: float
    limit_ms: float

    def __str__(self) -> str:
        return f"{self.metric.value} p{self.quantile * 100:g} <= {self.limit_ms:g}ms"


class FallbackAction(StrEnum):
    """What to do once demand has been unknown for longer than the policy's hold time."""

    HOLD = "Hold"
    PEAK = "Peak"


@dataclass(frozen=True, slots=True)
class Policy:
    """How careful to be: the scaling policy of a deployment, with every default filled in."""

    name: str = "balanced"
    forecast_quantile: float = 0.9
    headroom_ratio: float = 0.25
    """Share of a replica's predicted safe rate that is left unused, 0 to below 1."""
    confirmed_headroom_ratio: float = 0.1
    """The same once requests under load have confirmed the profile, at most `headroom_ratio`. A guess: what is left to
    cover then is 3% that the correction lacks, which carry up to 7% less, and a mix that is up to 5% off."""
    scale_up_stabilization_s: float = 0.0
    scale_down_stabilization_s: float = 300.0
    max_scale_up_replicas_per_tick: int = 100
    max_scale_down_replicas_per_tick: int = 10
    expected_dwell_s: float = 1800.0
    """For how long a new plan is expected to stand; a move must pay back its overlap within it."""
    spot_loss_tolerated_ratio: float = 1.0
    """Share of demand that may be without capacity when any one spot pool vanishes, 0 to 1."""
    demand_stale_after_s: float = 60.0
    hold_when_unknown_s: float = 600.0
    fallback: FallbackAction = FallbackAction.HOLD
    violation_usd_per_million_requests: float = 1000.0
    """How dear it is when requests find no capacity within the SLO. Guess: 0.1 cent each, some seven times what an 8B
    model's 512 + 128 tokens cost at public list prices."""
    longest_standby_s: float = 7200.0
    """For how long at most capacity is kept for a rise of demand that found none. Guess: what comes once a day is for
    the forecast to know, and nodes that are paid for may be wanted by others."""


class Routing(StrEnum):
    """Who shares requests out among the replicas of a deployment. What that means for them stands in `sharing`."""

    SERVICE = "Service"
    LOAD_AWARE = "LoadAware"
    HTTP_ROUTE = "HTTPRoute"


class ExternalUse(StrEnum):
    """Compare only shows the price; with Overflow, requests that own replicas do not carry really go to the API."""

    COMPARE = "Compare"
    OVERFLOW = "Overflow"


@dataclass(frozen=True, slots=True)
class ExternalPrice:
    """What the same tokens cost at a public API, the price to beat."""

    usd_per_million_prompt_tokens: float
    usd_per_million_output_tokens: float
    use: ExternalUse = ExternalUse.COMPARE

    def usd_per_request(self, prompt_tokens_mean: float, output_tokens_mean: float) -> float:
        """What an average request costs."""
        return (
            prompt_tokens_mean * self.usd_per_million_prompt_tokens
            + output_tokens_mean * self.usd_per_million_output_tokens
        ) / 1e6
