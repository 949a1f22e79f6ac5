"""How many requests arrive at the pods of one deployment, and how far can that number be trusted?

In: the samples of its pods, living and gone. Out: a `Look`: the rate in all and by variant, or the one reason why it
is not known. Pure. Design section 4.

Over the window: arrivals = requests done + growth of the requests running and waiting. The sum runs over all pods that
were there at any time in the window, so that pods may come and go: what a pod that left has done still counts, and what
it had in flight at the window's beginning is taken off. A pod is whole when its heartbeat is fresh and fills the window
as those of its variant used to; ready pods older than the window ought to be whole. Where at least half of them are,
the rest is taken to be like them; below that nothing is known.
"""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from plimsoll.domain import DemandState
from plimsoll.observe.attribution import Asked, PodSamples
from plimsoll.observe.dialects import Counts, Dialect, dialects_of
from plimsoll.observe.queries import Signal
from plimsoll.observe.window_fill import WindowFill, seen_anew

MIN_WHOLE_RATIO = 0.5
"""Below this share of whole pods the rest is not extrapolated. A guess."""
_GRACE_S = 15.0
"""A new pod is first scraped up to one scrape interval after it became ready; 15 s is a common one."""

_JUDGED = (
    Signal.REQUEST_RATE,
    Signal.REQUESTS,
    Signal.SCRAPES,
    Signal.RUNNING,
    Signal.WAITING,
    Signal.RUNNING_BEFORE,
    Signal.WAITING_BEFORE,
)


@dataclass(frozen=True, slots=True)
class Look:
    """What the samples of one deployment say, given how full the windows of its pods used to be."""

    state: DemandState
    message: str
    arrival_rate_rps: float = 0.0
    by_variant_rps: Mapping[str, float] = field(default_factory=dict)
    running: float = 0.0
    waiting: float = 0.0
    partial: bool = False
    """Some pods were extrapolated: the rate may be too low, so it must not be the reason for a scale-down."""
    windows: Mapping[str, WindowFill] = field(default_factory=dict)
    """By variant, as to be remembered; nothing where nobody was seen."""


def look_at_pods(
    asked: Asked,
    found: Sequence[PodSamples],
    window_s: float,
    now_s: float,
    windows: Mapping[str, WindowFill],
) -> Look:
    """The arrivals at all pods of a deployment.

    Args:
        asked: the deployment.
        found: the samples of its pods, of the model that it serves.
        window_s: over which rates are taken.
        now_s: the tick's moment, on the clock of the pods' times.
        windows: of the last look at each variant; those that nothing is remembered of are missing.
    """
    blind = blind_variant(asked)
    if blind is not None:
        return Look(DemandState.ABSENT, blind)
    invalid = _invalid(found)
    if invalid is not None:
        return Look(DemandState.INVALID, invalid)
    expected = {
        pod.name
        for server in asked.servers
        for pod in server.pods
        if pod.ready and not pod.terminating and _age_s(pod.ready_since_s, now_s) > window_s + _GRACE_S
    }
    fresh = [one for one in found if _is_fresh(one, asked.stale_after_s)]
    if not any(_is_rated(one) for one in fresh):
        return _seen_once(window_s) if fresh else _nothing_fresh(asked, found)
    rated = [one for one in fresh if _is_rated(one) and one.samples.pod in expected]
    windows = _windows(rated, windows, window_s, now_s)
    whole = {one.samples.pod for one in rated if windows[one.server.variant].is_full(_scrapes(one))}
    if len(whole) < MIN_WHOLE_RATIO * len(expected):
        thin = len({one.samples.pod for one in rated}) >= MIN_WHOLE_RATIO * len(expected)
        return replace(_too_few(len(whole), len(expected), window_s, thin), windows=windows)
    counted = [one for one in found if one.samples.pod in whole or one.samples.pod not in expected]
    return replace(_sum_up(asked, counted, whole, expected, window_s), windows=windows)


def _windows(
    rated: Sequence[PodSamples], before: Mapping[str, WindowFill], window_s: float, now_s: float
) -> dict[str, WindowFill]:
    by_variant: dict[str, list[float]] = defaultdict(list)
    for one in rated:
        by_variant[one.server.variant].append(_scrapes(one))
    return {**before, **{name: seen_anew(before.get(name), each, window_s, now_s) for name, each in by_variant.items()}}


def _sum_up(asked: Asked, counted: Sequence[PodSamples], whole: set[str], expected: set[str], window_s: float) -> Look:
    by_variant: dict[str, float] = {server.variant: 0.0 for server in asked.servers}
    in_flight: dict[Signal, float] = defaultdict(float)
    of_whole_rps = 0.0
    for one in counted:
        is_fresh = _is_fresh(one, asked.stale_after_s)
        rate_rps = _arrival_rate_rps(one, is_fresh, one.samples.pod in expected, window_s)
        by_variant[one.server.variant] += rate_rps
        of_whole_rps += rate_rps if one.samples.pod in whole else 0.0
        for signal in (Signal.RUNNING, Signal.WAITING):
            in_flight[signal] += one.samples.values.get(signal, 0.0) if is_fresh else 0.0
    missing = len(expected) - len(whole)
    extrapolated_rps = of_whole_rps / len(whole) * missing if missing else 0.0
    pods = len({one.samples.pod for one in counted})
    message = f"read from {pods} pod{'s' if pods != 1 else ''} over {window_s:g}s"
    if missing:
        message += f"; {missing} of {len(expected)} ready pods show no whole window and are taken to be like the others"
    return Look(
        DemandState.KNOWN,
        message,
        arrival_rate_rps=max(0.0, sum(by_variant.values()) + extrapolated_rps),
        by_variant_rps={name: max(0.0, rate_rps) for name, rate_rps in by_variant.items()},
        running=in_flight[Signal.RUNNING],
        waiting=in_flight[Signal.WAITING],
        partial=missing > 0,
    )


def _arrival_rate_rps(one: PodSamples, is_fresh: bool, was_there_before: bool, window_s: float) -> float:
    values = one.samples.values
    done_rps = values.get(Signal.REQUEST_RATE, 0.0)
    if dialect_of(one).counts is Counts.ARRIVALS:
        return done_rps
    now = _in_flight(values, Signal.RUNNING, Signal.WAITING) if is_fresh else 0.0
    before = _in_flight(values, Signal.RUNNING_BEFORE, Signal.WAITING_BEFORE)
    if before is None:
        # A young pod had nothing in flight; of an old one we cannot tell, and a guess of 0 would look like a rush.
        before = now if was_there_before else 0.0
    return done_rps + ((now or 0.0) - (before or 0.0)) / window_s


def _in_flight(values: Mapping[Signal, float], *signals: Signal) -> float | None:
    there = [values[signal] for signal in signals if signal in values]
    return sum(there) if there else None


def dialect_of(one: PodSamples) -> Dialect:
    """The row of the engine that the pod runs; an engine in pods has exactly one."""
    (dialect,) = dialects_of(one.server.engine)
    return dialect


def _is_fresh(one: PodSamples, stale_after_s: float) -> bool:
    age_s = one.samples.values.get(Signal.AGE_S)
    return age_s is not None and age_s <= stale_after_s


def _is_rated(one: PodSamples) -> bool:
    """False for a counter that exists but was seen once only; a counter that never counted stands for no request."""
    values = one.samples.values
    return Signal.REQUEST_RATE in values or Signal.REQUESTS not in values


def _scrapes(one: PodSamples) -> float:
    return one.samples.values.get(Signal.SCRAPES, 0.0)


def _age_s(since_s: float | None, now_s: float) -> float:
    return math.inf if since_s is None else now_s - since_s


def blind_variant(asked: Asked) -> str | None:
    """Why demand cannot be read at all: a variant runs on an engine that counts no requests."""
    for server in asked.servers:
        rows = dialects_of(server.engine)
        if server.pods and not any(row.per_pod and row.requests for row in rows):
            name = rows[0].title if rows else server.engine.value
            return (
                f"{name} (variant {server.variant}) counts no requests, so demand cannot be read from its pods: "
                "set spec.demand.engine to Gateway, or to Custom with spec.demand.queries.arrivalRate"
            )
    return None


def _invalid(found: Sequence[PodSamples]) -> str | None:
    for one in found:
        for signal in _JUDGED:
            value = one.samples.values.get(signal, 0.0)
            if not math.isfinite(value) or value < 0.0:
                return (
                    f"pod {one.samples.pod} reports {signal.value} = {value:g}, which cannot be: "
                    "look at its /metrics, and at recording or relabelling rules in between"
                )
    return None


def _seen_once(window_s: float) -> Look:
    return Look(
        DemandState.STALE,
        f"counters were scraped only once within {window_s:g}s, so their rate is known after the next scrape; if this "
        "lasts, make the rate window at least four scrape intervals wide",
    )


def _nothing_fresh(asked: Asked, found: Sequence[PodSamples]) -> Look:
    ready = sum(pod.ready and not pod.terminating for server in asked.servers for pod in server.pods)
    names = ", ".join(sorted({server.engine.value for server in asked.servers}))
    if found and ready:
        return Look(
            DemandState.STALE,
            f"no fresh sample from any of {ready} ready pods: their /metrics is not scraped any more, or fails",
        )
    if ready:
        return Look(
            DemandState.ABSENT,
            f"Prometheus has no {names} metrics of the {ready} ready pods: check that they are scraped, "
            "and that samples carry the namespace and pod labels",
        )
    return Look(
        DemandState.ABSENT,
        f"no replica runs, and without one {names} shows no demand; only spec.demand.engine Gateway sees it then",
    )


def _too_few(whole: int, expected: int, window_s: float, thin: bool) -> Look:
    if thin:
        message = (
            f"fewer scrapes than usual within {window_s:g}s: scraping paused, and rates are too low until the window "
            "is full; where the scrape interval has become longer, they count after twice this time"
        )
    else:
        message = f"only {whole} of {expected} ready pods show fresh samples: too few to tell what arrives"
    return Look(DemandState.STALE, message)
