"""Timing tables of static batches, as CSV: prompt and token times, or prompt and output speeds, by batch size.

Columns: prompt_tokens, batch, prompt_ms, token_ms; or prompt, gen, batch, prefill_tok_s, decode_tok_s_total (speeds of
the whole batch; an empty cell is one that was not measured).
"""

from collections.abc import Iterator

from plimsoll.fitting.formats.given import Given
from plimsoll.fitting.formats.table import Row, columns, rows
from plimsoll.fitting.observations import DecodeStep, Observation, PromptPass

NAME = "timings"

_PROMPT = ("prompt_tokens", "prompt")
_PROMPT_FIGURES = ("prompt_ms", "prefill_tok_s")
_STEP_FIGURES = ("token_ms", "decode_tok_s_total")


def recognises(text: str) -> bool:
    """Whether the header has a prompt length, a batch size and a time or speed."""
    named = columns(text)
    figures = (*_PROMPT_FIGURES, *_STEP_FIGURES)
    return "batch" in named and bool(named.intersection(_PROMPT)) and bool(named.intersection(figures))


def read(file: str, text: str, given: Given) -> tuple[Observation, ...]:
    """A prompt pass and a decode step for each row, as far as they were measured."""
    return tuple(one for row in rows(file, text, given.only) for one in _of_row(row))


def _of_row(row: Row) -> Iterator[Observation]:
    prompt, batch = row.number(_PROMPT), row.number(("batch",))
    generated = row.maybe(("gen",), zero=True) or 0.0
    prompt_ms = row.maybe(("prompt_ms",))
    prompt_speed = row.maybe(("prefill_tok_s",))
    if prompt_ms is None and prompt_speed is not None:
        prompt_ms = 1000.0 * batch * prompt / prompt_speed
    if prompt_ms is not None:
        yield PromptPass(row.where, prompt_ms, prompt, batch)
    step_ms = row.maybe(("token_ms",))
    speed = row.maybe(("decode_tok_s_total",))
    if step_ms is None and speed is not None:
        step_ms = 1000.0 * batch / speed
    if step_ms is not None:
        yield DecodeStep(row.where, step_ms, batch, prompt + generated / 2.0)
