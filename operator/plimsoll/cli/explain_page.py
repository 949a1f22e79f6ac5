"""What does a status say to a person? The verdict first, then what runs and why, what it costs, and what else there is.

In: an InferenceDeployment with its status, as raw dictionaries. Out: a page. Everything is read from the status, so the
page says what the operator said, and asks for nothing else.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from plimsoll.cli.page import BAD, GOOD, NOTE, Page, right
from plimsoll.explain import gap_text

Raw = Mapping[str, Any]
_TOLD_ELSEWHERE = ("Ready", "Reconciling", "Stalled")


def condition(status: Raw, type_: str) -> Raw:
    """The condition of that type; empty where there is none."""
    return next((one for one in status.get("conditions") or () if one["type"] == type_), {})


def tell_status(page: Page, raw: Raw, status: Raw, headline: str = "") -> None:
    """The whole page.

    Args:
        page: to write on.
        raw: the object, of which metadata and spec are read.
        status: its own, or that of a plan made from manifests.
        headline: what is planned, where no condition says so.
    """
    metadata, spec, plan = raw["metadata"], raw["spec"], status.get("plan") or {}
    page.title(
        f"{metadata['namespace']}/{metadata['name']}  {spec['model']}  mode {spec.get('mode', 'Auto')}  "
        f"{plan.get('phase', 'not planned')}"
    )
    page.lines("plan", filter(None, [headline]))
    _tell_ready(page, status)
    page.lines("trouble", _conditions(status, "False"), BAD)
    page.lines("not known", _conditions(status, "Unknown"), NOTE)
    page.lines("now", _steps(plan), NOTE)
    variants = status.get("variants") or ()
    page.table(
        "runs",
        ("variant", "pool", right("ready"), right("wanted"), right("safe req/s"), "sized by"),
        (
            (
                one["name"],
                one["pool"],
                f"{one['ready']}/{one['current']}",
                str(one["target"]),
                f"{float(one['safeRate']):.3g}",
                one.get("sizedBy", "-").lower(),
            )
            for one in variants
        ),
    )
    page.lines("why", (f"{one['name']}: {one.get('message') or one['reason']} ({one['reason']})" for one in variants))
    page.lines("latency", _latencies(spec, status))
    page.lines("", _corrections(spec, status))
    page.lines("cost", _cost(status))
    page.table(
        "not taken",
        ("variant", right("replicas"), right("USD/h"), "lost by", "why"),
        (
            (
                one["label"],
                ", ".join(str(count) for count in (one.get("replicas") or {}).values()) or "-",
                one.get("perHour", "-"),
                one["reason"],
                one.get("detail", ""),
            )
            for one in plan.get("alternatives") or ()
        ),
    )
    page.lines("would turn", _turns(status))
    page.lines("ask", _asks(metadata["name"], status))
    page.lines("demand", _demand(status))
    page.lines("forecast", _forecast(status))
    if plan:
        page.lines("bound", [gap_text(float(plan["costGap"]) if "costGap" in plan else None)])


def _tell_ready(page: Page, status: Raw) -> None:
    ready = condition(status, "Ready")
    if ready:
        well = ready["status"] == "True"
        text = f"Ready {ready['status']} ({ready['reason']}): {ready['message']}"
        page.lines("well" if well else "NOT WELL", [text], GOOD if well else BAD)


def _conditions(status: Raw, holds: str) -> Iterator[str]:
    for one in status.get("conditions") or ():
        if one["type"] not in _TOLD_ELSEWHERE and one["status"] == holds:
            yield f"{one['type']} {one['status']} ({one['reason']}): {one['message']}"


def _steps(plan: Raw) -> Iterator[str]:
    for step in plan.get("steps") or ():
        yield f"{step['variant']} {step['from']} -> {step['to']} ({step['reason']})"


def _latencies(spec: Raw, status: Raw) -> Iterator[str]:
    """By variant each latency of the SLO: seen, predicted, allowed."""
    for one in status.get("variants") or ():
        told = []
        for metric, limits in (spec.get("slo") or {}).items():
            for percentile, limit in limits.items():
                seen = ((one.get("observed") or {}).get(metric) or {}).get(percentile)
                expected = ((one.get("predicted") or {}).get(metric) or {}).get(percentile)
                parts = [f"{seen} seen" if seen else "", f"{expected} predicted" if expected else ""]
                if any(parts):
                    told.append(f"{metric} {percentile} {', '.join(filter(None, parts))} of {limit}")
        if told:
            yield f"{one['name']}: {'; '.join(told)}"


def _corrections(spec: Raw, status: Raw) -> Iterator[str]:
    profiles = {one["name"]: one.get("profile") for one in spec.get("variants") or ()}
    for one in status.get("variants") or ():
        if "correction" in one:
            yield (
                f"{one['name']}: as requests show, the engine takes {one['correction']} times the step times of "
                f"profile {profiles.get(one['name'], '?')}; the safe rate and what is predicted count with that"
            )


def _cost(status: Raw) -> Iterator[str]:
    cost = status.get("cost") or {}
    if not cost:
        return
    text = f"${cost['perHour']}/h"
    if "perMillionTokens" in cost:
        text += f", ${cost['perMillionTokens']} per million tokens"
    if "perMillionOutputTokens" in cost:
        text += f", ${cost['perMillionOutputTokens']} per million output tokens"
    if "overflowPerHour" in cost:
        rate = (status.get("plan") or {}).get("overflowRate", "?")
        text += f"; ${cost['overflowPerHour']}/h of it for {rate} req/s that go to the external API"
    if "externalAPIPerHour" in cost:
        text += f"; the external API would take ${cost['externalAPIPerHour']}/h"
    yield text


def _turns(status: Raw) -> Iterator[str]:
    best = (status.get("cost") or {}).get("nextBest") or {}
    evens = best.get("breakEven") or ()
    for one in evens:
        falls = float(one["perHour"]) < float(one["nowPerHour"])
        yield (
            f"{best['label']} costs no more {'once' if falls else 'if'} a node of {one['pool']} "
            f"{'falls' if falls else 'rises'} from ${one['nowPerHour']}/h to ${one['perHour']}/h"
        )


def _asks(name: str, status: Raw) -> Iterator[str]:
    """The command that shows what would be without the limit by which something lost."""
    pools = {one["name"]: one["pool"] for one in status.get("variants") or ()}
    for one in (status.get("plan") or {}).get("alternatives") or ():
        label, count = one["label"], max((one.get("replicas") or {"": 0}).values(), default=0)
        if label not in pools:
            continue
        assumptions = {
            "PoolFull": f"pool.{pools[label]}.nodes.max={count}",
            "ReplicaLimit": f"variant.{label}.replicas.max={count}",
            "StockOut": f"pool.{pools[label]}.stockedOut=no",
            "OverBudget": f"budget.perHour={one.get('perHour')}",
        }
        if one["reason"] in assumptions:
            yield f"plimsoll explain {name} --if {assumptions[one['reason']]}"


def _demand(status: Raw) -> Iterator[str]:
    demand, forecast = status.get("demand") or {}, status.get("forecast") or {}
    if demand.get("arrivalRate") is not None:
        yield (
            f"{demand['arrivalRate']} req/s, {demand.get('promptTokens', '?')} prompt and "
            f"{demand.get('outputTokens', '?')} output tokens a request"
        )
    elif demand:
        yield f"{demand['state']}: {demand.get('message', '')}"
    if forecast:
        yield f"planned for {forecast['requiredRate']} req/s ({forecast['basis']}): {forecast.get('message', '')}"


def _forecast(status: Raw) -> Iterator[str]:
    forecast = status.get("forecast") or {}
    leads = forecast.get("leads") or ()
    if leads and not any("lossOverLastValue" in one or "covered" in one for one in leads):
        yield "too early to say how good it is: a lead time has to pass first"
        return
    for one in leads:
        text = f"in {one['seconds']} s: at most {one['rate']} req/s by {one['way']}"
        if "lossOverLastValue" in one:
            text += f"; off by {one['lossOverLastValue']} of what taking the last rate for it would be"
        if "covered" in one:
            text += f"; {float(one['covered']):.0%} of what came lay below"
        yield text
    if "knownSince" in forecast:
        yield f"demand is known since {forecast['knownSince']}"
