"""The page says what the JSON says, needs nothing else, and takes no name for markup."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from plimsoll.domain import ObjectKey
from plimsoll.simulator.report import MOST_BYTES, Background, page
from plimsoll.simulator.result import FIGURES, ScenarioResult, report_data
from unit.simulator.reports import a_run, a_scenario_result

MALICE = '</script><img src=x onerror="alert(1)">'


class _Seen(HTMLParser):
    """Tags with what they point to, and the text of the elements that have an id."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.by_id: dict[str, str] = {}
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = dict(attrs).get("id") or ""

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.by_id[self._inside] = self.by_id.get(self._inside, "") + data


class _Style(str):
    """A page, by what its style sheet says of colours."""

    def block(self, selector: str) -> dict[str, str]:
        inside = self.partition(selector)[2].partition("}")[0]
        return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", inside))


def _contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio of two colours such as ``#0072b2``."""

    def luminance(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _embedded(text: str, name: str) -> Any:
    return json.loads(_Seen(text).by_id[name])


def test_the_page_carries_the_figures_of_the_json() -> None:
    found = [a_scenario_result(), a_scenario_result(name="other", hours=1.0)]
    assert _embedded(page(found), "figures") == report_data(found)


def test_every_figure_of_the_table_is_the_json_s() -> None:
    found = a_scenario_result()
    text, told = page([found]), found.as_data()
    material = _embedded(text, "material")
    names = [column["key"] for column in material["columns"]]
    rows = material["scenarios"][0]["rows"]
    assert {row["policy"] for row in rows} == set(told["policies"])
    for row in rows:
        cells = dict(zip(names, row["cells"], strict=True))
        figures = told["policies"][row["policy"]]
        for name in FIGURES:
            assert cells[name]["value"] == figures[name]
        assert cells["spread.usd"]["value"] == figures["spread"]["usd"]
        # The JSON has eight digits.
        assert cells["times_bound"]["value"] == pytest.approx(figures["usd"] / told["bound_usd"], rel=1e-7)


def test_policies_are_ordered_as_one_would_take_them() -> None:
    (told,) = _embedded(page([a_scenario_result()]), "material")["scenarios"]
    assert [(row["policy"], row["keeps"], row["best"]) for row in told["rows"]] == [
        ("plimsoll", True, True),
        ("hpa=0.6", True, True),
        ("static", True, True),
        ("hpa", False, False),
    ]


def test_what_pools_cost_over_time_adds_up_to_the_bill() -> None:
    (told,) = _embedded(page([a_scenario_result()]), "material")["scenarios"]
    billed = [place for place, pool in enumerate(told["pools"]) if pool["kind"] != "Paid"]
    for run in told["runs"]:
        minutes = [last - first for first, last in zip(run["edges"], run["edges"][1:], strict=False)]
        usd = sum(run["pools"][place][b] * minutes[b] / 60.0 for place in billed for b in range(len(minutes)))
        (figures,) = [one for one in told["seeds"] if (one["policy"], one["seed"]) == (run["policy"], run["seed"])]
        # Three digits of every interval are kept.
        assert usd == pytest.approx(figures["usd"], rel=2e-3)


def test_no_name_is_taken_for_markup() -> None:
    found = a_scenario_result([(MALICE, 10.0, 0.995)], name=MALICE, models=(ObjectKey("team-a", MALICE),))
    text = page([found], {MALICE: Background(MALICE)})
    seen = _Seen(text)
    assert "img" not in [tag for tag, _ in seen.tags]
    assert MALICE in json.loads(seen.by_id["figures"])["scenarios"]
    assert not [name for _, attributes in seen.tags for name in attributes if name.startswith("on")]


def test_the_page_asks_no_host_for_anything() -> None:
    text = page([a_scenario_result()])
    pointers = [
        value
        for _, attributes in _Seen(text).tags
        for name, value in attributes.items()
        if name in ("src", "href", "action", "srcset", "data") and value is not None
    ]
    assert [one for one in pointers if not one.startswith(("#", "data:"))] == []
    assert "default-src 'none'" in text
    assert re.findall(r"url\((?!#)[^)]*\)|@import|\bfetch\(|XMLHttpRequest|WebSocket", text) == []


def test_nothing_simulated_makes_a_page_that_says_so() -> None:
    empty = ScenarioResult("empty", ())
    assert "Nothing was simulated" in page([empty])
    assert _embedded(page([]), "material")["scenarios"] == []


def test_one_policy_without_a_bound_is_told_without_either() -> None:
    text = page([a_scenario_result([("plimsoll", 10.0, 0.995)], [1], bound_usd=None)])
    (told,) = _embedded(text, "material")["scenarios"]
    assert told["rows"][0]["cells"][2] == {"value": None, "text": "–"}
    assert "No other policy was simulated." in text
    assert "Knowing everything" not in text


def test_cost_is_divided_by_the_bound_of_the_same_seeds() -> None:
    found = replace(a_scenario_result(), bound_usd={2: 8.0})
    (told,) = _embedded(page([found]), "material")["scenarios"]
    ratios = {row["policy"]: row["cells"][2]["value"] for row in told["rows"]}
    # The second seed costs ten cents more.
    assert ratios == pytest.approx({"plimsoll": 10.1 / 8, "hpa": 9.1 / 8, "hpa=0.6": 14.1 / 8, "static": 20.1 / 8})
    assert told["bound_text"] == "8.00 USD, seed 2 alone"


def test_a_bound_that_is_none_is_marked_so() -> None:
    for usd, is_none in ((7.9, True), (8.1, False)):
        found = a_scenario_result([("plimsoll", usd, 0.995), ("hpa", 1.0, 0.9)])
        assert _embedded(page([found]), "material")["scenarios"][0]["bound_is_none"] is is_none


def test_the_excess_is_shown_for_the_runs_that_it_is_known_of() -> None:
    causes = {"sizing": 1.5, "rollout": 0.5}
    found = replace(a_scenario_result(), excess_usd={1: causes, 9: {"sizing": 7.0}})
    (told,) = _embedded(page([found]), "material")["scenarios"]
    # There is no bound of seed 9, and so nothing to start from.
    assert found.as_data()["excess_usd"] == causes
    assert told["excess"] == [
        {
            "policy": "plimsoll",
            "seed": 1,
            "bound_usd": 8.0,
            "causes": [{"cause": "sizing", "usd": 1.5}, {"cause": "rollout", "usd": 0.5}],
        }
    ]


def test_the_excess_of_several_seeds_begins_with_its_mean() -> None:
    found = replace(a_scenario_result(), excess_usd={2: {"sizing": 2.0}, 1: {"sizing": 1.0, "rollout": 0.5}})
    assert found.as_data()["excess_usd"] == {"sizing": 1.5, "rollout": 0.25}
    (told,) = _embedded(page([found]), "material")["scenarios"]
    assert [(one["seed"], [(by["cause"], by["usd"]) for by in one["causes"]]) for one in told["excess"]] == [
        (None, [("sizing", 1.5), ("rollout", 0.25)]),
        (1, [("sizing", 1.0), ("rollout", 0.5)]),
        (2, [("sizing", 2.0)]),
    ]


@pytest.mark.parametrize("selector", [":root {", ":root[data-dark] {"])
def test_what_is_drawn_stands_out_from_its_card(selector: str) -> None:
    block = _Style(page([])).block(selector)
    for name in [f"c{number}" for number in range(8)] + ["demand", "ready", "safe", "mark", "good", "bad", "quiet"]:
        # WCAG 2.2, 1.4.11: graphical objects 3:1; 1.4.3: text 4.5:1.
        least = 4.5 if name in ("mark", "good", "bad", "quiet") else 3.0
        assert _contrast(block[name], block["card"]) >= least, name


def test_a_week_of_everything_fits() -> None:
    models = tuple(ObjectKey("team-a", f"model-{number}") for number in range(14))
    one = a_run(hours=168.0, models=models)
    labels = [f"p{number}={target}" for number in range(8) for target in range(4)]
    runs = tuple(replace(one, policy=label, seed=seed) for label in labels for seed in (1, 2, 3))
    text = page([ScenarioResult("week", runs, {1: 8.0, 2: 8.0, 3: 8.0})])
    (told,) = _embedded(text, "material")["scenarios"]
    assert 1_000_000 < len(text.encode()) < MOST_BYTES
    assert (len(told["models"]), told["more_models"]) == (12, 2)
    assert {row["policy"] for row in told["rows"]} == set(labels)
    # Every policy is drawn by the setting that speaks for it.
    assert {run["policy"] for run in told["runs"]} == {f"p{number}=0" for number in range(8)}
