"""Questions to the engine, in numbers that a reader knows: an 8B model on a fast GPU, on a small one and on a CPU.

In: overrides. Out: cases. Step-time laws are rounded from measured ones.
"""

from dataclasses import replace

from plimsoll.domain import POISSON, Burstiness, LatencyMetric, LatencyTarget, StepTime
from plimsoll.engine.case import Case
from plimsoll.engine.serving import Replica, Router
from plimsoll.engine.workload import Lengths

H100 = Replica(StepTime(6.7, 0.019, 0.02, 5.8e-5), max_sequences=256, kv_cache_tokens=400_000, chunk_tokens=2048)
L4 = Replica(StepTime(30.0, 0.3, 0.1, 2e-4), max_sequences=64, kv_cache_tokens=60_000, chunk_tokens=2048)
XEON = Replica(StepTime(60.0, 2.5, 0.6, 1e-4), max_sequences=32, kv_cache_tokens=100_000, chunk_tokens=512)

CHAT_PROMPTS, CHAT_OUTPUTS = Lengths(512.0, 1024.0), Lengths(128.0, 384.0)

TTFT, TPOT, E2E = LatencyMetric.TTFT, LatencyMetric.TPOT, LatencyMetric.E2E


def slowed(replica: Replica, times: float) -> Replica:
    """The same replica on hardware that takes so many times as long for everything."""
    law = replica.step_time
    return replace(
        replica,
        step_time=StepTime(
            law.alpha_ms * times,
            law.beta_ms_per_sequence * times,
            law.pi_ms_per_prefill_token * times,
            law.kappa_ms_per_kv_token * times,
        ),
    )


def a_target(metric: LatencyMetric, limit_ms: float, quantile: float = 0.95) -> LatencyTarget:
    return LatencyTarget(metric, quantile, limit_ms)


def a_case(
    *slo: LatencyTarget,
    replica: Replica = L4,
    prompts: Lengths = CHAT_PROMPTS,
    outputs: Lengths = CHAT_OUTPUTS,
    burstiness: Burstiness = POISSON,
    router: Router = Router.LEAST_LOADED,
) -> Case:
    """Chats on an L4 with 70 ms a token, unless told otherwise."""
    return Case(replica, prompts, outputs, slo or (a_target(TPOT, 70.0),), burstiness, router)
