"""Sweeps: which setting of a baseline is compared."""

from statistics import fmean

from plimsoll.simulator.result import RunResult
from plimsoll.simulator.sweep import by_preference, keeps, name_of, settings


def a_run(label: str, usd: float, attained: float, seed: int = 1) -> RunResult:
    return RunResult("s", label, seed, 1.0, usd, 0.0, 1000, 0, attained, 1e6)


def test_a_policy_is_tried_as_it_comes_and_with_other_targets() -> None:
    assert settings("hpa@l4")[:2] == ("hpa@l4", "hpa@l4=0.3")
    assert settings("plimsoll") == ("plimsoll",)
    assert name_of("hpa@l4=0.3") == "hpa@l4"


def test_the_cheapest_setting_that_keeps_the_goal_in_the_mean_is_the_best() -> None:
    results = {
        "hpa": [a_run("hpa", 5.0, 0.97)],
        "hpa=0.6": [a_run("hpa=0.6", 7.0, 0.999, 1), a_run("hpa=0.6", 7.0, 0.985, 2)],  # 0.992
        "hpa=0.5": [a_run("hpa=0.5", 8.0, 1.0)],
    }
    assert by_preference(results, 0.99) == ["hpa=0.6", "hpa=0.5"]
    assert not keeps(results["hpa"], 0.99)
    assert not keeps([], 0.0)


def test_where_nothing_keeps_the_goal_the_most_attained_comes_first() -> None:
    results = {"kpa": [a_run("kpa", 5.0, 0.8)], "kpa=0.5": [a_run("kpa=0.5", 9.0, 0.9)]}
    assert by_preference(results, 0.99) == ["kpa=0.5", "kpa"]


def test_three_times_the_goal_keeps_it_although_their_mean_is_rounded_below() -> None:
    assert fmean([0.99] * 3) < 0.99
    assert keeps([a_run("hpa", 5.0, 0.99, seed) for seed in (1, 2, 3)], 0.99)
    assert not keeps([a_run("hpa", 5.0, 0.98999)], 0.99)
