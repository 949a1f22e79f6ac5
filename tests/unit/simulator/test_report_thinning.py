"""What is drawn is thinned so that the worst stays to be seen."""

import math

import numpy as np

from plimsoll.domain import LatencyMetric, ObjectKey
from plimsoll.simulator.report import thinning
from plimsoll.simulator.report.series import drawn_run, short
from plimsoll.simulator.report.standing import standing
from plimsoll.simulator.result import LatencySeries, ModelSeries, RunResult, ScenarioResult
from unit.simulator.reports import CHAT, a_run, a_scenario_result


def _detail(found: ScenarioResult) -> thinning.Detail:
    return thinning.detail([(found, standing(found, 0.99).best)])


def test_a_short_run_keeps_every_minute() -> None:
    assert thinning.edges(5, 480).tolist() == [0, 1, 2, 3, 4, 5]
    assert _detail(a_scenario_result()) == thinning.Detail(480, 12, 3, False)


def test_intervals_cover_all_minutes_and_none_is_empty() -> None:
    edges_b = thinning.edges(1007, 100)
    assert (edges_b[0], edges_b[-1]) == (0, 1007)
    assert np.diff(edges_b).min() >= 10


def test_the_worst_of_each_interval_is_kept() -> None:
    value_m, edges_b = np.array([1.0, 9.0, math.nan, math.nan, 3.0, math.inf]), np.array([0, 2, 4, 6])
    assert short(thinning.worst_b(value_m, edges_b)) == [9, None, -1]
    assert thinning.means_b(np.array([1.0, 3.0, 5.0, 5.0]), np.array([0, 2, 4])).tolist() == [2.0, 5.0]


def test_demand_and_lines_are_those_of_the_same_tightest_minute() -> None:
    demand_m, line_m = np.array([5.0, 4.0, 1.0, 2.0]), np.array([9.0, 4.0, 3.0, 9.0])
    # Gaps: -4, 0 | -2, -7.
    assert thinning.tightest_b(demand_m, line_m, np.array([0, 2, 4])).tolist() == [1, 2]


def test_first_the_settings_that_are_nobody_s_best_go_then_seeds_then_models() -> None:
    models = tuple(ObjectKey("team-a", f"m{number}") for number in range(14))
    settings = [(f"p{number}={target}", 10.0 + target, 0.99) for number in range(10) for target in range(5)]
    many = a_scenario_result(settings, (1, 2, 3), hours=4.0, models=models)
    detail = _detail(many)
    assert detail.only_best
    assert {run.policy for run in thinning.drawn(many, standing(many, 0.99).best, detail)} == {
        f"p{number}=0" for number in range(10)
    }
    families = [(f"p{number}", 10.0, 0.99) for number in range(60)]
    detail = _detail(a_scenario_result(families, (1, 2, 3), hours=4.0, models=models))
    assert (detail.seeds, detail.only_best) == (1, True)
    assert detail.intervals >= 200


def test_latencies_without_a_limit_are_drawn_only_where_none_has_one() -> None:
    told = drawn_run(a_run(), [str(CHAT)], 480, 10)["models"][str(CHAT)]["latencies"]
    assert [one["metric"] for one in told] == ["ttft"]
    nan_m = np.full(120, math.nan)
    free = ModelSeries(CHAT, "org/model", nan_m, nan_m, nan_m, nan_m, {},
                       (LatencySeries(LatencyMetric.E2E, None, None, nan_m, nan_m, nan_m),))  # fmt: skip
    run = RunResult("s", "p", 1, 2.0, 1.0, 0.0, 0, 0, 1.0, 1.0, (), (), (free,))
    assert drawn_run(run, [str(CHAT)], 480, 10)["models"][str(CHAT)]["latencies"][0]["p95"][0] is None


def test_the_sum_of_all_models_tells_how_many_were_above_their_own_line() -> None:
    # Together they are below the sum of their lines.
    demand_m, line_m = np.array([1.0, 1.0, 5.0, 1.0]), np.full(4, 4.0)
    busy, idle = (
        ModelSeries(key, "org/model", one_m, line_m * 2, line_m, np.ones(4), {}, ())
        for key, one_m in ((CHAT, demand_m), (ObjectKey("team-a", "idle"), np.zeros(4)))
    )
    run = RunResult("s", "p", 1, 4 / 60, 1.0, 0.0, 0, 0, 1.0, 1.0, (), (), (busy, idle))
    assert drawn_run(run, [], 480, 10)["all"]["over"] == [0, 0, 1, 0]
    assert drawn_run(run, [], 2, 10)["all"]["over"] == [0, 1]
