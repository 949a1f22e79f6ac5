"""What runs when a run begins? The same for every policy.

In: an episode. Out: ready replicas by variant: as the scenario says, else what `decide` wants for the mean demand of
the first ten minutes, on a cluster that has nothing yet.
"""

from collections.abc import Mapping
from dataclasses import replace

from plimsoll.decide import decide
from plimsoll.domain import Demand, DemandState, Memory, ObjectKey, Snapshot, VariantKey
from plimsoll.simulator.episode import START_S, Episode
from plimsoll.simulator.named import start_replicas
from plimsoll.simulator.safe_rates import mix_of

_SEEN_S = 600.0


def first_replicas(episode: Episode) -> Mapping[VariantKey, int]:
    """By variant; at least what each target's minimum asks for.

    Raises:
        InvalidObject: the scenario names a variant that is not there.
    """
    named = episode.scenario.spec.start_replicas
    keys = [variant.key for deployment in episode.deployments for variant in deployment.variants]
    chosen = start_replicas(named, keys) if named else _planned(episode)
    return {
        variant.key: max(chosen.get(variant.key, 0), variant.min_replicas)
        for deployment in episode.deployments
        for variant in deployment.variants
    }


def _planned(episode: Episode) -> Mapping[VariantKey, int]:
    snapshot = Snapshot(
        now_s=START_S,
        deployments=tuple(replace(one, demand=_demand(episode, one.key)) for one in episode.deployments),
        pools=episode.pools,
    )
    return dict(decide(snapshot, Memory()).memory.replicas)


def _demand(episode: Episode, key: ObjectKey) -> Demand:
    traffic = episode.traffic[key]
    span_s = min(_SEEN_S, episode.scenario.duration_s)
    count = int((traffic.arrival_s_i < span_s).sum())
    mix = mix_of(traffic)
    if mix is None:
        return Demand(DemandState.ABSENT, "nothing is asked for", sees_zero_replicas=True)
    return Demand(
        DemandState.KNOWN,
        "as it will be",
        sees_zero_replicas=True,
        arrival_rate_rps=count / span_s,
        tokens=mix,
        window_s=span_s,
    )
