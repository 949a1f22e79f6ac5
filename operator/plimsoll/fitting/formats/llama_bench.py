"""llama.cpp's benchmarks: llama-bench (JSON, JSON lines or its table) and the table of llama-batched-bench.

llama-bench runs one sequence: `pp512` is a prompt of 512 tokens, `tg128` 128 output tokens, both `@ d4096` after 4096
tokens of context. Only llama-batched-bench shows what more sequences cost.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from plimsoll.fitting.formats import documents
from plimsoll.fitting.formats.given import Given
from plimsoll.fitting.formats.table import number
from plimsoll.fitting.observations import DecodeStep, Observation, PromptPass

NAME = "llama-bench"

_UBATCH_TOKENS = 512.0
"""llama.cpp's default for -ub, the prompt tokens of one pass; the table does not show it unless it was changed."""
_TEST = re.compile(r"^(?:pp(?P<prompt>\d+))?(?:tg(?P<output>\d+))?(?: @ d(?P<depth>\d+))?$")
_BATCHED = ("pp", "tg", "b", "t_pp s", "t_tg s")


def recognises(text: str) -> bool:
    """Whether it is one of the three."""
    return any("avg_ts" in one and "n_prompt" in one for one in documents.objects(documents.parsed(text))) or any(
        _is_header(cells) for _, cells in _lines(text)
    )


def read(file: str, text: str, given: Given) -> tuple[Observation, ...]:
    """A prompt pass for each prompt test, a decode step for each output test; tests of both together are left out."""
    found = documents.parsed(text)
    if found is not None:
        tests = documents.objects(found)
        return tuple(
            one for place, test in enumerate(tests, start=1) for one in _of_object(test, f"{file} test {place}")
        )
    return tuple(_of_table(file, text))


def _of_object(test: Mapping[str, Any], where: str) -> Iterator[Observation]:
    prompt = number(test.get("n_prompt", 0), f"{where}: n_prompt", zero=True)
    output = number(test.get("n_gen", 0), f"{where}: n_gen", zero=True)
    depth = number(test.get("n_depth", 0), f"{where}: n_depth", zero=True)
    speed = documents.needed_figure(test, [("avg_ts",)], where)
    chunk = documents.figure(test, [("n_ubatch",)], where) or _UBATCH_TOKENS
    yield from _test(where, prompt, output, depth, speed, chunk)


def _test(
    where: str, prompt: float, output: float, depth: float, tokens_per_s: float, chunk: float
) -> Iterator[Observation]:
    if prompt > 0 and output == 0:
        yield PromptPass(where, 1000.0 * prompt / tokens_per_s, prompt, 1.0, chunk, depth)
    elif output > 0 and prompt == 0:
        yield DecodeStep(where, 1000.0 / tokens_per_s, 1.0, depth + output / 2.0)


def _of_table(file: str, text: str) -> Iterator[Observation]:
    header: list[str] = []
    for line, cells in _lines(text):
        where = f"{file} line {line}"
        if _is_header(cells):
            header = [cell.lower() for cell in cells]
        elif len(cells) == len(header) and not set("".join(cells)) <= set("-: "):
            named = dict(zip(header, cells, strict=True))
            yield from _of_batched_row(named, where) if "t_pp s" in named else _of_row(named, where)


def _of_row(named: Mapping[str, str], where: str) -> Iterator[Observation]:
    test = _TEST.match(named["test"])
    if test is None:
        return
    speed = number(named["t/s"].split("±")[0].strip(), f"{where}: t/s")
    chunk = number(named.get("n_ubatch", _UBATCH_TOKENS), f"{where}: n_ubatch")
    prompt, output, depth = (float(test[name] or 0) for name in ("prompt", "output", "depth"))
    yield from _test(where, prompt, output, depth, speed, chunk)


def _of_batched_row(named: Mapping[str, str], where: str) -> Iterator[Observation]:
    prompt, output, batch, prompt_s, output_s = (
        number(named[name], f"{where}: {name}", zero=name != "b") for name in _BATCHED
    )
    if prompt > 0 and prompt_s > 0:
        yield PromptPass(where, 1000.0 * prompt_s, prompt, batch, _UBATCH_TOKENS)
    if output > 0 and output_s > 0:
        yield DecodeStep(where, 1000.0 * output_s / output, batch, prompt + output / 2.0)


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    for place, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        if stripped.startswith("|"):
            yield place, [cell.strip() for cell in stripped.strip("|").split("|")]


def _is_header(cells: list[str]) -> bool:
    named = {cell.lower() for cell in cells}
    return {"test", "t/s"} <= named or set(_BATCHED) <= named
