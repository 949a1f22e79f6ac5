"""The external API as the priced last variant; a request of these tests has 512 prompt and 128 output tokens."""

from dataclasses import replace

import pytest

from plimsoll.domain import Deployment, ExternalPrice, ExternalUse, Forecast, Mode, PriceKind, Reason
from plimsoll.planning import SolveLimits
from unit.builders import a_demand, a_deployment, a_forecast, a_policy, a_pool, a_variant
from unit.planning.case import counts, plan

H100 = a_variant("h100")
XEON = a_variant("xeon", pool="cpu-amx")
GPU_POOL = a_pool("gpu-h100")
"""12 USD/h a node of 4 replicas."""
RPS = {"h100": 6.0, "xeon": 1.5}
CHEAP = ExternalPrice(0.05, 0.20, ExternalUse.OVERFLOW)
"""(512 x 0.05 + 128 x 0.20) / 1e6 = 51.2 micro-USD a request: 0.18432 USD/h for 1 req/s."""
DEAR = ExternalPrice(5.0, 20.0, ExternalUse.OVERFLOW)
"""A hundred times that: 18.432 USD/h for 1 req/s."""


def chat(rps: float, price: ExternalPrice = CHEAP, **overrides: object) -> Deployment:
    return a_deployment(**({"variants": [H100], "rps": rps, "external_price": price} | overrides))  # type: ignore[arg-type]


def test_compare_only_shows_the_price_and_plans_without_the_api() -> None:
    deployment = chat(10.0, replace(CHEAP, use=ExternalUse.COMPARE))
    allocation = plan([deployment], [GPU_POOL], RPS)
    assert counts(allocation) == {"chat/h100": 2}
    assert allocation.overflow == {}


def test_overflow_gives_up_own_replicas_where_the_api_is_cheaper() -> None:
    deployment = chat(10.0)
    allocation = plan([deployment], [GPU_POOL], RPS)
    # 10 req/s at the API: 1.84 USD/h. One node of H100: 12 USD/h.
    assert counts(allocation) == {}
    assert allocation.overflow[deployment.key].rate_rps == pytest.approx(10.0)
    assert allocation.overflow[deployment.key].usd_per_hour == pytest.approx(1.8432)
    assert allocation.usd_per_hour[deployment.key] == pytest.approx(1.8432)
    assert allocation.solver.cost_usd_per_hour == pytest.approx(1.8432)
    assert allocation.solver.gap_ratio == pytest.approx(0.0, abs=1e-3)
    assert allocation.shortfall_rps == {}
    assert allocation.findings == ()


def test_overflow_stays_on_own_replicas_where_these_are_cheaper() -> None:
    deployment = chat(10.0, DEAR)
    allocation = plan([deployment], [GPU_POOL], RPS)
    # 10 req/s at the API: 184 USD/h.
    assert counts(allocation) == {"chat/h100": 2}
    assert allocation.overflow == {}


def test_the_rest_that_would_open_another_node_goes_to_the_api_where_that_is_cheaper() -> None:
    deployment = chat(24.5, ExternalPrice(0.5, 2.0, ExternalUse.OVERFLOW))
    allocation = plan([deployment], [GPU_POOL], RPS)
    # 4 replicas carry 24 on one node; 0.5 req/s x 1.8432 = 0.92 USD/h at the API, another node 12 USD/h.
    assert counts(allocation) == {"chat/h100": 4}
    assert allocation.overflow[deployment.key].rate_rps == pytest.approx(0.5)
    assert allocation.usd_per_hour[deployment.key] == pytest.approx(12.0 + 0.9216)


def test_what_finds_no_room_overflows_instead_of_being_reported_missing() -> None:
    deployment = chat(30.0, DEAR)
    allocation = plan([deployment], [a_pool("gpu-h100", max_nodes=1)], RPS)
    # 24 of 30 req/s fit.
    assert counts(allocation) == {"chat/h100": 4}
    assert allocation.overflow[deployment.key].rate_rps == pytest.approx(6.0)
    assert allocation.shortfall_rps == {}
    assert allocation.findings == ()


def test_one_replica_stays_where_demand_is_blind_at_zero() -> None:
    large = replace(H100, per_replica={"nvidia.com/gpu": 4.0})
    deployment = chat(10.0, variants=[large], demand=a_demand(10.0, sees_zero_replicas=False))
    allocation = plan([deployment], [GPU_POOL], RPS)
    # A second one would take a node of its own for 12 USD/h; its 4 req/s are 0.74 USD/h at the API.
    assert counts(allocation) == {"chat/h100": 1}
    assert allocation.overflow[deployment.key].rate_rps == pytest.approx(4.0)


def test_a_replica_that_must_stay_and_finds_no_room_is_missed_although_the_api_serves() -> None:
    deployment = chat(10.0, demand=a_demand(10.0, sees_zero_replicas=False))
    allocation = plan([deployment], [a_pool("gpu-h100", max_nodes=0)], RPS)
    assert counts(allocation) == {}
    assert allocation.overflow[deployment.key].rate_rps == pytest.approx(10.0)
    assert allocation.shortfall_rps == {}


def test_a_budget_is_for_nodes_and_the_rest_overflows() -> None:
    deployment = chat(30.0, DEAR, budget_usd_per_hour=12.0)
    allocation = plan([deployment], [GPU_POOL], RPS)
    assert counts(allocation) == {"chat/h100": 4}
    assert allocation.overflow[deployment.key].rate_rps == pytest.approx(6.0)
    assert allocation.findings == ()


def test_scarce_room_goes_to_the_higher_priority_also_where_the_other_has_an_api() -> None:
    first = a_deployment("first", variants=[H100], rps=24.0, priority=200)
    second = replace(a_deployment("second", variants=[H100], rps=24.0, priority=100), external_price=DEAR)
    allocation = plan([first, second], [a_pool("gpu-h100", max_nodes=1)], RPS)
    assert counts(allocation) == {"first/h100": 4}
    assert allocation.overflow[second.key].rate_rps == pytest.approx(24.0)
    assert allocation.shortfall_rps == {}


def test_of_equal_deployments_the_one_with_an_api_leaves_the_room_to_the_other() -> None:
    with_api = replace(a_deployment("a", variants=[H100], rps=24.0), external_price=DEAR)
    without = a_deployment("b", variants=[H100], rps=24.0)
    allocation = plan([with_api, without], [a_pool("gpu-h100", max_nodes=1)], RPS)
    assert counts(allocation) == {"b/h100": 4}
    assert allocation.overflow[with_api.key].rate_rps == pytest.approx(24.0)
    assert allocation.findings == ()


def test_a_lost_spot_pool_needs_no_stand_in_where_requests_overflow() -> None:
    spot = a_pool("gpu-h100", price_kind=PriceKind.SPOT, price_usd_per_hour=1.0)
    deployment = chat(12.0, DEAR, variants=[H100, XEON], policy=a_policy(spot_loss_tolerated_ratio=0.0))
    allocation = plan([deployment], [spot, a_pool("cpu-amx")], RPS)
    assert counts(allocation) == {"chat/h100": 2}
    assert Reason.SPOT_RISK not in [finding.reason for finding in allocation.findings]


def test_nothing_overflows_before_any_request_told_how_many_tokens_it_has() -> None:
    deployment = chat(10.0)
    unknown: Forecast = a_forecast(deployment, tokens=None)
    allocation = plan([deployment], [GPU_POOL], RPS, forecasts={deployment.key: unknown})
    assert counts(allocation) == {"chat/h100": 2}


@pytest.mark.parametrize("mode", [Mode.PAUSED, Mode.RECOMMEND])
def test_what_is_left_as_it_is_overflows_too(mode: Mode) -> None:
    deployment = chat(10.0, DEAR, mode=mode, variants=[replace(H100, replicas=1, max_replicas=1)])
    allocation = plan([deployment], [GPU_POOL], RPS)
    assert allocation.overflow[deployment.key].rate_rps == pytest.approx(4.0)
    assert allocation.shortfall_rps == {}


def test_without_a_solver_what_finds_no_room_overflows() -> None:
    deployment = chat(30.0, DEAR)
    allocation = plan([deployment], [a_pool("gpu-h100", max_nodes=1)], RPS, limits=SolveLimits(time_limit_s=0.0))
    assert allocation.solver.outcome is Reason.SOLVE_TIMED_OUT
    assert counts(allocation) == {"chat/h100": 4}
    assert allocation.overflow[deployment.key].rate_rps == pytest.approx(6.0)
