"""The table of `simulate`: a row for each policy, at its mean over seeds.

In: the results of a scenario, the goal. Out: the table. Shares are cut off as on the report's page: what misses a goal
must not look as if it kept it.
"""

from statistics import fmean
from typing import TYPE_CHECKING

from rich.table import Column, Table

if TYPE_CHECKING:
    from plimsoll.simulator.report.against_bound import Compared
    from plimsoll.simulator.result import ScenarioResult

_NOTHING = "-"


def table(result: "ScenarioResult", goal: float) -> Table:
    """The table; where a policy was played with several targets, the one to compare with is marked.

    Args:
        result: of one scenario.
        goal: share of requests that are to be within their SLO, 0 to 1.
    """
    from plimsoll.simulator.report.against_bound import compared
    from plimsoll.simulator.report.standing import standing
    from plimsoll.simulator.report.verdict import bound_is_none
    from plimsoll.simulator.report.wording import plain_share, share
    from plimsoll.simulator.sweep import mean_worst_model

    found = standing(result, goal)
    marked = {one.label for one in found.ranked if one.keeps} if len(found.ranked) < len(found.entries) else set()
    told = [f"* cheapest setting of its policy that keeps {plain_share(goal)} within the SLO"] if marked else []
    if bound_is_none(result, goal):
        told.append("the bound is none here: a run kept the goal for less")
    # With one model it is the share of all.
    worst = ("worst model",) if result.has_several_models else ()
    titles = ("USD", "range", "x bound", "USD/M tokens", "in SLO", *worst, "dropped", "moves")
    columns = [Column(title, justify="right") for title in titles]
    made = Table(
        "policy",
        *columns,
        title=result.name,
        title_justify="left",
        caption="\n".join(told) or None,
        caption_justify="left",
        box=None,
    )
    for entry in found.entries:
        runs = entry.runs
        usd = [run.usd for run in runs]
        asked = any(run.requests for run in runs)
        made.add_row(
            f"{entry.label} *" if entry.label in marked else entry.label,
            f"{fmean(usd):.2f}",
            f"{max(usd) - min(usd):.2f}",
            _times(compared(runs, result.bound_usd)),
            f"{fmean(run.usd_per_million_tokens for run in runs):.4f}" if asked else _NOTHING,
            share(entry.attainment) if asked else _NOTHING,
            *(share(mean_worst_model(runs)) if asked else _NOTHING for _ in worst),
            f"{fmean(run.dropped for run in runs):.0f}",
            f"{fmean(len(run.moves) for run in runs):.0f}",
        )
    return made


def _times(found: "Compared | None") -> str:
    return _NOTHING if found is None else f"{found.ratio:.2f}"
