"""A report in a browser: how tests of it make, open and read one."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from plimsoll.simulator.report import page
from plimsoll.simulator.result import ScenarioResult
from unit.simulator.reports import a_scenario_result

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

SCENARIOS = (a_scenario_result(), a_scenario_result(name="two days", hours=48.0))
EXCESS = {"chance": 1.2, "sizing": 0.7, "forecast": -0.5, "planning": 0.2, "rollout": 0.4}
TIME_CHARTS = ("cost", "capacity", "latency", "moves")


class Shown:
    """A page that is open, and all that its console and its network had to say."""

    def __init__(self, page: "Page", file: Path) -> None:
        self.page, self.told, self.asked = page, [], []  # type: tuple[Page, list[str], list[str]]
        page.on("console", lambda message: self.told.append(message.text))
        page.on("pageerror", lambda error: self.told.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.goto(file.as_uri())

    def choose(self, what: str, value: str) -> None:
        self.page.select_option(f"#{what}", value)

    def text(self, selector: str) -> str:
        return self.page.inner_text(selector)

    def number_of(self, selector: str) -> int:
        return self.page.locator(selector).count()

    def middle(self, selector: str) -> tuple[float, float]:
        """In the window, into which it is brought first."""
        place = self.page.locator(selector).first
        place.scroll_into_view_if_needed()
        box = place.bounding_box()
        assert box is not None
        return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def a_file(
    folder: Path,
    scenarios: tuple[ScenarioResult, ...] = SCENARIOS,
    excess_usd: Mapping[int, Mapping[str, float]] = {1: EXCESS},
) -> Path:
    file = folder / "report.html"
    told = [replace(one, excess_usd=excess_usd) if one.name == "made-up" else one for one in scenarios]
    file.write_text(page(told), encoding="utf-8")
    return file


def shown_in(browser: "Browser", file: Path, **context: Any) -> Shown:
    size = context.pop("size", (1280, 900))
    made = browser.new_context(viewport={"width": size[0], "height": size[1]}, **context)
    return Shown(made.new_page(), file)
