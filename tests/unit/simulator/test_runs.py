"""Runs of scenarios by policies by seeds are told apart, gathered and written as JSON."""

import json
from pathlib import Path
from typing import Any

import pytest

from plimsoll.domain import ObjectKey
from plimsoll.errors import InvalidObject
from plimsoll.simulator.attribution import STEPS
from plimsoll.simulator.bounded import is_quick
from plimsoll.simulator.policies import POLICIES, listed, parsed
from plimsoll.simulator.result import RunResult, ScenarioResult, to_json
from plimsoll.simulator.runs import Done, do, gathered, jobs, with_bounds
from unit.simulator.folders import a_scenario


def a_result(policy: str = "plimsoll", seed: int = 1, **overrides: Any) -> RunResult:
    figures: dict[str, Any] = {
        "scenario": "small", "hours": 1.0, "usd": 10.0, "paid_usd": 1.0, "requests": 100, "dropped": 0,
        "slo_attainment": 0.99, "tokens": 5e6,
    }  # fmt: skip
    return RunResult(policy=policy, seed=seed, **{**figures, **overrides})


def test_every_policy_meets_every_seed(tmp_path: Path) -> None:
    made = jobs([a_scenario(tmp_path, seeds=[4, 9])], ["plimsoll"], seeds=None)
    assert [(job.policy, job.seed) for job in made] == [("plimsoll", 4), ("plimsoll", 9)]


def test_more_seeds_than_the_scenario_names_follow_its_last(tmp_path: Path) -> None:
    scenario = a_scenario(tmp_path, seeds=[4, 9])
    assert [job.seed for job in jobs([scenario], seeds=1)] == [4]
    assert [job.seed for job in jobs([scenario], seeds=4)] == [4, 9, 10, 11]


def test_a_policy_that_is_not_there_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(InvalidObject, match="there is no policy magic: take some of plimsoll"):
        jobs([a_scenario(tmp_path)], ["plimsoll", "magic"])


def test_a_variant_that_is_not_there_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(InvalidObject, match="policy hpa@l4: no deployment has a variant l4: h100"):
        jobs([a_scenario(tmp_path)], ["hpa@l4"])


def test_demand_that_is_not_there_is_refused_before_anything_runs(tmp_path: Path) -> None:
    absent = [{"deployment": "chat", "requests": {"file": "absent.csv"}}]
    with pytest.raises(InvalidObject, match=r"demand\[0\].requests.file is absent.csv"):
        jobs([a_scenario(tmp_path, demand=absent)])


def test_a_policy_may_have_a_target_and_variants_of_its_own() -> None:
    assert parsed("hpa") == (POLICIES["hpa"], POLICIES["hpa"].default_target, ())
    assert parsed("hpa=0.6") == (POLICIES["hpa"], 0.6, ())
    assert parsed("hpa@l4+h100=0.6") == (POLICIES["hpa"], 0.6, ("l4", "h100"))


@pytest.mark.parametrize(
    ("label", "told"),
    [
        ("hpa=0", "a target is more than 0; write hpa or, say, hpa=0.3"),
        ("hpa=-1", "a target is more than 0"),
        ("hpa=nan", "a target is more than 0"),
        ("hpa=inf", "a target is more than 0"),
        ("hpa=", "nothing is no number"),
        ("hpa@l4=much", "much is no number; write hpa@l4 or, say, hpa@l4=0.3"),
        ("hpa@", "a variant has no name; write hpa for all variants"),
        ("plimsoll=0.7", "plimsoll has no target that could be set; write plimsoll"),
    ],
)
def test_a_target_that_is_none_is_refused(label: str, told: str) -> None:
    with pytest.raises(InvalidObject) as error:
        parsed(label)
    assert str(error.value).startswith(f"policy {label}: ")
    assert told in str(error.value)


def test_policies_are_listed_with_blanks_or_without() -> None:
    assert listed("hpa, static ,,hpa") == ("hpa", "static")
    assert listed("") == ()


def test_what_is_done_is_gathered_in_order_whatever_came_first(tmp_path: Path) -> None:
    scenario = a_scenario(tmp_path, seeds=[1, 2, 3])
    made = jobs([scenario], ["plimsoll"])
    done = [
        Done(a_result(seed=seed, scenario=scenario.name), bound_usd=7.0 + seed, excess_usd={"sizing": 1.0 * seed})
        for seed in (3, 1)
    ]
    (found,) = gathered(made, done)
    assert [run.seed for run in found.runs] == [1, 3]
    assert found.bound_usd == {1: 8.0, 3: 10.0}
    assert found.excess_usd == {1: {"sizing": 1.0}, 3: {"sizing": 3.0}}
    assert found.as_data()["excess_usd"] == {"sizing": 2.0}
    assert gathered(made, []) == []


def test_each_seed_gets_one_bound_beside_plimsoll_where_it_runs(tmp_path: Path) -> None:
    scenario = a_scenario(tmp_path, seeds=[1, 2])
    made = with_bounds(jobs([scenario], ["hpa", "plimsoll"]), 0.02, [scenario.name])
    assert [(job.policy, job.may_miss) for job in made] == [("hpa", None), ("plimsoll", 0.02)] * 2
    made = with_bounds(jobs([scenario], ["hpa", "static"]), 0.02, [scenario.name])
    assert [(job.policy, job.may_miss) for job in made] == [("hpa", 0.02), ("static", None)] * 2
    made = with_bounds(jobs([scenario]), 0.02, [])
    assert [job.may_miss for job in made] == [None, None]


def test_a_week_of_one_variant_is_bounded_unasked_and_three_weeks_are_not(tmp_path: Path) -> None:
    assert is_quick(a_scenario(tmp_path, hours=168.0))
    assert not is_quick(a_scenario(tmp_path, hours=500.0))


def test_what_plimsoll_pays_over_the_bound_is_told_by_station(tmp_path: Path) -> None:
    (job,) = with_bounds(jobs([a_scenario(tmp_path, hours=0.05, seeds=[1])]), 0.01, [tmp_path.name])
    done = do(job)
    assert done.bound_usd is not None
    assert tuple(done.excess_usd) == STEPS
    assert done.bound_usd + sum(done.excess_usd.values()) == pytest.approx(done.run.usd)


def test_beside_another_policy_stands_the_bound_alone(tmp_path: Path) -> None:
    (job,) = with_bounds(jobs([a_scenario(tmp_path, hours=0.05, seeds=[1])], ["static"]), 0.01, [tmp_path.name])
    done = do(job)
    assert done.bound_usd is not None
    assert done.bound_usd <= done.run.usd
    assert done.excess_usd == {}


def test_the_json_holds_means_and_spreads_over_seeds() -> None:
    runs = (a_result(seed=1, usd=10.0), a_result(seed=2, usd=14.0, slo_attainment=0.97))
    data = json.loads(to_json([ScenarioResult("small", runs, bound_usd={1: 9.0, 2: 11.0})]))["scenarios"]["small"]
    assert data["bound_usd"] == 10.0
    told = data["policies"]["plimsoll"]
    assert told["usd"] == 12.0
    assert told["usd_per_million_tokens"] == 2.4  # 10 and 14 USD for 5 million tokens: 2.0 and 2.8
    assert told["slo_attainment"] == 0.98
    assert told["requests"] == 100.0
    assert told["moves"] == 0.0
    assert told["spread"]["usd"] == 4.0
    assert told["seeds"] == [1, 2]


def test_a_model_with_few_requests_is_not_hidden_by_the_share_of_all() -> None:
    runs = [
        a_result(seed=seed, by_model={ObjectKey("default", "chat"): chat, ObjectKey("default", "tags"): tags})
        for seed, chat, tags in ((1, 1.0, 0.5), (2, 0.7, 0.9))
    ]
    told = ScenarioResult("small", tuple(runs)).as_data()["policies"]["plimsoll"]
    assert told["slo_attainment"] == 0.99
    assert told["slo_attainment_by_model"] == {"default/chat": 0.85, "default/tags": 0.7}
    # Of each seed the worst: tags in one, chat in the other.
    assert told["worst_model_attainment"] == 0.6
    assert told["spread"]["worst_model_attainment"] == 0.2


def test_a_cost_without_tokens_is_no_number_in_json() -> None:
    data = json.loads(to_json([ScenarioResult("small", (a_result(tokens=0.0),))]))
    assert data["scenarios"]["small"]["policies"]["plimsoll"]["usd_per_million_tokens"] is None
    assert data["scenarios"]["small"]["bound_usd"] is None
