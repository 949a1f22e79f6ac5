"""What does the fleet look like? One line for each InferenceDeployment, from what its status says.

In: InferenceDeployments as the API server has them. Out: frozen lines and their sums; nothing is decided here, and
what a status does not say stays unknown instead of zero.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from plimsoll.domain import ObjectKey, Phase

Raw = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PoolUse:
    """Replicas of one deployment on one pool."""

    pool: str
    ready: int
    current: int
    target: int

    def __str__(self) -> str:
        """As in ``cpu-amx 2``, ``cpu-amx 1/2`` while one is starting, ``cpu-amx 2>4`` on the way to four."""
        ready = str(self.ready) if self.ready == self.current else f"{self.ready}/{self.current}"
        return f"{self.pool} {ready}" if self.target == self.current else f"{self.pool} {ready}>{self.target}"


@dataclass(frozen=True, slots=True)
class FleetLine:
    """One deployment: how it is, where it runs, what it costs and what was beaten."""

    key: ObjectKey
    model: str
    state: str
    """One or two words, such as ``SLO met``."""
    well: bool | None
    """None where nothing is known yet."""
    trouble: str
    """What is not well and what to do about it; empty where all is well."""
    pools: tuple[PoolUse, ...]
    rate_rps: float | None
    usd_per_hour: float | None
    usd_per_million_tokens: float | None
    next_best: str | None
    next_best_usd_per_hour: float | None


def fleet_lines(objects: Iterable[Raw]) -> tuple[FleetLine, ...]:
    """One line a deployment: those that are not well first, then by namespace and name."""
    lines = [_line(raw) for raw in objects]
    return tuple(sorted(lines, key=lambda line: (line.well is True, line.key)))


def total_usd_per_hour(lines: Iterable[FleetLine]) -> float:
    """What all deployments together cost by their plans."""
    return sum(line.usd_per_hour or 0.0 for line in lines)


def _line(raw: Raw) -> FleetLine:
    status = raw.get("status") or {}
    cost = status.get("cost") or {}
    next_best = cost.get("nextBest") or {}
    state, well, trouble = _state(raw, status)
    return FleetLine(
        key=ObjectKey(raw["metadata"]["namespace"], raw["metadata"]["name"]),
        model=raw["spec"]["model"],
        state=state,
        well=well,
        trouble=trouble,
        pools=_pools(status.get("variants") or ()),
        rate_rps=_number((status.get("demand") or {}).get("arrivalRate")),
        usd_per_hour=_number(cost.get("perHour")),
        usd_per_million_tokens=_number(cost.get("perMillionTokens")),
        next_best=next_best.get("label"),
        next_best_usd_per_hour=_number(next_best.get("perHour")),
    )


def _state(raw: Raw, status: Raw) -> tuple[str, bool | None, str]:
    """In words, whether it is well, and what is wrong; the worst that holds is told."""
    conditions = {one["type"]: one for one in status.get("conditions") or ()}
    if not conditions:
        return "not planned", None, "the operator has not seen it: is it running, and does it serve this namespace?"
    ready, latency = conditions.get("Ready", {}), conditions.get("LatencyMet", {})
    if ready.get("status") != "True":
        return _words(ready.get("reason", "NotReady")), False, ready.get("message", "")
    if latency.get("status") == "False":
        return "SLO missed", False, latency.get("message", "")
    demand = conditions.get("DemandKnown", {})
    if demand.get("status") == "False":
        return _words(demand.get("reason", "DemandUnknown")), False, demand.get("message", "")
    mode = raw["spec"].get("mode", "Auto")
    if mode != "Auto":
        return mode.lower(), True, ""
    if (status.get("plan") or {}).get("phase") == Phase.MOVING.value:
        return "moving", True, ""
    return ("SLO met" if latency.get("status") == "True" else "ready"), True, ""


def _words(reason: str) -> str:
    """CamelCase as a reader says it: ``WaitsForReady`` is ``waits for ready``; ``SLOMissed`` is ``SLO missed``."""
    words: list[str] = []
    for index, letter in enumerate(reason):
        starts = letter.isupper() and (
            index == 0 or reason[index - 1].islower() or (index + 1 < len(reason) and reason[index + 1].islower())
        )
        if starts:
            words.append(letter)
        else:
            words[-1:] = [(words[-1] if words else "") + letter]
    return " ".join(word if len(word) > 1 and word.isupper() else word.lower() for word in words)


def _pools(variants: Iterable[Raw]) -> tuple[PoolUse, ...]:
    """By pool, in order of the variants; pools where nothing runs and nothing is wanted are left out."""
    counts: dict[str, list[int]] = {}
    for one in variants:
        sums = counts.setdefault(one["pool"], [0, 0, 0])
        for index, field in enumerate(("ready", "current", "target")):
            sums[index] += int(one[field])
    return tuple(PoolUse(pool, *sums) for pool, sums in counts.items() if any(sums))


def _number(text: str | None) -> float | None:
    return None if text is None else float(text)
