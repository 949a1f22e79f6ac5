"""Are engines as fast as their profiles say, and if not, by which factor are they slower?

In: a snapshot, forecasts, what was learned so far, what was simulated. Out: the corrections to size by from now on, and
a finding where a profile is so far off that it should be measured again. One factor a profile, on all four terms of its
step time: thermal limits, another driver or a busy neighbour slow all of them. Learned slowly, from usable moments only
(see ``comparison``), as an exponentially weighted mean of logarithms; bounded, and in steps, so that the question put
to the engine, and its answer, stay the same most of the time. Pure. Design: section 3 (online truth).
"""

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from plimsoll.domain import (
    Correction,
    DemandState,
    Deployment,
    Finding,
    Forecast,
    LatencyComparison,
    Memory,
    ObjectKey,
    Profile,
    ReadyCount,
    Reason,
    Snapshot,
    Variant,
    VariantKey,
)
from plimsoll.sizing.cases import Corrections
from plimsoll.sizing.comparison import Comparison, compare
from plimsoll.sizing.headroom import TIME_CONSTANT_S, Confirmed, by_all_looks, confirmed_variants, confirms
from plimsoll.sizing.options import Simulated

LOWEST, HIGHEST = 0.8, 1.25
"""Bounds of what is corrected without anybody being asked; beyond, the profile is of something else."""
STEP = 0.025
"""Corrections are multiples of this, about as fine as the safe rate itself is known."""
MOVE_AT_STEPS = 0.75
"""How far the estimate must be from the correction in use, in steps, to move it; half a step would tremble."""
WIDE_RATIO = 1.5
"""Observed over predicted, or the inverse, that is no matter of speed any more."""
WIDE_FOR_S = 600.0
"""Usable time after which such a ratio is called drift."""
FORGOTTEN_AFTER_S = 3600.0
"""A profile that nobody uses for so long starts anew: an object that is being mended keeps what was learned."""


@dataclass(frozen=True, slots=True)
class OnlineTruth:
    """What a look at all variants taught."""

    corrections: Mapping[str, Correction]
    """By profile, for the next look."""
    ready: Mapping[VariantKey, ReadyCount]
    """For the next look."""
    latencies: Mapping[VariantKey, tuple[LatencyComparison, ...]]
    """Observed against predicted, of the variants that were usable just now."""
    factors: Corrections
    """What to size by: one for every profile in use."""
    confirmed: Confirmed
    """How far requests have confirmed them, by variant."""
    findings: tuple[Finding, ...]


def learn(
    snapshot: Snapshot, forecasts: Mapping[ObjectKey, Forecast], memory: Memory, simulated: Simulated
) -> OnlineTruth:
    """Compare what requests see with what was predicted, and correct profiles by it.

    Args:
        snapshot: what is known at `snapshot.now_s`.
        forecasts: one for each deployment; mix and burstiness are read.
        memory: of the last tick; its corrections and its counts of ready replicas are read.
        simulated: what has been simulated so far: nothing else teaches.
    """
    now_s = snapshot.now_s
    ready = {v.key: _ready(v, memory, now_s) for d in snapshot.deployments for v in d.variants}
    profiles = {v.profile.name: v.profile for d in snapshot.deployments for v in d.variants}
    before = {name: _known(profile, memory, now_s) for name, profile in profiles.items()}
    factors = {name: one.factor for name, one in before.items()}
    settled = [
        (deployment, variant, forecasts[deployment.key])
        for deployment in snapshot.deployments
        for variant in deployment.variants
        if _is_settled(deployment, variant, ready[variant.key], now_s)
    ]
    compared = compare(settled, simulated, factors)
    looks: defaultdict[str, list[Comparison]] = defaultdict(list)
    windows_s: dict[str, float] = {}
    for deployment, variant, _ in settled:
        if variant.key in compared:
            looks[variant.profile.name].append(compared[variant.key])
            windows_s[variant.profile.name] = deployment.demand.window_s
    corrections = {
        # Where the clock was set back nothing has passed: time that runs backwards would teach the opposite.
        name: _learned(one, looks[name], max(0.0, min(now_s - one.at_s, windows_s.get(name, 0.0))), now_s)
        for name, one in before.items()
    }
    kept = {
        name: one
        for name, one in memory.corrections.items()
        if name not in corrections and one.at_s >= now_s - FORGOTTEN_AFTER_S
    }
    return OnlineTruth(
        corrections=kept | corrections,
        ready=ready,
        latencies={key: one.latencies for key, one in compared.items()},
        factors={name: one.factor for name, one in corrections.items()},
        confirmed=confirmed_variants(snapshot, corrections),
        findings=_findings(snapshot, corrections),
    )


def _ready(variant: Variant, memory: Memory, now_s: float) -> ReadyCount:
    last, count = memory.ready.get(variant.key), variant.ready_replicas
    return last if last is not None and last.replicas == count else ReadyCount(count, now_s)


def _is_settled(deployment: Deployment, variant: Variant, ready: ReadyCount, now_s: float) -> bool:
    """Whether demand is known, and the same replicas served for the whole window."""
    window_s = deployment.demand.window_s
    return (
        deployment.demand.state is DemandState.KNOWN
        and ready.replicas > 0
        and now_s - ready.since_s >= window_s
        and all(now_s - (pod.ready_since_s or pod.created_s) >= window_s for pod in variant.pods)
    )


def _known(profile: Profile, memory: Memory, now_s: float) -> Correction:
    """What was learned so far; of a profile that was written anew, nothing."""
    last = memory.corrections.get(profile.name)
    if last is not None and last.step_time == profile.step_time:
        return last
    return Correction(step_time=profile.step_time, at_s=now_s)


def _learned(one: Correction, looks: list[Comparison], usable_s: float, now_s: float) -> Correction:
    """The correction after looks of one moment, weighed by their requests, that stand for `usable_s` seconds."""
    if not looks:
        return replace(one, at_s=now_s)
    requests = math.fsum(look.requests for look in looks)
    log_factor = math.fsum(look.requests * look.log_factor for look in looks) / requests
    log_ratio = math.fsum(look.requests * math.log(look.teaching.ratio) for look in looks) / requests
    confirming = any(confirms(look.load_ratio, look.log_factor_at_most - math.log(one.factor)) for look in looks)
    worst = max(_wide(look) for look in looks)
    weight = -math.expm1(-usable_s / TIME_CONSTANT_S)
    learned = replace(
        one,
        at_s=now_s,
        log_factor=one.log_factor + weight * (log_factor - one.log_factor),
        log_ratio=one.log_ratio + weight * (log_ratio - one.log_ratio),
        usable_s=one.usable_s + usable_s,
        loaded_s=one.loaded_s + (usable_s if confirming else 0.0),
        wide_s=min(max(one.wide_s + math.copysign(usable_s, worst - WIDE_RATIO), 0.0), 1.5 * WIDE_FOR_S),
        latest=max(looks, key=lambda look: look.requests).teaching,
    )
    drifted = _is_drifted(learned)
    # What has drifted is to be confirmed anew.
    return replace(learned, factor=_in_use(learned), drifted=drifted, loaded_s=0.0 if drifted else learned.loaded_s)


def _wide(look: Comparison) -> float:
    """How many times the corrected prediction of the teaching latency was missed by, up or down."""
    told = look.teaching
    ratio = next(one.ratio for one in look.latencies if (one.metric, one.quantile) == (told.metric, told.quantile))
    return max(ratio, 1.0 / ratio)


def _in_use(one: Correction) -> float:
    """The step nearest to the estimate, once that has left the one in use; within the bounds."""
    estimate = min(max(math.exp(one.log_factor), LOWEST), HIGHEST)
    if abs(estimate - one.factor) <= MOVE_AT_STEPS * STEP:
        return one.factor
    return round(round(estimate / STEP) * STEP, 3)


def _is_drifted(one: Correction) -> bool:
    """Begins beyond the bounds, ends a step within them; the same for a ratio that is wide for long."""
    estimate, margin = math.exp(one.log_factor), STEP if one.drifted else 0.0
    beyond = not LOWEST + margin <= estimate <= HIGHEST - margin
    return beyond or one.wide_s > (0.0 if one.drifted else WIDE_FOR_S)


# --- In words --------------------------------------------------------------------------------------------------------


def _findings(snapshot: Snapshot, corrections: Mapping[str, Correction]) -> tuple[Finding, ...]:
    return tuple(
        Finding(deployment.key, Reason.PROFILE_DRIFTED, _drift(variant.profile.name, found, variant.name), variant.name)
        for deployment in snapshot.deployments
        for variant in deployment.variants
        if (found := corrections[variant.profile.name]).drifted and variant.replicas > 0
    )


def _drift(profile: str, one: Correction, variant: str) -> str:
    seen = one.latest
    assert seen is not None, "nothing drifts that was never seen"
    ratio = math.exp(by_all_looks(one.log_ratio, one.usable_s))
    minutes = min(one.usable_s, TIME_CONSTANT_S) / 60.0
    return (
        f"{variant}: profile {profile} predicts {seen.metric.value.upper()} p{seen.quantile * 100:g} "
        f"{_figure(seen.predicted_ms)}ms at {_figure(seen.rate_per_replica_rps)} req/s a replica, requests see "
        f"{_figure(seen.observed_ms)}ms ({ratio:.2f}x over the last {minutes:.0f} min): measure it again with "
        f"`plimsoll profile fit`, or correct its spec.coefficients; until then its step times count "
        + ("as they stand" if one.factor == 1.0 else f"{one.factor:g} times")
    )


def _figure(value: float) -> str:
    """Whole from 100 up, else two digits that say something: 512, 31, 4.2, 0.012."""
    return f"{value:.0f}" if value >= 100.0 else f"{float(f'{value:.2g}'):g}"
