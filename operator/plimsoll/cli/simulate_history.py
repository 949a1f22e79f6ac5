"""What a simulation's own engines have been asked for: the options of `simulate` that read it from Prometheus.

In: an address, how far back. Out: histories by deployment; on standard error how far the reading is, and of which
deployment too little is known.
"""

import math
import re
import time
from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import typer
from pydantic_core import PydanticCustomError

from plimsoll.api import Duration
from plimsoll.cli.progress import Step, progress
from plimsoll.errors import InvalidObject, MetricsUnavailable
from plimsoll.observe import PrometheusSettings

if TYPE_CHECKING:
    from plimsoll.domain import ObjectKey
    from plimsoll.simulator.demand.history import Histories, History
    from plimsoll.simulator.scenario import Scenario

SINCE = "7d"
"""How far back, where nobody says: a week has every day."""
STEP_S = 300.0
"""Of a history."""
_QUERY_TIMEOUT_S = 30.0
"""For one step of it; nobody's tick waits for it."""
_LINES = 10
"""Of a week's two thousand steps, where there is no terminal."""


def span_s(prometheus: str | None, since: str | None) -> float | None:
    """How much of the past is to be read; None: nothing.

    Raises:
        InvalidObject: the options cannot be read, or make no sense together.
    """
    if prometheus is None:
        if since is not None:
            raise InvalidObject(
                f"--since {since} says how far back --prometheus looks, which is not there: add --prometheus URL, or "
                "remove it"
            )
        return None
    address = urlsplit(prometheus)
    if address.scheme not in ("http", "https") or not address.netloc:
        raise InvalidObject(
            f"--prometheus {prometheus} is no address: write one such as http://127.0.0.1:9090, say of kubectl "
            "port-forward"
        )
    return _seconds(SINCE if since is None else since)


def _seconds(text: str) -> float:
    from plimsoll.simulator.scenario import MOST_HOURS

    # Weeks are thought of in days, which durations in manifests do not have.
    days = re.fullmatch(r"([0-9]+)d", text)
    try:
        found_s = float(days[1]) * 86400.0 if days else Duration.accept(text).seconds
    except PydanticCustomError as error:
        raise InvalidObject(f"--since {text} cannot be read: write a duration such as 12h or 7d") from error
    if found_s < STEP_S:
        raise InvalidObject(f"--since {text} is too short: history is read in steps of {STEP_S:g}s")
    if found_s > MOST_HOURS * 3600.0:
        raise InvalidObject(f"--since {text} is too long: write {MOST_HOURS / 24.0:g}d or less")
    return found_s


def histories(scenario: "Scenario", url: str, seconds: float) -> "Mapping[ObjectKey, History]":
    """What Prometheus knows of the scenario's deployments.

    Raises:
        PlimsollError: it cannot be asked, or knows nothing of any of them.
    """
    from plimsoll.simulator.demand.history import read
    from plimsoll.simulator.episode import objects

    settings = PrometheusSettings(url, window_s=STEP_S, timeout_s=_QUERY_TIMEOUT_S)
    steps = int(seconds // STEP_S)
    try:
        with progress(f"reading {url}", steps, _few(steps)) as step:
            found = read(
                settings,
                objects(scenario).asked,
                time.time() - steps * STEP_S,
                steps,
                watch=lambda number: step(f"reading {url}: {number + 1} of {steps}"),
            )
    except MetricsUnavailable as error:
        raise MetricsUnavailable(
            f"--prometheus: {error}. Nothing was simulated. It has to answer without a token, as it does through "
            "kubectl port-forward; without --prometheus the demand of scenario.yaml is played"
        ) from error
    _tell(scenario, found)
    return found.known


def _tell(scenario: "Scenario", found: "Histories") -> None:
    if found.unknown and not found.known:
        key, why = next(iter(found.unknown.items()))
        raise InvalidObject(
            f"Prometheus knows nothing of what any deployment was asked for in that time ({key}: {why}): check the "
            "namespace and pod labels of its samples, or ask for another time with --since"
        )
    for key, why in found.unknown.items():
        instead = "is taken from scenario.yaml" if key in scenario.demand else "counts as none"
        typer.echo(f"{key}: Prometheus does not know its demand, it {instead} ({why})", err=True)
    for key, one in found.known.items():
        if one.known_ratio < 1.0:
            typer.echo(f"{key}: {one.known_ratio:.0%} of that time is known, the rest takes the last rate", err=True)


def _few(steps: int) -> Step:
    """Some of so many lines on standard error, and the last."""
    numbers, apart = count(1), math.ceil(steps / _LINES)

    def tell(told: str) -> None:
        number = next(numbers)
        if number % apart == 0 or number == steps:
            typer.echo(told, err=True)

    return tell
