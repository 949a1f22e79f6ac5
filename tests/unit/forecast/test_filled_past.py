"""What metrics tell of the time before a start counts as if it had been seen; what was seen counts more."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from plimsoll.domain import DemandState, ForecastWay, Memory, PastLooks, Snapshot
from plimsoll.forecast import HISTORY_S, forecast, remember_demand
from plimsoll.forecast.history import DemandHistory
from unit.builders import MIX, a_demand, a_deployment, a_snapshot, a_variant

DAY_S = 86400.0
START_S = 30.0 * DAY_S + 8.0 * 3600.0
"""Eight in the morning."""

SLOW = a_variant("xeon", startup_s=1800.0)
CHAT = a_deployment(variants=[SLOW])
Floats = NDArray[np.float64]


def paces_rps(at_s: Floats) -> Floats:
    """Twenty times as much at noon as at midnight."""
    return 20.0 * np.exp(-1.5 * np.cos(2.0 * np.pi * at_s / DAY_S))


def past_of(step_s: float, back_s: float, end_s: float = START_S) -> PastLooks:
    steps = round(back_s / step_s)
    at_s = end_s - step_s * np.arange(steps - 1, -1, -1.0)
    rng = np.random.default_rng(1)
    means = np.array([[MIX.prompt_tokens_mean], [MIX.output_tokens_mean]])
    rates = paces_rps(at_s) * rng.lognormal(0.0, 0.03, steps)
    return PastLooks(step_s, end_s, (CHAT.key,), rates[None], np.repeat(means, steps, axis=1)[:, None])


def all_past() -> tuple[PastLooks, ...]:
    return past_of(10.0, HISTORY_S), past_of(60.0, 8.0 * 3600.0), past_of(600.0, 14.0 * DAY_S)


def a_start(*past: PastLooks, now_s: float = START_S + 5.0, rps: float | None = None) -> tuple[Snapshot, Memory]:
    rate_rps = float(paces_rps(np.array(now_s))) if rps is None else rps
    snapshot = replace(a_snapshot([replace(CHAT, demand=a_demand(rate_rps))], now_s=now_s), past=past)
    return snapshot, remember_demand(snapshot, Memory())


def test_a_start_with_a_past_knows_the_morning_at_its_first_tick() -> None:
    snapshot, memory = a_start(*all_past())
    found = forecast(snapshot, memory)[CHAT.key]
    comes_rps = float(paces_rps(np.array(START_S + 1800.0)))

    assert found.scores[-1].way is ForecastWay.DAILY_SHAPE
    assert comes_rps * 0.97 < found.at_lead_rps["xeon"] < comes_rps * 1.2
    assert found.known_since_s == pytest.approx(START_S - 14.0 * DAY_S)


def test_a_start_without_a_past_works_from_what_it_sees() -> None:
    snapshot, memory = a_start(rps=10.0)
    found = forecast(snapshot, memory)[CHAT.key]

    assert (found.now_rps, found.at_lead_rps, found.known_since_s) == (10.0, {"xeon": 10.0}, None)


def test_the_hour_before_is_remembered_look_by_look_with_its_mix() -> None:
    _, memory = a_start(*all_past())
    samples = memory.demand[CHAT.key]

    assert len(samples) == 360  # an hour of ticks, the newest of them seen
    assert samples[-1].at_s == START_S + 5.0
    assert samples[0].at_s >= START_S + 5.0 - HISTORY_S
    assert samples[0].tokens == MIX


def test_a_peak_before_the_start_is_ready_for() -> None:
    # Demand fell just before: the recent quantile still stands where it would have stood.
    past = past_of(10.0, HISTORY_S)
    past = replace(past, rate_ds=np.full_like(past.rate_ds, 80.0))
    snapshot, memory = a_start(past, rps=10.0)

    assert forecast(snapshot, memory)[CHAT.key].now_rps == pytest.approx(80.0, rel=1e-3)


def test_what_was_seen_is_not_overwritten() -> None:
    _, memory = a_start(rps=7.0)
    for tick in range(1, 130):
        snapshot = a_snapshot([replace(CHAT, demand=a_demand(7.0))], now_s=START_S + 5.0 + 10.0 * tick)
        if tick == 129:
            end_s = float(np.floor(snapshot.now_s / 600.0) * 600.0)
            late = (past_of(10.0, HISTORY_S, end_s), past_of(60.0, 7200.0, end_s), past_of(600.0, DAY_S, end_s))
            snapshot = replace(snapshot, past=late)
        memory = remember_demand(snapshot, memory)

    assert isinstance(memory.past, DemandHistory)
    assert memory.past.tens.rate_ds[0, -1] == 7.0
    assert memory.past.minutes.rate_ds[0, -20:].tolist() == [7.0] * 20
    assert {sample.arrival_rate_rps for sample in memory.demand[CHAT.key] if sample.at_s > START_S} == {7.0}
    assert np.isfinite(memory.past.tens.rate_ds[0, -100:]).all()


def test_a_gap_in_the_past_stays_a_gap() -> None:
    past = past_of(600.0, DAY_S)
    rates = past.rate_ds.copy()
    rates[0, 50:60] = np.nan
    _, memory = a_start(replace(past, rate_ds=rates))

    assert isinstance(memory.past, DemandHistory)
    assert np.flatnonzero(np.isnan(memory.past.tens.rate_ds[0, -144:])).tolist() == list(range(50, 60))


def test_the_slot_that_the_start_falls_into_counts_what_was_before_it() -> None:
    # Three minutes into ten: 18 looks of 30 req/s were before, one of 10 req/s is seen.
    begin_s = START_S + 180.0
    past = past_of(10.0, HISTORY_S, begin_s)
    past = replace(past, rate_ds=np.full_like(past.rate_ds, 30.0))
    _, memory = a_start(past, now_s=begin_s + 10.0, rps=10.0)

    assert isinstance(memory.past, DemandHistory)
    assert memory.past.tens.looks_d[0] == 20
    assert memory.past.tens.total_d[0] == pytest.approx(19 * 30.0 + 10.0)


def test_a_past_of_silence_keeps_its_mix_and_counts_as_silence() -> None:
    past = past_of(10.0, HISTORY_S)
    silent = replace(past, rate_ds=np.zeros_like(past.rate_ds), tokens_kds=np.full_like(past.tokens_kds, np.nan))
    _, memory = a_start(silent, rps=5.0)

    assert [sample.arrival_rate_rps for sample in memory.demand[CHAT.key][:-1]] == [0.0] * 359
    assert memory.demand[CHAT.key][0].tokens == MIX


def test_a_past_of_who_is_gone_is_left_out() -> None:
    snapshot = replace(a_snapshot(now_s=START_S + 5.0), past=all_past())

    assert remember_demand(snapshot, Memory()).demand == {}


def test_a_past_that_comes_while_demand_is_unknown_helps_as_soon_as_it_is_known() -> None:
    unknown = replace(CHAT, demand=a_demand(None, state=DemandState.UNREACHABLE))
    snapshot = replace(a_snapshot([unknown], now_s=START_S + 5.0), past=all_past())
    memory = remember_demand(snapshot, Memory())
    known = replace(CHAT, demand=a_demand(16.0))
    later = replace(snapshot, now_s=START_S + 15.0, deployments=(known,), past=())

    assert forecast(later, remember_demand(later, memory))[CHAT.key].scores[-1].way is ForecastWay.DAILY_SHAPE


def test_an_operator_that_never_stopped_knows_no_more_than_one_that_started_with_the_past() -> None:
    # The same minutes, once seen and once read.
    seen = Memory()
    looks = past_of(10.0, 3.5 * 3600.0)
    for at_s, rate_rps in zip(looks.at_s.tolist(), looks.rate_ds[0].tolist(), strict=True):
        before, snapshot = seen, a_snapshot([replace(CHAT, demand=a_demand(rate_rps))], now_s=at_s)
        seen = remember_demand(snapshot, before)
    told = forecast(snapshot, seen)[CHAT.key]
    hour = replace(looks, rate_ds=looks.rate_ds[:, -361:], tokens_kds=looks.tokens_kds[:, :, -361:])
    start, memory = a_start(hour, *all_past()[1:], now_s=START_S, rps=looks.rate_ds[0, -1])
    again = forecast(start, memory)[CHAT.key]

    assert again.now_rps == pytest.approx(told.now_rps)
    assert again.recent_quantile_rps == pytest.approx(told.recent_quantile_rps)
