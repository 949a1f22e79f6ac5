"""A trace that holds every request: which of them come when?

In: a file with the columns TIMESTAMP, ContextTokens, GeneratedTokens (Azure LLM inference traces). Out: `Traffic`.
"""

from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np

from plimsoll.engine.arrays import Ints
from plimsoll.errors import InvalidObject
from plimsoll.simulator.demand.table import Table, read_table
from plimsoll.simulator.scenario import Scenario
from plimsoll.simulator.sources import RequestsSource
from plimsoll.simulator.traffic import Traffic

_COLUMNS = (_AT, _PROMPT, _OUTPUT) = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
_MICROSECONDS = 26
"""Characters of a timestamp up to microseconds; the traces write one digit more."""


def draw(scenario: Scenario, source: RequestsSource, rng: np.random.Generator) -> Traffic:
    """The trace from `begin` on, played faster or thinned out, again from its start where it ends.

    Raises:
        InvalidObject: the trace cannot be read, or takes no time.
    """
    path = scenario.file(source.file)
    trace = read(path)
    # A trace that begins anew goes on at its mean interval.
    length_s = float(trace.arrival_s_i[-1]) * (1.0 + 1.0 / trace.count)
    if length_s <= 0.0:
        raise InvalidObject(
            f"{path} has requests at one moment only, so nobody knows when the next would come: a trace needs two "
            "moments at least; for a made-up rate write generated instead of requests"
        )
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
    table = read_table(path, _COLUMNS)
    at_s = np.array([_second(table, row) for row in range(len(table.lines))])
    order_i = np.argsort(at_s, kind="stable")
    return Traffic(at_s[order_i] - at_s.min(), _tokens(table, _PROMPT)[order_i], _tokens(table, _OUTPUT)[order_i])


def _second(table: Table, row: int) -> float:
    text = table.columns[_AT][row]
    # Digits alone are seconds or milliseconds since the epoch, which would be read as a date of another century.
    if not text.replace(".", "").isdigit():
        try:
            moment = datetime.fromisoformat(text[:_MICROSECONDS])
            # The clocks of this machine's time zone may be put back within a trace.
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        except ValueError:
            pass
    raise table.mistake(row, _AT, "a date and a time, such as 2023-11-16 18:17:03.979960")


def _tokens(table: Table, name: str) -> Ints:
    numbers_i = table.numbers(name)
    parts = np.flatnonzero(numbers_i != np.rint(numbers_i))
    if parts.size:
        raise table.mistake(int(parts[0]), name, "a whole number of tokens")
    return np.maximum(numbers_i, 1.0).astype(np.int64)
