"""The table of a scenario: every figure of its JSON, as a number to copy and as text to read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from plimsoll.simulator.report import wording
from plimsoll.simulator.report.against_bound import compared
from plimsoll.simulator.report.standing import Entry, Standing

_Texts = Callable[[Sequence[float | None]], list[str]]


def _each(text: Callable[[float | None], str]) -> _Texts:
    return lambda values: [text(value) for value in values]


@dataclass(frozen=True, slots=True)
class Column:
    """One figure."""

    key: str
    """As in the JSON; ``spread.usd`` for the spread of a figure."""
    title: str
    texts: _Texts
    """Of all rows at once, so that they have the same number of decimals."""
    about: str
    """What it means."""
    like: str = ""
    """The column whose decimals it has, where it has none of its own: those of a range say nothing."""


COLUMNS: Final = (
    Column("usd", "Cost, USD", wording.amounts, "All on-demand and spot node time, by its price; mean over seeds."),
    Column(
        "spread.usd", "Range, USD", wording.amounts, "Cost with the dearest seed less cost with the cheapest.", "usd"
    ),
    Column(
        "times_bound",
        "× bound",
        _each(wording.ratio),
        "Cost divided by the bound, over the seeds that have one. Who keeps the goal cannot get below 1.00, who misses "
        "it can; where one that keeps it does, the bound is none, and the first paragraph says so.",
    ),
    Column("usd_per_million_tokens", "USD per M tokens", wording.amounts, "Of prompt and output tokens answered."),
    Column(
        "slo_attainment",
        "Within SLO",
        _each(wording.share),
        "Share of all requests, dropped ones included; cut off, not rounded: 98.996% is not 99%.",
    ),
    Column(
        "spread.slo_attainment",
        "Range, points",
        _each(wording.points),
        "Share within SLO with the best seed less that with the worst, in percentage points.",
    ),
    Column(
        "worst_model_attainment",
        "Worst model",
        _each(wording.share),
        "Of each seed the share of the model that has the lowest, mean over seeds: the share of all requests hides "
        "what a model with few of them misses.",
    ),
    Column("requests", "Requests", wording.counts, "Mean over seeds."),
    Column("dropped", "Dropped", wording.counts, "Requests that never got an answer; mean over seeds."),
    Column("moves", "Moves", wording.counts, "Changes of the wanted number of replicas; mean over seeds."),
    Column("paid_usd", "Already paid, USD", wording.amounts, "Amortised price of nodes that are on no bill."),
)


def rows(data: Mapping[str, Any], found: Standing, bound_usd: Mapping[int, float]) -> list[dict[str, Any]]:
    """A row for each policy, the best first.

    Args:
        data: the JSON of the scenario.
        found: who keeps the goal.
        bound_usd: by seed.
    """
    ordered = sorted(found.entries, key=lambda entry: entry.preference)
    values = {column.key: [_value(column.key, data, entry, bound_usd) for entry in ordered] for column in COLUMNS}
    columns = [_cells(column, values) for column in COLUMNS]
    return [
        {
            "policy": entry.label,
            "family": entry.family,
            "keeps": entry.keeps,
            "best": entry.label in found.best,
            "cells": [cells[place] for cells in columns],
        }
        for place, entry in enumerate(ordered)
    ]


def _cells(column: Column, values: Mapping[str, Sequence[float | None]]) -> list[dict[str, Any]]:
    mine = values[column.key]
    texts = wording.with_decimals(mine, wording.decimals_of(values[column.like])) if column.like else column.texts(mine)
    return [{"value": value, "text": text} for value, text in zip(mine, texts, strict=True)]


def _value(key: str, data: Mapping[str, Any], entry: Entry, bound_usd: Mapping[int, float]) -> float | None:
    if key == "times_bound":
        against = compared(entry.runs, bound_usd)
        return against.ratio if against else None
    figures = data["policies"][entry.label]
    for part in key.split("."):
        figures = figures[part]
    return figures  # type: ignore[no-any-return]
