"""Slots hold what was seen, end on the clock, and are never written to twice."""

from collections.abc import Sequence

import numpy as np
import pytest

from plimsoll.domain import ObjectKey
from plimsoll.forecast.history import FEWEST_SAID, LEADS_S, MINUTES, DemandHistory

CHAT, CODE = ObjectKey("team-a", "chat"), ObjectKey("team-a", "code")
START_S = 1_000_000.0 - 1_000_000.0 % 600.0
"""The start of ten minutes."""


def looks(rates: Sequence[float | None], step_s: float = 10.0, past: DemandHistory | None = None) -> DemandHistory:
    """One look a step."""
    past = past or DemandHistory()
    for index, rate in enumerate(rates):
        past = past.with_look(START_S + index * step_s, {CHAT: rate}, {CHAT: 0.9})
    return past


def test_a_minute_is_the_mean_of_its_looks() -> None:
    assert looks([1.0, 2.0, 3.0, 4.0, 5.0, 9.0, 50.0]).minutes.rate_ds[0, -1] == 4.0


def test_ten_minutes_are_the_mean_of_their_looks() -> None:
    assert looks([1.0] * 30 + [3.0] * 30 + [7.0]).tens.rate_ds[0, -1] == 2.0


def test_what_is_not_known_is_neither_zero_nor_made_up() -> None:
    minutes = looks([6.0] * 6 + [None] * 6 + [6.0] * 6 + [6.0]).minutes.rate_ds[0, -3:]

    assert minutes[0] == minutes[2] == 6.0
    assert np.isnan(minutes[1])


def test_an_operator_that_was_away_leaves_a_gap() -> None:
    past = looks([6.0] * 6).with_look(START_S + 300.0, {CHAT: 8.0}, {CHAT: 0.9})

    assert past.minutes.rate_ds[0, -5] == 6.0
    assert np.isnan(past.minutes.rate_ds[0, -4:]).all()


def test_an_operator_that_was_away_for_hours_remembers_no_minutes() -> None:
    past = looks([6.0] * 6).with_look(START_S + 60.0 * (MINUTES + 2), {CHAT: 8.0}, {CHAT: 0.9})

    assert np.isnan(past.minutes.rate_ds).all()


def test_a_clock_that_was_set_back_changes_no_slot_that_has_ended() -> None:
    past = looks([6.0] * 7)
    after = past.with_look(START_S - 100.0, {CHAT: 99.0}, {CHAT: 0.9})

    assert after.minutes.rate_ds.tobytes() == past.minutes.rate_ds.tobytes()


def test_an_old_past_stays_as_it_was() -> None:
    past = looks([6.0] * 6)
    before = past.minutes.rate_ds.copy(), past.minutes.total_d.copy()
    one = past.with_look(START_S + 60.0, {CHAT: 8.0}, {CHAT: 0.9})
    other = past.with_look(START_S + 60.0, {CHAT: 1.0}, {CHAT: 0.9})

    assert past.minutes.rate_ds.tobytes() == before[0].tobytes()
    assert past.minutes.total_d.tolist() == before[1].tolist()
    assert (one.minutes.total_d.tolist(), other.minutes.total_d.tolist()) == ([8.0], [1.0])


def test_who_comes_and_who_goes_does_not_mix_pasts() -> None:
    past = looks([6.0] * 7)
    both = past.with_look(START_S + 61.0, {CODE: 1.0, CHAT: 6.0}, {CODE: 0.9, CHAT: 0.9})
    alone = both.with_look(START_S + 120.0, {CODE: 2.0}, {CODE: 0.9})

    assert both.minutes.rate_ds[both.row[CHAT], -1] == 6.0
    assert np.isnan(both.minutes.rate_ds[both.row[CODE]]).all()
    assert list(alone.row) == [CODE]
    assert alone.minutes.rate_ds[0, -1] == 1.0


def said_of_minutes(minutes: int, said_rps: float) -> DemandHistory:
    """10 req/s a minute, and at each end the same was said of later."""
    past = DemandHistory()
    for minute in range(minutes):
        after = past.with_look(START_S + 60.0 * minute, {CHAT: 10.0}, {CHAT: 0.9})
        past = after.with_said(past, {CHAT: [said_rps] * (2 * len(LEADS_S))})
    return past


def test_what_was_said_is_held_against_what_came() -> None:
    # Of a minute ahead: 2 req/s too much cost (1 - .9) 2 = .2, 2 too little .9 x 2 = 1.8.
    assert said_of_minutes(FEWEST_SAID + 10, 12.0).said_loss_dl[0, 0] == pytest.approx(0.2)
    assert said_of_minutes(FEWEST_SAID + 10, 8.0).said_loss_dl[0, 0] == pytest.approx(1.8)


def test_what_was_said_seldom_has_no_score() -> None:
    assert np.isinf(said_of_minutes(FEWEST_SAID, 12.0).said_loss_dl).all()
