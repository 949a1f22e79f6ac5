"""The table of a scenario: every figure of its JSON, as a number to copy and as text to read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from plimsoll.simulator.report import wording
from plimsoll.simulator.report.standing import Standing


@dataclass(frozen=True, slots=True)
class Column:
    """One figure."""

    key: str
    """As in the JSON; ``spread.usd`` for the spread of a figure."""
    title: str
    text: Callable[[float | None], str]
    about: str
    """What it means."""


COLUMNS: Final = (
    Column("usd", "Cost, USD", wording.amount, "All on-demand and spot node time, by its price; mean over seeds"),
    Column("spread.usd", "± USD", wording.amount, "Largest less smallest over seeds"),
    Column("times_bound", "× bound", wording.ratio, "Cost divided by the bound: nothing can get below 1.00"),
    Column("usd_per_million_tokens", "USD per M tokens", wording.amount, "Of prompt and output tokens answered"),
    Column("slo_attainment", "Within SLO", wording.share, "Share of all requests, dropped ones included; cut off"),
    Column("spread.slo_attainment", "± points", wording.points, "Largest less smallest over seeds"),
    Column("requests", "Requests", wording.count, "Mean over seeds"),
    Column("dropped", "Dropped", wording.count, "Requests that never got an answer"),
    Column("moves", "Moves", wording.count, "Changes of the wanted number of replicas"),
    Column("paid_usd", "Already paid, USD", wording.amount, "Amortised price of nodes that are on no bill"),
)


def rows(data: Mapping[str, Any], found: Standing) -> list[dict[str, Any]]:
    """A row for each policy, the best first.

    Args:
        data: the JSON of the scenario.
        found: who keeps the goal.
    """
    ordered = sorted(found.entries, key=lambda entry: entry.preference)
    return [
        {
            "policy": entry.label,
            "family": entry.family,
            "keeps": entry.keeps,
            "best": entry.label in found.best,
            "cells": [
                {"value": value, "text": column.text(value)}
                for column in COLUMNS
                for value in [_value(column.key, data["policies"][entry.label], data["bound_usd"])]
            ],
        }
        for entry in ordered
    ]


def _value(key: str, figures: Mapping[str, Any], bound_usd: float | None) -> float | None:
    if key == "times_bound":
        return figures["usd"] / bound_usd if bound_usd else None
    for part in key.split("."):
        figures = figures[part]
    return figures  # type: ignore[return-value]
