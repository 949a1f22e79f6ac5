"""Demand that a gateway counts, or that the user's own queries tell."""

import math

import pytest

from plimsoll.api import Engine
from plimsoll.domain import DemandState, ObjectKey, TokenMix
from plimsoll.observe.attribution import Asked
from plimsoll.observe.demand import DemandMemory, observe_demand
from plimsoll.observe.queries import Signal
from plimsoll.observe.reading import CustomReading, EngineReading, MetricsReading, Samples
from unit.builders import NOW_S
from unit.observe.answers import (
    KEY,
    MODEL,
    WINDOW_S,
    a_reading,
    a_server,
    an_asked,
    demand_of,
    old_pods,
    pod_samples,
    without,
)


def at_gateway(namespace: str = "team-a", model: str = MODEL, **values: float) -> Samples:
    shown = {"request_rate": 3.0, "requests": 900.0, "requests_before": 720.0, "age_s": 5.0, "scrapes": 4.0, **values}
    return Samples(namespace, "", model, {Signal(name): value for name, value in shown.items() if value is not None})


def behind_gateway(*pods: str, **overrides: object) -> Asked:
    return an_asked(a_server(*old_pods(*pods)), source=Engine.GATEWAY, **overrides)


def through(*samples: Samples) -> MetricsReading:
    return a_reading(*samples, engine=Engine.GATEWAY)


def test_a_gateway_shows_demand_at_zero_replicas() -> None:
    demand, _ = demand_of(behind_gateway(), through(at_gateway()))
    assert demand.state is DemandState.KNOWN
    assert demand.sees_zero_replicas
    assert demand.arrival_rate_rps == 3.0


def test_a_gateway_that_counts_nothing_more_is_known_zero() -> None:
    demand, _ = demand_of(behind_gateway(), through(at_gateway(request_rate=0.0)))
    assert (demand.state, demand.arrival_rate_rps) == (DemandState.KNOWN, 0.0)


def test_the_first_request_ever_counts_although_its_counter_has_no_rate() -> None:
    born = without(at_gateway(requests=1.0, scrapes=1.0), Signal.REQUEST_RATE, Signal.REQUESTS_BEFORE)
    demand, _ = demand_of(behind_gateway(), through(born))
    assert demand.state is DemandState.KNOWN
    assert demand.arrival_rate_rps == pytest.approx(1.0 / 60.0)


def test_an_old_counter_after_lost_history_is_one_request_not_a_million() -> None:
    found = without(at_gateway(requests=1e6, request_rate=0.0), Signal.REQUESTS_BEFORE)
    demand, _ = demand_of(behind_gateway(), through(found))
    assert demand.arrival_rate_rps == pytest.approx(1.0 / 60.0)


def test_a_counter_scraped_once_with_history_is_not_zero() -> None:
    demand, _ = demand_of(behind_gateway(), through(without(at_gateway(), Signal.REQUEST_RATE)))
    assert demand.state is DemandState.STALE


def test_requests_that_wait_at_the_gateway_for_a_first_replica_are_demand() -> None:
    waiting = at_gateway(request_rate=0.0, waiting=30.0, waiting_before=30.0)
    demand, _ = demand_of(behind_gateway(), through(waiting))
    assert demand.arrival_rate_rps == pytest.approx(0.5)
    served, _ = demand_of(behind_gateway("chat-h100-a"), through(waiting))
    assert served.arrival_rate_rps == 0.0


def test_growth_of_the_gateways_queue_belongs_to_the_arrivals() -> None:
    demand, _ = demand_of(behind_gateway("chat-h100-a"), through(at_gateway(waiting=90.0, waiting_before=30.0)))
    assert demand.arrival_rate_rps == pytest.approx(4.0)


def test_a_gateway_that_never_saw_the_model_is_absent() -> None:
    demand, _ = demand_of(behind_gateway(), through(at_gateway(model="another")))
    assert demand.state is DemandState.ABSENT
    assert "spec.demand.modelName" in demand.message


def test_a_gateway_not_scraped_any_more_is_stale() -> None:
    demand, _ = demand_of(behind_gateway(), through(at_gateway(age_s=90.0)))
    assert demand.state is DemandState.STALE


@pytest.mark.parametrize("value", [math.nan, -2.0])
def test_a_gateway_value_that_cannot_be_is_invalid(value: float) -> None:
    demand, _ = demand_of(behind_gateway(), through(at_gateway(request_rate=value)))
    assert demand.state is DemandState.INVALID


def test_a_gateway_in_its_own_namespace_is_found_by_the_model_alone() -> None:
    demand, _ = demand_of(behind_gateway(), through(at_gateway(namespace="gateways")))
    assert demand.arrival_rate_rps == 3.0


def test_a_model_that_two_deployments_claim_is_taken_from_their_own_namespace_only() -> None:
    here, there = behind_gateway(), behind_gateway(key=ObjectKey("team-b", "chat"))
    observed, _ = observe_demand([here, there], through(at_gateway()), DemandMemory(), NOW_S)
    assert observed[here.key].demand.arrival_rate_rps == 3.0
    assert observed[there.key].demand.state is DemandState.ABSENT


def test_tokens_come_from_the_engines_where_the_gateway_shows_none() -> None:
    both = MetricsReading(
        WINDOW_S,
        {Engine.GATEWAY: EngineReading((at_gateway(),)), Engine.VLLM: EngineReading((pod_samples(),))},
    )
    demand, _ = demand_of(behind_gateway("chat-h100-a"), both)
    assert demand.tokens == TokenMix(500.0, 900.0, 100.0, 250.0)
    assert demand.running == 10.0


def test_an_unreachable_engine_does_not_hide_what_the_gateway_counts() -> None:
    both = MetricsReading(
        WINDOW_S, {Engine.GATEWAY: EngineReading((at_gateway(),)), Engine.VLLM: EngineReading(failure="timed out")}
    )
    demand, _ = demand_of(behind_gateway("chat-h100-a"), both)
    assert demand.state is DemandState.KNOWN


# --- Queries of the user's own ---------------------------------------------------------------------------------------


def answered(**values: tuple[float, ...]) -> MetricsReading:
    return MetricsReading(WINDOW_S, custom={KEY: CustomReading(values)})


CUSTOM = an_asked(source=Engine.CUSTOM)


def test_custom_queries_give_rate_tokens_and_requests_in_flight() -> None:
    reading = answered(
        arrival_rate=(7.5,), prompt_tokens=(400.0,), output_tokens=(80.0,), running=(4.0,), waiting=(1.0,)
    )
    demand, _ = demand_of(CUSTOM, reading)
    assert (demand.state, demand.arrival_rate_rps) == (DemandState.KNOWN, 7.5)
    assert demand.tokens == TokenMix(400.0, 800.0, 80.0, 240.0)
    assert (demand.running, demand.waiting) == (4.0, 1.0)
    assert not demand.sees_zero_replicas


def test_a_custom_query_without_a_sample_is_absent_not_zero() -> None:
    demand, _ = demand_of(CUSTOM, answered(arrival_rate=()))
    assert demand.state is DemandState.ABSENT


def test_a_custom_query_with_two_series_says_how_to_mend_it() -> None:
    demand, _ = demand_of(CUSTOM, answered(arrival_rate=(1.0, 2.0)))
    assert demand.state is DemandState.INVALID
    assert demand.message == "spec.demand.queries.arrivalRate gives 2 series, one is needed: wrap it in sum(...)"


@pytest.mark.parametrize("value", [math.nan, math.inf, -0.1])
def test_a_custom_rate_that_cannot_be_is_invalid(value: float) -> None:
    demand, _ = demand_of(CUSTOM, answered(arrival_rate=(value,)))
    assert demand.state is DemandState.INVALID


def test_a_custom_mean_over_no_requests_leaves_the_mix_unknown() -> None:
    demand, _ = demand_of(CUSTOM, answered(arrival_rate=(0.0,), prompt_tokens=(math.nan,), output_tokens=(math.nan,)))
    assert demand.state is DemandState.KNOWN
    assert demand.tokens is None


def test_a_refused_custom_query_is_invalid_and_a_failed_one_unreachable() -> None:
    refused = MetricsReading(WINDOW_S, custom={KEY: CustomReading(refused="parse error")})
    failed = MetricsReading(WINDOW_S, custom={KEY: CustomReading(failure="timed out")})
    assert demand_of(CUSTOM, refused)[0].state is DemandState.INVALID
    assert demand_of(CUSTOM, failed)[0].state is DemandState.UNREACHABLE
