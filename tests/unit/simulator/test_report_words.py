"""The first paragraph says who won, by how much, at which attainment, and what the goal was."""

from collections.abc import Sequence

import pytest

from plimsoll.simulator.report import wording
from plimsoll.simulator.report.standing import standing
from plimsoll.simulator.result import ScenarioResult
from unit.simulator.reports import a_scenario_result


def _said(found: ScenarioResult, goal: float = 0.99) -> tuple[str, str]:
    told = standing(found, goal)
    return wording.headline(told), " ".join(wording.paragraphs(found, told))


def _of(policies: Sequence[tuple[str, float, float]], seeds: Sequence[int] = (1,)) -> ScenarioResult:
    return a_scenario_result(policies, seeds, hours=1.0)


def test_the_winner_is_the_cheapest_that_keeps_the_goal() -> None:
    found = _of([("plimsoll", 10.0, 0.9951), ("hpa=0.7", 12.5, 0.991), ("hpa=0.9", 9.0, 0.95), ("kpa", 7.0, 0.9)])
    headline, text = _said(found)
    assert headline == "plimsoll won, 20% cheaper than the next"
    assert "The goal was 99% of all requests within their SLO." in text
    assert "plimsoll kept it for the least money: 10.00 USD for 1 hour, with 99.51% of requests" in text
    assert "The next that kept it is hpa=0.7 with 12.50 USD and 99.10%: plimsoll is 20% cheaper." in text
    assert "could not have cost less than 8.00 USD: plimsoll paid 1.25 times that" in text
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
        ([("a", 10.0, 0.995), ("b", 5.0, 0.5)], "a alone kept the goal", "No other policy kept the goal"),
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
