"""A rise that the last plan carries within its safe rate starts nothing; beyond it nothing is left to headroom."""

from dataclasses import replace

import pytest

from plimsoll.domain import Deployment, ExternalPrice, ExternalUse, Forecast, ForecastBasis, PriceKind
from plimsoll.planning import left_to_headroom
from unit.builders import a_deployment, a_forecast, a_pool, a_snapshot, a_variant, an_option

VARIANT = a_variant(replicas=2)
DEPLOYMENT = a_deployment(variants=[VARIANT])


def planned_for(
    forecast: Forecast,
    headroom: float = 0.1,
    replicas: int | None = 2,
    price_kind: PriceKind = PriceKind.ON_DEMAND,
    deployment: Deployment = DEPLOYMENT,
) -> Forecast:
    """With a last plan (None: none) of replicas that carry 10 req/s each, a share of their safe rate left unused."""
    (variant,) = deployment.variants
    options = {variant.key: an_option(variant, 10.0, headroom_ratio=headroom)}
    snapshot = a_snapshot([deployment], [a_pool(price_kind=price_kind)])
    last = {} if replicas is None else {variant.key: replicas}
    return left_to_headroom(snapshot, {deployment.key: forecast}, options, last)[deployment.key]


@pytest.mark.parametrize(("rps", "planned"), [(19.0, 19.0), (20.0, 20.0), (21.0, 20.0), (22.0, 20.0), (22.1, 22.1)])
def test_up_to_a_tenth_above_the_last_plan_is_left_to_its_headroom(rps: float, planned: float) -> None:
    found = planned_for(a_forecast(DEPLOYMENT, rps))

    assert found.required_rps == pytest.approx(planned)
    assert found.now_rps == pytest.approx(planned)


@pytest.mark.parametrize(("headroom", "most"), [(0.0, 20.0), (0.04, 20.0 / 0.96), (0.5, 22.0)])
def test_the_safe_rate_itself_is_never_passed(headroom: float, most: float) -> None:
    assert planned_for(a_forecast(DEPLOYMENT, most * 0.999), headroom).required_rps == pytest.approx(
        min(20.0, most * 0.999)
    )
    assert planned_for(a_forecast(DEPLOYMENT, most * 1.001), headroom).required_rps == pytest.approx(most * 1.001)


def test_what_is_left_is_told() -> None:
    found = planned_for(a_forecast(DEPLOYMENT, 21.5))

    assert found.message == (
        "flat; of 21.50 req/s to be ready for, 1.50 are left to the headroom of what the last plan wants"
    )


def test_a_rise_that_is_only_expected_is_left_as_well_and_demand_below_stays() -> None:
    forecast = replace(a_forecast(DEPLOYMENT, 15.0), at_lead_rps={"h100": 21.0})

    found = planned_for(forecast)

    assert (found.now_rps, found.at_lead_rps) == (15.0, {"h100": 20.0})


def test_where_one_lead_time_is_beyond_nothing_is_left() -> None:
    forecast = replace(a_forecast(DEPLOYMENT, 21.0), at_lead_rps={"h100": 30.0})

    assert planned_for(forecast) == forecast


def test_headroom_on_spot_nodes_is_for_those_that_are_lost() -> None:
    forecast = a_forecast(DEPLOYMENT, 21.0)

    assert planned_for(forecast, price_kind=PriceKind.SPOT) == forecast


def test_headroom_is_left_alone_where_a_spot_variant_may_be_chosen_instead() -> None:
    deployment = a_deployment(variants=[VARIANT, a_variant("xeon", pool="cpu-spot")])
    forecast = a_forecast(deployment, 21.0)
    pools = [a_pool(), a_pool("cpu-spot", price_kind=PriceKind.SPOT)]
    options = {one.key: an_option(one, 10.0, headroom_ratio=0.1) for one in deployment.variants}
    last = {one.key: one.replicas for one in deployment.variants}

    assert left_to_headroom(a_snapshot([deployment], pools), {deployment.key: forecast}, options, last) == {
        deployment.key: forecast
    }
    # Where it meets no SLO and runs nowhere it is no choice.
    options[deployment.variants[1].key] = an_option(deployment.variants[1], 0.0)
    (found,) = left_to_headroom(a_snapshot([deployment], pools), {deployment.key: forecast}, options, last).values()
    assert found.required_rps == 20.0


def test_the_least_headroom_of_all_that_run_or_may_be_chosen_decides() -> None:
    deployment = a_deployment(variants=[VARIANT, a_variant("xeon", pool="cpu-amx")])
    forecast = a_forecast(deployment, 21.0)
    options = {one.key: an_option(one, 10.0, headroom_ratio=0.1) for one in deployment.variants}
    options[deployment.variants[1].key] = an_option(deployment.variants[1], 10.0, headroom_ratio=0.02)
    last = {one.key: one.replicas for one in deployment.variants}

    snapshot = a_snapshot([deployment], [a_pool(), a_pool("cpu-amx")])
    assert left_to_headroom(snapshot, {deployment.key: forecast}, options, last) == {deployment.key: forecast}


def test_nothing_is_left_to_a_plan_of_nothing() -> None:
    forecast = a_forecast(DEPLOYMENT, 21.0)

    assert planned_for(forecast, replicas=0) == forecast


def test_after_a_start_what_runs_counts_as_the_last_plan() -> None:
    assert planned_for(a_forecast(DEPLOYMENT, 21.0), replicas=None).required_rps == 20.0


def test_losing_metrics_takes_nothing_back_that_was_left() -> None:
    held = planned_for(a_forecast(DEPLOYMENT, 21.0, basis=ForecastBasis.HELD))

    assert held.required_rps == 20.0


def test_the_peak_that_the_policy_falls_back_to_is_planned_for_in_full() -> None:
    forecast = a_forecast(DEPLOYMENT, 21.0, basis=ForecastBasis.FALLBACK)

    assert planned_for(forecast) == forecast


def test_what_may_overflow_to_an_external_api_is_left_to_its_price() -> None:
    price = ExternalPrice(0.1, 0.5, use=ExternalUse.OVERFLOW)
    deployment = replace(DEPLOYMENT, external_price=price)
    forecast = a_forecast(deployment, 21.0)

    assert planned_for(forecast, deployment=deployment) == forecast
