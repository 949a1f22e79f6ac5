"""After a start the past is read in the background: in bounded pieces, newest first, once for each deployment."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import requests
from prometheus_api_client.exceptions import PrometheusApiClientException

from plimsoll.domain import ObjectKey, PastLooks
from plimsoll.observe.history_fill import FEWEST_STEPS, MOST_STEPS, SPANS, HistoryFill
from plimsoll.observe.prometheus import MetricsReader, PrometheusSettings
from unit.observe.answers import KEY, an_asked

NOW_S = 1_800_000_005.0
LATER = an_asked(key=ObjectKey("team-a", "later"))


@dataclass
class Past:
    """Five requests per second for ever; fails as often as it is told to."""

    failures: Iterator[Exception] = field(default_factory=lambda: iter(()))
    asked: list[tuple[float, float, float]] = field(default_factory=list)

    def custom_query(self, *_: Any) -> Any:
        raise AssertionError("the past is asked for by ranges")

    def custom_query_range(self, query: str, start: datetime, end: datetime, step: str, *_: Any) -> Any:
        failure = next(self.failures, None)
        if failure is not None:
            raise failure
        first_s, last_s, step_s = start.timestamp(), end.timestamp(), float(step)
        self.asked.append((first_s, last_s, step_s))
        moments = np.arange(first_s, last_s + 1.0, step_s).tolist()
        return [
            {
                "metric": {
                    "namespace": "team-a",
                    "plimsoll_workload": "chat-h100",
                    "model_name": "llama-8b",
                    "plimsoll_signal": signal,
                },
                "values": [[at_s, value] for at_s in moments],
            }
            for signal, value in (("scrapes", "4"), ("request_rate", "5"))
        ]


def filled(
    prometheus: Past, also: Callable[[HistoryFill], None] | None = None, first_pause_s: float = 0.0
) -> list[PastLooks]:
    """All that one process reads of the past."""

    async def run() -> list[PastLooks]:
        reader = MetricsReader(PrometheusSettings("http://prometheus.test"), prometheus)
        fill = HistoryFill(reader, first_pause_s=first_pause_s)
        fill.want([an_asked()], NOW_S)
        assert fill.take() == ()  # nobody waits
        found = await until_still(fill)
        if also is not None:
            also(fill)
            found += await until_still(fill)
        fill.close()
        reader.close()
        return found

    return asyncio.run(run())


async def until_still(fill: HistoryFill) -> list[PastLooks]:
    found: list[PastLooks] = []
    while fill.is_reading:
        await asyncio.sleep(0.001)
        found += fill.take()
    return [*found, *fill.take()]


def test_an_hour_eight_hours_and_two_weeks_are_read() -> None:
    found = filled(Past())

    assert [(looks.step_s, looks.rate_ds.shape[1]) for looks in found] == [(10.0, 360), (60.0, 480), (600.0, 2016)]
    assert all((looks.rate_ds == 5.0).all() for looks in found)
    assert all(looks.end_s % looks.step_s == 0.0 and 0.0 <= NOW_S - looks.end_s < looks.step_s for looks in found)


def test_no_query_asks_for_more_than_a_bounded_number_of_steps_and_none_is_asked_for_twice() -> None:
    prometheus = Past()
    filled(prometheus)

    for span in SPANS:
        stretches = [(first_s, last_s) for first_s, last_s, step_s in prometheus.asked if step_s == span.step_s]
        window = round((span.window_s or 60.0) / span.step_s) or 1
        assert max(last_s - first_s for first_s, last_s in stretches) <= (MOST_STEPS - 1 + window) * span.step_s
        # Newest first, each ends one step before the one read before it begins, its window aside.
        assert all(older[1] == newer[0] + (window - 1) * span.step_s for newer, older in pairwise(stretches))


@pytest.mark.parametrize(
    "failure",
    [
        requests.ConnectionError("refused"),
        requests.Timeout("slow"),
        PrometheusApiClientException("HTTP Status Code 422 (b'query processing would load too many samples')"),
    ],
)
def test_what_fails_is_read_later_in_smaller_pieces(failure: Exception, caplog: pytest.LogCaptureFixture) -> None:
    # Two attempts make one failure; a refusal is not tried again at once.
    prometheus = Past(iter([failure] * (2 if isinstance(failure, requests.RequestException) else 1)))
    found = filled(prometheus)

    assert sum(looks.rate_ds.shape[1] for looks in found) == 360 + 480 + 2016
    hour = [(first_s, last_s) for first_s, last_s, step_s in prometheus.asked if step_s == 10.0]
    assert max(last_s - first_s for first_s, last_s in hour) == (MOST_STEPS // 2 - 1 + 6) * 10.0
    assert "forecasts work from what has been seen since the start" in caplog.text


def test_what_was_read_before_a_failure_is_handed_over_at_once() -> None:
    unanswered: list[Exception] = [requests.ConnectionError("refused")] * 100
    nothing: list[Any] = [None, None]  # two pieces of the hour are read
    found: list[PastLooks] = []

    async def run() -> None:
        reader = MetricsReader(PrometheusSettings("http://prometheus.test"), Past(iter([*nothing, *unanswered])))
        fill = HistoryFill(reader, first_pause_s=60.0)
        fill.want([an_asked()], NOW_S)
        while not found:
            await asyncio.sleep(0.01)
            found.extend(fill.take())
        fill.close()
        reader.close()

    asyncio.run(run())

    assert [looks.rate_ds.shape[1] for looks in found] == [2 * MOST_STEPS]


def test_a_query_that_is_refused_however_small_is_given_up_and_the_rest_is_read() -> None:
    refused = PrometheusApiClientException("HTTP Status Code 422 (b'no')")
    pieces = [MOST_STEPS, MOST_STEPS // 2, MOST_STEPS // 4, FEWEST_STEPS + 2, FEWEST_STEPS]
    found = filled(Past(iter([refused] * len(pieces))))

    assert [looks.step_s for looks in found] == [60.0, 600.0]


def test_a_deployment_that_appears_later_is_read_then_and_no_other_again() -> None:
    found = filled(Past(), lambda fill: fill.want([an_asked(), LATER], NOW_S + 60.0))

    assert [looks.keys for looks in found] == [(KEY,)] * 3 + [(LATER.key,)] * 3


def test_nothing_is_read_twice() -> None:
    prometheus = Past()
    filled(prometheus, lambda fill: fill.want([an_asked()], NOW_S + 60.0))

    assert len([1 for *_, step_s in prometheus.asked if step_s == 600.0]) == 14


def test_who_goes_and_returns_is_read_anew() -> None:
    async def run() -> int:
        prometheus = Past()
        reader = MetricsReader(PrometheusSettings("http://prometheus.test"), prometheus)
        fill = HistoryFill(reader)
        for asked in ([an_asked()], [], [an_asked()]):
            fill.want(asked, NOW_S)
            await until_still(fill)
        fill.close()
        reader.close()
        return len([1 for *_, step_s in prometheus.asked if step_s == 600.0])

    assert asyncio.run(run()) == 28
