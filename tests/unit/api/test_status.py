"""Is a status always within its bounds, whatever the stations hand over?"""

from plimsoll.api import (
    AlternativeStatus,
    Condition,
    CostStatus,
    DecimalText,
    DemandStatus,
    InferenceDeploymentStatus,
    LatencyStatus,
    Money,
    PlanStatus,
    StepStatus,
    Timestamp,
)
from plimsoll.domain import DemandState, LatencyMetric, LatencyObservation, Phase


def test_a_status_goes_to_the_wire_in_camel_case_without_empty_fields() -> None:
    status = InferenceDeploymentStatus(
        observed_generation=3,
        conditions=(
            Condition(type="Ready", status="True", reason="Steady", message="", last_transition_time=Timestamp.of(0.0)),
        ),
        demand=DemandStatus(state=DemandState.KNOWN, arrival_rate=DecimalText.of(12.5), prompt_tokens_p95=None),
        cost=CostStatus(per_hour=Money.of(1.5), external_per_hour=Money.of(2.0)),
        plan=PlanStatus(
            phase=Phase.MOVING,
            steps=(StepStatus(variant="a", from_replicas=1, to_replicas=2, reason="ScaleUp"),),
        ),
    )
    assert status.to_wire() == {
        "observedGeneration": 3,
        "conditions": [
            {
                "type": "Ready",
                "status": "True",
                "reason": "Steady",
                "message": "",
                "lastTransitionTime": "1970-01-01T00:00:00Z",
            }
        ],
        "demand": {"state": "Known", "message": "", "arrivalRate": "12.5"},
        "cost": {"perHour": "1.50", "externalAPIPerHour": "2.00"},
        "plan": {
            "phase": "Moving",
            "steps": [{"variant": "a", "from": 1, "to": 2, "reason": "ScaleUp", "message": ""}],
        },
    }


def test_a_message_too_long_for_the_server_is_cut_not_refused() -> None:
    demand = DemandStatus(state=DemandState.ABSENT, message="x" * 5000)
    assert demand.message == "x" * 1023 + "…"


def test_more_replicas_than_fit_are_cut_not_refused() -> None:
    alternative = AlternativeStatus(label="cpu", replicas={"cpu": 5_672_936}, reason="ReplicaLimit", detail="too slow")
    assert alternative.replicas == {"cpu": 1_000_000}


def test_more_alternatives_than_fit_lose_the_last_ones() -> None:
    alternatives = tuple(AlternativeStatus(label=f"option {n}", reason="Dearer") for n in range(20))
    kept = PlanStatus(phase=Phase.STEADY, alternatives=alternatives).alternatives
    assert [alternative.label for alternative in kept] == [f"option {n}" for n in range(8)]


def test_latencies_are_told_by_metric_and_percentile() -> None:
    seen = (
        LatencyObservation(LatencyMetric.TTFT, 0.95, 412.34),
        LatencyObservation(LatencyMetric.TPOT, 0.5, 8.0),
        LatencyObservation(LatencyMetric.TPOT, 0.42, 7.0),
        LatencyObservation(LatencyMetric.E2E, 0.99, 9000.0),
    )
    told = LatencyStatus.of(seen)
    assert told is not None
    assert told.to_wire() == {"ttft": {"p95": "412.3ms"}, "tpot": {"p50": "8ms"}, "e2e": {"p99": "9000ms"}}


def test_no_latencies_are_told_as_nothing() -> None:
    assert LatencyStatus.of(()) is None
