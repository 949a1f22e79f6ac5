"""Does `plimsoll explain -f` tell a decision, what would change it, and what would be if, from manifests alone?"""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from plimsoll.cli import app
from plimsoll.errors import InvalidObject
from unit.cli.test_plan import KINDS, write_world
from unit.observe.manifests import (
    a_deployment_manifest,
    a_pool_manifest,
    a_profile_manifest,
    a_variant_spec,
    a_workload,
)

NO_REPLICAS = {"replicas": {"min": 0, "max": 0}}
DEMAND = ("--demand", "chat=5:800/200")
TWO_VARIANTS = [
    a_variant_spec(),
    a_variant_spec("l4", target="chat-l4", pool="gpu-l4", profile="llama-l4"),
]


def explain(folder: Path, *arguments: str, name: str = "chat") -> Result:
    return CliRunner().invoke(app, ["explain", name, "-f", str(folder), "-n", "team-a", "--quick", *arguments])


def told(folder: Path, *arguments: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(explain(folder, *DEMAND, "-o", "json", *arguments).stdout)
    return document


def write_objects(folder: Path, **deployments: Any) -> None:
    for name, one in deployments.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({"kind": "InferenceDeployment", **one}))


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """`chat` on an H100 node at 12 USD/h or on a smaller L4 node at 15 USD/h: the H100 wins."""
    write_world(tmp_path, variants=TWO_VARIANTS)
    others = (
        a_pool_manifest("gpu-l4", hardware="l4", price={"onDemandPerHour": "15.00"}),
        a_profile_manifest("llama-l4", hardware="l4"),
        a_workload("chat-l4", replicas=0),
    )
    objects = [{"apiVersion": "x/v1", "kind": kind, **one} for kind, one in zip(KINDS[1:], others, strict=True)]
    (tmp_path / "l4.yaml").write_text(yaml.safe_dump_all(objects))
    return tmp_path


# --- Without a question ----------------------------------------------------------------------------------------------


def test_the_page_says_what_runs_what_it_costs_what_lost_and_at_which_price_it_would_not(world: Path) -> None:
    result = explain(world, *DEMAND)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    starts = [line.split("  ")[0] for line in lines]
    assert lines[1].startswith("plan       1 x h100 on gpu-h100 at $12.00/h (next best: l4 at $15.00/h)")
    assert "would turn l4 costs no more if a node of gpu-h100 rises from $12.000/h to $15.000/h" in lines
    assert "           l4 costs no more once a node of gpu-l4 falls from $15.000/h to $12.000/h" in lines
    assert {"runs", "why", "latency", "cost", "not taken", "demand", "bound"} <= set(starts)


def test_the_document_is_the_status_without_conditions(world: Path) -> None:
    status = told(world)
    assert "conditions" not in status
    assert status["cost"]["nextBest"] == {
        "label": "l4",
        "perHour": "15.00",
        "breakEven": [
            {"pool": "gpu-h100", "nowPerHour": "12.000", "perHour": "15.000"},
            {"pool": "gpu-l4", "nowPerHour": "15.000", "perHour": "12.000"},
        ],
    }


def test_without_demand_it_asks_for_it(world: Path) -> None:
    result = explain(world)
    assert result.exit_code == 0
    assert "add --demand team-a/chat=RATE" in result.stdout


def test_demand_that_finds_no_room_ends_with_1(world: Path) -> None:
    assert explain(world, "--demand", "chat=100000:800/200").exit_code == 1


def test_what_lost_by_a_limit_comes_with_the_question_to_ask(world: Path) -> None:
    write_objects(world, zero=a_deployment_manifest(variants=[TWO_VARIANTS[0], {**TWO_VARIANTS[1], **NO_REPLICAS}]))
    assert "ask        plimsoll explain chat --if variant.l4.replicas.max=1" in explain(world, *DEMAND).stdout


# --- What if ---------------------------------------------------------------------------------------------------------


def test_a_question_is_answered_with_before_after_and_the_reason(world: Path) -> None:
    answer = told(world, "--if", "pool.gpu-l4.price=2.10")
    (chat,) = answer["deployments"]
    assert answer["assumed"] == [{"path": "pool.gpu-l4.price", "value": "2.10", "now": "15"}]
    assert answer["usdPerHour"] == {"before": 12.0, "after": 2.1}
    assert (chat["before"]["replicas"], chat["after"]["replicas"]) == ({"h100": 1, "l4": 0}, {"h100": 0, "l4": 1})
    assert (chat["changes"], chat["after"]["sloKept"]) == (True, True)
    assert chat["reason"] == "1 x h100 would lose: $12.00/h, 9.90 USD/h more (Dearer)"
    assert answer["turningPoints"] == []


def test_the_keys_of_an_answer_are_those_of_the_manual(world: Path) -> None:
    answer = told(world, "--if", "rate=6", "--turning-points")
    assert set(answer) == {"assumed", "usdPerHour", "deployments", "turningPoints"}
    (one,) = answer["deployments"]
    assert set(one) == {"namespace", "name", "changes", "reason", "before", "after"}
    assert set(one["after"]) == {
        "replicas",
        "requiredRate",
        "shortfallRate",
        "usdPerHour",
        "usdPerMillionTokens",
        "sloKept",
        "slo",
    }
    assert set(answer["turningPoints"][0]) == {
        "quantity",
        "pool",
        "now",
        "at",
        "reach",
        "then",
        "allDemandFindsRoom",
        "sameCostAt",
    }


def test_several_things_are_assumed_at_once_and_the_page_shows_both_plans(world: Path) -> None:
    result = explain(world, *DEMAND, "--if", "pool.gpu-l4.price=2.10", "--if", "rate=40")
    assert result.exit_code == 0
    assert "if         pool.gpu-l4.price = 2.10 (now 15)" in result.stdout
    assert "           rate = 40 (now 5)" in result.stdout
    assert "then       1 x h100 -> " in result.stdout
    assert "SLO        now: kept: ttft p95 " in result.stdout


def test_an_assumption_under_which_the_slo_is_missed_ends_with_1(world: Path) -> None:
    result = explain(world, *DEMAND, "--if", "rate=100000")
    assert result.exit_code == 1
    assert "the SLO is MISSED" in result.stdout


def test_what_cannot_be_assumed_is_bad_input(world: Path) -> None:
    error = explain(world, *DEMAND, "--if", "pool.gpu-l5.price=2").exception
    assert isinstance(error, InvalidObject)
    assert "did you mean pool.gpu-l4" in str(error)


def test_who_else_would_change_is_told(world: Path) -> None:
    tags = a_deployment_manifest("tags", variants=[a_variant_spec(target="tags-h100")])
    target = a_workload("tags-h100", replicas=0)
    objects = [{"kind": "InferenceDeployment", **tags}, {"kind": "Deployment", **target}]
    (world / "tags.yaml").write_text(yaml.safe_dump_all(objects))
    result = explain(world, *DEMAND, "--demand", "tags=5:800/200", "--if", "deployment.tags.rate=100")
    assert "others     team-a/tags: 1 x h100 -> " in result.stdout


# --- Turning points --------------------------------------------------------------------------------------------------


def test_turning_points_are_told_by_price_and_by_demand(world: Path) -> None:
    points = told(world, "--turning-points")["turningPoints"]
    assert [(one["quantity"], one["pool"]) for one in points] == [
        ("price", "gpu-h100"),
        ("price", "gpu-l4"),
        ("rate", None),
        ("rate", None),
    ]
    own = points[1]
    assert (own["now"], own["sameCostAt"], own["then"]) == (15.0, 12.0, "1 x l4")
    assert 11.5 < own["at"] <= 12.0  # at 2% below the plan's cost a plan gives way


def test_the_page_says_where_it_turns_and_where_nothing_does(world: Path) -> None:
    lines = explain(world, *DEMAND, "--turning-points").stdout.splitlines()
    assert lines[0] == "team-a/chat  1 x h100 at $12.00/h"
    assert lines[2] == "           a node of gpu-l4: at $12/h or less (now $15/h): 1 x l4"
    assert any("demand: nothing changes down to " in one for one in lines)


# --- Bad input -------------------------------------------------------------------------------------------------------


def test_a_name_that_is_not_there_is_told_with_those_that_are(world: Path) -> None:
    error = explain(world, *DEMAND, name="chatt").exception
    assert isinstance(error, InvalidObject)
    assert "team-a/chat" in str(error)


def test_a_deployment_that_cannot_be_planned_says_why(tmp_path: Path) -> None:
    write_world(tmp_path, variants=[a_variant_spec(pool="no-such-pool")])
    error = explain(tmp_path).exception
    assert isinstance(error, InvalidObject)
    assert "no-such-pool" in str(error)


def test_demand_without_manifests_is_bad_input() -> None:
    error = CliRunner().invoke(app, ["explain", "chat", *DEMAND]).exception
    assert isinstance(error, InvalidObject)
    assert "--if rate=40" in str(error)


# --- The fleet -------------------------------------------------------------------------------------------------------


def test_plan_compares_the_whole_fleet(world: Path) -> None:
    arguments = ["plan", "-f", str(world), "-n", "team-a", "--quick", *DEMAND, "--if", "pool.gpu-l4.price=2.10"]
    page = CliRunner().invoke(app, arguments)
    assert page.exit_code == 0
    assert "total      $12.00/h -> $2.10/h (-9.90)" in page.stdout
    assert "because    chat: 1 x h100 would lose" in page.stdout
    answer = json.loads(CliRunner().invoke(app, [*arguments, "-o", "json"]).stdout)
    assert set(answer) == {"assumed", "usdPerHour", "deployments"}
    short = CliRunner().invoke(app, [*arguments, "--if", "deployment.chat.rate=100000"])
    assert short.exit_code == 1
