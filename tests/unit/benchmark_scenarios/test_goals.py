"""Verdicts: what counts as reached."""

from dataclasses import replace

import numpy as np

from plimsoll.simulator.attribution import STEPS
from plimsoll.simulator.result import RunResult, ScenarioResult
from scenario_folders.goals import Goal, Verdict, breaks_even, cheaper, cheapest, never_rises, within_bound
from scenario_folders.page import page, report
from scenario_folders.runs import Outcome
from unit.simulator.reports import CHAT, CODE, a_model

EXCESS_USD = dict.fromkeys(STEPS, 2.0)


def a_result(
    bound: float, name: str = "s", tokens: float = 1e6, **policies: tuple[float, float]
) -> dict[str, ScenarioResult]:
    runs = tuple(
        RunResult(name, label.replace("_", "@").replace("X", "="), 1, 1.0, usd, 0.0, 100, 0, attained, tokens)
        for label, (usd, attained) in policies.items()
    )
    return {name: ScenarioResult(name, runs, {1: bound}, {1: EXCESS_USD})}


def test_within_the_bound_needs_both_cost_and_attainment() -> None:

    judge = within_bound("s", 1.10)
    assert judge(a_result(10.0, plimsoll=(11.0, 0.99)), 0.99).reached
    assert not judge(a_result(10.0, plimsoll=(11.1, 0.99)), 0.99).reached
    assert not judge(a_result(10.0, plimsoll=(10.5, 0.98)), 0.99).reached
    assert judge(a_result(10.0, plimsoll=(11.1, 0.985)), 0.99).text == "1.11 x bound at 98.50%"


def test_baselines_that_miss_the_slo_are_not_compared() -> None:

    found = a_result(1.0, plimsoll=(8.0, 1.0), hpa=(7.0, 0.9), static=(10.0, 1.0))
    assert cheaper("s", 0.20)(found, 0.99).reached
    assert not cheaper("s", 0.21)(found, 0.99).reached
    assert "static" in cheaper("s", 0.2)(found, 0.99).text
    assert cheaper("s", 0.9)(a_result(1.0, plimsoll=(8.0, 1.0), hpa=(1.0, 0.5)), 0.99).reached


def test_only_baselines_on_the_named_hardware_are_compared() -> None:

    found = a_result(1.0, plimsoll=(8.0, 1.0), hpa_l4=(9.0, 1.0), hpa_h100X0_5=(7.0, 1.0))["s"]
    assert cheapest(found, 0.99, "l4") == ("hpa@l4", 9.0)
    assert cheapest(found, 0.99, "xeon") is None


def test_cost_per_token_must_not_rise() -> None:

    small = a_result(1.0, "a", 1e6, plimsoll=(2.0, 1.0))
    assert never_rises(("a", "b"))({**small, **a_result(1.0, "b", 3e6, plimsoll=(6.0, 1.0))}, 0.99).reached
    assert not never_rises(("a", "b"))({**small, **a_result(1.0, "b", 3e6, plimsoll=(6.1, 1.0))}, 0.99).reached


def test_break_even_is_told_between_the_volumes_that_were_played() -> None:

    found = {**a_result(1.0, "a", plimsoll=(5.0, 1.0)), **a_result(1.0, "b", plimsoll=(8.0, 1.0))}
    told = breaks_even(("a", "b"), {"a": 3.0, "b": 12.0})(found, 0.99)
    assert told.reached
    # From 1460 USD dearer to 2920 cheaper: a third of the way from 2190 to 8760.
    assert told.text.endswith("self-hosting wins from about 4380 USD a month at the API, 24.0 million tokens a day")
    assert "3650 against 2190 USD a month" in told.text
    assert breaks_even(("a",), {"a": 3.0})(found, 0.99).text.endswith("the API wins at every volume")
    assert "at every volume, from 8760 USD" in breaks_even(("b",), {"b": 12.0})(found, 0.99).text


def test_a_page_tells_missed_goals_like_reached_ones() -> None:

    result = a_result(10.0, plimsoll=(20.0, 1.0), hpa=(30.0, 1.0))["s"]
    goal = Goal(("s",), "<= 1.10 x bound", 0.99, within_bound("s", 1.10))
    text = page({"s": Outcome(result, {"hpa": "hpa"})}, [(goal, Verdict(False, "2.00 x bound")), (goal, None)])
    assert "| s | <= 1.10 x bound | 99% | 2.00 x bound | **missed** |" in text
    assert "not run" in text
    assert "| hpa | 30.00 ± 0.00 | 3.00 |" in text
    assert "sizing +2.00" in text


def test_a_run_that_keeps_the_slo_for_less_than_the_bound_is_told_and_one_that_misses_it_is_not() -> None:
    result = a_result(10.0, plimsoll=(8.0, 0.995), hpa=(7.0, 0.9))["s"]
    goal = Goal(("s",), "<= 1.10 x bound", 0.99, within_bound("s", 1.10))
    text = page({"s": Outcome(result, {"hpa": "hpa"})}, [(goal, None)])
    assert "plimsoll kept the SLO (99.50%) for 8.00 USD, less than the 10.00 USD of it" in text
    assert "hpa kept the SLO" not in text


def test_what_is_written_of_a_scenario_has_bound_figures_and_excess_by_station() -> None:
    told = Outcome(a_result(10.0, plimsoll=(20.0, 1.0), hpa=(30.0, 0.98))["s"], {"hpa": "hpa"}).as_data()
    assert told["bound_usd"] == 10.0
    assert told["excess_usd"] == EXCESS_USD
    figures = {"usd", "usd_per_million_tokens", "slo_attainment", "requests", "moves", "spread"}
    assert all(figures <= set(told["policies"][policy]) for policy in ("plimsoll", "hpa"))
    assert set(told["policies"]["hpa"]["spread"]) >= figures - {"spread"}


def test_the_page_of_a_scenario_shows_bound_and_excess() -> None:
    outcome = Outcome(a_result(10.0, plimsoll=(20.0, 1.0), hpa=(30.0, 0.98))["s"], {"hpa": "hpa"})
    text = report(outcome, "what it is about", 0.99)
    assert "plimsoll alone kept the goal" in text
    assert "it could not have cost less than 10.00 USD" in text
    assert '{"cause":"sizing","usd":2.0}' in text
    assert "what it is about" in text


def test_a_missed_goal_says_why_and_in_how_many_minutes_its_requests_were_missed() -> None:
    result = a_result(10.0, "burst", plimsoll=(20.0, 0.9), hpa=(30.0, 0.8))["burst"]
    within_m = np.array([1.0, 0.5, np.nan, 0.98])
    chat = replace(a_model(CHAT, np.array([5.0, 10.0, 0.0, 5.0])), within_slo_m=within_m)
    ours, rival = result.runs
    result = replace(result, runs=(replace(ours, hours=4.0 / 60.0, models=(chat,)), rival))
    goal = Goal(("burst",), ">= 97%", 0.97, within_bound("burst", 1.10))
    found = {"burst": Outcome(result, {"hpa": "hpa=0.5"})}
    missed = page(found, [(goal, Verdict(False, "90.00%"))])
    assert "**burst.** Nearly all that is missed" in missed.replace("\n", " ")
    # 5 req/s of the second minute are missed, a tenth in the fourth, none where nothing came.
    assert "fall into 1 of 4 minutes" in missed.replace("\n", " ")
    assert "Why goals are missed" not in page(found, [(goal, Verdict(True, "99.00%"))])


def test_a_goal_of_the_bound_says_how_far_from_it_a_fleet_is_that_leaves_nobody_out() -> None:
    within = Goal(("s",), "<= 1.10 x bound", 0.99, within_bound("s", 1.10))
    share = Goal(("s",), ">= 97% within the SLO", 0.97, within_bound("s", 1.10))

    def told(goal: Goal, bound_usd: float) -> str:
        found = {"s": Outcome(a_result(bound_usd, plimsoll=(20.0, 1.0))["s"], {})}
        return page(found, [(goal, Verdict(False, "2.00 x bound"))]).replace("\n", " ")

    # 2 USD of chance over a bound of 10.
    assert "would pay 1.20 x bound." in told(within, 10.0)
    assert "would pay" not in told(share, 10.0)
    # Where everything is paid for already the bound is nothing, and has no multiples.
    assert "would pay" not in told(within, 0.0)


def test_a_table_of_several_models_shows_the_worst() -> None:
    one_model = a_result(10.0, plimsoll=(20.0, 0.99))["s"]
    (ours,) = one_model.runs
    by_model = {CHAT: 0.995, CODE: 0.61237}
    several = replace(one_model, runs=(replace(ours, by_model=by_model),))
    goal = Goal(("s",), "<= 1.10 x bound", 0.99, within_bound("s", 1.10))
    text = page({"s": Outcome(several, {})}, [(goal, None)])
    assert "| in SLO | worst model | dropped |" in text
    assert "| 99.00% | 61.23% | 0 |" in text
    assert "worst model |" not in page({"s": Outcome(one_model, {})}, [(goal, None)])


def test_a_page_says_which_setting_came_nearest_and_which_baselines_are_of_an_earlier_state() -> None:
    result = a_result(10.0, plimsoll=(20.0, 1.0), hpa=(30.0, 0.8), hpaX1=(40.0, 0.98), kpa=(1.0, 0.9), kpaX1=(9.0, 1.0))
    found = {"s": Outcome(result["s"], {"hpa": "hpa=1", "kpa": "kpa=1"})}
    goal = Goal(("s",), "<= 1.10 x bound", 0.99, within_bound("s", 1.10))
    text = page(found, [(goal, None)], older_of_baselines=7, older_of_ours={"s"})
    assert "| hpa=1 (nearest) |" in text
    assert "| kpa=1 (best) |" in text
    assert "7 runs of baselines were made by an earlier state" in text
    assert "of an earlier state of its code in s." in text.replace("\n", " ")
    assert "earlier state" not in page(found, [(goal, None)])
