"""How does a process that has just started learn what demand was before it?

In: the deployments of each tick. Out: `PastLooks`, as they come. Read from Prometheus in the background, by a few range
queries for all deployments together, one query at a time and the newest stretch first: no tick waits for it, and until
it is there forecasts work from what has been seen. A stretch that fails is tried again later in smaller pieces; every
failure is logged with what it means. Deployments that appear later are read the same way, once. Design section 4.
"""

import asyncio
import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from plimsoll.api import Engine
from plimsoll.domain import ObjectKey, PastLooks
from plimsoll.errors import InvalidObject, PlimsollError
from plimsoll.observe.attribution import Asked
from plimsoll.observe.dialects import Dialect, dialects_of
from plimsoll.observe.history_queries import history_query
from plimsoll.observe.past_rates import PastReading, joined, lag_in_steps, past_looks
from plimsoll.observe.prometheus import MetricsReader, Range, Stretch

log = logging.getLogger(__name__)

MOST_STEPS, FEWEST_STEPS = 144, 16
"""Of one query: a day of tens of minutes; halved at each failure. Bounds what Prometheus holds at once. A guess."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 15.0, 600.0
"""Before a failed query is tried again; doubled at each failure."""

_CUSTOM_QUERIES = ("arrival_rate", "prompt_tokens", "output_tokens")


@dataclass(frozen=True, slots=True)
class _Span:
    """How far back the past is wanted, and how finely."""

    step_s: float
    back_s: float
    window_s: float | None
    """Over which rates are taken; None: as at each tick."""
    tokens: bool


SPANS = (
    _Span(10.0, 3600.0, None, tokens=True),
    # Longer than minutes are remembered: what the rule of the recent past would have said is told from them.
    _Span(60.0, 8.0 * 3600.0, None, tokens=False),
    _Span(600.0, 14.0 * 86400.0, 600.0, tokens=False),
)
"""An hour as ticks see it, eight hours by minutes, two weeks by tens of minutes."""


class HistoryFill:
    """Reads the past of every deployment once."""

    def __init__(
        self,
        metrics: MetricsReader,
        monotonic_s: Callable[[], float] = time.monotonic,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        self._metrics = metrics
        self._monotonic_s = monotonic_s
        self._first_pause_s = first_pause_s
        self._begun: set[ObjectKey] = set()
        self._reading: asyncio.Task[None] | None = None
        self._read: list[PastLooks] = []

    def want(self, asked: Sequence[Asked], now_s: float) -> None:
        """Read the past of those whose past is not read yet, unless that is under way."""
        if self.is_reading:
            return
        self._begun &= {one.key for one in asked}
        new = [one.key for one in asked if one.key not in self._begun]
        if new:
            self._begun |= set(new)
            self._reading = asyncio.get_running_loop().create_task(self._fill(asked, frozenset(new), now_s))
            self._reading.add_done_callback(_tell_what_broke)

    @property
    def is_reading(self) -> bool:
        """Whether there is more to come."""
        return self._reading is not None and not self._reading.done()

    def take(self) -> tuple[PastLooks, ...]:
        """What has been read since the last call."""
        taken, self._read = tuple(self._read), []
        return taken

    def close(self) -> None:
        """Stop reading."""
        if self._reading is not None:
            self._reading.cancel()

    async def _fill(self, asked: Sequence[Asked], new: frozenset[ObjectKey], now_s: float) -> None:
        started_s = self._monotonic_s()
        for span in SPANS:
            await self._fill_span(asked, new, span, now_s)
        log.info(
            "read the demand of the past from Prometheus",
            extra={"deployments": len(new), "seconds": round(self._monotonic_s() - started_s, 1)},
        )

    async def _fill_span(self, asked: Sequence[Asked], new: frozenset[ObjectKey], span: _Span, now_s: float) -> None:
        end_s = math.floor(now_s / span.step_s) * span.step_s
        first_s, steps, pause_s = end_s - span.back_s, MOST_STEPS, self._first_pause_s
        read: PastLooks | None = None
        while end_s > first_s:
            stretch = Stretch(max(first_s + span.step_s, end_s - (steps - 1) * span.step_s), end_s, span.step_s)
            try:
                looks = await self._looks(asked, new, span, stretch)
            except PlimsollError as error:
                if isinstance(error, InvalidObject) and steps <= FEWEST_STEPS:
                    log.warning("%s; %s", error, _MEANS, extra={"back_to_s": end_s, "step_s": span.step_s})
                    break
                log.warning("%s; %s; trying again in %gs", error, _MEANS, pause_s)
                self._hand_over(read)
                read, steps = None, max(FEWEST_STEPS, steps // 2)
                await asyncio.sleep(pause_s)
                pause_s = min(LONGEST_PAUSE_S, 2.0 * pause_s)
            else:
                read = looks if read is None else joined(looks, read)
                end_s = stretch.start_s - span.step_s
        self._hand_over(read)

    def _hand_over(self, read: PastLooks | None) -> None:
        if read is not None and read.keys:
            self._read.append(read)

    async def _looks(
        self, asked: Sequence[Asked], new: frozenset[ObjectKey], span: _Span, stretch: Stretch
    ) -> PastLooks:
        settings = self._metrics.settings
        window_s = span.window_s or settings.window_s
        before_s = lag_in_steps(window_s, span.step_s) * span.step_s
        wider = Stretch(stretch.start_s - before_s, stretch.end_s, stretch.step_s)
        by_dialect: list[tuple[Dialect, list[Range]]] = []
        for dialect in _dialects(one for one in asked if one.key in new):
            query = history_query(dialect, settings.labels, window_s, tokens=span.tokens)
            if query is not None:
                by_dialect.append((dialect, await self._ask(query, wider)))
        custom = {
            one.key: await self._custom(one.queries, wider)
            for one in asked
            if one.key in new and one.source is Engine.CUSTOM
        }
        reading = PastReading(wider, window_s, by_dialect, custom)
        looks = await asyncio.to_thread(past_looks, asked, reading, settings.labels)
        rows = [row for row, key in enumerate(looks.keys) if key in new]
        keys = tuple(looks.keys[row] for row in rows)
        return PastLooks(looks.step_s, looks.end_s, keys, looks.rate_ds[rows], looks.tokens_kds[:, rows])

    async def _custom(self, queries: Mapping[str, str], stretch: Stretch) -> dict[str, list[Range]]:
        answers = {}
        for name in _CUSTOM_QUERIES:
            if name in queries:
                try:
                    answers[name] = await self._ask(queries[name], stretch)
                except InvalidObject:
                    # Each tick says so already, with the field's name; the others' past is read nevertheless.
                    answers[name] = []
        return answers

    async def _ask(self, query: str, stretch: Stretch) -> list[Range]:
        return await self._metrics.read_past(query, stretch, self._metrics.settings.history_timeout_s)


def _tell_what_broke(task: "asyncio.Task[None]") -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("reading the past broke; %s", _MEANS, exc_info=task.exception())


_MEANS = "the demand of the past is not known yet, so forecasts work from what has been seen since the start"


def _dialects(asked: Iterable[Asked]) -> list[Dialect]:
    engines = set()
    for one in asked:
        if one.source is Engine.GATEWAY:
            engines.add(Engine.GATEWAY)
        elif one.source is not Engine.CUSTOM:
            engines |= {server.engine for server in one.servers}
    return [dialect for engine in sorted(engines - {Engine.CUSTOM}) for dialect in dialects_of(engine)]
