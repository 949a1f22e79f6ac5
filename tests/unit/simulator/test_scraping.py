"""What is read of metrics is what Prometheus would answer: late, over a window, and not there where it is not there."""

import math

import numpy as np
import pytest

from plimsoll.api import Engine
from plimsoll.domain import LatencyMetric, LatencyTarget, ObjectKey, VariantKey
from plimsoll.engine.arrays import Floats
from plimsoll.observe.attribution import Asked, Server
from plimsoll.observe.queries import Signal
from plimsoll.observe.reading import Samples
from plimsoll.simulator import metering
from plimsoll.simulator.scraping import Scraper

KEY = VariantKey("team-a", "chat", "h100")
TTFT_P95 = (LatencyMetric.TTFT, 0.95)
DELAY_S = 2.0


def asked(source: Engine = Engine.VLLM, engine: Engine = Engine.VLLM) -> Asked:
    slo = (LatencyTarget(*TTFT_P95, 800.0),)
    return Asked(KEY.deployment_key, source, "m", (Server("h100", engine, "chat-h100", ()),), slo, 60.0)


def a_row(
    ended: float,
    running: float = 0.0,
    waiting: float = 0.0,
    ttft_ms: float | None = None,
    prompts: tuple[float, ...] = (),
) -> Floats:
    row = np.zeros(metering.COLUMNS)
    row[[metering.RUNNING, metering.WAITING, metering.ENDED, metering.FINISHED]] = running, waiting, ended, ended
    row[[metering.PROMPT_TOKENS, metering.OUTPUT_TOKENS, metering.ARRIVED]] = 100.0 * ended, 20.0 * ended, ended
    if ttft_ms is not None:
        row[metering.TTFT.first + int(np.searchsorted(metering.TTFT.bounds, ttft_ms))] = ended
    for tokens in prompts:
        row[metering.PROMPTS.first + int(np.searchsorted(metering.PROMPTS.bounds, tokens))] = ended / len(prompts)
    return row


def scraped(
    *points: tuple[float, float],
    engine: Engine = Engine.VLLM,
    ttft_ms: float | None = None,
    prompts: tuple[float, ...] = (),
) -> Scraper:
    scraper = Scraper(window_s=60.0, delay_s=DELAY_S, start_s=1000.0)
    for at_s, ended in points:
        row = a_row(ended, 3.0, 1.0, ttft_ms, prompts)
        scraper.take(at_s, KEY, engine, {"chat-h100-1": row}, (ended, ended, 0.0, 0.0))
    return scraper


def read(scraper: Scraper, now_s: float, engine: Engine = Engine.VLLM) -> Samples:
    (samples,) = scraper.reading(now_s, [asked(engine=engine)]).by_engine[engine].samples
    return samples


EVERY_15_S = tuple((15.0 * k, 30.0 * k) for k in range(9))
"""Two requests a second since time 0, seen at 0, 15, .. 120 s."""


def test_a_steady_rate_is_read_as_it_is() -> None:
    values = read(scraped(*EVERY_15_S), now_s=120.0 + DELAY_S).values
    assert values[Signal.REQUEST_RATE] == pytest.approx(2.0, rel=1e-9)
    assert values[Signal.SCRAPES] == 4.0
    assert values[Signal.AGE_S] == DELAY_S
    assert values[Signal.RUNNING] == 3.0
    assert values[Signal.WAITING] == 1.0
    assert values[Signal.RUNNING_BEFORE] == 3.0
    assert values[Signal.PROMPT_TOKENS_RATE] / values[Signal.PROMPTS_RATE] == pytest.approx(100.0)


def test_a_scrape_is_not_seen_before_its_delay() -> None:
    assert read(scraped(*EVERY_15_S), now_s=120.0 + DELAY_S - 0.1).values[Signal.REQUESTS] == 210.0
    assert read(scraped(*EVERY_15_S), now_s=120.0 + DELAY_S).values[Signal.REQUESTS] == 240.0


def test_a_young_pods_rate_is_extrapolated_to_where_its_counter_was_zero() -> None:
    # Ready at 100 s, scraped at 105 (10 requests) and 120 (40): an increase of 30 in 15 s. Seen at 122: 2 s to the end;
    # to the start 43 s is beyond 1.1 intervals, so half an interval, 7.5 s, but zero was 15 * 10/30 = 5 s before.
    # (15 + 5 + 2)/15 * 30 / 60 s = 0.7333.
    values = read(scraped((105.0, 10.0), (120.0, 40.0)), now_s=122.0).values
    assert values[Signal.REQUEST_RATE] == pytest.approx(22.0 / 15.0 * 30.0 / 60.0)
    assert Signal.RUNNING_BEFORE not in values


def test_a_counter_that_was_seen_once_has_no_rate() -> None:
    values = read(scraped((105.0, 10.0)), now_s=110.0).values
    assert Signal.REQUEST_RATE not in values
    assert values[Signal.REQUESTS] == 10.0


def test_a_quantile_is_read_from_buckets() -> None:
    # All between 250 and 500 ms: 95% of the way.
    samples = read(scraped(*EVERY_15_S, ttft_ms=300.0), now_s=122.0)
    assert samples.latencies_ms[TTFT_P95] == pytest.approx(250.0 + 0.95 * 250.0)
    assert samples.bounds_ms[LatencyMetric.TTFT][:3] == (1.0, 5.0, 10.0)


def test_beyond_the_last_bucket_the_last_bound_is_told() -> None:
    samples = read(scraped(*EVERY_15_S, ttft_ms=1e9), now_s=122.0)
    assert samples.latencies_ms[TTFT_P95] == 2_560_000.0


def test_the_largest_length_is_the_bound_of_the_highest_bucket_with_one_in_it() -> None:
    values = read(scraped(*EVERY_15_S, prompts=(120.0, 700.0)), now_s=122.0).values
    assert values[Signal.PROMPT_TOKENS_MOST] == 1000.0


def test_no_largest_length_is_told_where_one_is_beyond_the_last_bound_or_none_was_seen() -> None:
    values = read(scraped(*EVERY_15_S, prompts=(120.0, 1e9)), now_s=122.0).values
    assert Signal.PROMPT_TOKENS_MOST not in values
    assert Signal.OUTPUT_TOKENS_MOST not in values


def test_a_quantile_of_nothing_is_no_number() -> None:
    assert math.isnan(read(scraped(*EVERY_15_S), now_s=122.0).latencies_ms[TTFT_P95])


def test_a_pod_that_is_gone_keeps_its_rate_for_a_while_and_has_no_gauges() -> None:
    scraper = scraped(*EVERY_15_S)
    scraper.gone("chat-h100-1", 121.0)
    values = read(scraper, now_s=135.0).values
    assert Signal.RUNNING not in values
    assert Signal.AGE_S not in values
    assert values[Signal.REQUEST_RATE] > 1.0
    assert values[Signal.RUNNING_BEFORE] == 3.0
    assert not scraper.reading(300.0, [asked()]).by_engine[Engine.VLLM].samples


def test_an_engine_shows_only_what_its_dialect_names() -> None:
    # TGI has no histogram of first tokens and counts requests as they arrive.
    samples = read(scraped(*EVERY_15_S, engine=Engine.TGI), now_s=122.0, engine=Engine.TGI)
    assert TTFT_P95 not in samples.latencies_ms
    assert Signal.KV_USE not in samples.values


def test_a_gateway_shows_requests_and_who_waits_while_no_replica_runs() -> None:
    scraper = Scraper(window_s=60.0, delay_s=DELAY_S, start_s=1000.0)
    for k in range(9):
        scraper.take_router(15.0 * k, ObjectKey("team-a", "chat"), 30.0 * k, 5.0)
    reading = scraper.reading(122.0, [asked(Engine.GATEWAY)])
    (samples,) = reading.by_engine[Engine.GATEWAY].samples
    assert samples.values[Signal.REQUEST_RATE] == pytest.approx(2.0)
    assert samples.values[Signal.WAITING] == 5.0
    assert samples.model == "m"
    assert scraper.queued(122.0) == {ObjectKey("team-a", "chat"): 5.0}


def test_other_autoscalers_see_scrapes_with_times_of_the_clock() -> None:
    scrapes = scraped(*EVERY_15_S).scrapes(122.0)[KEY]
    assert scrapes[-1].at_s == 1120.0
    assert scrapes[-1].concurrency == 4.0
    assert scrapes[-1].arrivals == 240.0
