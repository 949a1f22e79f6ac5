"""Can what the report shows be read and understood, by finger and keyboard too? In headless Chromium."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from integration.report_page import EXCESS, TIME_CHARTS, a_file, shown_in
from plimsoll.domain import VariantKey
from plimsoll.simulator.result import Move, ScenarioResult
from unit.simulator.reports import a_run, a_scenario_result

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_what_a_finger_touched_is_told_until_it_touches_something_else(browser: "Browser", tmp_path: Path) -> None:
    shown = shown_in(browser, a_file(tmp_path), size=(390, 780), has_touch=True)
    x, y = shown.middle("#capacity svg[tabindex]")
    shown.page.touchscreen.tap(x, y)
    assert "demand" in shown.text("#tip")

    session = shown.page.context.new_cdp_session(shown.page)
    for kind, points in (
        ("touchStart", [{"x": x, "y": y}]),
        ("touchMove", [{"x": x + 30, "y": y}]),
        ("touchMove", [{"x": x + 60, "y": y}]),
        ("touchEnd", []),
    ):
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    assert shown.page.is_visible("#tip")
    assert shown.number_of('#cost .cursor[visibility="visible"]') == 1

    shown.page.touchscreen.tap(*shown.middle("#latency svg[tabindex]"))
    assert "p99" in shown.text("#tip")
    shown.page.touchscreen.tap(*shown.middle("#moves-card h3"))
    assert shown.page.is_hidden("#tip")
    assert shown.number_of('.cursor[visibility="visible"]') == 0

    shown.page.touchscreen.tap(*shown.middle('#scatter .mark[data-policy="static"] path >> nth=-1'))
    assert shown.page.input_value("#policy") == "static"
    assert "100.00% within SLO" in shown.text("#tip")
    assert shown.told == []


def test_columns_say_what_they_mean_to_those_without_a_mouse(browser: "Browser", tmp_path: Path) -> None:
    shown = shown_in(browser, a_file(tmp_path))
    heading = shown.page.locator("#figures-table thead button", has_text="× bound")
    heading.focus()
    assert shown.text("#tip").startswith("Cost divided by the bound")
    shown.page.keyboard.press("Escape")
    assert shown.page.is_hidden("#tip")
    described = shown.page.text_content(f"#{heading.get_attribute('aria-describedby')}")
    assert (described or "").startswith("Cost divided by the bound")
    for chart in (*TIME_CHARTS, "scatter"):
        assert shown.page.get_attribute(f"#{chart} svg[tabindex]", "role") == "application"


def test_where_plimsoll_s_money_went_is_shown_whoever_is_chosen(browser: "Browser", tmp_path: Path) -> None:
    both = {1: EXCESS, 2: {cause: usd + 1.0 for cause, usd in EXCESS.items()}}
    file = a_file(tmp_path, excess_usd=both)
    shown = shown_in(browser, file)
    shown.choose("policy", "static")
    assert shown.text("#excess-title") == "Where plimsoll's money above the bound went"
    assert "mean over 2 seeds" in shown.text("#excess-about")
    label = shown.page.get_attribute("#excess svg", "aria-label") or ""
    assert "chance +1.70, sizing +1.20, forecast +0.00, planning +0.70, rollout +0.90" in label
    assert [one.inner_text() for one in shown.page.locator("#excess dt").all()] == list(EXCESS)
    shown.choose("excess-seed", "2")
    assert "seed 2" in shown.text("#excess-about")
    assert "chance +2.20" in (shown.page.get_attribute("#excess svg", "aria-label") or "")


def test_a_reason_has_the_same_mark_in_every_run(browser: "Browser", tmp_path: Path) -> None:
    reasons = ("Bridging: x", "ScaleDown: y", "ScaleDown: z", "SomethingNew: w")
    key = VariantKey("team-a", "chat", "l4")
    runs = tuple(
        replace(
            a_run(policy, hours=1.0),
            moves=tuple(Move(60.0 * at, key, 2, 3 if at % 2 else 1, reason) for at, reason in enumerate(told)),
        )
        for policy, told in (("plimsoll", reasons), ("plimsoll@l4", reasons[::-1] + reasons[:1] * 3), ("hpa", ("", "")))
    )
    shown = shown_in(browser, a_file(tmp_path, (ScenarioResult("made-up", runs),)))

    def marks() -> set[tuple[str | None, str | None]]:
        return {
            (one.get_attribute("data-reason"), one.locator("path").first.get_attribute("fill"))
            for one in shown.page.locator("#moves .move").all()
        }

    shown.choose("policy", "plimsoll")
    first = marks()
    assert len({paint for _, paint in first}) == 3
    shown.choose("policy", "plimsoll@l4")
    assert marks() == first
    # A mark is told although what points at it is beside it.
    x, y = shown.middle("#moves .move[data-reason=Bridging] >> nth=0")
    shown.page.mouse.move(x + 5, y)
    assert "Bridging: x" in shown.text("#tip")
    # Up is more replicas, whatever the reason.
    above, below = (
        {one.bounding_box()["y"] for one in shown.page.locator(f'#moves .move[data-direction="{way}"]').all()}  # type: ignore[index]
        for way in ("up", "down")
    )
    assert max(above) < min(below)
    shown.choose("policy", "hpa")
    assert shown.text("#moves-about") == "2 moves of team-a/chat in this run; hpa gives no reasons for its moves."


def test_what_leaves_the_scale_is_said_at_its_edge(browser: "Browser", tmp_path: Path) -> None:
    run = a_run(hours=1.0)
    chat = run.models[0]
    wait_m = chat.latencies[0].p99_ms_m.copy()
    wait_m[20:25] = 61_000.0
    late = replace(chat.latencies[0], p99_ms_m=wait_m)
    # A hundred times what is asked for.
    roomy = replace(chat, latencies=(late,), ready_rps_m=chat.demand_rps_m * 0.0 + 300.0)
    quiet = replace(run, policy="static")
    runs = (replace(run, models=(roomy, run.models[1])), quiet)
    shown = shown_in(browser, a_file(tmp_path, (ScenarioResult("made-up", runs),)))
    shown.choose("policy", "plimsoll")
    assert shown.page.text_content("#latency text.cut") == "↑ max 61 s"
    assert shown.page.text_content("#capacity text.cut") == "↑ ready capacity up to 300/s"
    shown.choose("policy", "static")
    assert shown.number_of("text.cut") == 0


def test_the_sum_of_all_models_has_no_line_to_be_above(browser: "Browser", tmp_path: Path) -> None:
    shown = shown_in(browser, a_file(tmp_path))
    assert "takes latency out of the SLO" in shown.text("#capacity-about")
    shown.choose("model", "*")
    assert "takes latency out of the SLO" not in shown.text("#capacity-about")
    assert "a model above its own safe line" in shown.text("#capacity .legend")
    shown.page.focus("#capacity svg[tabindex]")
    shown.page.keyboard.press("Home")
    assert "above their own safe line: 2 models" in shown.text("#tip")


def test_marks_in_the_same_place_are_named_together_and_none_is_hidden(browser: "Browser", tmp_path: Path) -> None:
    found = a_scenario_result([("plimsoll", 10.0, 0.995), ("hpa", 14.0, 0.993), ("keda", 14.0, 0.993)], [1])
    shown = shown_in(browser, a_file(tmp_path, (found,)))
    assert "hpa, keda" in [one.text_content() for one in shown.page.locator("#scatter text.name").all()]
    assert [one.inner_text() for one in shown.page.locator("#scatter .legend li").all()] == ["plimsoll", "hpa", "keda"]
    lower, upper = (
        shown.page.locator(f'#scatter .mark[data-policy="{policy}"] path').last.bounding_box()
        for policy in ("hpa", "keda")
    )
    assert lower is not None
    assert upper is not None
    # The lower one looks out on all sides.
    assert lower["x"] <= upper["x"] - 1
    assert lower["y"] <= upper["y"] - 1
    assert lower["x"] + lower["width"] >= upper["x"] + upper["width"] + 1
    assert lower["y"] + lower["height"] >= upper["y"] + upper["height"] + 1
    # What is in one place is told together.
    shown.page.focus("#scatter svg")
    shown.page.keyboard.press("End")
    assert "hpa\n" in shown.text("#tip")
    assert "keda\n" in shown.text("#tip")


def test_ten_pools_look_different(browser: "Browser", tmp_path: Path) -> None:
    run = a_run(hours=1.0)
    pools = tuple(replace(run.pools[0], name=f"pool-{number}") for number in range(10))
    shown = shown_in(browser, a_file(tmp_path, (ScenarioResult("made-up", (replace(run, pools=pools),)),)))
    looks = shown.page.locator("#cost pattern").evaluate_all("all => all.map(one => one.innerHTML)")
    assert len(set(looks)) == 10
