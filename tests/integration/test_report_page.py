"""The report in headless Chromium: charts, figures as in the JSON, light and dark, a phone, the keyboard.

A browser that cannot be had is an error of every test here, never a skip: `make browser` finds or installs it.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from integration.report_page import EXCESS, SCENARIOS, TIME_CHARTS, a_file, shown_in
from plimsoll.cli import app
from plimsoll.simulator.result import FIGURES, ScenarioResult, report_data
from unit.simulator.folders import a_folder
from unit.simulator.reports import CHAT, a_scenario_result

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def test_every_chart_is_there_without_a_word_on_the_console(browser: "Browser", tmp_path: Path) -> None:
    shown = shown_in(browser, a_file(tmp_path))
    assert shown.number_of("#scatter .mark") == 4
    assert shown.number_of("#scatter .bound") == 1
    assert shown.number_of("#excess rect") == len(EXCESS) + 2
    assert shown.number_of("#cost path.area") == 2
    for line in ("demand", "ready", "safe"):
        assert shown.number_of(f"#capacity path.line.{line}") == 1
    for line in ("p50", "p95", "p99"):
        assert shown.number_of(f"#latency path.line.{line}") == 1
    assert shown.number_of("#latency path.limit") == 1
    assert shown.number_of("#moves .move") == len(SCENARIOS[0].runs[0].moves)
    for chart in ("scatter", "excess", *TIME_CHARTS):
        assert shown.page.get_attribute(f"#{chart} svg[aria-label]", "aria-label")
    assert shown.told == []
    # Itself and nothing more.
    assert len(shown.asked) == 1


def test_figures_on_the_page_are_those_of_the_json(browser: "Browser", tmp_path: Path) -> None:
    shown = shown_in(browser, a_file(tmp_path))
    # What is paid for already is the same under every policy, and said once.
    shown_figures = [name for name in FIGURES if name != "paid_usd"]
    for name, told in report_data(SCENARIOS)["scenarios"].items():
        shown.choose("scenario", name)
        for policy, figures in told["policies"].items():
            row = f'#figures-table tr[data-policy="{policy}"]'
            for figure in shown_figures:
                value = shown.page.get_attribute(f'{row} [data-figure="{figure}"]', "data-value")
                assert float(value or "nan") == figures[figure]
            text = shown.text(f'{row} [data-figure="usd"]')
            assert float(text) == pytest.approx(figures["usd"], abs=0.005001)
            shown.choose("policy", policy)
            assert shown.text('#tiles [data-figure="usd"] b') == f"{text} USD"
    assert shown.told == []


def test_the_worst_model_has_a_column_only_where_there_are_several(browser: "Browser", tmp_path: Path) -> None:
    alone = a_scenario_result(name="alone", models=(CHAT,))
    shown = shown_in(browser, a_file(tmp_path, scenarios=(SCENARIOS[0], alone)))
    columns = '#figures-table [data-figure="worst_model_attainment"]'
    assert shown.number_of(columns) > 0
    shown.choose("scenario", "alone")
    assert shown.number_of(columns) == 0


def test_whoever_misses_the_goal_has_a_hollow_mark(browser: "Browser", tmp_path: Path) -> None:
    shown = shown_in(browser, a_file(tmp_path))
    filled = {
        mark.get_attribute("data-policy"): (mark.locator("path").last.get_attribute("fill") or "") != "var(--card)"
        for mark in shown.page.locator("#scatter .mark").all()
    }
    assert filled == {"plimsoll": True, "hpa=0.6": True, "static": True, "hpa": False}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_light_and_dark_follow_the_system_and_the_switch(browser: "Browser", tmp_path: Path, scheme: str) -> None:
    shown = shown_in(browser, a_file(tmp_path), color_scheme=scheme)

    def brightness() -> float:
        paper = shown.page.evaluate("getComputedStyle(document.body).backgroundColor")
        red, green, blue = (int(part) for part in paper.removeprefix("rgb(").removesuffix(")").split(","))
        return (red + green + blue) / 765.0

    assert (brightness() < 0.3) == (scheme == "dark")
    for wanted in ("dark", "light"):
        shown.choose("theme", wanted)
        assert (brightness() < 0.3) == (wanted == "dark")


@pytest.mark.parametrize("width", [360, 390])
def test_a_phone_needs_no_sideways_scrolling(browser: "Browser", tmp_path: Path, width: int) -> None:
    shown = shown_in(browser, a_file(tmp_path), size=(width, 780), has_touch=True)
    for policy in ("plimsoll", "hpa"):
        shown.choose("policy", policy)
        assert shown.page.evaluate("document.documentElement.scrollWidth") <= width
    assert shown.told == []


def test_everything_is_reached_and_used_by_keyboard(browser: "Browser", tmp_path: Path) -> None:
    shown = shown_in(browser, a_file(tmp_path))
    keyboard, reached = shown.page.keyboard, []
    for _ in range(60):
        keyboard.press("Tab")
        place = shown.page.evaluate(
            "(() => { const at = document.activeElement;"
            " return [at.id || at.closest('[id]')?.id || '', at.tagName, getComputedStyle(at).outlineStyle]; })()"
        )
        if place[1] == "BODY":
            break
        reached.append(place)
        assert place[2] != "none", f"nothing shows that {place} has the focus"
    names = [name for name, _, _ in reached]
    wanted = ["theme", "scenario", "policy", "scatter", "copy-tsv", "cost", "capacity", "latency-ttft", "moves"]
    assert [name for name in dict.fromkeys(names) if name in wanted] == wanted

    shown.page.focus("#capacity svg[tabindex]")
    keyboard.press("ArrowRight")
    keyboard.press("ArrowRight")
    assert "00:01 – 00:02" in shown.text("#tip")
    assert "demand" in shown.text("#tip")
    # One cursor for all charts over time.
    assert shown.number_of('#cost .cursor[visibility="visible"]') == 1
    keyboard.press("Escape")
    assert shown.page.is_hidden("#tip")

    shown.page.focus("#scatter svg")
    keyboard.press("Home")
    assert "misses the goal" in shown.text("#tip")
    keyboard.press("Enter")
    assert shown.page.input_value("#policy") == "hpa"
    # The chart has been drawn anew and still has the focus.
    keyboard.press("End")
    assert "static" in shown.text("#tip")
    assert shown.told == []


def test_the_table_is_sorted_and_copied(browser: "Browser", tmp_path: Path) -> None:
    shown = shown_in(browser, a_file(tmp_path), permissions=["clipboard-read", "clipboard-write"])
    shown.page.click("#figures-table thead button >> text='Cost, USD'")
    ordered = shown.page.locator("#figures-table tbody tr").evaluate_all("rows => rows.map(row => row.dataset.policy)")
    assert ordered == ["hpa", "plimsoll", "hpa=0.6", "static"]
    shown.page.click("#copy-tsv")
    shown.page.wait_for_selector("#copy-tsv >> text=Copied")
    copied = [line.split("\t") for line in shown.page.evaluate("navigator.clipboard.readText()").strip().splitlines()]
    told = SCENARIOS[0].as_data()["policies"]
    assert [(line[0], float(line[2])) for line in copied[1:]] == [(name, told[name]["usd"]) for name in ordered]
    shown.page.click("#copy-md")
    shown.page.wait_for_selector("#copy-md >> text=Copied")
    assert shown.page.evaluate("navigator.clipboard.readText()").startswith("| Policy | Goal 99% | Cost, USD |")


def test_without_leave_to_copy_the_text_is_there_to_take(browser: "Browser", tmp_path: Path) -> None:
    shown = shown_in(browser, a_file(tmp_path))
    shown.page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error('no')); }")
    shown.page.click("#copy-tsv")
    shown.page.wait_for_selector("#copied", state="visible")
    assert shown.page.input_value("#copied").startswith("Policy\tGoal 99%\tCost, USD")


def test_a_link_leads_to_the_same_choice(browser: "Browser", tmp_path: Path) -> None:
    shown = shown_in(browser, a_file(tmp_path))
    shown.choose("scenario", "two days")
    shown.choose("policy", "static")
    shown.choose("seed", "2")
    again = browser.new_page()
    again.goto(shown.page.url)
    assert [again.input_value(f"#{what}") for what in ("scenario", "policy", "seed")] == ["two days", "static", "2"]


@pytest.mark.parametrize(
    "scenarios",
    [
        (),
        (ScenarioResult("empty", ()),),
        (a_scenario_result([("plimsoll", 10.0, 1.0)], [1], bound_usd=None, models=()),),
        (a_scenario_result([("</script>\"'<b>", 0.0, 0.0)], [1], bound_usd=0.0, name='a"b\\<i>'),),
    ],
    ids=["nothing", "no runs", "one policy", "odd names and zeros"],
)
def test_pages_with_little_in_them_have_no_errors(
    browser: "Browser", tmp_path: Path, scenarios: tuple[ScenarioResult, ...]
) -> None:
    shown = shown_in(browser, a_file(tmp_path, scenarios))
    assert shown.told == []
    assert "Nothing was simulated" in shown.text("main") or shown.number_of("#scatter .mark") == 1


def test_plimsoll_simulate_writes_the_page(browser: "Browser", tmp_path: Path) -> None:
    folder, file, figures = a_folder(tmp_path, hours=0.1), tmp_path / "out.html", tmp_path / "out.json"
    arguments = [
        "simulate",
        str(folder),
        "--seeds",
        "1",
        "--report",
        str(file),
        "--json",
        str(figures),
        "--goal",
        "0.5",
    ]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    shown = shown_in(browser, file)
    assert json.loads(shown.page.text_content("#figures") or "") == json.loads(figures.read_text())
    assert "The goal was 50%" in shown.text("#words")
    assert shown.number_of("#capacity path.line.demand") == 1
    assert shown.told == []
