"""What ``plimsoll profile check`` says about a profile: sentences, tables, panels of a chart, and data for machines.

In: answered questions. Out: text and plain values, the same for terminal, page and JSON.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from plimsoll.api import ServingProfile
from plimsoll.api.serving_profile import ProvenanceKind
from plimsoll.cli.latency_chart import Panel, milliseconds
from plimsoll.cli.profile_loads import LADDER, Load, ProfileLoads
from plimsoll.domain import LatencyObservation, LatencyTarget, Policy
from plimsoll.sizing.refusals import unreachable_target
from plimsoll.sizing.token_mix import rounded

_SCALE_OVER_LIMIT = 1.6
_SCALE_OVER_UNLOADED = 2.0
_WIDEST_OVER_FULL = 1.6
"""Of the axis: loads far beyond the safe one would press the curve against its side."""
_DIGITS = 6
"""Of figures for machines: more than is known, few enough to read."""


@dataclass(frozen=True, slots=True)
class Report:
    """A checked profile with everything that is said about it."""

    manifest: ServingProfile
    answers: ProfileLoads
    loads: tuple[Load, ...]
    asked: bool
    """Whether the loads are those that were asked about, rather than the ladder."""
    mix_guessed: str
    """Which lengths nobody stated; empty where all are."""

    @property
    def reachable(self) -> bool:
        return self.answers.safe_rps > 0.0

    @property
    def passes(self) -> bool:
        """Whether the operator would run it: the SLO can be kept, at every rate that was asked about, by requests that
        the profile can tell about."""
        within = self.answers.outside_validity is None
        return within and self.reachable and (not self.asked or all(load.holds for load in self.loads))


# --- Sentences -------------------------------------------------------------------------------------------------------


def heading(report: Report) -> str:
    spec = report.manifest.spec
    return f"{report.manifest.name}: {spec.model} on {spec.engine.value}, {spec.hardware}, {spec.precision}"


def about(report: Report) -> Iterator[str]:
    """Where the profile is from, and what was played."""
    yield _provenance(report)
    question, mix = report.answers.question, report.answers.question.tokens
    played = rounded(mix)
    guess = f" ({report.mix_guessed})" if report.mix_guessed else ""
    yield (
        f"requests{guess}: {mix.prompt_tokens_mean:g} prompt tokens (p95 {mix.prompt_tokens_p95:g}), "
        f"{mix.output_tokens_mean:g} output tokens (p95 {mix.output_tokens_p95:g})"
    )
    if played != mix:
        yield (
            f"  sized as {played.prompt_tokens_mean:g} (p95 {played.prompt_tokens_p95:g}) and "
            f"{played.output_tokens_mean:g} (p95 {played.output_tokens_p95:g}), rounded up as the operator does"
        )
    bursts = question.burstiness
    traffic = (
        "Poisson, no bursts"
        if bursts.is_steady
        else f"the rate wanders, CV2 {bursts.rate_cv2:g} over windows of {bursts.window_s:g}s"
    )
    behind = "1 replica" if question.replicas == 1 else f"{question.replicas} replicas, router {question.router.value}"
    yield f"arrivals: {traffic}; {behind}"


def _provenance(report: Report) -> str:
    provenance = report.manifest.spec.provenance
    source = f" from: {provenance.reference}" if provenance.reference else ""
    day = f" ({provenance.date})" if provenance.date else ""
    error = (
        "its error was not stated"
        if provenance.error_percent is None
        else f"step times are {provenance.error_percent:g}% off on average"
    )
    told = f"{provenance.kind.value}{source}{day}; {error}"
    if provenance.kind is ProvenanceKind.ESTIMATED:
        return f"{told}. NOT MEASURED: the real figures may differ by a multiple; see `plimsoll profile fit`"
    return told


def verdict(report: Report) -> Iterator[tuple[str, bool]]:
    """The answer in words: what is safe, what binds, what to do; and whether each is good news."""
    answers = report.answers
    if not report.reachable:
        yield f"SLO UNREACHABLE at any rate: {_unreachable(report)}, or use a faster profile", False
        return
    unit = "req/s" if answers.question.replicas == 1 else "req/s each"
    yield (
        f"safe rate: {_rate(answers.safe_rps)} {unit}; {_binding(answers)}. A policy keeps headroom below it "
        f"(by default {Policy().headroom_ratio:.0%})",
        True,
    )
    for load in report.loads:
        if report.asked and not load.holds:
            yield _missed(report, load), False


def _unreachable(report: Report) -> str:
    return unreachable_target(report.manifest.name, report.answers.question.slo, report.answers.unloaded)


def _binding(answers: ProfileLoads) -> str:
    if answers.binding is None:
        return f"throughput binds, no target does: {_rate(answers.completed_rps)} req/s is all that one completes"
    return f"{answers.binding} binds"


def _missed(report: Report, load: Load) -> str:
    answers = report.answers
    why = (
        f"more than the {_rate(answers.completed_rps)} req/s that a replica completes, waits grow without end"
        if load.overloaded
        else ", ".join(
            f"{_latency_name(target)} would be {milliseconds(_seen(load, target).value_ms)}, the limit is "
            f"{target.limit_ms:g}ms"
            for target in load.missed
        )
    )
    total_rps = load.rate_rps * answers.question.replicas
    needed = _replicas_for(answers, total_rps)
    advice = f"; {_rate(total_rps)} req/s in all take {needed} replicas" if needed > answers.question.replicas else ""
    return f"SLO MISSED at {_rate(load.rate_rps)} req/s, but reachable: {why}{advice}"


def _replicas_for(answers: ProfileLoads, total_rps: float) -> int:
    safe = answers.safe
    few = (count for count in range(1, safe.replicas[-1] + 1) if safe.total_rps(count) >= total_rps)
    return next(few, 0) or math.ceil(total_rps / safe.per_replica_rps)


def notes(report: Report) -> Iterator[str]:
    """What to know besides."""
    answers = report.answers
    yield f"a lone request: {', '.join(map(_observed, answers.unloaded))}"
    yield f"quick estimate, 1 replica: {_estimate(answers)}"
    if answers.outside_validity is not None:
        yield f"OUTSIDE THE PROFILE'S RANGE, a guess that the operator would refuse: {answers.outside_validity}"
    if not answers.question.burstiness.is_steady and answers.other_draws:
        seen = sorted(one.value_ms for one in answers.other_draws)
        yield (
            f"bursts differ from draw to draw: at the safe rate {len(seen)} others have a "
            f"{_latency_name(answers.other_draws[0])} of {milliseconds(seen[0])} to {milliseconds(seen[-1])}"
        )
    if report.reachable and answers.question.replicas not in answers.safe.replicas:
        counts = answers.safe.replicas
        played = "a lone replica" if counts == (1,) else f"{', '.join(map(str, counts))} replicas"
        yield (
            f"the operator plays {played} and takes the safe rate of {answers.question.replicas} from that: latencies "
            "at it may be a little off the limit, with bursts far"
        )
    if any(load.overloaded for load in report.loads):
        yield "> marks more load than a replica completes: waits grow for as long as it lasts"


def _estimate(answers: ProfileLoads) -> str:
    quick_rps, exact_rps = answers.estimated.rate_rps[0], answers.safe.total_rps(1)
    if quick_rps <= 0.0:
        return "no rate is safe"
    compared = f" ({quick_rps / exact_rps - 1.0:+.1%} against the simulation)" if exact_rps > 0.0 else ""
    doubt = "; marked as doubtful, so it is among the first to be simulated" if answers.estimated.doubtful else ""
    return f"{_rate(quick_rps)} req/s{compared}{doubt}"


# --- Tables: a header and rows ---------------------------------------------------------------------------------------


def loads_table(report: Report) -> tuple[list[str], list[list[str]]]:
    """For each load: latencies, whether the SLO holds, what tokens cost."""
    question = report.answers.question
    priced = question.usd_per_hour is not None
    shared = ["of safe"] if report.reachable else []
    header = ["req/s each" if question.replicas > 1 else "req/s", *shared, *map(_latency_name, question.slo), "SLO"]
    rows = []
    for load in report.loads:
        row = [_column_rate(load.rate_rps), *([] if load.safe_ratio is None else [f"{load.safe_ratio:.0%}"])]
        more = ">" if load.overloaded else ""
        row += [more + milliseconds(one.value_ms) for one in load.predicted]
        row.append("holds" if load.holds else "MISSED")
        if priced:
            row += [_usd(load.usd_per_million_tokens), _usd(load.usd_per_million_output_tokens)]
        rows.append(row)
    return [*header, *(("$/M tokens", "$/M output") if priced else ())], rows


def replicas_table(report: Report) -> tuple[list[str], list[list[str]]]:
    """The safe rate by number of replicas behind one router."""
    safe, own = report.answers.safe, report.answers.question.replicas
    return ["replicas", "safe req/s", "each"], [
        [str(count), _column_rate(safe.total_rps(count)), _column_rate(safe.total_rps(count) / count)]
        for count in sorted({*safe.replicas, own})
    ]


def _latency_name(one: LatencyTarget | LatencyObservation) -> str:
    return f"{one.metric.value} p{one.quantile * 100:g}"


def _observed(one: LatencyObservation) -> str:
    return f"{_latency_name(one)} {milliseconds(one.value_ms)}"


def _seen(load: Load, target: LatencyTarget) -> LatencyObservation:
    return next(one for one in load.predicted if (one.metric, one.quantile) == (target.metric, target.quantile))


def _rate(rate_rps: float) -> str:
    return f"{rate_rps:.0f}" if rate_rps >= 1000.0 else f"{rate_rps:.3g}"


def _column_rate(rate_rps: float) -> str:
    """With its zeros at the end, so that a column is of one precision."""
    return _rate(rate_rps) if rate_rps >= 100.0 else f"{rate_rps:#.3g}"


def _usd(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


# --- Panels ----------------------------------------------------------------------------------------------------------


def panels(report: Report) -> tuple[Panel, ...]:
    """Latency over the load of one replica, a panel a target."""
    answers = report.answers
    highest = max(load.rate_rps for load in report.loads)
    right = max(LADDER[-1] * answers.full_rps, min(1.05 * highest, _WIDEST_OVER_FULL * answers.full_rps))
    curve = answers.curve(right)
    return tuple(
        Panel(
            title=f"{_latency_name(target)} over req/s of one replica, limit {target.limit_ms:g}ms",
            points=((0.0, alone.value_ms), *((load.rate_rps, load.predicted[place].value_ms) for load in curve)),
            limit_ms=target.limit_ms,
            top_ms=max(_SCALE_OVER_LIMIT * target.limit_ms, _SCALE_OVER_UNLOADED * alone.value_ms),
            right=right,
            safe=answers.safe_rps if report.reachable else None,
            asked=tuple(load.rate_rps for load in report.loads if report.asked and load.rate_rps <= right),
        )
        for place, (target, alone) in enumerate(zip(answers.question.slo, answers.unloaded, strict=True))
    )


# --- For machines ----------------------------------------------------------------------------------------------------


def as_data(report: Report) -> dict[str, Any]:
    answers, spec = report.answers, report.manifest.spec
    question, mix = answers.question, answers.question.tokens
    return {
        "profile": report.manifest.name,
        "provenance": spec.provenance.model_dump(mode="json", by_alias=True, exclude_none=True),
        "passes": report.passes,
        "sloReachable": report.reachable,
        "slo": [
            {"latency": _latency_name(target), "limitMs": target.limit_ms, "unloadedMs": _figure(alone.value_ms)}
            for target, alone in zip(question.slo, answers.unloaded, strict=True)
        ],
        "requests": {
            "promptTokens": mix.prompt_tokens_mean,
            "promptTokensP95": mix.prompt_tokens_p95,
            "outputTokens": mix.output_tokens_mean,
            "outputTokensP95": mix.output_tokens_p95,
            "guessed": report.mix_guessed,
            "rateCv2": question.burstiness.rate_cv2,
            "windowSeconds": question.burstiness.window_s,
        },
        "replicas": question.replicas,
        "router": question.router.value,
        "safeRate": {
            "perReplica": _figure(answers.safe_rps),
            "byReplicas": {str(count): _figure(answers.safe.total_rps(count)) for count in answers.safe.replicas},
            "binds": _latency_name(answers.binding) if answers.binding else "throughput",
            "estimate": _figure(answers.estimated.rate_rps[0]),
            "estimateDoubtful": answers.estimated.doubtful,
        },
        "loads": [_load(load) for load in report.loads],
        "notes": [*(line for line, _ in verdict(report)), *notes(report)],
    }


def _load(load: Load) -> dict[str, Any]:
    return {
        "rate": _figure(load.rate_rps),
        "shareOfSafeRate": _figure(load.safe_ratio),
        "latencyMs": {_latency_name(one): _figure(one.value_ms) for one in load.predicted},
        "holds": load.holds,
        "overloaded": load.overloaded,
        "usdPerMillionTokens": _figure(load.usd_per_million_tokens),
        "usdPerMillionOutputTokens": _figure(load.usd_per_million_output_tokens),
    }


def _figure(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.{_DIGITS}g}")
