"""The first paragraph says who won, by how much, at which attainment, and what the goal was."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from plimsoll.simulator.report import verdict, wording
from plimsoll.simulator.result import ScenarioResult
from unit.simulator.reports import a_run, a_scenario_result


def _said(found: ScenarioResult, goal: float = 0.99) -> tuple[str, str]:
    return verdict.headline(found, goal), " ".join(verdict.paragraphs(found, goal))


def _of(policies: Sequence[tuple[str, float, float]], seeds: Sequence[int] = (1,)) -> ScenarioResult:
    return a_scenario_result(policies, seeds, hours=1.0)


def test_the_winner_is_the_cheapest_that_keeps_the_goal() -> None:
    found = _of([("plimsoll", 10.0, 0.9951), ("hpa=0.7", 12.5, 0.991), ("hpa=0.9", 9.0, 0.95), ("kpa", 7.0, 0.9)])
    headline, text = _said(found)
    assert headline == "plimsoll won, 20% cheaper than the next"
    assert "The goal was 99% of all requests within their SLO." in text
    assert "plimsoll kept it for the least money: 10.00 USD for 1 hour, with 99.51% of requests" in text
    assert "The next that kept it is hpa=0.7 with 12.50 USD and 99.10%: plimsoll is 20% cheaper." in text
    assert "could not have cost less than 8.00 USD while keeping the goal: plimsoll paid 1.25 times that" in text
    # Of hpa its setting that keeps the goal is compared, so its cheaper one is not told here.
    assert "Cheaper, but short of the goal: kpa (7.00 USD, 90.00%)." in text


def test_a_rival_that_wins_is_told_as_plainly() -> None:
    headline, text = _said(_of([("plimsoll", 12.0, 0.995), ("hpa", 10.0, 0.99)]))
    assert headline == "hpa won, 17% cheaper than the next"
    assert "hpa is 17% cheaper" in text


def test_seeds_are_counted_one_by_one() -> None:
    _, text = _said(_of([("plimsoll", 10.0, 0.995), ("hpa", 10.9, 0.99)], seeds=(1, 2, 3)))
    assert "(mean over 3 seeds)" in text
    assert "in 3 of 3 seeds" in text


@pytest.mark.parametrize(
    ("policies", "headline", "text"),
    [
        ([("a", 10.0, 0.995), ("b", 10.01, 0.995)], "a and b cost the same", "b did it for the same money"),
        (
            [("a", 10.0, 0.995), ("b", 5.0, 0.5)],
            "a alone kept the goal",
            "No other policy kept the goal in the settings tried.",
        ),
        ([("a", 10.0, 0.995)], "a kept the goal", "No other policy was simulated."),
        ([("a", 10.0, 0.98), ("b", 5.0, 0.5)], "Nobody kept the goal", "a came closest: 98.00% of requests"),
        ([("a", 10.0, 0.98)], "It missed the goal", "No policy kept it."),
        ([], "Nothing was simulated", "there is nothing to compare"),
    ],
)
def test_other_outcomes(policies: Sequence[tuple[str, float, float]], headline: str, text: str) -> None:
    told = _said(_of(policies))
    assert told[0] == headline
    assert text in told[1]


def test_whoever_misses_the_goal_is_not_measured_by_what_keeping_it_costs() -> None:
    _, text = _said(_of([("plimsoll", 10.0, 0.98)]))
    assert text.endswith("it could not have cost less than 8.00 USD while keeping the goal.")


def test_a_bound_that_somebody_undercut_is_said_to_be_none() -> None:
    found = _of([("plimsoll", 7.9, 0.9951), ("hpa", 12.0, 0.995)], seeds=(1, 2))
    _, text = _said(found)
    assert "The bound is none here" in text
    assert "with seed 1 plimsoll kept the goal (99.51%) for 7.90 USD, less than the 8.00 USD" in text
    assert "could not have cost less" not in text
    # Missing the goal for less says nothing about it.
    assert "could not have cost less" in _said(_of([("plimsoll", 9.0, 0.995), ("hpa", 5.0, 0.9)]))[1]


def test_a_mean_below_the_bound_of_each_seed_that_keeps_the_goal_shows_nothing() -> None:
    runs = (a_run(seed=1, usd=5.0, attainment=0.985), a_run(seed=2, usd=8.0, attainment=0.997))
    _, text = _said(ScenarioResult("made-up", runs, {1: 6.0, 2: 7.5}))
    assert "could not have cost less than 6.75 USD while keeping the goal with every seed" in text
    assert "plimsoll paid less, 6.50 USD: it kept it in the mean only." in text


def test_cost_and_bound_are_those_of_the_same_seeds() -> None:
    found = ScenarioResult("made-up", (a_run(seed=1, usd=9.0), a_run(seed=2, usd=30.0)), {1: 6.0})
    _, text = _said(found)
    assert "less than 6.00 USD while keeping the goal (seed 1 alone has a bound): plimsoll paid 1.50 times" in text
    assert verdict.bound_text(found) == "6.00 USD, seed 1 alone"
    assert verdict.bound_text(replace(found, bound_usd={1: 6.0, 2: 8.0})) == "7.00 USD"


def test_after_an_early_end_policies_are_compared_by_the_seeds_that_all_have() -> None:
    # The second seed is dear for everyone, and hpa has not played it.
    runs = (a_run(seed=1, usd=9.0), a_run(seed=2, usd=30.0), a_run("hpa", seed=1, usd=12.0))
    headline, text = _said(ScenarioResult("made-up", runs))
    assert headline == "plimsoll won, 25% cheaper than the next"
    assert "The simulation was ended early: what is said here is of seed 1 alone" in text
    assert "hpa with 12.00 USD and 99.50%: plimsoll is 25% cheaper." in text
    _, apart = _said(ScenarioResult("made-up", runs[1:]))
    assert "the policies have no seed in common" in apart
    assert "ended early" not in _said(ScenarioResult("made-up", runs[:2]))[1]


def test_a_share_is_never_rounded_up_to_the_goal() -> None:
    assert wording.share(0.989999) == "98.99%"
    assert wording.share(0.999999) == "99.99%"
    assert wording.share(1.0) == "100.00%"
    assert wording.share(0.29) == "29.00%"
    assert wording.share(None) == "–"


@pytest.mark.parametrize(
    ("value", "text"),
    [(12345.6, "12,346"), (12.345, "12.35"), (0.0, "0.00"), (0.1, "0.100"), (0.01234, "0.0123"), (2e-5, "2.0e-05"),
     (None, "–"), (float("inf"), "–")],
)  # fmt: skip
def test_amounts_have_the_digits_that_mean_something(value: float | None, text: str) -> None:
    assert wording.amount(value) == text


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ([12.3456, 4.0, None], ["12.35", "4.00", "–"]),
        ([0.1702, 0.0699, 0.68], ["0.170", "0.070", "0.680"]),
        ([20.0, 0.0123], ["20.000", "0.012"]),
        ([12345.6, 11.2], ["12,346", "11"]),
        ([0.0, None], ["0.00", "–"]),
    ],
)
def test_numbers_of_a_column_have_the_same_decimals(values: list[float | None], texts: list[str]) -> None:
    assert wording.amounts(values) == texts


def test_counts_of_a_column_have_a_decimal_where_one_of_them_needs_it() -> None:
    assert wording.counts([28.0, 36.5, None]) == ["28.0", "36.5", "–"]
    assert wording.counts([28.0, 41510.0]) == ["28", "41,510"]


@pytest.mark.parametrize(
    ("hours", "text"),
    [
        (0.75, "45 minutes"),
        (1.0, "1 hour"),
        (6.0, "6 hours"),
        (24.0, "24 hours"),
        (168.0, "7 days"),
        (1 / 60, "1 minute"),
    ],
)
def test_spans(hours: float, text: str) -> None:
    assert wording.span(hours) == text


def test_other_numbers() -> None:
    assert (wording.count(1234567.0), wording.count(2.5), wording.count(None)) == ("1,234,567", "2.5", "–")
    assert (wording.points(0.0123), wording.points(None)) == ("1.23", "–")
    assert (wording.ratio(1.256), wording.ratio(None)) == ("1.26×", "–")
    assert (wording.usd(None), wording.plain_share(0.995)) == ("–", "99.5%")
