"""A trace that holds every request: which of them come when?

In: a file with the columns TIMESTAMP, ContextTokens, GeneratedTokens (Azure LLM inference traces). Out: `Traffic`.
"""

import csv
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import numpy as np

from plimsoll.errors import InvalidObject
from plimsoll.simulator.scenario import RequestsSource, Scenario
from plimsoll.simulator.traffic import Traffic

_COLUMNS = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_MICROSECONDS = 26
"""Characters of a timestamp up to microseconds; the traces write one digit more."""


def draw(scenario: Scenario, source: RequestsSource, rng: np.random.Generator) -> Traffic:
    """The trace from `begin` on, played faster or thinned out, again from its start where it ends."""
    trace = read(scenario.file(source.file))
    # A trace that begins anew goes on at its mean interval.
    length_s = float(trace.arrival_s_i[-1]) * (1.0 + 1.0 / trace.count)
    begin_s, needed_s = source.begin.seconds % length_s, scenario.duration_s * source.speed
    parts = []
    for turn in range(int((begin_s + needed_s) // length_s) + 1):
        at_s_i = (trace.arrival_s_i + turn * length_s - begin_s) / source.speed
        kept_i = (at_s_i >= 0.0) & (at_s_i < scenario.duration_s) & (rng.random(trace.count) < source.share)
        parts.append(Traffic(at_s_i[kept_i], trace.prompt_tokens_i[kept_i], trace.output_tokens_i[kept_i]))
    return Traffic.merged(parts)


@lru_cache(maxsize=8)
def read(path: Path) -> Traffic:
    """All requests of a file; lengths of 0 count as 1.

    Raises:
        InvalidObject: it cannot be read.
    """
    try:
        with path.open(newline="") as file:
            rows = [tuple(row[name] for name in _COLUMNS) for row in csv.DictReader(file)]
        at_s = np.array([datetime.fromisoformat(row[0][:_MICROSECONDS]).timestamp() for row in rows])
        tokens = np.array([(int(row[1]), int(row[2])) for row in rows], dtype=np.int64).reshape(-1, 2)
    except (KeyError, ValueError, TypeError) as error:
        raise InvalidObject(
            f"{path} cannot be read as requests ({error}): it needs columns {', '.join(_COLUMNS)}"
        ) from error
    if at_s.size == 0:
        raise InvalidObject(f"{path} holds no request")
    order_i = np.argsort(at_s, kind="stable")
    prompt_i, output_i = np.maximum(tokens[order_i], 1).T.copy()
    return Traffic(at_s[order_i] - at_s.min(), prompt_i, output_i)
