"""The result file of `vllm bench serve --save-result`: one load point a run (also one run a line, `--append-result`).

The keys: vllm-project/vllm, vllm/benchmarks/serve.py (2026). Times per output token are read as TPOT, the mean over one
request: the ITL there is over single gaps, whose median does not see the steps that carry a prefill.
"""

import math
from collections.abc import Mapping
from typing import Any

from plimsoll.errors import UnusableMeasurements
from plimsoll.fitting.formats import documents
from plimsoll.fitting.formats.given import Given
from plimsoll.fitting.observations import LoadPoint

NAME = "vllm-bench"

_TPOT = (("median_tpot_ms",), ("mean_tpot_ms",), ("mean_itl_ms",))
_TTFT = (("median_ttft_ms",), ("mean_ttft_ms",))


def recognises(text: str) -> bool:
    """Whether there is a run with vLLM's keys."""
    return any("request_throughput" in one and "total_input_tokens" in one for one in _runs(text))


def read(file: str, text: str, given: Given) -> tuple[LoadPoint, ...]:
    """One load point a run."""
    documents.needed(file, text)
    runs = _runs(text)
    return tuple(
        _point(run, f"{file} run {place}" if len(runs) > 1 else file, given) for place, run in enumerate(runs, start=1)
    )


def _runs(text: str) -> list[Mapping[str, Any]]:
    return documents.objects(documents.parsed(text))


def _point(run: Mapping[str, Any], where: str, given: Given) -> LoadPoint:
    limit = documents.figure(run, [("max_concurrency",)], where)
    if limit is None and math.isinf(_asked_rate(run)):
        raise UnusableMeasurements(
            f"{where} sent every request at once, which is no steady load: run vllm bench serve with --request-rate or"
            " --max-concurrency"
        )
    completed = documents.needed_figure(run, [("completed",)], where)
    return LoadPoint(
        where=where,
        rate_rps=documents.needed_figure(run, [("request_throughput",)], where) / given.replicas,
        prompt_tokens=documents.needed_figure(run, [("total_input_tokens",)], where) / completed,
        output_tokens=documents.needed_figure(run, [("total_output_tokens",)], where) / completed,
        itl_ms=documents.needed_figure(run, _TPOT, where),
        ttft_ms=documents.figure(run, _TTFT, where),
        ttft_p95_ms=documents.figure(run, [("p95_ttft_ms",)], where),
        itl_p95_ms=documents.figure(run, [("p95_tpot_ms",)], where),
        prompt_sd=_deviation(run.get("input_lens")),
        output_sd=_deviation(run.get("output_lens")),
    )


def _asked_rate(run: Mapping[str, Any]) -> float:
    """In requests per second; vLLM writes "inf" as text, others as a number. A missing one is no reason to refuse."""
    asked = run.get("request_rate")
    return math.inf if asked in ("inf", math.inf) else 0.0


def _deviation(lengths: object) -> float:
    """Of the lengths of single requests, where they were saved (`--save-detailed`)."""
    if not isinstance(lengths, list) or not all(isinstance(one, int | float) for one in lengths) or not lengths:
        return 0.0
    mean = math.fsum(lengths) / len(lengths)
    return math.sqrt(math.fsum((one - mean) ** 2 for one in lengths) / len(lengths))
