"""When metrics stop, thin out or come back: each gap has a state, and none of them is a zero."""

import pytest

from plimsoll.api import Engine
from plimsoll.domain import DemandState, ObjectKey
from plimsoll.observe.demand import DemandMemory, observe_demand
from plimsoll.observe.queries import Signal
from plimsoll.observe.reading import MetricsReading
from unit.builders import NOW_S, a_pod
from unit.observe.answers import (
    KEY,
    a_reading,
    a_server,
    an_asked,
    demand_of,
    known_before,
    old_pods,
    pod_samples,
    without,
)

LONG_AGO_S = NOW_S - 300.0


def test_an_empty_answer_is_absent_not_zero() -> None:
    demand, after = demand_of(an_asked(), a_reading())
    assert demand.state is DemandState.ABSENT
    assert demand.arrival_rate_rps is None
    assert "check that they are scraped" in demand.message
    assert after == DemandMemory()


def test_without_replicas_demand_is_absent_and_says_who_would_see_it() -> None:
    demand, _ = demand_of(an_asked(a_server()), a_reading())
    assert demand.state is DemandState.ABSENT
    assert not demand.sees_zero_replicas
    assert "Gateway" in demand.message


def test_metrics_that_were_there_and_vanish_are_stale() -> None:
    demand, _ = demand_of(an_asked(), a_reading(), known_before(at_s=LONG_AGO_S))
    assert demand.state is DemandState.STALE
    assert demand.arrival_rate_rps is None
    assert "last known 300s ago: 5 req/s" in demand.message


def test_an_exporter_that_dies_is_stale_although_its_rate_still_fades() -> None:
    fading = pod_samples(gone=True, request_rate=1.5)
    demand, _ = demand_of(an_asked(), a_reading(fading), known_before(at_s=LONG_AGO_S))
    assert demand.state is DemandState.STALE
    assert demand.arrival_rate_rps is None


def test_samples_older_than_the_policy_allows_are_stale() -> None:
    demand, _ = demand_of(an_asked(stale_after_s=30.0), a_reading(pod_samples(age_s=31.0)))
    assert demand.state is DemandState.STALE


@pytest.mark.parametrize("reading", [a_reading(), a_reading(failure="no route"), a_reading(pod_samples(gone=True))])
def test_what_was_read_lately_counts_until_it_is_stale(reading: MetricsReading) -> None:
    asked = an_asked(stale_after_s=60.0)
    young, after = demand_of(asked, reading, known_before(at_s=NOW_S - 60.0))
    assert (young.state, young.arrival_rate_rps) == (DemandState.KNOWN, 5.0)
    old, _ = demand_of(asked, reading, after, NOW_S + 1.0)
    assert old.state is not DemandState.KNOWN


def test_an_unreachable_server_is_unreachable_with_its_own_words() -> None:
    demand, after = demand_of(an_asked(), a_reading(failure="cannot be reached"), known_before(at_s=LONG_AGO_S))
    assert demand.state is DemandState.UNREACHABLE
    assert "cannot be reached" in demand.message
    assert after.last[KEY].arrival_rate_rps == 5.0


def test_one_engine_unreachable_leaves_the_deployments_of_the_others_known() -> None:
    good, bad = a_reading(pod_samples()), a_reading(engine=Engine.SGLANG, failure="timed out")
    both = MetricsReading(good.window_s, {**good.by_engine, **bad.by_engine})
    other = an_asked(
        a_server(*old_pods("other-h100-a"), engine=Engine.SGLANG),
        source=Engine.SGLANG,
        key=ObjectKey("team-a", "other"),
    )
    observed, _ = observe_demand([an_asked(), other], both, DemandMemory(), NOW_S)
    assert observed[KEY].demand.state is DemandState.KNOWN
    assert observed[other.key].demand.state is DemandState.UNREACHABLE


def test_after_a_pause_in_scraping_the_window_must_fill_before_rates_count() -> None:
    # Four scrapes fill a window. After a restart of Prometheus two are there, and the rate is half of the truth.
    thin = a_reading(pod_samples(request_rate=2.5, scrapes=2.0))
    demand, _ = demand_of(an_asked(), thin, known_before(at_s=LONG_AGO_S))
    assert demand.state is DemandState.STALE
    assert "scraping paused" in demand.message
    assert "scrape interval has become longer" in demand.message


def test_after_a_pause_almost_full_is_not_full() -> None:
    before = known_before(at_s=LONG_AGO_S)
    _, filling = demand_of(an_asked(), a_reading(pod_samples(scrapes=2.0)), before)
    almost, filling = demand_of(an_asked(), a_reading(pod_samples(scrapes=3.0)), filling, NOW_S + 15.0)
    full, _ = demand_of(an_asked(), a_reading(pod_samples(scrapes=4.0)), filling, NOW_S + 30.0)
    assert almost.state is DemandState.STALE
    assert full.state is DemandState.KNOWN


def test_one_late_scrape_is_no_pause() -> None:
    demand, _ = demand_of(an_asked(), a_reading(pod_samples(scrapes=3.0)), known_before())
    assert demand.arrival_rate_rps == pytest.approx(5.0)


def test_scraping_that_fades_look_by_look_is_a_pause() -> None:
    # Each look has only one scrape less than the one before, as where samples age without anyone saying so.
    memory, asked = known_before(), an_asked(stale_after_s=20.0)
    states = []
    for later_s, scrapes in ((0.0, 4.0), (15.0, 3.0), (30.0, 2.0), (45.0, 2.0)):
        shown = pod_samples(scrapes=scrapes, request_rate=scrapes / 4.0 * 5.0)
        demand, memory = demand_of(asked, a_reading(shown), memory, NOW_S + later_s)
        states.append(demand.state)
    assert states == [DemandState.KNOWN, DemandState.KNOWN, DemandState.KNOWN, DemandState.STALE]
    assert "fewer scrapes than usual" in demand.message


def test_a_longer_scrape_interval_is_accepted_once_two_whole_windows_show_it() -> None:
    thin, asked = a_reading(pod_samples(scrapes=2.0)), an_asked()
    memory = known_before(at_s=LONG_AGO_S)
    for later_s in range(0, 130, 10):
        demand, memory = demand_of(asked, thin, memory, NOW_S + later_s)
        assert demand.state is DemandState.STALE
    demand, memory = demand_of(asked, thin, memory, NOW_S + 130.0)
    assert demand.arrival_rate_rps == pytest.approx(5.0)
    demand, _ = demand_of(asked, thin, memory, NOW_S + 140.0)
    assert demand.state is DemandState.KNOWN


@pytest.mark.parametrize("unseen", [a_reading(failure="no route"), a_reading(pod_samples(gone=True))])
def test_a_pause_within_a_pause_is_no_longer_scrape_interval(unseen: MetricsReading) -> None:
    thin, memory = a_reading(pod_samples(scrapes=2.0)), known_before(at_s=LONG_AGO_S)
    for later_s in range(0, 240, 10):
        reading = unseen if 90 <= later_s < 130 else thin
        demand, memory = demand_of(an_asked(), reading, memory, NOW_S + later_s)
        assert demand.state is not DemandState.KNOWN


def test_a_query_that_fails_keeps_no_longer_scrape_interval_from_being_accepted() -> None:
    thin, memory = a_reading(pod_samples(scrapes=2.0)), known_before(at_s=LONG_AGO_S)
    for later_s in range(0, 140, 10):
        reading = a_reading(failure="timeout") if later_s == 60 else thin
        demand, memory = demand_of(an_asked(), reading, memory, NOW_S + later_s)
    assert demand.state is DemandState.KNOWN


def test_pods_that_are_filling_while_others_are_full_never_lower_demand() -> None:
    names = ["chat-h100-a", "chat-h100-b"]
    asked, memory = an_asked(a_server(*old_pods(*names))), known_before(10.0, at_s=LONG_AGO_S, pods=names)
    thin = a_reading(*(pod_samples(name, scrapes=2.0) for name in names))
    _, memory = demand_of(asked, thin, memory)
    filling = a_reading(pod_samples(names[0]), pod_samples(names[1], scrapes=3.0, request_rate=3.2))
    demand, _ = demand_of(asked, filling, memory, NOW_S + 20.0)
    assert demand.arrival_rate_rps == pytest.approx(10.0)
    assert "1 of 2 ready pods show no whole window" in demand.message


def test_variants_may_be_scraped_at_intervals_of_their_own() -> None:
    quick, slow = ["chat-h100-a", "chat-h100-b"], ["chat-l4-a", "chat-l4-b", "chat-l4-c"]
    asked = an_asked(a_server(*old_pods(*quick)), a_server(*old_pods(*slow), variant="l4"))
    pods = [pod_samples(name) for name in quick] + [pod_samples(name, scrapes=2.0) for name in slow]
    memory = DemandMemory()
    for later_s in (0.0, 30.0, 60.0, 90.0):
        demand, memory = demand_of(asked, a_reading(*pods), memory, NOW_S + later_s)
        assert (demand.state, demand.message) == (DemandState.KNOWN, "read from 5 pods over 60s")


def test_a_variant_that_was_away_is_judged_by_what_was_usual_of_it() -> None:
    both = an_asked(a_server(*old_pods("chat-h100-a")), a_server(*old_pods("chat-l4-a"), variant="l4"))
    alone = an_asked(a_server(*old_pods("chat-h100-a")), a_server(variant="l4"))
    _, memory = demand_of(both, a_reading(pod_samples("chat-h100-a"), pod_samples("chat-l4-a", scrapes=12.0)))
    _, memory = demand_of(alone, a_reading(pod_samples("chat-h100-a")), memory, NOW_S + 10.0)
    back = a_reading(pod_samples("chat-h100-a"), pod_samples("chat-l4-a", scrapes=6.0))
    demand, _ = demand_of(both, back, memory, NOW_S + 20.0)
    assert "1 of 2 ready pods show no whole window" in demand.message


def test_young_pods_do_not_tell_how_full_windows_are() -> None:
    young = [a_pod(name, ready_since_s=NOW_S - 20.0) for name in ("chat-h100-b", "chat-h100-c")]
    asked = an_asked(a_server(*old_pods("chat-h100-a"), *young))
    shown = [pod_samples("chat-h100-a"), *(pod_samples(pod.name, scrapes=1.0) for pod in young)]
    _, memory = demand_of(asked, a_reading(*shown), known_before())
    assert memory.last[KEY].windows["h100"].thin is None


def test_one_variants_pause_is_judged_by_its_own_windows() -> None:
    asked = an_asked(a_server(*old_pods("chat-h100-a")), a_server(*old_pods("chat-l4-a"), variant="l4"))
    full = [pod_samples("chat-h100-a"), pod_samples("chat-l4-a", scrapes=12.0)]
    _, memory = demand_of(asked, a_reading(*full))
    thin = [pod_samples("chat-h100-a"), pod_samples("chat-l4-a", scrapes=6.0, request_rate=2.5)]
    demand, _ = demand_of(asked, a_reading(*thin), memory, NOW_S + 30.0)
    assert demand.arrival_rate_rps == pytest.approx(10.0)
    assert "1 of 2 ready pods show no whole window" in demand.message


def test_a_scrape_lost_while_the_window_fills_after_a_pause_is_waited_for() -> None:
    # At its edge a lost one of four takes more than a third off the rate, until it has left the window.
    asked, dented = an_asked(), a_reading(pod_samples(request_rate=3.2, scrapes=3.0))
    _, memory = demand_of(asked, a_reading(pod_samples(scrapes=2.0)), known_before(at_s=LONG_AGO_S))
    for later_s in range(10, 110, 10):
        demand, memory = demand_of(asked, dented, memory, NOW_S + later_s)
        assert demand.state is DemandState.STALE
    demand, _ = demand_of(asked, a_reading(pod_samples(scrapes=4.0)), memory, NOW_S + 110.0)
    assert demand.arrival_rate_rps == pytest.approx(5.0)


def test_after_a_restart_of_ours_a_thin_window_is_taken_as_it_is() -> None:
    demand, _ = demand_of(an_asked(), a_reading(pod_samples(scrapes=2.0)))
    assert demand.state is DemandState.KNOWN


def test_a_reset_counter_is_no_spike_and_no_dip() -> None:
    # rate() takes care of the reset itself; the bare counter, small again, is looked at for presence only.
    demand, _ = demand_of(an_asked(), a_reading(pod_samples(requests=3.0)), known_before())
    assert demand.arrival_rate_rps == pytest.approx(5.0)


def test_a_restarted_pod_without_a_rate_yet_is_not_zero() -> None:
    restarted = without(pod_samples(requests=2.0, scrapes=1.0), Signal.REQUEST_RATE)
    demand, _ = demand_of(an_asked(), a_reading(restarted), known_before(at_s=LONG_AGO_S))
    assert demand.state is DemandState.STALE


def test_all_pods_new_after_a_rollout_are_known_from_what_the_old_ones_did() -> None:
    new = a_pod("chat-h100-new", ready_since_s=NOW_S - 20.0)
    left = pod_samples("chat-h100-old", gone=True, request_rate=4.0, running_before=6.0)
    came = without(
        pod_samples("chat-h100-new", request_rate=1.0, scrapes=2.0, running=6.0),
        Signal.RUNNING_BEFORE,
        Signal.WAITING_BEFORE,
    )
    demand, _ = demand_of(an_asked(a_server(new)), a_reading(left, came), known_before())
    assert demand.arrival_rate_rps == pytest.approx(5.0)


def test_a_deployment_that_is_gone_is_forgotten() -> None:
    other = an_asked(key=ObjectKey("team-a", "other"))
    _, after = demand_of(other, a_reading(), known_before())
    assert after.last == {}


def test_half_of_the_pods_thin_is_partial_not_wrong() -> None:
    names = ["chat-h100-a", "chat-h100-b"]
    samples = [pod_samples("chat-h100-a"), pod_samples("chat-h100-b", request_rate=1.0, scrapes=1.0)]
    demand, _ = demand_of(an_asked(a_server(*old_pods(*names))), a_reading(*samples), known_before(10.0, pods=names))
    assert demand.arrival_rate_rps == pytest.approx(10.0)
