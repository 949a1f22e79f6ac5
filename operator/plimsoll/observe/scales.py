"""How many replicas does a target have whose kind we do not watch?

In: targets such as LeaderWorkerSets or custom serving kinds. Out: their scale, or why there is none. One GET of the
scale subresource for each, in worker threads under one deadline. The only reads in `observe` beside the watches.
"""

import asyncio
import re
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from plimsoll.domain import Reason, Target
from plimsoll.errors import Forbidden, NotFound, PlimsollError
from plimsoll.observe.targets import Identity, Scale, Scales, Unavailable, identity
from plimsoll.observe.views import Requirement, Selector
from plimsoll.resource_paths import ResourcePaths

_WORKERS = 4
_SET_BASED = re.compile(r"^(?P<key>\S+)\s+(?P<operator>in|notin)\s+\((?P<values>[^)]*)\)$")
_OUTSIDE_PARENTHESES = re.compile(r",\s*(?![^(]*\))")


class ScaleReader:
    """Reads scales by `get` of a path; keeps the last one for when the API server does not answer."""

    def __init__(self, get: Callable[[str], Any], timeout_s: float = 4.0) -> None:
        self._get = get
        self._timeout_s = timeout_s
        self._paths = ResourcePaths(get)
        self._last: dict[Identity, Scale] = {}
        self._threads = ThreadPoolExecutor(max_workers=_WORKERS, thread_name_prefix="scales")

    async def read(self, targets: Collection[Target]) -> Scales:
        """The scale of every target; one that cannot be read now keeps the one last read, if there is any."""
        if not targets:
            return {}
        loop = asyncio.get_running_loop()
        ordered = sorted(targets, key=identity)
        under_way = [loop.run_in_executor(self._threads, self._read, target) for target in ordered]
        await asyncio.wait(under_way, timeout=self._timeout_s)
        scales: dict[Identity, Scale | Unavailable] = {}
        for target, reading in zip(ordered, under_way, strict=True):
            scales[identity(target)] = self._told(target, reading)
        self._last = {key: scale for key, scale in scales.items() if isinstance(scale, Scale)}
        return scales

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _told(self, target: Target, reading: "asyncio.Future[Scale | Unavailable]") -> Scale | Unavailable:
        if not reading.done():
            reading.cancel()
            return self._kept(target, f"the API server did not answer within {self._timeout_s:g}s")
        error = reading.exception()
        if isinstance(error, PlimsollError):
            return self._kept(target, str(error))
        return reading.result()

    def _kept(self, target: Target, why: str) -> Scale | Unavailable:
        last = self._last.get(identity(target))
        return last or Unavailable(Reason.TARGET_MISSING, f"the scale of {target} could not be read: {why}")

    def _read(self, target: Target) -> Scale | Unavailable:
        try:
            path = self._paths.of(target)
        except NotFound:
            return Unavailable(
                Reason.TARGET_MISSING,
                f"the API server knows no kind {target.kind} in {target.api_version}: install its "
                "CustomResourceDefinition, or correct targetRef",
            )
        try:
            return _scale(self._get(f"{path}/scale"))
        except Forbidden:
            return Unavailable(
                Reason.TARGET_NOT_SCALABLE,
                f"Plimsoll may not read the scale of {target}: its role needs get and patch of that scale subresource",
            )
        except NotFound:
            return self._without_scale(target, path)

    def _without_scale(self, target: Target, path: str) -> Unavailable:
        # 404 is the answer for a missing object as well as for a kind without scale: the object itself tells which.
        try:
            self._get(path)
        except (Forbidden, NotFound):
            return Unavailable(
                Reason.TARGET_MISSING,
                f"{target} is not there in namespace {target.namespace}: create it, or correct targetRef",
            )
        return Unavailable(
            Reason.TARGET_NOT_SCALABLE,
            f"{target} has no scale subresource, so its replicas cannot be set: enable subresources.scale in its "
            "CustomResourceDefinition, or name the workload behind it",
        )


def _scale(raw: Mapping[str, Any]) -> Scale:
    spec, status = raw.get("spec") or {}, raw.get("status") or {}
    return Scale(replicas=spec.get("replicas", 0), selector=parse_selector(status.get("selector") or ""))


def parse_selector(text: str) -> Selector:
    """A label selector in its text form: ``app=chat,tier in (a, b),!canary``."""
    equal: list[tuple[str, str]] = []
    requirements: list[Requirement] = []
    for part in filter(None, (one.strip() for one in _OUTSIDE_PARENTHESES.split(text))):
        set_based = _SET_BASED.match(part)
        if set_based:
            values = frozenset(value.strip() for value in set_based["values"].split(","))
            requirements.append(
                Requirement(set_based["key"], "In" if set_based["operator"] == "in" else "NotIn", values)
            )
        elif "!=" in part:
            key, _, value = part.partition("!=")
            requirements.append(Requirement(key.strip(), "NotIn", frozenset((value.strip(),))))
        elif "=" in part:
            key, _, value = part.replace("==", "=").partition("=")
            equal.append((key.strip(), value.strip()))
        elif part.startswith("!"):
            requirements.append(Requirement(part[1:].strip(), "DoesNotExist"))
        else:
            requirements.append(Requirement(part, "Exists"))
    return Selector(tuple(sorted(equal)), tuple(requirements))
