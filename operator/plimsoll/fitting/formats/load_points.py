"""Load points as a CSV table: rate, tokens, time to first token, time per output token.

Columns: rps, in_tokens, out_tokens, ttft_ms, itl_ms; if known ttft_p95_ms, itl_p95_ms, in_tokens_sd, out_tokens_sd,
concurrency. Other usual names of theirs are understood as well.
"""

from plimsoll.fitting.formats.given import Given
from plimsoll.fitting.formats.table import Row, columns, rows
from plimsoll.fitting.observations import LoadPoint

NAME = "load-points"

_RATE = ("rps", "rate", "requests_per_second")
_PROMPT = ("in_tokens", "prompt_tokens", "mean_in")
_OUTPUT = ("out_tokens", "output_tokens", "mean_out")
_ITL = ("itl_ms", "tpot_ms", "median_itl_ms", "median_tpot_ms", "mean_itl_ms", "mean_tpot_ms")
_TTFT = ("ttft_ms", "median_ttft_ms", "mean_ttft_ms")
_ITL_P95 = ("itl_p95_ms", "tpot_p95_ms", "p95_itl_ms", "p95_tpot_ms")
_TTFT_P95 = ("ttft_p95_ms", "p95_ttft_ms")


def recognises(text: str) -> bool:
    """Whether the header has a rate, both lengths and a time per output token."""
    named = columns(text)
    return all(named.intersection(names) for names in (_RATE, _PROMPT, _OUTPUT, _ITL))


def read(file: str, text: str, given: Given) -> tuple[LoadPoint, ...]:
    """One load point a row."""
    return tuple(_point(row, given) for row in rows(file, text, given.only))


def _point(row: Row, given: Given) -> LoadPoint:
    return LoadPoint(
        where=row.where,
        rate_rps=row.number(_RATE) / given.replicas,
        prompt_tokens=row.number(_PROMPT),
        output_tokens=row.number(_OUTPUT),
        itl_ms=row.number(_ITL),
        ttft_ms=row.maybe(_TTFT),
        ttft_p95_ms=row.maybe(_TTFT_P95),
        itl_p95_ms=row.maybe(_ITL_P95),
        prompt_sd=row.maybe(("in_tokens_sd",), zero=True) or 0.0,
        output_sd=row.maybe(("out_tokens_sd",), zero=True) or 0.0,
        concurrency=row.maybe(("concurrency",)),
    )
