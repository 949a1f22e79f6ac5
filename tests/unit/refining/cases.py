"""Cases and answers that differ where a test says so."""

from dataclasses import replace

from plimsoll.domain import Burstiness, LatencyMetric, LatencyTarget, SizedBy
from plimsoll.engine.serving import Router
from plimsoll.sizing import Capacity, Case
from plimsoll.sizing.capacity import SHARES
from plimsoll.sizing.cases import case_of
from unit.builders import MIX, a_profile


def a_case(number: int = 0) -> Case:
    """One of endlessly many."""
    slo = (
        LatencyTarget(LatencyMetric.TTFT, 0.95, 800.0 + number / 3.0),
        LatencyTarget(LatencyMetric.TPOT, 0.99, 40.0),
    )
    return replace(case_of(a_profile(), MIX, slo, Burstiness(0.1, 15.0)), router=Router.ROUND_ROBIN)


def an_answer(one_rps: float = 10.0, **overrides: object) -> Capacity:
    """A simulated answer to any of them; a third is no decimal, so that rounding would show."""
    made = Capacity(
        replicas=(1, 2, 4),
        rate_rps=(one_rps, one_rps * 7.0 / 3.0, one_rps * 5.0),
        latency_ms=(tuple(100.0 / 3.0 + share for share in SHARES), tuple(20.0 * share for share in SHARES)),
        full_rps=one_rps,
        sized_by=SizedBy.SIMULATION,
    )
    return replace(made, **overrides)  # type: ignore[arg-type]


def an_answer_to(case: Case, one_rps: float = 10.0) -> Capacity:
    """Of the shape that this very case asks for."""
    return an_answer(one_rps, latency_ms=tuple(tuple(20.0 * share for share in SHARES) for _ in case.slo))
