"""What is remembered of demand: an hour at most, a bounded count, the peaks, and nothing that is not known."""

from dataclasses import replace

import pytest

from plimsoll.domain import Demand, DemandState, Memory, StockOut, TargetSample
from plimsoll.forecast import HISTORY_S, remember_demand
from unit.builders import MIX, NOW_S, a_demand, a_deployment, a_snapshot
from unit.forecast.histories import a_past


def _rates(memory: Memory) -> list[float]:
    return [sample.arrival_rate_rps for history in memory.demand.values() for sample in history]


def test_each_look_is_remembered_with_its_time_and_mix() -> None:
    past = a_past(10.0, 12.0)

    assert past.memory.demand[past.deployment.key] == ((NOW_S, 10.0, MIX), (NOW_S + 10.0, 12.0, MIX))
    assert past.memory.unknown_since_s == {}


def test_history_ends_after_an_hour() -> None:
    past = a_past(99.0, 10.0).then(a_demand(11.0), HISTORY_S)

    assert _rates(past.memory) == [10.0, 11.0]


def test_a_fast_loop_does_not_fill_the_memory_and_keeps_its_peaks() -> None:
    past = a_past(1.0, start_s=1_000_000.0)
    for second in range(1, 4000):
        past = past.then(a_demand(50.0 if second == 3995 else 1.0), after_s=1.0)

    assert len(_rates(past.memory)) <= 361
    assert max(_rates(past.memory)) == 50.0


def test_a_clock_that_was_set_back_leaves_time_in_order() -> None:
    past = a_past(10.0, 20.0, 30.0).then(a_demand(40.0), after_s=-15.0)
    times = [sample.at_s for sample in past.memory.demand[past.deployment.key]]

    assert times == sorted(set(times))
    assert _rates(past.memory)[-1] == 40.0


@pytest.mark.parametrize("state", [state for state in DemandState if state is not DemandState.KNOWN])
def test_unknown_demand_is_not_remembered_as_a_rate(state: DemandState) -> None:
    past = a_past(10.0).then(a_demand(0.0, state=state))

    assert _rates(past.memory) == [10.0]
    assert past.memory.unknown_since_s == {past.deployment.key: NOW_S + 10.0}


@pytest.mark.parametrize("rate_rps", [float("nan"), float("inf"), -1.0, None])
def test_a_rate_that_cannot_be_is_unknown(rate_rps: float | None) -> None:
    past = a_past(10.0).then(a_demand(10.0, arrival_rate_rps=rate_rps))

    assert _rates(past.memory) == [10.0]
    assert past.deployment.key in past.memory.unknown_since_s


def test_unknown_since_is_the_first_unknown_look_until_demand_is_known_again() -> None:
    gone = a_past(10.0, None, None, None)
    back = gone.then(a_demand(10.0))

    assert gone.memory.unknown_since_s == {gone.deployment.key: NOW_S + 10.0}
    assert back.memory.unknown_since_s == {}


def test_the_past_outlives_an_outage_of_any_length() -> None:
    past = a_past(10.0, 20.0).unknown(for_s=5 * HISTORY_S)

    assert _rates(past.memory) == [10.0, 20.0]


def test_an_object_that_is_away_for_a_moment_keeps_its_past_for_an_hour() -> None:
    past = a_past(10.0)
    gone = a_snapshot(now_s=NOW_S + HISTORY_S)

    assert _rates(remember_demand(gone, past.memory)) == [10.0]
    assert _rates(remember_demand(replace(gone, now_s=NOW_S + HISTORY_S + 1), past.memory)) == []


def test_silence_before_the_first_request_leaves_nothing_to_remember() -> None:
    assert a_past(0.0).then(a_demand(0.0)).memory.demand != {}
    snapshot = a_snapshot([a_deployment(demand=a_demand(0.0, tokens=None))])

    memory = remember_demand(snapshot, Memory())

    assert memory.demand == {}
    assert memory.unknown_since_s == {}


def test_silence_after_requests_is_remembered_with_the_last_mix() -> None:
    past = a_past(10.0).then(Demand(DemandState.KNOWN, "quiet", sees_zero_replicas=True, arrival_rate_rps=0.0))

    assert past.memory.demand[past.deployment.key][-1] == (NOW_S + 10.0, 0.0, MIX)


def test_what_others_remember_is_handed_on() -> None:
    deployment = a_deployment()
    key = deployment.variants[0].key
    memory = Memory(
        targets={key: (TargetSample(NOW_S, 3),)}, replicas={key: 3}, stock_outs={"gpu": StockOut(NOW_S, NOW_S + 300, 1)}
    )

    after = remember_demand(a_snapshot([deployment]), memory)

    assert (after.targets, after.replicas, after.stock_outs) == (memory.targets, memory.replicas, memory.stock_outs)
