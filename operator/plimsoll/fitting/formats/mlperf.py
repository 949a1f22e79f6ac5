"""MLPerf Inference results: LoadGen's mlperf_log_summary.txt, or a CSV table of many.

Server runs are load points (rate, time per output token); they run at the limit of what the rules allow, where the time
to first token is mostly waiting and says nothing of prompts. Offline runs keep all slots full, so
their speed gives the step at that many sequences (--max-sequences). MLPerf files do not tell the lengths: the prompt
comes from --prompt-tokens, the output from tokens per second over samples per second. One result hardly ever suffices:
give Server and Offline, or several submissions of the same machine.
"""

import re
from collections.abc import Iterator

from plimsoll.errors import UnusableMeasurements
from plimsoll.fitting.formats.given import Given
from plimsoll.fitting.formats.table import Row, columns, rows
from plimsoll.fitting.observations import LoadPoint, saturated

NAME = "mlperf"

_COLUMNS = frozenset({"scenario", "samples_per_s"})
_TITLE = "MLPerf Results Summary"
_NS_PER_MS = 1e6
_NS_PER_S = 1e9
_SUMMARY_KEYS = {
    "scenario": ("scenario", 1.0),
    "completed samples per second": ("samples_per_s", 1.0),
    "samples per second": ("samples_per_s", 1.0),
    "completed tokens per second": ("out_tok_per_s", 1.0),
    "tokens per second": ("out_tok_per_s", 1.0),
    "mean latency (ns)": ("lat_mean_s", _NS_PER_S),
    "mean time per output token (ns)": ("tpot_mean_ms", _NS_PER_MS),
    "mean time to output token (ns)": ("tpot_mean_ms", _NS_PER_MS),
}
"""LoadGen's names (mlcommons/inference, loadgen/results.cc; older versions say "to output token"), ours, and units."""


def recognises(text: str) -> bool:
    """Whether it is LoadGen's summary or has the columns of the table."""
    return _TITLE in text or columns(text) >= _COLUMNS


def read(file: str, text: str, given: Given) -> tuple[LoadPoint, ...]:
    """One load point a run."""
    if _TITLE in text:
        return (_point(_summary(file, text), given),)
    return tuple(_point(row, given) for row in rows(file, text, given.only))


def _summary(file: str, text: str) -> Row:
    if re.search(r"Result is\s*:\s*INVALID", text):
        raise UnusableMeasurements(f"{file} says that its own result is INVALID: use a valid run")
    return Row(file, dict(_summary_cells(file, text)))


def _summary_cells(file: str, text: str) -> Iterator[tuple[str, str]]:
    for place, line in enumerate(text.splitlines(), start=1):
        name, colon, value = line.partition(":")
        key = _SUMMARY_KEYS.get(name.strip().lower())
        if not colon or key is None:
            continue
        column, unit = key
        if unit == 1.0:
            yield column, value.strip()
            continue
        try:
            yield column, repr(float(value) / unit)
        except ValueError:
            raise UnusableMeasurements(
                f"{file} line {place}: {name.strip()} is {value.strip()!r}, not a number"
            ) from None


def _point(row: Row, given: Given) -> LoadPoint:
    scenario = row.cells.get("scenario", "").lower()
    if scenario not in ("server", "offline"):
        raise UnusableMeasurements(f"{row.where} is of scenario {scenario or 'unknown'}: use Server or Offline runs")
    tokens_per_s = row.maybe(("out_tok_per_s",))
    output = _output_tokens(row, tokens_per_s, given)
    rate = row.maybe(("samples_per_s",))
    if rate is None and tokens_per_s is not None:
        rate = tokens_per_s / output
    if rate is None:
        raise UnusableMeasurements(f"{row.where} has neither samples nor tokens per second: leave it out")
    rate /= given.replicas
    if scenario == "offline":
        return _offline(row, rate, output, given)
    return _server(row, rate, output, given)


def _output_tokens(row: Row, tokens_per_s: float | None, given: Given) -> float:
    samples = row.maybe(("samples_per_s",))
    if given.output_tokens is None and tokens_per_s is not None and samples is not None:
        return tokens_per_s / samples
    return given.needed_output_tokens(row.where)


def _server(row: Row, rate_rps: float, output: float, given: Given) -> LoadPoint:
    itl = row.maybe(("tpot_mean_ms",))
    latency_s = row.maybe(("lat_mean_s",))
    if itl is None and latency_s is not None:
        # Without token times the latency of a sample is all that is known; its first token is one of many.
        itl = 1000.0 * latency_s / output
    if itl is None:
        raise UnusableMeasurements(f"{row.where} has no time per output token and no mean latency: leave it out")
    return LoadPoint(row.where, rate_rps, given.needed_prompt_tokens(row.where), output, itl)


def _offline(row: Row, rate_rps: float, output: float, given: Given) -> LoadPoint:
    if given.sequences is None:
        raise UnusableMeasurements(
            f"{row.where} is an Offline run, where all slots are full: say how many with --max-sequences"
        )
    return saturated(row.where, rate_rps, given.needed_prompt_tokens(row.where), output, given.sequences)
