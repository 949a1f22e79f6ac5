"""guidellm's benchmarks.json: one load point for each benchmark of a sweep.

The schema: vllm-project/guidellm, src/guidellm/benchmark/schemas (2026-08): `benchmarks[].metrics.<name>.successful`
holds mean, median, std_dev and percentiles.p95. Runs that send everything at once are no steady load and are left out.
"""

from collections.abc import Mapping
from typing import Any

from plimsoll.errors import UnusableMeasurements
from plimsoll.fitting.formats import documents
from plimsoll.fitting.formats.given import Given
from plimsoll.fitting.observations import LoadPoint

NAME = "guidellm"

_STRATEGY_PATHS = (("config", "strategy", "type_"), ("scheduler", "strategy", "type_"), ("args", "strategy", "type_"))
"""Where the kind of load stands, newest version first."""
_ALL_AT_ONCE = "throughput"


def recognises(text: str) -> bool:
    """Whether there are benchmarks with guidellm's metrics."""
    return any(documents.at(one, ("metrics", "inter_token_latency_ms")) is not None for one in _benchmarks(text))


def read(file: str, text: str, given: Given) -> tuple[LoadPoint, ...]:
    """One load point for each benchmark at a steady load."""
    documents.needed(file, text)
    found = tuple(
        _point(one, f"{file} benchmark {place}", given)
        for place, one in enumerate(_benchmarks(text), start=1)
        if _strategy(one) != _ALL_AT_ONCE
    )
    if not found:
        raise UnusableMeasurements(
            f"{file} holds no benchmark at a steady load: run guidellm with --rate-type sweep, constant or poisson"
        )
    return found


def _benchmarks(text: str) -> list[Mapping[str, Any]]:
    return documents.objects(documents.at(documents.parsed(text), ("benchmarks",)) or [])


def _strategy(benchmark: Mapping[str, Any]) -> str | None:
    found = (documents.at(benchmark, path) for path in _STRATEGY_PATHS)
    return next((kind for kind in found if isinstance(kind, str)), None)


def _point(benchmark: Mapping[str, Any], where: str, given: Given) -> LoadPoint:
    metrics = documents.at(benchmark, ("metrics",))

    def value(name: str, *statistics: str) -> float | None:
        return documents.figure(metrics, [(name, "successful", *path.split(".")) for path in statistics], where)

    def needed(name: str, *statistics: str) -> float:
        paths = [(name, "successful", *path.split(".")) for path in statistics]
        return documents.needed_figure(metrics, paths, where)

    return LoadPoint(
        where=where,
        rate_rps=needed("requests_per_second", "mean") / given.replicas,
        prompt_tokens=needed("prompt_token_count", "mean"),
        output_tokens=needed("output_token_count", "mean"),
        itl_ms=needed("inter_token_latency_ms", "median", "mean"),
        ttft_ms=value("time_to_first_token_ms", "median", "mean"),
        ttft_p95_ms=value("time_to_first_token_ms", "percentiles.p95"),
        itl_p95_ms=value("inter_token_latency_ms", "percentiles.p95"),
        prompt_sd=value("prompt_token_count", "std_dev") or 0.0,
        output_sd=value("output_token_count", "std_dev") or 0.0,
    )
