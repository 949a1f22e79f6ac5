"""Everything put together: words, figures, series, style sheet and scripts in one HTML text.

In: results and what is known beside them. Out: the page. Data stand in it as JSON, which the scripts read; names come
into the page as text only, so that none of them is ever read as markup.
"""

import json
from collections.abc import Mapping, Sequence
from html import escape
from importlib.resources import files
from typing import Any, Final

from plimsoll.simulator.report import thinning, verdict, wording
from plimsoll.simulator.report.background import Background
from plimsoll.simulator.report.excess import excess
from plimsoll.simulator.report.moves import bytes_each
from plimsoll.simulator.report.series import drawn_run
from plimsoll.simulator.report.standing import Standing, standing
from plimsoll.simulator.report.table import COLUMNS, rows
from plimsoll.simulator.result import RunResult, ScenarioResult, report_data

_NO_BACKGROUND: Final = Background()
_NOTHING: Final = '<section class="words"><h2>Nothing was simulated</h2></section>'
_SCRIPTS: Final = (
    "draw.js", "marks.js", "pointing.js", "frame.js", "scatter.js", "excess.js", "cost.js", "capacity.js", "latency.js",
    "moves.js", "table.js", "page.js",
)  # fmt: skip


def page(scenarios: Sequence[ScenarioResult], backgrounds: Mapping[str, Background] | None = None) -> str:
    """The whole page.

    Args:
        scenarios: what was simulated.
        backgrounds: by scenario; without one its goal is the default.
    """
    known = backgrounds or {}
    told = [(one, known.get(one.name, _NO_BACKGROUND)) for one in scenarios]
    figures = report_data(scenarios)
    parts = {
        "style": _asset("page.css"),
        "script": "\n".join(_asset(name) for name in _SCRIPTS),
        "words": "\n".join(_words(one, about) for one, about in told) or _NOTHING,
        "figures": _embedded(figures),
        "material": _embedded(material(told, figures)),
    }
    text = _asset("page.html")
    for name, part in parts.items():
        text = text.replace(f"<!-- {name} -->", part, 1)
    return text


def material(told: Sequence[tuple[ScenarioResult, Background]], figures: Mapping[str, Any]) -> dict[str, Any]:
    """All that the scripts read besides the JSON's figures."""
    standings = [standing(one, about.goal) for one, about in told]
    wanted = thinning.detail([(one, found.best) for (one, _), found in zip(told, standings, strict=True)])
    each = bytes_each(
        sum(len(thinning.drawn(one, found.best, wanted)) for (one, _), found in zip(told, standings, strict=True))
    )
    return {
        "columns": [{"key": one.key, "title": one.title, "about": one.about} for one in COLUMNS],
        "scenarios": [
            _scenario(one, about, found, figures["scenarios"][one.name], wanted, each)
            for (one, about), found in zip(told, standings, strict=True)
        ],
    }


def _scenario(
    scenario: ScenarioResult,
    about: Background,
    found: Standing,
    figures: Mapping[str, Any],
    wanted: thinning.Detail,
    moves_bytes: int,
) -> dict[str, Any]:
    runs = thinning.drawn(scenario, found.best, wanted)
    models = _busiest(scenario.runs)
    return {
        "name": scenario.name,
        "headline": verdict.headline(scenario, about.goal),
        "goal": about.goal,
        "goal_text": wording.plain_share(about.goal),
        "span": wording.span(figures["hours"]),
        "bound_text": verdict.bound_text(scenario),
        "bound_is_none": verdict.bound_is_none(scenario, about.goal),
        "several_models": scenario.has_several_models,
        "rows": rows(figures, found, scenario.bound_usd),
        "seeds": [
            {"policy": run.policy, "seed": run.seed, "usd": run.usd, "attainment": run.slo_attainment}
            for run in scenario.runs
        ],
        "pools": [
            {"name": pool.name, "kind": pool.price_kind.value, "usd_per_hour": pool.price_usd_per_hour}
            for pool in (scenario.runs[0].pools if scenario.runs else ())
        ],
        "models": models[: wanted.models],
        "more_models": max(0, len(models) - wanted.models),
        "runs": [drawn_run(run, models[: wanted.models], wanted.intervals, moves_bytes) for run in runs],
        "excess": excess(scenario),
    }


def _busiest(runs: Sequence[RunResult]) -> list[str]:
    """Deployments, those with the most requests first."""
    if not runs:
        return []
    ordered = sorted(runs[0].models, key=lambda one: (-float(one.demand_rps_m.sum()), str(one.key)))
    return [str(one.key) for one in ordered]


def _words(scenario: ScenarioResult, about: Background) -> str:
    texts = verdict.paragraphs(scenario, about.goal)
    lead = "".join(f"<p>{escape(text)}</p>" for text in texts)
    what = f'<p class="quiet">{escape(about.description)}</p>' if about.description else ""
    return (
        f'<section class="words" data-scenario="{escape(scenario.name, quote=True)}">'
        f'<p class="eyebrow">{escape(scenario.name)}</p>'
        f"<h2>{escape(verdict.headline(scenario, about.goal))}</h2>{lead}{what}</section>"
    )


def _embedded(data: Mapping[str, Any]) -> str:
    """JSON that no browser reads as the end of its script element."""
    return json.dumps(data, separators=(",", ":"), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")


def _asset(name: str) -> str:
    return files("plimsoll.simulator.report").joinpath("assets", name).read_text(encoding="utf-8")
