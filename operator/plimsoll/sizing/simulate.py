"""What is the safe rate of one case, as the engine's kernel has it? Some hundred milliseconds of work.

In: a case. Out: its capacity for one, two, four and eight replicas behind one router, with the case's own lengths and
bursts; for a lone one where the router draws by chance. Pure and deterministic: it may run in the background or in a
simulator's loop, at any time.
"""

from collections.abc import Mapping
from dataclasses import replace

from plimsoll.domain import LatencyObservation, SizedBy
from plimsoll.engine.case import Case
from plimsoll.engine.search import Trial, requests_for, safe_rate_per_ms
from plimsoll.engine.serving import Router
from plimsoll.sizing.capacity import SHARES, Capacity
from plimsoll.sizing.estimate import estimate

TABLE = (1, 2, 4, 8)
"""Replicas that are played. Beyond the last one a replica is taken to carry what it does there: 16 would carry a few
percent more, and be on the safe side."""
_ALONE = (1,)
"""The same where requests are drawn by chance: each replica then sees what a lone one sees at its share."""

_GAIN_BY_DOUBLING = 1.04
"""First guess of how much more a replica carries with twice as many at its side."""


def simulate(case: Case) -> Capacity:
    """The capacity of one case, played."""
    return simulate_with_trials(case)[0]


def simulate_with_trials(case: Case) -> tuple[Capacity, Mapping[int, Trial]]:
    """The capacity of one case, and by number of replicas the requests that its safe rate was found with.

    At the safe rate those very requests keep the SLO; others, above all with bursts, may just miss it. There are no
    trials where even a lone request misses.
    """
    guess = estimate([case])[case]
    if guess.rate_rps[0] <= 0.0:
        # Even a lone request misses: nothing to play.
        return replace(guess, sized_by=SizedBy.SIMULATION, doubtful=False), {}
    rates_per_ms: list[float] = []
    trials: dict[int, Trial] = {}
    per_replica_per_ms = guess.rate_rps[0] / 1000.0
    played = _ALONE if case.router is Router.RANDOM else TABLE
    for replicas in played:
        guess_per_ms = per_replica_per_ms * replicas
        trials[replicas] = Trial(case, replicas, requests_for(case, replicas, guess_per_ms), guess_per_ms)
        # Where one replica fails with hardly anything to do, it is not for want of others.
        hopeless = bool(rates_per_ms) and rates_per_ms[0] <= 0.0
        rate_per_ms = 0.0 if hopeless else safe_rate_per_ms(case, replicas, guess_per_ms)
        # More replicas never carry less: what one more adds is at least nothing.
        rates_per_ms.append(max(rate_per_ms, rates_per_ms[-1] if rates_per_ms else 0.0))
        if rate_per_ms > 0.0:
            per_replica_per_ms = rate_per_ms / replicas * _GAIN_BY_DOUBLING
    full_per_ms = rates_per_ms[0] or guess.full_rps / 1000.0
    found = Capacity(
        replicas=played,
        rate_rps=tuple(rate * 1000.0 for rate in rates_per_ms),
        latency_ms=_curves(case, guess.unloaded_ms, full_per_ms, carries=rates_per_ms[-1] > 0.0),
        full_rps=full_per_ms * 1000.0,
        sized_by=SizedBy.SIMULATION,
    )
    return found, trials


def _curves(
    case: Case, unloaded_ms: tuple[float, ...], rate_per_ms: float, carries: bool
) -> tuple[tuple[float, ...], ...]:
    """Latencies of one replica by share of that rate; never falling, as chance may have them.

    Where nothing is carried the SLO fails with next to no load: what requests see then is what they need at least.
    """
    trial = Trial(case, 1, requests_for(case, 1, rate_per_ms) // 2, rate_per_ms)
    played = [unloaded_ms]
    if not carries:
        played = [_never_below(unloaded_ms, trial.observations(trial.lowest_per_ms))]
    for share in SHARES[1:]:
        played.append(_never_below(played[-1], trial.observations(share * rate_per_ms)))
    return tuple(zip(*played, strict=True))


def _never_below(last_ms: tuple[float, ...], seen: tuple[LatencyObservation, ...]) -> tuple[float, ...]:
    return tuple(max(one.value_ms, last) for one, last in zip(seen, last_ms, strict=True))
