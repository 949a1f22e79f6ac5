"""What arrives, told by something in front of the pods: a gateway's counter, or queries of the user's own.

In: a gateway's samples of one model, or the answers to custom queries. Out: a `Look`, as from pods. Pure.

A gateway sees requests while no replica runs, so its first request must count: its counter is born with it, and a rate
needs two samples. A counter that was not there at the window's beginning therefore stands for one request in the
window. Not for its whole value: after Prometheus lost its data, an old counter looks just as new.
"""

import math
from collections.abc import Mapping, Sequence

from plimsoll.domain import DemandState
from plimsoll.observe.arrivals import Look
from plimsoll.observe.attribution import Asked, Attributed
from plimsoll.observe.queries import Signal
from plimsoll.observe.reading import CustomReading, MetricsReading, Samples, on_the_wire

_TOKEN_QUERIES = ("prompt_tokens", "output_tokens")


def look_at_gateway(asked: Asked, found: Attributed, window_s: float) -> Look:
    """The arrivals that a gateway counted for the deployment's model."""
    if not found.gateway:
        return Look(
            DemandState.ABSENT,
            f"no gateway has counted a request for model {asked.model} yet: send one, check that the gateway "
            "is scraped, or set spec.demand.modelName to the name that clients ask for",
        )
    for sample in found.gateway:
        for signal in (Signal.REQUEST_RATE, Signal.REQUESTS, Signal.WAITING):
            value = sample.values.get(signal, 0.0)
            if not math.isfinite(value) or value < 0.0:
                return Look(
                    DemandState.INVALID,
                    f"the gateway reports {signal.value} = {value:g} for model {asked.model}, which cannot be: "
                    "look at its /metrics",
                )
    fresh = [sample for sample in found.gateway if sample.values.get(Signal.AGE_S, math.inf) <= asked.stale_after_s]
    if not fresh:
        return Look(DemandState.STALE, f"no fresh sample from the gateway of model {asked.model}: is it scraped?")
    rates = [_gateway_rate_rps(sample, window_s) for sample in fresh]
    if not any(rate is not None for rate in rates):
        return Look(DemandState.STALE, "the gateway's counter was scraped once only: its rate is known after the next")
    waiting = sum(sample.values.get(Signal.WAITING, 0.0) for sample in fresh)
    rate_rps = sum(rate for rate in rates if rate is not None)
    replicas_ready = any(pod.ready and not pod.terminating for server in asked.servers for pod in server.pods)
    if not replicas_ready:
        # Whoever waits for a first replica is demand, however long ago he came.
        rate_rps = max(rate_rps, waiting / window_s)
    return Look(
        DemandState.KNOWN,
        f"counted at the gateway over {window_s:g}s",
        arrival_rate_rps=max(0.0, rate_rps),
        running=sum(one.samples.values.get(Signal.RUNNING, 0.0) for one in found.pods),
        waiting=waiting + sum(one.samples.values.get(Signal.WAITING, 0.0) for one in found.pods),
    )


def _gateway_rate_rps(sample: Samples, window_s: float) -> float | None:
    values = sample.values
    queue_growth_rps = (values.get(Signal.WAITING, 0.0) - values.get(Signal.WAITING_BEFORE, 0.0)) / window_s
    counted_rps = values.get(Signal.REQUEST_RATE)
    born = values.get(Signal.REQUESTS, 0.0) > 0.0 and Signal.REQUESTS_BEFORE not in values
    if born:
        counted_rps = max(counted_rps or 0.0, 1.0 / window_s)
    if counted_rps is None:
        return queue_growth_rps if Signal.WAITING in values and Signal.REQUESTS not in values else None
    return counted_rps + queue_growth_rps


def look_at_custom(asked: Asked, reading: MetricsReading) -> Look:
    """The answers to `spec.demand.queries`; each query gives one sample for the whole deployment."""
    answer = reading.custom.get(asked.key)
    if answer is None:
        return Look(DemandState.ABSENT, "spec.demand.queries were not asked yet")
    if answer.refused is not None:
        return Look(DemandState.INVALID, answer.refused)
    wrong = _wrong(answer)
    if wrong is not None:
        return Look(DemandState.INVALID, wrong)
    rate = _one(answer.values, "arrival_rate")
    if rate is None:
        return Look(DemandState.ABSENT, "spec.demand.queries.arrivalRate gives no sample: does its metric exist?")
    return Look(
        DemandState.KNOWN,
        "read by spec.demand.queries",
        arrival_rate_rps=rate,
        running=_one(answer.values, "running") or 0.0,
        waiting=_one(answer.values, "waiting") or 0.0,
    )


def _wrong(answer: CustomReading) -> str | None:
    for name, values in answer.values.items():
        field = f"spec.demand.queries.{on_the_wire(name)}"
        if len(values) > 1:
            return f"{field} gives {len(values)} series, one is needed: wrap it in sum(...)"
        # A mean of tokens is NaN whenever nothing was served: that is no mistake, only no mean.
        if name not in _TOKEN_QUERIES and values and (not math.isfinite(values[0]) or values[0] < 0.0):
            return f"{field} gives {values[0]:g}, which cannot be: guard it, for example with > 0"
    return None


def _one(values: Mapping[str, Sequence[float]], name: str) -> float | None:
    found = values.get(name, ())
    return found[0] if found else None
