"""Whoever gives leaving pods less time than a long request takes alone is told."""

from dataclasses import replace

from plimsoll.domain import Finding, LatencyMetric, LatencyObservation, Reason
from unit.builders import a_deployment, a_forecast, a_variant, options_for
from unit.rollout.case import RPS, rolled_out


def findings(grace_s: float | None, *, replicas: int = 1, tpot_ms: float | None = 100.0) -> tuple[Finding, ...]:
    """384 output tokens at the p95, 100 ms each alone, after 600 ms: 39 s."""
    chat = a_deployment(variants=[a_variant("h100", replicas=replicas, grace_s=grace_s)])
    ttft = LatencyObservation(LatencyMetric.TTFT, 0.95, 600.0)
    tpot = [LatencyObservation(LatencyMetric.TPOT, 0.95, tpot_ms)] if tpot_ms else []
    options = {key: replace(one, unloaded=(ttft, *tpot)) for key, one in options_for([chat], RPS).items()}
    return rolled_out(chat, {"h100": replicas}, rps=1.0, options=options, forecast=a_forecast(chat)).findings


def test_a_grace_shorter_than_a_long_request_is_told_with_figures() -> None:
    (found,) = findings(30.0)
    assert (found.reason, found.variant) == (Reason.GRACE_TOO_SHORT, "h100")
    assert found.message == (
        "pods of Deployment/chat-h100 get 30 s to finish when they leave, but one request in twenty has 384 output "
        "tokens or more, which take 39 s even alone: they are cut off; raise terminationGracePeriodSeconds in its pod "
        "template"
    )


def test_a_grace_that_is_enough_or_not_known_or_of_nothing_that_runs_is_no_finding() -> None:
    assert findings(40.0) == findings(None) == findings(30.0, replicas=0) == findings(30.0, tpot_ms=None) == ()
