"""How many scrapes are usual, when are they too few, when is a gap over? Windows of a minute, looks every 10 s."""

from collections.abc import Iterable, Sequence

import pytest

from plimsoll.observe.window_fill import WindowFill, seen_anew

WINDOW_S = 60.0
LOOK_S = 10.0


def after(looks: Iterable[Sequence[float]], before: WindowFill | None = None, begin_s: float = 0.0) -> WindowFill:
    """What is remembered after these looks, each at the scrapes of every pod."""
    fill = before
    for place, scrapes in enumerate(looks):
        fill = seen_anew(fill, scrapes, WINDOW_S, begin_s + place * LOOK_S)
    assert fill is not None
    return fill


def usually(scrapes: float) -> WindowFill:
    return WindowFill(scrapes, since_s=-3600.0, seen_s=-LOOK_S)


@pytest.mark.parametrize(("usual", "enough", "too_few"), [(4.0, 3.0, 2.0), (8.0, 7.0, 6.0), (60.0, 51.0, 50.0)])
def test_a_scrape_less_is_no_gap_and_more_are(usual: float, enough: float, too_few: float) -> None:
    full, thin = after([[enough]], usually(usual)), after([[too_few]], usually(usual))
    assert (full.thin, full.is_full(enough)) == (None, True)
    assert thin.thin is not None
    assert not thin.is_full(too_few)


def test_what_is_usual_does_not_wear_down_look_by_look() -> None:
    assert not after([[3.0], [2.0]], usually(4.0)).is_full(2.0)
    assert after([[3.0]] * 60, usually(4.0)).usual_scrapes == 4.0


@pytest.mark.parametrize(("scrapes", "thin"), [([4, 4, 3, 2, 2], False), ([4, 4, 2, 2, 2], True), ([4, 2], False)])
def test_a_gap_is_what_most_pods_have(scrapes: list[float], thin: bool) -> None:
    assert (after([scrapes], usually(4.0)).thin is not None) == thin


def test_after_a_gap_no_scrape_may_lack_until_all_pods_have_theirs() -> None:
    filling = after([[2.0, 2.0], [4.0, 3.0]], usually(4.0))
    assert (filling.is_full(4.0), filling.is_full(3.0)) == (True, False)
    filled = after([[4.0, 4.0]], filling, begin_s=20.0)
    assert filled.is_full(3.0)


def test_of_many_scrapes_one_may_lack_after_a_gap_too() -> None:
    assert after([[6.0], [11.0]], usually(12.0)).is_full(11.0)
    assert not after([[6.0], [10.0]], usually(12.0)).is_full(10.0)


def test_a_longer_interval_is_usual_after_two_windows() -> None:
    thin = [[2.0]] * 13
    assert after(thin, usually(4.0)).thin is not None
    assert after([*thin, [2.0]], usually(4.0)) == WindowFill(2.0, since_s=130.0, seen_s=130.0)


def test_counts_that_alternate_make_no_new_spell() -> None:
    assert after([[3.0], [2.0]] * 7, usually(6.0)).thin is None


def test_a_second_gap_begins_a_new_spell() -> None:
    first = after([[2.0], [3.0], [5.0]], usually(8.0))
    again = after([[2.0]], first, begin_s=30.0)
    assert again.thin is not None
    assert again.thin.since_s == 30.0


def test_a_second_gap_that_comes_slowly_begins_one_too() -> None:
    fill = after([[6.0], [8.0], [7.0], [6.0]], usually(12.0))
    assert fill.thin is not None
    assert fill.thin.since_s == 30.0


def test_a_query_that_fails_now_and_then_begins_none() -> None:
    looks = 0.0, 10.0, 30.0, 60.0, 90.0, 110.0, 121.0
    fill = usually(4.0)
    for now_s in looks:
        fill = seen_anew(fill, [2.0], WINDOW_S, now_s)
    assert fill == WindowFill(2.0, since_s=121.0, seen_s=121.0)


def test_a_window_unseen_for_long_may_have_a_second_gap() -> None:
    fill = after([[2.0]], usually(4.0))
    fill = seen_anew(fill, [2.0], WINDOW_S, 200.0)
    assert fill.thin is not None
    assert fill.thin.since_s == 200.0


def test_what_is_seen_first_is_still_filling_for_a_window() -> None:
    assert after([[2.0], [3.0], [4.0]]).usual_scrapes == 4.0
    assert after([[2.0], [3.0], [4.0], [3.0], [3.0], [3.0], [3.0], [5.0]]).usual_scrapes == 4.0


def test_a_shorter_interval_is_usual_once_a_whole_window_had_it() -> None:
    more = [[4.0]] * 6
    assert after(more, usually(2.0)).usual_scrapes == 2.0
    assert after([*more, [4.0]], usually(2.0)).usual_scrapes == 4.0


def test_of_more_scrapes_the_fewest_become_usual() -> None:
    assert after([[6.0], [5.0], [6.0], [5.0], [6.0], [6.0], [6.0]], usually(4.0)).usual_scrapes == 5.0


def test_a_scrape_more_now_and_then_is_not_usual() -> None:
    assert after([[4.0], [5.0]] * 30, usually(4.0)).usual_scrapes == 4.0
