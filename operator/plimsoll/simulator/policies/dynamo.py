"""Dynamo's SLA planner: replicas for the rate of the last interval, from profiled times to first and next token.

In: the rate over 180 s. Out: a number of replicas. Its rule, every 180 s: the next interval is taken to be like the
last (the constant predictor). Prefill needs rate x prompt / (tokens a second of a lone prefill), decode needs rate x
output / (the most tokens a second at which the profile keeps the time per token), at least one replica. It counts
devices and not dollars, and knows one type of hardware: here the variant that a careful user would give it. An
aggregated engine does both in turn, so its replicas are the sum of both needs, rounded up. Corrections are off
(--no-correction): they need mean latencies, which an SLO of percentiles does not. The target is the share of the
SLO's time per token that it is given.

Source: docs.nvidia.com/dynamo, SLA-based planner (adjustment interval 180 s, replica calculation);
ai-dynamo/dynamo components/planner, planner_core.py.
"""

import math

from plimsoll.domain import Deployment, LatencyMetric, StepTime
from plimsoll.simulator.policies.autoscaler import PolicyKind, Setup
from plimsoll.simulator.policies.one_variant import Chosen, OneVariant, Seen

INTERVAL_S = 180.0
SCRAPE_S = 15.0
DEFAULT_TARGET = 1.0


class Dynamo:
    """One model under the planner."""

    def __init__(self, seconds_per_request: float) -> None:
        self._seconds_per_request = seconds_per_request

    def replicas(self, seen: Seen) -> int:
        """For the rate of the last interval; without one nothing changes. It never goes to zero."""
        rate_rps = seen.observation.rate_rps(seen.key.deployment_key, INTERVAL_S)
        return seen.replicas if rate_rps is None else self.after(rate_rps)

    def after(self, rate_rps: float) -> int:
        return max(math.ceil(rate_rps * self._seconds_per_request - 1e-9), 1)


def seconds_per_request(
    law: StepTime, max_sequences: int, chunk_tokens: int, prompt: float, output: float, itl_ms: float
) -> float:
    """Of one replica's time: its prefill alone, and its share of the largest batch that keeps the time per token.

    The batch n at context I + O/2 is the largest with alpha + (beta + kappa (I + O/2)) n <= ITL; where none is, 1.
    """
    prefill_ms = math.ceil(prompt / chunk_tokens) * law.alpha_ms + law.pi_ms_per_prefill_token * prompt
    slope_ms = law.beta_ms_per_sequence + law.kappa_ms_per_kv_token * (prompt + output / 2.0)
    batch = min(max(math.floor((itl_ms - law.alpha_ms) / slope_ms), 1), max_sequences)
    decode_ms = output * (law.alpha_ms + slope_ms * batch) / batch
    return (prefill_ms + decode_ms) / 1000.0


def itl_ms(deployment: Deployment, output: float) -> float:
    """The time per token that the SLO asks for, or leaves of its end to end limit."""
    limits = {target.metric: target.limit_ms for target in deployment.slo}
    if LatencyMetric.TPOT in limits:
        return limits[LatencyMetric.TPOT]
    if LatencyMetric.E2E in limits:
        return limits[LatencyMetric.E2E] / max(output, 1.0)
    return math.inf


def _make(setup: Setup, target: float) -> OneVariant:
    deployments = {deployment.key: deployment for deployment in setup.deployments}

    def rule(chosen: Chosen) -> Dynamo:
        key, profile = chosen.variant.key.deployment_key, chosen.variant.profile
        output = setup.output_tokens_mean[key]
        limit_ms = target * itl_ms(deployments[key], output)
        return Dynamo(
            seconds_per_request(
                profile.step_time,
                profile.max_sequences,
                profile.chunk_tokens,
                setup.prompt_tokens_mean[key],
                output,
                min(limit_ms, 1e9),
            )
        )

    return OneVariant(setup, rule, INTERVAL_S, SCRAPE_S)


DYNAMO = PolicyKind("dynamo", _make, DEFAULT_TARGET, (0.3, 0.4, 0.5, 0.6, 0.8))
