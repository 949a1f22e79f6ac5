"""What is assumed lands in a copy of the situation, and what cannot be assumed is told with what can."""

import math
from dataclasses import replace

import pytest

from plimsoll.domain import ForecastBasis, LatencyMetric, LatencyTarget, Mode, PriceKind
from plimsoll.errors import InvalidObject
from plimsoll.what_if import Situation, assume
from unit.builders import MIX, NOW_S, a_deployment, a_forecast, a_pool, a_profile, a_variant
from unit.what_if.situations import CHAT, H100, L4, a_chat, a_situation


def changed(*texts: str, situation: Situation | None = None) -> Situation:
    made, _ = assume(situation or a_situation(), texts, CHAT)
    return made


def refused(text: str, situation: Situation | None = None) -> str:
    with pytest.raises(InvalidObject) as error:
        changed(text, situation=situation)
    return str(error.value)


# --- Pools -----------------------------------------------------------------------------------------------------------


def test_a_pool_gets_another_price_and_the_situation_at_hand_keeps_its_own() -> None:
    before = a_situation()
    after, assumed = assume(before, ["pool.gpu-h100.price=2.10"], CHAT)
    assert after.pool("gpu-h100").price_usd_per_hour == 2.1
    assert before.pool("gpu-h100").price_usd_per_hour == 12.0
    assert [(one.path, one.value, one.now) for one in assumed] == [("pool.gpu-h100.price", "2.10", "12")]


def test_a_pool_gets_other_limits_and_another_kind_of_price() -> None:
    pool = changed("pool.gpu-l4.nodes.min=1", "pool.gpu-l4.nodes.max=5", "pool.gpu-l4.priceKind=Spot").pool("gpu-l4")
    assert (pool.min_nodes, pool.max_nodes, pool.price_kind) == (1, 5, PriceKind.SPOT)


def test_a_pool_can_be_sold_out_and_be_back() -> None:
    out = changed("pool.gpu-l4.stockedOut=yes").pool("gpu-l4")
    assert out.stocked_out_until_s is not None
    assert out.stocked_out_until_s > NOW_S
    back = changed("pool.gpu-l4.stockedOut=no", situation=a_situation(pools=(H100, out))).pool("gpu-l4")
    assert back.stocked_out_until_s is None


def test_a_pool_whose_name_has_dots_is_found() -> None:
    dotted = a_pool("gpu.price.l4")
    made = changed("pool.gpu.price.l4.price=3", situation=a_situation(pools=(H100, L4, dotted)))
    assert made.pool("gpu.price.l4").price_usd_per_hour == 3.0


def test_the_price_of_a_paid_pool_is_refused_since_it_decides_nothing() -> None:
    paid = a_situation(pools=(H100, replace(L4, price_kind=PriceKind.PAID)))
    assert "add --if pool.gpu-l4.priceKind=OnDemand" in refused("pool.gpu-l4.price=3", paid)
    made = changed("pool.gpu-l4.price=3", "pool.gpu-l4.priceKind=OnDemand", situation=paid)
    assert made.pool("gpu-l4").marginal_price_usd_per_hour == 3.0


# --- Deployments -----------------------------------------------------------------------------------------------------


def test_a_rate_is_what_arrives_and_what_is_planned_for_whatever_the_operator_expects() -> None:
    told = {CHAT: a_forecast(a_chat(), 70.0, basis=ForecastBasis.HELD)}
    after, (assumed,) = assume(a_situation(forecasts=told), ["rate=40"], CHAT)
    assert (assumed.now, after.deployment(CHAT).demand.arrival_rate_rps) == ("70", 40.0)
    assert after.decided().deployments[0].forecast.required_rps == 40.0


def test_requests_of_another_length_keep_their_rate_and_how_widely_they_spread() -> None:
    seen = replace(MIX, prompt_tokens_most=2000.0)
    told = {CHAT: replace(a_forecast(a_chat(), 70.0), tokens=seen)}
    made = changed("promptTokens=1024", "outputTokens=64", situation=a_situation(forecasts=told))
    tokens = made.forecasts[CHAT].tokens
    assert tokens is not None
    # 512 with a p95 of 1024 and 128 with one of 384 before.
    assert (tokens.prompt_tokens_mean, tokens.prompt_tokens_p95) == (1024.0, 2048.0)
    assert (tokens.output_tokens_mean, tokens.output_tokens_p95) == (64.0, 192.0)
    assert (tokens.prompt_tokens_most, tokens.output_tokens_most) == (4000.0, math.inf)
    assert made.forecasts[CHAT].required_rps == 70.0


def test_lengths_of_requests_that_nobody_has_seen_cannot_be_assumed() -> None:
    assert "where demand is known" in refused("promptTokens=800", a_situation(a_chat(rps=None)))


def test_a_limit_of_the_slo_is_replaced_in_its_place_or_added_or_dropped() -> None:
    ttft, tpot = a_chat().slo
    assert changed("slo.ttft.p95=500ms").deployment(CHAT).slo == (replace(ttft, limit_ms=500.0), tpot)
    added = LatencyTarget(LatencyMetric.E2E, 0.95, 8000.0)
    assert changed("slo.e2e.p95=8s").deployment(CHAT).slo == (ttft, tpot, added)
    assert changed("slo.tpot.p95=none").deployment(CHAT).slo == (ttft,)
    assert "such as 500ms" in refused("slo.ttft.p95=none", a_situation(a_chat(slo=(ttft,))))


def test_budget_external_price_priority_mode_and_policy_can_be_assumed() -> None:
    one = changed(
        "budget.perHour=12.50",
        "externalAPI.inputPerMillion=0.15",
        "externalAPI.outputPerMillion=0.60",
        "priority=7",
        "mode=Recommend",
        "policy.headroom=0.1",
        "policy.spot.lossTolerated=0.5",
    ).deployment(CHAT)
    assert one.external_price is not None
    assert (one.budget_usd_per_hour, one.priority, one.mode) == (12.5, 7, Mode.RECOMMEND)
    assert one.external_price.usd_per_million_prompt_tokens == 0.15
    assert one.external_price.usd_per_million_output_tokens == 0.6
    assert (one.policy.headroom_ratio, one.policy.spot_loss_tolerated_ratio) == (0.1, 0.5)
    rid = changed("budget.perHour=none", situation=a_situation(one)).deployment(CHAT)
    assert rid.budget_usd_per_hour is None


def test_a_variant_gets_other_limits() -> None:
    h100, l4 = changed("variant.l4.replicas.min=2", "variant.l4.replicas.max=9").deployment(CHAT).variants
    assert (l4.min_replicas, l4.max_replicas) == (2, 9)
    assert h100.max_replicas == 20


def test_a_variant_gets_another_profile_only_of_its_model_and_hardware() -> None:
    profiles = {"int8": a_profile("int8"), "l4-only": a_profile("l4-only", hardware="nvidia-l4")}
    situation = a_situation(profiles=profiles)
    assert changed("variant.h100.profile=int8", situation=situation).deployment(CHAT).variants[0].profile.name == "int8"
    assert "same model" in refused("variant.h100.profile=l4-only", situation)
    assert "same model" in refused("variant.h100.profile=nowhere", situation)


def test_another_deployment_is_named_with_its_namespace_where_the_name_is_not_enough() -> None:
    tags, twin = a_deployment("tags"), a_deployment("tags", namespace="team-b", variants=[a_variant()])
    alone = changed("deployment.tags.rate=3", situation=a_situation(a_chat(), tags))
    assert alone.deployment(tags.key).demand.arrival_rate_rps == 3.0
    both = a_situation(a_chat(), tags, twin)
    assert "team-a/tags, team-b/tags" in refused("deployment.tags.rate=3", both)
    assert changed("deployment.team-b/tags.rate=3", situation=both).deployment(twin.key).demand.arrival_rate_rps == 3.0


# --- What cannot be assumed ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("pool.gpu-h10.price=3", "did you mean pool.gpu-h100"),
        ("pool.gpu-h100.pric=3", "did you mean pool.gpu-h100.price"),
        ("deployment.chatt.rate=3", "did you mean deployment.chat"),
        ("slo.ttft.p59=3s", "did you mean slo.ttft.p95"),
        ("variant.l5.replicas.max=3", "did you mean variant.l4.replicas.max"),
        ("weather=fine", "What can be: rate, promptTokens"),
    ],
)
def test_a_path_that_is_not_there_is_told_with_near_ones_and_with_all_there_are(text: str, told: str) -> None:
    message = refused(text)
    assert told in message
    assert message.startswith(f"--if {text.partition('=')[0]}: ")


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("pool.gpu-h100.price=cheap", "US dollars per hour of a node, such as 2.10"),
        ("pool.gpu-h100.price=-1", "US dollars"),
        ("pool.gpu-h100.price=inf", "US dollars"),
        ("pool.gpu-h100.nodes.max=2.5", "a whole number"),
        ("pool.gpu-h100.nodes.max=-2", "a whole number"),
        ("pool.gpu-h100.priceKind=spot", "OnDemand, Spot or Paid"),
        ("pool.gpu-h100.stockedOut=maybe", "yes or no"),
        ("slo.ttft.p95=500", "a duration above zero, such as 500ms"),
        ("slo.ttft.p95=0ms", "a duration above zero"),
        ("policy.headroom=1", "from 0 to below 1"),
        ("promptTokens=0", "1 or more"),
        ("rate=", "requests per second"),
    ],
)
def test_a_value_that_is_not_of_its_unit_is_told_with_the_unit(text: str, unit: str) -> None:
    assert unit in refused(text)


@pytest.mark.parametrize("text", ["rate", "=3", ""])
def test_a_text_that_assigns_nothing_shows_how_to_write_it(text: str) -> None:
    assert "PATH=VALUE" in refused(text)


def test_without_a_deployment_in_question_its_fields_need_a_name() -> None:
    with pytest.raises(InvalidObject, match=r"deployment\.NAME\.rate"):
        assume(a_situation(), ["rate=3"])
    made, _ = assume(a_situation(), ["deployment.chat.rate=3"])
    assert made.deployment(CHAT).demand.arrival_rate_rps == 3.0


def test_a_later_assumption_stands_on_the_earlier_ones() -> None:
    _, assumed = assume(a_situation(), ["rate=3", "rate=4"], CHAT)
    assert [one.now for one in assumed] == ["10", "3"]
